//! A probe record with a known plaintext, written, read and shredded under the eyes of the checks:
//! requirements 1, 2, 6, 7 and 10.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use halfkey_core::random::{RngCore as _, os_rng};
use halfkey_core::{EnvironmentId, RequestId, SecretBytes};
use halfkey_vault::embedded::{CHECK_PREFIX, check_context};
use halfkey_vault::{Access, BindCtx, Error, Expect, Purpose, RecordName, SealedRecord, Storage};
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::fmt::MakeWriter;

use super::check::Check;
use crate::storage::ACTOR;

const LOGS: &str = "plaintext is never logged";
const REST: &str = "records are encrypted at rest with AES-256-GCM";
const SEPARATE: &str = "a KEK of one environment refuses another";
const UNIQUE: &str = "each record has its own key and nonce";
const DELETION: &str = "destroyed records are gone";

/// Everything the probe's operations logged at TRACE.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What the probe brought to light.
struct Seen {
    raw: Vec<u8>,
    again: Vec<u8>,
    foreign: Result<SealedRecord, Error>,
    after: Option<Vec<u8>>,
}

pub(super) async fn run(storage: &Storage, environment: &EnvironmentId) -> Vec<Check> {
    let mut canary = vec![0_u8; 32];
    os_rng().fill_bytes(&mut canary);
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let probed = probe(storage, environment, &canary)
        .with_subscriber(subscriber)
        .await;
    let logged = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match probed {
        Ok(seen) => judge(&seen, &canary, &logged),
        Err(error) => [
            (1, LOGS),
            (2, REST),
            (6, SEPARATE),
            (7, UNIQUE),
            (10, DELETION),
        ]
        .map(|(number, title)| {
            let why = format!("the probe record could not be written and read: {error}");
            let remedy = "run doctor where the role is full and the back-ends answer";
            match error {
                Error::Forbidden(_) => Check::cannot_tell(number, title, why, remedy),
                _ => Check::fail(number, title, why, remedy),
            }
        })
        .into(),
    }
}

async fn probe(
    storage: &Storage,
    environment: &EnvironmentId,
    canary: &[u8],
) -> Result<Seen, Error> {
    let access = Access {
        actor: ACTOR.to_owned(),
        purpose: Purpose::Probe,
        request_id: RequestId::generate(&mut os_rng()),
    };
    may_probe(storage)?;
    let name = RecordName::new(format!("{CHECK_PREFIX}{}", access.request_id))?;
    let ctx = check_context(environment);
    let plaintext = SecretBytes::new(canary.to_vec());
    let vault = &storage.vault;
    vault
        .store(&name, &ctx, &plaintext, Expect::Absent, &access)
        .await?;
    let raw = vault.get_row(&name).await?;
    let opened = vault.load(&name, &ctx, &access).await;
    // It goes whatever the checks find.
    vault.destroy_of(&name, &ctx, &access).await?;
    let after = vault.get_row(&name).await?;
    if opened?.value != plaintext {
        return Err(Error::ReadBack(name.to_string()));
    }
    let again = vault.seal(&ctx, &plaintext, &access).await?;
    let other = BindCtx {
        environment: "doctor-other-environment".parse()?,
        ..ctx
    };
    Ok(Seen {
        raw: raw.map(|row| row.value).unwrap_or_default(),
        again: again.as_bytes().to_vec(),
        foreign: vault.seal(&other, &plaintext, &access).await,
        after: after.map(|row| row.value),
    })
}

/// What was written must be read and shredded again: whoever may not do all of it writes nothing.
fn may_probe(storage: &Storage) -> Result<(), Error> {
    let parts = storage.vault.parts();
    let rights = [
        (parts.wrap.is_some(), "seal records"),
        (parts.unwrap.is_some(), "open records"),
        (parts.put.is_some(), "write records"),
        (parts.get.is_some(), "read records"),
        (parts.destroy.is_some(), "destroy records"),
    ];
    match rights.into_iter().find(|(is_there, _)| !is_there) {
        Some((_, what)) => Err(Error::Forbidden(what)),
        None => Ok(()),
    }
}

fn judge(seen: &Seen, canary: &[u8], logged: &[u8]) -> Vec<Check> {
    vec![
        judge_log(canary, logged),
        judge_rest(seen, canary),
        judge_separation(seen),
        judge_uniqueness(seen),
        judge_deletion(seen),
    ]
}

