//! Writing: the new secret, then the row, then the old secret goes.

use super::pointer::{self, Pointer};
use super::split::Split;
use super::{ROUNDS, SecretManagerRecords};
use crate::store::secret::SecretId;
use crate::tombstone::is_tombstone;
use crate::{Error, Expect, RecordName, Rev, Versioned};

impl SecretManagerRecords {
    pub(super) async fn write(
        &self,
        name: &RecordName,
        bytes: &[u8],
        expect: Expect,
    ) -> Result<Rev, Error> {
        let split = self.split(bytes)?;
        let mut created = false;
        for _ in 0..ROUNDS {
            let found = self.index.get(name).await?;
            // After a conflict that was with our own first try: whoever repeats a call for us hears
            // of one. Each secret has one row, so the row tells.
            if let (true, Some(found)) = (created, &found)
                && found.value == split.row
            {
                return Ok(found.rev);
            }
            let Some(at) = expected_now(expect, found.as_ref()) else {
                self.discard_made(&split, created, name).await;
                return Err(Error::Conflict(name.to_string()));
            };
            let mut old = found.and_then(|found| secret_of(&found.value, name));
            if is_tombstone(bytes)
                && let Some(shredded) = old.take()
            {
                // The beginning of a destruction: here a removal that fails must be heard of.
                self.secrets.remove(shredded).await?;
            }
            if let (Some((id, value)), false) = (split.secret, created) {
                self.secrets.create(id, name, value).await?;
                created = true;
                if old.is_some() {
                    self.must_read_back(id, value, name).await?;
                }
            }
            match self.index.put(name, &split.row, at).await {
                Ok(rev) => {
                    if let Some(old) = old {
                        self.discard(old, name).await;
                    }
                    return Ok(rev);
                }
                // The next round tells with whom.
                Err(Error::Conflict(_)) => {}
                // The row may have been set, or may yet be: the new secret stays, and the old one.
                Err(error) => return Err(error),
            }
        }
        self.discard_made(&split, created, name).await;
        Err(Error::temporary(format!(
            "record {name} is written by too many at once"
        )))
    }

    /// The old secret goes only after the new one was seen.
    async fn must_read_back(
        &self,
        id: SecretId,
        value: &[u8],
        name: &RecordName,
    ) -> Result<(), Error> {
        if self.secrets.read(id).await?.as_deref() == Some(value) {
            return Ok(());
        }
        self.discard(id, name).await;
        Err(Error::ReadBack(name.to_string()))
    }

    async fn discard_made(&self, split: &Split<'_>, created: bool, name: &RecordName) {
        if let (Some((id, _)), true) = (split.secret, created) {
            self.discard(id, name).await;
        }
    }
}

/// What the row must be for the write to take place now: the row that was read, or none. `None`
/// when `expect` does not hold.
fn expected_now<T>(expect: Expect, found: Option<&Versioned<T>>) -> Option<Expect> {
    match (expect, found) {
        (Expect::Absent | Expect::Any, None) => Some(Expect::Absent),
        (Expect::Any, Some(found)) => Some(Expect::Rev(found.rev)),
        (Expect::Rev(rev), Some(found)) if found.rev == rev => Some(expect),
        (Expect::Absent, Some(_)) | (Expect::Rev(_), _) => None,
    }
}

/// The secret a row points at.
pub(super) fn secret_of(row: &[u8], name: &RecordName) -> Option<SecretId> {
    if !pointer::is_pointer(row) {
        return None;
    }
    match Pointer::parse(row) {
        Ok((pointer, _)) => Some(pointer.secret),
        Err(why) => {
            tracing::warn!(record = %name, why, "a damaged pointer is overwritten or removed");
            None
        }
    }
}
