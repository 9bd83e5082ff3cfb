//! Encrypting a share for a backup, and opening one. Slow: see [`super::kdf`].

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use halfkey_core::random::{CryptoRng, RngCore};
use halfkey_core::{SecretBytes, ServerKeyShare};
use halfkey_mpc::KeyShare;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::blob::{Blob, IV_LEN, Kind, Sealing};
use super::bound::Bound;
use super::kdf::{self, Kdf, SALT_LEN};
use super::secret::BackupSecret;
use crate::sign::share;
use crate::{Error, Result};

/// Which version of the encrypted form is written. Every published one is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackupFormat {
    /// Argon2id (RFC 9106; 64 MiB, 3 passes), bound to environment, wallet, share and generation.
    #[default]
    V3,
    /// PBKDF2-HMAC-SHA256 with a million iterations, bound to nothing: for the published SDKs.
    V2,
}

impl BackupFormat {
    /// `v3` or `v2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "v3",
            Self::V2 => "v2",
        }
    }
}

impl core::str::FromStr for BackupFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "v3" => Ok(Self::V3),
            "v2" => Ok(Self::V2),
            _ => Err(Error::InvalidArgument(
                "a backup is written as v3 or v2".to_owned(),
            )),
        }
    }
}

/// The plaintext, with the published names.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
struct Plain {
    #[serde(default)]
    key_share_id: String,
    secret_share: String,
}

/// Encrypts one share.
pub(crate) fn seal(
    key_share: &KeyShare,
    secret: &BackupSecret,
    format: BackupFormat,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<String> {
    let encoded = share::encode(key_share)?;
    let plain = Plain {
        key_share_id: encoded.key_share_id.clone(),
        secret_share: encoded.secret_share.clone(),
    };
    // One allocation of the final size: growing would leave copies behind.
    let mut json = Vec::with_capacity(plain.secret_share.len().saturating_add(256));
    serde_json::to_writer(&mut json, &plain).map_err(|_| Error::Bug("a share does not encode"))?;
    let json = SecretBytes::new(json);
    let (mut salt, mut iv) = ([0_u8; SALT_LEN], [0_u8; IV_LEN]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut iv);
    let (key, kind, aad) = match format {
        BackupFormat::V2 => (kdf::V2.derive(secret, &salt)?, Kind::V2, Vec::new()),
        BackupFormat::V3 => {
            let costs = kdf::COSTS;
            let stretched = Kdf::Argon2id(costs).derive(secret, &salt)?;
            let (key, commitment) = split(&stretched, &salt)?;
            let bound = Bound::of(key_share);
            let aad = bound.associated_data(costs, &commitment);
            let sealing = Sealing {
                bound,
                costs,
                commitment,
            };
            (key, Kind::V3(Box::new(sealing)), aad)
        }
    };
    // With room for the tag: moving it would leave the plaintext behind.
    let room = json.len().saturating_add(AES_256_GCM.tag_len());
    let mut cipher = Vec::with_capacity(room);
    cipher.extend_from_slice(json.expose());
    cipher_of(&key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(iv),
            Aad::from(&aad),
            &mut cipher,
        )
        .map_err(|_| Error::Bug("a share does not encrypt"))?;
    let blob = Blob {
        salt,
        iv,
        cipher,
        kind,
    };
    blob.to_text()
}

/// Opens a blob.
///
/// # Errors
/// [`Error::WrongPassword`]; [`Error::BackupDamaged`] where it is known that the password is right.
pub(crate) fn open(blob: &Blob, secret: &BackupSecret) -> Result<ServerKeyShare> {
    let plain = match &blob.kind {
        Kind::V1 => unbound(blob, &kdf::V1.derive(secret, &blob.salt)?),
        Kind::V2 => unbound(blob, &kdf::V2.derive(secret, &blob.salt)?),
        Kind::PublishedV3 => {
            let mut opened = Err(Error::WrongPassword);
            for function in kdf::PUBLISHED_V3 {
                if opened.is_err() {
                    opened = unbound(blob, &function.derive(secret, &blob.salt)?);
                }
            }
            opened
        }
        Kind::V3(sealing) => {
            let stretched = Kdf::Argon2id(sealing.costs).derive(secret, &blob.salt)?;
            let (key, commitment) = split(&stretched, &blob.salt)?;
            if !bool::from(commitment.ct_eq(&sealing.commitment)) {
                return Err(Error::WrongPassword);
            }
            let aad = sealing.bound.associated_data(sealing.costs, &commitment);
            decrypt(blob, &key, &aad)
                .ok_or(Error::BackupDamaged("it was altered after it was sealed"))
        }
    }?;
    let mut plain: Plain = serde_json::from_slice(plain.expose())
        .map_err(|_| Error::BackupDamaged("it opens, but holds no share"))?;
    Ok(ServerKeyShare::new(
        core::mem::take(&mut plain.key_share_id),
        core::mem::take(&mut plain.secret_share),
    ))
}

/// Without associated data a wrong password and a damaged blob look the same.
fn unbound(blob: &Blob, key: &Zeroizing<[u8; 32]>) -> Result<SecretBytes> {
    decrypt(blob, key, &[]).ok_or(Error::WrongPassword)
}

fn decrypt(blob: &Blob, key: &Zeroizing<[u8; 32]>, aad: &[u8]) -> Option<SecretBytes> {
    let mut bytes = Zeroizing::new(blob.cipher.clone());
    let nonce = Nonce::assume_unique_for_key(blob.iv);
    let key = cipher_of(key).ok()?;
    let plain = key.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?;
    Some(SecretBytes::new(plain.to_vec()))
}

fn cipher_of(key: &Zeroizing<[u8; 32]>) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice());
    key.map(LessSafeKey::new)
        .map_err(|_| Error::Bug("a key of AES-256-GCM"))
}

/// Key and commitment of a `v3` blob: HKDF-SHA256 (RFC 5869) over what Argon2id gave. Without a
/// commitment a blob can be made that two passwords open, and each try of a customer would tell
/// its keeper much about the password.
fn split(
    stretched: &Zeroizing<[u8; 32]>,
    salt: &[u8; SALT_LEN],
) -> Result<(Zeroizing<[u8; 32]>, [u8; 32])> {
    let hkdf = Hkdf::<Sha256>::new(Some(salt), stretched.as_slice());
    let (mut key, mut commitment) = (Zeroizing::new([0_u8; 32]), [0_u8; 32]);
    let bug = |_| Error::Bug("the length of a derived key");
    hkdf.expand(b"halfkey-backup-v3 key", key.as_mut_slice())
        .map_err(bug)?;
    hkdf.expand(b"halfkey-backup-v3 commitment", &mut commitment)
        .map_err(bug)?;
    Ok((key, commitment))
}
