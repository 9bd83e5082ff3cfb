//! The key that signs audit checkpoints and incident reports, sealed in the vault tier.

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, SecretBytes,
    ShareSetId, ThresholdSignatureScheme, WalletId,
};

use crate::audit::checkpoint::SigningKey;
use crate::entropy::random_bytes;
use crate::{Access, BindCtx, Error, Expect, RecordName, RecordPurpose, Vault};

/// Where it stands: `operator-key/{environment}`.
///
/// # Errors
/// As [`RecordName::new`].
pub fn name(environment: &EnvironmentId) -> Result<RecordName, Error> {
    Ok(RecordName::new(format!("operator-key/{environment}"))?)
}

/// What it is bound to. The share id tells it from the other secrets of an environment.
pub fn context(environment: &EnvironmentId) -> BindCtx {
    BindCtx {
        environment: environment.clone(),
        chain: ChainName::Evm,
        account_address: String::new(),
        wallet: WalletId::from_bytes([0; 16]),
        key_share: KeyShareId::from_bytes(*b"operator-key-v1\0"),
        share_set: ShareSetId::from_bytes([0; 16]),
        party: PartyIndex::CUSTOMER_1,
        scheme: ThresholdSignatureScheme::TwoOfTwo,
        purpose: RecordPurpose::Identity,
        generation: Generation(0),
        attempt: AttemptId::from_bytes([0; 16]),
        group_public_key_hash: [0; 32],
    }
}

/// Opens the key, making it at first use. Needs the right to open, and to seal at first use.
///
/// # Errors
/// As [`Vault::load`] and [`Vault::store`].
pub async fn load_or_make(
    vault: &Vault,
    environment: &EnvironmentId,
    access: &Access,
) -> Result<SigningKey, Error> {
    let (name, ctx) = (name(environment)?, context(environment));
    match vault.load(&name, &ctx, access).await {
        Ok(found) => return SigningKey::from_seed(&found.value),
        Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    let seed = SecretBytes::new(random_bytes::<32>()?.to_vec());
    match vault
        .store(&name, &ctx, &seed, Expect::Absent, access)
        .await
    {
        // Whoever was first decides.
        Ok(_) | Err(Error::Conflict(_)) => {}
        Err(error) => return Err(error),
    }
    let made = vault.load(&name, &ctx, access).await?;
    SigningKey::from_seed(&made.value)
}
