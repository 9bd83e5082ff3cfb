//! Records in a KV version 2 engine of HashiCorp Vault or OpenBao.
//!
//! One secret per record, at `{prefix}/records/{hex of the name}`: the server's rules for paths and
//! folders never meet a name, and hexadecimal sorts as the bytes do. A revision is the secret's
//! version, so compare-and-set is the server's own, and no revision comes twice: a destroyed record
//! keeps its metadata.
//!
//! The mount must have `max_versions=1`: with each write the server removes the version before it,
//! in the same step.
//!
//! `{prefix}/environment` marks the folder with the environment it belongs to.

mod calls;
mod destroy;
mod list;
mod mark;
mod path;
mod put;
mod secret;

use halfkey_core::EnvironmentId;
use serde::Deserialize;

use crate::Error;
use crate::net::openbao::{Client, OpenBaoConfig, Request, checked_path, unexpected};

/// Where the records are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KvConfig {
    /// The server.
    pub server: OpenBaoConfig,
    /// Where the KV version 2 engine is mounted; `halfkey` by default. Its configuration must have
    /// `max_versions=1`, so it is best a mount of its own.
    #[serde(default = "default_mount")]
    pub mount: String,
    /// The folder in it; `halfkey` by default. One folder serves one environment.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// The longest record in bytes; 780 000 by default, which is what a server with the usual
    /// `max_entry_size` of 1 MiB can store.
    #[serde(default = "default_max_record_len")]
    pub max_record_len: usize,
}

fn default_mount() -> String {
    "halfkey".to_owned()
}

fn default_prefix() -> String {
    "halfkey".to_owned()
}

const fn default_max_record_len() -> usize {
    780_000
}

/// Records in a KV version 2 engine.
#[derive(Debug)]
pub struct KvRecords {
    client: Client,
    mount: String,
    prefix: String,
    max_record_len: usize,
}

impl KvRecords {
    /// Logs in, checks the mount and the environment mark. An empty folder is marked, which needs
    /// the right to list and to create the mark.
    ///
    /// # Errors
    /// [`Error::Environment`] when the folder is another environment's, [`Error::Config`] when the
    /// mount is no KV version 2 engine, keeps old versions, or has records but no mark;
    /// [`Error::Denied`], [`Error::NotDurable`], [`Error::Insecure`], and what stands in the way of
    /// an answer.
    pub async fn open(config: &KvConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        let mount = checked_path("the KV mount", &config.mount)?;
        let prefix = checked_path("the KV prefix", &config.prefix)?;
        let records = Self {
            client: Client::connect(&config.server).await?,
            mount,
            prefix,
            max_record_len: config.max_record_len,
        };
        let checks = async {
            records.check_mount().await?;
            records.check_mark(environment).await
        };
        records.client.within(checks).await?;
        Ok(records)
    }

    /// Refuses a mount that keeps what was overwritten, or loses what was not.
    async fn check_mount(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct MountConfig {
            max_versions: u64,
            delete_version_after: String,
        }
        let what = "the KV configuration";
        let request = Request::get(format!("{}/config", self.mount));
        let reply = self.client.call(&request).await?;
        if reply.is_absent() {
            return Err(self.bad_mount("is no KV version 2 engine"));
        }
        if !reply.is_success() {
            return Err(reply.refused(what));
        }
        let config: MountConfig = reply.data(what).map_err(|_| unexpected(what))?;
        if config.max_versions != 1 {
            return Err(self.bad_mount("keeps old versions: set max_versions=1"));
        }
        if config.delete_version_after != "0s" {
            return Err(self.bad_mount("deletes by itself: set delete_version_after=0s"));
        }
        Ok(())
    }

    fn bad_mount(&self, why: &str) -> Error {
        Error::Config(format!("the mount {} {why}", self.mount))
    }
}
