//! Changes for callers that keep their shares themselves: nothing is committed by these calls.

use std::sync::Arc;

use halfkey_core::wire::{ChangeOperation, WalletState};
use halfkey_core::{
    ChainName, PartyIndex, ServerKeyShare, ThresholdSignatureScheme, WalletProperties,
};
use halfkey_mpc::KeyShare;

use super::{ChangeSpec, run};
use crate::sign::share;
use crate::{Error, PendingWallet, Result, WalletClient};

impl WalletClient {
    /// New shares for the same parties, as a pending generation: store them beside the old ones,
    /// read them back, [`PendingWallet::prove`], [`PendingWallet::activate`] (custody rule 8).
    /// Until then the old shares sign. `shares` are every customer share; needs an API token with
    /// the scope `wallet.refresh`.
    ///
    /// With `compromised` the provider shreds every earlier generation at the commit (custody rule
    /// 10); do the same with yours.
    ///
    /// # Errors
    /// See [`Error`]; the active generation is what it was.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn refresh_wallet(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        compromised: bool,
    ) -> Result<PendingWallet> {
        let wanted = (ChangeOperation::Refresh, None, None);
        self.change(properties, shares, wanted, compromised).await
    }

    /// New shares for another scheme, as a pending generation; see [`Self::refresh_wallet`]. Needs
    /// the scope `wallet.reshare`.
    ///
    /// # Errors
    /// See [`Error`]; the active generation is what it was.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn reshare_wallet(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        scheme: ThresholdSignatureScheme,
    ) -> Result<PendingWallet> {
        let wanted = (ChangeOperation::Reshare, Some(scheme), None);
        self.change(properties, shares, wanted, false).await
    }

    /// New shares for a `TWO_OF_THREE` wallet of which `lost` has none any more, as a pending
    /// generation; see [`Self::refresh_wallet`]. `shares` is the other customer party's. The lost
    /// share stays dangerous: with another one of its generation it signs.
    ///
    /// # Errors
    /// See [`Error`]; the active generation is what it was.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn replace_share(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        lost: PartyIndex,
    ) -> Result<PendingWallet> {
        let wanted = (ChangeOperation::ReplaceShare, None, Some(lost));
        self.change(properties, shares, wanted, false).await
    }

    async fn change(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        (operation, scheme, lost): (
            ChangeOperation,
            Option<ThresholdSignatureScheme>,
            Option<PartyIndex>,
        ),
        compromised: bool,
    ) -> Result<PendingWallet> {
        let chain: ChainName = properties.chain_name.parse()?;
        let decoded = shares.iter().map(|one| share::decode(one).map(Arc::new));
        let mut decoded: Vec<Arc<KeyShare>> = decoded.collect::<Result<_>>()?;
        decoded.sort_by_key(|one| one.header().party);
        share::same_set(self, &decoded)?;
        share::all_belong(self, chain, properties, &decoded).await?;
        let theirs = self.lookup(&properties.account_address).await?;
        let header = decoded.first().ok_or(Error::NoShare)?.header();
        let ours = header.generation.0.saturating_add(1);
        let generation = theirs.next_generation.unwrap_or_default().0.max(ours);
        let spec = ChangeSpec {
            operation,
            scheme: scheme.unwrap_or(header.scheme),
            lost,
            compromised,
            // Where its shares are kept, and for how long, only the caller knows.
            backup_horizon: None,
            generation: halfkey_core::Generation(generation),
            is_locked: theirs.state != WalletState::Active,
        };
        let made = run(self, &decoded, &spec).await?;
        PendingWallet::new(self, made)
    }
}
