//! Creation: two calls, of which either can be the last that happened.

use super::messages::{
    AddVersion, Annotations, Automatic, Labels, NewPayload, NewSecret, Replication, Secret, Version,
};
use super::{GcpSecrets, LIMIT, PEER};
use crate::net::gcp::{Crc32c, Refusal, encode};
use crate::store::secret::{SecretId, SecretStore as _};
use crate::{Error, RecordName};

impl GcpSecrets {
    /// Two calls, one more when the secret was there already.
    pub(super) async fn create_and_fill(
        &self,
        id: SecretId,
        name: &RecordName,
        value: &[u8],
    ) -> Result<(), Error> {
        if value.len() > LIMIT {
            return Err(Error::TooLarge {
                what: "secret",
                len: value.len(),
                limit: LIMIT,
            });
        }
        if value.is_empty() {
            return Err(Error::Caller("Secret Manager holds no empty secrets"));
        }
        let is_new = self.make_secret(id, name).await?;
        if !is_new && let Some(found) = self.read(id).await? {
            return same(id, &found, value);
        }
        let added = self.add_version(id, value).await?;
        let is_first = added.name.ends_with("/versions/1");
        if is_first && added.client_specified_payload_checksum {
            return Ok(());
        }
        // Another writer of this id was first, and version 1 is theirs; or nobody says that the
        // checksum was looked at. A later version is never read and goes with the secret.
        match self.read(id).await? {
            None => Err(self.client.misunderstood()),
            Some(found) if is_first && found != value => Err(Error::ReadBack(id.to_string())),
            Some(found) => same(id, &found, value),
        }
    }

    /// Whether the secret was made now.
    async fn make_secret(&self, id: SecretId, name: &RecordName) -> Result<bool, Error> {
        let request = NewSecret {
            replication: Replication {
                automatic: Automatic {},
            },
            labels: Labels {
                environment: &self.label,
            },
            annotations: Annotations {
                record: name.as_str(),
            },
        };
        let path = format!("projects/{}/secrets", self.project);
        let secret_id = self.secret_id(id);
        let query = [("secretId", secret_id.as_str())];
        let made: Secret = match self.client.post(&path, &query, &request).await {
            Err(Refusal::AlreadyExists) => return Ok(false),
            other => other.map_err(|refusal| refusal.into_error(PEER, "creating a secret"))?,
        };
        if self.id_in(&made.name) == Some(id) {
            Ok(true)
        } else {
            Err(self.client.misunderstood())
        }
    }

    async fn add_version(&self, id: SecretId, value: &[u8]) -> Result<Version, Error> {
        let request = AddVersion {
            payload: NewPayload {
                data: &encode(value),
                data_crc32c: Crc32c::of(value),
            },
        };
        let path = format!("{}:addVersion", self.path(id));
        match self.client.post(&path, &[], &request).await {
            // It was made a moment ago: not everywhere yet, or removed by somebody else meanwhile.
            Err(Refusal::NotFound) => Err(self.client.misunderstood()),
            other => other.map_err(|refusal| refusal.into_error(PEER, "filling a secret")),
        }
    }
}

/// A repeat of the same creation is fine, another value is not.
fn same(id: SecretId, found: &[u8], value: &[u8]) -> Result<(), Error> {
    if found == value {
        Ok(())
    } else {
        Err(Error::Conflict(id.to_string()))
    }
}
