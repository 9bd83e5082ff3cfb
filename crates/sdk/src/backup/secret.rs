//! What protects a backup: the customer's password, or a recovery key that was drawn for it.

use halfkey_core::random::{CryptoRng, RngCore};
use halfkey_core::{EnvironmentId, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// In front of a recovery key's text, so that one is told from a password.
const PREFIX: &str = "hkr1_";
const KEY_LEN: usize = 32;
const CHECK_LEN: usize = 4;

/// 256 random bits in place of a password (custody rule 29). Its text is what stands in a file or
/// on paper: `hkr1_`, then base58 of the 32 bytes and the first 4 of a SHA-256 over them, so that a
/// slip of the pen is found before anything is tried. Used wherever a password is.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryKey(SecretString);

halfkey_core::redacted_debug!(RecoveryKey);

impl RecoveryKey {
    /// A new one.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut bytes = Zeroizing::new([0_u8; KEY_LEN + CHECK_LEN]);
        let (key, check) = bytes.split_at_mut(KEY_LEN);
        rng.fill_bytes(key);
        check.copy_from_slice(&checksum(key));
        let text = Zeroizing::new(bs58::encode(&*bytes).into_string());
        Self(SecretString::new([PREFIX, text.as_str()].concat()))
    }

    /// The text to keep. Whoever has it and the blobs has the customer's shares.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

fn checksum(key: &[u8]) -> [u8; CHECK_LEN] {
    let mut hasher = Sha256::new_with_prefix(b"halfkey-recovery-key-v1");
    hasher.update(key);
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// Whether a text that says it is a recovery key is one.
fn is_whole(text: &str) -> bool {
    let mut bytes = Zeroizing::new([0_u8; KEY_LEN + CHECK_LEN]);
    let decoded = bs58::decode(text).onto(bytes.as_mut_slice());
    let (key, check) = bytes.split_at(KEY_LEN);
    decoded == Ok(KEY_LEN + CHECK_LEN) && checksum(key) == *check
}

/// A password, or the text of a recovery key, that was looked at before it is used.
#[derive(Clone)]
pub(crate) struct BackupSecret {
    text: SecretString,
    is_public: bool,
}

halfkey_core::redacted_debug!(BackupSecret);

impl BackupSecret {
    /// To protect a new backup with.
    ///
    /// # Errors
    /// [`Error::PasswordRequired`] when it is empty, [`Error::PasswordRefused`] when it is the
    /// environment id, which everybody knows (custody rule 29).
    pub(crate) fn for_writing(text: &str, environment: &EnvironmentId) -> Result<Self> {
        let secret = Self::for_reading(text, environment)?;
        if secret.is_public {
            return Err(Error::PasswordRefused);
        }
        Ok(secret)
    }

    /// To open an existing backup with; the environment id is taken, since such backups exist.
    ///
    /// # Errors
    /// [`Error::PasswordRequired`] when it is empty, [`Error::InvalidArgument`] for a mistyped
    /// recovery key.
    pub(crate) fn for_reading(text: &str, environment: &EnvironmentId) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::PasswordRequired);
        }
        let trimmed = text.trim();
        let text = match trimmed.strip_prefix(PREFIX) {
            Some(key) if is_whole(key) => trimmed,
            Some(_) => {
                return Err(Error::InvalidArgument(
                    "the recovery key is mistyped or cut off: its checksum does not fit".to_owned(),
                ));
            }
            None => text,
        };
        Ok(Self {
            text: SecretString::from(text),
            is_public: trimmed.eq_ignore_ascii_case(environment.as_str()),
        })
    }

    /// What one published SDK takes where it was given no password.
    pub(crate) fn public(environment: &EnvironmentId) -> Self {
        Self {
            text: SecretString::from(environment.as_str()),
            is_public: true,
        }
    }

    /// Whether it keeps nobody out.
    pub(crate) const fn is_public(&self) -> bool {
        self.is_public
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.text.expose().as_bytes()
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts are ASCII")]
mod tests {
    use halfkey_core::random::os_rng;

    use super::*;

    fn environment() -> EnvironmentId {
        "Env-1".parse().unwrap()
    }

    #[test]
    fn a_recovery_key_is_taken_and_one_with_a_slip_is_not() {
        let key = RecoveryKey::generate(&mut os_rng());
        assert_ne!(key, RecoveryKey::generate(&mut os_rng()));
        let text = key.expose().to_owned();
        assert!(text.len() > PREFIX.len() + 40, "{} characters", text.len());
        let taken = BackupSecret::for_writing(&format!(" {text}\n"), &environment()).unwrap();
        assert_eq!(taken.expose(), text.as_bytes());
        let mut slips = vec![text[..text.len() - 1].to_owned(), format!("{text}1")];
        for at in [PREFIX.len(), PREFIX.len() + 20, text.len() - 1] {
            let other = if &text[at..=at] == "2" { "3" } else { "2" };
            slips.push([&text[..at], other, &text[at + 1..]].concat());
        }
        slips.push(PREFIX.to_owned());
        slips.push(format!("{PREFIX}0OIl"));
        for slip in slips {
            let refused = BackupSecret::for_reading(&slip, &environment());
            let Err(Error::InvalidArgument(why)) = refused else {
                panic!("{slip} was taken")
            };
            assert!(why.contains("mistyped"), "{why}");
            let shown = slip.len() > PREFIX.len() && why.contains(&slip[PREFIX.len()..]);
            assert!(!shown, "{why}");
        }
        assert_eq!(format!("{key:?} {taken:?}").matches("redacted").count(), 2);
    }

    #[test]
    fn nothing_and_the_environment_id_protect_no_backup() {
        for empty in ["", " ", "\n"] {
            let refused = BackupSecret::for_writing(empty, &environment());
            assert!(matches!(refused, Err(Error::PasswordRequired)));
            let refused = BackupSecret::for_reading(empty, &environment());
            assert!(matches!(refused, Err(Error::PasswordRequired)));
        }
        for public in ["Env-1", "env-1", " ENV-1\n"] {
            let refused = BackupSecret::for_writing(public, &environment());
            assert!(matches!(refused, Err(Error::PasswordRefused)), "{public}");
            let read = BackupSecret::for_reading(public, &environment()).unwrap();
            assert!(read.is_public());
        }
        let good = BackupSecret::for_writing("env-10", &environment()).unwrap();
        assert!(!good.is_public());
        // A password is taken as it is, blanks included.
        let blanks = BackupSecret::for_writing(" a b ", &environment()).unwrap();
        assert_eq!(blanks.expose(), b" a b ");
    }
}
