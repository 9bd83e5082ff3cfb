//! Bad input and broken surroundings: each a specific error, nothing lost, nothing secret shown.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    Error, EvmWalletClient, NetworkKind, PendingWallet, ServerKeyShare, SvmWalletClient,
    ThresholdSignatureScheme, Timeouts, Variant, WalletClient, WalletClientOpts,
};
use halfkey_core::wire::ErrorCode;
use halfkey_core::{KeyType, PartyIndex, SecretBytes, SystemClock};
use halfkey_mpc::{KeyShare, test_shares};
use halfkey_vault::{Embedded, Expect, GetRecord as _, PutRecord as _, RecordName};
use sha2::{Digest as _, Sha256};

use crate::provider::Provider;
use crate::proxy::Proxy;
use crate::second_copy::names;
use crate::vaults::Storage;

#[tokio::test]
async fn a_wrong_or_missing_token_is_refused() {
    let provider = Provider::start().await;
    let mut client = WalletClient::new(provider.opts()).unwrap();
    let error = client
        .lookup("0x0000000000000000000000000000000000000000")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotAuthenticated));
    let mut wrong = provider.token.expose().to_owned();
    let last = if wrong.pop() == Some('A') { 'B' } else { 'A' };
    wrong.push(last);
    let error = client.authenticate_api_token(&wrong).await.unwrap_err();
    assert!(matches!(error, Error::Authentication(_)), "{error:?}");
    assert_eq!(error.code(), "unauthenticated");
    assert!(!format!("{error:?}{error}").contains(&wrong));
    assert!(!client.is_authenticated());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_does_not_belong_is_refused_before_anything_is_sent() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let (_, others) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    proxy.take_seen();

    let error = svm
        .sign_message(&properties, &others, "x")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ShareOfAnotherWallet), "{error:?}");
    let error = svm.sign_message(&properties, &[], "x").await.unwrap_err();
    assert!(matches!(error, Error::NoShare), "{error:?}");
    let whole = &shares[0].secret_share;
    for damaged in [
        "",
        "!",
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 4],
    ] {
        let share = ServerKeyShare::new(shares[0].key_share_id.clone(), damaged);
        let error = svm
            .sign_message(&properties, &[share], "x")
            .await
            .unwrap_err();
        assert!(matches!(error, Error::ShareDamaged), "{error:?}");
    }
    let foreign = test_share(KeyType::Ed25519Exportable, PartyIndex::CUSTOMER_1);
    let error = svm
        .sign_message(&properties, &[foreign], "x")
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::ShareOfAnotherEnvironment),
        "{error:?}"
    );

    let error = EvmWalletClient::new(&client)
        .sign_message(&properties, &shares, "x")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    assert!(proxy.take_seen().is_empty());
}

fn test_share(key_type: KeyType, party: PartyIndex) -> ServerKeyShare {
    let encoded = test_shares::encoded(key_type, TwoOfTwo, party);
    ServerKeyShare::from_encoded("00000000-0000-4000-8000-000000000000", &encoded)
}

#[tokio::test]
async fn the_providers_own_share_is_refused() {
    let opts = WalletClientOpts::new(test_shares::ENVIRONMENT).base_api_url("http://127.0.0.1:9");
    let client = WalletClient::new(opts).unwrap();
    let own = test_shares::load(KeyType::EcdsaSecp256k1, TwoOfTwo, PartyIndex::CUSTOMER_1).unwrap();
    let pending = PendingWallet::from_shares(
        &client,
        &[test_share(KeyType::EcdsaSecp256k1, own.header().party)],
    )
    .unwrap();
    let address = pending.seal_hint()[0].account_address.clone();
    let properties =
        halfkey::WalletProperties::new("EVM", pending.wallet_id().to_string(), address);
    let theirs = test_share(KeyType::EcdsaSecp256k1, PartyIndex::PROVIDER);
    let error = EvmWalletClient::new(&client)
        .sign_message(&properties, &[theirs], "x")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ShareOfAnotherParty), "{error:?}");
}

