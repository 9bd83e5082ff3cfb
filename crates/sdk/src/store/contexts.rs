//! What each record of a wallet store is bound to, for walks over the store that open nothing.

use async_trait::async_trait;
use halfkey_core::EnvironmentId;
use halfkey_vault::embedded::{PROBE, probe_context};
use halfkey_vault::{
    BindCtx, Error as VaultError, RecordContexts, RecordName, Vault, WalletGuard, operator_key,
};

use super::pin::{pin_ctx, pin_name};
use super::row::StateRow;
use super::rows::read_row;
use crate::{Error, Result};

/// Tells the context of each record from the wallets' rows; needs the right to read, no right to
/// open, and no provider.
#[derive(Debug, Clone)]
pub struct StoreContexts {
    vault: Vault,
    environment: EnvironmentId,
    prefix: String,
}

impl StoreContexts {
    /// Of the store behind `vault`, whose names start with `prefix` (see
    /// [`StoreOptions::prefix`](super::StoreOptions::prefix)).
    pub fn new(vault: Vault, environment: EnvironmentId, prefix: impl Into<String>) -> Self {
        Self {
            vault,
            environment,
            prefix: prefix.into(),
        }
    }

    async fn find(&self, name: &RecordName) -> Result<Option<BindCtx>> {
        if name.as_str() == PROBE {
            return Ok(Some(probe_context(&self.environment)));
        }
        if *name == operator_key::name(&self.environment)? {
            return Ok(Some(operator_key::context(&self.environment)));
        }
        if *name == pin_name(&self.prefix, &self.environment)? {
            return Ok(Some(pin_ctx(&self.environment)));
        }
        let Some(address) = address_of(name, &self.prefix) else {
            return Ok(None);
        };
        let state = RecordName::state(&self.prefix, address)?;
        let row = read_row(&self.vault, &self.environment, &self.prefix, &state).await?;
        Ok(row.and_then(|row| context_in(&row.value, &self.prefix, name)))
    }
}

#[async_trait]
impl RecordContexts for StoreContexts {
    async fn context(
        &self,
        name: &RecordName,
    ) -> core::result::Result<Option<BindCtx>, VaultError> {
        match self.find(name).await {
            Ok(found) => Ok(found),
            Err(Error::Vault(error)) => Err(error),
            Err(error) => Err(VaultError::Config(format!(
                "what {name} is bound to cannot be told: {error}"
            ))),
        }
    }
}

/// `wallet:{address}/…`
fn address_of<'a>(name: &'a RecordName, prefix: &str) -> Option<&'a str> {
    let rest = name.as_str().strip_prefix(prefix)?;
    let (address, _) = rest.strip_prefix("wallet:")?.split_once('/')?;
    Some(address)
}

fn context_in(row: &StateRow, prefix: &str, name: &RecordName) -> Option<BindCtx> {
    for generation in &row.generations {
        for party in &generation.parties {
            if party.record == name.as_str() {
                return Some(row.share_ctx(generation, party));
            }
        }
    }
    // The active names hold copies of the active generation, else of the newest one that ever was
    // active, or that a crash kept from being called so.
    let newest = || {
        let all = row.generations.iter();
        all.max_by_key(|one| (one.committed, one.generation))
    };
    let newest = row.active().or_else(newest)?;
    for party in &newest.parties {
        let active = RecordName::active_share(prefix, &row.address, party.party);
        if active.ok().as_ref() == Some(name) {
            return Some(row.share_ctx(newest, party));
        }
    }
    let first = newest.parties.first()?;
    WalletGuard::new(prefix, &row.share_ctx(newest, first)).context_of(name)
}
