//! Threshold ceremonies, sans-I/O: one value per party and run, fed with messages and polled for
//! what to do next. Both halves run this same code. See `SPEC.md` for the numbered steps.

pub mod age;
pub mod ceremony;
pub mod error;
pub mod escrow;
pub mod export;
pub mod keygen;
pub mod reconstruct;
pub mod share;
pub mod share_proof;
pub mod sign;
#[cfg(feature = "simulate")]
pub mod simulate;
#[cfg(feature = "test-shares")]
pub mod test_shares;

mod channel;
mod codec;
mod ecdsa;
mod ed25519;
mod envelope;
mod inbox;
mod outbox;
mod rng;
mod transcript;

pub use ceremony::{Action, Ceremony};
pub use error::Error;
pub use export::{Export, ExportParams, Exported, SealedExport};
pub use keygen::start::{Change, Import, ImportKey, NextShares};
pub use keygen::{Keygen, KeygenParams};
pub use reconstruct::RootKey;
pub use share::{ExpectedShare, KeyShare, ShareHeader};
pub use share_proof::{ShareProofContext, prove_share, verify_share_proof};
pub use sign::{Sign, SignParams};