fn judge_log(canary: &[u8], logged: &[u8]) -> Check {
    let text = String::from_utf8_lossy(logged);
    let leaks = contains(logged, canary) || text.to_lowercase().contains(&hex::encode(canary));
    if leaks {
        let remedy = "stop this process and report it as a security bug";
        return Check::fail(1, LOGS, "the probe's plaintext stands in the log", remedy);
    }
    let lines = text.lines().count();
    let evidence = format!(
        "a probe was sealed, opened and shredded at TRACE; its plaintext is in none of the \
         {lines} lines"
    );
    Check::pass(1, LOGS, evidence)
}

fn judge_rest(seen: &Seen, canary: &[u8]) -> Check {
    if contains(&seen.raw, canary) || !SealedRecord::is_marked(&seen.raw) {
        let remedy = "do not use this store; report it as a security bug";
        return Check::fail(2, REST, "what the store holds is no sealed record", remedy);
    }
    let evidence = format!(
        "the store holds {} bytes of a sealed record (suite 1); the plaintext is not in it",
        seen.raw.len()
    );
    Check::pass(2, REST, evidence)
}

fn judge_separation(seen: &Seen) -> Check {
    match &seen.foreign {
        Err(Error::Environment { .. }) => {
            Check::pass(6, SEPARATE, "sealing for another environment was refused")
        }
        Err(error) => Check::cannot_tell(
            6,
            SEPARATE,
            format!("sealing for another environment failed for another reason: {error}"),
            "look at the KMS",
        ),
        Ok(_) => Check::fail(
            6,
            SEPARATE,
            "the KEK wrapped a key for another environment",
            "give each environment a KEK of its own, marked with it",
        ),
    }
}

fn judge_uniqueness(seen: &Seen) -> Check {
    let parts = |bytes: &[u8]| bytes.get(7..83).map(<[u8]>::to_vec);
    let (one, two) = (parts(&seen.raw), parts(&seen.again));
    if one.is_none() || one == two {
        let remedy = "the random generator repeats: stop, and look at this machine";
        return Check::fail(7, UNIQUE, "two records share salt and nonce", remedy);
    }
    let evidence = "the same plaintext sealed twice has other salt, commitment and nonce";
    Check::pass(7, UNIQUE, evidence)
}

fn judge_deletion(seen: &Seen) -> Check {
    match &seen.after {
        None => Check::pass(
            10,
            DELETION,
            "the probe's wrapped key was overwritten and its record is gone; backups and \
             replicas of the store keep what they have, sealed",
        ),
        Some(_) => Check::fail(
            10,
            DELETION,
            "the probe record is still there after it was destroyed",
            "look at the store",
        ),
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len().max(1))
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    fn seen() -> Seen {
        let mut raw = b"HKR1".to_vec();
        raw.extend([1; 200]);
        let mut again = b"HKR1".to_vec();
        again.extend([2; 200]);
        Seen {
            raw,
            again,
            foreign: Err(Error::Environment {
                what: "x".to_owned(),
                found: "a".to_owned(),
                expected: "b".to_owned(),
            }),
            after: None,
        }
    }

    fn failed(checks: &[Check]) -> Vec<u8> {
        let failed = checks.iter().filter(|check| check.status == Status::Fail);
        failed.map(|check| check.requirement).collect()
    }

    #[test]
    fn each_requirement_can_fail() {
        let canary = [9; 32];
        assert!(failed(&judge(&seen(), &canary, b"nothing")).is_empty());
        assert_eq!(failed(&judge(&seen(), &canary, &canary)), [1]);
        let hex = hex::encode_upper(canary);
        assert_eq!(failed(&judge(&seen(), &canary, hex.as_bytes())), [1]);
        let mut plain = seen();
        plain.raw.extend(canary);
        assert_eq!(failed(&judge(&plain, &canary, b"")), [2]);
        let mut row = seen();
        row.raw[0] = b'{';
        assert_eq!(failed(&judge(&row, &canary, b"")), [2]);
        let mut shared = seen();
        shared.foreign = SealedRecord::from_bytes(b"").map_err(|_| Error::Caller("x"));
        let unclear = judge(&shared, &canary, b"");
        assert!(failed(&unclear).is_empty());
        assert!(
            unclear
                .iter()
                .any(|check| check.status == Status::CannotTell)
        );
        let mut twice = seen();
        twice.again.clone_from(&twice.raw);
        assert_eq!(failed(&judge(&twice, &canary, b"")), [7]);
        let mut kept = seen();
        kept.after = Some(Vec::new());
        assert_eq!(failed(&judge(&kept, &canary, b"")), [10]);
    }
}
