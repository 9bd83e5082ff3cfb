//! The local keyring: key-encryption keys in a file of the user's own, for one environment.
//!
//! Each *term* is one version of the KEK; the highest is used for new wraps, every earlier one
//! still unwraps. The file is 0600 in a 0700 directory and refused when it is looser; with a
//! passphrase its keys are themselves sealed (Argon2id). `SPEC.md` section 5 has the format.

mod file;
mod manager;
mod protection;
mod reload;
mod wrap;

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use halfkey_core::{Clock, EnvironmentId, SecretString, UnixMillis};

pub use self::manager::KeyringManager;

use self::file::{Header, KeyringFile, Loaded};
use self::protection::Protection;
use super::aead_wrap::Kek;
use crate::Error;
use crate::entropy::random_bytes;

/// The local keyring, opened.
pub struct Keyring {
    path: PathBuf,
    header: Header,
    uri: String,
    protection: Protection,
    state: RwLock<State>,
}

/// What adding a term changes.
struct State {
    /// Ascending by number, never empty.
    terms: Vec<Term>,
    /// SHA-256 of the file these terms came from.
    file_digest: [u8; 32],
}

/// One version of the KEK.
struct Term {
    number: u32,
    created_at: UnixMillis,
    wrap_key: Kek,
}

/// What can be shown of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermInfo {
    /// Its number, from 1.
    pub number: u32,
    /// When it was made.
    pub created_at: UnixMillis,
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keyring")
            .field("uri", &self.uri)
            .field("environment", &self.header.environment)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// Makes a keyring with one term at `path` (0600, in a 0700 directory that is made if absent).
    /// With a passphrase this takes about 0.2 s and 64 MiB.
    ///
    /// # Errors
    /// [`Error::Keyring`] when something stands there already or the directory is open to others,
    /// [`Error::Passphrase`] for an empty passphrase, [`Error::Full`].
    pub fn create(
        path: &Path,
        environment: &EnvironmentId,
        passphrase: Option<&SecretString>,
        clock: &dyn Clock,
    ) -> Result<Self, Error> {
        let header = Header::fresh(environment.clone())?;
        let protection = Protection::fresh(passphrase)?;
        let secret = random_bytes::<32>()?;
        let term = protection.seal_term(&header, 1, clock.now(), &secret)?;
        KeyringFile::new(&header, &protection, vec![term]).write_new(path)?;
        Self::open(path, environment, passphrase)
    }

    /// Opens the keyring at `path`. With a passphrase this takes about 0.2 s and 64 MiB.
    ///
    /// # Errors
    /// [`Error::Keyring`] when it is absent, damaged, or open to group or others,
    /// [`Error::Environment`] when it belongs to another environment, [`Error::Passphrase`] when
    /// the passphrase is wrong, missing or not wanted.
    pub fn open(
        path: &Path,
        environment: &EnvironmentId,
        passphrase: Option<&SecretString>,
    ) -> Result<Self, Error> {
        let Loaded { file, digest } = KeyringFile::read(path)?;
        let header = file.header()?;
        if header.environment != *environment {
            return Err(Error::Environment {
                what: "the keyring".to_owned(),
                found: header.environment.to_string(),
                expected: environment.to_string(),
            });
        }
        file::sweep_beside(path)?;
        let protection = file.unlock(passphrase)?;
        let terms = file.terms(&header, &protection)?;
        let uri = format!("keyring:{}", hex::encode(header.id));
        let state = RwLock::new(State {
            terms,
            file_digest: digest,
        });
        Ok(Self {
            path: path.to_owned(),
            header,
            uri,
            protection,
            state,
        })
    }

    /// Adds a term and makes it durable; new wraps use it at once. Returns its number. Blocks on
    /// the file; other processes read it again when they meet a record under the new term.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the file changed since it was opened, [`Error::Full`], or
    /// [`Error::Keyring`].
    pub fn add_term(&self, clock: &dyn Clock) -> Result<u32, Error> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let _lock = file::lock_beside(&self.path)?;
        let Loaded { mut file, digest } = KeyringFile::read(&self.path)?;
        if digest != state.file_digest {
            return Err(Error::Conflict(self.path.display().to_string()));
        }
        let newest = state.terms.last().map_or(0, |term| term.number);
        let number = newest
            .checked_add(1)
            .ok_or_else(|| Error::Keyring("too many terms".to_owned()))?;
        let created_at = clock.now();
        let secret = random_bytes::<32>()?;
        file.push(
            self.protection
                .seal_term(&self.header, number, created_at, &secret)?,
        )?;
        state.file_digest = file.replace(&self.path)?;
        let wrap_key = self.header.wrap_key(number, &secret)?;
        state.terms.push(Term {
            number,
            created_at,
            wrap_key,
        });
        Ok(number)
    }

    /// The keyring's id, drawn when it was made.
    pub const fn id(&self) -> &[u8; 16] {
        &self.header.id
    }

    /// `keyring:` and the id in hex: the KEK URI in records.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The environment whose records it wraps; it refuses every other.
    pub const fn environment(&self) -> &EnvironmentId {
        &self.header.environment
    }

    /// Whether its keys are sealed under a passphrase.
    pub const fn has_passphrase(&self) -> bool {
        self.protection.is_passphrase()
    }

    /// Its terms, ascending.
    pub fn terms(&self) -> Vec<TermInfo> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let info = |term: &Term| TermInfo {
            number: term.number,
            created_at: term.created_at,
        };
        state.terms.iter().map(info).collect()
    }

    /// The newest term's number and key.
    fn newest(&self) -> Result<(u32, Kek), Error> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let newest = state
            .terms
            .last()
            .map(|term| (term.number, term.wrap_key.clone()));
        newest.ok_or_else(|| Error::Keyring("it has no term".to_owned()))
    }

    /// The key of one term.
    fn term_key(&self, version: &str) -> Option<Kek> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let found = state
            .terms
            .iter()
            .find(|term| term.number.to_string() == version);
        found.map(|term| term.wrap_key.clone())
    }
}
