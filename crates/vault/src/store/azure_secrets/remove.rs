//! Deleting a secret, and purging what is left of it.

use core::time::Duration;

use super::AzureSecrets;
use crate::Error;
use crate::net::azure::Failure;
use crate::store::secret::SecretId;

/// Between two questions whether a deletion has come through.
const PAUSE: Duration = Duration::from_millis(500);

/// What a deletion leaves.
enum Left {
    /// Nothing was there; an earlier removal may have ended before its purge.
    Unknown,
    /// A secret that can be recovered, and purged by whoever has the right to.
    Recoverable,
    /// Nothing that anybody can purge.
    Nothing,
}

impl AzureSecrets {
    /// Every step may find that it was taken before; the whole can be repeated.
    pub(super) async fn delete_and_purge(&self, id: SecretId) -> Result<(), Error> {
        let name = self.names.of(id);
        let left = self.delete(&name).await?;
        if !self.purge {
            return Ok(());
        }
        match left {
            Left::Nothing => return Ok(()),
            Left::Unknown => {}
            Left::Recoverable => {
                while !self.is_deleted(&name).await? {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        // While a deletion is coming through, the vault has a conflict with itself.
        while !self.purge_deleted(&name).await? {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<Left, Error> {
        let call = async {
            let reply = self.client.delete_secret(name, None).await?;
            reply.into_model()
        };
        match self.calls.run(call).await {
            Ok(deleted) => {
                let attributes = deleted.attributes.unwrap_or_default();
                Ok(attributes
                    .recovery_level
                    .map_or(Left::Recoverable, |level| left(level.as_ref())))
            }
            Err(failure) if is_absent(&failure) => Ok(Left::Unknown),
            // Somebody else is deleting it.
            Err(failure) if failure.has_code("ObjectIsBeingDeleted") => Ok(Left::Recoverable),
            Err(failure) => Err(self.no_answer_of_a_vault(failure.error)),
        }
    }

    /// Whether the deletion has come through: until then the secret is nowhere.
    async fn is_deleted(&self, name: &str) -> Result<bool, Error> {
        match self
            .calls
            .run(self.client.get_deleted_secret(name, None))
            .await
        {
            Ok(_) => Ok(true),
            Err(failure) if is_absent(&failure) => Ok(false),
            Err(failure) => Err(self.no_answer_of_a_vault(failure.error)),
        }
    }

    /// Whether it is over: purged, not there, or not permitted.
    async fn purge_deleted(&self, name: &str) -> Result<bool, Error> {
        match self
            .calls
            .run(self.client.purge_deleted_secret(name, None))
            .await
        {
            Ok(_) => Ok(true),
            Err(failure) if is_absent(&failure) => Ok(true),
            Err(failure) if failure.status == Some(409) => Ok(false),
            Err(failure) if matches!(failure.error, Error::Denied(_)) => {
                tracing::warn!(vault = %self.vault, "a deleted secret may not be purged");
                Ok(true)
            }
            Err(failure) => Err(self.no_answer_of_a_vault(failure.error)),
        }
    }
}

fn is_absent(failure: &Failure) -> bool {
    failure.status == Some(404) && failure.has_code("SecretNotFound")
}

/// From the recovery level, such as `Recoverable+Purgeable`: plain `Purgeable` is a vault without
/// soft deletion, without it nobody can purge (purge protection).
fn left(level: &str) -> Left {
    if level.contains("Recoverable") && level.contains("Purgeable") {
        Left::Recoverable
    } else {
        Left::Nothing
    }
}
