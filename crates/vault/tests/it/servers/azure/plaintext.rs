//! Nothing plaintext reaches the vault, and no secret the log.

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_testkit::Canary;
use halfkey_testkit::capture::CapturedLog;
use halfkey_testkit::servers::azure_fake::CLIENT_SECRET;
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::azure::AzureKek;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};
use halfkey_vault::{Dek, SealedRecord, UnwrapKey as _, Vault, VaultParts, WrapKey as _};

use super::{fake, fresh_key, open_kek, open_secrets, unique};
use crate::support::{access, clock, ctx, name};

/// 48 bytes that no back-end makes by itself.
const SHARE: [u8; 48] =
    *b"\xC3\xA7azure-canary-share-\x00\xFF\x80-Zp4wV9-\x11\x22\x33\x44\x55\x66kQ2-vT7x-m";

#[tokio::test]
async fn the_vault_holds_no_share_in_any_form() {
    let canary = Canary::new("the share", &SHARE);
    let prefix = unique("plain");
    let (kek, store) = (
        Arc::new(open_kek(&fresh_key()).await),
        open_secrets(&prefix).await,
    );
    let vault = Vault::new(VaultParts {
        wrap: Some(Arc::<AzureKek>::clone(&kek)),
        unwrap: Some(kek),
        put: None,
        get: None,
        list: None,
        destroy: None,
        audit: Arc::new(MemoryAudit::default()),
        clock: clock(),
    });
    let share = SecretBytes::new(SHARE.repeat(100));
    let sealed = vault.seal(&ctx(), &share, &access()).await.unwrap();
    let id = SecretId::generate().unwrap();
    store
        .create(id, &name("wallet:0xab/shares/2"), sealed.as_bytes())
        .await
        .unwrap();
    let read = SealedRecord::from_bytes(&store.read(id).await.unwrap().unwrap()).unwrap();
    let opened = vault.open(&ctx(), &read, &access()).await.unwrap();
    assert_eq!(opened, share);
    store.remove(id).await.unwrap();

    let dump = fake().dump();
    // The dump has what was sent, also as it was before it became text.
    let contains = |needle: &[u8]| dump.windows(needle.len()).any(|window| window == needle);
    assert!(contains(format!("PUT /secrets/{prefix}-").as_bytes()));
    assert!(contains(sealed.as_bytes()));
    canary.must_be_absent("the vault", &dump);
}

/// Tokens, the application's secret, data keys: not even at TRACE, also when calls fail.
#[tokio::test]
async fn the_log_holds_no_secret() {
    let log = CapturedLog::default();
    let dek = Dek::generate().unwrap();
    {
        let _guard = tracing::subscriber::set_default(log.subscriber());
        let key = fresh_key();
        let kek = open_kek(&key).await;
        let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
        kek.unwrap(&ctx(), &wrapped).await.unwrap();
        let line = format!("/keys/{key}");
        fake().fault(&line, "cut", serde_json::json!({}));
        kek.unwrap(&ctx(), &wrapped).await.unwrap_err();
        fake().heal(&line);
        let shown = format!("{kek:?}");
        assert!(shown.contains(&key) && !shown.contains("token"), "{shown}");
    }
    let logged = log.bytes();
    assert!(logged.windows(7).any(|window| window == b"wrapkey"));
    Canary::new("the data key", dek.expose()).must_be_absent("the log", &logged);
    Canary::text("the application's secret", CLIENT_SECRET).must_be_absent("the log", &logged);
    Canary::text("a token", "fake-token-").must_be_absent("the log", &logged);
}
