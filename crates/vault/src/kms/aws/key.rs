//! What KMS tells of a key, and the mark that says whose it is.

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{ExpirationModelType, KeyMetadata, KeySpec, KeyState, KeyUsageType};
use halfkey_core::UnixMillis;

use super::AwsKek;
use super::arn::{Account, KeyId};
use crate::kms::KekState;
use crate::net::aws::{ENVIRONMENT_TAG, error, must_have, quiet};
use crate::{Error, KekVersion};

/// A key can have 50 tags, which are one page.
const MAX_TAG_PAGES: usize = 5;

/// Old keys are few; a store that names ever new ones must not fill memory.
const MAX_MARKED: usize = 1024;

/// A key as `DescribeKey` tells it.
pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) account: Account,
    metadata: KeyMetadata,
}

/// Asks for a key by id, ARN or alias.
pub(super) async fn describe(client: &Client, peer: &str, key_id: &str) -> Result<Key, Error> {
    let reply = quiet(client.describe_key().key_id(key_id).send())
        .await
        .map_err(|failure| error(peer, &failure))?;
    let metadata = must_have(peer, reply.key_metadata)?;
    let parts = metadata.arn().and_then(Account::split);
    let (account, id) = must_have(peer, parts)?;
    Ok(Key {
        id,
        account,
        metadata,
    })
}

impl Key {
    /// Enabled, of the right kind, and there tomorrow.
    pub(super) fn must_be_able_to_wrap(&self, peer: &str) -> Result<(), Error> {
        let metadata = &self.metadata;
        let is_symmetric = metadata.key_spec() == Some(&KeySpec::SymmetricDefault);
        if !is_symmetric || metadata.key_usage() != Some(&KeyUsageType::EncryptDecrypt) {
            return Err(Error::Config(format!(
                "{peer} is not symmetric, or not for encryption"
            )));
        }
        if metadata.expiration_model() == Some(&ExpirationModelType::KeyMaterialExpires) {
            return Err(Error::NotDurable(format!(
                "{peer} has imported material that expires: records would become unreadable"
            )));
        }
        match metadata.key_state() {
            Some(KeyState::Enabled) => Ok(()),
            Some(KeyState::Unavailable | KeyState::Creating | KeyState::Updating) => {
                Err(Error::temporary(format!("{peer} is not available")))
            }
            _ => Err(Error::KeyDisabled(peer.to_owned())),
        }
    }

    /// As a version of the KEK.
    pub(super) fn version(&self) -> KekVersion {
        let state = match self.metadata.key_state() {
            Some(KeyState::Enabled) => KekState::Enabled,
            Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => {
                KekState::PendingDeletion
            }
            _ => KekState::Disabled,
        };
        let created = self.metadata.creation_date();
        KekVersion {
            version: self.id.to_string(),
            created_at: created.and_then(|at| at.to_millis().ok()).map(UnixMillis),
            state,
        }
    }
}

impl AwsKek {
    /// The key is marked for this environment. Asked once for each key: an alias can be moved to
    /// any key of the account, and a record can name any.
    pub(super) async fn must_be_marked(&self, id: &KeyId) -> Result<(), Error> {
        if self.marked().contains(id) {
            return Ok(());
        }
        match self.mark(id).await? {
            Some(found) if found == self.environment.as_str() => {
                let mut marked = self.marked();
                if marked.len() < MAX_MARKED {
                    marked.insert(id.clone());
                }
                Ok(())
            }
            Some(found) => Err(Error::Environment {
                what: format!("KMS key {id}"),
                found,
                expected: self.environment.to_string(),
            }),
            None => Err(Error::Config(format!(
                "KMS key {id} is not marked; if it serves this environment alone: aws kms \
                 tag-resource --key-id {id} --tags TagKey={ENVIRONMENT_TAG},TagValue={}",
                self.environment
            ))),
        }
    }

    /// The environment in the key's tags.
    async fn mark(&self, id: &KeyId) -> Result<Option<String>, Error> {
        let (peer, arn) = (format!("KMS key {id}"), self.account.key_arn(id));
        let mut marker = None;
        for _ in 0..MAX_TAG_PAGES {
            let call = self.client.list_resource_tags().key_id(&arn);
            let reply = quiet(call.set_marker(marker).send())
                .await
                .map_err(|failure| error(&peer, &failure))?;
            let tags = reply.tags.unwrap_or_default();
            if let Some(tag) = tags.into_iter().find(|tag| tag.tag_key == ENVIRONMENT_TAG) {
                return Ok(Some(tag.tag_value));
            }
            marker = reply.next_marker;
            if marker.is_none() {
                break;
            }
        }
        Ok(None)
    }
}
