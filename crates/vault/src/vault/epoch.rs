//! Making every process forget cached data keys (custody rule 24).

use super::Vault;
use crate::{DekCache, Error, Expect, RecordName};

/// The row that is rewritten when data keys are to be forgotten; its revision is what counts.
const NAME: &str = "dek-epoch";

impl Vault {
    /// Makes every process over this store forget its cached data keys: this one at once, each
    /// other one before it next uses one. After a rotation, a disabled KEK version or a freeze.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the rights to write and read, or the store's: then keys that
    /// other processes hold may serve them for as long as their caches keep them.
    pub async fn forget_data_keys(&self) -> Result<(), Error> {
        self.clear_dek_cache();
        let name = RecordName::new(NAME)?;
        let expect = match self.get_row(&name).await? {
            Some(found) => Expect::Rev(found.rev),
            None => Expect::Absent,
        };
        let now = self.parts.clock.now().0.to_string();
        match self.put_row(&name, now.as_bytes(), expect).await {
            // Another process wrote it since it was read: that is after what this one did.
            Ok(_) | Err(Error::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Before cached keys are used: forgets those from before the last call of
    /// [`Self::forget_data_keys`] by any process.
    pub(super) async fn heed_epoch(&self, cache: &DekCache) -> Result<(), Error> {
        let found = self.get_row(&RecordName::new(NAME)?).await?;
        cache.follow(found.map(|row| row.rev));
        Ok(())
    }
}
