//! Atomic create: keygen, sealed write, read-back, proof from shares opened again, commit.

use halfkey_core::wire::ErrorCode;
use halfkey_core::{AttemptId, ChainName, ThresholdSignatureScheme, Variant, WalletProperties};
use halfkey_vault::{Expect, Rev};

use super::resume::Settled;
use super::row::GenerationState;
use super::settle::settled_before;
use super::{WalletStore, chain_of};
use crate::{CreateOptions, Error, PendingWallet, PrivateKey, Result, keygen};

impl WalletStore {
    /// Creates an EVM wallet. Returns after it is stored, proven and active.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_evm(&self, scheme: ThresholdSignatureScheme) -> Result<WalletProperties> {
        self.create(ChainName::Evm, scheme, &CreateOptions::default())
            .await
    }

    /// Creates a Solana wallet. Returns after it is stored, proven and active.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_svm(
        &self,
        scheme: ThresholdSignatureScheme,
        variant: Variant,
    ) -> Result<WalletProperties> {
        let options = CreateOptions {
            variant,
            ..CreateOptions::default()
        };
        self.create(ChainName::Svm, scheme, &options).await
    }

    /// Creates a wallet. With an idempotency key a repeat gives the same wallet, finishing what an
    /// earlier try left pending.
    ///
    /// # Errors
    /// [`Error::LeftPending`] when the shares are stored and [`Self::resume`] can go on;
    /// [`Error::NotActivated`] carries the shares when they could not be stored.
    pub async fn create(
        &self,
        chain: ChainName,
        scheme: ThresholdSignatureScheme,
        options: &CreateOptions,
    ) -> Result<WalletProperties> {
        self.make(chain, scheme, options, None).await
    }

    /// Makes a wallet of a key made elsewhere, as atomically as [`Self::create`]. The provider
    /// never sees the key; drop yours once this returns. Needs an API token with the scope
    /// `wallet.import`.
    ///
    /// # Errors
    /// As [`Self::create`]; `wallet_exists` when the address belongs to a wallet already.
    pub async fn import(
        &self,
        scheme: ThresholdSignatureScheme,
        key: &PrivateKey,
        options: &CreateOptions,
    ) -> Result<WalletProperties> {
        self.make(key.chain(), scheme, options, Some(key)).await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(%chain, %scheme))]
    async fn make(
        &self,
        chain: ChainName,
        scheme: ThresholdSignatureScheme,
        options: &CreateOptions,
        import: Option<&PrivateKey>,
    ) -> Result<WalletProperties> {
        options.check()?;
        self.check_vaults(scheme)?;
        self.pin().await?;
        let earlier = match &options.idempotency_key {
            Some(key) => self.earlier(key, chain, scheme).await?,
            None => Earlier::None,
        };
        let alias_rev = match earlier {
            Earlier::Done(properties) => return Ok(*properties),
            Earlier::Ended(rev) => Some(rev),
            Earlier::None => None,
        };
        let generated = match keygen::keygen(&self.client, chain, scheme, options, import).await {
            Ok(generated) => generated,
            Err(error) => {
                let key = options.idempotency_key.as_deref();
                return self.exists_already(error, chain, scheme, key).await;
            }
        };
        let pending = PendingWallet::new(&self.client, generated)?;
        let expect = alias_rev.map_or(Expect::Absent, Expect::Rev);
        let alias = options.idempotency_key.as_deref().map(|key| (key, expect));
        if let Err(error) = self.stage(&pending, alias).await {
            return Err(pending.not_activated(error));
        }
        self.finish_new(pending).await
    }

    /// What an earlier create under the same key came to.
    async fn earlier(
        &self,
        key: &str,
        chain: ChainName,
        scheme: ThresholdSignatureScheme,
    ) -> Result<Earlier> {
        let Some(alias) = self.find_alias(key).await? else {
            return Ok(Earlier::None);
        };
        let row = self.row(alias.value.chain, &alias.value.address).await?;
        if row.value.chain != chain || row.value.scheme != scheme {
            return Err(Error::InvalidArgument(
                "this idempotency key made a wallet of another chain or scheme".to_owned(),
            ));
        }
        let attempt = alias.value.attempt;
        let named = row
            .value
            .generations
            .iter()
            .find(|one| one.attempt == attempt);
        let state = named.map(|one| one.state);
        let settled = match state {
            Some(GenerationState::Pending) => self
                .settle(row, self.options.abort_after)
                .await
                .map_err(|source| left_pending(attempt, source))?,
            Some(GenerationState::Aborted) => Settled::Aborted,
            _ => settled_before(&row.value)?,
        };
        match settled {
            Settled::Active(properties) => Ok(Earlier::Done(properties)),
            Settled::Aborted => Ok(Earlier::Ended(alias.rev)),
            Settled::Pending | Settled::Unknown | Settled::Failed(_) => {
                let source = Error::InvalidArgument("resume or abort that attempt".to_owned());
                Err(left_pending(attempt, source))
            }
        }
    }

    /// The provider says that the idempotency key has made a wallet already. Its word is not
    /// signed, so it only makes us look again at what this store holds under that key: another
    /// process may have finished in the meantime.
    async fn exists_already(
        &self,
        error: Error,
        chain: ChainName,
        scheme: ThresholdSignatureScheme,
        key: Option<&str>,
    ) -> Result<WalletProperties> {
        let (Some(ErrorCode::WalletExists), Some(key)) = (error.api_code(), key) else {
            return Err(error);
        };
        match self.earlier(key, chain, scheme).await {
            Ok(Earlier::Done(properties)) => Ok(*properties),
            // A lock that is stored nowhere outweighs what the provider said.
            Err(found) if found.unstored_lock().is_some() => Err(found),
            Ok(Earlier::None | Earlier::Ended(_)) | Err(_) => Err(error),
        }
    }

    /// From stored shares to an active wallet. The shares in memory are only a last resort.
    pub(super) async fn finish_new(&self, pending: PendingWallet) -> Result<WalletProperties> {
        let attempt = pending.attempt_id();
        let properties = pending.properties().clone();
        let row = match self
            .row(
                chain_of(&properties.account_address),
                &properties.account_address,
            )
            .await
        {
            Ok(row) => row,
            Err(error) => return Err(pending.not_activated(error)),
        };
        match self.finish(&row).await {
            Ok(()) => Ok(properties),
            Err(error @ (Error::PeerMisbehaved { .. } | Error::LockNotStored { .. })) => Err(error),
            Err(Error::AttemptAborted(attempt)) => Err(Error::AttemptAborted(attempt)),
            // What was stored does not come back as it was: the copy in memory is the only one.
            Err(
                error @ (Error::ShareDamaged
                | Error::VaultState(_)
                | Error::Vault(
                    halfkey_vault::Error::Corrupt { .. } | halfkey_vault::Error::NotFound(_),
                )),
            ) => Err(pending.not_activated(error)),
            Err(source) => Err(left_pending(attempt, source)),
        }
    }
}

enum Earlier {
    /// No create under this key, or none that got as far as a stored share.
    None,
    /// It was aborted; the alias may be taken over at this revision.
    Ended(Rev),
    /// The wallet is there.
    Done(Box<WalletProperties>),
}

pub(super) fn left_pending(attempt: AttemptId, source: Error) -> Error {
    match source {
        Error::LeftPending { .. } => source,
        source => Error::LeftPending {
            attempt,
            source: Box::new(source),
        },
    }
}
