//! What the tiers stand on, and the audit log: requirements 3, 4 and 5.

use std::path::Path;

use halfkey_vault::Storage;
use halfkey_vault::audit::verify::verify;
use halfkey_vault::net::MinTls;
use halfkey_vault::storage::{BackendInfo, OnFailure, Role, Tier};

use super::check::Check;
use crate::context::DataDir;

const TRANSIT: &str = "connections use TLS 1.3";
const ACCESS: &str = "only who must can decrypt";
const APART: &str = "the customer's shares of TWO_OF_THREE lie apart";
const AUDIT: &str = "every access is in an audit log that fits together";

/// Of the set-up as a whole.
pub(super) fn of_both(data: &DataDir, storage: &Storage, second: Option<&Storage>) -> Vec<Check> {
    vec![provider(data), apart(storage, second)]
}

/// Of one vault, with its audit log.
pub(super) async fn run(storage: &Storage, log: &Path) -> Vec<Check> {
    vec![
        transit(&storage.backends),
        access(storage),
        durable(&storage.backends),
        audit(log).await,
        sink(storage),
    ]
}

fn transit(backends: &[BackendInfo]) -> Check {
    let old: Vec<_> = backends
        .iter()
        .filter(|backend| backend.min_tls == Some(MinTls::V1_2))
        .map(|backend| format!("{} ({})", backend.tier.as_str(), backend.place))
        .collect();
    if !old.is_empty() {
        return Check::fail(
            3,
            TRANSIT,
            format!("TLS 1.2 is allowed to {}", old.join(", ")),
            "take min_tls out of storage.toml, and a server that offers 1.3",
        );
    }
    let remote = backends.iter().filter(|one| one.min_tls.is_some()).count();
    let evidence = match remote {
        0 => "every tier is on this machine".to_owned(),
        remote => format!("{remote} tiers elsewhere, none below TLS 1.3 with checked certificates"),
    };
    Check::pass(3, TRANSIT, evidence)
}

fn provider(data: &DataDir) -> Check {
    let config = data.read_config().ok().flatten();
    let Some(config) = config else {
        return Check::cannot_tell(3, TRANSIT, "no provider is configured", "halfkey init");
    };
    let place = &config.api_url;
    if place.starts_with("https://") {
        return Check::pass(
            3,
            TRANSIT,
            format!("the provider is at {place}: TLS 1.3 or nothing"),
        );
    }
    Check::pass(
        3,
        TRANSIT,
        format!("the provider is at {place}: plain HTTP, which the SDK allows to loopback only"),
    )
}

fn access(storage: &Storage) -> Check {
    let remote = storage.backends.iter().any(|backend| {
        matches!(backend.tier, Tier::Kms | Tier::Records | Tier::Secrets)
            && backend.min_tls.is_some()
    });
    let role = storage.role.as_str();
    match (storage.role, remote) {
        (Role::Full, false) => Check::pass(
            4,
            ACCESS,
            "keyring and stores are 0600 in 0700 directories of this user; its processes may do \
             everything",
        ),
        (Role::Full, true) => Check::cannot_tell(
            4,
            ACCESS,
            "this process may do everything; whether the KMS and the store let others in cannot \
             be seen from here",
            "give each process a role in storage.toml and the policy of the storage guide",
        ),
        (_, _) => Check::pass(4, ACCESS, format!("this process has the role {role} only")),
    }
}

/// The two customer shares of `TWO_OF_THREE` are a quorum (custody rule 2).
fn apart(storage: &Storage, second: Option<&Storage>) -> Check {
    const REMEDY: &str =
        "second_vault in storage.toml: another store and another KEK, in other hands";
    let Some(second) = second else {
        let evidence = "both customer shares of a TWO_OF_THREE wallet lie in this one vault";
        return if storage.config.require_distinct_vaults {
            Check::fail(4, APART, evidence, REMEDY)
        } else {
            Check::cannot_tell(4, APART, evidence, REMEDY)
        };
    };
    match storage.shared_with(second) {
        Some(shared) => Check::fail(4, APART, format!("they share {shared}"), REMEDY),
        None => Check::pass(
            4,
            APART,
            "each customer party has a store and a KEK of its own",
        ),
    }
}

fn durable(backends: &[BackendInfo]) -> Check {
    const TITLE: &str = "an acknowledged share cannot be lost";
    let loose = backends
        .iter()
        .find(|one| matches!(one.tier, Tier::Records | Tier::Secrets) && !one.durable);
    match loose {
        Some(one) => Check::fail(
            2,
            TITLE,
            format!("{} at {} can lose acknowledged writes", one.kind, one.place),
            "a store that is replicated synchronously, or not at all",
        ),
        None => Check::pass(
            2,
            TITLE,
            "every store of shares acknowledges durable writes only",
        ),
    }
}

async fn audit(log: &Path) -> Check {
    match verify(log, None).await {
        Ok(report) if report.is_sound() => Check::pass(
            5,
            AUDIT,
            format!(
                "{} entries in {} chains fit together; keep a checkpoint elsewhere for the end",
                report.entries, report.chains
            ),
        ),
        Ok(report) => Check::fail(
            5,
            AUDIT,
            format!("{} problems in the chain", report.problems.len()),
            "halfkey audit verify; treat it as an incident",
        ),
        Err(error) => Check::fail(
            5,
            AUDIT,
            format!("the log cannot be read: {error}"),
            "restore audit.sqlite from its backup",
        ),
    }
}

fn sink(storage: &Storage) -> Check {
    const TITLE: &str = "no plaintext without an audit event";
    match storage.config.audit.on_failure {
        OnFailure::Refuse => Check::pass(
            5,
            TITLE,
            format!(
                "a log that takes no event within {} ms refuses the operation",
                storage.config.audit.deadline_ms
            ),
        ),
        OnFailure::Allow => Check::fail(
            5,
            TITLE,
            "storage.toml lets operations go on without an audit event",
            "[audit] on_failure = \"refuse\"",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    fn backend(min_tls: Option<MinTls>, durable: bool) -> BackendInfo {
        BackendInfo {
            tier: Tier::Records,
            kind: "x",
            place: "y".to_owned(),
            min_tls,
            durable,
        }
    }

    #[test]
    fn an_old_tls_version_and_a_store_that_forgets_fail() {
        assert_eq!(transit(&[backend(None, true)]).status, Status::Pass);
        assert_eq!(
            transit(&[backend(Some(MinTls::V1_3), true)]).status,
            Status::Pass
        );
        assert_eq!(
            transit(&[backend(Some(MinTls::V1_2), true)]).status,
            Status::Fail
        );
        assert_eq!(durable(&[backend(None, true)]).status, Status::Pass);
        assert_eq!(durable(&[backend(None, false)]).status, Status::Fail);
    }
}
