//! Opening: always by a real unwrap, past every cache (custody rule 7).

use halfkey_core::SecretBytes;

use super::Vault;
use crate::envelope::{self, OpenError};
use crate::{Access, BindCtx, Dek, Error, RecordName, SealedRecord, Versioned};

impl Vault {
    /// Opens by a real unwrap. The audit event is durable before the plaintext is returned.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the record is damaged or was sealed for another context,
    /// [`Error::Forbidden`], [`Error::AuditUnavailable`], or the KEK provider's.
    #[tracing::instrument(level = "debug", skip_all, fields(record = %ctx))]
    pub async fn open(
        &self,
        ctx: &BindCtx,
        record: &SealedRecord,
        access: &Access,
    ) -> Result<SecretBytes, Error> {
        let name = ctx.to_string();
        let opened = self.open_by_unwrap(&name, ctx, record).await;
        self.trail("open", name, Some(ctx), access)
            .conclude(opened)
            .await
    }

    /// Reads past every cache and opens by a real unwrap.
    ///
    /// # Errors
    /// [`Error::NotFound`], and as [`Self::open`].
    #[tracing::instrument(level = "debug", skip_all, fields(record = %name))]
    pub async fn load(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        access: &Access,
    ) -> Result<Versioned<SecretBytes>, Error> {
        let loaded = self.fetch_and_open(name, ctx).await;
        self.trail("load", name.to_string(), Some(ctx), access)
            .conclude(loaded)
            .await
    }

    async fn fetch_and_open(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
    ) -> Result<Versioned<SecretBytes>, Error> {
        self.unwrap_right()?;
        let stored = self.get_right()?.get(name).await?;
        let stored = stored.ok_or_else(|| Error::NotFound(name.to_string()))?;
        let record = SealedRecord::from_bytes(&stored.value)
            .map_err(|why| Error::corrupt(name.as_str(), why))?;
        let value = self.open_by_unwrap(name.as_str(), ctx, &record).await?;
        Ok(Versioned {
            value,
            rev: stored.rev,
        })
    }

    /// Tries each wrapped key in order; the first that unwraps to the committed key decides.
    async fn open_by_unwrap(
        &self,
        name: &str,
        ctx: &BindCtx,
        record: &SealedRecord,
    ) -> Result<SecretBytes, Error> {
        let unwrap = self.unwrap_right()?;
        let mut failure = None;
        for wrapped in record.parts().wraps {
            let opened = match unwrap.unwrap(ctx, &wrapped).await {
                Ok(dek) => open_with_key(name, ctx, record, &dek),
                // A provider knows the wrap, not the record's name.
                Err(Error::Corrupt { why, .. }) => Err(Error::corrupt(name, why)),
                Err(error) => Err(error),
            };
            match opened {
                Ok(plaintext) => return Ok(plaintext),
                Err(error) => failure = Some(worse(failure, error)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::corrupt(name, "it has no wrapped key")))
    }
}

/// Opens with a data key at hand.
pub(super) fn open_with_key(
    name: &str,
    ctx: &BindCtx,
    record: &SealedRecord,
    dek: &Dek,
) -> Result<SecretBytes, Error> {
    let parts = record.parts();
    envelope::open_body(dek, &parts.header, ctx, parts.body).map_err(|error| match error {
        OpenError::Rejected(why) => Error::corrupt(name, why),
        OpenError::Failed(error) => error,
    })
}

/// Of two failures, the one that says less about the record: an unreachable provider must not make
/// a sound record look damaged.
fn worse(earlier: Option<Error>, later: Error) -> Error {
    match (earlier, later) {
        (Some(earlier), Error::Corrupt { .. }) => earlier,
        (_, later) => later,
    }
}
