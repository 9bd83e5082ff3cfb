//! The storage tiers: `cargo xtask bench vault`.
//!
//! Each back-end is opened from a `storage.toml`, as an operator would, and its real server is
//! started here. What the barrier itself costs is measured without a store, beside AES-256-GCM of
//! the same library in the same run.

mod backends;
mod barrier;
mod counting;
mod operations;
mod place;

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, ShareSetId, ThresholdSignatureScheme, WalletId,
};
use halfkey_vault::{Access, BindCtx, Purpose, RecordPurpose};

use crate::Failure;
use crate::table::Table;

/// The customer's share of an ECDSA 2-of-2 wallet, 52.5 kB; a public test wallet's.
const SHARE: &[u8] = include_bytes!("../../../../testdata/shares/ecdsa-2of2-party1.share");
const ENVIRONMENT: &str = "bench";

pub(crate) async fn measure(table: &mut Table) -> Result<(), Failure> {
    barrier::measure(table).await?;
    operations::kms_calls(table).await?;
    Box::pin(backends::measure(table)).await
}

/// Only the embedded default, for the table of the whole.
pub(crate) async fn measure_embedded(table: &mut Table) -> Result<(), Failure> {
    operations::measure(table, &place::Place::embedded()?).await
}

fn share() -> SecretBytes {
    SecretBytes::new(SHARE.to_vec())
}

fn environment() -> Result<EnvironmentId, Failure> {
    Ok(ENVIRONMENT.parse()?)
}

fn context() -> Result<BindCtx, Failure> {
    Ok(BindCtx {
        environment: environment()?,
        chain: ChainName::Evm,
        account_address: "0x0000000000000000000000000000000000000001".to_owned(),
        wallet: WalletId::from_bytes([1; 16]),
        key_share: KeyShareId::from_bytes([2; 16]),
        share_set: ShareSetId::from_bytes([3; 16]),
        party: PartyIndex::CUSTOMER_1,
        scheme: ThresholdSignatureScheme::TwoOfTwo,
        purpose: RecordPurpose::Share,
        generation: Generation(0),
        attempt: AttemptId::from_bytes([4; 16]),
        group_public_key_hash: [5; 32],
    })
}

fn access() -> Access {
    Access {
        actor: "bench".to_owned(),
        purpose: Purpose::Probe,
        request_id: RequestId::from_bytes([0; 16]),
    }
}
