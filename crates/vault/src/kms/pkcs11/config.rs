//! Which token and key, and how the key is named.

use core::time::Duration;
use std::path::PathBuf;

use halfkey_core::EnvironmentId;
use serde::Deserialize;

use crate::Error;
use crate::net::SecretSource;

/// How long a key label's own part may be.
const MAX_NAME_LEN: usize = 64;

/// PKCS#11 pads labels to this with blanks.
const MAX_TOKEN_LABEL_LEN: usize = 32;

/// Where a KEK in a token is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Config {
    /// The vendor's module, as an absolute path.
    pub module: PathBuf,
    /// The token's label. It is part of the KEK's URI: a token that takes over (a backup
    /// restored into new hardware) must have the same one. Slot numbers change and are not used.
    pub token_label: String,
    /// The token's serial number, where several tokens have that label.
    #[serde(default)]
    pub token_serial: Option<String>,
    /// The user PIN.
    pub pin: SecretSource,
    /// The key's label: `halfkey-{environment}` (the default), or that, a dot and a name of
    /// letters, digits, `-` and `_`.
    #[serde(default)]
    pub key_label: Option<String>,
    /// How long a call may take, in milliseconds, waiting for a free session included. Default
    /// 10 000.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// How many calls run at a time, each on a session of its own; the rest wait. Default 4.
    #[serde(default = "default_sessions")]
    pub sessions: u16,
    /// For tokens that insist on making the nonce themselves and write it back in place: they are
    /// given twelve zero bytes. Default false: nonces are made here.
    #[serde(default)]
    pub token_makes_nonce: bool,
}

const fn default_deadline_ms() -> u64 {
    10_000
}

const fn default_sessions() -> u16 {
    4
}

impl Pkcs11Config {
    pub(super) const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The key's label, which must name the environment.
    pub(super) fn key_label_for(&self, environment: &EnvironmentId) -> Result<String, Error> {
        let mark = format!("halfkey-{environment}");
        let Some(label) = &self.key_label else {
            return Ok(mark);
        };
        let (marked, name) = match label.split_once('.') {
            Some((marked, name)) => (marked, Some(name)),
            None => (label.as_str(), None),
        };
        if marked != mark {
            return Err(Error::Environment {
                what: "the key label".to_owned(),
                found: marked.strip_prefix("halfkey-").unwrap_or("none").to_owned(),
                expected: environment.to_string(),
            });
        }
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if let Some(name) = name
            && (name.is_empty() || name.len() > MAX_NAME_LEN || !name.bytes().all(sound))
        {
            return Err(Error::Config(format!(
                "after {mark}. a key label has 1 to {MAX_NAME_LEN} of a-z A-Z 0-9 - _"
            )));
        }
        Ok(label.clone())
    }

    /// The KEK's URI: printable ASCII without blanks, whatever the token's label is.
    pub(super) fn uri(&self, key_label: &str) -> Result<String, Error> {
        let token = self.token_label.as_bytes();
        if token.is_empty() || token.len() > MAX_TOKEN_LABEL_LEN {
            return Err(Error::Config(format!(
                "token_label has 1 to {MAX_TOKEN_LABEL_LEN} bytes"
            )));
        }
        let mut uri = "pkcs11:".to_owned();
        for byte in token {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
                uri.push(char::from(*byte));
            } else {
                uri.push_str(&format!("%{byte:02X}"));
            }
        }
        uri.push('/');
        uri.push_str(key_label);
        Ok(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(token: &str, key: Option<&str>) -> Pkcs11Config {
        Pkcs11Config {
            module: "/m.so".into(),
            token_label: token.to_owned(),
            token_serial: None,
            pin: SecretSource::Env("PIN".to_owned()),
            key_label: key.map(str::to_owned),
            deadline_ms: default_deadline_ms(),
            sessions: default_sessions(),
            token_makes_nonce: false,
        }
    }

    #[test]
    fn a_key_label_names_its_environment() {
        let environment: EnvironmentId = "env-a".parse().unwrap();
        for (label, wanted) in [
            (None, "halfkey-env-a"),
            (Some("halfkey-env-a"), "halfkey-env-a"),
            (Some("halfkey-env-a.2"), "halfkey-env-a.2"),
        ] {
            let label = config("t", label).key_label_for(&environment);
            assert_eq!(label.unwrap(), wanted);
        }
        for label in [
            "",
            "env-a",
            "halfkey-env",
            "halfkey-env-ab",
            "halfkey-env-a-b",
            "x.halfkey-env-a",
        ] {
            let refused = config("t", Some(label)).key_label_for(&environment);
            assert!(matches!(refused, Err(Error::Environment { .. })), "{label}");
        }
        for label in [
            "halfkey-env-a.",
            "halfkey-env-a.a b",
            "halfkey-env-a.a/b",
            "halfkey-env-a.ä",
        ] {
            let refused = config("t", Some(label)).key_label_for(&environment);
            assert!(matches!(refused, Err(Error::Config(_))), "{label}");
        }
    }

    #[test]
    fn a_uri_has_no_blanks_and_tells_labels_apart() {
        let uri = |token: &str| config(token, None).uri("halfkey-e").unwrap();
        assert_eq!(uri("hsm-1"), "pkcs11:hsm-1/halfkey-e");
        assert_eq!(uri("a b/c%20ü"), "pkcs11:a%20b%2Fc%2520%C3%BC/halfkey-e");
        for token in ["", &"a".repeat(33)] {
            let refused = config(token, None).uri("halfkey-e");
            assert!(matches!(refused, Err(Error::Config(_))));
        }
    }

    #[test]
    fn config_rejects_unknown_fields_and_a_pin_in_the_clear() {
        let sound = "module = '/m.so'\ntoken_label = 't'\npin = { env = 'PIN' }\n";
        assert_eq!(
            toml::from_str::<Pkcs11Config>(sound).unwrap(),
            config("t", None)
        );
        for wrong in [
            format!("{sound}slot = 1\n"),
            sound.replace("{ env = 'PIN' }", "'1234'"),
            sound.replace("env =", "value ="),
        ] {
            assert!(toml::from_str::<Pkcs11Config>(&wrong).is_err(), "{wrong}");
        }
    }
}
