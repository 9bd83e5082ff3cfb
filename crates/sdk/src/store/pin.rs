//! The provider's identity, pinned in the vault tier on first use (custody rule 17).

use ed25519_dalek::VerifyingKey;
use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, SecretBytes,
    ShareSetId, ThresholdSignatureScheme, WalletId,
};
use halfkey_vault::{BindCtx, Error as VaultError, Expect, Purpose, RecordName, RecordPurpose};

use super::WalletStore;
use crate::{Error, Result};

impl WalletStore {
    /// Makes sure that this process talks to the provider it has always talked to.
    pub(super) async fn pin(&self) -> Result<()> {
        self.pinned
            .get_or_try_init(|| self.pin_now())
            .await
            .copied()
    }

    async fn pin_now(&self) -> Result<()> {
        let name = pin_name(&self.options.prefix, self.client.environment())?;
        if !self.vault.can_open() {
            // It cannot read the pin, so it goes by what it was configured with.
            let key = self.client.provider_identity().await?;
            if self.vault.get_row(&name).await?.is_none() {
                self.write_pin(&name, &key).await?;
            }
            return Ok(());
        }
        if let Some(pinned) = self.read_pin(&name).await? {
            return self.client.adopt_pinned_identity(pinned).await;
        }
        let key = self.client.provider_identity().await?;
        self.write_pin(&name, &key).await?;
        // Whoever was first decides.
        let pinned = self.read_pin(&name).await?;
        let pinned = pinned.ok_or_else(|| Error::VaultState(format!("{name} is gone")))?;
        self.client.adopt_pinned_identity(pinned).await
    }

    async fn read_pin(&self, name: &RecordName) -> Result<Option<VerifyingKey>> {
        let access = self.access(Purpose::Guard);
        let stored = match self.vault.load(name, &self.pin_ctx(), &access).await {
            Ok(stored) => stored,
            Err(VaultError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = || Error::VaultState(format!("{name} does not hold a key"));
        let bytes: [u8; 32] = stored.value.expose().try_into().map_err(|_| damaged())?;
        VerifyingKey::from_bytes(&bytes)
            .map(Some)
            .map_err(|_| damaged())
    }

    async fn write_pin(&self, name: &RecordName, key: &VerifyingKey) -> Result<()> {
        let plaintext = SecretBytes::new(key.as_bytes().to_vec());
        let access = self.access(Purpose::Guard);
        let ctx = self.pin_ctx();
        match self
            .vault
            .store(name, &ctx, &plaintext, Expect::Absent, &access)
            .await
        {
            Ok(_) | Err(VaultError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn pin_ctx(&self) -> BindCtx {
        pin_ctx(self.client.environment())
    }
}

/// Where the pin stands.
pub(super) fn pin_name(prefix: &str, environment: &EnvironmentId) -> Result<RecordName> {
    Ok(RecordName::new(format!(
        "{prefix}provider-identity/{environment}"
    ))?)
}

/// The pin belongs to the environment; every field that names a wallet is empty or zero.
pub(super) fn pin_ctx(environment: &EnvironmentId) -> BindCtx {
    BindCtx {
        environment: environment.clone(),
        chain: ChainName::Evm,
        account_address: String::new(),
        wallet: WalletId::from_bytes([0; 16]),
        key_share: KeyShareId::from_bytes([0; 16]),
        share_set: ShareSetId::from_bytes([0; 16]),
        party: PartyIndex::PROVIDER,
        scheme: ThresholdSignatureScheme::TwoOfTwo,
        purpose: RecordPurpose::Identity,
        generation: Generation::default(),
        attempt: AttemptId::from_bytes([0; 16]),
        group_public_key_hash: [0; 32],
    }
}
