//! The whole key of a stored wallet: with the provider, or without it where the customer holds a
//! quorum.

use std::sync::Arc;

use halfkey_core::wire::WalletState;
use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::age::Recipient;
use halfkey_mpc::{KeyShare, RootKey};
use halfkey_vault::{Error as VaultError, Expect, Purpose, Versioned};

use super::escrow::prove_by_signing;
use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::to_the_end::to_the_end;
use crate::{Error, Result, SealedKey, export};

impl WalletStore {
    /// Exports the key of a wallet with the provider's part; see
    /// [`WalletClient::export_private_key`](crate::WalletClient::export_private_key). The row says
    /// `exported` before the key is returned.
    ///
    /// # Errors
    /// As there; [`Error::CannotOpen`] for a process without the right to open.
    pub async fn export(&self, address: &str) -> Result<RootKey> {
        let (store, address) = (self.clone(), address.to_owned());
        to_the_end(async move {
            match store.export_now(&address).await {
                Err(error) => {
                    store.fall_back(&address, error).await?;
                    store.export_now(&address).await
                }
                exported => exported,
            }
        })
        .await
    }

    /// Exports the key of a wallet to `recipient` alone; see
    /// [`WalletClient::export_private_key_to`](crate::WalletClient::export_private_key_to). The row
    /// says `exported` before anything is returned.
    ///
    /// # Errors
    /// As [`Self::export`]; `recipient_refused` when the provider does not have it on its list.
    pub async fn export_to(&self, address: &str, recipient: &Recipient) -> Result<SealedKey> {
        let (store, address, recipient) = (self.clone(), address.to_owned(), *recipient);
        to_the_end(async move {
            match store.export_sealed(&address, &recipient).await {
                Err(error) => {
                    store.fall_back(&address, error).await?;
                    store.export_sealed(&address, &recipient).await
                }
                exported => exported,
            }
        })
        .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    async fn export_sealed(&self, address: &str, recipient: &Recipient) -> Result<SealedKey> {
        let (row, share, is_locked) = self.open_for_export(address).await?;
        let made = export::run_sealed(&self.client, &share, is_locked, recipient).await;
        let parts = match made {
            Ok(parts) => parts,
            Err(error) => return Err(self.keep_lock(&row, error).await),
        };
        let (chain, address) = (row.value.chain, row.value.account_address.clone());
        self.mark_exported(row).await?;
        Ok(SealedKey::new(chain, address, recipient, parts))
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    async fn export_now(&self, address: &str) -> Result<RootKey> {
        let (row, share, is_locked) = self.open_for_export(address).await?;
        let made = match export::run(&self.client, &share, is_locked).await {
            Ok(key) => key,
            Err(error) => return Err(self.keep_lock(&row, error).await),
        };
        check_address(&row.value, &made)?;
        self.mark_exported(row).await?;
        Ok(made)
    }

    /// The share an export starts from, and whether either half has locked it.
    async fn open_for_export(
        &self,
        address: &str,
    ) -> Result<(Versioned<StateRow>, Arc<KeyShare>, bool)> {
        self.pin().await?;
        let row = self.settled_row(address).await?;
        let generation = usable(&row.value)?;
        let party = self.signing_party(&row.value);
        let share = self
            .open_either(&row.value, generation, party, Purpose::Export)
            .await?;
        let theirs = self.client.lookup(&row.value.account_address).await?;
        let is_locked = generation.state == GenerationState::Locked
            || self.is_locked(&row.value, generation).await?
            || theirs.state != WalletState::Active;
        Ok((row, share, is_locked))
    }

    /// Puts the key of a `TWO_OF_THREE` wallet together from the customer's two shares: no
    /// provider, no network. For when the provider is gone for good; whoever can do this holds the
    /// key.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a `TWO_OF_TWO` wallet, of which the provider holds half: see
    /// [`Self::rescue_from_escrow`].
    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub async fn rescue(&self, address: &str) -> Result<RootKey> {
        let row = self.row(chain_of(address), address).await?;
        let key = self.rebuild(&row.value).await?;
        self.mark_exported(row).await?;
        Ok(key)
    }

    /// Does everything that [`Self::rescue`] does, signs with the key, and keeps nothing of it:
    /// whether a rescue would work today.
    ///
    /// # Errors
    /// As [`Self::rescue`], and the first thing that is missing.
    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub async fn rescue_drill(&self, address: &str) -> Result<()> {
        let row = self.row(chain_of(address), address).await?;
        let key = self.rebuild(&row.value).await?;
        prove_by_signing(&key)
    }

    async fn rebuild(&self, row: &StateRow) -> Result<RootKey> {
        let generation = usable(row)?;
        if row.scheme_of(generation) == ThresholdSignatureScheme::TwoOfTwo {
            return Err(Error::InvalidArgument(
                "a TWO_OF_TWO wallet is rescued from its escrow, with the escrow key's identity"
                    .to_owned(),
            ));
        }
        let mut shares = Vec::new();
        for party in [PartyIndex::CUSTOMER_1, PartyIndex::CUSTOMER_2] {
            let share = self.open_either(row, generation, party, Purpose::Export);
            shares.push(share.await?);
        }
        let [one, two] = shares.as_slice() else {
            return Err(Error::Bug("two customer parties"));
        };
        let key = RootKey::from_shares(one, two)?;
        check_address(row, &key)?;
        Ok(key)
    }

    /// Says so in the row, for ever.
    pub(super) async fn mark_exported(&self, mut row: Versioned<StateRow>) -> Result<()> {
        for _ in 0..8 {
            if row.value.exported {
                return Ok(());
            }
            row.value.exported = true;
            match self.write_row(&row.value, Expect::Rev(row.rev)).await {
                Ok(_) => return Ok(()),
                Err(Error::Vault(VaultError::Conflict(_))) => {
                    row = self
                        .row(row.value.chain, &row.value.account_address)
                        .await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::VaultState(
            "the wallet's row changes all the time".to_owned(),
        ))
    }
}

/// The newest generation that was ever active and is not burnt.
pub(super) fn usable(row: &StateRow) -> Result<&GenerationRow> {
    let good = |one: &&GenerationRow| {
        one.committed && matches!(one.state, GenerationState::Active | GenerationState::Locked)
    };
    let newest = row.generations.iter().filter(good);
    newest
        .max_by_key(|one| one.generation)
        .ok_or(Error::WalletNotFound)
}

/// A key that makes another address is none of this wallet.
pub(super) fn check_address(row: &StateRow, key: &RootKey) -> Result<()> {
    let address = halfkey_chain::address(row.chain, key.account_public_key())?;
    if halfkey_chain::canonical_address(row.chain, &address)? == row.address {
        Ok(())
    } else {
        Err(Error::ShareOfAnotherWallet)
    }
}
