//! The keyring's file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use halfkey_core::{EnvironmentId, SecretString, UnixMillis};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Term;
use super::protection::{Form, Protection};
use crate::Error;
use crate::entropy::random_bytes;
use crate::envelope;
use crate::kms::aead_wrap::Kek;
use crate::private_file::{self, Replace};

const FORMAT: &str = "halfkey-keyring-v1";
/// Far more terms than yearly rotation ever makes.
pub(super) const MAX_TERMS: usize = 256;
const MAX_FILE_LEN: u64 = 256 * 1024;

/// What identifies a keyring.
pub(super) struct Header {
    pub(super) id: [u8; 16],
    pub(super) environment: EnvironmentId,
}

impl Header {
    pub(super) fn fresh(environment: EnvironmentId) -> Result<Self, Error> {
        Ok(Self {
            id: *random_bytes::<16>()?,
            environment,
        })
    }

    /// `label`, keyring, environment and term, unambiguously.
    pub(super) fn info(&self, label: &[u8], number: u32) -> Vec<u8> {
        let environment = self.environment.as_str().as_bytes();
        let len = u16::try_from(environment.len()).unwrap_or(u16::MAX);
        let parts = [
            label,
            &self.id,
            &len.to_be_bytes(),
            environment,
            &number.to_be_bytes(),
        ];
        parts.concat()
    }

    /// The key that wraps, from a term's secret.
    pub(super) fn wrap_key(&self, number: u32, secret: &[u8; 32]) -> Result<Kek, Error> {
        let mut key = Zeroizing::new([0_u8; 32]);
        let info = self.info(b"halfkey-keyring-wrap-v1", number);
        envelope::expand(secret, &self.id, &[&info], key.as_mut_slice())?;
        Kek::new(&key)
    }

    /// Public: shows that a term's secret is whole and stands in its own file.
    pub(super) fn check_value(&self, number: u32, secret: &[u8; 32]) -> Result<[u8; 16], Error> {
        let mut check = [0_u8; 16];
        let info = self.info(b"halfkey-keyring-check-v1", number);
        envelope::expand(secret, &self.id, &[&info], &mut check)?;
        Ok(check)
    }
}

/// The file's JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyringFile {
    format: String,
    id: String,
    environment: String,
    protection: Form,
    terms: Vec<TermFile>,
}

/// One term of it.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(super) struct TermFile {
    pub(super) term: u32,
    pub(super) created_at: i64,
    /// Hex: the key, or the key sealed under the passphrase.
    pub(super) key: String,
    /// Hex; only beside an unsealed key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) check: Option<String>,
}

/// A file and its digest.
pub(super) struct Loaded {
    pub(super) file: KeyringFile,
    pub(super) digest: [u8; 32],
}

