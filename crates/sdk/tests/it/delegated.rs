//! A delegate against a real provider: what it gets, what it may, and how that ends.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use alloy_primitives::{Address, Signature};
use halfkey::{
    ChainName, CreateOptions, DelegatedEvmWalletClient, DelegatedSvmWalletClient,
    DelegatedWalletClient, DelegatedWalletClientOpts, DelegationData, DelegationOptions,
    DelegationPrivateKey, Error, EvmWalletClient, Generation, ReceivedDelegation, Recipient,
    SvmWalletClient, ThresholdSignatureScheme, WalletKeyScope, WalletStore,
    decrypt_delegated_webhook_data, receive_delegation,
};
use halfkey_core::wire::{ErrorCode, Scope, WALLET_API_KEY};
use halfkey_testkit::clock::FakeClock;
use serde_json::json;

use crate::bare::{typed_data, verifies};
use crate::provider::{Provider, Setup};
use crate::vaults::Storage;

pub(crate) static KEY: LazyLock<DelegationPrivateKey> =
    LazyLock::new(|| DelegationPrivateKey::generate().unwrap());

pub(crate) fn recipient() -> Recipient {
    Recipient::Key(KEY.recipient_key().unwrap())
}

async fn created(
    store: &WalletStore,
    chain: ChainName,
    scheme: ThresholdSignatureScheme,
) -> String {
    let made = store.create(chain, scheme, &CreateOptions::default()).await;
    made.unwrap().account_address
}

/// The delegate's whole knowledge: its key, a token that only fetches, and what it fetched.
async fn received(provider: &Provider) -> Vec<ReceivedDelegation> {
    let client = provider.client_of(&[Scope::Events]).await;
    let events = client.events(None, None).await.unwrap();
    let created = events
        .data
        .iter()
        .filter(|event| event.event_name == "wallet.delegation.created");
    created
        .map(|event| {
            let data = DelegationData::from_json(event.data.to_string().as_bytes()).unwrap();
            receive_delegation(&KEY, provider.environment.as_str(), &data).unwrap()
        })
        .collect()
}

