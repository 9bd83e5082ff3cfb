//! Copying a sealed record under another name.

use super::Vault;
use crate::{Error, Expect, RecordName, Rev, SealedRecord};

impl Vault {
    /// Copies a sealed record to another name without opening it (its context does not contain the
    /// name), then reads the copy back. Nothing is opened, so no audit event is written.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`] when what is there is not a sealed record,
    /// [`Error::Conflict`], [`Error::ReadBack`], [`Error::Forbidden`], or the store's.
    #[tracing::instrument(level = "debug", skip_all, fields(from = %from, to = %to))]
    pub async fn copy(
        &self,
        from: &RecordName,
        to: &RecordName,
        expect: Expect,
    ) -> Result<Rev, Error> {
        self.put_right()?;
        let stored = self.get_right()?.get(from).await?;
        let stored = stored.ok_or_else(|| Error::NotFound(from.to_string()))?;
        let record = SealedRecord::from_bytes(&stored.value)
            .map_err(|why| Error::corrupt(from.as_str(), why))?;
        self.write_and_read_back(to, &record, expect).await
    }
}
