//! How an environment is written in a Google label, which is narrower than an environment id.

use halfkey_core::EnvironmentId;
use sha2::{Digest as _, Sha256};

/// The label that marks keys and secrets with their environment.
pub const ENVIRONMENT_LABEL: &str = "halfkey-environment";

/// The longest value a label can have.
const MAX_LEN: usize = 63;

/// What the values that stand for another text start with.
const DIGEST_PREFIX: &str = "sha256-";

/// The label's value for `environment`: the id itself where it is a label's value already (lower
/// case, at most 63 characters), else `sha256-` and the first 56 hex digits of its SHA-256. Lower
/// case alone would give `Prod` and `prod` the same mark; so two environments never share one.
pub fn environment_label(environment: &EnvironmentId) -> String {
    let id = environment.as_str();
    let fits = id.len() <= MAX_LEN
        && !id.bytes().any(|byte| byte.is_ascii_uppercase())
        && !id.starts_with(DIGEST_PREFIX);
    if fits {
        return id.to_owned();
    }
    let mut value = format!("{DIGEST_PREFIX}{}", hex::encode(Sha256::digest(id)));
    value.truncate(MAX_LEN);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(id: &str) -> String {
        environment_label(&id.parse().unwrap())
    }

    #[test]
    fn an_id_that_is_a_label_stays_as_it_is() {
        for id in [
            "env-test",
            "a",
            "7d44b3a6-9d54-4b0a-8bdc-6f1f0c1f3c11",
            "a_b",
            &"x".repeat(63),
        ] {
            assert_eq!(label(id), id);
        }
    }

    #[test]
    fn no_two_environments_share_a_label() {
        let digest = label("Prod");
        let (long, longest) = ("x".repeat(64), "x".repeat(63));
        let mut seen = Vec::new();
        for id in ["prod", "Prod", "PROD", "prod-", &digest, &long, &longest] {
            let label = label(id);
            let allowed = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            };
            assert!(
                label.len() <= MAX_LEN && label.bytes().all(allowed),
                "{label}"
            );
            assert!(!seen.contains(&label), "{id} shares {label}");
            seen.push(label);
        }
        assert_eq!(
            digest,
            "sha256-5f56359ef193c076484ddd8280c90f5eceba82513ef2b117f4907a16"
        );
    }
}
