//! Taking back shares that an error carried, and locks that could not be stored.

use halfkey_core::crash_point::crash_point;
use halfkey_core::{ServerKeyShare, WalletProperties};
use halfkey_mpc::KeyShare;
use halfkey_vault::{BindCtx, Error as VaultError, Expect, Purpose, RecordName};

use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::{Error, LockToken, PendingWallet, Result};

impl WalletStore {
    /// Stores shares that [`Error::NotActivated`] carried, where they are missing or damaged, and
    /// goes on from there: proof, commit, cache. Safe to repeat. The shares must be all of the
    /// customer's of one attempt. When it succeeds every record was opened by a real unwrap, past
    /// every cache, and the caller may let go of its copy.
    ///
    /// # Errors
    /// As [`Self::create`]; [`Error::CannotOpen`] in a process without the right to open;
    /// [`Error::VaultState`] when the store holds another wallet under that address.
    pub async fn adopt(&self, shares: &[ServerKeyShare]) -> Result<WalletProperties> {
        if !self.vault.can_open() {
            return Err(Error::CannotOpen);
        }
        self.pin().await?;
        let pending = PendingWallet::from_shares(&self.client, shares)?;
        match self.restore(&pending).await {
            Ok(true) => Ok(pending.properties().clone()),
            Ok(false) => self.finish_new(pending).await,
            Err(error) => Err(pending.not_activated(error)),
        }
    }

    /// Writes what is missing; whether the wallet is active already.
    async fn restore(&self, pending: &PendingWallet) -> Result<bool> {
        let address = &pending.properties().account_address;
        let Some(row) = self.find_row(chain_of(address), address).await? else {
            self.stage(pending, &[]).await?;
            return Ok(false);
        };
        let attempt = pending.attempt_id();
        let state = &row.value;
        let found = state.generations.iter().find(|one| one.attempt == attempt);
        let generation = found.ok_or_else(|| {
            Error::VaultState("the store holds another attempt of that wallet".to_owned())
        })?;
        let is_active = generation.state == GenerationState::Active;
        for share in pending.key_shares() {
            self.restore_share(state, generation, share, is_active)
                .await?;
        }
        Ok(is_active)
    }

    /// Writes one share where it is missing or damaged: under its own name, and under the active
    /// one where the generation `is_active`.
    pub(super) async fn restore_share(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        share: &KeyShare,
        is_active: bool,
    ) -> Result<()> {
        let wanted = share.header().party;
        let party = generation.parties.iter().find(|one| one.party == wanted);
        let party = party.ok_or_else(|| Error::VaultState("the row names no share".to_owned()))?;
        if !row.describes(generation, party, share.header()) {
            return Err(Error::VaultState(
                "the row speaks of another share".to_owned(),
            ));
        }
        let ctx = row.share_ctx(generation, party);
        let mut names = vec![RecordName::new(&*party.record)?];
        if is_active {
            names.push(RecordName::active_share(
                &self.options.prefix,
                &row.address,
                wanted,
            )?);
        }
        for name in names {
            self.restore_record(&name, &ctx, share).await?;
            crash_point("restore.after_record");
        }
        Ok(())
    }

    async fn restore_record(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        share: &KeyShare,
    ) -> Result<()> {
        let vault = self.vault_of(ctx.party);
        let (plaintext, access) = (share.encode()?, self.access(Purpose::Resume));
        let expect = match vault.load(name, ctx, &access).await {
            Ok(found) if found.value == plaintext => return Ok(()),
            Err(VaultError::NotFound(_)) => Expect::Absent,
            // It opens, so it is somebody's: never overwritten.
            Ok(_) => return Err(Error::VaultState(format!("{name} holds another share"))),
            // What does not open is not worth keeping beside the share itself.
            Err(VaultError::Corrupt { .. }) => match vault.get_row(name).await? {
                Some(found) => Expect::Rev(found.rev),
                None => Expect::Absent,
            },
            Err(error) => return Err(error.into()),
        };
        vault.store(name, ctx, &plaintext, expect, &access).await?;
        // The caller may let go of its copy after this: only a real unwrap says that it may.
        let stored = vault.load(name, ctx, &access).await?;
        if stored.value == plaintext {
            Ok(())
        } else {
            Err(VaultError::ReadBack(name.to_string()).into())
        }
    }

    /// Writes a lock that [`Error::LockNotStored`] carried into the vault tier, and applies it to
    /// this process at once (custody rule 13). Safe to repeat.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when the store does not know the wallet, [`Error::VaultState`]
    /// when its row may be one that cannot be read, or the vault tier's.
    pub async fn restore_lock(&self, token: &LockToken) -> Result<()> {
        self.client.restore_lock(token);
        let rows = self.all_rows().await?;
        let row = rows.iter().find(|row| row.value.wallet == token.wallet);
        let row = row.ok_or_else(|| rows.missing())?;
        self.write_lock(row, token).await
    }
}
