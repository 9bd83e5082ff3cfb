//! Falling back to an earlier generation after one half was restored from an older copy (custody
//! rules 9 and 11).

use halfkey_core::crash_point::crash_point;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{FallBackReply, FallBackRequest, RestoreEpoch};
use halfkey_core::{AttemptId, Generation, WalletProperties};
use halfkey_vault::{Error as VaultError, Expect, Purpose, Versioned};

use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::change;
use crate::client::Credential;
use crate::to_the_end::to_the_end;
use crate::transport::Retry;
use crate::{Error, Result, identity};

/// A wallet that fell back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FellBack {
    /// The wallet's properties; the address is what it was.
    pub properties: WalletProperties,
    /// The generation that both halves stand at now.
    pub generation: Generation,
    /// The highest number it ever had: the refresh that has to follow gets one above it.
    pub high_water: Generation,
    /// The provider's restore epoch in which it fell back.
    pub restore_epoch: u64,
}

impl WalletStore {
    /// Falls back to an earlier generation that both halves still hold, because one of them was
    /// restored from an older copy and is behind the other. What an operator does by hand:
    ///
    /// * this vault was restored and the provider is ahead: its operator has to allow it first
    ///   (`halfkey provider recover`);
    /// * the provider was restored and this vault is ahead: accepting the restore has allowed it.
    ///
    /// The share is opened under an audit event, proven to the provider, and moves only on a
    /// restore epoch that the pinned identity has signed and that is above the one this half knows.
    /// Afterwards nothing but a refresh runs: [`Self::refresh`] gets a number above every earlier
    /// one. Needs an API token with the scope `wallet.recover`. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::NotRecoverable`] for a generation that is burnt, locked, shredded or unknown here;
    /// [`Error::RestoreEpochUsed`] when no restore explains it; the provider's
    /// `recover_not_approved`, `generation_burnt`, `generation_gone` and `not_restored`.
    pub async fn recover_generation(
        &self,
        address: &str,
        generation: Generation,
    ) -> Result<FellBack> {
        let (store, address) = (self.clone(), address.to_owned());
        to_the_end(async move { store.recover_to(&address, generation).await }).await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address, %to))]
    async fn recover_to(&self, address: &str, to: Generation) -> Result<FellBack> {
        self.pin().await?;
        let row = self.row(chain_of(address), address).await?;
        let state = &row.value;
        let target = recoverable(state, to)?.clone();
        if !self.can_open(state.scheme_of(&target)) {
            return Err(Error::CannotOpen);
        }
        if self.is_locked(state, &target).await? {
            return Err(not_recoverable(to, "it is locked"));
        }
        let known = self.mark(state, &target).await?;
        let (epoch, is_there) = known.map_or((0, false), |mark| {
            (mark.epoch, mark.fell_back() && mark.active == to)
        });
        // A repeat asks in the epoch before: what it did last time may have lost its answer.
        let known_epoch = if is_there {
            epoch.saturating_sub(1)
        } else {
            epoch
        };
        let restore = self.ask_to_recover(state, &target, known_epoch).await?;
        if restore.restore_epoch <= known_epoch {
            return Err(Error::RestoreEpochUsed {
                told: restore.restore_epoch,
                known: known_epoch,
            });
        }
        self.lower_active(state, &target, &restore).await?;
        crash_point("fallback.after_mark");
        self.copy_to_active(state, &target, true).await?;
        self.activate_fallen(&row, &target).await?;
        crash_point("fallback.after_row");
        self.refresh_cache(state).await;
        let row = self.row(state.chain, address).await?;
        let mark = self.mark(&row.value, &target).await?;
        Ok(FellBack {
            properties: row.value.properties(),
            generation: to,
            high_water: mark.map_or(to, |mark| mark.generation),
            restore_epoch: restore.restore_epoch,
        })
    }

    /// Proves the share of that generation and asks the provider to stand at it as well. Its answer
    /// is believed only with its signature, and only about this wallet and generation.
    async fn ask_to_recover(
        &self,
        row: &StateRow,
        target: &GenerationRow,
        known_epoch: u64,
    ) -> Result<RestoreEpoch> {
        let client = &self.client;
        let shares = self.open_all(row, target, Purpose::Recover).await?;
        let share = shares.first().ok_or(Error::NoShare)?;
        let recovery_id = AttemptId::generate(&mut os_rng());
        // By what it knows, not by a signature, where there is OT state: that may have been used.
        let operation = ProofOperation::Recover;
        let share_proof = change::start(client, share, operation, true, recovery_id).await?;
        let body = FallBackRequest {
            generation: target.generation,
            attempt_id: target.attempt,
            known_epoch,
            recovery_id,
            share_proof,
        };
        let path = client.route(&[&row.wallet.to_string(), "generations", "recover"])?;
        crash_point("fallback.before_request");
        let by = Credential::ApiToken;
        let reply: FallBackReply = client
            .post_by(by, &path, &body, None, Retry::Idempotent)
            .await?;
        crash_point("fallback.after_request");
        let restore = reply.restore;
        let identity = client.provider_identity().await?;
        identity::verify_restore(&restore, client.environment(), &identity)?;
        let is_about_it = restore.wallet_id == row.wallet
            && restore.generation == target.generation
            && restore.attempt_id == target.attempt;
        if is_about_it {
            Ok(restore)
        } else {
            Err(Error::Protocol(
                "the restore epoch is about another wallet or generation",
            ))
        }
    }

    async fn activate_fallen(
        &self,
        row: &Versioned<StateRow>,
        target: &GenerationRow,
    ) -> Result<()> {
        let mut next = row.value.clone();
        next.fall_back(target.attempt, self.client.clock().now());
        match self.write_row(&next, Expect::Rev(row.rev)).await {
            Ok(_) => Ok(()),
            Err(Error::Vault(VaultError::Conflict(_))) => Err(Error::VaultState(
                "another process changed the wallet: try again".to_owned(),
            )),
            Err(error) => Err(error),
        }
    }
}

/// The generation of that number, if it may be used again.
fn recoverable(row: &StateRow, to: Generation) -> Result<&GenerationRow> {
    let mut named = row.generations.iter().filter(|one| one.generation == to);
    let found = named.find(|one| one.committed);
    let found = found.ok_or_else(|| not_recoverable(to, "this half never had it active"))?;
    if row.in_state(GenerationState::Pending).is_some() {
        return Err(Error::InvalidArgument(
            "resume or abort the attempt that is pending first".to_owned(),
        ));
    }
    match found.state {
        _ if found.shredded.is_some() => Err(not_recoverable(
            to,
            "its shares were shredded after the provider's horizon",
        )),
        GenerationState::Active | GenerationState::Retired => Ok(found),
        GenerationState::Locked => Err(not_recoverable(to, "it is locked")),
        _ => Err(not_recoverable(to, "it is burnt")),
    }
}

const fn not_recoverable(generation: Generation, why: &'static str) -> Error {
    Error::NotRecoverable { generation, why }
}
