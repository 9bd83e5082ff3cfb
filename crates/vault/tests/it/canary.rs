//! No secret in any output: a marked share and a marked passphrase go through everything, failing
//! paths included, and are then looked for in logs, errors, `Debug`, and files (security row 49).

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use halfkey_core::{Generation, SecretBytes, SecretString, WalletId};
use halfkey_vault::fault::{Failure, FaultPlan, Faulty};
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::{
    BindCtx, Embedded, Expect, LockRecord, SealedRecord, Vault, VaultParts, WalletGuard,
    rewrap_record,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{access, clock, contains, ctx, environment, files_in, name};

/// 36 bytes that no back-end makes by itself.
const MARKER: [u8; 36] = *b"\xC3\xA7Kq7-canary-share-\x00\xFF\x80-Zp4wV9-\x11\x22\x33\x44\x55\x66";
const PASSPHRASE: &str = "canary-passphrase-Xw93kd02";

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every form in which a secret could leak, in part or whole.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    // Any fifteen bytes of it hold one of these pieces; their offsets cover every alignment that
    // base64 can have.
    for piece in secret.windows(12).step_by(4) {
        forms.push(piece.to_vec());
        forms.push(hex::encode(piece).into_bytes());
        forms.push(hex::encode_upper(piece).into_bytes());
        forms.push(STANDARD_NO_PAD.encode(piece).into_bytes());
        forms.push(URL_SAFE_NO_PAD.encode(piece).into_bytes());
        let list: Vec<String> = piece.iter().map(u8::to_string).collect();
        forms.push(list.join(", ").into_bytes());
        forms.push(list.join(",").into_bytes());
    }
    forms.push(bs58::encode(secret).into_string().into_bytes());
    forms.push(String::from_utf8_lossy(secret).into_owned().into_bytes());
    forms
}

fn must_not_show(place: &str, bytes: &[u8], forms: &[Vec<u8>]) {
    for form in forms {
        let shown = String::from_utf8_lossy(form);
        assert!(!contains(bytes, form), "{place} shows {shown}");
    }
}

/// The happy path; returns what was shown on the way.
async fn use_everything(embedded: &Embedded, share: &SecretBytes) -> String {
    let (vault, at) = (&embedded.vault, name("wallet:0xab/shares/2"));
    let mut shown = format!("{embedded:?} {vault:?} {:?} {share:?}", vault.parts());
    let sealed = vault.seal(&ctx(), share, &access()).await.unwrap();
    let opened = vault.open(&ctx(), &sealed, &access()).await.unwrap();
    let rev = vault
        .store(&at, &ctx(), share, Expect::Absent, &access())
        .await
        .unwrap();
    let loaded = vault.load(&at, &ctx(), &access()).await.unwrap();
    let wraps = sealed.wraps();
    let results = format!("{sealed:?} {opened:?} {loaded:?} {rev:?} {wraps:?}");
    shown.push_str(&results);
    vault
        .copy(&at, &name("copy"), Expect::Absent)
        .await
        .unwrap();
    embedded
        .keyring
        .add_term(&crate::support::FixedClock)
        .unwrap();
    let rewrapped = rewrap_record(&sealed, &ctx(), &*embedded.keyring)
        .await
        .unwrap();
    vault.open(&ctx(), &rewrapped, &access()).await.unwrap();
    let guard = WalletGuard::new("", &ctx());
    guard
        .raise_high_water(vault, Generation(3), &access())
        .await
        .unwrap();
    let lock = LockRecord {
        at: halfkey_core::UnixMillis(0),
        ceremony: halfkey_core::CeremonyId::from_bytes([1; 16]),
        reason: "x".to_owned(),
    };
    guard
        .write_lock(vault, Generation(3), &lock, &access())
        .await
        .unwrap();
    vault.destroy(&name("copy"), &access()).await.unwrap();
    shown
}

/// Paths that fail; returns every error, as text and as `Debug`.
async fn fail_everything(embedded: &Embedded, share: &SecretBytes) -> String {
    let (vault, at) = (&embedded.vault, name("wallet:0xab/shares/2"));
    let mut errors = Vec::new();
    let other = BindCtx {
        wallet: WalletId::from_bytes([9; 16]),
        ..ctx()
    };
    let sealed = vault.seal(&ctx(), share, &access()).await.unwrap();
    errors.push(vault.open(&other, &sealed, &access()).await.unwrap_err());
    errors.push(vault.load(&at, &other, &access()).await.unwrap_err());
    errors.push(
        vault
            .load(&name("absent"), &ctx(), &access())
            .await
            .unwrap_err(),
    );
    let again = vault
        .store(&at, &ctx(), share, Expect::Absent, &access())
        .await;
    errors.push(again.unwrap_err());
    for byte in [0, 5, 50, 100, sealed.as_bytes().len() - 1] {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[byte] ^= 0x40;
        if let Ok(damaged) = SealedRecord::from_bytes(&bytes) {
            errors.push(vault.open(&ctx(), &damaged, &access()).await.unwrap_err());
        }
    }
    for failure in [
        Failure::Torn,
        Failure::Lost,
        Failure::CrashAfter,
        Failure::Full,
    ] {
        let plan = Arc::new(FaultPlan::new(0).failing_at(1, failure));
        let records = Arc::new(MemoryRecords::default());
        let store: Arc<Faulty<MemoryRecords>> = Arc::new(Faulty::new(records, plan));
        let failing = Vault::new(VaultParts {
            put: Some(Arc::<Faulty<MemoryRecords>>::clone(&store)),
            get: Some(store),
            ..vault.parts().clone()
        });
        let stored = failing
            .store(&at, &ctx(), share, Expect::Absent, &access())
            .await;
        errors.push(stored.unwrap_err());
    }
    let blind = Vault::new(VaultParts {
        unwrap: None,
        ..vault.parts().clone()
    });
    errors.push(blind.open(&ctx(), &sealed, &access()).await.unwrap_err());
    let shown: Vec<_> = errors
        .iter()
        .map(|error| format!("{error} {error:?}"))
        .collect();
    shown.join(
        "
",
    )
}

#[tokio::test]
async fn no_secret_is_in_any_output() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let passphrase = SecretString::from(PASSPHRASE);
    let share = SecretBytes::new(MARKER.repeat(40));
    let embedded = Embedded::create_or_open(&data, &environment(), Some(&passphrase), clock(), "n")
        .await
        .unwrap();
    let shown = use_everything(&embedded, &share).await;
    let errors = fail_everything(&embedded, &share).await;
    let wrong = SecretString::from(format!("{PASSPHRASE}x"));
    let refused = Keyring::open(&data.join("keyring.json"), &environment(), Some(&wrong));
    let refused = format!("{passphrase:?} {refused:?}");

    let markers = [forms(&MARKER), forms(PASSPHRASE.as_bytes())].concat();
    let logged = log.0.lock().unwrap().clone();
    assert!(contains(&logged, b"shares/2"), "nothing was logged");
    must_not_show("the log", &logged, &markers);
    must_not_show("debug output", shown.as_bytes(), &markers);
    must_not_show("an error", errors.as_bytes(), &markers);
    must_not_show("an error", refused.as_bytes(), &markers);
    let mut files = files_in(&data);
    embedded.close().await;
    files.extend(files_in(&data));
    assert!(files.len() > 8, "{} files", files.len());
    for (path, bytes) in &files {
        must_not_show(&path.display().to_string(), bytes, &markers);
    }
    // The search finds what is there.
    let found = std::panic::catch_unwind(|| must_not_show("x", &MARKER.repeat(2), &markers));
    assert!(found.is_err());
}
