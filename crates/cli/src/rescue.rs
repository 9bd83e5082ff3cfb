//! What an error carries and nothing else holds is written down before the command ends: shares of
//! a wallet that was not activated (custody rule 8), and a lock that could not be stored (custody
//! rule 13).

use std::path::{Path, PathBuf};

use halfkey::{LockToken, Unactivated, WalletStore};
use halfkey_core::random::os_rng;
use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, ServerKeyShare, ShareSetId, ThresholdSignatureScheme, WalletId, WalletProperties,
};
use halfkey_vault::{Access, BindCtx, Purpose, RecordPurpose, SealedRecord, Vault};
use zeroize::Zeroizing;

use crate::context::{DataDir, write_private};
use crate::exit_code::{ExitKind, Failure};
use crate::storage::ACTOR;

const SEALED: &str = "sealed";
const PLAIN: &str = "json";

/// The failure of a create, after whatever it carried was written down.
pub(crate) async fn keep(
    data: &DataDir,
    vault: &Vault,
    environment: &EnvironmentId,
    error: halfkey::Error,
) -> Failure {
    if let Some(lock) = unstored_lock(&error) {
        let kept = keep_lock(data, lock);
        let failure = Failure::from(error);
        return match kept {
            Ok(file) => failure.with_hint(format!(
                "the lock is in {} and holds for every later command",
                file.display()
            )),
            Err(why) => failure.with_hint(format!(
                "write this lock down, it could not be stored: {}",
                why.message
            )),
        };
    }
    match &error {
        halfkey::Error::NotActivated(inner) => {
            let kept = keep_shares(data, vault, environment, inner).await;
            let failure = Failure::from(error);
            match kept {
                Ok(file) => failure.with_hint(format!(
                    "the shares are in {}; halfkey wallet resume takes them back",
                    file.display()
                )),
                Err(why) => Failure::new(
                    ExitKind::Storage,
                    "shares_lost",
                    format!(
                        "{}; its shares could not be written: {}",
                        failure.message, why.message
                    ),
                ),
            }
        }
        _ => error.into(),
    }
}

/// The lock that no vault holds yet, however deep in the error it is.
fn unstored_lock(error: &halfkey::Error) -> Option<&LockToken> {
    use halfkey::Error;
    match error {
        Error::LockNotStored { lock, .. } => Some(lock),
        Error::LeftPending { source, .. } | Error::OutcomeUnknown { source, .. } => {
            unstored_lock(source)
        }
        Error::Shared(inner) => unstored_lock(inner),
        _ => None,
    }
}

/// Sealed under the vault's KEK; in plain, 0600, only when even that fails.
async fn keep_shares(
    data: &DataDir,
    vault: &Vault,
    environment: &EnvironmentId,
    inner: &Unactivated,
) -> Result<PathBuf, Failure> {
    let json =
        serde_json::to_vec(&inner.shares).map_err(|error| Failure::internal(error.to_string()))?;
    let plaintext = SecretBytes::new(json);
    let ctx = context(environment, inner.attempt_id);
    let dir = data.private_dir("rescued")?;
    match vault.seal(&ctx, &plaintext, &access()).await {
        Ok(record) => {
            let file = dir.join(format!("{}.{SEALED}", inner.attempt_id));
            write_private(&file, record.as_bytes())?;
            Ok(file)
        }
        Err(error) => {
            tracing::error!(%error, "shares are written unsealed: the vault does not seal");
            let file = dir.join(format!("{}.{PLAIN}", inner.attempt_id));
            write_private(&file, plaintext.expose())?;
            Ok(file)
        }
    }
}

/// Takes back every wallet whose shares were written down; the files go once it is active. One that
/// does not come back stays, and does not hold up the others.
pub(crate) async fn take_back(
    data: &DataDir,
    store: &WalletStore,
    vault: &Vault,
    environment: &EnvironmentId,
) -> Result<Vec<WalletProperties>, Failure> {
    let mut taken = Vec::new();
    for file in files(&data.private_dir("rescued")?)? {
        let shares = match read(&file, vault, environment).await {
            Ok(Some(shares)) => shares,
            Ok(None) => continue,
            Err(failure) => {
                let (file, why) = (file.display(), failure.message);
                tracing::error!(%file, "rescued shares do not open: {why}");
                continue;
            }
        };
        match store.adopt(&shares).await {
            Ok(properties) => {
                std::fs::remove_file(&file)?;
                taken.push(properties);
            }
            Err(error) => {
                // The file stays: it may still be the only copy. A lock inside is kept as well.
                let failure = keep(data, vault, environment, error).await;
                let (file, why) = (file.display(), failure.message);
                tracing::error!(%file, "rescued shares were not taken back: {why}");
            }
        }
    }
    Ok(taken)
}

