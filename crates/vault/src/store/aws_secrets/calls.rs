//! Creating, reading, removing, listing.

use async_trait::async_trait;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};

use super::{AwsSecrets, MAX_SECRET_LEN};
use crate::net::aws::{ENVIRONMENT_TAG, error, must_have, quiet};
use crate::store::secret::{SecretId, SecretPage, SecretStore};
use crate::{Error, RecordName};

#[async_trait]
impl SecretStore for AwsSecrets {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn limit(&self) -> usize {
        MAX_SECRET_LEN
    }

    /// `CreateSecret`, then reads it back: Secrets Manager promises no more than that a write will
    /// be seen in time.
    async fn create(&self, id: SecretId, name: &RecordName, value: &[u8]) -> Result<(), Error> {
        if value.len() > MAX_SECRET_LEN {
            return Err(Error::TooLarge {
                what: "secret",
                len: value.len(),
                limit: MAX_SECRET_LEN,
            });
        }
        let tag = Tag::builder()
            .key(ENVIRONMENT_TAG)
            .value(self.environment.as_str())
            .build();
        let call = self
            .client
            .create_secret()
            .name(self.name(id))
            // The same write again is the same write.
            .client_request_token(id.to_string())
            .description(name.as_str())
            .set_kms_key_id(self.manager_key_id.clone())
            .secret_binary(Blob::new(value))
            .tags(tag);
        if let Err(failure) = quiet(call.send()).await {
            let exists = matches!(
                failure.as_service_error(),
                Some(CreateSecretError::ResourceExistsException(_))
            );
            if !exists {
                return Err(error(&self.uri, &failure));
            }
        }
        match self.read(id).await? {
            Some(found) if found == value => Ok(()),
            Some(_) => Err(Error::Conflict(self.name(id))),
            None => Err(Error::temporary(format!(
                "{}: a new secret cannot be read yet",
                self.uri
            ))),
        }
    }

    async fn read(&self, id: SecretId) -> Result<Option<Vec<u8>>, Error> {
        let name = self.name(id);
        let call = self.client.get_secret_value().secret_id(&name);
        let reply = match quiet(call.send()).await {
            Ok(reply) => reply,
            Err(failure) => {
                return match failure.as_service_error() {
                    Some(GetSecretValueError::ResourceNotFoundException(_)) => Ok(None),
                    Some(GetSecretValueError::InvalidRequestException(_))
                        if self.is_being_deleted(&name).await? =>
                    {
                        Ok(None)
                    }
                    _ => Err(error(&self.uri, &failure)),
                };
            }
        };
        if reply.name() != Some(&name) {
            return Err(Error::temporary(format!(
                "{}: its reply is not what was asked for",
                self.uri
            )));
        }
        if reply.secret_string().is_some() {
            return Err(Error::corrupt(name, "the secret is text, not bytes"));
        }
        must_have(&self.uri, reply.secret_binary).map(|blob| Some(blob.into_inner()))
    }

    /// `DeleteSecret` without a recovery window. AWS deletes in the background.
    async fn remove(&self, id: SecretId) -> Result<(), Error> {
        let call = self
            .client
            .delete_secret()
            .secret_id(self.name(id))
            .force_delete_without_recovery(true);
        match quiet(call.send()).await {
            Ok(_) => Ok(()),
            Err(failure) => match error(&self.uri, &failure) {
                Error::NotFound(_) => Ok(()),
                other => Err(other),
            },
        }
    }

    async fn list(&self, after: Option<&str>) -> Result<SecretPage, Error> {
        let filter = Filter::builder()
            .key(FilterNameStringType::Name)
            .values(&self.prefix)
            .build();
        let call = self
            .client
            .list_secrets()
            .filters(filter)
            .max_results(self.page_len.into())
            .set_next_token(after.map(str::to_owned));
        let reply = quiet(call.send())
            .await
            .map_err(|failure| error(&self.uri, &failure))?;
        let secrets = reply.secret_list.unwrap_or_default();
        // The filter tells neither case nor the end of the prefix exactly.
        let ids = secrets
            .iter()
            .filter_map(|secret| secret.name()?.strip_prefix(&self.prefix))
            .filter_map(SecretId::parse)
            .collect();
        Ok(SecretPage {
            ids,
            next: reply.next_token,
        })
    }
}

impl AwsSecrets {
    /// Someone scheduled it for deletion: it can be read no more, and its name is still taken.
    async fn is_being_deleted(&self, name: &str) -> Result<bool, Error> {
        let call = self.client.describe_secret().secret_id(name);
        match quiet(call.send()).await {
            Ok(reply) => Ok(reply.deleted_date().is_some()),
            Err(failure) => match error(&self.uri, &failure) {
                Error::NotFound(_) => Ok(true),
                other => Err(other),
            },
        }
    }
}
