//! A KEK in the transit engine of HashiCorp Vault or OpenBao: it never leaves the server.
//!
//! The key is made with `derived=true`, and the context digest goes into each call as `context`, so
//! the server itself refuses a wrapped key in another context, also when it rewraps: a process with
//! the right to rewrap alone can move every record and open none. (`associated_data` would bind as
//! well, but the server does not take it when it rewraps.)
//!
//! A key serves the environment in its name: `halfkey-{environment}`.

mod key;
mod manage;
mod rights;
mod wrapped;

use halfkey_core::EnvironmentId;
use serde::Deserialize;

use self::key::Key;
use crate::net::openbao::{Client, OpenBaoConfig, Reply, Request, checked_path};
use crate::{BindCtx, Error};

/// What the names of our keys begin with.
const KEY_PREFIX: &str = "halfkey-";

/// Where the key is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransitConfig {
    /// The server.
    pub server: OpenBaoConfig,
    /// Where the engine is mounted; `transit` by default.
    #[serde(default = "default_mount")]
    pub mount: String,
    /// The key's name; `halfkey-{environment}` by default, and nothing else is accepted. Written
    /// out, it guards against a configuration that was copied from another environment.
    #[serde(default)]
    pub key: Option<String>,
}

fn default_mount() -> String {
    "transit".to_owned()
}

/// A KEK in a transit engine.
#[derive(Debug)]
pub struct TransitKek {
    client: Client,
    environment: EnvironmentId,
    mount: String,
    key: String,
    uri: String,
}

impl TransitKek {
    /// Logs in and checks the key.
    ///
    /// # Errors
    /// [`Error::Environment`] when the key is another environment's, [`Error::Config`] when it is
    /// absent, could leave the server, could be deleted or is of another kind,
    /// [`Error::KeyDisabled`], [`Error::Denied`], [`Error::NotDurable`], [`Error::Insecure`], and
    /// what stands in the way of an answer.
    pub async fn open(config: &TransitConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        let mount = checked_path("the transit mount", &config.mount)?;
        let key = format!("{KEY_PREFIX}{environment}");
        if let Some(named) = config.key.as_ref().filter(|named| **named != key) {
            let found = named.strip_prefix(KEY_PREFIX);
            return Err(Error::Environment {
                what: "the transit key".to_owned(),
                found: found.unwrap_or("none").to_owned(),
                expected: environment.to_string(),
            });
        }
        let kek = Self {
            client: Client::connect(&config.server).await?,
            environment: environment.clone(),
            uri: format!("transit:{mount}/{key}"),
            mount,
            key,
        };
        kek.client.within(kek.read_key()).await?;
        Ok(kek)
    }

    /// `transit:{mount}/{key}`: the KEK URI in records. It names no server, so that a server can be
    /// moved or restored elsewhere.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// What the key is now, if it may be used at all.
    async fn read_key(&self) -> Result<Key, Error> {
        let path = format!("{}/keys/{}", self.mount, self.key);
        let reply = self.client.call(&Request::get(path)).await?;
        if reply.is_absent() {
            return Err(Error::Config(format!("there is no key {}", self.uri)));
        }
        if !reply.is_success() {
            return Err(reply.refused("the transit key"));
        }
        let key: Key = reply.data("the transit key")?;
        key.check(&self.uri)?;
        Ok(key)
    }

    /// Refuses the records of every other environment before anything is sent.
    fn check_environment(&self, ctx: &BindCtx) -> Result<(), Error> {
        if ctx.environment == self.environment {
            return Ok(());
        }
        Err(Error::Environment {
            what: "the transit key".to_owned(),
            found: self.environment.to_string(),
            expected: ctx.environment.to_string(),
        })
    }

    /// What a refused call of the engine means. `version` is the wrap's.
    fn refused(&self, reply: &Reply, version: &str) -> Error {
        if reply.status() != 400 {
            return reply.refused("transit");
        }
        if reply.says("disallowed by policy (too old)") {
            return Error::KeyDisabled(format!("{} version {version}", self.uri));
        }
        if reply.says("soft-deleted key") {
            return Error::KeyDisabled(self.uri.clone());
        }
        let wrong = [
            "message authentication failed",
            "invalid ciphertext",
            "version is too new",
            "unable to decrypt",
        ];
        if wrong.iter().any(|text| reply.says(text)) {
            return self.does_not_belong();
        }
        if reply.says("encryption key not found") {
            return Error::permanent(format!("the key {} is gone", self.uri));
        }
        reply.refused("transit")
    }

    fn does_not_belong(&self) -> Error {
        Error::corrupt(
            &*self.uri,
            "its wrapped key is damaged or belongs to another context",
        )
    }
}