async fn read(
    file: &Path,
    vault: &Vault,
    environment: &EnvironmentId,
) -> Result<Option<Vec<ServerKeyShare>>, Failure> {
    let attempt = text(file.file_stem()).and_then(|stem| stem.parse::<AttemptId>().ok());
    let Some(attempt) = attempt else {
        return Ok(None);
    };
    let bytes = Zeroizing::new(std::fs::read(file)?);
    let damaged = || {
        let why = format!("{} holds no shares", file.display());
        Failure::new(ExitKind::Storage, "rescued_damaged", why)
    };
    let plaintext = match text(file.extension()) {
        Some(SEALED) => {
            let record = SealedRecord::from_bytes(&bytes).map_err(|_| damaged())?;
            let ctx = context(environment, attempt);
            vault.open(&ctx, &record, &access()).await?
        }
        Some(PLAIN) => SecretBytes::new(bytes.to_vec()),
        _ => return Ok(None),
    };
    serde_json::from_slice(plaintext.expose())
        .map(Some)
        .map_err(|_| damaged())
}

fn text(part: Option<&std::ffi::OsStr>) -> Option<&str> {
    part.and_then(std::ffi::OsStr::to_str)
}

fn keep_lock(data: &DataDir, lock: &LockToken) -> Result<PathBuf, Failure> {
    let file = data
        .private_dir("locks")?
        .join(format!("{}.json", lock.ceremony));
    let json =
        serde_json::to_vec_pretty(lock).map_err(|error| Failure::internal(error.to_string()))?;
    write_private(&file, &json)?;
    Ok(file)
}

/// Applies every lock that was written down, and moves it into the vault tier where that takes it.
pub(crate) async fn apply_locks(data: &DataDir, store: &WalletStore) -> Result<(), Failure> {
    for file in files(&data.private_dir("locks")?)? {
        let token: LockToken = serde_json::from_slice(&std::fs::read(&file)?).map_err(|_| {
            let why = format!("{} is no lock; put back what stood there", file.display());
            Failure::new(ExitKind::Custody, "lock_damaged", why)
        })?;
        match store.restore_lock(&token).await {
            Ok(()) => std::fs::remove_file(&file)?,
            // It holds in this process all the same, and the file for the next one.
            Err(error) => tracing::warn!(%error, "a lock is not in the vault tier yet"),
        }
    }
    Ok(())
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// Bound to the attempt: every field that differs between its shares is inside.
fn context(environment: &EnvironmentId, attempt: AttemptId) -> BindCtx {
    BindCtx {
        environment: environment.clone(),
        chain: ChainName::Evm,
        account_address: String::new(),
        wallet: WalletId::from_bytes([0; 16]),
        key_share: KeyShareId::from_bytes([0; 16]),
        share_set: ShareSetId::from_bytes([0; 16]),
        party: PartyIndex::CUSTOMER_1,
        scheme: ThresholdSignatureScheme::TwoOfTwo,
        purpose: RecordPurpose::Share,
        generation: Generation(0),
        attempt,
        group_public_key_hash: [0; 32],
    }
}

fn access() -> Access {
    Access {
        actor: ACTOR.to_owned(),
        purpose: Purpose::Resume,
        request_id: RequestId::generate(&mut os_rng()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use halfkey_core::SystemClock;
    use halfkey_vault::Embedded;

    use super::*;

    fn carried(attempt: AttemptId) -> halfkey::Error {
        let share = ServerKeyShare::new("id", "canary-secret-share");
        halfkey::Error::NotActivated(Box::new(Unactivated {
            shares: vec![share],
            properties: WalletProperties::new("SVM", "w", "address"),
            attempt_id: attempt,
            source: halfkey::Error::BadSignature,
        }))
    }

    #[tokio::test]
    async fn what_an_error_carries_is_sealed_into_a_private_file_and_read_again() {
        let outer = tempfile::tempdir().unwrap();
        let data = DataDir::at(outer.path());
        let environment: EnvironmentId = "env-test".parse().unwrap();
        let dir = data.private_dir("vault").unwrap();
        let clock = Arc::new(SystemClock);
        let opened = Embedded::create_or_open(&dir, &environment, None, clock, "test").await;
        let opened = opened.unwrap();
        let attempt = AttemptId::from_bytes([5; 16]);
        let failure = keep(&data, &opened.vault, &environment, carried(attempt)).await;
        assert!(failure.hint.unwrap().contains("resume"));
        let files = files(&data.private_dir("rescued").unwrap()).unwrap();
        let [file] = files.as_slice() else {
            panic!("{files:?}")
        };
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bytes = std::fs::read(file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"));
        let shares = read(file, &opened.vault, &environment)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shares[0].secret_share, "canary-secret-share");
        // Under another attempt's name it is another attempt's file, and does not open.
        let other = file.with_file_name(format!("{}.sealed", AttemptId::from_bytes([6; 16])));
        std::fs::rename(file, &other).unwrap();
        assert!(read(&other, &opened.vault, &environment).await.is_err());
        opened.close().await;
    }
}
