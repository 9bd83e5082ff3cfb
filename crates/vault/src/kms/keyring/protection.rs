//! How the keys in the file are protected: by its mode alone, or by a passphrase besides.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use halfkey_core::{SecretString, UnixMillis};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::file::{Header, TermFile};
use crate::Error;
use crate::entropy::random_bytes;
use crate::envelope::{self, AeadKey};

/// Argon2id as written: 64 MiB, 3 passes, 1 lane.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// The most a file may ask for; checked before anything is computed.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 4;

/// What a term's wrap key is made of.
type Secret = Zeroizing<[u8; 32]>;

/// The protection as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Form {
    /// The file's mode is all there is.
    None,
    /// Argon2id (RFC 9106), version 0x13.
    Argon2id {
        /// In KiB.
        memory_kib: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes.
        lanes: u32,
        /// 16 bytes in hex.
        salt: String,
    },
}

/// The protection, ready for use.
pub(super) struct Protection {
    form: Form,
    /// The key from the passphrase.
    key: Option<AeadKey>,
}

impl Protection {
    /// The protection of a new keyring.
    pub(super) fn fresh(passphrase: Option<&SecretString>) -> Result<Self, Error> {
        let form = match passphrase {
            None => Form::None,
            Some(_) => Form::Argon2id {
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                lanes: LANES,
                salt: hex::encode(*random_bytes::<16>()?),
            },
        };
        Self::unlock(form, passphrase)
    }

    /// Derives the key, after checking that the parameters are neither weak nor a way to burn
    /// memory and time.
    pub(super) fn unlock(form: Form, passphrase: Option<&SecretString>) -> Result<Self, Error> {
        let key = match (&form, passphrase) {
            (Form::None, None) => None,
            (Form::None, Some(_)) => {
                return Err(Error::Passphrase("one was given, but the keyring has none"));
            }
            (Form::Argon2id { .. }, None) => {
                return Err(Error::Passphrase("the keyring needs one"));
            }
            (Form::Argon2id { .. }, Some(given)) if given.is_empty() => {
                return Err(Error::Passphrase("it is empty"));
            }
            (
                Form::Argon2id {
                    memory_kib,
                    passes,
                    lanes,
                    salt,
                },
                Some(given),
            ) => {
                let params = bounded(*memory_kib, *passes, *lanes)?;
                let mut bytes = [0_u8; 16];
                hex::decode_to_slice(salt, &mut bytes)
                    .map_err(|_| damaged("the salt is not 16 bytes in hex"))?;
                Some(stretch(params, given, &bytes)?)
            }
        };
        Ok(Self { form, key })
    }

    pub(super) const fn form(&self) -> &Form {
        &self.form
    }

    pub(super) const fn is_passphrase(&self) -> bool {
        self.key.is_some()
    }

    /// The entry of a new term.
    pub(super) fn seal_term(
        &self,
        header: &Header,
        number: u32,
        created_at: UnixMillis,
        secret: &[u8; 32],
    ) -> Result<TermFile, Error> {
        let (key, check) = match &self.key {
            None => {
                let check = header.check_value(number, secret)?;
                (hex::encode(secret), Some(hex::encode(check)))
            }
            Some(key) => {
                let nonce = *random_bytes::<12>()?;
                let aad = self.associated_data(header, number, created_at);
                let sealed = envelope::seal(key, nonce, &aad, secret)?;
                (hex::encode([nonce.as_slice(), &sealed].concat()), None)
            }
        };
        Ok(TermFile {
            term: number,
            created_at: created_at.0,
            key,
            check,
        })
    }

    /// The secret of a term in the file.
    pub(super) fn open_term(&self, header: &Header, term: &TermFile) -> Result<Secret, Error> {
        match &self.key {
            None => {
                let mut secret = Zeroizing::new([0_u8; 32]);
                hex::decode_to_slice(&term.key, secret.as_mut_slice())
                    .map_err(|_| damaged("a key is not 32 bytes in hex"))?;
                let check = hex::encode(header.check_value(term.term, &secret)?);
                if term.check.as_deref() != Some(check.as_str()) {
                    return Err(damaged("a key does not fit its check value"));
                }
                Ok(secret)
            }
            Some(key) => {
                let mut sealed = [0_u8; 60];
                hex::decode_to_slice(&term.key, &mut sealed)
                    .map_err(|_| damaged("a sealed key is not 60 bytes in hex"))?;
                let wrong = || Error::Passphrase("it is wrong, or the keyring was altered");
                let (nonce, sealed) = sealed.split_first_chunk::<12>().ok_or_else(wrong)?;
                let created_at = UnixMillis(term.created_at);
                let aad = self.associated_data(header, term.term, created_at);
                let opened = envelope::open(key, *nonce, &aad, sealed).ok_or_else(wrong)?;
                opened
                    .expose()
                    .try_into()
                    .map(Zeroizing::new)
                    .map_err(|_| wrong())
            }
        }
    }

    /// Everything the file says about a sealed term, so that none of it can be changed.
    fn associated_data(&self, header: &Header, number: u32, created_at: UnixMillis) -> Vec<u8> {
        let mut aad = header.info(b"halfkey-keyring-term-v1", number);
        aad.extend_from_slice(&created_at.0.to_be_bytes());
        if let Form::Argon2id {
            memory_kib,
            passes,
            lanes,
            salt,
        } = &self.form
        {
            for number in [memory_kib, passes, lanes] {
                aad.extend_from_slice(&number.to_be_bytes());
            }
            aad.extend_from_slice(salt.as_bytes());
        }
        aad
    }
}

fn damaged(why: &str) -> Error {
    Error::Keyring(format!("the file is damaged: {why}"))
}

fn bounded(memory_kib: u32, passes: u32, lanes: u32) -> Result<Params, Error> {
    let allowed = (MEMORY_KIB..=MAX_MEMORY_KIB).contains(&memory_kib)
        && (PASSES..=MAX_PASSES).contains(&passes)
        && (LANES..=MAX_LANES).contains(&lanes);
    let params = Params::new(memory_kib, passes, lanes, Some(32));
    params.ok().filter(|_| allowed).ok_or_else(|| {
        Error::Keyring("its Argon2id parameters are outside 64 MiB-1 GiB, 3-16, 1-4".to_owned())
    })
}

/// Argon2id into a key; its memory is wiped.
fn stretch(params: Params, passphrase: &SecretString, salt: &[u8]) -> Result<AeadKey, Error> {
    let mut memory = vec![Block::default(); params.block_count()];
    let mut key = Zeroizing::new([0_u8; 32]);
    let stretched = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            passphrase.expose().as_bytes(),
            salt,
            key.as_mut_slice(),
            &mut memory,
        );
    for block in &mut memory {
        block.as_mut().zeroize();
    }
    stretched.map_err(|_| Error::Passphrase("it cannot be used"))?;
    AeadKey::new(&key)
}
