//! The provider's shares in escrow, as a store keeps and uses them (custody rule 30).

use halfkey_core::crash_point::crash_point;
use halfkey_core::wire::{AttemptState, ErrorCode, EscrowFile};
use halfkey_core::{PartyIndex, SecretBytes, SigningInput, ThresholdSignatureScheme};
use halfkey_mpc::age::{Identity, Recipient};
use halfkey_mpc::{KeyShare, RootKey};
use halfkey_vault::{
    BindCtx, Error as VaultError, Expect, Purpose, RecordName, RecordPurpose, Versioned,
};

use super::row::{GenerationRow, StateRow};
use super::{WalletStore, chain_of};
use crate::escrow::{self, EscrowError};
use crate::{Error, Result, pending_wallet};

impl WalletStore {
    /// The provider's share of the wallet's active generation in escrow, as this store has kept it;
    /// `None` when it has none. Asks nobody.
    ///
    /// # Errors
    /// [`Error::CannotOpen`] in a process without the right to open; a damaged record.
    pub async fn escrow(&self, address: &str) -> Result<Option<EscrowFile>> {
        let row = self.row(chain_of(address), address).await?;
        let generation = super::export::usable(&row.value)?;
        self.kept_escrow(&row.value, generation).await
    }

    /// Every escrow of the wallet that this store has kept, oldest generation first.
    ///
    /// # Errors
    /// As [`Self::escrow`].
    pub async fn escrows(&self, address: &str) -> Result<Vec<EscrowFile>> {
        let row = self.row(chain_of(address), address).await?;
        let mut found = Vec::new();
        for generation in &row.value.generations {
            found.extend(self.kept_escrow(&row.value, generation).await?);
        }
        Ok(found)
    }

    /// Has the provider seal its share of the active generation to the escrow key in force, unless
    /// it has done so, checks the label against this side's share, and stores it. For wallets that
    /// were made before the key was registered. Needs an API token with the scope `wallet.escrow`.
    ///
    /// # Errors
    /// [`Error::Escrow`]: [`EscrowError::NotSealed`] when no key is in force.
    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub async fn fetch_escrow(&self, address: &str) -> Result<EscrowFile> {
        self.pin().await?;
        let row = self.settled_row(address).await?;
        let state = &row.value;
        let generation = state.active().ok_or(Error::WalletNotFound)?;
        if state.scheme_of(generation) != ThresholdSignatureScheme::TwoOfTwo {
            return Err(Error::InvalidArgument(
                "only a TWO_OF_TWO wallet has an escrow: two customer shares need no provider"
                    .to_owned(),
            ));
        }
        let party = PartyIndex::CUSTOMER_1;
        let purpose = Purpose::Escrow;
        let own = self.open_either(state, generation, party, purpose).await?;
        let fetched = self.client.fetch_escrow(state.wallet, generation.attempt);
        let file = fetched.await?;
        self.check_escrow_of(&file, &own)?;
        self.keep_escrow(state, generation, &file).await?;
        Ok(file)
    }

    /// Before a `TWO_OF_TWO` generation is made: the key that this store requires is in force.
    pub(super) async fn check_escrow_key(&self, scheme: ThresholdSignatureScheme) -> Result<()> {
        let Some(required) = &self.options.escrow_key else {
            return Ok(());
        };
        if scheme != ThresholdSignatureScheme::TwoOfTwo {
            return Ok(());
        }
        let found = self.client.escrow_keys().await?.in_force;
        self.is_required(required, found.as_deref())
    }

    /// Commits a pending generation, with the provider's share in escrow where either half wants
    /// that: fetched, checked against the share that was read back, stored, and acknowledged.
    pub(super) async fn commit_escrowed(
        &self,
        state: &StateRow,
        generation: &GenerationRow,
        own: &KeyShare,
    ) -> Result<Option<u64>> {
        let (client, header, properties) = (&self.client, own.header(), state.properties());
        let is_required = self.options.escrow_key.is_some()
            && header.scheme == ThresholdSignatureScheme::TwoOfTwo;
        let mut kept = None;
        if is_required {
            kept = Some(self.take_escrow(state, generation, own).await?);
        }
        let commit =
            |kept| pending_wallet::commit_attempt(client, header, false, &properties, kept);
        match commit(kept).await {
            // Whoever knows of no key learns of it here; and it may have changed meanwhile.
            Err(error) if error.api_code() == Some(ErrorCode::EscrowUnacknowledged) => {
                kept = Some(self.take_escrow(state, generation, own).await?);
                commit(kept).await
            }
            other => other,
        }
    }

    /// The digest of what is stored now.
    async fn take_escrow(
        &self,
        state: &StateRow,
        generation: &GenerationRow,
        own: &KeyShare,
    ) -> Result<[u8; 32]> {
        let asked = self
            .client
            .escrow_to_commit(state.wallet, generation.attempt);
        let file = match asked.await {
            // Another process may have committed it: then the commit only says so again.
            Err(error) if error.api_code() == Some(ErrorCode::ScopeMissing) => {
                let known = self.client.attempt(generation.attempt).await?;
                if !matches!(
                    known.state,
                    AttemptState::Committed | AttemptState::Finalised
                ) {
                    return Err(error);
                }
                let kept = self.kept_escrow(state, generation).await?;
                kept.ok_or(EscrowError::Missing(generation.generation))?
            }
            other => other?,
        };
        self.check_escrow_of(&file, own)?;
        crash_point("escrow.after_fetch");
        self.keep_escrow(state, generation, &file).await?;
        crash_point("escrow.after_kept");
        Ok(file.digest())
    }

