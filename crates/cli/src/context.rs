//! Where things are: the data directory and what `init` wrote there.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use halfkey_core::{EnvironmentId, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::args::Global;
use crate::exit_code::{ExitKind, Failure};

/// What the customer's side has to know about its provider. Not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CustomerConfig {
    pub(crate) environment: EnvironmentId,
    pub(crate) api_url: String,
    /// The provider's identity key, 64 hex digits; checked in every keygen.
    pub(crate) provider_identity: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The escrow key that this side insists on (`halfkey escrow register --require`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) escrow_key: Option<String>,
}

/// The data directory and the paths below it.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Where `storage.toml` is, when it was named.
    storage_file: Option<PathBuf>,
}

impl DataDir {
    /// The directory that `--data-dir`, the environment or XDG names; made if absent, mode 0700.
    pub(crate) fn open(global: &Global) -> Result<Self, Failure> {
        let path = match &global.data_dir {
            Some(path) => path.clone(),
            None => default_path()?,
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| {
                Failure::new(
                    ExitKind::Storage,
                    "data_dir",
                    format!("{}: {error}", path.display()),
                )
            })?;
        Ok(Self {
            path,
            storage_file: global.storage.clone(),
        })
    }

    /// A directory that is there already.
    #[cfg(test)]
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            storage_file: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn customer(&self) -> PathBuf {
        self.path.join("customer")
    }

    fn config_file(&self) -> PathBuf {
        self.customer().join("config.json")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.customer().join("token")
    }

    /// The configuration of the storage tiers.
    pub(crate) fn storage_file(&self) -> PathBuf {
        let named = self.storage_file.clone();
        named.unwrap_or_else(|| self.customer().join("storage.toml"))
    }

    /// A directory of the customer's side; made when absent, mode 0700.
    pub(crate) fn private_dir(&self, name: &str) -> Result<PathBuf, Failure> {
        let dir = self.customer().join(name);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)?;
        Ok(dir)
    }

    /// What `init` wrote.
    pub(crate) fn read_config(&self) -> Result<Option<CustomerConfig>, Failure> {
        let file = self.config_file();
        match std::fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|error| {
                Failure::new(
                    ExitKind::Storage,
                    "config",
                    format!("{}: {error}", file.display()),
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn write_config(&self, config: &CustomerConfig) -> Result<(), Failure> {
        self.make_customer_dir()?;
        let json = serde_json::to_vec_pretty(config)
            .map_err(|error| Failure::internal(error.to_string()))?;
        write_private(&self.config_file(), &json)
    }

    pub(crate) fn write_token(&self, token: &SecretString) -> Result<(), Failure> {
        self.make_customer_dir()?;
        write_private(&self.token_file(), token.expose().as_bytes())
    }

    fn make_customer_dir(&self) -> Result<(), Failure> {
        Ok(std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.customer())?)
    }
}

/// Reads a token file; one that others can read is refused.
pub(crate) fn read_token(file: &Path) -> Result<SecretString, Failure> {
    let fail = |message: String| Failure::new(ExitKind::Authentication, "token_file", message);
    let metadata = std::fs::metadata(file).map_err(|error| {
        fail(format!("token file {}: {error}", file.display()))
            .with_hint("halfkey init, or name the file with --token-file")
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(fail(format!(
            "token file {} can be read by others",
            file.display()
        ))
        .with_hint(format!("chmod 600 {}", file.display())));
    }
    let text = Zeroizing::new(std::fs::read_to_string(file)?);
    Ok(SecretString::from(text.trim()))
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = file.with_extension("new");
    if let Err(error) = std::fs::remove_file(&temporary)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error.into());
    }
    let mut handle = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    handle.write_all(bytes)?;
    handle.sync_all()?;
    std::fs::rename(&temporary, file)?;
    Ok(())
}

fn default_path() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(base) = set("XDG_DATA_HOME") {
        return Ok(PathBuf::from(base).join("halfkey"));
    }
    set("HOME")
        .map(|home| PathBuf::from(home).join(".local/share/halfkey"))
        .ok_or_else(|| Failure::input("no data directory: neither --data-dir nor HOME is set"))
}
