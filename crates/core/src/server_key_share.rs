//! The customer-side half of a key, in the published form.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{ParseError, SecretBytes};

/// Secret MPC key material of one customer party. Belongs in the vault tier.
///
/// serde works because the type must be persisted; `Debug` is redacted, there is no `Display`,
/// memory is wiped on drop and equality is constant-time.
///
/// # Security
/// Together with an API token this gives signing authority over the wallet.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct ServerKeyShare {
    /// Which share this is (a UUID as text).
    pub key_share_id: String,
    /// Unpadded base64url of the versioned binary share encoding.
    pub secret_share: String,
    /// The group public key as lower-case hex, where known.
    #[serde(default)]
    pub pub_key: Option<String>,
}

impl ServerKeyShare {
    /// A share from its published parts.
    pub fn new(key_share_id: impl Into<String>, secret_share: impl Into<String>) -> Self {
        Self {
            key_share_id: key_share_id.into(),
            secret_share: secret_share.into(),
            pub_key: None,
        }
    }

    /// The same share with its group public key named.
    #[must_use]
    pub fn with_pub_key(mut self, pub_key: impl Into<String>) -> Self {
        self.pub_key = Some(pub_key.into());
        self
    }

    /// A share from the binary share encoding.
    pub fn from_encoded(key_share_id: impl Into<String>, encoded: &SecretBytes) -> Self {
        Self::new(key_share_id, URL_SAFE_NO_PAD.encode(encoded.expose()))
    }

    /// The binary share encoding inside `secret_share`.
    ///
    /// # Errors
    /// When `secret_share` is not unpadded base64url.
    pub fn decode_secret(&self) -> Result<SecretBytes, ParseError> {
        URL_SAFE_NO_PAD
            .decode(self.secret_share.as_bytes())
            .map(SecretBytes::new)
            .map_err(|_| ParseError::new("secret_share", "unpadded base64url"))
    }

    /// The JSON form in a buffer that is wiped on drop.
    ///
    /// # Errors
    /// Never in practice; a serializer error is passed on.
    pub fn to_json(&self) -> Result<SecretBytes, serde_json::Error> {
        serde_json::to_vec(self).map(SecretBytes::new)
    }

    /// Parses the JSON form.
    ///
    /// # Errors
    /// Says that it is not a key share; the parser's own message could quote the secret.
    pub fn from_json(json: &[u8]) -> Result<Self, ParseError> {
        serde_json::from_slice(json)
            .map_err(|_| ParseError::new("key share", "JSON with key_share_id and secret_share"))
    }
}

impl fmt::Debug for ServerKeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKeyShare")
            .field("key_share_id", &self.key_share_id)
            .finish_non_exhaustive()
    }
}

impl PartialEq for ServerKeyShare {
    fn eq(&self, other: &Self) -> bool {
        let secret_equal = self
            .secret_share
            .as_bytes()
            .ct_eq(other.secret_share.as_bytes());
        bool::from(secret_equal)
            && self.key_share_id == other.key_share_id
            && self.pub_key == other.pub_key
    }
}

impl Eq for ServerKeyShare {}

/// Reads JSON bytes into a vector of shares, wiping the buffer afterwards.
///
/// # Errors
/// When the bytes are not a JSON array of shares.
pub fn shares_from_json(json: Vec<u8>) -> Result<Vec<ServerKeyShare>, ParseError> {
    let json = Zeroizing::new(json);
    serde_json::from_slice(&json)
        .map_err(|_| ParseError::new("key shares", "a JSON array of key shares"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_published_form_and_tolerates_unknown_fields() {
        let share = ServerKeyShare::new("id", "c2VjcmV0").with_pub_key("02ab");
        let json = String::from_utf8(share.to_json().unwrap().expose().to_vec()).unwrap();
        assert_eq!(
            json,
            r#"{"key_share_id":"id","secret_share":"c2VjcmV0","pub_key":"02ab"}"#
        );
        let parsed =
            ServerKeyShare::from_json(br#"{"key_share_id":"id","secret_share":"x","new":1}"#);
        assert_eq!(parsed.unwrap().pub_key, None);
    }

    #[test]
    fn neither_debug_nor_parse_errors_show_the_secret() {
        let share = ServerKeyShare::new("id", "c2VjcmV0");
        assert!(!format!("{share:?}").contains("c2VjcmV0"));
        let error = ServerKeyShare::from_json(br#"{"key_share_id":"id","secret_share":5}"#);
        assert!(!format!("{:?}", error.unwrap_err()).contains('5'));
    }

    #[test]
    fn a_150_kilobyte_share_round_trips() {
        let encoded = SecretBytes::new(vec![0xA5; 112_000]);
        let share = ServerKeyShare::from_encoded("id", &encoded);
        let again = ServerKeyShare::from_json(share.to_json().unwrap().expose()).unwrap();
        assert_eq!(again.decode_secret().unwrap(), encoded);
    }
}
