//! Destroying: a tombstone, by compare-and-set, takes the record's place and its bytes with it; then
//! the engine destroys the tombstone, which the metadata shows, so that lists leave the name out.
//!
//! Between the two, a crash leaves a tombstone: no record for whoever reads it, but a name in
//! lists. Whoever reads it finishes the work, if allowed.

use async_trait::async_trait;

use super::KvRecords;
use super::calls::{State, Written};
use super::put::{MAX_TRIES, conflict};
use super::secret::write_tombstone;
use crate::{DestroyRecord, Error, Expect, RecordName, Rev};

impl KvRecords {
    /// Destroys a tombstone that was left behind; its failure changes nothing for the reader.
    pub(super) async fn finish_destruction(&self, name: &RecordName, version: u64) {
        if let Err(error) = self.destroy_versions(name, &[version]).await {
            tracing::debug!(record = %name, %error, "a tombstone is left in its place");
        }
    }

    /// Destroys the record at `version`; `false` when another version is there by now.
    async fn destroy_at(&self, name: &RecordName, version: u64) -> Result<bool, Error> {
        let (tombstone, is_clean) = match self.write(name, write_tombstone(version)?).await? {
            Written::Version(tombstone) => (tombstone, true),
            Written::OldVersionLeft(tombstone) => (tombstone, false),
            Written::OtherVersion => return Ok(false),
        };
        // The record's version as well, for a secret with settings of its own.
        self.destroy_versions(name, &[version, tombstone]).await?;
        if is_clean {
            Ok(true)
        } else {
            Err(Error::ShredIncomplete(name.to_string()))
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
