//! Types shared by every Halfkey crate. No I/O, no keys, no protocol logic: wallet state,
//! identifiers, schemes, errors, secret containers, the clock and the RNG entry point, and the
//! request / response types in which the two halves meet ([`wire`]).

pub mod backup;
pub mod clock;
pub mod crash_point;
pub mod custody_origin;
pub mod derivation;
pub mod fault;
pub mod ids;
pub mod parse_error;
pub mod party;
pub mod proof_message;
pub mod random;
pub mod scheme;
pub mod secret;
pub mod server_key_share;
pub mod signing_input;
pub mod wallet_properties;
pub mod wire;

pub use backup::{BackupLocation, BackupLocationInfo, KeyShareBackupInfo};
pub use clock::{Clock, SystemClock, UnixMillis};
pub use crash_point::crash_point;
pub use custody_origin::{CustodyOrigin, KeyOrigin};
pub use derivation::DerivationPath;
pub use fault::Fault;
pub use ids::{
    AttemptId, BackupId, CeremonyId, DelegationId, EnvironmentId, Generation, KeyShareId,
    RequestId, ShareSetId, WalletId,
};
pub use parse_error::ParseError;
pub use party::{PartyIndex, Role};
pub use scheme::{ChainName, KeyType, ThresholdSignatureScheme, Variant};
pub use secret::{SecretBytes, SecretString};
pub use server_key_share::ServerKeyShare;
pub use signing_input::{Signature, SigningInput};
pub use wallet_properties::WalletProperties;
