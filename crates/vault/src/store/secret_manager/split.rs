//! What of the bytes of a write goes where.

use super::pointer::{self, Pointer};
use super::{Layout, SecretManagerRecords};
use crate::envelope::MAGIC;
use crate::store::secret::SecretId;
use crate::{Error, SealedRecord};

/// A write, ready to be made.
pub(super) struct Split<'a> {
    /// The secret to make, with its value; none for a plain row.
    pub(super) secret: Option<(SecretId, &'a [u8])>,
    /// The row to set.
    pub(super) row: Vec<u8>,
}

impl SecretManagerRecords {
    /// Takes a sealed record apart by the layout; leaves everything else whole. Checks the limit
    /// of the secret manager, before anything is sent.
    pub(super) fn split<'a>(&self, bytes: &'a [u8]) -> Result<Split<'a>, Error> {
        if pointer::is_pointer(bytes) {
            return Err(Error::Caller("a row must not begin as a pointer does"));
        }
        if !bytes.starts_with(&MAGIC) {
            return Ok(Split {
                secret: None,
                row: bytes.to_vec(),
            });
        }
        let record = SealedRecord::from_bytes(bytes)
            .map_err(|_| Error::Caller("what begins as a sealed record is none"))?;
        let body_len = match self.layout {
            Layout::SealedInSecret => 0,
            Layout::DekInSecretManager => record.parts().body.len(),
        };
        let (value, body) = bytes
            .split_at_checked(bytes.len().saturating_sub(body_len))
            .ok_or(Error::Caller("a record is shorter than its body"))?;
        self.check_limit(value)?;
        let id = SecretId::generate()?;
        Ok(Split {
            secret: Some((id, value)),
            row: Pointer::at(self.layout, id, value).row(body),
        })
    }

    fn check_limit(&self, value: &[u8]) -> Result<(), Error> {
        let limit = self.secrets.limit();
        if value.len() <= limit {
            return Ok(());
        }
        let what = match self.layout {
            Layout::SealedInSecret => {
                "a sealed record for this secret manager \
                 (layout = \"dek-in-secret-manager\" takes longer ones)"
            }
            Layout::DekInSecretManager => "the header and wrapped keys of a sealed record",
        };
        Err(Error::TooLarge {
            what,
            len: value.len(),
            limit,
        })
    }
}
