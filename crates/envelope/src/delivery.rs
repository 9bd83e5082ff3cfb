//! What a delegation is made of: the share, the wallet's API key, and the wallet they are for.

use halfkey_core::random::{CryptoRng, RngCore};
use halfkey_core::{ChainName, SecretBytes, SecretString, ServerKeyShare, WalletId};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{EncryptedDelegatedPayload, Error, PrivateKey, RecipientKey, Result, envelope};

/// A customer's share on its way to a delegate: JSON with `keyShareId`, `secretShare` and, where
/// known, `pubKey`. Read in either case style.
pub struct DelegatedShare(ServerKeyShare);

halfkey_core::redacted_debug!(DelegatedShare);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShareJson<'a> {
    key_share_id: &'a str,
    secret_share: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub_key: Option<&'a str>,
}

#[derive(Deserialize)]
struct ReadShare {
    #[serde(alias = "keyShareId")]
    key_share_id: String,
    #[serde(alias = "secretShare")]
    secret_share: String,
    #[serde(default, alias = "pubKey")]
    pub_key: Option<String>,
}

impl DelegatedShare {
    /// The share.
    pub const fn new(share: ServerKeyShare) -> Self {
        Self(share)
    }

    /// The share.
    pub fn into_share(self) -> ServerKeyShare {
        self.0
    }

    /// Encrypts the share for the delegate.
    ///
    /// # Errors
    /// As [`crate::seal`].
    pub fn seal(
        &self,
        recipient: &RecipientKey,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<EncryptedDelegatedPayload> {
        let json = ShareJson {
            key_share_id: &self.0.key_share_id,
            secret_share: &self.0.secret_share,
            pub_key: self.0.pub_key.as_deref(),
        };
        // Room for all of it: a buffer that grows would leave copies behind.
        let room = self.0.secret_share.len().saturating_add(1024);
        let mut bytes = Vec::with_capacity(room);
        serde_json::to_writer(&mut bytes, &json).map_err(|_| Error::Bug("a share is JSON"))?;
        envelope::seal(recipient, &SecretBytes::new(bytes), rng)
    }

    /// Reads the JSON form.
    fn from_json(json: &SecretBytes) -> Result<Self> {
        let mut read: ReadShare = serde_json::from_slice(json.expose())
            .map_err(|_| Error::Content("a key share: keyShareId and secretShare"))?;
        let secret = core::mem::take(&mut read.secret_share);
        let mut share = ServerKeyShare::new(core::mem::take(&mut read.key_share_id), secret);
        if let Some(pub_key) = read.pub_key.take() {
            share = share.with_pub_key(pub_key);
        }
        read.secret_share.zeroize();
        Ok(Self(share))
    }
}

/// What a delegate takes out of a delivery.
pub struct Delivered {
    /// The customer's share.
    pub server_key_share: ServerKeyShare,
    /// The key the provider knows the delegate by, for this wallet only.
    pub wallet_api_key: SecretString,
}

halfkey_core::redacted_debug!(Delivered);

impl Delivered {
    /// Decrypts both parts of a delivery.
    ///
    /// # Errors
    /// As [`crate::open`]; [`Error::Content`] when a part does not hold what it should.
    pub fn open(
        key: &PrivateKey,
        share: &EncryptedDelegatedPayload,
        wallet_api_key: &EncryptedDelegatedPayload,
    ) -> Result<Self> {
        let share = DelegatedShare::from_json(&envelope::open(key, share)?)?;
        let text = envelope::open(key, wallet_api_key)?;
        let printable = |text: &&str| {
            (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let wallet_api_key = core::str::from_utf8(text.expose())
            .ok()
            .filter(printable)
            .map(SecretString::from)
            .ok_or(Error::Content("a wallet API key"))?;
        Ok(Self {
            server_key_share: share.into_share(),
            wallet_api_key,
        })
    }
}

/// The `data` of `wallet.delegation.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DelegationData {
    /// The wallet.
    pub wallet_id: WalletId,
    /// `EVM` or `SVM`.
    pub chain: ChainName,
    /// The wallet's address.
    pub public_key: String,
    /// Whose wallet it is; the provider's own environments have none.
    #[serde(default)]
    pub user_id: Option<String>,
    /// The customer's share. The published clients disagree on this name: `encryptedShare` and
    /// `encryptedDelegatedKeyShare` are read as well.
    #[serde(alias = "encryptedShare", alias = "encryptedDelegatedKeyShare")]
    pub encrypted_delegated_share: EncryptedDelegatedPayload,
    /// The wallet's API key.
    pub encrypted_wallet_api_key: EncryptedDelegatedPayload,
    /// The set the share belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_set_id: Option<String>,
    /// The delegation, as revocations and lists name it; absent in what other providers send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation_id: Option<String>,
    /// When the wallet's API key ends by itself, RFC 3339; absent in what other providers send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl DelegationData {
    /// Reads the JSON form; fields of newer versions are passed over, except inside the envelopes.
    ///
    /// # Errors
    /// [`Error::NotADelegation`], saying what was missing where it can be told.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|error| {
            let text = Zeroizing::new(error.to_string());
            Error::NotADelegation(reason(&text))
        })
    }
}

/// What is wrong, in words of ours: the parser's could quote what it read.
fn reason(text: &str) -> &'static str {
    const REASONS: [(&str, &str); 7] = [
        ("unknown field", "an envelope has a field it must not have"),
        ("duplicate field", "a field is there twice"),
        ("missing field `walletId`", "walletId is missing"),
        ("missing field `chain`", "chain is missing"),
        ("missing field `publicKey`", "publicKey is missing"),
        (
            "missing field `encryptedDelegatedShare`",
            "encryptedDelegatedShare is missing",
        ),
        (
            "missing field `encryptedWalletApiKey`",
            "encryptedWalletApiKey is missing",
        ),
    ];
    REASONS
        .into_iter()
        .find(|(begins, _)| text.starts_with(begins))
        .map_or("it cannot be read", |(_, reason)| reason)
}
