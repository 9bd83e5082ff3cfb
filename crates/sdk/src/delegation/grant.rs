//! The customer's side: register a delegate's key, delegate, see and revoke.

use core::time::Duration;
use std::sync::Arc;

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    DelegationInfo, DelegationKey, DelegationKeysReply, DelegationsReply, DeliverShareReply,
    DeliverShareRequest, EventsReply, RegisterDelegationKey, RevokeManyReply, RevokeManyRequest,
    WalletKeyScope,
};
use halfkey_core::{
    AttemptId, ChainName, DelegationId, PartyIndex, ServerKeyShare, WalletProperties,
};
use halfkey_envelope::{DelegatedShare, RecipientKey, fingerprint_from};
use halfkey_mpc::KeyShare;

use crate::client::{Credential, requests};
use crate::sign::share;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient, change};

/// For whom a share is encrypted. It has to come from the delegate over a channel of the customer's
/// own: a provider that could name the key would read the share, and hold both halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The key itself.
    Key(RecipientKey),
    /// `sha256:` and 64 hex digits; the key is fetched from the provider and must have it.
    Fingerprint(String),
}

/// What a delegate is given.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DelegationOptions {
    /// For whom.
    pub recipient: Recipient,
    /// What it may sign. [`WalletKeyScope::DEFAULT`] leaves out authorizations and blind bytes.
    pub scopes: Vec<WalletKeyScope>,
    /// For how long, to the second: 30 days when absent, 366 at most.
    pub lasts: Option<Duration>,
}

impl DelegationOptions {
    /// Everything else at its default.
    pub fn new(recipient: Recipient) -> Self {
        Self {
            recipient,
            scopes: WalletKeyScope::DEFAULT.to_vec(),
            lasts: None,
        }
    }

    /// Other scopes.
    #[must_use]
    pub fn scopes(mut self, scopes: impl Into<Vec<WalletKeyScope>>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// Another lifetime.
    #[must_use]
    pub const fn lasts(mut self, lasts: Duration) -> Self {
        self.lasts = Some(lasts);
        self
    }
}

impl WalletClient {
    /// Registers a delegate's RSA public key (one `PUBLIC KEY` PEM block, 2048 bits or more). Needs
    /// an API token with the scope `wallet.delegate`, as everything that changes delegations does.
    ///
    /// # Errors
    /// [`Error::Envelope`] for a key that will not do, before anything is sent.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn register_delegation_key(&self, public_key_pem: &str) -> Result<DelegationKey> {
        let key = RecipientKey::from_pem(public_key_pem)?;
        let body = RegisterDelegationKey {
            public_key: key.to_pem(),
            alg: None,
            kind: None,
        };
        let path = self.environment_route(KEYS);
        let by = Credential::ApiToken;
        let reply: DelegationKey = self
            .post_by(by, &path, &body, None, Retry::Idempotent)
            .await?;
        if reply.fingerprint == key.fingerprint() {
            Ok(reply)
        } else {
            Err(Error::Protocol("another key was registered than was sent"))
        }
    }

