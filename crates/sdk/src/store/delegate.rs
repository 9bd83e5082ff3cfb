//! Delegating a stored wallet, and taking that back.

use halfkey_core::PartyIndex;
use halfkey_core::wire::DeliverShareReply;
use halfkey_vault::Purpose;

use super::change::Changed;
use super::{WalletStore, chain_of};
use crate::delegation::{DelegationOptions, grant};
use crate::sign::share;
use crate::to_the_end::to_the_end;
use crate::{Error, Result};

impl WalletStore {
    /// Gives the first customer party's share of a wallet to a delegate; see
    /// [`WalletClient::delegate`](crate::WalletClient::delegate). The other share of a
    /// `TWO_OF_THREE` wallet never is (custody rule 31).
    ///
    /// # Errors
    /// As there; [`Error::CannotOpen`] for a process without the right to open.
    pub async fn delegate(
        &self,
        address: &str,
        options: &DelegationOptions,
    ) -> Result<DeliverShareReply> {
        let (store, address, options) = (self.clone(), address.to_owned(), options.clone());
        to_the_end(async move {
            match store.delegate_now(&address, &options).await {
                Err(error) => {
                    store.fall_back(&address, error).await?;
                    store.delegate_now(&address, &options).await
                }
                delegated => delegated,
            }
        })
        .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    async fn delegate_now(
        &self,
        address: &str,
        options: &DelegationOptions,
    ) -> Result<DeliverShareReply> {
        if !self.vault.can_open() {
            return Err(Error::CannotOpen);
        }
        self.pin().await?;
        let row = self.settled_row(address).await?;
        let state = &row.value;
        let generation = state.active().ok_or(Error::WalletNotFound)?;
        if self.is_locked(state, generation).await? {
            return Err(Error::WalletLocked {
                generation: generation.generation,
            });
        }
        self.check_high_water(state, generation).await?;
        let party = PartyIndex::CUSTOMER_1;
        let share = self
            .open_either(state, generation, party, Purpose::Delegate)
            .await?;
        share::belongs(&self.client, chain_of(address), &state.properties(), &share)?;
        match grant(&self.client, &share, options).await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.keep_lock(&row, error).await),
        }
    }

    /// Takes every delegation of a wallet back: the provider blocks the delegates at once, then a
    /// refresh that keeps nothing of the generation they have a share of makes that share useless
    /// (custody rule 31). If the refresh fails the delegates stay blocked: call this again.
    ///
    /// Of a `TWO_OF_THREE`, imported or exported wallet nobody can be sure: move the funds.
    ///
    /// # Errors
    /// As [`Self::refresh`].
    pub async fn revoke_delegations(&self, address: &str) -> Result<Changed> {
        let row = self.row(chain_of(address), address).await?;
        let wallet = row.value.properties().wallet_id;
        self.client.revoke_delegations(&wallet).await?;
        self.refresh(address, true).await
    }
}
