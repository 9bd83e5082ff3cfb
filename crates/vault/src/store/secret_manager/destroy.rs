//! Destroying: the secret first, then the row.

use super::put::secret_of;
use super::{ROUNDS, SecretManagerRecords};
use crate::{Error, Expect, RecordName};

impl SecretManagerRecords {
    /// A death between the two leaves a row whose secret is missing; doing it again ends it.
    pub(super) async fn shred(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        if expect == Expect::Absent {
            return Err(Error::Caller("what is absent cannot be destroyed"));
        }
        for _ in 0..ROUNDS {
            let Some(found) = self.index.get(name).await? else {
                return self.index.destroy(name, expect).await;
            };
            if matches!(expect, Expect::Rev(rev) if rev != found.rev) {
                return Err(Error::Conflict(name.to_string()));
            }
            // Each write makes a secret of its own: what is removed here is this revision's, even
            // if another writer has just set the row to a newer one.
            if let Some(secret) = secret_of(&found.value, name) {
                self.secrets.remove(secret).await?;
            }
            match self.index.destroy(name, Expect::Rev(found.rev)).await {
                Err(Error::Conflict(_)) if expect == Expect::Any => {}
                done => return done,
            }
        }
        Err(Error::temporary(format!(
            "record {name} is written by too many at once"
        )))
    }
}
