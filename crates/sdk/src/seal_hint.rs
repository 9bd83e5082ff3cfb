use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};
use halfkey_mpc::KeyShare;
use sha2::{Digest as _, Sha256};

use crate::Result;

/// Under which names, and bound to what, a pending share is to be sealed (custody rule 8). One per
/// customer party. Until the attempt is committed everything in here is provisional.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealHint {
    /// `wallet:{address}/shares/{party}/{generation}-{attempt}`: write here now.
    pub staged_name: String,
    /// `wallet:{address}/shares/{party}`: copy it there after the commit.
    pub active_name: String,
    /// The environment.
    pub environment: EnvironmentId,
    /// The chain.
    pub chain: ChainName,
    /// The address in the form that names records (EVM: lower case).
    pub account_address: String,
    /// The wallet.
    pub wallet: WalletId,
    /// The share.
    pub key_share: KeyShareId,
    /// The set of shares drawn together.
    pub share_set: ShareSetId,
    /// Whose.
    pub party: PartyIndex,
    /// Parties and signers.
    pub scheme: ThresholdSignatureScheme,
    /// Which generation.
    pub generation: Generation,
    /// The attempt that makes it.
    pub attempt: AttemptId,
    /// SHA-256 of the root public key.
    pub group_public_key_hash: [u8; 32],
}

impl SealHint {
    /// What `share` has to be sealed under.
    pub(crate) fn of(share: &KeyShare) -> Result<Self> {
        let header = share.header();
        let display = halfkey_chain::address(header.chain, share.account_public_key())?;
        let address = halfkey_chain::canonical_address(header.chain, &display)?;
        let active_name = format!("wallet:{address}/shares/{}", header.party);
        Ok(Self {
            staged_name: format!("{active_name}/{}-{}", header.generation, header.attempt),
            active_name,
            environment: header.environment.clone(),
            chain: header.chain,
            account_address: address,
            wallet: header.wallet,
            key_share: header.key_share,
            share_set: header.share_set,
            party: header.party,
            scheme: header.scheme,
            generation: header.generation,
            attempt: header.attempt,
            group_public_key_hash: Sha256::digest(&header.group_public_key).into(),
        })
    }

    /// The same as the vault crate's context.
    #[cfg(feature = "vault")]
    pub fn bind_ctx(&self) -> halfkey_vault::BindCtx {
        halfkey_vault::BindCtx {
            environment: self.environment.clone(),
            chain: self.chain,
            account_address: self.account_address.clone(),
            wallet: self.wallet,
            key_share: self.key_share,
            share_set: self.share_set,
            party: self.party,
            scheme: self.scheme,
            purpose: halfkey_vault::RecordPurpose::Share,
            generation: self.generation,
            attempt: self.attempt,
            group_public_key_hash: self.group_public_key_hash,
        }
    }
}
