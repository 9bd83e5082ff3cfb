use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use halfkey_core::SecretString;
use zeroize::Zeroizing;

use crate::recipient_key::rejected;
use crate::{Error, RecipientKey, Result, pem};

const WHAT: &str = "the private key";
const LABEL: &str = "PRIVATE KEY";

/// A delegate's RSA private key.
pub struct PrivateKey {
    key: PrivateDecryptingKey,
}

halfkey_core::redacted_debug!(PrivateKey);

impl PrivateKey {
    /// Draws a key of 3072 bits, by the C library's own generator.
    ///
    /// # Errors
    /// [`Error::Bug`] when that fails.
    pub fn generate() -> Result<Self> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa3072);
        let key = key.map_err(|_| Error::Bug("an RSA key can be drawn"))?;
        Ok(Self { key })
    }

    /// Reads one `PRIVATE KEY` block (PKCS#8, RFC 7468 section 10).
    ///
    /// # Errors
    /// Says what kind of key would have been accepted; [`Error::KeyTooShort`] below 2048 bits.
    pub fn from_pem(text: &str) -> Result<Self> {
        match pem::label(text) {
            Some("RSA PRIVATE KEY") => {
                let expected = "PKCS#8";
                return Err(Error::Pkcs1 {
                    what: WHAT,
                    expected,
                });
            }
            Some("ENCRYPTED PRIVATE KEY") => return Err(Error::EncryptedPrivateKey),
            _ => {}
        }
        let der = pem::decode(text, LABEL).ok_or(Error::NotPem {
            what: WHAT,
            expected: LABEL,
        })?;
        let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(|why| rejected(&why, WHAT))?;
        Ok(Self { key })
    }

    /// The key as one `PRIVATE KEY` block.
    ///
    /// # Errors
    /// [`Error::Bug`] when it has no encoding.
    pub fn to_pem(&self) -> Result<SecretString> {
        let der: Pkcs8V1Der<'_> = self
            .key
            .as_der()
            .map_err(|_| Error::Bug("a private key has an encoding"))?;
        let mut text = pem::encode(der.as_ref(), LABEL);
        Ok(SecretString::new(core::mem::take(&mut *text)))
    }

    /// The public half.
    ///
    /// # Errors
    /// [`Error::Bug`] when it has no encoding.
    pub fn recipient_key(&self) -> Result<RecipientKey> {
        RecipientKey::new(self.key.public_key())
    }

    /// Unwraps a content key of 32 bytes (RFC 8017, 7.1.2).
    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let oaep = OaepPrivateDecryptingKey::new(self.key.clone())
            .map_err(|_| Error::Bug("the private key decrypts"))?;
        if wrapped.len() != oaep.key_size_bytes() {
            return Err(Error::Length("ek"));
        }
        let mut buffer = Zeroizing::new(vec![0; oaep.min_output_size()]);
        let content = oaep
            .decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut buffer, None)
            .map_err(|_| Error::WrongKey)?;
        let content = <[u8; 32]>::try_from(&*content).map_err(|_| Error::WrongKey)?;
        Ok(Zeroizing::new(content))
    }
}
