//! Destroying, in three steps, so that each crash leaves something that makes sense:
//!
//! 1. The engine destroys the record's version. Its bytes are gone; the metadata says so.
//! 2. A tombstone becomes the next version, by compare-and-set: whoever remembers the record's
//!    revision can no longer write over it.
//! 3. The engine destroys the tombstone, which the metadata shows as well, so that lists leave the
//!    name out.
//!
//! After 1 the record is gone already, also when its destroyer lacks the right to write. Between 2
//! and 3 it is no record for whoever reads it, but a name in lists; whoever reads it then finishes
//! the work, if allowed.

use async_trait::async_trait;

use super::KvRecords;
use super::calls::{State, Written};
use super::put::{MAX_TRIES, conflict};
use super::secret::write_tombstone;
use crate::{DestroyRecord, Error, Expect, RecordName, Rev};

impl KvRecords {
    /// Destroys a tombstone that was left behind; its failure changes nothing for the reader.
    pub(super) async fn finish_destruction(&self, name: &RecordName, version: u64) {
        if let Err(error) = self.destroy_version(name, version).await {
            tracing::debug!(record = %name, %error, "a tombstone is left in its place");
        }
    }

    /// Destroys the record at `version`; `false` when another version is there by now.
    async fn destroy_at(&self, name: &RecordName, version: u64) -> Result<bool, Error> {
        self.destroy_version(name, version).await?;
        match self.write(name, write_tombstone(version)?).await? {
            Written::Version(tombstone) | Written::OldVersionLeft(tombstone) => {
                self.destroy_version(name, tombstone).await?;
                Ok(true)
            }
            Written::OtherVersion => Ok(false),
        }
    }

    async fn destroy_any(&self, name: &RecordName) -> Result<(), Error> {
        for _ in 0..MAX_TRIES {
            let State::Present(version) = self.state(name).await? else {
                return Ok(());
            };
            if self.destroy_at(name, version).await? {
                return Ok(());
            }
        }
        Err(conflict(name))
    }

    async fn destroy_rev(&self, name: &RecordName, rev: u64) -> Result<(), Error> {
        match self.state(name).await? {
            State::Present(version) if version == rev => {
                if self.destroy_at(name, version).await? {
                    Ok(())
                } else {
                    Err(conflict(name))
                }
            }
            State::Present(_) | State::Absent(_) => Err(conflict(name)),
        }
    }
}

#[async_trait]
impl DestroyRecord for KvRecords {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        let destroy = async {
            match expect {
                Expect::Absent => Err(Error::Caller("what is absent cannot be destroyed")),
                Expect::Any => self.destroy_any(name).await,
                Expect::Rev(Rev(rev)) => self.destroy_rev(name, rev).await,
            }
        };
        self.client.within(destroy).await
    }
}
