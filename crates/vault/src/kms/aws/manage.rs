//! The operator's side.

use async_trait::async_trait;
use aws_sdk_kms::operation::rotate_key_on_demand::RotateKeyOnDemandError;

use super::AwsKek;
use super::arn::KeyId;
use super::key::{Key, describe};
use crate::net::aws::{error, quiet};
use crate::{Error, KekInfo, ManageKey};

#[async_trait]
impl ManageKey for AwsKek {
    /// The key that wraps now, and before it the others this process has met: KMS does not tell
    /// where an alias pointed before, but every record names its key.
    async fn info(&self) -> Result<KekInfo, Error> {
        let newest = self.newest().await?;
        self.must_be_marked(&newest.id).await?;
        let others: Vec<_> = self.marked().iter().cloned().collect();
        let mut versions = Vec::new();
        for id in others.into_iter().filter(|id| *id != newest.id) {
            versions.push(self.describe(&id).await?.version());
        }
        versions.sort_by_key(|version| version.created_at);
        versions.push(newest.version());
        Ok(KekInfo {
            uri: self.uri.clone(),
            environment: self.environment.clone(),
            versions,
            hardware_or_remote: true,
        })
    }

    /// `RotateKeyOnDemand`: new material inside the same key. Its version stays the same, and old
    /// wraps stay as good as they are; `ListKeyRotations` shows it. KMS allows a limited number of
    /// these for each key; for a version that can be seen, move the alias to a new key instead.
    async fn rotate(&self) -> Result<String, Error> {
        let newest = self.newest().await?.id;
        self.must_be_marked(&newest).await?;
        let call = self.client.rotate_key_on_demand();
        match quiet(call.key_id(self.account.key_arn(&newest)).send()).await {
            Ok(_) => Ok(newest.to_string()),
            Err(failure) => Err(match failure.as_service_error() {
                Some(RotateKeyOnDemandError::ConflictException(_)) => {
                    Error::temporary(format!("{}: it is being rotated already", self.uri))
                }
                Some(RotateKeyOnDemandError::LimitExceededException(_)) => {
                    Error::permanent(format!(
                        "{}: no rotations left; move the alias to a new key",
                        self.uri
                    ))
                }
                Some(RotateKeyOnDemandError::UnsupportedOperationException(_)) => {
                    Error::Forbidden("rotate that kind of KMS key")
                }
                _ => error(&self.uri, &failure),
            }),
        }
    }

    /// `DisableKey`, for a key that the alias no longer points to.
    async fn disable(&self, version: &str) -> Result<(), Error> {
        let (arn, peer) = self.retired(version).await?;
        quiet(self.client.disable_key().key_id(arn).send())
            .await
            .map_err(|failure| error(&peer, &failure))?;
        Ok(())
    }

    async fn enable(&self, version: &str) -> Result<(), Error> {
        let (arn, peer) = self.retired(version).await?;
        quiet(self.client.enable_key().key_id(arn).send())
            .await
            .map_err(|failure| error(&peer, &failure))?;
        Ok(())
    }
}

impl AwsKek {
    /// The key that wraps now.
    async fn newest(&self) -> Result<Key, Error> {
        let key = describe(&self.client, &self.uri, &self.target).await?;
        if key.account == self.account {
            return Ok(key);
        }
        Err(Error::permanent(format!(
            "{}: another account's key",
            self.uri
        )))
    }

    async fn describe(&self, id: &KeyId) -> Result<Key, Error> {
        let peer = format!("KMS key {id}");
        describe(&self.client, &peer, &self.account.key_arn(id)).await
    }

    /// The ARN of a key of this environment that the alias points to no longer, and how errors call
    /// it.
    async fn retired(&self, version: &str) -> Result<(String, String), Error> {
        if self.only.is_some() {
            return Err(Error::Forbidden(
                "disable or enable the only key of a KEK without an alias",
            ));
        }
        let id = KeyId::parse(version).ok_or(Error::Caller("that is no KMS key id"))?;
        if self.newest().await?.id == id {
            return Err(Error::Caller("the newest KEK version stays enabled"));
        }
        self.must_be_marked(&id).await?;
        Ok((self.account.key_arn(&id), format!("KMS key {id}")))
    }
}
