//! Writing and destroying: read, compare, replace exactly what was read.

use object_store::{Error as ClientError, ObjectStore as _, PutMode, PutOptions, PutPayload};

use super::error::from_client;
use super::object::{self, Object};
use super::read::Raw;
use super::{S3Records, key};
use crate::{Error, Expect, RecordName, Rev};

/// How often a write starts again because another writer came between.
const ROUNDS: usize = 16;
/// Where revisions go on after an object whose revision cannot be read: none was ever written so
/// often.
const AFTER_DAMAGE: Rev = Rev(1 << 32);

impl S3Records {
    pub(super) async fn write(
        &self,
        name: &RecordName,
        bytes: &[u8],
        expect: Expect,
    ) -> Result<Rev, Error> {
        let key = self.keys.record(name)?;
        for _ in 0..ROUNDS {
            let raw = self.read_raw(&key).await?;
            let found = match &raw {
                Some(raw) => Some(
                    object::decode(name, &raw.bytes)
                        .map_err(|why| Error::corrupt(name.as_str(), why))?,
                ),
                None => None,
            };
            must_hold(name, expect, found.as_ref())?;
            let rev = next(name, found.map_or(Rev(0), |found| found.rev))?;
            let mode = raw.as_ref().map_or(PutMode::Create, Raw::replacing);
            let object = object::record(name, rev, bytes);
            if self.put_if(&key, object, mode).await? {
                return Ok(rev);
            }
        }
        Err(self.contended(name))
    }

    /// Leaves a tombstone with the next revision.
    pub(super) async fn bury(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        if expect == Expect::Absent {
            return Err(Error::Caller("what is absent cannot be destroyed"));
        }
        let key = self.keys.record(name)?;
        for _ in 0..ROUNDS {
            let Some(raw) = self.read_raw(&key).await? else {
                return must_hold(name, expect, None);
            };
            let last = match object::decode(name, &raw.bytes) {
                Ok(found) => {
                    must_hold(name, expect, Some(&found))?;
                    if found.value.is_none() {
                        return Ok(());
                    }
                    found.rev
                }
                Err(_) if expect == Expect::Any => AFTER_DAMAGE,
                Err(_) => return Err(Error::Conflict(name.to_string())),
            };
            let tombstone = object::tombstone(next(name, last)?);
            if self.put_if(&key, tombstone, raw.replacing()).await? {
                return Ok(());
            }
        }
        Err(self.contended(name))
    }

    /// Writes if the condition holds; whether it did. The server checks both in one step.
    pub(super) async fn put_if(
        &self,
        key: &str,
        object: Vec<u8>,
        mode: PutMode,
    ) -> Result<bool, Error> {
        let payload = PutPayload::from(object);
        let options = PutOptions::from(mode);
        match self
            .store
            .put_opts(&key::path(key)?, payload, options)
            .await
        {
            Ok(_) => Ok(true),
            // 412, and 409 when the server itself could not decide between two.
            Err(ClientError::AlreadyExists { .. } | ClientError::Precondition { .. }) => Ok(false),
            Err(error) => Err(from_client(&self.uri, &error)),
        }
    }

    fn contended(&self, name: &RecordName) -> Error {
        Error::temporary(format!(
            "{}: record {name} is written by too many at once",
            self.uri
        ))
    }
}

fn must_hold(name: &RecordName, expect: Expect, found: Option<&Object>) -> Result<(), Error> {
    let present = found.filter(|found| found.value.is_some());
    let holds = match expect {
        Expect::Absent => present.is_none(),
        Expect::Rev(rev) => present.is_some_and(|found| found.rev == rev),
        Expect::Any => true,
    };
    if holds {
        Ok(())
    } else {
        Err(Error::Conflict(name.to_string()))
    }
}

fn next(name: &RecordName, rev: Rev) -> Result<Rev, Error> {
    let next = rev.0.checked_add(1).map(Rev);
    next.ok_or_else(|| Error::corrupt(name.as_str(), "its revision is the last there is"))
}
