//! A wallet between keygen and commit.

use core::fmt;
use std::sync::Arc;

use halfkey_core::wire::{AbortReply, AttemptReply, EscrowFile};
use halfkey_core::{
    AttemptId, CustodyOrigin, Generation, PartyIndex, ServerKeyShare, WalletId, WalletProperties,
};
use halfkey_mpc::KeyShare;

use crate::backup::{self, BackupSecret};
use crate::client::Credential;
use crate::error::{Unactivated, carry};
use crate::sign::share;
use crate::transport::Retry;
use crate::{BackupFormat, Error, Result, SealHint, WalletClient, escrow, identity, prove};

mod commit;

/// A wallet whose key exists and which does not sign yet (custody rule 8).
///
/// Store [`Self::shares`] under [`Self::seal_hint`], read them back, [`Self::prove`] with what was
/// read, then [`Self::activate`]: only that gives the address. Dropping this value wipes the
/// shares; the provider's half stays pending until it is aborted.
pub struct PendingWallet {
    client: WalletClient,
    key_shares: Vec<Arc<KeyShare>>,
    shares: Vec<ServerKeyShare>,
    hints: Vec<SealHint>,
    properties: WalletProperties,
    proven: bool,
    /// The digest of the escrow that the caller says it has stored.
    escrow: Option<[u8; 32]>,
}

impl fmt::Debug for PendingWallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingWallet")
            .field("attempt_id", &self.attempt_id())
            .field("proven", &self.proven)
            .finish_non_exhaustive()
    }
}

impl PendingWallet {
    /// # Errors
    /// [`Error::NotActivated`] when the shares do not fit together; they are inside.
    pub(crate) fn new(client: &WalletClient, generated: Vec<KeyShare>) -> Result<Self> {
        let shares: Vec<_> = generated.into_iter().map(Arc::new).collect();
        Self::from_key_shares(client, shares.clone())
            .map_err(|error| carry(shares.iter().map(AsRef::as_ref), error))
    }

