//! Taking the whole key out: the provider's part comes to this process, never the other way round.

mod recipients;
mod sealed;

pub use sealed::SealedKey;

use std::sync::Arc;

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyOpen, ExportRequest, WalletState};
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, PartyIndex, ServerKeyShare, WalletProperties,
};
use halfkey_mpc::age::Recipient;
use halfkey_mpc::{Export, ExportParams, Exported, KeyShare, RootKey, SealedExport};

use crate::ceremony::{self, Class, Opening, OpeningBody, Table};
use crate::change;
use crate::client::Credential;
use crate::sign::share;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient};

impl WalletClient {
    /// Exports the key of a wallet: one export of any of its addresses is an export of all (custody
    /// rule 4), and the wallet is marked `exported` for ever. Needs an API token with the scope
    /// `wallet.export`; `shares` are any one customer share.
    ///
    /// # Security
    /// What this returns is the key, whole. Policies of the provider do not bind it any more.
    ///
    /// # Errors
    /// See [`Error`]. A provider that gives a part it does not hold is refused.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn export_private_key(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
    ) -> Result<RootKey> {
        let chain: ChainName = properties.chain_name.parse()?;
        let own = share::one(self, chain, properties, shares).await?;
        let theirs = self.lookup(&properties.account_address).await?;
        let is_locked = theirs.state != WalletState::Active;
        run(self, &own, is_locked).await
    }

    /// Exports the key of a wallet to `recipient` alone, as
    /// [`Self::export_private_key`] does it to the caller: each half encrypts its part to the
    /// recipient, so that neither the provider nor this process ever has the key.
    ///
    /// # Errors
    /// `recipient_refused` when the recipient is not on the environment's list, or its delay is not
    /// over; otherwise as there.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn export_private_key_to(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        recipient: &Recipient,
    ) -> Result<SealedKey> {
        let chain: ChainName = properties.chain_name.parse()?;
        let own = share::one(self, chain, properties, shares).await?;
        let theirs = self.lookup(&properties.account_address).await?;
        let is_locked = theirs.state != WalletState::Active;
        let parts = run_sealed(self, &own, is_locked, recipient).await?;
        let address = properties.account_address.clone();
        Ok(SealedKey::new(chain, address, recipient, parts))
    }
}

/// To this process.
pub(crate) async fn run(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    is_locked: bool,
) -> Result<RootKey> {
    match exchange(client, share, is_locked, None).await? {
        Exported::Key(key) => Ok(*key),
        Exported::Sealed(_) => Err(Error::Bug("an export without a key")),
    }
}

/// To a recipient.
pub(crate) async fn run_sealed(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    is_locked: bool,
    recipient: &Recipient,
) -> Result<SealedExport> {
    match exchange(client, share, is_locked, Some(*recipient)).await? {
        Exported::Sealed(parts) => Ok(parts),
        Exported::Key(_) => Err(Error::Bug("an export that is not sealed")),
    }
}

/// Start proof, ceremony, and what comes of it.
async fn exchange(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    is_locked: bool,
    recipient: Option<Recipient>,
) -> Result<Exported> {
    let header = share.header();
    let export_id = AttemptId::generate(&mut os_rng());
    let operation = ProofOperation::Export;
    let share_proof = change::start(client, share, operation, is_locked, export_id).await?;
    let params = ExportParams {
        ceremony: CeremonyId::generate(&mut os_rng()),
        export: export_id,
        counterparty: PartyIndex::PROVIDER,
        recipient,
    };
    let opening = Opening {
        path: client.route(&[&header.wallet.to_string(), "export"])?,
        body: OpeningBody::Export(ExportRequest {
            export_id,
            share_proof,
            recipient: recipient.map(|one| one.to_string()),
            ceremony: CeremonyOpen {
                ceremony_id: params.ceremony,
                generation: header.generation,
                attempt_id: header.attempt,
                messages: Vec::new(),
            },
        }),
        idempotency_key: None,
        // Never replayed: a repeat is a new export (custody rule 26).
        retry: Retry::Never,
        by: Credential::ApiToken,
    };
    let run = Export::customer(Arc::clone(share), params, os_rng())?;
    let ended = ceremony::exchange(
        client,
        opening,
        Table::new(Class::Sign, [(header.party, run)]),
    )
    .await
    .map_err(|stop| stop.error)?;
    let exported = ended.outputs.into_iter().find_map(|(_, exported)| exported);
    exported.ok_or(Error::Bug("an export without a key"))
}
