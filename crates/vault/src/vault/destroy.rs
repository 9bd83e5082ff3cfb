//! Crypto-shredding: the wrapped keys go first, then the record.

use halfkey_core::crash_point;

use super::Vault;
use crate::tombstone::tombstone;
use crate::{Access, BindCtx, Error, Expect, RecordName, Rev};

impl Vault {
    /// Destroys a record: overwrites it with a tombstone, so that its wrapped keys are gone even if
    /// the removal never happens, then removes it. Needs the rights to get, put and destroy. A
    /// record left as a tombstone by a crash is destroyed by calling again, and so is one that the
    /// store itself finds to be damaged.
    ///
    /// Copies in backups of the store are not reached: there the record stays, sealed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`] when another writer came between,
    /// [`Error::Forbidden`], [`Error::AuditUnavailable`], or the store's;
    /// [`Error::ShredIncomplete`] when the record is gone, but not yet from the store's own log.
    pub async fn destroy(&self, name: &RecordName, access: &Access) -> Result<(), Error> {
        self.destroy_as(name, None, access).await
    }

    /// The same for a record whose context is known: its audit event then names the wallet and the
    /// environment. What stands under `name` is destroyed whatever it is bound to.
    ///
    /// # Errors
    /// As [`Self::destroy`].
    pub async fn destroy_of(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        access: &Access,
    ) -> Result<(), Error> {
        self.destroy_as(name, Some(ctx), access).await
    }

    #[tracing::instrument(level = "debug", name = "destroy", skip_all, fields(record = %name))]
    async fn destroy_as(
        &self,
        name: &RecordName,
        ctx: Option<&BindCtx>,
        access: &Access,
    ) -> Result<(), Error> {
        let trail = self.trail("destroy", name.to_string(), ctx, access);
        let found = trail
            .conclude(self.find_for_destruction(name).await)
            .await?;
        match self.shred(name, found).await {
            Ok(()) => Ok(()),
            Err(error) => Err(trail.refused(error).await),
        }
    }

    /// The revision to destroy; none for a record that the store cannot put together any more,
    /// such as one whose destruction died half way.
    async fn find_for_destruction(&self, name: &RecordName) -> Result<Option<Rev>, Error> {
        self.destroy_right()?;
        self.put_right()?;
        match self.get_right()?.get(name).await {
            Ok(Some(stored)) => Ok(Some(stored.rev)),
            Ok(None) => Err(Error::NotFound(name.to_string())),
            Err(Error::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn shred(&self, name: &RecordName, found: Option<Rev>) -> Result<(), Error> {
        let Some(found) = found else {
            return self.destroy_right()?.destroy(name, Expect::Any).await;
        };
        let rev = self
            .put_right()?
            .put(name, tombstone(), Expect::Rev(found))
            .await?;
        crash_point("vault.destroy.shredded");
        self.destroy_right()?.destroy(name, Expect::Rev(rev)).await
    }
}
