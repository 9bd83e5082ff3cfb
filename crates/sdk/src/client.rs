//! The base client: who we are, who the provider is, and what is known about wallets.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use halfkey_core::wire::{
    AttemptReply, IdentityReply, KeySharePointer, ListReply, WalletReply, WalletSummary,
};
use halfkey_core::{AttemptId, ChainName, Clock, EnvironmentId, SecretString, WalletProperties};
use tokio::sync::OnceCell;

use crate::identity::{self, ProviderIdentity};
use crate::opts::WalletClientOpts;
use crate::transport::Transport;
use crate::{Error, LockToken, Result, backup, sign};

mod identify;
pub(crate) mod requests;
mod session;

pub(crate) use requests::Credential;
use session::Session;

/// Authenticate once, then pass it around. Holds no wallet state. Clones share connections and
/// session.
#[derive(Clone)]
pub struct WalletClient {
    inner: Arc<Inner>,
}

struct Inner {
    environment: EnvironmentId,
    transport: Transport,
    session: Session,
    /// A delegate's credential, in place of any session.
    wallet_key: Option<SecretString>,
    configured_identity: Option<ProviderIdentity>,
    identity: OnceCell<VerifyingKey>,
    clock: Arc<dyn Clock>,
    /// The provider's restore epoch as a ceremony's last reply told it, and one; 0 before any did.
    epoch: AtomicU64,
}

impl fmt::Debug for WalletClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletClient")
            .field("environment_id", &self.inner.environment)
            .field("is_authenticated", &self.is_authenticated())
            .finish_non_exhaustive()
    }
}

impl WalletClient {
    /// A client that is not authenticated yet. Makes no connection.
    ///
    /// # Errors
    /// [`crate::Error::InsecureUrl`] for plain HTTP to another machine;
    /// [`crate::Error::InvalidArgument`] for anything else that cannot be read.
    pub fn new(opts: WalletClientOpts) -> Result<Self> {
        Self::with_wallet_key(opts, None)
    }

    /// A client that shows a wallet's API key and nothing else.
    pub(crate) fn new_delegated(opts: WalletClientOpts, key: SecretString) -> Result<Self> {
        Self::with_wallet_key(opts, Some(key))
    }

    fn with_wallet_key(opts: WalletClientOpts, wallet_key: Option<SecretString>) -> Result<Self> {
        let environment: EnvironmentId = opts.environment_id.parse()?;
        let configured = opts
            .provider_identity
            .as_deref()
            .map(str::parse)
            .transpose()?;
        let transport = Transport::new(&opts)?;
        Ok(Self {
            inner: Arc::new(Inner {
                environment,
                transport,
                session: Session::default(),
                wallet_key,
                configured_identity: configured,
                identity: OnceCell::new(),
                clock: opts.clock,
                epoch: AtomicU64::new(0),
            }),
        })
    }

    /// Exchanges the API token for a short-lived session token, which is renewed by itself from
    /// then on. The API token is kept in memory that is wiped on drop.
    ///
    /// # Errors
    /// [`crate::Error::Authentication`] when the provider refuses the token.
    #[tracing::instrument(level = "debug", skip_all, fields(environment = %self.inner.environment))]
    pub async fn authenticate_api_token(&mut self, api_token: &str) -> Result<()> {
        self.start_session(SecretString::from(api_token)).await
    }

    /// Takes the API token for the first call that needs a session: nothing is sent now, so what
    /// does not need the provider works without it. A token that is refused, or a provider that
    /// does not answer, shows at that call. Sign with an authenticated client: one that exchanges
    /// its token inside a signature may have to call that signature's outcome unknown.
    pub async fn authenticate_lazily(&mut self, api_token: &str) {
        self.keep_api_token(SecretString::from(api_token)).await;
    }

    /// Whether a token was accepted.
    pub fn is_authenticated(&self) -> bool {
        self.inner.session.is_open()
    }

    pub(crate) fn is_delegated(&self) -> bool {
        self.inner.wallet_key.is_some()
    }

    /// The environment.
    pub fn environment_id(&self) -> &str {
        self.inner.environment.as_str()
    }

    pub(crate) fn environment(&self) -> &EnvironmentId {
        &self.inner.environment
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.inner.clock.as_ref()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.inner.transport
    }

    /// The identity of a wallet, by address, and where the provider knows backups of its shares to
    /// be.
    ///
    /// # Errors
    /// [`crate::Error::WalletNotFound`] when this environment has no such wallet.
    pub async fn fetch_wallet_metadata(&self, account_address: &str) -> Result<WalletProperties> {
        let reply = self.lookup_whole(account_address).await?;
        let backups = backup::info_of(&reply.key_shares());
        let summary = reply.summary;
        let properties = WalletProperties::new(
            summary.chain_name,
            summary.wallet_id.to_string(),
            summary.account_address,
        )
        .with_threshold(summary.threshold_signature_scheme);
        let properties = match summary.derivation_path {
            Some(path) => properties.with_derivation_path(path),
            None => properties,
        };
        Ok(match backups {
            Some(info) => properties.with_backup_info(info),
            None => properties,
        })
    }