/// The same share, claiming to be of generation 1.
fn of_another_generation(share: &ServerKeyShare) -> ServerKeyShare {
    let encoded = share.decode_secret().unwrap();
    let attempt = *KeyShare::decode(&encoded)
        .unwrap()
        .header()
        .attempt
        .as_bytes();
    let mut bytes = encoded.expose().to_vec();
    let at = bytes
        .windows(16)
        .position(|window| window == attempt)
        .unwrap();
    assert_eq!(bytes[at - 1], 0, "generation 0 stands before the attempt");
    bytes[at - 1] = 1;
    let body = bytes.len() - 32;
    let tag = Sha256::new()
        .chain_update(b"halfkey-share-v1")
        .chain_update(&bytes[..body])
        .finalize();
    bytes[body..].copy_from_slice(&tag);
    ServerKeyShare::from_encoded(share.key_share_id.clone(), &SecretBytes::new(bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_another_generation_is_a_specific_error() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let other = of_another_generation(&shares[0]);
    let error = svm
        .sign_message(&properties, &[other], "x")
        .await
        .unwrap_err();
    let Error::ShareOfAnotherGeneration { share } = error else {
        panic!("{error:?}")
    };
    assert_eq!(share.0, 1);
    svm.sign_message(&properties, &shares, "x").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_environments_wallet_is_not_found() {
    let (one, other) = (Provider::start().await, Provider::start().await);
    let client = one.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, _) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let stranger = other.client().await;
    let error = stranger
        .fetch_wallet_metadata(&properties.account_address)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WalletNotFound), "{error:?}");
    let fetched = client
        .fetch_wallet_metadata(&properties.account_address)
        .await
        .unwrap();
    assert_eq!(fetched, properties);
    let error = client.lookup("../../healthz").await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
}

#[tokio::test]
async fn a_backup_that_nothing_protects_is_refused_before_keygen() {
    let opts = WalletClientOpts::new("env-1").base_api_url("http://127.0.0.1:9");
    let client = WalletClient::new(opts).unwrap();
    let evm = EvmWalletClient::new(&client);
    for password in [None, Some(String::new())] {
        let error = evm
            .create_wallet_account(TwoOfTwo, password, true)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::PasswordRequired), "{error:?}");
    }
    // What one published SDK takes where it is given none.
    for password in ["env-1", "ENV-1", " env-1 "] {
        let error = evm
            .create_wallet_account(TwoOfTwo, Some(password.to_owned()), true)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::PasswordRefused), "{error:?}");
    }
    let mistyped = Some("hkr1_hunter2".to_owned());
    let error = evm
        .create_wallet_account(TwoOfTwo, mistyped, true)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

