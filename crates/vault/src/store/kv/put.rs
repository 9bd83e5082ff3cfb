//! Writing, by the server's own compare-and-set.

use async_trait::async_trait;

use super::KvRecords;
use super::calls::{Found, State, Written};
use super::secret::write_record;
use crate::{Error, Expect, PutRecord, RecordName, Rev};

/// How often a write that expects nothing is tried while other writers come between.
pub(super) const MAX_TRIES: u32 = 16;

impl KvRecords {
    /// Writes if the newest version is `cas`.
    async fn put_at(&self, name: &RecordName, bytes: &[u8], cas: u64) -> Result<Rev, Error> {
        match self.write(name, write_record(bytes, cas)?).await? {
            Written::Version(version) => Ok(Rev(version)),
            Written::OtherVersion => Err(conflict(name)),
            Written::OldVersionLeft(version) => {
                tracing::warn!(record = %name, "the overwritten version is not removed yet");
                Ok(Rev(version))
            }
        }
    }

    /// Writes if there is no record: at first as if there never was one, then after a destroyed
    /// one.
    async fn put_absent(&self, name: &RecordName, bytes: &[u8]) -> Result<Rev, Error> {
        match self.put_at(name, bytes, 0).await {
            Err(Error::Conflict(_)) => {}
            done => return done,
        }
        let version = match self.state(name).await? {
            State::Absent(version) => version,
            State::Present(_) => match self.read(name).await {
                Ok(Found::Tombstone(version)) => version,
                // A writer without the right to read knows from the metadata that something is
                // there; so does one who meets what is no record of ours.
                Ok(_) | Err(Error::Denied(_) | Error::Corrupt { .. }) => {
                    return Err(conflict(name));
                }
                Err(error) => return Err(error),
            },
        };
        self.put_at(name, bytes, version).await
    }

    async fn put_any(&self, name: &RecordName, bytes: &[u8]) -> Result<Rev, Error> {
        for _ in 0..MAX_TRIES {
            let (State::Absent(version) | State::Present(version)) = self.state(name).await?;
            match self.put_at(name, bytes, version).await {
                Err(Error::Conflict(_)) => {}
                done => return done,
            }
        }
        Err(conflict(name))
    }
}

pub(super) fn conflict(name: &RecordName) -> Error {
    Error::Conflict(name.to_string())
}

#[async_trait]
impl PutRecord for KvRecords {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        if bytes.len() > self.max_record_len {
            return Err(Error::TooLarge {
                what: "record",
                len: bytes.len(),
                limit: self.max_record_len,
            });
        }
        let write = async {
            match expect {
                Expect::Absent => self.put_absent(name, bytes).await,
                Expect::Any => self.put_any(name, bytes).await,
                // To the server, 0 means that there was never a version; and it reads a number as
                // one with a sign.
                Expect::Rev(Rev(rev)) if rev == 0 || i64::try_from(rev).is_err() => {
                    Err(conflict(name))
                }
                Expect::Rev(Rev(rev)) => self.put_at(name, bytes, rev).await,
            }
        };
        self.client.within(write).await
    }
}
