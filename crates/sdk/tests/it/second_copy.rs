//! Every share stands under two names: whichever record opens is used, and a share of which none
//! does comes from the backup.

use std::sync::Arc;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::age::Identity;
use halfkey::{
    BackupFormat, DelegationOptions, Error, Health, LockToken, ThresholdSignatureScheme, Variant,
    WalletStore,
};
use halfkey_core::random::os_rng;
use halfkey_core::wire::API_PREFIX;
use halfkey_core::{CeremonyId, SecretString, UnixMillis};
use halfkey_vault::{
    DestroyRecord as _, Expect, GetRecord as _, ListRecords as _, PutRecord as _, RecordName,
};

use serde_json::json;

use crate::backed_up::PASSWORD;
use crate::bare::verifies;
use crate::delegated::{KEY, recipient};
use crate::provider::Provider;
use crate::vaults::Storage;

async fn created(store: &WalletStore, scheme: ThresholdSignatureScheme) -> String {
    let created = store.create_svm(scheme, Variant::default()).await;
    created.unwrap().account_address
}

async fn signs(store: &WalletStore, address: &str) {
    let signature = store.sign_svm_message(address, "gm").await.unwrap();
    assert!(verifies(address, b"gm", &signature));
}

async fn spoil(storage: &Storage, name: &RecordName, how: &str) {
    if how == "gone" {
        storage.records.destroy(name, Expect::Any).await.unwrap();
        return;
    }
    let found = storage.records.get(name).await.unwrap().unwrap();
    let mut bytes = found.value;
    match how {
        "flipped" => {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
        "torn" => bytes.truncate(bytes.len() / 2),
        _ => panic!("{how}"),
    }
    let put = storage.records.put(name, &bytes, Expect::Rev(found.rev));
    put.await.unwrap();
}

/// Both records of every share: they are named by the address in its canonical form.
pub(crate) async fn names(storage: &Storage, address: &str) -> Vec<RecordName> {
    let address = match address.strip_prefix("0x") {
        Some(_) => address.to_lowercase(),
        None => address.to_owned(),
    };
    let prefix = format!("wallet:{address}/shares/");
    storage
        .records
        .list(&prefix, None, 100)
        .await
        .unwrap()
        .names
}

#[tokio::test(flavor = "multi_thread")]
async fn either_record_of_a_share_will_do_for_everything() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    for (nth, how) in [
        (0, "flipped"),
        (1, "flipped"),
        (0, "gone"),
        (1, "gone"),
        (2, "torn"),
        (3, "torn"),
    ] {
        let storage = Storage::new();
        let store = storage.store(&client);
        let address = created(&store, TwoOfThree).await;
        let bad = names(&storage, &address).await.remove(nth);
        spoil(&storage, &bad, how).await;
        let store = storage.store(&client);
        signs(&store, &address).await;
        // It is said all the same, with what is wrong, until both are whole again.
        let health = store.check(&address).await.unwrap();
        let Health::Recoverable { why } = &health else {
            panic!("{bad} {how}: {health:?}")
        };
        assert!(why.contains(bad.as_str()), "{why}");
        store.rescue_drill(&address).await.unwrap();
        let backed = store.back_up(&address, PASSWORD, BackupFormat::V3);
        backed.await.unwrap();
        store.export(&address).await.unwrap();
        store.refresh(&address, false).await.unwrap();
        signs(&store, &address).await;
        let health = store.check(&address).await.unwrap();
        assert!(matches!(health, Health::Signs), "{health:?}");
    }
}

/// What is not active yet has one record alone, and a copy of another generation is no second one.
#[tokio::test(flavor = "multi_thread")]
async fn a_staged_share_has_no_second_record() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfTwo).await;
    // Row, record, and no room for the copy: the provider has committed.
    let full = storage.store_that_is_full_after(&client, 2);
    full.refresh(&address, false).await.unwrap_err();
    let staged = names(&storage, &address).await;
    let staged = staged.iter().find(|name| name.as_str().contains("/1-"));
    spoil(&storage, staged.unwrap(), "torn").await;
    let error = store.refresh(&address, false).await.unwrap_err();
    let Error::LeftPending { source, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(source.code(), "record_corrupt", "{source:?}");
}

/// Neither record of the share opens: it comes back from the backup, whatever was wanted of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_at_all_comes_from_the_backup() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let pem = KEY.recipient_key().unwrap().to_pem();
    client.register_delegation_key(&pem).await.unwrap();
    let whole = Storage::new();
    let address = created(&whole.store(&client), TwoOfTwo).await;
    let bare = created(&whole.store(&client), TwoOfTwo).await;
    let backed = whole.store(&client);
    let backed = backed.back_up(&address, PASSWORD, BackupFormat::V3);
    backed.await.unwrap();
    let safe = Identity::generate(&mut os_rng()).recipient();
    client.add_export_recipient(&safe, "safe").await.unwrap();

    let spoilt = async |how: &str, address: &str| {
        let storage = whole.copy().await;
        for name in names(&storage, address).await {
            spoil(&storage, &name, how).await;
        }
        let store = storage.store(&client);
        let passwords = Arc::new(SecretString::from(PASSWORD));
        (store.clone(), store.with_backup_fallback(passwords))
    };
    for how in ["flipped", "torn", "gone"] {
        let (_, store) = spoilt(how, &address).await;
        signs(&store, &address).await;
        let health = store.check(&address).await.unwrap();
        assert!(matches!(health, Health::Signs), "{how}: {health:?}");
    }
    let (_, store) = spoilt("flipped", &address).await;
    store.export_to(&address, &safe).await.unwrap();
    let (_, store) = spoilt("torn", &address).await;
    let options = DelegationOptions::new(recipient());
    store.delegate(&address, &options).await.unwrap();
    let (_, store) = spoilt("gone", &address).await;
    let again = store.back_up(&address, PASSWORD, BackupFormat::V3);
    again.await.unwrap();

    // Without a password it is said that there is something to be had, and without a backup what is
    // wrong with the record.
    let (store, _) = spoilt("flipped", &address).await;
    let error = store.sign_svm_message(&address, "gm").await.unwrap_err();
    assert_eq!(error.code(), "shares_missing", "{error:?}");
    assert!(error.to_string().contains("no password"), "{error}");
    let health = store.check(&address).await.unwrap();
    assert!(matches!(health, Health::Recoverable { .. }), "{health:?}");
    let (_, store) = spoilt("flipped", &bare).await;
    let error = store.sign_svm_message(&bare, "gm").await.unwrap_err();
    assert_eq!(error.code(), "record_corrupt", "{error:?}");
    let health = store.check(&bare).await.unwrap();
    assert!(matches!(health, Health::Lost { .. }), "{health:?}");
}

