//! What an index row holds in place of a sealed record (`SPEC.md`, section 9).

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Layout;
use crate::store::secret::SecretId;

const MAGIC: [u8; 4] = *b"HKP1";
/// Magic, layout, secret id, digest.
const LEN: usize = 4 + 1 + 16 + 32;

/// The bytes of a layout.
const SEALED_IN_SECRET: u8 = 1;
const DEK_IN_SECRET_MANAGER: u8 = 2;

/// Which secret belongs to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) layout: Layout,
    pub(super) secret: SecretId,
    digest: [u8; 32],
}

/// Whether a row begins as a pointer does.
pub(super) fn is_pointer(row: &[u8]) -> bool {
    row.starts_with(&MAGIC)
}

impl Pointer {
    /// A pointer at the secret `id` with that `value`.
    pub(super) fn at(layout: Layout, secret: SecretId, value: &[u8]) -> Self {
        Self {
            layout,
            secret,
            digest: Sha256::digest(value).into(),
        }
    }

    /// The row: pointer and, in the layout that has one, body.
    pub(super) fn row(&self, body: &[u8]) -> Vec<u8> {
        let layout = match self.layout {
            Layout::SealedInSecret => SEALED_IN_SECRET,
            Layout::DekInSecretManager => DEK_IN_SECRET_MANAGER,
        };
        [
            &MAGIC[..],
            &[layout],
            self.secret.as_bytes(),
            &self.digest,
            body,
        ]
        .concat()
    }

    /// Takes a row apart: the pointer, and the body behind it.
    pub(super) fn parse(row: &[u8]) -> Result<(Self, &[u8]), &'static str> {
        const SHORT: &str = "its pointer into the secret manager is cut";
        let (head, body) = row.split_first_chunk::<LEN>().ok_or(SHORT)?;
        let rest = head.strip_prefix(&MAGIC).ok_or("its row is no pointer")?;
        let (layout, rest) = rest.split_first().ok_or(SHORT)?;
        let layout = match *layout {
            SEALED_IN_SECRET if body.is_empty() => Layout::SealedInSecret,
            SEALED_IN_SECRET => return Err("something stands behind its pointer"),
            DEK_IN_SECRET_MANAGER => Layout::DekInSecretManager,
            _ => return Err("the layout of its pointer is not known"),
        };
        let (secret, rest) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
        let digest = rest.try_into().map_err(|_| SHORT)?;
        let pointer = Self {
            layout,
            secret: SecretId::from_bytes(*secret),
            digest,
        };
        Ok((pointer, body))
    }

    /// Whether `value` is what the pointer was made for; in constant time.
    pub(super) fn fits(&self, value: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(value).into();
        digest.ct_eq(&self.digest).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SecretId {
        SecretId::from_bytes(core::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    /// Frozen: a row of this form opens for ever.
    #[test]
    fn golden_pointers_are_written_and_read_the_same() {
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let secret = "000102030405060708090a0b0c0d0e0f";
        for (layout, byte, body) in [
            (Layout::SealedInSecret, "01", ""),
            (Layout::DekInSecretManager, "02", "626f6479"),
        ] {
            let row = hex::decode(format!("484b5031{byte}{secret}{digest}{body}")).unwrap();
            let body = hex::decode(body).unwrap();
            let pointer = Pointer::at(layout, id(), b"abc");
            assert_eq!(pointer.row(&body), row);
            assert_eq!(Pointer::parse(&row), Ok((pointer, &*body)));
        }
    }

    #[test]
    fn a_pointer_fits_one_value_only() {
        let pointer = Pointer::at(Layout::SealedInSecret, id(), b"abc");
        assert!(pointer.fits(b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(!pointer.fits(other));
        }
    }

    #[test]
    fn parse_rejects_what_is_cut_longer_or_unknown() {
        let row = Pointer::at(Layout::SealedInSecret, id(), b"abc").row(b"");
        for len in 0..row.len() {
            assert!(Pointer::parse(&row[..len]).is_err(), "{len}");
        }
        assert!(Pointer::parse(&[&row[..], b"x"].concat()).is_err());
        for layout in [0, 3, 0xFF] {
            let mut other = row.clone();
            other[4] = layout;
            assert!(Pointer::parse(&other).is_err());
        }
        let mut other = row;
        other[3] = b'2';
        assert!(Pointer::parse(&other).is_err() && !is_pointer(&other));
    }
}
