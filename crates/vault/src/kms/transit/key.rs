//! What the engine tells of a key, and what it must be.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;

/// The engine's answer about a symmetric key.
#[derive(Debug, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the members of the engine's answer"
)]
pub(super) struct Key {
    #[serde(rename = "type")]
    kind: String,
    derived: bool,
    exportable: bool,
    allow_plaintext_backup: bool,
    deletion_allowed: bool,
    #[serde(default)]
    convergent_encryption: bool,
    #[serde(default)]
    soft_deleted: bool,
    pub(super) latest_version: u32,
    pub(super) min_decryption_version: u32,
    /// Versions before it are gone for good; 0 while all are there.
    #[serde(default)]
    pub(super) min_available_version: u32,
    /// When each version was made, in seconds since 1970; without those below
    /// `min_decryption_version`.
    pub(super) keys: BTreeMap<String, i64>,
}

impl Key {
    /// Refuses a key that could leave the server or be lost, or does not bind contexts.
    pub(super) fn check(&self, uri: &str) -> Result<(), Error> {
        let faults = [
            (
                self.kind != "aes256-gcm96",
                "is not of the type aes256-gcm96",
            ),
            (!self.derived, "was not made with derived=true"),
            (
                self.convergent_encryption,
                "was made with convergent_encryption",
            ),
            (self.exportable, "is exportable"),
            (self.allow_plaintext_backup, "allows plaintext backups"),
            (self.deletion_allowed, "may be deleted"),
        ];
        if let Some((_, fault)) = faults.iter().find(|(is_so, _)| *is_so) {
            return Err(Error::Config(format!("the key {uri} {fault}")));
        }
        if self.soft_deleted {
            return Err(Error::KeyDisabled(uri.to_owned()));
        }
        Ok(())
    }

    /// The oldest version that still exists.
    pub(super) fn oldest_version(&self) -> u32 {
        self.min_available_version.max(1)
    }
}

/// A version as it stands in a record: decimal, from 1, without signs or leading zeros.
pub(super) fn parse_version(text: &str) -> Option<u32> {
    let version: u32 = text.parse().ok()?;
    (version > 0 && version.to_string() == text).then_some(version)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sound() -> serde_json::Value {
        json!({
            "type": "aes256-gcm96", "derived": true, "exportable": false,
            "allow_plaintext_backup": false, "deletion_allowed": false,
            "convergent_encryption": false, "soft_deleted": false, "latest_version": 1,
            "min_decryption_version": 1, "min_available_version": 0, "keys": {"1": 1},
        })
    }

    #[test]
    fn key_rejects_each_property_a_kek_must_not_have() {
        let check = |value: serde_json::Value| {
            serde_json::from_value::<Key>(value)
                .unwrap()
                .check("transit:t/k")
        };
        check(sound()).unwrap();
        for (member, value) in [
            ("type", json!("chacha20-poly1305")),
            ("derived", json!(false)),
            ("exportable", json!(true)),
            ("allow_plaintext_backup", json!(true)),
            ("deletion_allowed", json!(true)),
            ("convergent_encryption", json!(true)),
        ] {
            let mut key = sound();
            key[member] = value;
            assert!(matches!(check(key), Err(Error::Config(_))), "{member}");
        }
        let mut key = sound();
        key["soft_deleted"] = json!(true);
        assert!(matches!(check(key), Err(Error::KeyDisabled(_))));
    }

    #[test]
    fn parse_version_rejects_all_but_the_canonical_form() {
        assert_eq!(parse_version("1"), Some(1));
        assert_eq!(parse_version("4294967295"), Some(u32::MAX));
        for text in ["", "0", "01", "+1", "-1", " 1", "1 ", "4294967296", "v1"] {
            assert_eq!(parse_version(text), None, "{text:?}");
        }
    }
}
