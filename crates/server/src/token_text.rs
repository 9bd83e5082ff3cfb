//! The text of a bearer secret: its prefix, 256 random bits as 64 hex digits, a 6-digit checksum.

use halfkey_core::SecretString;
use halfkey_core::random::{RngCore as _, os_rng};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// An API token.
pub(crate) const API_TOKEN: TokenText = TokenText("hk_");
/// A wallet's API key, which a delegate has.
pub(crate) const WALLET_KEY: TokenText = TokenText("hkw_");

/// One kind of bearer secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenText(&'static str);

const SECRET_DIGITS: usize = 64;
const CHECKSUM_DIGITS: usize = 6;

impl TokenText {
    /// What every text of this kind starts with.
    pub(crate) const fn prefix(self) -> &'static str {
        self.0
    }

    /// Draws one.
    pub(crate) fn generate(self) -> SecretString {
        let mut secret = Zeroizing::new([0_u8; 32]);
        os_rng().fill_bytes(secret.as_mut());
        let digits = Zeroizing::new(hex::encode(secret.as_ref()));
        let sum = checksum(&digits);
        SecretString::new([self.0, digits.as_str(), sum.as_str()].concat())
    }

    /// SHA-256 of a text, which is all that is kept of it; `None` when it is none of this kind at
    /// all (a slip of the hand is caught by the checksum before any look-up).
    pub(crate) fn hash(self, text: &str) -> Option<[u8; 32]> {
        let rest = text.strip_prefix(self.0)?;
        let (digits, sum) = rest.split_at_checked(SECRET_DIGITS)?;
        let well_formed =
            sum.len() == CHECKSUM_DIGITS && is_lower_hex(digits) && checksum(digits) == sum;
        well_formed.then(|| Sha256::digest(text).into())
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The first digits of a hash that is not the one kept at rest.
fn checksum(digits: &str) -> String {
    let mut hasher = Sha256::new_with_prefix(b"halfkey-token-checksum-v1");
    hasher.update(digits);
    let mut text = hex::encode(hasher.finalize());
    text.truncate(CHECKSUM_DIGITS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_rejects_every_single_digit_slip() {
        let generate = || API_TOKEN.generate();
        let hash = |text: &str| API_TOKEN.hash(text);
        let token = generate();
        let token = token.expose();
        assert_eq!(token.len(), 73);
        assert!(hash(token).is_some());
        for at in 0..token.len() {
            let mut slipped = token.as_bytes().to_vec();
            slipped[at] = if slipped[at] == b'0' { b'1' } else { b'0' };
            // One in 2^24 slips keeps the checksum; none may keep the hash.
            let slipped = String::from_utf8(slipped).unwrap();
            assert_ne!(hash(&slipped), hash(token), "digit {at}");
        }
        assert_eq!(hash(&token.to_uppercase()), None);
        assert_eq!(hash(token.split_at(72).0), None);
        assert_eq!(hash("hk_"), None);
        assert_eq!(hash(WALLET_KEY.generate().expose()), None);
        assert_eq!(WALLET_KEY.hash(generate().expose()), None);
        assert_eq!(hash(&format!("hk_{}", "é".repeat(35))), None);
    }
}
