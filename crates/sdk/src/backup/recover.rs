//! Getting shares back from the provider's backup.

use std::sync::Arc;

use halfkey_core::crash_point::crash_point;
use halfkey_core::wire::{RecoverReply, RecoverRequest, RecoveredShare};
use halfkey_core::{
    BackupId, ChainName, KeyShareBackupInfo, PartyIndex, ServerKeyShare, WalletProperties,
};
use halfkey_mpc::KeyShare;

use super::blob::Blob;
use super::bound::{Bound, Wanted};
use super::pointers::{Extent, Located, kept_here};
use super::seal;
use super::secret::BackupSecret;
use crate::ceremony::pool::{self, Class};
use crate::client::Credential;
use crate::sign::share;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient};

/// Shares as they came out of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveredKeyShares {
    /// In the order of their parties.
    pub shares: Vec<ServerKeyShare>,
    /// The customer's parties of whom no backup was there, or none that opened.
    pub missing: Vec<PartyIndex>,
    /// Whether any of them lay under the environment id, which protects nothing: whoever kept the
    /// blobs may have read them. Back them up again under a secret, and refresh the wallet with
    /// `compromised`.
    pub unprotected: bool,
    /// Where what opened is kept, to merge into the properties.
    pub backup_info: KeyShareBackupInfo,
}

impl WalletClient {
    /// Fetches the backups of the wallet's active shares and opens them. Properties from
    /// [`Self::fetch_wallet_metadata`] will do: the provider has the pointers. Needs an API token
    /// with the scope `wallet.backup`; the provider gives them out ten times a minute and wallet.
    ///
    /// A backup that was never protected by a secret of the customer's is opened without a
    /// password, and reported as [`RecoveredKeyShares::unprotected`].
    ///
    /// # Errors
    /// [`Error::WrongPassword`]; [`Error::PasswordRequired`] where one is needed;
    /// [`Error::BackupDamaged`] and [`Error::BackupParameters`] for a blob that is not tried;
    /// [`Error::ShareOfAnotherWallet`], [`Error::ShareOfAnotherGeneration`],
    /// [`Error::ShareOfAnotherParty`] and [`Error::ShareOfAnotherEnvironment`] for a foreign one;
    /// [`Error::StaleWalletProperties`] when nobody knows of a backup.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn recover_key_shares(
        &self,
        wallet_properties: &WalletProperties,
        password: Option<&str>,
    ) -> Result<RecoveredKeyShares> {
        let recovery = Recovery::run(self, wallet_properties, password, Extent::Enough).await?;
        let shares = recovery.opened.iter();
        let shares = shares.map(|one| share::encode(&one.share));
        Ok(RecoveredKeyShares {
            shares: shares.collect::<Result<_>>()?,
            missing: recovery.missing(),
            unprotected: recovery.is_unprotected(),
            backup_info: recovery.info(),
        })
    }
}

/// A blob that opened.
pub(crate) struct Opened {
    pub(crate) id: BackupId,
    pub(crate) share: Arc<KeyShare>,
    /// No secret of the customer's was needed for it.
    pub(crate) unprotected: bool,
}

impl Opened {
    /// Whether it holds the same party's share.
    fn is_like(&self, other: &Self) -> bool {
        self.share.header().party == other.share.header().party
    }
}

/// What came out of the backups of a wallet.
pub(crate) struct Recovery {
    pub(super) located: Located,
    /// One per party, in their order.
    pub(crate) opened: Vec<Opened>,
    /// Of [`Extent::Every`], further blobs of the same shares that the same secret opens, and
    /// whether no secret was needed.
    pub(super) also: Vec<(BackupId, bool)>,
    wanted: Wanted,
}

impl Recovery {
    pub(crate) async fn run(
        client: &WalletClient,
        properties: &WalletProperties,
        password: Option<&str>,
        extent: Extent,
    ) -> Result<Self> {
        let environment = client.environment();
        let secret = password
            .map(|text| BackupSecret::for_reading(text, environment))
            .transpose()?;
        Self::with(client, properties, secret.as_ref(), extent).await
    }

    /// Every backup that this secret opens.
    #[cfg(feature = "vault")]
    pub(super) async fn under(
        client: &WalletClient,
        properties: &WalletProperties,
        secret: &BackupSecret,
    ) -> Result<Self> {
        Self::with(client, properties, Some(secret), Extent::Every).await
    }

