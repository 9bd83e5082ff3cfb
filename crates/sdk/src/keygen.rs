//! Keygen with the provider: all of the customer's parties in this process.

use ed25519_dalek::VerifyingKey;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyOpen, CreateRequest, CreatedWallet};
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, Generation, KeyType, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, Variant,
};
use halfkey_mpc::{KeyShare, Keygen, KeygenParams};

use crate::ceremony::{self, Class, Opening, OpeningBody, Table};
use crate::client::Credential;
use crate::error::carry;
use crate::import::PrivateKey;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient};
use halfkey_core::crash_point::crash_point;

/// What a caller may say about a create beyond chain and scheme.
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// The same key names the same wallet for ever: a repeat never makes a second one (custody
    /// rule 26). 1 to 128 printable characters. Drawn anew when absent.
    pub idempotency_key: Option<String>,
    /// How an Ed25519 key is made; ignored for EVM.
    pub variant: Variant,
    /// A name for the wallet, which no other of this store has or gets: 1 to 64 letters, digits and
    /// `. _ - : / @`. Of [`WalletStore`](crate::WalletStore) only.
    pub alias: Option<String>,
}

impl CreateOptions {
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |key: &String| {
            key.is_empty() || key.len() > 128 || !key.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if self.idempotency_key.as_ref().is_some_and(bad) {
            return Err(Error::InvalidArgument(
                "an idempotency key is 1 to 128 printable ASCII characters".to_owned(),
            ));
        }
        Ok(())
    }
}

/// The same for a key made elsewhere.
pub(crate) async fn import(
    client: &WalletClient,
    chain: ChainName,
    scheme: ThresholdSignatureScheme,
    options: &CreateOptions,
    key: &PrivateKey,
) -> Result<Vec<KeyShare>> {
    if key.chain() != chain {
        return Err(Error::InvalidArgument(
            "the private key is for another chain".to_owned(),
        ));
    }
    keygen(client, chain, scheme, options, Some(key)).await
}

/// Makes a key and returns each customer party's share, in the order of the parties. The provider
/// holds its half as staged; nothing is stored here and nothing is active yet.
pub(crate) async fn keygen(
    client: &WalletClient,
    chain: ChainName,
    scheme: ThresholdSignatureScheme,
    options: &CreateOptions,
    import: Option<&PrivateKey>,
) -> Result<Vec<KeyShare>> {
    options.check()?;
    let identity = client.provider_identity().await?;
    let params = KeygenParams {
        environment: client.environment().clone(),
        chain,
        key_type: KeyType::of(
            chain,
            import.map_or(options.variant, |_| PrivateKey::variant()),
        ),
        scheme,
        derivation_path: import.map_or_else(|| chain.default_path(), |key| key.path().clone()),
        attempt: AttemptId::generate(&mut os_rng()),
        share_set: ShareSetId::generate(&mut os_rng()),
        ceremony: CeremonyId::generate(&mut os_rng()),
    };
    let table = parties(&params, import, &identity)?;
    let opening = opening(client, &params, options, import)?;
    crash_point("create.before_keygen");
    let ended = ceremony::exchange(client, opening, table)
        .await
        .map_err(|stop| stop.error)?;
    crash_point("create.after_keygen");
    let shares: Vec<KeyShare> = ended.outputs.into_iter().map(|(_, share)| share).collect();
    let created = ended
        .last
        .created
        .ok_or(Error::Protocol("keygen ended without a wallet"));
    if let Ok(created) = &created {
        client.note_epoch(created.restore_epoch);
    }
    match created.and_then(|created| check(&params, &created, &shares)) {
        Ok(()) => Ok(shares),
        // Nothing good is known of them, but they may be the only ones of an active wallet.
        Err(error) => Err(carry(shares.iter(), error)),
    }
}

fn parties(
    params: &KeygenParams,
    import: Option<&PrivateKey>,
    identity: &VerifyingKey,
) -> Result<Table<Keygen>> {
    let party = |party: &PartyIndex| {
        let params = params.clone();
        let run = match import {
            None => Keygen::customer(params, *party, identity, os_rng()),
            Some(import) => {
                let key = (*party == PartyIndex::CUSTOMER_1).then_some(import.key());
                let public = import.key().public()?;
                Keygen::customer_import(params, public, *party, key, identity, os_rng())
            }
        };
        run.map(|run| (*party, run))
    };
    let parties: core::result::Result<Vec<_>, _> = PartyIndex::customers(params.scheme)
        .iter()
        .map(party)
        .collect();
    Ok(Table::new(Class::Keygen, parties?))
}

fn opening(
    client: &WalletClient,
    params: &KeygenParams,
    options: &CreateOptions,
    import: Option<&PrivateKey>,
) -> Result<Opening> {
    let key = options
        .idempotency_key
        .clone()
        .unwrap_or_else(|| params.attempt.to_string());
    let body = CreateRequest {
        chain: params.chain.to_string(),
        client_keygen_ids: Vec::new(),
        threshold_signature_scheme: params.scheme,
        derivation_path: Some(params.derivation_path.indices().to_vec()),
        address_type: None,
        variant: import.map_or(options.variant, |_| PrivateKey::variant()),
        import: import.map(PrivateKey::announced).transpose()?,
        share_set_id: params.share_set,
        ceremony: CeremonyOpen {
            ceremony_id: params.ceremony,
            generation: Generation::default(),
            attempt_id: params.attempt,
            messages: Vec::new(),
        },
    };
    Ok(Opening {
        path: client.route(&["create"])?,
        body: OpeningBody::Create(Box::new(body)),
        idempotency_key: Some(key),
        // A repeat is byte-identical, and the provider keeps the reply to it (custody rule 18).
        retry: Retry::Idempotent,
        by: match import {
            Some(_) => Credential::ApiToken,
            None => Credential::Session,
        },
    })
}

/// The shares must be of what was asked for and of what the provider says it staged.
fn check(params: &KeygenParams, created: &CreatedWallet, shares: &[KeyShare]) -> Result<()> {
    let first = shares.first().ok_or(Error::Bug("keygen without parties"))?;
    let fits = |share: &KeyShare| {
        let header = share.header();
        header.environment == params.environment
            && header.chain == params.chain
            && header.scheme == params.scheme
            && header.key_type == params.key_type
            && header.share_set == params.share_set
            && header.attempt == params.attempt
            && header.generation == Generation::default()
            && header.derivation_path == params.derivation_path
            && header.wallet == created.wallet_id
            && header.custody_origin == created.custody_origin
            && header.group_public_key == first.header().group_public_key
            && share.account_public_key() == first.account_public_key()
    };
    let named = created.attempt_id == params.attempt && created.generation == Generation::default();
    if named && shares.iter().all(fits) {
        Ok(())
    } else {
        Err(Error::Protocol(
            "the provider describes another wallet than keygen made",
        ))
    }
}
