//! Opens this customer's storage tiers and a client to its provider.

use core::time::Duration;
use std::sync::Arc;

use halfkey::{StoreOptions, Timeouts, WalletClient, WalletClientOpts, WalletStore};
use halfkey_core::{EnvironmentId, SecretString, WalletProperties};
use halfkey_vault::Storage;

use super::backup::read_password;
use crate::args::Provider;
use crate::commands::recipient;
use crate::context::{CustomerConfig, DataDir, read_token};
use crate::exit_code::{ExitKind, Failure};
use crate::{rescue, storage};

/// The store over the storage tiers.
pub(crate) struct Opened {
    pub(crate) store: WalletStore,
    pub(crate) storage: Storage,
    /// Of the customer's second party, where it has tiers of its own.
    pub(crate) second: Option<Storage>,
    pub(crate) data: DataDir,
    pub(crate) environment: EnvironmentId,
}

impl Opened {
    /// The result of an operation, after whatever its error carries was written down.
    pub(crate) async fn done<T>(&self, result: halfkey::Result<T>) -> Result<T, Failure> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => {
                let vault = &self.storage.vault;
                Err(rescue::keep(&self.data, vault, &self.environment, error).await)
            }
        }
    }

    /// The wallet of a create, after whatever its error carried was written down or stored.
    pub(crate) async fn created(
        &self,
        result: halfkey::Result<WalletProperties>,
    ) -> Result<WalletProperties, Failure> {
        match result {
            Err(halfkey::Error::NotActivated(inner)) => {
                let (vault, environment) = (&self.storage.vault, &self.environment);
                rescue::keep_or_adopt(&self.data, &self.store, vault, environment, inner).await
            }
            other => self.done(other).await,
        }
    }

    /// The address that a name on the command line stands for: itself, or an alias.
    pub(crate) async fn address_of(&self, name: &str) -> Result<String, Failure> {
        self.store.resolve(name).await.map_err(|error| match error {
            halfkey::Error::WalletNotFound => Failure::new(
                ExitKind::NotFound,
                "wallet_not_found",
                "no wallet has this alias",
            )
            .with_hint("halfkey wallet list"),
            other => other.into(),
        })
    }

    pub(crate) async fn addresses_of(&self, names: &[String]) -> Result<Vec<String>, Failure> {
        let mut addresses = Vec::new();
        for name in names {
            addresses.push(self.address_of(name).await?);
        }
        Ok(addresses)
    }

    /// Closes the databases cleanly.
    pub(crate) async fn close(self) {
        drop(self.store);
        self.storage.close().await;
        if let Some(second) = self.second {
            second.close().await;
        }
    }
}

/// When the provider hears of this customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// At once: a command that needs it ends before it begins.
    Now,
    /// With the first question to it: commands that show what is here work without it.
    WhenNeeded,
}

/// As `init` wrote it, with what the command line says otherwise.
pub(crate) async fn open(
    data: &DataDir,
    passphrase: Option<SecretString>,
    provider: &Provider,
    login: Login,
) -> Result<Opened, Failure> {
    let config = merge(data.read_config()?, provider)?;
    let token_file = provider
        .token_file
        .clone()
        .unwrap_or_else(|| data.token_file());
    let token = read_token(&token_file)?;
    let backup_password = provider.backup_password_file.as_deref();
    let backup_password = backup_password.map(read_password).transpose()?;
    let mut opened = open_with(data, passphrase, &config, &token, login, provider.timeout).await?;
    if let Some(password) = backup_password {
        opened.store = opened.store.with_backup_fallback(Arc::new(password));
    }
    Ok(opened)
}

/// A client alone, for what needs no wallet.
pub(crate) async fn client(data: &DataDir, provider: &Provider) -> Result<WalletClient, Failure> {
    let config = merge(data.read_config()?, provider)?;
    let token_file = provider.token_file.clone();
    let token = read_token(&token_file.unwrap_or_else(|| data.token_file()))?;
    connect(&config, &token, Login::Now, provider.timeout).await
}

/// How to reach the provider, for what needs no storage of the customer's; and the environment.
pub(crate) fn client_options(
    data: &DataDir,
    provider: &Provider,
) -> Result<(WalletClientOpts, String), Failure> {
    let config = merge(data.read_config()?, provider)?;
    let environment = config.environment.to_string();
    Ok((options_of(&config, provider.timeout), environment))
}

