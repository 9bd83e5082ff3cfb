//! Names of secrets: `{prefix}-{environment}-{id}`.
//!
//! Key Vault's names are `[0-9A-Za-z-]{1,127}` and ignore case, environments are more than that:
//! `a-z` and `0-9` stand for themselves, `-` is `--`, `_` is `-0`, and `A` to `Z` are `-a` to `-z`.
//! The prefix has no hyphen, the id has always 32 digits, and each pair is read in one way only: so
//! no two of (prefix, environment, id) share a name, case ignored or not.

use halfkey_core::EnvironmentId;

use crate::Error;
use crate::store::secret::SecretId;

const MAX_NAME_LEN: usize = 127;
const ID_LEN: usize = 32;

/// The names of one prefix and environment.
#[derive(Debug)]
pub(super) struct Names {
    /// `{prefix}-{environment}-`
    start: String,
}

impl Names {
    /// # Errors
    /// [`Error::Config`] for a prefix that is not 1 to 20 of `a-z 0-9`, or names that become too
    /// long.
    pub(super) fn new(prefix: &str, environment: &EnvironmentId) -> Result<Self, Error> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(1..=20).contains(&prefix.len()) || !prefix.bytes().all(plain) {
            return Err(Error::Config(
                "the prefix of secrets is 1 to 20 characters of a-z and 0-9".to_owned(),
            ));
        }
        let start = format!("{prefix}-{}-", spelt(environment.as_str()));
        if start.len().saturating_add(ID_LEN) > MAX_NAME_LEN {
            return Err(Error::Config(format!(
                "environment {environment} is too long for Key Vault: in its names, capitals, _ \
                 and - take two characters"
            )));
        }
        Ok(Self { start })
    }

    /// What every name begins with.
    pub(super) fn start(&self) -> &str {
        &self.start
    }

    /// The name of a secret.
    pub(super) fn of(&self, id: SecretId) -> String {
        format!("{}{id}", self.start)
    }

    /// The inverse; `None` for anybody else's name.
    pub(super) fn id(&self, name: &str) -> Option<SecretId> {
        SecretId::parse(name.strip_prefix(&*self.start)?)
    }
}

fn spelt(environment: &str) -> String {
    let mut spelt = String::with_capacity(MAX_NAME_LEN);
    for character in environment.chars() {
        match character {
            '-' => spelt.push_str("--"),
            '_' => spelt.push_str("-0"),
            'A'..='Z' => spelt.extend(['-', character.to_ascii_lowercase()]),
            other => spelt.push(other),
        }
    }
    spelt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: &str, environment: &str) -> Result<Names, Error> {
        Names::new(prefix, &environment.parse().unwrap())
    }

    #[test]
    fn no_two_environments_share_a_name() {
        let id = SecretId::from_bytes([0xAB; 16]);
        let mut alphabet: Vec<String> = ["a", "A", "0", "-", "_", "b"].map(str::to_owned).into();
        for _ in 0..3 {
            let longer: Vec<String> = alphabet
                .iter()
                .flat_map(|text| ["a", "A", "0", "-", "_"].map(|more| format!("{text}{more}")))
                .collect();
            alphabet.extend(longer);
        }
        alphabet.sort();
        alphabet.dedup();
        let mut seen = std::collections::BTreeSet::new();
        for environment in &alphabet {
            for prefix in ["p", "p0"] {
                let names = names(prefix, environment).unwrap();
                let name = names.of(id);
                assert_eq!(names.id(&name), Some(id));
                assert!(
                    name.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                );
                assert!(
                    seen.insert(name.to_ascii_lowercase()),
                    "{prefix} {environment}"
                );
            }
        }
        assert!(seen.len() > 1000);
    }

    #[test]
    fn id_rejects_the_names_of_others() {
        let names = names("p", "env").unwrap();
        for other in [
            "",
            "p-env-",
            "p-env-0",
            "p-env--x-abababababababababababababababab",
            "p-env-ABABABABABABABABABABABABABABABAB",
            "p-env-abababababababababababababababab0",
            "q-env-abababababababababababababababab",
        ] {
            assert_eq!(names.id(other), None, "{other}");
        }
    }

    #[test]
    fn new_rejects_prefixes_and_environments_that_do_not_fit() {
        for prefix in ["", "a-b", "A", "a_b", "aaaaaaaaaaaaaaaaaaaaa"] {
            assert!(matches!(names(prefix, "env"), Err(Error::Config(_))));
        }
        let longest = "a".repeat(64);
        let name = names(&"p".repeat(20), &longest).unwrap();
        assert!(name.of(SecretId::from_bytes([0; 16])).len() <= 127);
        let capitals = "A".repeat(64);
        assert!(matches!(names("halfkey", &capitals), Err(Error::Config(_))));
        assert!(names("halfkey", "0190b5a0-7d1f-7c3e-9f55-1c2d3e4f5a6b").is_ok());
    }
}
