//! Opens the customer's storage tiers as `storage.toml` names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfkey_core::{EnvironmentId, SecretString, SystemClock};
use halfkey_vault::{Storage, StorageConfig};

use crate::context::DataDir;
use crate::exit_code::Failure;

/// The name under which the command stands in audit events.
pub(crate) const ACTOR: &str = "halfkey-cli";

/// Opens the tiers; everything embedded when there is no `storage.toml`.
pub(crate) async fn open(
    data: &DataDir,
    passphrase: Option<SecretString>,
    environment: &EnvironmentId,
) -> Result<Storage, Failure> {
    let config = StorageConfig::read(&data.storage_file())?;
    let (dir, clock) = (data.customer(), Arc::new(SystemClock));
    let opened = Storage::create_or_open(
        &dir,
        environment,
        &config,
        passphrase.as_ref(),
        clock,
        "cli",
    );
    Ok(opened.await?)
}

/// The tiers of the customer's second party, where `first` names any.
pub(crate) async fn open_second(
    data: &DataDir,
    passphrase: Option<SecretString>,
    environment: &EnvironmentId,
    first: &Storage,
) -> Result<Option<Storage>, Failure> {
    let Some(dir) = second_dir(data, &first.config) else {
        return Ok(None);
    };
    let config = StorageConfig::read(&dir.join("storage.toml"))?;
    let (clock, node) = (Arc::new(SystemClock), "cli");
    let opened =
        Storage::create_or_open(&dir, environment, &config, passphrase.as_ref(), clock, node);
    let second = opened.await?;
    let Some(shared) = first.shared_with(&second) else {
        return Ok(Some(second));
    };
    if first.config.require_distinct_vaults {
        second.close().await;
        return Err(Failure::input(format!(
            "require_distinct_vaults: both customer parties share {shared}"
        ))
        .with_hint("give the second vault another store and another KEK"));
    }
    tracing::warn!(
        shared,
        "the two customer parties of TWO_OF_THREE are not apart"
    );
    Ok(Some(second))
}

fn second_dir(data: &DataDir, config: &StorageConfig) -> Option<PathBuf> {
    let dir = config.second_vault.as_deref()?;
    Some(data.customer().join(dir))
}

/// Both sets of tiers, for commands that need no provider.
pub(crate) struct Both {
    pub(crate) first: Storage,
    /// Of the customer's second party, where it has tiers of its own.
    pub(crate) second: Option<Storage>,
    pub(crate) environment: EnvironmentId,
}

impl Both {
    /// As `init` and `storage.toml` name them.
    pub(crate) async fn open(
        data: &DataDir,
        passphrase: Option<SecretString>,
    ) -> Result<Self, Failure> {
        let (first, environment) = open_here(data, passphrase.clone()).await?;
        let second = open_second(data, passphrase, &environment, &first).await?;
        Ok(Self {
            first,
            second,
            environment,
        })
    }

    pub(crate) async fn close(self) {
        self.first.close().await;
        if let Some(second) = self.second {
            second.close().await;
        }
    }
}

/// One audit log of the customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditLog {
    /// What reports call it.
    pub(crate) half: &'static str,
    pub(crate) path: PathBuf,
}

/// Every audit log of the customer's that `storage.toml` tells of, whether it is there or not:
/// reading them needs no key.
pub(crate) fn audit_logs(data: &DataDir) -> Result<Vec<AuditLog>, Failure> {
    let config = StorageConfig::read(&data.storage_file())?;
    let log = |half, dir: &Path| AuditLog {
        half,
        path: dir.join("audit.sqlite"),
    };
    let mut logs = vec![log("customer", &data.customer())];
    if let Some(dir) = second_dir(data, &config) {
        logs.push(log("customer's second vault", &dir));
    }
    Ok(logs)
}

/// The same for commands that need no provider: the environment is the one `init` wrote.
pub(crate) async fn open_here(
    data: &DataDir,
    passphrase: Option<SecretString>,
) -> Result<(Storage, EnvironmentId), Failure> {
    let config = data.read_config()?.ok_or_else(|| {
        Failure::input("this data directory was never initialised").with_hint("halfkey init")
    })?;
    let storage = open(data, passphrase, &config.environment).await?;
    Ok((storage, config.environment))
}