/// A client with the token of the command line and nothing else of the customer's.
pub(crate) async fn client_of(
    data: &DataDir,
    provider: &Provider,
) -> Result<(WalletClient, String), Failure> {
    let (options, environment) = client_options(data, provider)?;
    let token_file = provider
        .token_file
        .clone()
        .unwrap_or_else(|| data.token_file());
    let token = read_token(&token_file)?;
    let mut client = WalletClient::new(options)?;
    client.authenticate_lazily(token.expose()).await;
    Ok((client, environment))
}

/// The same without any token, for what the provider tells everybody.
pub(crate) fn anonymous(
    data: &DataDir,
    api_url: Option<&str>,
    timeout: Duration,
) -> Result<WalletClient, Failure> {
    let mut config = data.read_config()?.ok_or_else(not_initialised)?;
    if let Some(url) = api_url {
        url.clone_into(&mut config.api_url);
    }
    Ok(WalletClient::new(options_of(&config, timeout))?)
}

fn options_of(config: &CustomerConfig, timeout: Duration) -> WalletClientOpts {
    let options = WalletClientOpts::new(config.environment.to_string())
        .base_api_url(&config.api_url)
        .provider_identity(&config.provider_identity)
        .timeouts(within(timeout));
    match &config.ca_file {
        Some(file) => options.ca_file(file),
        None => options,
    }
}

async fn connect(
    config: &CustomerConfig,
    token: &SecretString,
    login: Login,
    timeout: Duration,
) -> Result<WalletClient, Failure> {
    let mut client = WalletClient::new(options_of(config, timeout))?;
    match login {
        Login::Now => client.authenticate_api_token(token.expose()).await?,
        Login::WhenNeeded => client.authenticate_lazily(token.expose()).await,
    }
    Ok(client)
}

pub(crate) async fn open_with(
    data: &DataDir,
    passphrase: Option<SecretString>,
    config: &CustomerConfig,
    token: &SecretString,
    login: Login,
    timeout: Duration,
) -> Result<Opened, Failure> {
    let storage = storage::open(data, passphrase.clone(), &config.environment).await?;
    let second = storage::open_second(data, passphrase, &config.environment, &storage).await?;
    let client = connect(config, token, login, timeout).await?;
    let escrow_key = config.escrow_key.as_deref().map(recipient::parse);
    let escrow_key = escrow_key.transpose()?;
    let store = WalletStore::new(
        Arc::new(client),
        storage.vault.clone(),
        Arc::clone(&storage.properties),
        StoreOptions {
            actor: "halfkey-cli".to_owned(),
            require_distinct_vaults: storage.config.require_distinct_vaults,
            escrow_key,
            backup_horizon: storage.config.backup_horizon_days.duration(),
            ..StoreOptions::default()
        },
    );
    let store = match &second {
        Some(second) => store.with_second_vault(second.vault.clone()),
        None => store,
    };
    rescue::apply_locks(data, &store).await?;
    Ok(Opened {
        store,
        storage,
        second,
        data: data.clone(),
        environment: config.environment.clone(),
    })
}

/// No part of a call may take longer than all of it.
fn within(total: Duration) -> Timeouts {
    let usual = Timeouts::default();
    Timeouts {
        connect: usual.connect.min(total),
        read: usual.read.min(total),
        total,
    }
}

fn merge(written: Option<CustomerConfig>, provider: &Provider) -> Result<CustomerConfig, Failure> {
    let mut config = match (written, &provider.environment, &provider.identity) {
        (Some(config), _, _) => config,
        (None, Some(environment), Some(identity)) => CustomerConfig {
            environment: environment.parse()?,
            api_url: provider.api_url.clone().ok_or_else(not_initialised)?,
            provider_identity: identity.clone(),
            ca_file: None,
            escrow_key: None,
        },
        _ => return Err(not_initialised()),
    };
    if let Some(environment) = &provider.environment {
        config.environment = environment.parse()?;
    }
    if let Some(url) = &provider.api_url {
        config.api_url.clone_from(url);
    }
    if let Some(identity) = &provider.identity {
        config.provider_identity.clone_from(identity);
    }
    if let Some(file) = &provider.ca_file {
        config.ca_file = Some(file.clone());
    }
    Ok(config)
}

fn not_initialised() -> Failure {
    Failure::new(
        ExitKind::Input,
        "not_initialised",
        "this data directory knows no provider",
    )
    .with_hint("halfkey init, or give --api-url, --environment and --provider-identity")
}
