//! The signatures of a message.

use aws_lc_rs::hkdf;
use aws_lc_rs::hmac;
use ed25519_dalek::SigningKey;
use halfkey_core::{EnvironmentId, SecretString, UnixMillis};
use http::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

/// HMAC-SHA-256 of the raw body, as published.
const PUBLISHED: HeaderName = HeaderName::from_static("x-dynamic-signature-256");
/// The same over the time of sending and the body: a copy of an old message shows.
const TIMED: HeaderName = HeaderName::from_static("x-halfkey-signature");

struct Secret;

impl hkdf::KeyType for Secret {
    fn len(&self) -> usize {
        32
    }
}

/// The secret of a webhook: `whsec_` and 64 hex digits. Derived from the environment's own secret,
/// so that no database holds it.
pub(crate) fn secret(
    identity: &SigningKey,
    environment: &EnvironmentId,
    webhook: &[u8; 16],
    version: u64,
) -> SecretString {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"halfkey-webhook-secret-v1");
    let seed = Zeroizing::new(identity.to_bytes());
    let info = [
        environment.as_str().as_bytes(),
        b"\0",
        webhook.as_slice(),
        &version.to_be_bytes(),
    ];
    let mut bytes = Zeroizing::new([0_u8; 32]);
    let derived = salt
        .extract(seed.as_ref())
        .expand(&info, Secret)
        .and_then(|okm| okm.fill(bytes.as_mut()));
    // 32 bytes are within what HKDF gives (RFC 5869, 2.3).
    debug_assert!(derived.is_ok());
    let digits = Zeroizing::new(hex::encode(bytes.as_ref()));
    SecretString::new(["whsec_", digits.as_str()].concat())
}

/// Both signatures of `body`, sent at `now`. The HMAC key is the text of the secret.
pub(super) fn headers(secret: &SecretString, now: UnixMillis, body: &[u8]) -> HeaderMap {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let published = hex::encode(hmac::sign(&key, body));
    let secs = now.as_secs().to_string();
    let timed = [secs.as_bytes(), b".", body].concat();
    let timed = hex::encode(hmac::sign(&key, &timed));
    let mut headers = HeaderMap::new();
    for (name, text) in [
        (PUBLISHED, format!("sha256={published}")),
        (TIMED, format!("t={secs},v1={timed}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_webhook_and_version_has_a_secret_of_its_own() {
        let identity = SigningKey::from_bytes(&[7; 32]);
        let environment: EnvironmentId = "env".parse().unwrap();
        let other: EnvironmentId = "env2".parse().unwrap();
        let one = secret(&identity, &environment, &[1; 16], 1);
        assert_eq!(one.expose().len(), 70);
        assert!(one == secret(&identity, &environment, &[1; 16], 1));
        for differs in [
            secret(&SigningKey::from_bytes(&[8; 32]), &environment, &[1; 16], 1),
            secret(&identity, &other, &[1; 16], 1),
            secret(&identity, &environment, &[2; 16], 1),
            secret(&identity, &environment, &[1; 16], 2),
        ] {
            assert!(one != differs);
        }
    }
}
