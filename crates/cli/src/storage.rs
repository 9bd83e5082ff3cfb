//! Opens the customer's storage tiers as `storage.toml` names them.

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
    let Some(dir) = &first.config.second_vault else {
        return Ok(None);
    };
    let dir = data.customer().join(dir);
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