async fn only(provider: &Provider) -> ReceivedDelegation {
    let mut all = received(provider).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn delegate(provider: &Provider, received: &ReceivedDelegation) -> DelegatedWalletClient {
    let key = received.data.wallet_api_key.clone();
    let opts = DelegatedWalletClientOpts::with_client(provider.opts(), key);
    assert!(!format!("{opts:?}").contains("hkw_"));
    DelegatedWalletClient::new(opts).unwrap()
}

async fn sign(client: &DelegatedWalletClient, received: &ReceivedDelegation) -> Result<(), Error> {
    let properties = &received.wallet_properties;
    let shares = std::slice::from_ref(&received.data.server_key_share);
    let address = &properties.account_address;
    if properties.chain_name == "EVM" {
        let evm = DelegatedEvmWalletClient::new(client);
        let signature = evm.sign_message(properties, shares, "gm").await?;
        let signature: Signature = signature.parse().unwrap();
        let signer = signature.recover_address_from_msg("gm").unwrap();
        assert_eq!(signer, address.parse::<Address>().unwrap());
    } else {
        let svm = DelegatedSvmWalletClient::new(client);
        let signature = svm.sign_message(properties, shares, "gm").await?;
        assert!(verifies(address, b"gm", &signature));
    }
    Ok(())
}

async fn refused(client: &DelegatedWalletClient, received: &ReceivedDelegation, code: ErrorCode) {
    let error = sign(client, received).await.unwrap_err();
    assert_eq!(error.api_code(), Some(code), "{error}");
}

async fn signs_until_revoked(chain: ChainName, scheme: ThresholdSignatureScheme) {
    let provider = Provider::start().await;
    let (client, storage) = (provider.client().await, Storage::new());
    let second = Storage::new();
    let store = storage
        .destroying_store(&client)
        .with_second_vault(second.destroying_vault());
    let address = created(&store, chain, scheme).await;
    let pem = KEY.recipient_key().unwrap().to_pem();
    let registered = client.register_delegation_key(&pem).await.unwrap();
    assert_eq!(
        client.register_delegation_key(&pem).await.unwrap(),
        registered
    );
    let by_print = Recipient::Fingerprint(registered.fingerprint.clone());
    let options = DelegationOptions::new(by_print);
    let granted = store.delegate(&address, &options).await.unwrap();
    assert_eq!(granted.status, "accepted");

    let got = only(&provider).await;
    assert_eq!(got.wallet_properties.account_address, address);
    let id = granted.delegated_share_delivery_id.to_string();
    assert_eq!(got.delegation_id.as_ref(), Some(&id));
    let delegated = delegate(&provider, &got);
    sign(&delegated, &got).await.unwrap();
    sign(&delegated, &got).await.unwrap();

    let wallet = got.wallet_properties.wallet_id.clone();
    let list = client.delegations(&wallet).await.unwrap();
    assert_eq!((list.len(), list[0].status.as_str()), (1, "active"));
    // At once, although the share is still one of the active generation.
    client.revoke_delegations(&wallet).await.unwrap();
    refused(&delegated, &got, ErrorCode::DelegationRevoked).await;
    let list = client.delegations(&wallet).await.unwrap();
    assert_eq!(list[0].status, "revoked");
    assert!(list[0].refresh_outstanding);
    // What was not fetched yet is not handed out any more; the end is told instead.
    assert!(received(&provider).await.is_empty());
    let events = client.events(None, None).await.unwrap();
    assert_eq!(events.data[0].event_name, "wallet.delegation.revoked");
    assert_eq!(events.data[0].data["walletId"], json!(wallet));

    // Then the share dies, for whoever else gets it to the provider.
    let changed = store.revoke_delegations(&address).await.unwrap();
    assert_eq!(changed.generation, Generation(1));
    let list = client.delegations(&wallet).await.unwrap();
    assert!(!list[0].refresh_outstanding);
    let shares = std::slice::from_ref(&got.data.server_key_share);
    let properties = &got.wallet_properties;
    let error = if chain == ChainName::Evm {
        let evm = EvmWalletClient::new(&client);
        evm.sign_message(properties, shares, "gm").await
    } else {
        let svm = SvmWalletClient::new(&client);
        svm.sign_message(properties, shares, "gm").await
    };
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::ShareOfAnotherGeneration { .. }),
        "{error}"
    );
    refused(&delegated, &got, ErrorCode::DelegationRevoked).await;
    match chain {
        ChainName::Evm => store.sign_evm_message(&address, "gm").await.unwrap(),
        _ => store.sign_svm_message(&address, "gm").await.unwrap(),
    };
    // It can be delegated again.
    store
        .delegate(&address, &DelegationOptions::new(recipient()))
        .await
        .unwrap();
    let got = only(&provider).await;
    sign(&delegate(&provider, &got), &got).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evm_delegate_signs_until_it_is_revoked() {
    signs_until_revoked(ChainName::Evm, TwoOfTwo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solana_delegate_signs_until_it_is_revoked() {
    signs_until_revoked(ChainName::Svm, TwoOfTwo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_customer_shares_only_the_first_is_ever_delegated() {
    signs_until_revoked(ChainName::Svm, TwoOfThree).await;
    let provider = Provider::start().await;
    let client = provider.client().await;
    let pem = KEY.recipient_key().unwrap().to_pem();
    client.register_delegation_key(&pem).await.unwrap();
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfThree, None, false)
        .await
        .unwrap();
    let options = DelegationOptions::new(recipient());
    let error = client
        .delegate(&properties, &shares[1..], &options)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ShareOfAnotherParty), "{error}");
    let error = client.delegate(&properties, &[], &options).await;
    assert!(matches!(error, Err(Error::NoShare)));
    // In whichever order they are given.
    let swapped = [shares[1].clone(), shares[0].clone()];
    client
        .delegate(&properties, &swapped, &options)
        .await
        .unwrap();
    let got = only(&provider).await;
    assert_eq!(got.data.server_key_share, shares[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_by_itself_and_signs_only_what_it_is_for() {
    let clock = Arc::new(FakeClock::default());
    let setup = Setup {
        clock: Arc::<FakeClock>::clone(&clock),
        ..Setup::default()
    };
    let provider = Provider::start_with(setup).await;
    let opts = provider.opts().clock(Arc::<FakeClock>::clone(&clock));
    let client = provider.client_with(opts).await;
    let store = Storage::new().store(&client);
    let address = created(&store, ChainName::Evm, TwoOfTwo).await;
    let pem = KEY.recipient_key().unwrap().to_pem();
    client.register_delegation_key(&pem).await.unwrap();
    let options = DelegationOptions::new(recipient())
        .scopes([WalletKeyScope::Message])
        .lasts(Duration::from_hours(1));
    store.delegate(&address, &options).await.unwrap();
    let got = only(&provider).await;
    assert_eq!(got.expires_at.as_deref(), Some("2026-01-01T01:00:00Z"));
    let delegated = delegate(&provider, &got);
    sign(&delegated, &got).await.unwrap();
    let evm = DelegatedEvmWalletClient::new(&delegated);
    let shares = std::slice::from_ref(&got.data.server_key_share);
    let error = evm
        .sign_typed_data(&got.wallet_properties, shares, &typed_data())
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    assert!(error.to_string().contains("sign.typed_data"), "{error}");
    clock.advance_millis(59 * 60 * 1000);
    sign(&delegated, &got).await.unwrap();
    clock.advance_millis(60 * 1000);
    let error = sign(&delegated, &got).await.unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::TokenExpired), "{error}");
    let wallet = &got.wallet_properties.wallet_id;
    assert_eq!(
        client.delegations(wallet).await.unwrap()[0].status,
        "expired"
    );
    for lasts in [Duration::ZERO, Duration::from_hours(24 * 367)] {
        let options = DelegationOptions::new(recipient()).lasts(lasts);
        let error = store.delegate(&address, &options).await.unwrap_err();
        assert_eq!(error.api_code(), Some(ErrorCode::InvalidRequest), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_does_nothing_but_sign_with_its_own_wallet() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let store = Storage::new().store(&client);
    let address = created(&store, ChainName::Svm, TwoOfTwo).await;
    let pem = KEY.recipient_key().unwrap().to_pem();
    client.register_delegation_key(&pem).await.unwrap();
    let options = DelegationOptions::new(recipient());
    store.delegate(&address, &options).await.unwrap();
    let got = only(&provider).await;
    let wallet = &got.wallet_properties.wallet_id;
    let environment = &provider.environment;
    let sdk = format!("sdk/{environment}/waas");
    let own = format!("environments/{environment}");
    let attempt = "00".repeat(16);
    let http = reqwest::Client::new();
    let ask = async |method: &str, path: &str| {
        let reply = http
            .request(
                method.parse().unwrap(),
                format!("{}/api/v0/{path}", provider.url()),
            )
            .header(WALLET_API_KEY, got.data.wallet_api_key.expose())
            .header("content-type", "application/json")
            .body("{}")
            .send();
        reply.await.unwrap().status().as_u16()
    };
    for (method, path) in [
        ("POST", format!("{sdk}/create")),
        ("POST", format!("{sdk}/{wallet}/refresh")),
        ("POST", format!("{sdk}/{wallet}/reshare")),
        ("POST", format!("{sdk}/{wallet}/export")),
        ("POST", format!("{sdk}/{wallet}/keyShares/backup")),
        ("POST", format!("{sdk}/{wallet}/keyShares/recover")),
        ("POST", format!("{sdk}/{wallet}/attempts/{attempt}/prove")),
        ("POST", format!("{sdk}/{wallet}/attempts/{attempt}/commit")),
        ("POST", format!("{sdk}/{wallet}/attempts/{attempt}/abort")),
        ("POST", format!("{sdk}/{wallet}/delegatedAccess/delivery")),
        ("GET", format!("{sdk}/byWalletAddress/{address}")),
        ("GET", format!("{own}/waas/wallets")),
        ("GET", format!("{own}/waas/{wallet}")),
        ("GET", format!("{own}/events")),
        ("POST", format!("{own}/waas/authenticate")),
        ("DELETE", format!("{own}/waas/{wallet}/delegatedAccess")),
        ("POST", format!("{own}/waas/delegatedAccess/revoke")),
        // This one needs the environment's token beside it.
        (
            "POST",
            format!("{own}/waas/{wallet}/delegatedAccess/signMessage"),
        ),
    ] {
        assert_eq!(ask(method, &path).await, 401, "{method} {path}");
    }
    // The body is read, so the key was taken, here and only here.
    let path = format!("{sdk}/{wallet}/signMessage");
    assert_eq!(ask("POST", &path).await, 400);
    // Another wallet is not there.
    let svm = SvmWalletClient::new(&client);
    let made = svm.create_wallet_account(TwoOfTwo, None, false).await;
    let (properties, shares) = made.unwrap();
    let delegated = delegate(&provider, &got);
    let svm = DelegatedSvmWalletClient::new(&delegated);
    let error = svm
        .sign_message(&properties, &shares, "gm")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WalletNotFound), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_encrypted_for_nobody_but_the_delegate_that_was_meant() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let store = Storage::new().store(&client);
    let address = created(&store, ChainName::Svm, TwoOfTwo).await;
    // Registered by somebody else: whoever may name keys at the provider.
    let stranger = DelegationPrivateKey::generate().unwrap();
    let pem = stranger.recipient_key().unwrap().to_pem();
    let registered = client.register_delegation_key(&pem).await.unwrap();
    let meant = KEY.recipient_key().unwrap();
    let by_print = Recipient::Fingerprint(meant.fingerprint());
    let error = store
        .delegate(&address, &DelegationOptions::new(by_print))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
    let error = store
        .delegate(&address, &DelegationOptions::new(Recipient::Key(meant)))
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::InvalidRequest), "{error}");
    assert!(received(&provider).await.is_empty());
    assert_eq!(client.delegation_keys().await.unwrap(), [registered]);

    // The stranger's delivery does not open with our key, and the other way round.
    let key = Recipient::Key(stranger.recipient_key().unwrap());
    store
        .delegate(&address, &DelegationOptions::new(key))
        .await
        .unwrap();
    let events = client.events(None, None).await.unwrap();
    let data = DelegationData::from_json(events.data[0].data.to_string().as_bytes()).unwrap();
    let environment = provider.environment.as_str();
    let error = receive_delegation(&KEY, environment, &data).unwrap_err();
    assert_eq!(error.code(), "delegation_envelope");
    let got = receive_delegation(&stranger, environment, &data).unwrap();
    assert!(!format!("{got:?} {:?}", got.data).contains("hkw_"));
    // The published function, on the same data.
    let pem = stranger.to_pem().unwrap();
    let share = &data.encrypted_delegated_share;
    let plain = decrypt_delegated_webhook_data(pem.expose(), share, &data.encrypted_wallet_api_key);
    assert_eq!(plain.unwrap().server_key_share, got.data.server_key_share);
    // Said to be of another wallet or environment, it is refused.
    let error = receive_delegation(&stranger, "elsewhere", &data).unwrap_err();
    assert!(matches!(error, Error::ShareOfAnotherEnvironment), "{error}");
    let other = created(&store, ChainName::Svm, TwoOfTwo).await;
    let mut forged = data.clone();
    forged.public_key = other;
    let error = receive_delegation(&stranger, environment, &forged).unwrap_err();
    assert!(matches!(error, Error::ShareOfAnotherWallet), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_delegates_and_revokes_nothing() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let made = svm.create_wallet_account(TwoOfTwo, None, false).await;
    let (properties, shares) = made.unwrap();
    let pem = KEY.recipient_key().unwrap().to_pem();
    client.register_delegation_key(&pem).await.unwrap();
    let without = |scope: Scope| {
        let all = Scope::ALL.into_iter();
        all.filter(|one| *one != scope).collect::<Vec<_>>()
    };
    let small = provider.client_of(&without(Scope::Delegate)).await;
    let options = DelegationOptions::new(recipient());
    let missing = |error: Error| {
        assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    };
    missing(
        small
            .delegate(&properties, &shares, &options)
            .await
            .unwrap_err(),
    );
    missing(small.register_delegation_key(&pem).await.unwrap_err());
    let wallet = &properties.wallet_id;
    missing(small.revoke_delegations(wallet).await.unwrap_err());
    let ids = std::slice::from_ref(wallet);
    missing(small.revoke_delegations_of(ids).await.unwrap_err());
    let blind = provider.client_of(&without(Scope::Events)).await;
    missing(blind.events(None, None).await.unwrap_err());

    let ids = [wallet.clone(), "no such".to_owned()];
    let reply = client.revoke_delegations_of(&ids).await.unwrap();
    assert_eq!((reply.total, reply.succeeded, reply.failed), (2, 1, 1));
    assert_eq!(reply.results[1].error.as_deref(), Some("no such wallet"));
    let too_many = vec![wallet.clone(); 101];
    let error = client.revoke_delegations_of(&too_many).await.unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::InvalidRequest), "{error}");
}