impl KeyringFile {
    pub(super) fn new(header: &Header, protection: &Protection, terms: Vec<TermFile>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            id: hex::encode(header.id),
            environment: header.environment.to_string(),
            protection: protection.form().clone(),
            terms,
        }
    }

    /// Reads and checks mode, owner and form.
    pub(super) fn read(path: &Path) -> Result<Loaded, Error> {
        private_file::check_dir(&private_file::parent(path)?).map_err(as_keyring)?;
        let found = private_file::open(path).map_err(as_keyring)?;
        let file = found.ok_or_else(|| Error::Keyring(format!("no {}", path.display())))?;
        let capacity = file
            .metadata()
            .map_or(0, |found| found.len())
            .min(MAX_FILE_LEN);
        let capacity = usize::try_from(capacity)
            .unwrap_or_default()
            .saturating_add(64);
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(MAX_FILE_LEN)
            .read_to_end(&mut bytes)
            .map_err(|error| private_file::io_error("cannot read", path, &error))?;
        let digest = Sha256::digest(&*bytes).into();
        // The parser's own message could quote a key.
        let file: Self = serde_json::from_slice(&bytes).map_err(|_| damaged("not a keyring"))?;
        if file.format != FORMAT {
            return Err(damaged("its format is not halfkey-keyring-v1"));
        }
        Ok(Loaded { file, digest })
    }

    pub(super) fn header(&self) -> Result<Header, Error> {
        let mut id = [0_u8; 16];
        hex::decode_to_slice(&self.id, &mut id).map_err(|_| damaged("its id"))?;
        let environment = self
            .environment
            .parse()
            .map_err(|_| damaged("its environment"))?;
        Ok(Header { id, environment })
    }

    pub(super) fn unlock(&self, passphrase: Option<&SecretString>) -> Result<Protection, Error> {
        Protection::unlock(self.protection.clone(), passphrase)
    }

    /// Whether this is that keyring still, under that protection.
    pub(super) fn is_of(&self, header: &Header, protection: &Protection) -> Result<bool, Error> {
        let own = self.header()?;
        Ok(own.id == header.id
            && own.environment == header.environment
            && self.protection == *protection.form())
    }

    /// Opens every term; they are numbered 1, 2, 3 …
    pub(super) fn terms(
        &self,
        header: &Header,
        protection: &Protection,
    ) -> Result<Vec<Term>, Error> {
        if self.terms.is_empty() || self.terms.len() > MAX_TERMS {
            return Err(damaged("it has no term, or too many"));
        }
        let open = |(term, number): (&TermFile, u32)| {
            if term.term != number {
                return Err(damaged("its terms are not numbered from 1 up"));
            }
            let secret = protection.open_term(header, term)?;
            let wrap_key = header.wrap_key(number, &secret)?;
            Ok(Term {
                number,
                created_at: UnixMillis(term.created_at),
                wrap_key,
            })
        };
        self.terms.iter().zip(1_u32..).map(open).collect()
    }

    /// Adds a term.
    pub(super) fn push(&mut self, term: TermFile) -> Result<(), Error> {
        if self.terms.len() >= MAX_TERMS {
            return Err(Error::Keyring("it has too many terms".to_owned()));
        }
        self.terms.push(term);
        Ok(())
    }

    /// Writes a file that must not be there yet.
    pub(super) fn write_new(&self, path: &Path) -> Result<(), Error> {
        private_file::ensure_dir(&private_file::parent(path)?).map_err(as_keyring)?;
        if path.exists() {
            return Err(Error::Keyring(format!("{} exists already", path.display())));
        }
        let _lock = lock_beside(path)?;
        private_file::sweep(path)?;
        private_file::write_atomically(path, &self.encode()?, Replace::Never)
    }

    /// Takes the place of the file; returns its digest. The caller holds [`lock_beside`].
    pub(super) fn replace(&self, path: &Path) -> Result<[u8; 32], Error> {
        private_file::sweep(path)?;
        let bytes = self.encode()?;
        private_file::write_atomically(path, &bytes, Replace::Existing)?;
        Ok(Sha256::digest(&*bytes).into())
    }

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        // Room for all of it from the start: growing would leave copies of keys behind.
        let capacity = self.terms.len().saturating_mul(512).saturating_add(1024);
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        serde_json::to_writer_pretty(&mut *bytes, self)
            .map_err(|_| Error::permanent("the keyring cannot be written as JSON"))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Holds off other processes that would change the keyring, until dropped.
pub(super) fn lock_beside(path: &Path) -> Result<File, Error> {
    let dir = private_file::parent(path)?;
    let dir_file = open_dir(&dir)?;
    rustix::fs::flock(&dir_file, FlockOperation::LockExclusive)
        .map_err(|error| private_file::io_error("cannot lock", &dir, &error.into()))?;
    Ok(dir_file)
}

/// Removes what a change that died left beside the keyring: keys are in it. Left to the next time
/// when somebody changes the keyring right now, or when this user may only read here.
pub(super) fn sweep_beside(path: &Path) -> Result<(), Error> {
    let dir_file = open_dir(&private_file::parent(path)?)?;
    if rustix::fs::flock(&dir_file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && let Err(error) = private_file::sweep(path)
    {
        tracing::warn!(%error, "what an earlier change of the keyring left was not removed");
    }
    Ok(())
}

fn open_dir(dir: &Path) -> Result<File, Error> {
    File::open(dir).map_err(|error| private_file::io_error("cannot open", dir, &error))
}

fn damaged(why: &str) -> Error {
    Error::Keyring(format!("the file is damaged: {why}"))
}

/// A loose mode on a keyring is an error of the keyring.
fn as_keyring(error: Error) -> Error {
    match error {
        Error::Permissions(why) => Error::Keyring(why),
        other => other,
    }
}