/// Properties that have fallen behind the wallet are no reason not to sign: the provider is asked.
#[tokio::test(flavor = "multi_thread")]
async fn stale_properties_heal_from_the_provider() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let mut other_path = properties.clone();
    other_path.derivation_path = Some(vec![1]);
    let other_scheme = properties.clone().with_threshold(TwoOfThree);
    for stale in [other_path, other_scheme] {
        let signature = svm.sign_message(&stale, &shares, "x").await.unwrap();
        assert!(crate::bare::verifies(
            &properties.account_address,
            b"x",
            &signature
        ));
        client.export_private_key(&stale, &shares).await.unwrap();
        client.refresh_wallet(&stale, &shares, false).await.unwrap();
        // When nobody knows better, they are as stale as they look.
        proxy.forge_reply(0, "404 Not Found", "{}");
        let error = svm.sign_message(&stale, &shares, "x").await.unwrap_err();
        assert!(
            matches!(error, Error::StaleWalletProperties(_)),
            "{error:?}"
        );
    }
    assert_eq!(
        client
            .fetch_wallet_metadata(&properties.account_address)
            .await
            .unwrap(),
        properties
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_are_not_what_they_are_called_are_refused() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let message = &crate::bare::messages(&properties.account_address)[0];
    let error = svm
        .sign_message_bytes(&properties, &shares, message)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Payload(_)), "{error:?}");
    let whole = [&[1_u8][..], &[0; 64], message].concat();
    let error = svm
        .sign_transaction(&properties, &shares, &whole)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("message alone"), "{error}");
    let error = svm
        .sign_transaction(&properties, &shares, b"hello")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Payload(_)), "{error:?}");
    // Neither text nor anything else: blind, which this provider does not sign.
    let error = svm
        .sign_message_bytes(&properties, &shares, &[0xFE; 40])
        .await
        .unwrap_err();
    assert_eq!(
        error.api_code(),
        Some(ErrorCode::BlindSigningDenied),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_or_silent_is_told_apart() {
    let mut provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let timeouts = Timeouts {
        read: Duration::from_millis(300),
        ..Timeouts::default()
    };
    let opts = provider
        .opts_at(&proxy.url())
        .max_retries(0)
        .timeouts(timeouts);
    let direct = provider.client_with(provider.opts().max_retries(0)).await;
    let svm = SvmWalletClient::new(&direct);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();

    let through = provider.client_with(opts).await;
    proxy.be_silent();
    let error = through
        .lookup(&properties.account_address)
        .await
        .unwrap_err();
    let Error::Network(network) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(network.kind, NetworkKind::Timeout);
    assert!(error.is_retryable());
    let error = SvmWalletClient::new(&through)
        .sign_message(&properties, &shares, "x")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");

    provider.stop().await;
    let error = svm
        .sign_message(&properties, &shares, "x")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "provider_unreachable", "{error:?}");
    assert!(!error.to_string().contains("http"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupted_or_swapped_record_never_signs() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let one = store
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap()
        .account_address;
    let two = store
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap()
        .account_address;
    let name =
        |address: &str| RecordName::active_share("", address, PartyIndex::CUSTOMER_1).unwrap();
    let original = storage
        .records
        .get(&name(&one))
        .await
        .unwrap()
        .unwrap()
        .value;
    let swapped = storage
        .records
        .get(&name(&two))
        .await
        .unwrap()
        .unwrap()
        .value;
    let mut flipped = original.clone();
    *flipped.last_mut().unwrap() ^= 1;
    // Either record of the share would do: both are put aside.
    let both = names(&storage, &one).await;
    assert_eq!(both.len(), 2);
    for bytes in [&swapped, &flipped, &original[..original.len() / 2].to_vec()] {
        for name in &both {
            let put = storage.records.put(name, bytes, Expect::Any);
            put.await.unwrap();
        }
        let error = store.sign_svm_message(&one, "x").await.unwrap_err();
        assert_eq!(error.code(), "record_corrupt", "{error:?}");
    }
    let active = name(&one);
    let put = storage.records.put(&active, &original, Expect::Any);
    put.await.unwrap();
    store.sign_svm_message(&one, "x").await.unwrap();

    // Without its high-water mark an active wallet is a rolled-back one (custody rule 11).
    let mark = RecordName::high_water("", &two).unwrap();
    halfkey_vault::DestroyRecord::destroy(&*storage.records, &mark, Expect::Any)
        .await
        .unwrap();
    let error = store.sign_svm_message(&two, "x").await.unwrap_err();
    assert!(matches!(error, Error::VaultState(_)), "{error:?}");
    let row = RecordName::state("", &one).unwrap();
    storage.records.put(&row, b"{}", Expect::Any).await.unwrap();
    let error = store.sign_svm_message(&one, "x").await.unwrap_err();
    assert!(matches!(error, Error::VaultState(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    // Writes: the identity's pin, the intent, the sealed share, the active copy, the mark, the row.
    for writes in 0..6 {
        let storage = Storage::new();
        let store = storage.store_that_is_full_after(&client, writes);
        let error = store
            .create_svm(TwoOfTwo, Variant::default())
            .await
            .unwrap_err();
        match (writes, error) {
            (0, error) => assert_eq!(error.code(), "store_full", "{error:?}"),
            (1 | 2, Error::NotActivated(inner)) => {
                assert_eq!(inner.source.code(), "store_full");
                // The shares are in the error, and go on from there.
                let mut pending = PendingWallet::from_shares(&client, &inner.shares).unwrap();
                pending.prove(&inner.shares).await.unwrap();
                let properties = pending.activate().await.unwrap();
                SvmWalletClient::new(&client)
                    .sign_message(&properties, &inner.shares, "x")
                    .await
                    .unwrap();
            }
            (3..6, Error::LeftPending { attempt, source }) => {
                assert_eq!(source.code(), "store_full");
                let store = storage.store(&client);
                let target = halfkey::ResumeTarget::Attempt(attempt);
                let resumed = store.resume(target).await.unwrap();
                let halfkey::Settled::Active(properties) = &resumed[0].settled else {
                    panic!("{resumed:?}")
                };
                store
                    .sign_svm_message(&properties.account_address, "x")
                    .await
                    .unwrap();
            }
            (writes, error) => panic!("after {writes} writes: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_vault_keeps_wallets_and_refuses_a_keyring_others_can_read() {
    let provider = Provider::start().await;
    let client = Arc::new(provider.client().await);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("vault");
    let clock = || Arc::new(SystemClock);
    let environment = &provider.environment;
    let vault = Embedded::create_or_open(&dir, environment, None, clock(), "test")
        .await
        .unwrap();
    let store = |vault: &Embedded| {
        halfkey::WalletStore::new(
            Arc::clone(&client),
            vault.vault.clone(),
            Arc::clone(&vault.properties),
            halfkey::StoreOptions::default(),
        )
    };
    let address = store(&vault)
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap()
        .account_address;
    vault.close().await;

    let vault = Embedded::open(&dir, environment, None, clock(), "test")
        .await
        .unwrap();
    store(&vault)
        .sign_svm_message(&address, "again")
        .await
        .unwrap();
    vault.close().await;

    let keyring = dir.join("keyring.json");
    std::fs::set_permissions(&keyring, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Embedded::open(&dir, environment, None, clock(), "test")
        .await
        .unwrap_err();
    let error = Error::from(error);
    assert!(
        matches!(error.code(), "keyring" | "permissions"),
        "{error:?}"
    );
}
