//! Where records and keys are: a `storage.toml`, and a counting proxy in front of a server.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use halfkey_vault::StorageConfig;
use tempfile::TempDir;

use crate::Failure;
use crate::proxy::Proxy;

/// One choice of back-ends.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) config: StorageConfig,
    /// The embedded parts, and the credentials.
    pub(super) dir: TempDir,
    proxy: Option<Proxy>,
}

impl Place {
    /// Everything in one directory.
    pub(super) fn embedded() -> Result<Self, Failure> {
        Self::local("vault: SQLite + keyring (the embedded default)", |_| {
            Ok(String::new())
        })
    }

    /// No server in between; `config` makes the `storage.toml`, given the place's folder.
    pub(super) fn local(
        name: &str,
        config: impl FnOnce(&Folder<'_>) -> Result<String, Failure>,
    ) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let text = config(&Folder(&dir))?;
        Ok(Self {
            name: name.to_owned(),
            config: StorageConfig::parse(&text)?,
            dir,
            proxy: None,
        })
    }

    /// A server on `port` of this machine; `config` is given the proxy's port instead.
    pub(super) fn remote(
        name: &str,
        port: u16,
        config: impl FnOnce(&Folder<'_>, u16) -> Result<String, Failure>,
    ) -> Result<Self, Failure> {
        let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], port)))?;
        let place = Self::local(name, |folder| config(folder, proxy.addr.port()))?;
        Ok(Self {
            proxy: Some(proxy),
            ..place
        })
    }

    pub(super) const fn is_remote(&self) -> bool {
        self.proxy.is_some()
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.proxy
            .as_ref()
            .map_or(0, |proxy| proxy.counts.snapshot()[2])
    }

    /// What the proxy's thread used so far.
    pub(super) fn proxy_cpu(&self) -> Duration {
        self.proxy
            .as_ref()
            .map_or(Duration::ZERO, |proxy| proxy.thread.used())
    }
}

/// The folder of one place.
pub(super) struct Folder<'a>(&'a TempDir);

impl Folder<'_> {
    /// A path in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A private file with a credential, as `storage.toml` names it.
    pub(super) fn credential(&self, name: &str, secret: &str) -> Result<String, Failure> {
        let path = self.path(name);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(secret.as_bytes())?;
        Ok(format!("{{ file = \"{}\" }}", path.display()))
    }
}
