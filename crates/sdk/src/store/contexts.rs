//! What each record of a wallet store is bound to, for walks over the store that open nothing.

use async_trait::async_trait;
use halfkey_core::{EnvironmentId, PartyIndex, ThresholdSignatureScheme};
use halfkey_vault::embedded::{CHECK_PREFIX, PROBE, check_context, probe_context};
use halfkey_vault::{
    BindCtx, Error as VaultError, RecordContexts, RecordName, Vault, WalletGuard, operator_key,
};

use super::escrow::{escrow_ctx, escrow_name};
use super::pin::{pin_ctx, pin_name};
use super::row::{GenerationRow, StateRow};
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
        if name.as_str().starts_with(CHECK_PREFIX) {
            return Ok(Some(check_context(&self.environment)));
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
        if escrow_name(prefix, row, generation).ok().as_ref() == Some(name) {
            return escrow_ctx(row, generation);
        }
        for party in &generation.parties {
            if party.record == name.as_str() {
                return Some(row.share_ctx(generation, party));
            }
        }
    }
    // The active names hold copies of the active generation, else of the newest one that ever was
    // active, or that a crash kept from being called so; of a party that left, of the newest that
    // gave it a share.
    let age = |one: &&GenerationRow| (one.committed, one.generation);
    for party in PartyIndex::customers(ThresholdSignatureScheme::TwoOfThree) {
        if RecordName::active_share(prefix, &row.address, *party)
            .ok()
            .as_ref()
            != Some(name)
        {
            continue;
        }
        let of = |one: &GenerationRow| one.parties.iter().find(|of| of.party == *party).cloned();
        let with = row.generations.iter().filter(|one| of(one).is_some());
        let live = row.active().filter(|one| of(one).is_some());
        let newest = live.or_else(|| with.max_by_key(age))?;
        return Some(row.share_ctx(newest, &of(newest)?));
    }
    let newest = || row.generations.iter().max_by_key(age);
    let newest = row.active().or_else(newest)?;
    let first = newest.parties.first()?;
    WalletGuard::new(prefix, &row.share_ctx(newest, first)).context_of(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use halfkey_core::{RequestId, SecretBytes, SystemClock};
    use halfkey_vault::audit::memory::MemoryAudit;
    use halfkey_vault::kms::memory::MemoryKek;
    use halfkey_vault::store::memory::MemoryRecords;
    use halfkey_vault::{Access, Expect, Purpose, VaultParts};

    use super::*;

    /// What a `doctor` left behind can be moved to a new KEK version.
    #[tokio::test]
    async fn a_record_of_doctor_has_a_context() {
        let (kek, records) = (
            Arc::new(MemoryKek::new("k").unwrap()),
            Arc::new(MemoryRecords::default()),
        );
        let vault = Vault::new(VaultParts {
            wrap: Some(Arc::<MemoryKek>::clone(&kek)),
            unwrap: Some(kek),
            put: Some(Arc::<MemoryRecords>::clone(&records)),
            get: Some(records),
            list: None,
            destroy: None,
            audit: Arc::new(MemoryAudit::default()),
            clock: Arc::new(SystemClock),
        });
        let environment: EnvironmentId = "env".parse().unwrap();
        let name = RecordName::new("doctor/0123").unwrap();
        let access = Access {
            actor: "doctor".to_owned(),
            purpose: Purpose::Probe,
            request_id: RequestId::from_bytes([1; 16]),
        };
        let ctx = check_context(&environment);
        let plaintext = SecretBytes::new(b"probe".to_vec());
        vault
            .store(&name, &ctx, &plaintext, Expect::Absent, &access)
            .await
            .unwrap();
        let contexts = StoreContexts::new(vault.clone(), environment, "");
        let found = contexts.context(&name).await.unwrap().unwrap();
        assert!(vault.load(&name, &found, &access).await.unwrap().value == plaintext);
    }
}
