//! What a walk over the whole store found, and what it had to leave out.

use core::ops::Deref;

use crate::Error;

/// Everything that was found in the store. One row that cannot be read hides no other: it is named
/// beside them.
#[derive(Debug)]
pub struct Listed<T> {
    /// In the order of their records.
    pub found: Vec<T>,
    /// Rows that are damaged, of a newer version or of another environment.
    pub unreadable: Vec<UnreadableRow>,
}

/// A wallet's row that was passed over.
#[derive(Debug)]
pub struct UnreadableRow {
    /// Its name in the vault tier.
    pub record: String,
    /// What is wrong with it.
    pub error: Error,
}

impl<T> Listed<T> {
    pub(super) const fn new(found: Vec<T>, unreadable: Vec<UnreadableRow>) -> Self {
        Self { found, unreadable }
    }

    /// What was looked for is not there: an error that says so, unless a row that could not be read
    /// may hold it.
    pub(super) fn missing(&self) -> Error {
        match self.unreadable.as_slice() {
            [] => Error::WalletNotFound,
            rows => {
                let names: Vec<_> = rows.iter().map(|row| row.record.as_str()).collect();
                Error::VaultState(format!(
                    "it is in no row that can be read; not read were {}",
                    names.join(", ")
                ))
            }
        }
    }
}

/// What was found.
impl<T> Deref for Listed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.found
    }
}

impl<T> IntoIterator for Listed<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}