    /// Goes on with a wallet whose shares an earlier process stored, or an error handed back.
    ///
    /// # Errors
    /// When a share cannot be read, one is missing, or they do not belong together.
    pub fn from_shares(client: &WalletClient, shares: &[ServerKeyShare]) -> Result<Self> {
        let mut decoded = shares
            .iter()
            .map(|encoded| share::decode(encoded).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        decoded.sort_by_key(|share| share.header().party);
        Self::from_key_shares(client, decoded)
    }

    fn from_key_shares(client: &WalletClient, key_shares: Vec<Arc<KeyShare>>) -> Result<Self> {
        let first = key_shares.first().ok_or(Error::NoShare)?;
        let wanted = PartyIndex::customers(first.header().scheme);
        share::same_set(client, &key_shares)?;
        if key_shares
            .iter()
            .map(|share| share.header().party)
            .ne(wanted.iter().copied())
        {
            return Err(Error::InvalidArgument(
                "not all of the customer's shares".to_owned(),
            ));
        }
        let properties = share::properties(first)?;
        let shares = key_shares
            .iter()
            .map(|share| share::encode(share))
            .collect::<Result<_>>()?;
        let hints = key_shares
            .iter()
            .map(|share| SealHint::of(share))
            .collect::<Result<_>>()?;
        let client = client.clone();
        Ok(Self {
            client,
            key_shares,
            shares,
            hints,
            properties,
            proven: false,
            escrow: None,
        })
    }

    /// The customer's shares, one per party. They exist nowhere else.
    pub fn shares(&self) -> &[ServerKeyShare] {
        &self.shares
    }

    /// Where, and bound to what, each of [`Self::shares`] should be sealed; same order.
    pub fn seal_hint(&self) -> &[SealHint] {
        &self.hints
    }

    /// The attempt this wallet stands or falls with.
    pub fn attempt_id(&self) -> AttemptId {
        self.first().header().attempt
    }

    /// The provider's id of the wallet.
    pub fn wallet_id(&self) -> WalletId {
        self.first().header().wallet
    }

    /// The generation that is pending.
    pub fn generation(&self) -> Generation {
        self.first().header().generation
    }

    /// What the key's history allows anyone to claim.
    pub fn custody_origin(&self) -> CustodyOrigin {
        self.first().header().custody_origin
    }

    #[expect(clippy::expect_used, reason = "never empty, checked at construction")]
    fn first(&self) -> &KeyShare {
        self.key_shares
            .first()
            .expect("a pending wallet has at least one share")
    }

    #[cfg(feature = "vault")]
    pub(crate) fn key_shares(&self) -> &[Arc<KeyShare>] {
        &self.key_shares
    }

    #[cfg(feature = "vault")]
    pub(crate) const fn properties(&self) -> &WalletProperties {
        &self.properties
    }

    /// Proves that `shares`, as read back from storage, sign for the new key: a ceremony under the
    /// staged generation for each pair of parties (custody rules 3 and 7).
    ///
    /// # Errors
    /// When a share does not belong to this attempt, or the ceremony fails. The wallet stays
    /// pending; this can be tried again unless the error is [`Error::PeerMisbehaved`] or
    /// [`Error::WalletLocked`].
    #[tracing::instrument(level = "debug", skip_all, fields(attempt = %self.attempt_id()))]
    pub async fn prove(&mut self, shares: &[ServerKeyShare]) -> Result<()> {
        let reread = Self::from_shares(&self.client, shares)?;
        if reread.hints != self.hints {
            return Err(Error::ShareOfAnotherWallet);
        }
        let operation = prove::commit_operation(self.first().header());
        prove::prove(&self.client, &reread.key_shares, operation).await?;
        self.proven = true;
        Ok(())
    }

    /// Commits the attempt: from here on the wallet signs. Without a [`Self::prove`] before, it is
    /// activated as `unproven`.
    ///
    /// # Errors
    /// [`Error::NotActivated`], which carries the shares.
    #[tracing::instrument(level = "debug", skip_all, fields(attempt = %self.attempt_id()))]
    pub async fn activate(self) -> Result<WalletProperties> {
        match self.commit().await {
            Ok(()) => Ok(self.properties.clone()),
            Err(error) => Err(self.not_activated(error)),
        }
    }

    /// The provider's share of this generation, sealed to the environment's escrow key (custody
    /// rule 30), its label checked against these shares. Where the environment has a key,
    /// [`Self::activate`] fails with `escrow_unacknowledged` until this was stored and
    /// acknowledged.
    ///
    /// # Errors
    /// [`crate::EscrowError::NotSealed`] where the environment has no escrow key in force.
    #[tracing::instrument(level = "debug", skip_all, fields(attempt = %self.attempt_id()))]
    pub async fn escrow(&self) -> Result<EscrowFile> {
        let (wallet, attempt) = (self.wallet_id(), self.attempt_id());
        let file = self.client.escrow_to_commit(wallet, attempt).await?;
        escrow::check_label(&file, self.first())?;
        Ok(file)
    }

    /// Says that `file`, as [`Self::escrow`] gave it, is stored where it lasts: the commit tells
    /// the provider so.
    ///
    /// # Errors
    /// [`Error::Escrow`] when it is not of this generation.
    pub fn acknowledge_escrow(&mut self, file: &EscrowFile) -> Result<()> {
        escrow::check_label(file, self.first())?;
        self.escrow = Some(file.digest());
        Ok(())
    }

    /// Encrypts the shares under `password`, or under the text of a [`crate::RecoveryKey`], and
    /// stores them with the provider; [`Self::activate`] then tells where in the properties. The
    /// wallet stays pending, and this can be repeated.
    ///
    /// # Errors
    /// As [`WalletClient::store_encrypted_backup`].
    #[tracing::instrument(level = "debug", skip_all, fields(attempt = %self.attempt_id()))]
    pub async fn back_up(&mut self, password: &str, format: BackupFormat) -> Result<()> {
        let secret = BackupSecret::for_writing(password, self.client.environment())?;
        self.back_up_under(&secret, format).await
    }

    async fn back_up_under(&mut self, secret: &BackupSecret, format: BackupFormat) -> Result<()> {
        let info = backup::back_up(&self.client, &self.key_shares, secret, format).await?;
        self.properties.external_server_key_shares_backup_info = Some(info);
        Ok(())
    }

    /// Activates, after a backup where one is wanted, and gives the shares as well.
    pub(crate) async fn back_up_and_activate(
        mut self,
        secret: Option<BackupSecret>,
    ) -> Result<(WalletProperties, Vec<ServerKeyShare>)> {
        if let Some(secret) = secret
            && let Err(error) = self.back_up_under(&secret, BackupFormat::default()).await
        {
            return Err(self.not_activated(error));
        }
        match self.commit().await {
            Ok(()) => Ok((self.properties, self.shares)),
            Err(error) => Err(self.not_activated(error)),
        }
    }

    async fn commit(&self) -> Result<()> {
        let header = self.first().header();
        let unproven = !self.proven;
        commit::commit(
            &self.client,
            header,
            unproven,
            &self.properties,
            self.escrow,
        )
        .await
        .map(drop)
    }

    /// Ends the attempt for good: the provider keeps a tombstone that beats any later commit.
    ///
    /// # Errors
    /// When the provider refuses (it is committed already) or cannot be reached.
    #[tracing::instrument(level = "debug", skip_all, fields(attempt = %self.attempt_id()))]
    pub async fn abort(&self) -> Result<AttemptReply> {
        let (wallet, attempt) = (self.wallet_id(), self.attempt_id());
        abort(&self.client, wallet, (self.generation(), attempt)).await
    }

    /// This wallet's shares inside an error.
    pub(crate) fn not_activated(self, source: Error) -> Error {
        let attempt_id = self.attempt_id();
        Error::NotActivated(Box::new(Unactivated {
            shares: self.shares,
            properties: self.properties,
            attempt_id,
            source,
        }))
    }
}

/// Commits a proven attempt; see [`commit::commit`].
#[cfg(feature = "vault")]
pub(crate) use commit::commit as commit_attempt;

/// Aborts an attempt and checks the provider's signature on the answer. What makes another
/// generation than the first one ends by the API token, which began it.
pub(crate) async fn abort(
    client: &WalletClient,
    wallet: WalletId,
    (generation, attempt): (Generation, AttemptId),
) -> Result<AttemptReply> {
    let by = if generation == Generation::default() {
        Credential::Session
    } else {
        Credential::ApiToken
    };
    let path = client.route(&[
        &wallet.to_string(),
        "attempts",
        &attempt.to_string(),
        "abort",
    ])?;
    let key = format!("{attempt}/abort");
    let empty = serde_json::Map::new();
    let reply: AbortReply = client
        .post_by(by, &path, &empty, Some(&key), Retry::Idempotent)
        .await?;
    let identity = client.provider_identity().await?;
    identity::verify_attempt(&reply.attempt, attempt, client.environment(), &identity)?;
    Ok(reply.attempt)
}

#[cfg(test)]
mod tests {
    use halfkey_core::{KeyType, ThresholdSignatureScheme};
    use halfkey_mpc::test_shares;

