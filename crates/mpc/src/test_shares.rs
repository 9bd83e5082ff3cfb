//! Ready-made wallets for tests, one per key type and scheme, with the shares of every party.
//!
//! # Security
//! The files are public. Whoever can read this source can spend from these wallets; nothing of
//! value may ever be sent to them. They live behind the feature `test-shares`, which no binary
//! enables.

use ed25519_dalek::SigningKey;
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, EnvironmentId, KeyType, PartyIndex, SecretBytes, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};

use crate::share::key_type_code;
use crate::{Error, KeyShare, KeygenParams};

use KeyType::{EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard};
use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};

/// The environment of every test wallet.
pub const ENVIRONMENT: &str = "test-shares";

/// The provider identity that made every test wallet.
pub fn identity() -> SigningKey {
    SigningKey::from_bytes(b"halfkey test identity, not real!")
}

/// The id of a test wallet: its last bytes name key type and scheme.
pub const fn wallet(key_type: KeyType, scheme: ThresholdSignatureScheme) -> WalletId {
    let (kind, parties) = (key_type_code(key_type), scheme.max_signers());
    WalletId::from_bytes([
        b't', b'e', b's', b't', b' ', b'w', b'a', b'l', b'l', b'e', b't', b' ', b' ', b' ', kind,
        parties,
    ])
}

/// What a test wallet was made with.
///
/// # Errors
/// Never: the constants parse.
pub fn params(key_type: KeyType, scheme: ThresholdSignatureScheme) -> Result<KeygenParams, Error> {
    let chain = if matches!(key_type, EcdsaSecp256k1) {
        ChainName::Evm
    } else {
        ChainName::Svm
    };
    let environment: EnvironmentId = ENVIRONMENT
        .parse()
        .map_err(|_| Error::Bug("the test environment does not parse"))?;
    Ok(KeygenParams {
        environment,
        chain,
        key_type,
        scheme,
        derivation_path: chain.default_path(),
        attempt: AttemptId::from_bytes([0xA1; 16]),
        share_set: ShareSetId::from_bytes([0xA2; 16]),
        ceremony: CeremonyId::from_bytes([0xA3; 16]),
    })
}

/// The name of a test share's file in `testdata/shares`.
pub fn file_name(key_type: KeyType, scheme: ThresholdSignatureScheme, party: PartyIndex) -> String {
    let kind = match key_type {
        EcdsaSecp256k1 => "ecdsa",
        Ed25519Exportable => "ed25519-exportable",
        _ => "ed25519-standard",
    };
    format!("{kind}-2of{}-party{party}.share", scheme.max_signers())
}

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../testdata/shares/",
            $name
        ))
    };
}

/// A test share as stored bytes; empty for a party that the scheme does not have.
pub fn encoded(
    key_type: KeyType,
    scheme: ThresholdSignatureScheme,
    party: PartyIndex,
) -> SecretBytes {
    let bytes: &[u8] = match (key_type, scheme, party.as_u8()) {
        (EcdsaSecp256k1, TwoOfTwo, 1) => file!("ecdsa-2of2-party1.share"),
        (EcdsaSecp256k1, TwoOfTwo, 2) => file!("ecdsa-2of2-party2.share"),
        (EcdsaSecp256k1, TwoOfThree, 1) => file!("ecdsa-2of3-party1.share"),
        (EcdsaSecp256k1, TwoOfThree, 2) => file!("ecdsa-2of3-party2.share"),
        (EcdsaSecp256k1, TwoOfThree, 3) => file!("ecdsa-2of3-party3.share"),
        (Ed25519Exportable, TwoOfTwo, 1) => file!("ed25519-exportable-2of2-party1.share"),
        (Ed25519Exportable, TwoOfTwo, 2) => file!("ed25519-exportable-2of2-party2.share"),
        (Ed25519Exportable, TwoOfThree, 1) => file!("ed25519-exportable-2of3-party1.share"),
        (Ed25519Exportable, TwoOfThree, 2) => file!("ed25519-exportable-2of3-party2.share"),
        (Ed25519Exportable, TwoOfThree, 3) => file!("ed25519-exportable-2of3-party3.share"),
        (Ed25519Standard, TwoOfTwo, 1) => file!("ed25519-standard-2of2-party1.share"),
        (Ed25519Standard, TwoOfTwo, 2) => file!("ed25519-standard-2of2-party2.share"),
        (Ed25519Standard, TwoOfThree, 1) => file!("ed25519-standard-2of3-party1.share"),
        (Ed25519Standard, TwoOfThree, 2) => file!("ed25519-standard-2of3-party2.share"),
        (Ed25519Standard, TwoOfThree, 3) => file!("ed25519-standard-2of3-party3.share"),
        _ => &[],
    };
    SecretBytes::new(bytes.to_vec())
}

/// A test share, decoded.
///
/// # Errors
/// When the stored files were made by an incompatible version, or the scheme has no such party.
pub fn load(
    key_type: KeyType,
    scheme: ThresholdSignatureScheme,
    party: PartyIndex,
) -> Result<KeyShare, Error> {
    Ok(KeyShare::decode(&encoded(key_type, scheme, party))?)
}
