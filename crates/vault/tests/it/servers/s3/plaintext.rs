//! What the vault seals is all that the server holds.

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_testkit::Canary;
use halfkey_vault::store::s3::S3Records;
use halfkey_vault::{Expect, Vault, VaultParts};

use super::{fresh_prefix, moto, open, read_back};
use crate::support::{access, ctx, memory, name};

#[tokio::test]
async fn nothing_plaintext_reaches_the_bucket() {
    let (endpoint, prefix) = (moto().await.endpoint(), fresh_prefix());
    let (records, _alive) = open(&endpoint, &prefix).await;
    let records = Arc::new(records);
    let parts = memory();
    let vault = Vault::new(VaultParts {
        put: Some(Arc::<S3Records>::clone(&records)),
        get: Some(Arc::<S3Records>::clone(&records)),
        list: Some(Arc::<S3Records>::clone(&records)),
        destroy: Some(Arc::<S3Records>::clone(&records)),
        ..parts.vault.parts().clone()
    });
    let share: Vec<u8> = (0..13_125_u32)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let canary = Canary::new("the share", &share);
    let share = SecretBytes::new(share);
    let at = name("wallet:0xab/shares/2");
    vault
        .store(&at, &ctx(), &share, Expect::Absent, &access())
        .await
        .unwrap();
    assert_eq!(
        vault.load(&at, &ctx(), &access()).await.unwrap().value,
        share
    );
    let objects = read_back(&endpoint, &prefix).await;
    assert_eq!(objects.len(), 2);
    assert!(objects[1].1.len() > 52_500);
    for (key, bytes) in &objects {
        canary.must_be_absent(key, bytes);
    }
    let sealed = objects[1].1.clone();
    vault.destroy(&at, &access()).await.unwrap();
    for (key, bytes) in read_back(&endpoint, &prefix).await {
        assert!(bytes.len() < 60, "{key} still holds {} bytes", bytes.len());
        assert!(!sealed.starts_with(&bytes));
    }
}
