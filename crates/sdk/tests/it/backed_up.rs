//! Backups with the provider: made on this side, given back, re-encrypted on this side.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    BackupFormat, BackupLocation, Error, EvmWalletClient, RecoveryKey, ServerKeyShare,
    SvmWalletClient, ThresholdSignatureScheme, WalletClient, WalletOperation, WalletProperties,
};
use halfkey_core::random::os_rng;
use halfkey_testkit::judge::{self, Question};
use serde_json::json;

use crate::bare::verifies;
use crate::http::Request;
use crate::provider::Provider;
use crate::proxy::Proxy;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A Solana wallet with a backup under [`PASSWORD`].
pub(crate) async fn backed_up(
    client: &WalletClient,
    scheme: ThresholdSignatureScheme,
) -> (WalletProperties, Vec<ServerKeyShare>) {
    let svm = SvmWalletClient::new(client);
    let password = Some(PASSWORD.to_owned());
    svm.create_wallet_account(scheme, password, true)
        .await
        .unwrap()
}

/// The blobs as the provider gives them out, oldest first: location, version and text.
pub(crate) fn ids(properties: &WalletProperties) -> Vec<String> {
    let info = properties.external_server_key_shares_backup_info.as_ref();
    let backups = &info.unwrap().backups["dynamic"];
    assert!(
        backups
            .iter()
            .all(|one| one.location == BackupLocation::Provider)
    );
    backups.iter().map(|one| one.key_share_id.clone()).collect()
}

/// Places of backups that were registered in one millisecond come in any order.
fn in_order(mut properties: WalletProperties) -> WalletProperties {
    if let Some(info) = &mut properties.external_server_key_shares_backup_info {
        for places in info.backups.values_mut() {
            places.sort_by_key(|one| one.key_share_id.clone());
        }
    }
    properties
}

#[tokio::test(flavor = "multi_thread")]
async fn created_with_a_backup_a_wallet_comes_back_from_its_address_and_password() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    for scheme in [TwoOfTwo, TwoOfThree] {
        let (properties, shares) = backed_up(&client, scheme).await;
        assert_eq!(ids(&properties).len(), shares.len());
        let address = properties.account_address.clone();
        let info = properties.external_server_key_shares_backup_info.clone();
        assert!(info.unwrap().password_encrypted);
        // All of it is gone but the address and the password.
        let fetched = client.fetch_wallet_metadata(&address).await.unwrap();
        assert_eq!(in_order(fetched.clone()), in_order(properties.clone()));
        let client = provider.client().await;
        let recovered = client
            .recover_key_shares(&fetched, Some(PASSWORD))
            .await
            .unwrap();
        assert!(recovered.shares == shares);
        assert!(recovered.missing.is_empty() && !recovered.unprotected);
        assert_eq!(
            Some(recovered.backup_info),
            properties.external_server_key_shares_backup_info
        );
        let signature = SvmWalletClient::new(&client)
            .sign_message(&fetched, &recovered.shares, "gm")
            .await
            .unwrap();
        assert!(verifies(&address, b"gm", &signature));
    }
}