/// A locked wallet needs its share for the refresh that ends the lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_wallet_s_share_comes_from_the_backup_too() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = store.create_evm(TwoOfTwo).await.unwrap().account_address;
    let backed = store.back_up(&address, PASSWORD, BackupFormat::V3);
    backed.await.unwrap();
    let stored = store.show(&address).await.unwrap().stored;
    let lock = LockToken {
        environment: provider.environment.clone(),
        wallet: stored.wallet,
        generation: stored.generation,
        attempt: stored.attempt,
        ceremony: CeremonyId::from_bytes([1; 16]),
        check: "consistency check".to_owned(),
        at: UnixMillis(0),
    };
    store.restore_lock(&lock).await.unwrap();
    for name in names(&storage, &address).await {
        spoil(&storage, &name, "gone").await;
    }
    let error = store.refresh(&address, false).await.unwrap_err();
    assert_eq!(error.code(), "shares_missing", "{error:?}");
    assert!(error.to_string().contains("/shares/2"), "{error}");
    let passwords = Arc::new(SecretString::from(PASSWORD));
    let store = store.with_backup_fallback(passwords);
    store.refresh(&address, false).await.unwrap();
    store.sign_evm_message(&address, "gm").await.unwrap();
    let health = store.check(&address).await.unwrap();
    assert!(matches!(health, Health::Signs), "{health:?}");
}

/// What a check says can be had is there, and nothing is passed over that was somebody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_what_can_be_recovered() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfTwo).await;
    // The place of a backup elsewhere is not one the provider could give.
    let wallet = client.lookup(&address).await.unwrap().wallet_id;
    let env = &provider.environment;
    let path = format!("/sdk/{env}/waas/{wallet}/keyShares/backup/locations");
    let place = json!({ "locations": [{ "location": "googleDrive", "externalKeyShareId": "x" }] });
    let named = reqwest::Client::new()
        .post(format!("{}{API_PREFIX}{path}", provider.url()))
        .bearer_auth(provider.token.expose())
        .header("content-type", "application/json")
        .body(place.to_string())
        .send();
    assert_eq!(named.await.unwrap().status(), 200);
    assert_eq!(client.key_shares(&address).await.unwrap().len(), 1);
    let copy = storage.copy().await;
    for name in names(&copy, &address).await {
        spoil(&copy, &name, "gone").await;
    }
    let health = copy.store(&client).check(&address).await.unwrap();
    assert!(matches!(health, Health::Lost { .. }), "{health:?}");
    let backed = store.back_up(&address, PASSWORD, BackupFormat::V3);
    backed.await.unwrap();
    let health = copy.store(&client).check(&address).await.unwrap();
    assert!(matches!(health, Health::Recoverable { .. }), "{health:?}");

    // A row in which no generation is active any more: the backup is asked for all the same.
    let state = RecordName::new(format!("wallet:{address}/state")).unwrap();
    let row = copy.records.get(&state).await.unwrap().unwrap();
    let text = String::from_utf8(row.value).unwrap();
    let ended = text.replace("\"state\":\"active\"", "\"state\":\"burnt\"");
    assert_ne!(ended, text);
    let put = copy.records.put(&state, ended.as_bytes(), Expect::Any);
    put.await.unwrap();
    let health = copy.store(&client).check(&address).await.unwrap();
    assert!(matches!(health, Health::Recoverable { .. }), "{health:?}");

    // A recovery into an empty vault that died after its row, or after the share.
    for writes in [2, 3] {
        let fresh = Storage::new();
        let full = fresh.store_that_is_full_after(&client, writes);
        full.recover(&address, Some(PASSWORD)).await.unwrap_err();
        let store = fresh.store(&client);
        let page = store.check_page(None, 10, |_| false).await.unwrap();
        let [(found, health)] = page.wallets.as_slice() else {
            panic!("{writes}: {page:?}")
        };
        assert_eq!(*found, address);
        assert!(matches!(health, Health::Recoverable { .. }), "{health:?}");
        store.recover(&address, Some(PASSWORD)).await.unwrap();
        signs(&store, &address).await;
    }
    // A wallet that is only being made is nobody's yet.
    let fresh = Storage::new();
    let sealer = fresh.store_that_cannot_open(&client);
    let left = sealer.create_svm(TwoOfTwo, Variant::default()).await;
    left.unwrap_err();
    let page = fresh.store(&client).check_page(None, 10, |_| false).await;
    assert!(page.unwrap().wallets.is_empty());
}
