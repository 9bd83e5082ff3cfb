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

/// The failure of an operation, after whatever it carried was written down.
pub(crate) async fn keep(
    data: &DataDir,
    vault: &Vault,
    environment: &EnvironmentId,
    error: halfkey::Error,
) -> Failure {
    if let Some(lock) = error.unstored_lock() {
        return match keep_lock(data, lock) {
            Ok(file) => Failure::from(error).with_hint(lock_hint(&file)),
            Err(why) => lock_not_kept(lock, &why),
        };
    }
    let halfkey::Error::NotActivated(inner) = &error else {
        return error.into();
    };
    match keep_shares(data, vault, environment, inner).await {
        Ok(file) => Failure::from(error).with_hint(shares_hint(&file)),
        Err(why) => shares_lost(&error, &why),
    }
}

/// The wallet of a create that failed with its shares in the error: written down, or, where that is
/// not possible either, given to the store once more.
pub(crate) async fn keep_or_adopt(
    data: &DataDir,
    store: &WalletStore,
    vault: &Vault,
    environment: &EnvironmentId,
    inner: Box<Unactivated>,
) -> Result<WalletProperties, Failure> {
    use halfkey::Error;
    let why = match keep_shares(data, vault, environment, &inner).await {
        Ok(file) => {
            return Err(Failure::from(Error::NotActivated(inner)).with_hint(shares_hint(&file)));
        }
        Err(why) => why,
    };
    tracing::error!("shares could not be written down: {}", why.message);
    match store.adopt(&inner.shares).await {
        Ok(properties) => Ok(properties),
        // They are stored by now.
        Err(
            error @ (Error::LeftPending { .. }
            | Error::PeerMisbehaved { .. }
            | Error::LockNotStored { .. }
            | Error::AttemptAborted(_)),
        ) => Err(keep(data, vault, environment, error).await),
        Err(error) => Err(shares_lost(&error, &why)),
    }
}

fn shares_hint(file: &Path) -> String {
    format!(
        "the shares are in {}; halfkey wallet resume takes them back",
        file.display()
    )
}

fn shares_lost(error: &halfkey::Error, why: &Failure) -> Failure {
    let message = format!("{error}; its shares could not be written: {}", why.message);
    Failure::new(ExitKind::Storage, "shares_lost", message)
}

/// Where a lock was written down.
pub(crate) fn lock_hint(file: &Path) -> String {
    format!(
        "the lock is in {} and holds for every later command",
        file.display()
    )
}

/// A lock that only this line holds. Nothing in it is secret.
pub(crate) fn lock_not_kept(lock: &LockToken, why: &Failure) -> Failure {
    let json = serde_json::to_string(lock).unwrap_or_default();
    let message = format!(
        "the provider misbehaved, and its lock could not be stored: {}",
        why.message
    );
    Failure::new(ExitKind::Custody, "lock_not_stored", message).with_hint(format!(
        "write into customer/locks/{}.json: {json}",
        lock.ceremony
    ))
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
                let file = file.display();
                tracing::error!(%file, %error, "rescued shares were not taken back");
                if let Some(lock) = error.unstored_lock() {
                    keep_lock(data, lock).map_err(|why| lock_not_kept(lock, &why))?;
                }
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

/// Writes a lock where every later command finds it.
pub(crate) fn keep_lock(data: &DataDir, lock: &LockToken) -> Result<PathBuf, Failure> {
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
mod tests;