/// The largest shares there are, in both formats, under a recovery key.
#[tokio::test(flavor = "multi_thread")]
async fn an_evm_wallet_of_three_parties_comes_back_in_either_format() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let evm = EvmWalletClient::new(&client);
    let (properties, shares) = evm
        .create_wallet_account(TwoOfThree, None, false)
        .await
        .unwrap();
    for format in [BackupFormat::V3, BackupFormat::V2] {
        let key = RecoveryKey::generate(&mut os_rng());
        let info = client
            .store_encrypted_backup_as(&properties, &shares, key.expose(), format)
            .await
            .unwrap();
        let merged = properties.clone().with_backup_info(info);
        assert_eq!(ids(&merged).len(), 2);
        let recovered = client
            .recover_key_shares(&merged, Some(key.expose()))
            .await
            .unwrap();
        assert!(recovered.shares == shares);
        evm.sign_message(&merged, &recovered.shares, "gm")
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_sees_neither_password_nor_share_and_a_published_sdk_can_read_v2() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let opts = provider
        .opts_at(&proxy.url())
        .body_format(halfkey::BodyFormat::Json);
    let client = provider.client_with(opts).await;
    let (properties, shares) = backed_up(&client, TwoOfThree).await;
    client
        .store_encrypted_backup_as(&properties, &shares, PASSWORD, BackupFormat::V2)
        .await
        .unwrap();
    let seen = proxy.take_seen();
    for request in &seen {
        let text = String::from_utf8_lossy(&request.body);
        assert!(!text.contains(PASSWORD), "{}", request.path);
        for share in &shares {
            // No part of it either.
            let part = &share.secret_share[40..80];
            assert!(!text.contains(part), "{}", request.path);
        }
    }
    let bodies: Vec<serde_json::Value> = seen
        .iter()
        .filter(|request| request.path.ends_with("/keyShares/backup"))
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0]["encryptionVersion"], "v3");
    assert_eq!(bodies[1]["encryptionVersion"], "v2");
    assert!(bodies.iter().all(|body| body["passwordEncrypted"] == true));
    let blobs = |body: &serde_json::Value| -> Vec<Question> {
        let blobs = body["encryptedAccountCredentials"].as_array().unwrap();
        let ask =
            |blob: &serde_json::Value| Question::open_backup(blob.as_str().unwrap(), PASSWORD);
        blobs.iter().map(ask).collect()
    };
    let expected: Vec<_> = shares
        .iter()
        .map(|share| {
            json!({ "ok": { "keyShareId": share.key_share_id, "secretShare": share.secret_share } })
        })
        .collect();
    assert!(judge::backup::node(&blobs(&bodies[1])) == expected);
    assert!(judge::backup::python(&blobs(&bodies[0])) == expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn pointers_come_from_the_provider_when_the_properties_have_none() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let (mut properties, shares) = backed_up(&client, TwoOfTwo).await;
    properties.external_server_key_shares_backup_info = None;
    assert!(client.is_password_encrypted(&properties).await.unwrap());
    assert!(client.verify_password(&properties, PASSWORD).await.unwrap());
    assert!(
        !client
            .verify_password(&properties, "another")
            .await
            .unwrap()
    );
    for (operation, with, without) in [
        (WalletOperation::Sign, false, true),
        (WalletOperation::Export, false, true),
        (WalletOperation::Refresh, false, true),
        (WalletOperation::Reshare, false, true),
        (WalletOperation::Recover, true, true),
        (WalletOperation::VerifyPassword, true, true),
        (WalletOperation::UpdatePassword, true, true),
    ] {
        for (held, needs) in [(&shares[..], with), (&[], without)] {
            let found = client
                .requires_password_for_operation(&properties, held, operation)
                .await
                .unwrap();
            assert_eq!(found, needs, "{operation:?} with {} shares", held.len());
        }
    }

    // Of a wallet without a backup nobody knows any.
    let (bare, _) = SvmWalletClient::new(&client)
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let errors = [
        client.is_password_encrypted(&bare).await.unwrap_err(),
        client.verify_password(&bare, PASSWORD).await.unwrap_err(),
        client
            .recover_key_shares(&bare, Some(PASSWORD))
            .await
            .unwrap_err(),
        client
            .update_password(&bare, Some(PASSWORD), "new")
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(error, Error::StaleWalletProperties(_)),
            "{error:?}"
        );
    }
}

