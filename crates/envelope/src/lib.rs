//! What a delegate is sent, so that only the delegate can read it: the published hybrid envelope.
//!
//! A [`RecipientKey`] is the delegate's RSA public key, of at least 2048 bits. [`seal`] encrypts
//! under a fresh AES-256-GCM key, which travels wrapped by RSA-OAEP with SHA-256 (RFC 8017, 7.1).
//! [`open`] takes it apart with the [`PrivateKey`].
//!
//! The published format has no associated data, and names one recipient key for both of its parts.
//! What is inside therefore has to say itself what it belongs to: a key share carries its own
//! header, a wallet's API key is known to the provider for one wallet only.
//!
//! No I/O and no clock. OAEP draws its seed from the C library's own generator, which takes none
//! from outside; the content key and the nonce come from the generator given.

mod delivery;
mod envelope;
mod error;
mod pem;
mod private_key;
mod recipient_key;

pub use delivery::{DelegatedShare, DelegationData, Delivered};
pub use envelope::{ALG, check_for, from_json, open, seal};
pub use error::Error;
pub use halfkey_core::wire::EncryptedDelegatedPayload;
pub use private_key::PrivateKey;
pub use recipient_key::{RecipientKey, fingerprint_from};

/// The result of this crate's operations.
pub type Result<T> = core::result::Result<T, Error>;