    async fn with(
        client: &WalletClient,
        properties: &WalletProperties,
        secret: Option<&BackupSecret>,
        extent: Extent,
    ) -> Result<Self> {
        let located = Located::find(client, properties, extent).await?;
        let wanted = located.wanted(client);
        let fetched = fetch(client, &located).await?;
        crash_point("recover.after_fetch");
        let (mut opened, mut also) = (Vec::<Opened>::new(), Vec::new());
        let mut failed = None;
        for entry in &fetched {
            let mut known = Vec::new();
            if extent == Extent::Enough {
                known.extend(opened.iter().map(|one| one.share.header().party));
            }
            if known.len() == wanted.parties.len() {
                break;
            }
            match open_entry(client, entry, secret, &wanted, &known).await {
                Ok(Some(one)) if opened.iter().any(|there| there.is_like(&one)) => {
                    also.push((one.id, one.unprotected));
                }
                Ok(Some(one)) => opened.push(one),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(backup = %entry.id, code = error.code(), "backup not opened");
                    failed.get_or_insert(error);
                }
            }
        }
        if opened.is_empty() {
            let none = Error::StaleWalletProperties("the provider has no backup under their ids");
            return Err(failed.unwrap_or(none));
        }
        opened.sort_by_key(|one| one.share.header().party);
        let recovery = Self {
            located,
            opened,
            also,
            wanted,
        };
        recovery.check(client)?;
        Ok(recovery)
    }

    /// The shares must make the wallet's address.
    fn check(&self, client: &WalletClient) -> Result<()> {
        let theirs = properties_of(&self.located);
        let chain: ChainName = theirs.chain_name.parse()?;
        for one in &self.opened {
            share::belongs(client, chain, &theirs, &one.share)?;
        }
        Ok(())
    }

    pub(crate) fn missing(&self) -> Vec<PartyIndex> {
        let is_there = |party: &PartyIndex| {
            let mut parties = self.opened.iter().map(|one| one.share.header().party);
            parties.any(|there| there == *party)
        };
        let parties = self.wanted.parties.iter().copied();
        parties.filter(|party| !is_there(party)).collect()
    }

    pub(crate) fn is_unprotected(&self) -> bool {
        self.opened.iter().any(|one| one.unprotected)
    }

    pub(super) fn ids(&self) -> Vec<BackupId> {
        self.opened.iter().map(|one| one.id).collect()
    }

    /// All blobs that opened by the secret, and by nothing less.
    #[cfg(feature = "vault")]
    pub(super) fn protected(&self) -> Vec<BackupId> {
        let opened = self.opened.iter().map(|one| (one.id, one.unprotected));
        let all = opened.chain(self.also.iter().copied());
        all.filter(|(_, unprotected)| !unprotected)
            .map(|(id, _)| id)
            .collect()
    }

    /// Where what opened is kept.
    pub(crate) fn info(&self) -> KeyShareBackupInfo {
        kept_here(&self.ids(), !self.is_unprotected())
    }

    /// The wallet, as the provider describes it.
    #[cfg(feature = "vault")]
    pub(crate) const fn summary(&self) -> &halfkey_core::wire::WalletSummary {
        &self.located.summary
    }

    #[cfg(feature = "vault")]
    pub(crate) fn shares(&self) -> Vec<Arc<KeyShare>> {
        self.opened
            .iter()
            .map(|one| Arc::clone(&one.share))
            .collect()
    }
}

fn properties_of(located: &Located) -> WalletProperties {
    let summary = &located.summary;
    let (chain, address) = (summary.chain_name.clone(), summary.account_address.clone());
    let properties = WalletProperties::new(chain, summary.wallet_id.to_string(), address)
        .with_threshold(summary.threshold_signature_scheme);
    match &summary.derivation_path {
        Some(path) => properties.with_derivation_path(path.clone()),
        None => properties,
    }
}

/// The blobs, newest first. One fetch, which the provider counts.
pub(super) async fn fetch(client: &WalletClient, located: &Located) -> Result<Vec<RecoveredShare>> {
    let wallet = located.summary.wallet_id.to_string();
    let path = client.route(&[&wallet, "keyShares", "recover"])?;
    let body = RecoverRequest {
        key_share_ids: located.ids.clone(),
    };
    let by = Credential::ApiToken;
    // Each one counts, so whether to repeat it is the caller's choice.
    let sent = client.post_by(by, &path, &body, None, Retry::Never);
    let mut reply: RecoverReply = sent.await?;
    reply.key_shares.reverse();
    Ok(reply.key_shares)
}

/// Opens one blob; nothing where its party's share is `known` already.
pub(super) async fn open_entry(
    client: &WalletClient,
    entry: &RecoveredShare,
    secret: Option<&BackupSecret>,
    wanted: &Wanted,
    known: &[PartyIndex],
) -> Result<Option<Opened>> {
    let blob = Arc::new(Blob::parse(&entry.encrypted_account_credential)?);
    if let Some(bound) = blob.bound() {
        if known.contains(&bound.party) {
            return Ok(None);
        }
        wanted.check(bound)?;
    }
    let mut secrets: Vec<BackupSecret> = secret.into_iter().cloned().collect();
    if !entry.password_encrypted {
        secrets.insert(0, BackupSecret::public(client.environment()));
    }
    let mut failed = Error::PasswordRequired;
    for secret in secrets {
        let unprotected = secret.is_public();
        let blob = Arc::clone(&blob);
        match pool::run(Class::Stretch, move || open_blob(&blob, &secret)).await {
            Ok(share) => {
                let bound = Bound::of(&share);
                wanted.check(&bound)?;
                let (id, share) = (entry.id, Arc::new(share));
                let opened = Opened {
                    id,
                    share,
                    unprotected,
                };
                return Ok((!known.contains(&bound.party)).then_some(opened));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The share in a blob, which must be the one the blob says it holds.
fn open_blob(blob: &Blob, secret: &BackupSecret) -> Result<KeyShare> {
    let opened = seal::open(blob, secret)?;
    let share = share::decode(&opened)?;
    let stated = &opened.key_share_id;
    if !stated.is_empty() && *stated != share.header().key_share.to_string() {
        return Err(Error::BackupDamaged("it names another share than it holds"));
    }
    match blob.bound() {
        Some(bound) if *bound != Bound::of(&share) => {
            Err(Error::BackupDamaged("it is bound to another share"))
        }
        _ => Ok(share),
    }
}
