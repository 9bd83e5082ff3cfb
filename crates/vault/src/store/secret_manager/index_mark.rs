//! Which index the secrets belong to: one row here, one secret there, the same bytes in both.
//!
//! Without it a second index over the same prefix, or a fresh one after the first was lost, would
//! see nothing but orphans and sweep every share away.

use halfkey_core::EnvironmentId;

use super::SecretManagerRecords;
use crate::entropy::random_bytes;
use crate::store::secret::SecretId;
use crate::{Error, Expect, RecordName};

/// The row's name; no record can have it.
const NAME: &str = "halfkey:index-mark";
/// The secret's id: not random, so that every index looks in the same place.
pub(super) const SECRET: SecretId = SecretId::from_bytes(*b"halfkey-index-id");
const MAGIC: [u8; 4] = *b"HKI1";

/// Whether that is the mark's own row.
pub(super) fn is_mark(name: &RecordName) -> bool {
    name.as_str() == NAME
}

/// Refuses the mark's name.
pub(super) fn refuse(name: &RecordName) -> Result<(), Error> {
    if is_mark(name) {
        return Err(Error::Caller("that name is the store's own"));
    }
    Ok(())
}

impl SecretManagerRecords {
    /// Marks both, or checks that they are marked alike.
    pub(super) async fn tie(&self, environment: &EnvironmentId) -> Result<(), Error> {
        let name = RecordName::new(NAME)?;
        let row = match self.index.get(&name).await? {
            Some(found) => found.value,
            None => self.mark_index(&name, environment).await?,
        };
        self.check_environment(&row, environment)?;
        let found = match self.secrets.read(SECRET).await? {
            Some(found) => found,
            None => match self.secrets.create(SECRET, &name, &row).await {
                Ok(()) => return Ok(()),
                // Another process was first, with this index or with another.
                Err(Error::Conflict(_)) => {
                    let found = self.secrets.read(SECRET).await?;
                    found.ok_or_else(|| Error::corrupt(NAME, "it comes and goes"))?
                }
                Err(error) => return Err(error),
            },
        };
        if found == row {
            return Ok(());
        }
        self.check_environment(&found, environment)?;
        Err(Error::Config(format!(
            "the secrets at {} belong to another index; use a prefix of its own for each, and \
             restore an index that was lost",
            self.secrets.uri()
        )))
    }

    async fn mark_index(
        &self,
        name: &RecordName,
        environment: &EnvironmentId,
    ) -> Result<Vec<u8>, Error> {
        let id = random_bytes::<16>()?;
        let row = [&MAGIC[..], &*id, environment.as_str().as_bytes()].concat();
        match self.index.put(name, &row, Expect::Absent).await {
            Ok(_) => Ok(row),
            Err(Error::Conflict(_)) => {
                let found = self.index.get(name).await?;
                Ok(found.ok_or_else(|| Error::Conflict(NAME.to_owned()))?.value)
            }
            Err(error) => Err(error),
        }
    }

    fn check_environment(&self, mark: &[u8], expected: &EnvironmentId) -> Result<(), Error> {
        let rest = mark.strip_prefix(&MAGIC);
        let found = rest.and_then(|rest| rest.get(16..));
        let found = found.and_then(|found| core::str::from_utf8(found).ok());
        match found {
            Some(found) if found == expected.as_str() => Ok(()),
            Some(found) => Err(Error::Environment {
                what: format!("the secrets at {}", self.secrets.uri()),
                found: found.escape_default().to_string(),
                expected: expected.to_string(),
            }),
            None => Err(Error::corrupt(NAME, "it is no mark of an index")),
        }
    }
}