    /// Everything the provider says about a wallet, by address: state, proof, custody origin,
    /// generation.
    ///
    /// # Errors
    /// [`crate::Error::WalletNotFound`] when this environment has no such wallet.
    pub async fn lookup(&self, account_address: &str) -> Result<WalletSummary> {
        Ok(self.lookup_whole(account_address).await?.summary)
    }

    /// Where backups of the wallet's shares are, as the provider knows them.
    ///
    /// # Errors
    /// As [`Self::lookup`].
    pub async fn key_shares(&self, account_address: &str) -> Result<Vec<KeySharePointer>> {
        Ok(self.lookup_whole(account_address).await?.key_shares())
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address = account_address))]
    pub(crate) async fn lookup_whole(&self, account_address: &str) -> Result<WalletReply> {
        let path = self.route(&["byWalletAddress", account_address])?;
        let reply: WalletReply = self.get(&path).await.map_err(requests::no_wallet)?;
        let summary = &reply.summary;
        let chain: ChainName = summary
            .chain_name
            .parse()
            .map_err(|_| Error::Protocol("the wallet is of a chain this version does not know"))?;
        let canonical = |address: &str| halfkey_chain::canonical_address(chain, address);
        match (
            canonical(account_address),
            canonical(&summary.account_address),
        ) {
            (Ok(asked), Ok(told)) if asked == told => Ok(reply),
            _ => Err(Error::Protocol(
                "the provider describes another wallet than asked for",
            )),
        }
    }

    /// One page of the environment's wallets, oldest first. `cursor` is the last page's
    /// `next_cursor`; `limit` is the provider's default when absent.
    ///
    /// # Errors
    /// As any call to the provider.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn list_wallets(
        &self,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ListReply> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        if let Some(limit) = limit {
            query.append_pair("limit", &limit.to_string());
        }
        let route = self.environment_route("waas/wallets");
        self.get(&format!("{route}?{}", query.finish())).await
    }

    /// Where an attempt stands, as the provider signed it (custody rules 6 and 17).
    ///
    /// # Errors
    /// [`crate::Error::ProviderIdentityMismatch`] when the signature is not the provider's.
    #[tracing::instrument(level = "debug", skip_all, fields(%attempt))]
    pub async fn attempt(&self, attempt: AttemptId) -> Result<AttemptReply> {
        let path = self.route(&["attempts", &attempt.to_string()])?;
        let reply: AttemptReply = self.get(&path).await?;
        let identity = self.provider_identity().await?;
        identity::verify_attempt(&reply, attempt, &self.inner.environment, &identity)?;
        Ok(reply)
    }

    /// The provider's identity key: the one configured or pinned, compared with what the provider
    /// says where only a fingerprint is known.
    ///
    /// # Errors
    /// [`crate::Error::ProviderIdentityRequired`] when none is configured,
    /// [`crate::Error::ProviderIdentityMismatch`] when the provider has another one.
    pub async fn provider_identity(&self) -> Result<VerifyingKey> {
        self.inner
            .identity
            .get_or_try_init(|| self.find_identity())
            .await
            .copied()
    }

    /// How far back the provider's half can be restored, as it has signed it; nothing where it does
    /// not say. For so long the customer's half keeps earlier generations (custody rule 9).
    ///
    /// # Errors
    /// [`crate::Error::ProviderIdentityMismatch`] when the signature is not the provider's.
    pub async fn provider_horizon(&self) -> Result<Option<Duration>> {
        let identity = self.provider_identity().await?;
        let path = self.environment_route("identity");
        let reply: IdentityReply = self.get_anonymous(&path).await?;
        identity::verify_horizon(&reply, &self.inner.environment, &identity)
    }

    /// Keeps what the last reply of a ceremony told of the provider's restore epoch.
    pub(crate) fn note_epoch(&self, epoch: Option<u64>) {
        if let Some(epoch) = epoch {
            let next = epoch.saturating_add(1);
            self.inner.epoch.fetch_max(next, Ordering::AcqRel);
        }
    }

    /// The newest restore epoch that was told.
    #[cfg(feature = "vault")]
    pub(crate) fn noted_epoch(&self) -> Option<u64> {
        self.inner.epoch.load(Ordering::Acquire).checked_sub(1)
    }

    async fn fetch_identity(&self) -> Result<VerifyingKey> {
        let path = self.environment_route("identity");
        let reply: IdentityReply = self.get_anonymous(&path).await?;
        identity::reply_key(&reply)
    }

    /// Applies a lock that an earlier process was given (custody rule 13).
    pub fn restore_lock(&self, token: &LockToken) {
        sign::locks::lock(token);
    }
}
