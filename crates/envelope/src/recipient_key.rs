use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result, pem};

const WHAT: &str = "the public key";
const LABEL: &str = "PUBLIC KEY";

/// A delegate's RSA public key: 2048 to 8192 bits.
#[derive(Clone)]
pub struct RecipientKey {
    key: PublicEncryptingKey,
    der: Vec<u8>,
}

impl RecipientKey {
    /// Reads one `PUBLIC KEY` block (X.509 `SubjectPublicKeyInfo`, RFC 7468 section 13).
    ///
    /// # Errors
    /// Says what kind of key would have been accepted; [`Error::KeyTooShort`] below 2048 bits.
    pub fn from_pem(text: &str) -> Result<Self> {
        match pem::label(text) {
            Some("RSA PUBLIC KEY") => {
                let expected = "SubjectPublicKeyInfo";
                return Err(Error::Pkcs1 {
                    what: WHAT,
                    expected,
                });
            }
            Some(label) if label.ends_with("PRIVATE KEY") => return Err(Error::PrivateKeyGiven),
            _ => {}
        }
        let der = pem::decode(text, LABEL).ok_or(Error::NotPem {
            what: WHAT,
            expected: LABEL,
        })?;
        Self::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let key = PublicEncryptingKey::from_der(der).map_err(|why| rejected(&why, WHAT))?;
        Self::new(key)
    }

    pub(crate) fn new(key: PublicEncryptingKey) -> Result<Self> {
        // One encoding per key: the fingerprint is of this one, whatever was read.
        let der = key
            .as_der()
            .map(|der: PublicKeyX509Der<'_>| der.as_ref().to_vec())
            .map_err(|_| Error::Bug("a public key has an encoding"))?;
        Ok(Self { key, der })
    }

    /// The key as one `PUBLIC KEY` block.
    pub fn to_pem(&self) -> String {
        pem::encode(&self.der, LABEL).to_string()
    }

    /// Its size in bits.
    pub fn bits(&self) -> usize {
        self.key.key_size_bits()
    }

    /// `sha256:` and SHA-256 of the key's `SubjectPublicKeyInfo`: what a customer compares with the
    /// delegate over another channel before anything is delegated.
    pub fn fingerprint(&self) -> String {
        format!("sha256:{}", self.digest())
    }

    /// The key's id in envelopes: the first 32 digits of its fingerprint.
    pub fn kid(&self) -> String {
        let mut digits = self.digest();
        digits.truncate(32);
        digits
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(&self.der))
    }

    /// Wraps a content key (RFC 8017, 7.1.1; SHA-256, MGF1 with SHA-256, no label).
    pub(crate) fn wrap(&self, content_key: &[u8]) -> Result<Vec<u8>> {
        let failed = |_| Error::Bug("RSA-OAEP takes a key of 32 bytes");
        let oaep = OaepPublicEncryptingKey::new(self.key.clone()).map_err(failed)?;
        let mut wrapped = vec![0; oaep.ciphertext_size()];
        let length = oaep
            .encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut wrapped, None)
            .map_err(failed)?
            .len();
        wrapped.truncate(length);
        Ok(wrapped)
    }
}

impl PartialEq for RecipientKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for RecipientKey {}

impl core::fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RecipientKey({})", self.fingerprint())
    }
}

/// What the library found wrong with a key.
pub(crate) fn rejected(why: &KeyRejected, what: &'static str) -> Error {
    match why.to_string().as_str() {
        "TooSmall" => Error::KeyTooShort,
        "TooLarge" => Error::KeyTooLong,
        _ => Error::NotRsa(what),
    }
}

/// Reads a fingerprint as [`RecipientKey::fingerprint`] prints it.
///
/// # Errors
/// [`Error::Fingerprint`].
pub fn fingerprint_from(text: &str) -> Result<String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.strip_prefix("sha256:").ok_or(Error::Fingerprint)?;
    let mut bytes = [0_u8; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| Error::Fingerprint)?;
    Ok(text)
}
