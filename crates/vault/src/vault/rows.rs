//! Plain rows: what is not secret and needs no seal, such as the compare-and-set row that maps the
//! states of a wallet's generations to record names (custody rule 23). Not audited.

use super::Vault;
use crate::{Error, Expect, Page, RecordName, Rev, Versioned};

/// The longest plain row, in bytes.
pub const MAX_ROW_LEN: usize = 64 * 1024;

impl Vault {
    /// Writes a row if `expect` holds, and reads it back.
    ///
    /// # Errors
    /// [`Error::Conflict`] when `expect` does not hold, [`Error::TooLarge`], [`Error::ReadBack`],
    /// [`Error::Forbidden`], or the store's.
    pub async fn put_row(
        &self,
        name: &RecordName,
        row: &[u8],
        expect: Expect,
    ) -> Result<Rev, Error> {
        if row.len() > MAX_ROW_LEN {
            return Err(Error::TooLarge {
                what: "row",
                len: row.len(),
                limit: MAX_ROW_LEN,
            });
        }
        let get = self.get_right()?;
        let rev = self.put_right()?.put(name, row, expect).await?;
        match get.get(name).await? {
            Some(found) if found.rev == rev && found.value == row => Ok(rev),
            // Another writer may follow at once: what was written was there, and is theirs now.
            Some(found) if found.rev > rev => Ok(rev),
            _ => Err(Error::ReadBack(name.to_string())),
        }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or the store's.
    pub async fn get_row(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        self.get_right()?.get(name).await
    }

    /// Lists the names of records and rows; see [`ListRecords::list`](crate::ListRecords::list).
    ///
    /// # Errors
    /// [`Error::Forbidden`], or the store's.
    pub async fn list_names(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.list_right()?.list(prefix, after, limit).await
    }
}
