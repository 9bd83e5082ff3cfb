//! What the vault tier says outranks everything else: locks, marks, rows, and what was handed out.

use std::sync::{Arc, Mutex};

use ThresholdSignatureScheme::TwoOfTwo;
use halfkey::{
    ChainName, CreateOptions, Error, EvmWalletClient, LockToken, ResumeTarget, Settled,
    SvmWalletClient, ThresholdSignatureScheme, Variant, WalletClient, WalletProperties,
};
use halfkey_core::wire::{ErrorCode, ProofState};
use halfkey_core::{CeremonyId, Generation, UnixMillis};
use halfkey_vault::{Expect, LockRecord, PropertiesStore as _, RecordName};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::http::{read_request, respond};
use crate::provider::Provider;
use crate::proxy::Proxy;
use crate::seeds::{Seeded, access, opts};
use crate::vaults::Storage;

/// Nothing listens there: what is refused before the network is told from what is not.
const NOBODY: &str = "http://127.0.0.1:9";

fn keyed(key: &str) -> CreateOptions {
    CreateOptions {
        idempotency_key: Some(key.to_owned()),
        ..CreateOptions::default()
    }
}

async fn put_alias(seeded: &Seeded, key: &str) {
    let header = seeded.own.header();
    let hash = hex::encode(Sha256::digest(key.as_bytes()));
    let name = RecordName::new(format!("create/{}/{hash}", header.environment)).unwrap();
    let alias = serde_json::json!({
        "chain": "EVM", "address": seeded.address, "attempt": header.attempt,
    });
    let alias = alias.to_string();
    seeded
        .vault
        .put_row(&name, alias.as_bytes(), Expect::Absent)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_repeated_create_gives_no_address_of_a_locked_wallet() {
    let seeded = Seeded::new(TwoOfTwo, "locked").await;
    put_alias(&seeded, "order").await;
    let store = seeded
        .storage
        .store(&WalletClient::new(opts(NOBODY)).unwrap());
    let error = store
        .create(ChainName::Evm, TwoOfTwo, &keyed("order"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
    assert!(store.list().await.unwrap().is_empty());
    let error = store.show(&seeded.address).await.unwrap_err();
    assert!(matches!(error, Error::WalletNotFound), "{error:?}");
    assert!(store.pending().await.unwrap()[0].locked);
}

#[tokio::test]
async fn a_locked_generation_is_neither_proven_nor_activated() {
    let seeded = Seeded::new(TwoOfTwo, "pending").await;
    let lock = LockRecord {
        at: UnixMillis(0),
        ceremony: CeremonyId::from_bytes([1; 16]),
        reason: "test".to_owned(),
    };
    seeded
        .guard
        .write_lock(&seeded.vault, Generation(0), &lock, &access())
        .await
        .unwrap();
    let store = seeded
        .storage
        .store(&WalletClient::new(opts(NOBODY)).unwrap());
    let resumed = store.resume(ResumeTarget::All).await.unwrap();
    let Settled::Failed(error) = &resumed[0].settled else {
        panic!("{resumed:?}")
    };
    assert!(matches!(**error, Error::WalletLocked { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_lock_stops_bare_clients_before_the_network() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let evm = EvmWalletClient::new(&client);
    let mut pending = evm
        .create_wallet_account_pending(TwoOfTwo, &CreateOptions::default())
        .await
        .unwrap();
    let token = LockToken {
        environment: provider.environment.clone(),
        wallet: pending.wallet_id(),
        generation: pending.generation(),
        attempt: pending.attempt_id(),
        ceremony: CeremonyId::from_bytes([1; 16]),
        check: "test".to_owned(),
        at: UnixMillis(0),
    };
    let shares = pending.shares().to_vec();
    let stored = serde_json::to_string(&token).unwrap();
    client.restore_lock(&serde_json::from_str(&stored).unwrap());
    proxy.take_seen();
    let error = pending.prove(&shares).await.unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
    assert!(proxy.take_seen().is_empty());
}

#[tokio::test]
async fn a_vault_behind_its_high_water_mark_does_not_sign() {
    let seeded = Seeded::new(TwoOfTwo, "active").await;
    seeded
        .guard
        .raise_high_water(&seeded.vault, Generation(1), &access())
        .await
        .unwrap();
    let store = seeded
        .storage
        .store(&WalletClient::new(opts(NOBODY)).unwrap());
    let error = store
        .sign_evm_message(&seeded.address, "x")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::VaultState(_)), "{error:?}");
}

#[tokio::test]
async fn a_row_that_names_another_address_is_refused() {
    let seeded = Seeded::new(TwoOfTwo, "active").await;
    let mut row = seeded.row("active", true);
    row["account_address"] = "0x00000000000000000000000000000000000000aa".into();
    seeded.put_row(&row).await;
    let store = seeded
        .storage
        .store(&WalletClient::new(opts(NOBODY)).unwrap());
    for error in [
        store
            .sign_evm_message(&seeded.address, "x")
            .await
            .unwrap_err(),
        store.properties(&seeded.address).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::VaultState(_)), "{error:?}");
    }
}

#[tokio::test]
async fn cached_properties_of_another_wallet_are_ignored() {
    let seeded = Seeded::new(TwoOfTwo, "active").await;
    let poisoned = WalletProperties::new("EVM", "w", "0x00000000000000000000000000000000000000aa");
    seeded
        .storage
        .properties
        .put(&seeded.address, &poisoned, Expect::Any)
        .await
        .unwrap();
    let store = seeded
        .storage
        .store(&WalletClient::new(opts(NOBODY)).unwrap());
    let properties = store.properties(&seeded.address).await.unwrap();
    assert_eq!(properties.account_address.to_lowercase(), seeded.address);
}

/// Answers every create with `wallet_exists` and this address.
async fn says_it_exists(address: String, creates: Arc<Mutex<usize>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = read_request(&mut stream).await else {
                continue;
            };
            let (status, body) = if request.path.ends_with("/authenticate") {
                let jwts = r#"{"message":"ok","encodedJwts":{"jwt":"t","minifiedJwt":"t"}}"#;
                ("200 OK", jwts.to_owned())
            } else {
                *creates.lock().unwrap() += 1;
                let body = serde_json::json!({
                    "error": "exists", "code": "wallet_exists", "fault": "caller",
                    "requestId": "r", "payload": {"accountAddress": address},
                });
                ("409 Conflict", body.to_string())
            };
            let head = format!("{status}\r\ncontent-type: application/json");
            respond(&mut stream, &head, body.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn the_providers_word_that_a_wallet_exists_gives_no_address() {
    let seeded = Seeded::new(TwoOfTwo, "active").await;
    let creates = Arc::new(Mutex::new(0));
    let url = says_it_exists(seeded.address.clone(), Arc::clone(&creates)).await;
    let mut client = WalletClient::new(opts(&url)).unwrap();
    client.authenticate_api_token("hk_any").await.unwrap();
    let store = seeded.storage.store(&client);
    for options in [CreateOptions::default(), keyed("not-this-wallets")] {
        let error = store
            .create(ChainName::Evm, TwoOfTwo, &options)
            .await
            .unwrap_err();
        assert_eq!(error.api_code(), Some(ErrorCode::WalletExists), "{error:?}");
    }
    assert_eq!(*creates.lock().unwrap(), 2);
}

const FORBIDDEN: &str = r#"{"error":"no","code":"scope_missing","fault":"caller","requestId":"r"}"#;
const ABORTED: &str =
    r#"{"error":"aborted","code":"attempt_aborted","fault":"caller","requestId":"r"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_after_the_last_ecdsa_message_proves_nothing() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let evm = EvmWalletClient::new(&client);
    let (properties, shares) = evm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    proxy.forge_reply(0, "403 Forbidden", FORBIDDEN);
    let error = evm
        .sign_message(&properties, &shares, "x")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "scope_missing", "{error:?}");
    proxy.forge_reply(1, "403 Forbidden", FORBIDDEN);
    let error = evm
        .sign_message(&properties, &shares, "x")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_attempt_aborted_is_not_believed() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let storage = Storage::new();
    let store = storage.store(&client);
    // create, round, prove, shown proof, commit: the provider did commit.
    proxy.forge_reply(4, "409 Conflict", ABORTED);
    let made = store
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap();
    store
        .sign_svm_message(&made.account_address, "x")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_wallet_becomes_proven_by_shares_loaded_again() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let address = properties.account_address.clone();
    assert_eq!(
        client.lookup(&address).await.unwrap().proof,
        ProofState::Unproven
    );
    svm.prove(&properties, &shares).await.unwrap();
    assert_eq!(
        client.lookup(&address).await.unwrap().proof,
        ProofState::Proven
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_committed_without_a_proof_is_resumed_as_unproven_and_only_by_who_can_open() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let sealer = storage.store_that_cannot_open(&client);
    let error = sealer
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap_err();
    let Error::LeftPending { attempt, .. } = error else {
        panic!("{error:?}")
    };
    // Somebody commits it without a proof.
    let entry = &sealer.pending().await.unwrap()[0];
    commit_unproven(&provider, &entry.wallet.to_string(), &attempt.to_string()).await;

    let resumed = sealer.resume(ResumeTarget::All).await.unwrap();
    let Settled::Failed(error) = &resumed[0].settled else {
        panic!("{resumed:?}")
    };
    assert!(matches!(**error, Error::CannotOpen), "{error:?}");
    let opener = storage.store(&client);
    let resumed = opener.resume(ResumeTarget::All).await.unwrap();
    assert!(
        matches!(resumed[0].settled, Settled::Active(_)),
        "{resumed:?}"
    );
    assert_eq!(opener.list().await.unwrap()[0].proof, ProofState::Unproven);
}

/// The commit of a bare client, by hand.
async fn commit_unproven(provider: &Provider, wallet: &str, attempt: &str) {
    let base = format!("{}/api/v0", provider.url());
    let environment = &provider.environment;
    let http = reqwest::Client::new();
    let url = format!("{base}/environments/{environment}/waas/authenticate");
    let reply = http
        .post(url)
        .bearer_auth(provider.token.expose())
        .send()
        .await
        .unwrap();
    let reply: serde_json::Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    let token = reply["encodedJwts"]["minifiedJwt"].as_str().unwrap();
    let url = format!("{base}/sdk/{environment}/waas/{wallet}/attempts/{attempt}/commit");
    let reply = http
        .post(url)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("idempotency-key", "by-hand")
        .body(r#"{"unproven":true}"#)
        .send()
        .await
        .unwrap();
    assert!(reply.status().is_success(), "{}", reply.status());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_without_shares_ends_only_when_asked() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    // The pin and the intent fit on the disk, the share does not.
    let error = storage
        .store_that_is_full_after(&client, 2)
        .create(ChainName::Svm, TwoOfTwo, &keyed("order"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotActivated(_)), "{error:?}");
    let store = storage.store(&client);
    let resumed = store.resume(ResumeTarget::All).await.unwrap();
    assert!(
        matches!(resumed[0].settled, Settled::Pending),
        "{resumed:?}"
    );
    let attempt = resumed[0].entry.attempt;
    assert!(matches!(
        store.abort(attempt).await.unwrap(),
        Settled::Aborted
    ));
    assert!(store.pending().await.unwrap().is_empty());
    let error = store.abort(attempt).await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
}