    /// The delegates' keys that are registered, newest first.
    ///
    /// # Errors
    /// As any call to the provider.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn delegation_keys(&self) -> Result<Vec<DelegationKey>> {
        let path = self.environment_route(KEYS);
        let reply: DelegationKeysReply = self.get(&path).await?;
        Ok(reply.keys)
    }

    /// Gives one share of a wallet to a delegate. Of a `TWO_OF_THREE` wallet that is always the
    /// first party's, and never both (custody rule 31); `shares` must hold it. The wallet's API key
    /// is made by the provider and goes to the delegate, encrypted; nobody else sees it.
    ///
    /// # Errors
    /// See [`Error`]; the provider's `delegation_conflict` when another share of this generation
    /// was delegated before.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn delegate(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        options: &DelegationOptions,
    ) -> Result<DeliverShareReply> {
        let chain: ChainName = properties.chain_name.parse()?;
        for encoded in shares {
            let share = share::decode(encoded)?;
            if share.header().party == PartyIndex::CUSTOMER_1 {
                share::belongs(self, chain, properties, &share)?;
                return grant(self, &Arc::new(share), options).await;
            }
        }
        match shares.first() {
            Some(_) => Err(Error::ShareOfAnotherParty),
            None => Err(Error::NoShare),
        }
    }

    /// What a wallet was delegated to, newest first.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when this environment has no such wallet.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn delegations(&self, wallet_id: &str) -> Result<Vec<DelegationInfo>> {
        let path = self.wallet_delegations(wallet_id)?;
        let reply: DelegationsReply = self.get(&path).await.map_err(requests::no_wallet)?;
        Ok(reply.delegations)
    }

    /// Blocks every delegate of a wallet at once: no request and no round of theirs is answered any
    /// more. Their share is dead only after a refresh that keeps nothing has followed;
    /// [`WalletStore::revoke_delegations`](crate::WalletStore::revoke_delegations) does both.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when this environment has no such wallet.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn revoke_delegations(&self, wallet_id: &str) -> Result<()> {
        let path = self.wallet_delegations(wallet_id)?;
        self.delete(&path).await.map_err(requests::no_wallet)
    }

    /// As [`Self::revoke_delegations`] for 1 to 100 wallets, each by itself.
    ///
    /// # Errors
    /// As any call to the provider; what became of each wallet is in the reply.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn revoke_delegations_of(&self, wallet_ids: &[String]) -> Result<RevokeManyReply> {
        let body = RevokeManyRequest {
            wallet_ids: wallet_ids.to_vec(),
        };
        let path = self.environment_route("waas/delegatedAccess/revoke");
        let by = Credential::ApiToken;
        self.post_by(by, &path, &body, None, Retry::Idempotent)
            .await
    }

    /// Events after `cursor`, oldest first: how a delegate without a public address fetches what it
    /// was sent. Needs an API token with the scope `events.read`.
    ///
    /// # Errors
    /// As any call to the provider.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn events(&self, cursor: Option<&str>, limit: Option<u32>) -> Result<EventsReply> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        if let Some(limit) = limit {
            query.append_pair("limit", &limit.to_string());
        }
        let route = self.environment_route("events");
        self.get_by_token(&format!("{route}?{}", query.finish()))
            .await
    }

    fn wallet_delegations(&self, wallet_id: &str) -> Result<String> {
        let wallet: halfkey_core::WalletId = wallet_id.parse()?;
        Ok(self.environment_route(&format!("waas/{wallet}/delegatedAccess")))
    }
}

const KEYS: &str = "waas/delegatedAccess/encryptionPublicKeys";

/// Start proof from the very share, then its delivery.
pub(crate) async fn grant(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    options: &DelegationOptions,
) -> Result<DeliverShareReply> {
    let header = share.header();
    let recipient = recipient(client, &options.recipient).await?;
    let delegation_id = DelegationId::generate(&mut os_rng());
    let start = AttemptId::from_bytes(*delegation_id.as_bytes());
    // A locked wallet delegates nothing, so the proof is always a signature.
    change::start(client, share, ProofOperation::Delegate, false, start).await?;
    let encoded = DelegatedShare::new(share::encode(share)?);
    let body = DeliverShareRequest {
        encrypted_delegated_share: encoded.seal(&recipient, &mut os_rng())?,
        delegation_id,
        generation: header.generation,
        attempt_id: header.attempt,
        scopes: options.scopes.clone(),
        expires_in_secs: options.lasts.map(|lasts| lasts.as_secs()),
    };
    let wallet = header.wallet.to_string();
    let path = client.route(&[&wallet, "delegatedAccess", "delivery"])?;
    // Byte-identical, so a repeat is the same delegation.
    let by = Credential::ApiToken;
    let reply: DeliverShareReply = client
        .post_by(by, &path, &body, None, Retry::Idempotent)
        .await?;
    if reply.delegated_share_delivery_id == delegation_id {
        Ok(reply)
    } else {
        Err(Error::Protocol("the answer is about another delegation"))
    }
}

/// The key meant, whatever the provider calls it.
async fn recipient(client: &WalletClient, wanted: &Recipient) -> Result<RecipientKey> {
    let wanted = match wanted {
        Recipient::Key(key) => return Ok(key.clone()),
        Recipient::Fingerprint(text) => fingerprint_from(text)?,
    };
    for told in client.delegation_keys().await? {
        let key = RecipientKey::from_pem(&told.public_key)?;
        if key.fingerprint() == wanted {
            return Ok(key);
        }
    }
    Err(Error::InvalidArgument(
        "no registered delegation key has that fingerprint".to_owned(),
    ))
}