    fn check_escrow_of(&self, file: &EscrowFile, own: &KeyShare) -> Result<()> {
        escrow::check_label(file, own)?;
        match &self.options.escrow_key {
            Some(required) => self.is_required(required, Some(&file.recipient)),
            None => Ok(()),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the store")]
    fn is_required(&self, required: &Recipient, found: Option<&str>) -> Result<()> {
        let required = required.to_string();
        if found == Some(required.as_str()) {
            return Ok(());
        }
        let found = found.unwrap_or("none").to_owned();
        Err(EscrowError::NotAsRequired { required, found }.into())
    }

    /// Stores it, sealed and read back. One that is sealed to another key takes the place of an
    /// earlier one of the same generation; the provider keeps both.
    async fn keep_escrow(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        file: &EscrowFile,
    ) -> Result<()> {
        let text = serde_json::to_vec(file).map_err(|_| Error::Bug("an escrow does not encode"))?;
        let (name, ctx) = self.escrow_record(row, generation)?;
        let standing = self.vault.get_row(&name).await?;
        if standing.is_some() && self.kept_escrow(row, generation).await?.as_ref() == Some(file) {
            return Ok(());
        }
        let expect = standing.map_or(Expect::Absent, |one| Expect::Rev(one.rev));
        let (plaintext, access) = (SecretBytes::new(text), self.access(Purpose::Escrow));
        let stored = self.vault.store(&name, &ctx, &plaintext, expect, &access);
        stored.await?;
        Ok(())
    }

    async fn kept_escrow(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<Option<EscrowFile>> {
        let (name, ctx) = self.escrow_record(row, generation)?;
        let access = self.access(Purpose::Escrow);
        if self.vault.get_row(&name).await?.is_none() {
            return Ok(None);
        }
        let stored = match self.vault.load(&name, &ctx, &access).await {
            Ok(stored) => stored,
            Err(VaultError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let file: Option<EscrowFile> = serde_json::from_slice(stored.value.expose()).ok();
        file.map(Some).ok_or_else(|| EscrowError::Damaged.into())
    }

    fn escrow_record(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<(RecordName, BindCtx)> {
        let prefix = &self.options.prefix;
        let name = escrow_name(prefix, row, generation)?;
        let ctx = escrow_ctx(row, generation).ok_or(Error::Bug("a generation of nobody"))?;
        Ok((name, ctx))
    }

    /// Puts the key of a `TWO_OF_TWO` wallet together from this store's share and the provider's in
    /// escrow: no provider, no network. `file` is the escrow where it is not the one this store has
    /// kept. For when the provider is gone for good; whoever can do this holds the key.
    ///
    /// # Errors
    /// [`Error::Escrow`], which says what is missing or does not fit.
    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub async fn rescue_from_escrow(
        &self,
        address: &str,
        identity: &Identity,
        file: Option<&EscrowFile>,
    ) -> Result<RootKey> {
        let (row, key) = self.rebuild_from_escrow(address, identity, file).await?;
        self.mark_exported(row).await?;
        Ok(key)
    }

    /// Does everything that [`Self::rescue_from_escrow`] does, signs with the key, and keeps
    /// nothing of it: whether a rescue would work today.
    ///
    /// # Errors
    /// As [`Self::rescue_from_escrow`].
    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub async fn escrow_drill(
        &self,
        address: &str,
        identity: &Identity,
        file: Option<&EscrowFile>,
    ) -> Result<()> {
        let (_, key) = self.rebuild_from_escrow(address, identity, file).await?;
        prove_by_signing(&key)
    }

    async fn rebuild_from_escrow(
        &self,
        address: &str,
        identity: &Identity,
        file: Option<&EscrowFile>,
    ) -> Result<(Versioned<StateRow>, RootKey)> {
        let row = self.row(chain_of(address), address).await?;
        let state = &row.value;
        let generation = super::export::usable(state)?;
        if state.scheme_of(generation) != ThresholdSignatureScheme::TwoOfTwo {
            return Err(Error::InvalidArgument(
                "a TWO_OF_THREE wallet is rescued from its two customer shares".to_owned(),
            ));
        }
        let kept = match file {
            Some(file) => Some(file.clone()),
            None => self.kept_escrow(state, generation).await?,
        };
        let file = kept.ok_or(EscrowError::Missing(generation.generation))?;
        let party = PartyIndex::CUSTOMER_1;
        let purpose = Purpose::Export;
        let own = self.open_either(state, generation, party, purpose).await?;
        let key = escrow::open(&file, identity, &own)?;
        super::export::check_address(state, &key)?;
        Ok((row, key))
    }
}

/// A signature that verifies is what a key is for; the message is of no use to anybody.
pub(super) fn prove_by_signing(key: &RootKey) -> Result<()> {
    let input = if key.header().key_type.uses_ot() {
        SigningInput::Digest(*b"halfkey rescue drill, no payload")
    } else {
        SigningInput::Message(b"halfkey rescue drill, no payload".to_vec())
    };
    key.sign(&input)?;
    Ok(())
}

pub(super) fn escrow_name(
    prefix: &str,
    row: &StateRow,
    generation: &GenerationRow,
) -> Result<RecordName> {
    let (number, attempt) = (generation.generation, generation.attempt);
    Ok(RecordName::escrow(prefix, &row.address, number, attempt)?)
}

/// What the escrow of a generation is sealed under here: as the customer's share beside it, but the
/// provider's party and another purpose.
pub(super) fn escrow_ctx(row: &StateRow, generation: &GenerationRow) -> Option<BindCtx> {
    let party = generation.parties.first()?;
    Some(BindCtx {
        party: PartyIndex::PROVIDER,
        purpose: RecordPurpose::Escrow,
        ..row.share_ctx(generation, party)
    })
}
