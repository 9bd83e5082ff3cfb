//! What the engines sign, and what comes out. Public values, shared by chains and ceremonies.

use serde::{Deserialize, Serialize};

/// The input of a signing ceremony.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SigningInput {
    /// ECDSA: the 32-byte digest.
    Digest([u8; 32]),
    /// Ed25519: the whole message (never its hash).
    Message(Vec<u8>),
}

/// A complete signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// secp256k1 ECDSA with low `s` (BIP-62 rule 5 / EIP-2).
    Ecdsa {
        /// Big-endian x coordinate of the nonce point, reduced.
        r: [u8; 32],
        /// Big-endian, at most half the group order.
        s: [u8; 32],
        /// Parity of the nonce point's y (0 or 1), after the low-`s` rule.
        recovery_id: u8,
    },
    /// Ed25519 (RFC 8032): `R ‖ s`.
    Ed25519([u8; 64]),
}
