//! Google sees data keys, which it keeps, and sealed bytes; never a share. The log sees neither.

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_testkit::{Canary, CapturedLog};
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};
use halfkey_vault::{Dek, SealedRecord, UnwrapKey as _, Vault, VaultParts, WrapKey as _};

use super::{make_kek, open_secrets};
use crate::support::{access, clock, contains, ctx, memory, name};

#[tokio::test]
async fn nothing_plaintext_reaches_google() {
    let (kek, fake) = make_kek().await;
    let (kek, store) = (Arc::new(kek), open_secrets(&fake).await);
    let vault = Vault::new(VaultParts {
        wrap: Some(Arc::<super::GcpKek>::clone(&kek)),
        unwrap: Some(kek),
        audit: Arc::new(MemoryAudit::default()),
        clock: clock(),
        ..memory().vault.parts().clone()
    });
    let random = [Dek::generate().unwrap(), Dek::generate().unwrap()];
    let share: Vec<u8> = random.iter().flat_map(|part| *part.expose()).collect();
    let canary = Canary::new("the share", &share);
    let sealed = vault
        .seal(&ctx(), &SecretBytes::new(share.clone()), &access())
        .await
        .unwrap();
    let id = SecretId::generate().unwrap();
    let at = name("wallet:0xab/shares/2");
    store.create(id, &at, sealed.as_bytes()).await.unwrap();
    let read = store.read(id).await.unwrap().unwrap();
    let record = SealedRecord::from_bytes(&read).unwrap();
    let opened = vault.open(&ctx(), &record, &access()).await.unwrap();
    assert!(opened.expose() == share);
    let (received, held) = (fake.received(), fake.held());
    assert!(contains(&received, b":encrypt") && contains(&received, b":addVersion"));
    assert!(contains(&received, &read), "base64 is looked into");
    assert!(contains(&held, &read));
    canary.must_be_absent("what Google received", &received);
    canary.must_be_absent("what Google holds", &held);
}

#[tokio::test]
async fn a_data_key_is_not_logged() {
    let log = CapturedLog::default();
    let _capturing = tracing::subscriber::set_default(log.subscriber());
    let (kek, fake) = make_kek().await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let opened = kek.unwrap(&ctx(), &wrapped).await.unwrap();
    let canary = Canary::new("the data key", dek.expose());
    let shown = format!("{kek:?} {opened:?} {wrapped:?}");
    canary.must_be_absent("debug output", shown.as_bytes());
    tracing::trace!("the log is written");
    let logged = log.bytes();
    assert!(contains(&logged, b"the log is written"));
    canary.must_be_absent("the log", &logged);
    // The search would find it: Google has to see it.
    assert!(canary.find_in(&fake.received()).is_some());
}
