//! Atomic create: keygen, sealed write, read-back, proof from shares opened again, commit.

use halfkey_core::wire::ErrorCode;
use halfkey_core::{AttemptId, ChainName, ThresholdSignatureScheme, Variant, WalletProperties};
use halfkey_vault::Rev;

use super::alias::{Claim, Kind, check_alias};
use super::resume::Settled;
use super::row::{GenerationRow, GenerationState};
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
    /// [`Error::NotActivated`] carries the shares when they could not be stored;
    /// [`Error::NameTaken`] when another wallet has the alias.
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
    pub(super) async fn make(
        &self,
        chain: ChainName,
        scheme: ThresholdSignatureScheme,
        options: &CreateOptions,
        import: Option<&PrivateKey>,
    ) -> Result<WalletProperties> {
        options.check()?;
        self.check_vaults(scheme)?;
        self.pin().await?;
        let mut claims = Vec::new();
        if let Some(key) = options.idempotency_key.as_deref() {
            match self.earlier(Kind::Key, key, chain, scheme).await? {
                Earlier::Done(properties) => return Ok(*properties),
                Earlier::Unsettled(left) => return Err(unsettled(left)),
                Earlier::Ended(rev) => claims.push(Claim::new(Kind::Key, key, Some(rev))),
                Earlier::None => claims.push(Claim::new(Kind::Key, key, None)),
            }
        }
        if let Some(alias) = options.alias.as_deref() {
            check_alias(alias)?;
            match self.earlier(Kind::Alias, alias, chain, scheme).await? {
                Earlier::Done(_) => return Err(Error::NameTaken),
                Earlier::Unsettled(left) => return Err(unsettled(left)),
                Earlier::Ended(rev) => claims.push(Claim::new(Kind::Alias, alias, Some(rev))),
                Earlier::None => claims.push(Claim::new(Kind::Alias, alias, None)),
            }
        }
        self.check_escrow_key(scheme).await?;
        let generated = match keygen::keygen(&self.client, chain, scheme, options, import).await {
            Ok(generated) => generated,
            Err(error) => {
                let key = options.idempotency_key.as_deref();
                return self.exists_already(error, chain, scheme, key).await;
            }
        };
        let pending = PendingWallet::new(&self.client, generated)?;
        match self.stage(&pending, &claims).await {
            Ok(()) => self.finish_new(pending).await,
            Err(Error::NameTaken) => Err(self.step_back(&pending).await),
            Err(error) => Err(pending.not_activated(error)),
        }
    }

    /// Another process took the name first. Nobody has this wallet's address and none of its shares
    /// is stored: it ends here, on both sides.
    async fn step_back(&self, pending: &PendingWallet) -> Error {
        match self.abort(pending.attempt_id()).await {
            Ok(_) => Error::NameTaken,
            Err(error) => {
                let attempt = pending.attempt_id();
                tracing::warn!(%attempt, %error, "an attempt that came to nothing is not ended");
                Error::NameTaken
            }
        }
    }

    /// What an earlier create under the same name came to.
    pub(super) async fn earlier(
        &self,
        kind: Kind,
        name: &str,
        chain: ChainName,
        scheme: ThresholdSignatureScheme,
    ) -> Result<Earlier> {
        let Some(named) = self.find_named(kind, name).await? else {
            return Ok(Earlier::None);
        };
        let row = self.row(named.value.chain, &named.value.address).await?;
        // What a wallet became by a reshare does not make another of it.
        let made_as = |one: &GenerationRow| row.value.scheme_of(one);
        let attempt = named.value.attempt;
        let mut generations = row.value.generations.iter();
        let made = generations.find(|one| one.attempt == attempt);
        let was = made.map_or(row.value.scheme, made_as);
        if row.value.chain != chain || was != scheme {
            return Err(Error::InvalidArgument(
                "this idempotency key or alias made a wallet of another chain or scheme".to_owned(),
            ));
        }
        let settled = match made.map(|one| one.state) {
            Some(GenerationState::Pending) => self
                .settle(row, self.options.abort_after)
                .await
                .map_err(|source| left_pending(attempt, source))?,
            Some(GenerationState::Aborted) => Settled::Aborted,
            _ => settled_before(&row.value)?,
        };
        Ok(match settled {
            Settled::Active(properties) => Earlier::Done(properties),
            Settled::Aborted => Earlier::Ended(named.rev),
            Settled::Pending | Settled::Unknown | Settled::Failed(_) => Earlier::Unsettled(attempt),
        })
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
        match self.earlier(Kind::Key, key, chain, scheme).await {
            Ok(Earlier::Done(properties)) => Ok(*properties),
            // A lock that is stored nowhere outweighs what the provider said.
            Err(found) if found.unstored_lock().is_some() => Err(found),
            Ok(_) | Err(_) => Err(error),
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

pub(super) enum Earlier {
    /// No create under this name, or none that got as far as a stored share.
    None,
    /// It was aborted; the name may be taken over at this revision.
    Ended(Rev),
    /// It is neither: its shares are not stored, or the provider does not know it.
    Unsettled(AttemptId),
    /// The wallet is there.
    Done(Box<WalletProperties>),
}

fn unsettled(attempt: AttemptId) -> Error {
    let source = Error::InvalidArgument("resume or abort that attempt".to_owned());
    left_pending(attempt, source)
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
