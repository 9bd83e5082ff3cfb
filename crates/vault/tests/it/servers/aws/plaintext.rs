//! What AWS gets to see of a share, and the log of a data key: nothing.

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_testkit::{Canary, CapturedLog};
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::aws::AwsKek;
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};
use halfkey_vault::{
    Dek, Expect, GetRecord as _, RewrapKey as _, UnwrapKey as _, Vault, VaultParts, WrapKey as _,
};
use sha2::{Digest as _, Sha256};

use super::access::{self, unique};
use super::emulators;
use super::proxy::Proxy;
use crate::support::{access as accessed, clock, contains, ctx, name};

/// Bytes without a pattern.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let blocks =
        (0_u64..).flat_map(|block| Sha256::digest([seed, block].map(u64::to_be_bytes).concat()));
    blocks.take(len).collect()
}

/// A share goes through the barrier, its sealed record into Secrets Manager and back, its key
/// through wrap, unwrap and rewrap; every byte to and from the emulator is kept.
#[tokio::test]
async fn no_share_reaches_aws() {
    let moto = emulators::moto();
    let proxy = Proxy::start(Some(moto.port())).await;
    let kms = access::kms(&moto.endpoint()).await;
    let alias = emulators::alias(&kms, &emulators::key(&kms).await).await;
    let kek = Arc::new(emulators::open(&proxy.endpoint(), &alias).await);
    let records = Arc::new(MemoryRecords::default());
    let vault = Vault::new(VaultParts {
        wrap: Some(Arc::<AwsKek>::clone(&kek)),
        unwrap: Some(Arc::<AwsKek>::clone(&kek)),
        put: Some(Arc::<MemoryRecords>::clone(&records)),
        get: Some(Arc::<MemoryRecords>::clone(&records)),
        list: None,
        destroy: None,
        audit: Arc::new(MemoryAudit::default()),
        clock: clock(),
    });
    let share = bytes(1, 52_000);
    let (at, secret) = (
        name("wallet:0xab/shares/2"),
        SecretBytes::new(share.clone()),
    );
    vault
        .store(&at, &ctx(), &secret, Expect::Absent, &accessed())
        .await
        .unwrap();
    let sealed = records.get(&at).await.unwrap().unwrap().value;
    let prefix = format!("{}/", unique("halfkey"));
    let store = access::open_secrets(&proxy.endpoint(), &prefix).await;
    let id = SecretId::generate().unwrap();
    store.create(id, &at, &sealed).await.unwrap();
    let read = store.read(id).await.unwrap().unwrap();
    let record = halfkey_vault::SealedRecord::from_bytes(&read).unwrap();
    let rewrapped = halfkey_vault::rewrap_record(&record, &ctx(), &*kek)
        .await
        .unwrap();
    let opened = vault.open(&ctx(), &rewrapped, &accessed()).await.unwrap();
    assert!(opened == secret);
    store.list(None).await.unwrap();

    let seen = proxy.seen();
    for operation in [
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "CreateSecret",
        "GetSecretValue",
    ] {
        assert!(proxy.count(operation) > 0, "{operation} was not seen");
    }
    assert!(seen.len() > 200_000, "only {} bytes were seen", seen.len());
    Canary::new("a share", &share).must_be_absent("what AWS sees", &seen);
    // The search finds what is there: the sealed record, as the proxy saw it.
    assert!(Canary::new("the record", &sealed).find_in(&seen).is_some());
}

/// The SDK writes whole requests at TRACE; not here.
#[tokio::test]
async fn no_data_key_is_logged() {
    let moto = emulators::moto();
    let kms = access::kms(&moto.endpoint()).await;
    let alias = emulators::alias(&kms, &emulators::key(&kms).await).await;
    let bytes = bytes(2, 32);
    let canary = Canary::new("a data key", &bytes);
    let log = CapturedLog::default();
    let logging = tracing::subscriber::set_default(log.subscriber());
    let kek = emulators::open(&moto.endpoint(), &alias).await;
    let dek = Dek::from_slice(&bytes).unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let wrapped = kek.rewrap(&ctx(), &wrapped).await.unwrap();
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    tracing::trace!("the end of it");
    drop(logging);
    let logged = log.bytes();
    assert!(contains(&logged, b"the end of it"), "nothing was logged");
    canary.must_be_absent("the log", &logged);
    let shown = format!("{kek:?} {dek:?} {wrapped:?}");
    canary.must_be_absent("debug output", shown.as_bytes());
}
