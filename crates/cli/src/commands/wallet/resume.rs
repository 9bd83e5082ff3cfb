//! `halfkey wallet resume`.

use std::path::PathBuf;

use halfkey::{ResumeTarget, Resumed, Settled, UnreadableRow};
use halfkey_core::WalletProperties;
use serde_json::{Value, json};

use super::{Opened, overview};
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::rescue;

pub(super) async fn run(
    opened: &Opened,
    address: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    let target = match address {
        Some(address) => ResumeTarget::Address(address.to_owned()),
        None => ResumeTarget::All,
    };
    let vault = &opened.storage.vault;
    let taken = rescue::take_back(&opened.data, &opened.store, vault, &opened.environment).await?;
    let settled = opened.done(opened.store.resume(target).await).await?;
    let errors = settled.iter().filter_map(|one| match &one.settled {
        Settled::Failed(error) => Some(&**error),
        _ => None,
    });
    let failed = errors.clone().count();
    let unread = &settled.unreadable;
    let kept = keep_locks(&opened.data, errors);
    let values: Vec<_> = settled
        .iter()
        .map(describe)
        .chain(taken.iter().map(describe_taken))
        .chain(unread.iter().map(describe_unread))
        .collect();
    output.result(&values, || human(&settled, &taken, unread));
    let kept = kept?;
    if failed > 0 || !unread.is_empty() {
        let of = settled.len().saturating_add(unread.len());
        let failed = failed.saturating_add(unread.len());
        let message = format!("{failed} of {of} could not be settled");
        return Err(match kept.first() {
            Some(file) => Failure::new(ExitKind::Custody, "resume_incomplete", message)
                .with_hint(rescue::lock_hint(file)),
            None => Failure::new(ExitKind::Unavailable, "resume_incomplete", message),
        });
    }
    Ok(())
}

/// One wallet's failure does not stop the others, so a lock may stand in any of them (custody rule
/// 13).
fn keep_locks<'a>(
    data: &DataDir,
    errors: impl Iterator<Item = &'a halfkey::Error>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut kept = Vec::new();
    let mut unkept = None;
    for lock in errors.filter_map(halfkey::Error::unstored_lock) {
        match rescue::keep_lock(data, lock) {
            Ok(file) => kept.push(file),
            Err(failure) => unkept = Some(rescue::lock_not_kept(lock, &failure)),
        }
    }
    unkept.map_or(Ok(kept), Err)
}

fn describe(one: &Resumed) -> Value {
    let (state, detail) = outcome(&one.settled);
    let mut value = overview::describe_pending(&one.entry);
    if let Value::Object(map) = &mut value {
        map.insert("outcome".to_owned(), json!(state));
        map.insert("detail".to_owned(), json!(detail));
    }
    value
}

fn describe_taken(properties: &WalletProperties) -> Value {
    json!({ "outcome": "taken_back", "detail": properties.account_address })
}

/// It may hold something pending: nobody can tell.
fn describe_unread(row: &UnreadableRow) -> Value {
    let mut value = overview::describe_unreadable(row);
    if let Value::Object(map) = &mut value {
        map.insert("outcome".to_owned(), json!("unreadable"));
    }
    value
}

fn human(settled: &[Resumed], taken: &[WalletProperties], unread: &[UnreadableRow]) -> String {
    if settled.is_empty() && taken.is_empty() && unread.is_empty() {
        return "nothing is pending".to_owned();
    }
    let line = |one: &Resumed| {
        let (state, detail) = outcome(&one.settled);
        let (attempt, custody) = (one.entry.attempt, one.entry.custody_origin);
        format!("{attempt}  {state}  {detail}  (custody: {custody})")
    };
    let back = taken
        .iter()
        .map(|properties| format!("taken back: {}", properties.account_address));
    let unread = unread.iter().map(overview::unreadable);
    let lines: Vec<_> = settled.iter().map(line).chain(back).chain(unread).collect();
    lines.join("\n")
}

fn outcome(settled: &Settled) -> (&'static str, String) {
    match settled {
        Settled::Active(properties) => ("active", properties.account_address.clone()),
        Settled::Aborted => ("aborted", "its sealed shares are kept".to_owned()),
        Settled::Pending => (
            "pending",
            "may belong to a create that is still running".to_owned(),
        ),
        Settled::Unknown => (
            "unknown",
            "the provider does not know it; shares kept".to_owned(),
        ),
        Settled::Failed(error) => ("failed", error.to_string()),
        _ => ("unrecognised", String::new()),
    }
}

#[cfg(test)]
mod tests {
    use halfkey::{Error, LockToken};
    use halfkey_core::{AttemptId, CeremonyId, EnvironmentId, Generation, UnixMillis, WalletId};

    use super::*;

    fn unstored(number: u8) -> Error {
        let environment: EnvironmentId = "env-test".parse().unwrap();
        let lock = LockToken {
            environment,
            wallet: WalletId::from_bytes([number; 16]),
            generation: Generation(0),
            attempt: AttemptId::from_bytes([number; 16]),
            ceremony: CeremonyId::from_bytes([number; 16]),
            check: "x".to_owned(),
            at: UnixMillis(1),
        };
        Error::LockNotStored {
            lock: Box::new(lock),
            source: Box::new(Error::BadSignature),
        }
    }

    #[test]
    fn every_lock_of_a_resume_is_written_down_and_one_that_is_not_is_shown() {
        let outer = tempfile::tempdir().unwrap();
        let data = DataDir::at(outer.path());
        let errors = [unstored(1), Error::WalletNotFound, unstored(2)];
        let kept = keep_locks(&data, errors.iter()).unwrap();
        assert_eq!(kept.len(), 2);
        for file in &kept {
            let token: LockToken = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            assert!(
                errors
                    .iter()
                    .any(|error| error.lock_token() == Some(&token))
            );
        }
        std::fs::remove_dir_all(data.customer().join("locks")).unwrap();
        std::fs::write(data.customer().join("locks"), b"").unwrap();
        let failure = keep_locks(&data, errors.iter()).unwrap_err();
        assert_eq!(
            (failure.kind, &*failure.code),
            (ExitKind::Custody, "lock_not_stored")
        );
    }
}