fn nth(seen: &[Request], end: &str) -> usize {
    seen.iter()
        .position(|request| request.path.ends_with(end))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_takes_over_only_once_its_backup_is_located() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let (properties, shares) = backed_up(&client, TwoOfThree).await;
    let opens = async |properties: &WalletProperties, password: &str| {
        let recovered = client.recover_key_shares(properties, Some(password)).await;
        recovered.map(|found| assert!(found.shares == shares))
    };
    // Another secret's backup, which is nobody else's business.
    let key = RecoveryKey::generate(&mut os_rng());
    let kept = client
        .store_encrypted_backup(&properties, &shares, key.expose())
        .await
        .unwrap();

    // The provider takes the new blobs, but not the word on where they are.
    let old = client
        .fetch_wallet_metadata(&properties.account_address)
        .await
        .unwrap();
    proxy.take_seen();
    proxy.refuse_request(3, "500 Internal Server Error", "{}");
    let failed = client
        .update_password(&properties, Some(PASSWORD), "a new one")
        .await;
    assert!(failed.is_err(), "{failed:?}");
    let seen = proxy.take_seen();
    assert_eq!(nth(&seen, "/keyShares/backup"), 2);
    assert_eq!(nth(&seen, "/keyShares/backup/locations"), 3);
    opens(&properties, PASSWORD).await.unwrap();
    let fetched = client.fetch_wallet_metadata(&properties.account_address);
    let fetched = fetched.await.unwrap();
    assert_eq!(
        ids(&fetched).len(),
        ids(&old).len() + 2,
        "nothing was dropped"
    );
    opens(&fetched, "a new one").await.unwrap();

    let wrong = client
        .update_password(&properties, Some("wrong"), "a third")
        .await
        .unwrap_err();
    assert!(matches!(wrong, Error::WrongPassword), "{wrong:?}");
    let info = client
        .update_password(&properties, Some(PASSWORD), "a third")
        .await
        .unwrap();
    let updated = properties.clone().with_backup_info(info);
    opens(&updated, "a third").await.unwrap();
    let error = opens(&updated, PASSWORD).await.unwrap_err();
    assert!(matches!(error, Error::WrongPassword), "{error:?}");
    // Properties that still name the replaced blobs are healed.
    opens(&properties, "a third").await.unwrap();
    let fetched = client.fetch_wallet_metadata(&properties.account_address);
    let fetched = fetched.await.unwrap();
    let error = opens(&fetched, PASSWORD).await.unwrap_err();
    assert!(matches!(error, Error::WrongPassword), "{error:?}");
    let kept = properties.clone().with_backup_info(kept);
    assert!(ids(&kept).iter().all(|id| ids(&fetched).contains(id)));
}

/// Lost replies of each step: the repeat makes no second blob, and the wallet is as it should be.
#[tokio::test(flavor = "multi_thread")]
async fn lost_replies_while_backing_up_change_nothing() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let (properties, shares) = backed_up(&client, TwoOfThree).await;
    for at in [0, 1] {
        proxy.lose_reply(at);
        let info = client
            .store_encrypted_backup(&properties, &shares, "again")
            .await
            .unwrap();
        assert_eq!(proxy.stop_losing(), 1);
        let merged = properties.clone().with_backup_info(info);
        let recovered = client.recover_key_shares(&merged, Some("again")).await;
        assert!(recovered.unwrap().shares == shares);
    }
    let all = client
        .fetch_wallet_metadata(&properties.account_address)
        .await
        .unwrap();
    assert_eq!(ids(&all).len(), 6, "two at creation, two for each time");
}

/// The backup is part of the create: when it fails, the wallet is not active, and its shares are in
/// the error.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_leaves_the_new_wallet_in_the_error() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    backed_up(&client, TwoOfTwo).await;
    let seen = proxy.take_seen();
    let first = nth(&seen, "/create");
    let at = nth(&seen, "/keyShares/backup") - first;
    assert!(
        nth(&seen, "/commit") - first > at,
        "backed up before the commit"
    );
    for step in [at, at + 1] {
        proxy.refuse_request(step, "400 Bad Request", "{}");
        let svm = SvmWalletClient::new(&client);
        let password = Some(PASSWORD.to_owned());
        let error = svm
            .create_wallet_account(TwoOfTwo, password, true)
            .await
            .unwrap_err();
        let Error::NotActivated(inner) = error else {
            panic!("{error:?}")
        };
        let shown = format!("{inner:?} {inner}");
        assert!(!shown.contains(PASSWORD), "{shown}");
        let mut pending = halfkey::PendingWallet::from_shares(&client, &inner.shares).unwrap();
        pending.back_up(PASSWORD, BackupFormat::V3).await.unwrap();
        let properties = pending.activate().await.unwrap();
        let recovered = client.recover_key_shares(&properties, Some(PASSWORD)).await;
        assert!(recovered.unwrap().shares == inner.shares);
    }
}
