//! Backups that are damaged, foreign, unprotected or asked for too often: refused by name, nothing
//! lost, nothing secret shown.

use std::sync::Arc;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halfkey::{
    Error, RecoveredKeyShares, ServerKeyShare, SvmWalletClient, ThresholdSignatureScheme,
    WalletClient, WalletProperties,
};
use halfkey_core::wire::{ErrorCode, Scope};
use halfkey_core::{Clock as _, SystemClock};
use halfkey_testkit::FakeClock;
use halfkey_testkit::judge::{self, Question};
use serde_json::{Value, json};

use crate::backed_up::{PASSWORD, backed_up, ids};
use crate::provider::{Provider, Setup};
use crate::proxy::Proxy;

/// A client whose provider gives out what the test wants.
struct Forger {
    proxy: Proxy,
    client: WalletClient,
    _provider: Provider,
}

impl Forger {
    async fn new() -> Self {
        let provider = Provider::start().await;
        let proxy = Proxy::start(provider.running().addr()).await;
        let opts = provider
            .opts_at(&proxy.url())
            .body_format(halfkey::BodyFormat::Json);
        let client = provider.client_with(opts).await;
        Self {
            proxy,
            client,
            _provider: provider,
        }
    }

    /// What a recovery makes of these blobs: text, and whether it is said to have a password.
    async fn recover(
        &self,
        properties: &WalletProperties,
        blobs: &[(String, bool)],
        password: Option<&str>,
    ) -> halfkey::Result<RecoveredKeyShares> {
        let ids = ids(properties);
        let entry = |(at, (blob, password_encrypted)): (usize, &(String, bool))| {
            json!({
                "id": ids[at % ids.len()], "backupLocation": "dynamic", "generation": 0,
                "passwordEncrypted": password_encrypted, "encryptedAccountCredential": blob,
            })
        };
        let entries: Vec<_> = blobs.iter().enumerate().map(entry).collect();
        let reply = json!({ "keyShares": entries }).to_string();
        self.proxy.refuse_request(1, "200 OK", &reply);
        self.client.recover_key_shares(properties, password).await
    }

    /// The one blob that was last stored.
    async fn stored(&self, properties: &WalletProperties, shares: &[ServerKeyShare]) -> String {
        self.proxy.take_seen();
        let client = &self.client;
        client
            .store_encrypted_backup(properties, shares, PASSWORD)
            .await
            .unwrap();
        let seen = self.proxy.take_seen();
        let request = seen
            .iter()
            .find(|request| request.path.ends_with("/keyShares/backup"))
            .unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let blob = &body["encryptedAccountCredentials"][0];
        blob.as_str().unwrap().to_owned()
    }
}

fn altered(blob: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut json = serde_json::from_slice(&STANDARD.decode(blob).unwrap()).unwrap();
    change(&mut json);
    STANDARD.encode(json.to_string())
}

