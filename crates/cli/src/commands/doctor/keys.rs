//! The KEK: requirements 6, 8 and 9.

use std::time::Duration;

use halfkey_core::EnvironmentId;
use halfkey_vault::{Census, KekInfo, Storage};

use super::check::Check;
use crate::commands::vault::count;

const SEPARATE: &str = "the KEK belongs to this environment";
const ROTATION: &str = "keys are rotated";
const COMPROMISE: &str = "there is a way out of a compromise";

pub(super) async fn run(
    storage: &Storage,
    environment: &EnvironmentId,
    max_age: Duration,
) -> Vec<Check> {
    let kek = match storage.manage.info().await {
        Ok(kek) => kek,
        Err(error) => {
            let why = format!("the KMS does not describe the KEK: {error}");
            let remedy = "give this process the right to describe it";
            return [(6, SEPARATE), (8, ROTATION)]
                .map(|(number, title)| Check::cannot_tell(number, title, why.clone(), remedy))
                .into();
        }
    };
    let mut checks = vec![separate(&kek, environment)];
    checks.push(match count(storage).await {
        Ok(census) => rotation(&kek, &census, storage.clock().now().0, max_age),
        Err(failure) => Check::cannot_tell(
            8,
            ROTATION,
            format!("the records cannot be counted: {}", failure.message),
            "run doctor where they can be read",
        ),
    });
    checks.push(compromise(storage));
    checks
}

fn separate(kek: &KekInfo, environment: &EnvironmentId) -> Check {
    if kek.environment == *environment {
        return Check::pass(
            6,
            SEPARATE,
            format!("{} is marked with {environment}", kek.uri),
        );
    }
    Check::fail(
        6,
        SEPARATE,
        format!("{} is marked with {}", kek.uri, kek.environment),
        "give each environment a KEK of its own",
    )
}

fn rotation(kek: &KekInfo, census: &Census, now: i64, max_age: Duration) -> Check {
    let max_ms = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
    let then = halfkey_core::UnixMillis(now.saturating_sub(max_ms));
    let due = census.older_than(then);
    let days = max_age.as_secs() / 86_400;
    if due > 0 {
        return Check::fail(
            8,
            ROTATION,
            format!("{due} wrapped keys stand under versions older than {days} days"),
            "halfkey vault rotate && halfkey vault rewrap",
        );
    }
    match kek.newest().and_then(|newest| newest.created_at) {
        Some(made) if made < then => Check::fail(
            8,
            ROTATION,
            format!("the newest KEK version was made {made}, over {days} days ago"),
            "halfkey vault rotate; or leave `halfkey vault rotate --every 90d` running",
        ),
        Some(made) => Check::pass(
            8,
            ROTATION,
            format!("the newest KEK version was made {made}; nothing is older than {days} days"),
        ),
        None => Check::cannot_tell(
            8,
            ROTATION,
            "the provider does not tell how old the KEK version is",
            "look at its console",
        ),
    }
}

fn compromise(storage: &Storage) -> Check {
    if storage.rewrap.is_some() && storage.put().is_some() {
        return Check::cannot_tell(
            9,
            COMPROMISE,
            "this process can rotate and rewrap everything; whether people know the runbook \
             cannot be seen from here",
            "drill it: halfkey incident run --reason drill",
        );
    }
    let role = storage.role.as_str();
    Check::cannot_tell(
        9,
        COMPROMISE,
        format!("the role {role} cannot rewrap"),
        "keep a process with the role full or rewrapper at hand",
    )
}

#[cfg(test)]
mod tests {
    use halfkey_core::UnixMillis;
    use halfkey_vault::rotation::VersionCount;
    use halfkey_vault::{KekState, KekVersion};

    use super::super::check::Status;
    use super::*;

    const DAY: i64 = 86_400_000;

    fn kek(created_at: Option<UnixMillis>) -> KekInfo {
        KekInfo {
            uri: "memory:a".to_owned(),
            environment: "env".parse().unwrap(),
            versions: vec![KekVersion {
                version: "1".to_owned(),
                created_at,
                state: KekState::Enabled,
            }],
            hardware_or_remote: false,
        }
    }

    fn census(created_at: UnixMillis) -> Census {
        Census {
            versions: vec![VersionCount {
                kek_uri: "memory:a".to_owned(),
                kek_version: "0".to_owned(),
                wraps: 3,
                created_at: Some(created_at),
            }],
            ..Census::default()
        }
    }

    #[test]
    fn an_old_key_or_an_old_record_fails() {
        let age = Duration::from_hours(90 * 24);
        let judge = |made: Option<i64>, record: i64| {
            let kek = kek(made.map(UnixMillis));
            rotation(&kek, &census(UnixMillis(record)), 100 * DAY, age).status
        };
        assert_eq!(judge(Some(50 * DAY), 50 * DAY), Status::Pass);
        assert_eq!(judge(Some(9 * DAY), 50 * DAY), Status::Fail);
        assert_eq!(judge(Some(50 * DAY), 9 * DAY), Status::Fail);
        assert_eq!(judge(None, 50 * DAY), Status::CannotTell);
    }

    #[test]
    fn a_kek_of_another_environment_fails() {
        let env = "env".parse().unwrap();
        assert_eq!(separate(&kek(None), &env).status, Status::Pass);
        let other = "other".parse().unwrap();
        assert_eq!(separate(&kek(None), &other).status, Status::Fail);
    }
}