    use super::*;
    use crate::WalletClientOpts;

    fn client(environment: &str) -> WalletClient {
        let opts = WalletClientOpts::new(environment).base_api_url("http://127.0.0.1:9");
        WalletClient::new(opts).unwrap()
    }

    fn generated(parties: &[PartyIndex]) -> Vec<KeyShare> {
        let (kind, scheme) = (
            KeyType::EcdsaSecp256k1,
            ThresholdSignatureScheme::TwoOfThree,
        );
        let load = |party: &PartyIndex| test_shares::load(kind, scheme, *party).unwrap();
        parties.iter().map(load).collect()
    }

    /// Custody rule 8: another environment's, and one of two.
    #[test]
    fn shares_that_make_no_wallet_come_back_in_the_error() {
        let both = [PartyIndex::CUSTOMER_1, PartyIndex::CUSTOMER_2];
        let cases = [
            ("env-other", &both[..], "share_of_another_environment"),
            (test_shares::ENVIRONMENT, &both[..1], "invalid_argument"),
        ];
        for (environment, parties, code) in cases {
            let error = PendingWallet::new(&client(environment), generated(parties)).unwrap_err();
            let Error::NotActivated(inner) = error else {
                panic!("{error:?}")
            };
            assert_eq!(inner.source.code(), code);
            let carried = inner.shares.iter().map(|one| share::decode(one).unwrap());
            let carried: Vec<_> = carried.map(|share| share.header().party).collect();
            assert_eq!(carried, parties);
            assert!(!inner.properties.account_address.is_empty());
        }
    }
}
