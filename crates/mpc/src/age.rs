//! Files that only the holder of an X25519 key opens, in the published age format (v1, armored, one
//! `X25519` recipient; specification: C2SP `age.md`). Every age tool opens them.
//!
//! Written here and not taken from a crate: the one there is brings some fifty packages, message
//! catalogues and pre-releases among them, into the process that holds the shares. Outside
//! implementations judge it in the tests.

mod armor;
mod header;
mod key;
mod payload;

pub use key::{Identity, Recipient};

use hkdf::Hkdf;
use rand_core::{CryptoRng, RngCore};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Error;

/// The key of one file.
type FileKey = Zeroizing<[u8; 16]>;

/// Encrypts `plaintext` to `recipient`, armored.
///
/// # Errors
/// [`Error::Caller`] when the recipient's key is of low order.
pub fn seal(
    recipient: &Recipient,
    plaintext: &[u8],
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<String, Error> {
    let mut file_key = FileKey::default();
    rng.fill_bytes(&mut *file_key);
    let mut file = header::write(recipient, &file_key, rng)?;
    payload::write(&file_key, plaintext, rng, &mut file)?;
    Ok(armor::write(&file))
}

/// Decrypts what was encrypted to `identity`.
///
/// # Errors
/// [`Error::Caller`] for anything but an armored age file, one for other recipients, and one that
/// was changed.
pub fn open(identity: &Identity, file: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = armor::read(file).ok_or(NOT_ONE)?;
    let (file_key, payload) = header::read(identity, &file)?;
    payload::read(&file_key, payload)
}

const NOT_ONE: Error = Error::Caller("not an armored age file");
const CHANGED: Error = Error::Caller("the age file was changed");

/// HKDF-SHA256 to 32 bytes.
fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info, &mut *key)
        .map_err(|_| Error::Bug("HKDF gives 32 bytes"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn what_was_sealed_opens_for_the_recipient_alone() {
        let (identity, other) = (
            Identity::generate(&mut OsRng),
            Identity::generate(&mut OsRng),
        );
        for length in [0, 1, 47, 65_535, 65_536, 65_537, 131_072, 140_000] {
            let plain: Vec<u8> = (0..=250).cycle().take(length).collect();
            let file = seal(&identity.recipient(), &plain, &mut OsRng).unwrap();
            assert_eq!(*open(&identity, &file).unwrap(), plain, "{length}");
            let error = open(&other, &file).unwrap_err();
            assert!(error.to_string().contains("another key"), "{error}");
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let identity = Identity::generate(&mut OsRng);
        let file = seal(&identity.recipient(), b"a key", &mut OsRng).unwrap();
        let bytes = armor::read(&file).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(open(&identity, &armor::write(&bad)).is_err(), "{at}");
        }
        for length in 0..bytes.len() {
            assert!(
                open(&identity, &armor::write(&bytes[..length])).is_err(),
                "{length}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(open(&identity, &armor::write(&longer)).is_err());
        for text in [
            "",
            "age-encryption.org/v1\n",
            file.strip_prefix('-').unwrap(),
            &file.replace("AGE", "PGP"),
        ] {
            assert!(open(&identity, text).is_err());
        }
    }
}
