//! Sealing into a store, with read-back.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use halfkey_core::{SecretBytes, crash_point};

use super::Vault;
use super::open::open_with_key;
use crate::{Access, BindCtx, Dek, Error, Expect, RecordName, Rev, SealedRecord};

impl Vault {
    /// Seals, writes and reads back: fetch, compare, open with the data key still in memory (needs
    /// no unwrap right, but the rights to wrap, put and get).
    ///
    /// # Errors
    /// [`Error::Conflict`] when `expect` does not hold, [`Error::Full`], [`Error::ReadBack`] when
    /// the store gives back something else than was written, and as [`Self::seal`]. After an error
    /// other than `Conflict` or `Full` the record may or may not have been written.
    #[tracing::instrument(level = "debug", skip_all, fields(record = %name))]
    pub async fn store(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        plaintext: &SecretBytes,
        expect: Expect,
        access: &Access,
    ) -> Result<Rev, Error> {
        let trail = self.trail("store", name.to_string(), Some(ctx), access);
        let rights = self.put_right().and_then(|_| self.get_right());
        let prepared = match rights {
            Ok(_) => self.seal_fresh(ctx, plaintext).await,
            Err(error) => Err(error),
        };
        let (record, dek) = trail.conclude(prepared).await?;
        crash_point("vault.store.before");
        let written = self.write_and_read_back(name, &record, expect).await;
        crash_point("vault.store.after");
        match written {
            Ok(rev) => match reopen(name, ctx, &record, &dek, plaintext) {
                Ok(()) => Ok(rev),
                Err(error) => Err(trail.refused(error).await),
            },
            Err(error) => Err(trail.refused(error).await),
        }
    }

    /// Writes, fetches again and compares byte for byte.
    pub(super) async fn write_and_read_back(
        &self,
        name: &RecordName,
        record: &SealedRecord,
        expect: Expect,
    ) -> Result<Rev, Error> {
        let rev = self
            .put_right()?
            .put(name, record.as_bytes(), expect)
            .await?;
        match self.get_right()?.get(name).await? {
            Some(found) if found.rev != rev => Err(Error::Conflict(name.to_string())),
            Some(found) if found.value == record.as_bytes() => Ok(rev),
            _ => Err(Error::ReadBack(name.to_string())),
        }
    }
}

/// Proves that what was written opens to what was meant.
fn reopen(
    name: &RecordName,
    ctx: &BindCtx,
    record: &SealedRecord,
    dek: &Dek,
    plaintext: &SecretBytes,
) -> Result<(), Error> {
    let opened = open_with_key(name.as_str(), ctx, record, dek)?;
    // In constant time as `==` is, which takes seven times the cipher's own time for a share.
    verify_slices_are_equal(opened.expose(), plaintext.expose())
        .map_err(|_| Error::ReadBack(name.to_string()))
}
