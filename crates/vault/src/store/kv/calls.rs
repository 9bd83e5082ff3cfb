//! The engine's routes: read, write, metadata, destroy.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::secret::{Content, Members};
use super::{KvRecords, path};
use crate::net::openbao::{Reply, Request, json_body};
use crate::{Error, GetRecord, RecordName, Rev, Versioned};

/// What is under a name.
pub(super) enum Found {
    /// Nothing, and never was.
    Nothing,
    /// A record was destroyed there, at this version.
    Destroyed,
    /// The newest version is a tombstone whose destruction was not finished.
    Tombstone(u64),
    /// A record.
    Record(Versioned<Vec<u8>>),
}

/// What the metadata tells of a name.
pub(super) enum State {
    /// Its newest version, 0 for none, is no record.
    Absent(u64),
    /// Its newest version is a record, or a tombstone whose destruction was not finished.
    Present(u64),
}

/// What came of a write.
pub(super) enum Written {
    /// The new version.
    Version(u64),
    /// The version before was another one.
    OtherVersion,
    /// The new version, but the engine could not yet remove the one before.
    OldVersionLeft(u64),
}

/// One version, in replies about data.
#[derive(Deserialize)]
struct VersionInfo {
    version: u64,
    #[serde(flatten)]
    fate: Fate,
}

#[derive(Deserialize)]
struct Fate {
    destroyed: bool,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: Members<'a>,
    metadata: VersionInfo,
}

/// A reply about a version without data; the status is then 404.
#[derive(Deserialize)]
struct NoData {
    metadata: VersionInfo,
}

#[derive(Deserialize)]
struct Metadata {
    current_version: u64,
    versions: BTreeMap<String, Fate>,
}

/// A reply to a write.
#[derive(Deserialize)]
struct Put {
    data: PutVersion,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct PutVersion {
    version: u64,
}

const WHAT: &str = "a record";

impl KvRecords {
    /// `{mount}/{route}/{prefix}/records/{name}`.
    fn path(&self, route: &str, name: &RecordName) -> String {
        let segment = path::segment(name);
        format!("{}/{route}/{}/records/{segment}", self.mount, self.prefix)
    }

    /// Reads a record.
    pub(super) async fn read(&self, name: &RecordName) -> Result<Found, Error> {
        let reply = self
            .client
            .call(&Request::get(self.path("data", name)))
            .await?;
        if reply.is_success() {
            return content(&reply, name);
        }
        if reply.is_absent() {
            return Ok(Found::Nothing);
        }
        if reply.status() != 404 {
            return Err(reply.refused(WHAT));
        }
        // A mount that is not there answers 404 as well, but tells of no version.
        let Ok(NoData { metadata }) = reply.data(WHAT) else {
            return Err(reply.refused(WHAT));
        };
        if metadata.fate.destroyed {
            return Ok(Found::Destroyed);
        }
        // We never delete in this way, and it can be undone.
        Err(Error::corrupt(
            name.as_str(),
            "it was deleted in the server by other means; undelete it there",
        ))
    }

    /// Asks for the state of a name without reading what is there.
    pub(super) async fn state(&self, name: &RecordName) -> Result<State, Error> {
        let request = Request::get(self.path("metadata", name));
        let reply = self.client.call(&request).await?;
        if reply.is_absent() {
            return Ok(State::Absent(0));
        }
        if !reply.is_success() {
            return Err(reply.refused(WHAT));
        }
        let metadata: Metadata = reply.data(WHAT)?;
        let version = metadata.current_version;
        let fate = metadata.versions.get(&version.to_string());
        if version == 0 || fate.is_some_and(|fate| fate.destroyed) {
            return Ok(State::Absent(version));
        }
        Ok(State::Present(version))
    }

    /// Writes `body`, made for one version before.
    pub(super) async fn write(&self, name: &RecordName, body: Bytes) -> Result<Written, Error> {
        let request = Request::post(self.path("data", name), body);
        let reply = self.client.call(&request).await?;
        if reply.is_success() {
            let Put { data, warnings } = reply.json(WHAT)?;
            let left = |warning: &String| warning.contains("cleaning up old versions");
            if warnings.is_some_and(|warnings| warnings.iter().any(left)) {
                return Ok(Written::OldVersionLeft(data.version));
            }
            return Ok(Written::Version(data.version));
        }
        if reply.status() == 400 && reply.says("check-and-set parameter did not match") {
            return Ok(Written::OtherVersion);
        }
        Err(reply.refused(WHAT))
    }

    /// Has the engine destroy a version. One it no longer has is no error.
    pub(super) async fn destroy_version(
        &self,
        name: &RecordName,
        version: u64,
    ) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Destroy {
            versions: [u64; 1],
        }
        let versions = [version];
        let body = json_body(&Destroy { versions }, 64)?;
        let request = Request::post(self.path("destroy", name), body);
        let reply = self.client.call(&request).await?;
        if reply.is_success() {
            return Ok(());
        }
        Err(reply.refused(WHAT))
    }
}

fn content(reply: &Reply, name: &RecordName) -> Result<Found, Error> {
    let no_record = || Error::corrupt(name.as_str(), "the secret is no record of ours");
    let Data { data, metadata } = reply.data(WHAT).map_err(|_| no_record())?;
    let version = metadata.version;
    Ok(match data.content().ok_or_else(no_record)? {
        Content::Tombstone => Found::Tombstone(version),
        Content::Record(value) => Found::Record(Versioned {
            value,
            rev: Rev(version),
        }),
    })
}

#[async_trait]
impl GetRecord for KvRecords {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        self.client
            .within(async {
                match self.read(name).await? {
                    Found::Nothing | Found::Destroyed => Ok(None),
                    Found::Tombstone(version) => {
                        self.finish_destruction(name, version).await;
                        Ok(None)
                    }
                    Found::Record(record) => Ok(Some(record)),
                }
            })
            .await
    }
}
