//! Reading an object.

use object_store::{Error as ClientError, ObjectStoreExt as _, PutMode, UpdateVersion};

use super::error::from_client;
use super::object::{self, RECORD_HEADER_LEN};
use super::{MAX_RECORD_LEN, S3Records, key};
use crate::{Error, RecordName, Versioned};

/// An object, whatever is in it.
pub(super) struct Raw {
    pub(super) bytes: Vec<u8>,
    etag: String,
    /// Whether the bucket keeps what is overwritten.
    pub(super) is_version: bool,
}

impl Raw {
    /// Replaces exactly this object.
    pub(super) fn replacing(&self) -> PutMode {
        PutMode::Update(UpdateVersion {
            e_tag: Some(self.etag.clone()),
            version: None,
        })
    }
}

impl S3Records {
    pub(super) async fn read(
        &self,
        name: &RecordName,
    ) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        let Some(raw) = self.read_raw(&self.keys.record(name)?).await? else {
            return Ok(None);
        };
        let found =
            object::decode(name, &raw.bytes).map_err(|why| Error::corrupt(name.as_str(), why))?;
        let rev = found.rev;
        Ok(found.value.map(|value| Versioned { value, rev }))
    }

    /// The object under a key; none only when the bucket says that there is none.
    pub(super) async fn read_raw(&self, key: &str) -> Result<Option<Raw>, Error> {
        let failed = |error: &ClientError| from_client(&self.uri, error);
        let found = match self.store.get(&key::path(key)?).await {
            Ok(found) => found,
            Err(ClientError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let limit = MAX_RECORD_LEN.saturating_add(RECORD_HEADER_LEN);
        if found.meta.size > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(Error::corrupt(key, "its object is longer than any record"));
        }
        let Some(etag) = found.meta.e_tag.clone() else {
            return Err(Error::permanent(format!("{}: it gives no ETag", self.uri)));
        };
        let is_version = found.meta.version.is_some();
        let bytes = found.bytes().await.map_err(|error| failed(&error))?;
        Ok(Some(Raw {
            bytes: bytes.to_vec(),
            etag,
            is_version,
        }))
    }
}
