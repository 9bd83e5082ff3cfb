//! High-water marks and locks: small authenticated records in the vault tier.
//!
//! The high-water mark is the highest generation ever activated; it is only ever raised, and a
//! cached copy of it may raise an alarm but never lower it (custody rule 11). A lock says that a
//! generation was given up after proven cheating; it is checked at every load (custody rule 13).
//!
//! What the seal cannot show is that a store was put back to an older state as a whole: a deleted
//! lock or an older mark is the store's rollback, found by asking the other half.

mod high_water;
mod lock;

pub use self::high_water::HighWater;
pub use self::lock::LockRecord;

use halfkey_core::{
    AttemptId, Generation, KeyShareId, PartyIndex, Role, ShareSetId, ThresholdSignatureScheme,
};

use crate::{BindCtx, Error, Expect, RecordName, RecordPurpose, Vault};

/// The guard records of one wallet, on one side.
#[derive(Debug, Clone)]
pub struct WalletGuard {
    prefix: String,
    ctx: BindCtx,
}

impl WalletGuard {
    /// The guard records of the wallet that `share` belongs to: any share of it, of any generation.
    /// `prefix` is the store's, as in [`RecordName`].
    pub fn new(prefix: &str, share: &BindCtx) -> Self {
        // What changes from share to share, generation to generation or with a reshare is left
        // out, so that every share of a side leads to the same records.
        let party = match share.party.role() {
            Role::Provider => PartyIndex::PROVIDER,
            Role::Customer => PartyIndex::CUSTOMER_1,
        };
        let ctx = BindCtx {
            party,
            key_share: KeyShareId::from_bytes([0; 16]),
            share_set: ShareSetId::from_bytes([0; 16]),
            scheme: ThresholdSignatureScheme::TwoOfTwo,
            purpose: RecordPurpose::HighWater,
            generation: Generation(0),
            attempt: AttemptId::from_bytes([0; 16]),
            ..share.clone()
        };
        Self {
            prefix: prefix.to_owned(),
            ctx,
        }
    }

    /// What the guard record `name` of this wallet is bound to; `None` when it is none of them.
    pub fn context_of(&self, name: &RecordName) -> Option<BindCtx> {
        if self.high_water_name().ok().as_ref() == Some(name) {
            return Some(self.ctx.clone());
        }
        let (_, number) = name.as_str().rsplit_once("/lock/")?;
        let generation = Generation(number.parse().ok()?);
        (self.lock_name(generation).ok().as_ref() == Some(name)).then(|| self.lock_ctx(generation))
    }

    fn lock_ctx(&self, generation: Generation) -> BindCtx {
        BindCtx {
            purpose: RecordPurpose::Lock,
            generation,
            ..self.ctx.clone()
        }
    }

    fn lock_name(&self, generation: Generation) -> Result<RecordName, Error> {
        Ok(RecordName::lock(
            &self.prefix,
            &self.ctx.account_address,
            generation,
        )?)
    }

    fn high_water_name(&self) -> Result<RecordName, Error> {
        Ok(RecordName::high_water(
            &self.prefix,
            &self.ctx.account_address,
        )?)
    }
}

/// What a write must find, given what was read.
const fn expectation<T>(found: Option<&crate::Versioned<T>>) -> Expect {
    match found {
        Some(found) => Expect::Rev(found.rev),
        None => Expect::Absent,
    }
}

/// Whether a record stands under `name`, whatever it holds.
async fn exists(vault: &Vault, name: &RecordName) -> Result<bool, Error> {
    Ok(vault.get_row(name).await?.is_some())
}
