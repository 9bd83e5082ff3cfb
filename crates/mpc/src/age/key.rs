//! Keys in their text form (Bech32, BIP-173).

use core::fmt;
use core::str::FromStr;

use bech32::{Bech32, Hrp};
use rand_core::{CryptoRng, RngCore};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

use crate::Error;

const PUBLIC: &str = "age";
const SECRET: &str = "age-secret-key-";

/// A public key that files are encrypted to: `age1…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recipient([u8; 32]);

/// The secret key behind a [`Recipient`]: `AGE-SECRET-KEY-1…`. Wiped on drop.
#[derive(Clone)]
pub struct Identity(StaticSecret);

halfkey_core::redacted_debug!(Identity);

impl Recipient {
    pub(super) fn public(&self) -> PublicKey {
        PublicKey::from(self.0)
    }

    /// The point (RFC 7748).
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = Error;

    /// # Errors
    /// [`Error::Caller`] for anything but an X25519 recipient, and for a key of low order, to which
    /// everybody could decrypt.
    fn from_str(text: &str) -> Result<Self, Error> {
        const BAD: Error = Error::Caller("a recipient is an X25519 key as age writes it: age1…");
        let point = read(PUBLIC, text).ok_or(BAD)?;
        let any = StaticSecret::from([1; 32]);
        if !any
            .diffie_hellman(&PublicKey::from(*point))
            .was_contributory()
        {
            return Err(Error::Caller("the recipient's key is of low order"));
        }
        Ok(Self(*point))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hrp = Hrp::parse_unchecked(PUBLIC);
        bech32::encode_to_fmt::<Bech32, _>(f, hrp, &self.0).map_err(|_| fmt::Error)
    }
}

impl Identity {
    /// Draws one.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        Self(StaticSecret::random_from_rng(rng))
    }

    /// The public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0).to_bytes())
    }

    pub(super) const fn secret(&self) -> &StaticSecret {
        &self.0
    }
}

impl FromStr for Identity {
    type Err = Error;

    /// Of an identity file's text: the one line that is neither empty nor a comment.
    ///
    /// # Errors
    /// [`Error::Caller`] for anything but one X25519 identity.
    fn from_str(text: &str) -> Result<Self, Error> {
        const BAD: Error =
            Error::Caller("an identity is an X25519 key as age writes it: AGE-SECRET-KEY-1…");
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(BAD);
        };
        let secret = read(SECRET, line).ok_or(BAD)?;
        Ok(Self(StaticSecret::from(*secret)))
    }
}

/// 32 bytes behind this prefix.
fn read(prefix: &str, text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let (hrp, mut bytes) = bech32::decode(text).ok()?;
    // Bech32m has another checksum and is no age key.
    let is_bech32 = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text).is_ok();
    let fits = is_bech32 && hrp.to_lowercase() == prefix;
    let found = <[u8; 32]>::try_from(bytes.as_slice()).ok();
    bytes.zeroize();
    found.filter(|_| fits).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair that `age-keygen` printed; nothing was ever encrypted to it.
    const SECRET_KEY: &str =
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    const PUBLIC_KEY: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    #[test]
    fn keys_are_read_and_written_as_age_writes_them() {
        let identity: Identity = SECRET_KEY.parse().unwrap();
        assert_eq!(identity.recipient().to_string(), PUBLIC_KEY);
        let recipient: Recipient = PUBLIC_KEY.parse().unwrap();
        assert_eq!(recipient, identity.recipient());
        let file = format!("# created: long ago\n# public key: {PUBLIC_KEY}\n{SECRET_KEY}\n\n");
        let read: Identity = file.parse().unwrap();
        assert_eq!(read.recipient(), recipient);
        assert_eq!(format!("{read:?}"), "Identity(redacted)");
    }

    #[test]
    fn other_texts_are_no_keys_and_are_not_shown() {
        let hrp = Hrp::parse_unchecked(PUBLIC);
        let low_order = bech32::encode::<Bech32>(hrp, &[0; 32]).unwrap();
        let bech32m = bech32::encode::<bech32::Bech32m>(hrp, &[9; 32]).unwrap();
        let short = bech32::encode::<Bech32>(hrp, &[9; 31]).unwrap();
        for bad in [
            "",
            "age1",
            SECRET_KEY,
            &PUBLIC_KEY.replace("wj", "wk"),
            &low_order,
            &bech32m,
            &short,
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDk=",
        ] {
            let error = bad.parse::<Recipient>().unwrap_err().to_string();
            assert!(bad.len() < 5 || !error.contains(bad), "{error}");
        }
        let two = format!("{SECRET_KEY}\n{SECRET_KEY}\n");
        for bad in [
            "",
            "# nothing",
            PUBLIC_KEY,
            &two,
            &SECRET_KEY.replace("EX", "EY"),
        ] {
            let error = bad.parse::<Identity>().unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
    }
}