/// What can happen to a blob, and what it is called then.
fn spoilt(own: &str) -> Vec<(String, &'static str)> {
    let bound = |name: &str, value: Value| altered(own, |json| json["bound"][name] = value);
    let kdf = |name: &str, value: Value| altered(own, |json| json["kdf"][name] = value);
    let other = "00000000-0000-4000-8000-000000000000";
    vec![
        (own[..own.len() / 2].to_owned(), "backup_damaged"),
        (String::new(), "backup_damaged"),
        (bound("generation", json!(3)), "share_of_another_generation"),
        (bound("party", json!(3)), "share_of_another_party"),
        (
            bound("environment", json!("elsewhere")),
            "share_of_another_environment",
        ),
        (bound("keyShare", json!(other)), "backup_damaged"),
        (kdf("memoryKib", json!(1024)), "backup_parameters"),
        (kdf("memoryKib", json!(u32::MAX)), "backup_parameters"),
        (kdf("passes", json!(100_000)), "backup_parameters"),
        (
            altered(own, |json| json["version"] = json!("v9")),
            "unsupported",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_of_this_wallet_is_refused_by_name() {
    let forger = Forger::new().await;
    let (properties, shares) = backed_up(&forger.client, TwoOfTwo).await;
    let (other, others) = backed_up(&forger.client, TwoOfTwo).await;
    let own = forger.stored(&properties, &shares).await;
    let foreign = forger.stored(&other, &others).await;
    // The same of a version that says nothing of whose it is.
    let plain = json!({
        "keyShareId": others[0].key_share_id, "secretShare": others[0].secret_share,
    });
    let none = json!({});
    let old = judge::backup::node(&[Question::seal_backup(None, PASSWORD, &plain, &none)]);
    let old_foreign = old[0]["ok"].as_str().unwrap().to_owned();
    // And what a published SDK stored of its own shares.
    let plain = json!({ "keyShareId": "k", "secretShare": "2NEpo7TZRRrLZSi2U" });
    let old = judge::backup::node(&[Question::seal_backup(Some("v2"), PASSWORD, &plain, &none)]);
    let vendors = old[0]["ok"].as_str().unwrap().to_owned();
    let half = own[..own.len() / 2].to_owned();
    let mut cases = vec![
        (foreign, "share_of_another_wallet"),
        (old_foreign, "share_of_another_wallet"),
        (vendors, "share_damaged"),
    ];
    cases.extend(spoilt(&own));
    for (blob, code) in cases {
        let blobs = [(blob, true)];
        let error = forger.recover(&properties, &blobs, Some(PASSWORD)).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(PASSWORD) && !shown.contains(&shares[0].secret_share[40..80]));
    }
    let good = [(own.clone(), true)];
    let wrong = forger.recover(&properties, &good, Some("wrong")).await;
    let wrong = wrong.unwrap_err();
    assert!(matches!(wrong, Error::WrongPassword), "{wrong:?}");
    let none = forger.recover(&properties, &good, None).await.unwrap_err();
    assert!(matches!(none, Error::PasswordRequired), "{none:?}");
    let mistyped = forger
        .client
        .recover_key_shares(&properties, Some("hkr1_x"));
    let mistyped = mistyped.await.unwrap_err();
    assert!(
        matches!(mistyped, Error::InvalidArgument(_)),
        "{mistyped:?}"
    );
    // A damaged one beside a good one does no harm, whichever is newer.
    for blobs in [
        [(half.clone(), true), (own.clone(), true)],
        [(own.clone(), true), (half.clone(), true)],
    ] {
        let recovered = forger.recover(&properties, &blobs, Some(PASSWORD)).await;
        assert!(recovered.unwrap().shares == shares);
    }
    // After all of this the wallet and its own backup are what they were.
    let recovered = forger
        .client
        .recover_key_shares(&properties, Some(PASSWORD));
    assert!(recovered.await.unwrap().shares == shares);
}

/// One published SDK encrypts under the environment id and says so: such blobs are read, told of,
/// and never made.
#[tokio::test(flavor = "multi_thread")]
async fn an_unprotected_backup_is_read_reported_and_never_written() {
    let forger = Forger::new().await;
    let (properties, shares) = backed_up(&forger.client, TwoOfTwo).await;
    let environment = forger.client.environment_id().to_owned();
    let plain = json!({
        "keyShareId": shares[0].key_share_id, "secretShare": shares[0].secret_share,
    });
    let none = json!({});
    let sealed = judge::backup::node(&[Question::seal_backup(
        Some("v2"),
        &environment,
        &plain,
        &none,
    )]);
    let blob = sealed[0]["ok"].as_str().unwrap().to_owned();
    for (says_encrypted, password) in [
        (false, None),
        (false, Some(PASSWORD)),
        (true, Some(environment.as_str())),
    ] {
        let blobs = [(blob.clone(), says_encrypted)];
        let recovered = forger.recover(&properties, &blobs, password).await.unwrap();
        assert!(recovered.unprotected && recovered.shares == shares);
        assert!(!recovered.backup_info.password_encrypted);
    }
    let error = forger
        .recover(&properties, &[(blob, true)], Some(PASSWORD))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WrongPassword), "{error:?}");

    forger.proxy.take_seen();
    let client = &forger.client;
    for public in [environment.clone(), environment.to_uppercase()] {
        let error = client
            .store_encrypted_backup(&properties, &shares, &public)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::PasswordRefused), "{error:?}");
        let error = client
            .update_password(&properties, Some(PASSWORD), &public)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::PasswordRefused), "{error:?}");
    }
    let error = client
        .store_encrypted_backup(&properties, &shares, "")
        .await;
    assert!(matches!(error, Err(Error::PasswordRequired)));
    assert!(forger.proxy.take_seen().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_that_are_not_the_wallets_are_not_backed_up() {
    let forger = Forger::new().await;
    let (properties, shares) = backed_up(&forger.client, TwoOfThree).await;
    let (_, others) = backed_up(&forger.client, TwoOfThree).await;
    forger.proxy.take_seen();
    let (one, two) = (shares[0].clone(), others[1].clone());
    for (given, code) in [
        (vec![], "no_share"),
        (others.clone(), "share_of_another_wallet"),
        (vec![one.clone(), two], "share_of_another_wallet"),
        (vec![one.clone(), one], "invalid_argument"),
    ] {
        let stored = forger
            .client
            .store_encrypted_backup(&properties, &given, PASSWORD);
        let error = stored.await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
    }
    assert!(forger.proxy.take_seen().is_empty(), "nothing was sent");
    // Of two parties' shares one may be all that is wanted.
    let info = forger
        .client
        .store_encrypted_backup(&properties, &shares[1..], "second")
        .await
        .unwrap();
    let merged = properties.clone().with_backup_info(info);
    let recovered = forger.client.recover_key_shares(&merged, Some("second"));
    let recovered = recovered.await.unwrap();
    assert!(recovered.shares == shares[1..]);
    assert_eq!(recovered.missing.len(), 1);
    SvmWalletClient::new(&forger.client)
        .sign_message(&merged, &recovered.shares, "gm")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_are_limited_for_good_and_need_their_scope() {
    // A minute that never ends.
    let clock = Arc::new(FakeClock::at(SystemClock.now()));
    let setup = Setup {
        clock,
        ..Setup::default()
    };
    let mut provider = Provider::start_with(setup).await;
    let client = provider.client().await;
    let (properties, _) = backed_up(&client, TwoOfTwo).await;
    let small = provider.client_of(&Scope::DEFAULT).await;
    let error = small
        .recover_key_shares(&properties, Some(PASSWORD))
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing));
    // What a token may not fetch does not use up the limit.
    for _ in 0..10 {
        assert!(!client.verify_password(&properties, "guess").await.unwrap());
    }
    let limited = async |client: &WalletClient| {
        let error = client.verify_password(&properties, PASSWORD).await;
        error.unwrap_err().api_code()
    };
    assert_eq!(limited(&client).await, Some(ErrorCode::TooManyRequests));
    provider.stop().await;
    provider.start_again().await;
    let client = provider.client().await;
    assert_eq!(limited(&client).await, Some(ErrorCode::TooManyRequests));
}
