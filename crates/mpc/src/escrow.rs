//! The provider's share of a `TWO_OF_TWO` wallet, sealed to a key that the customer keeps apart
//! (custody rule 30): with the customer's own share it makes the key, without the provider.
//!
//! Only the secret part goes in, not the OT state: it is what a rescue needs, and a share that is
//! never to run a ceremony again is not worth its size. The label goes in with it, so that whoever
//! opens it knows what it is of, whatever was written beside it.

use halfkey_core::{
    AttemptId, EnvironmentId, Generation, PartyIndex, ThresholdSignatureScheme, WalletId,
};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::age::{self, Identity, Recipient};
use crate::export::part_number;
use crate::reconstruct::{Part, RootKey};
use crate::share::KeyMaterial;
use crate::{Error, KeyShare};

const FORMAT: &str = "halfkey-escrow-part-v1";

/// What a sealed part is of. All of it is inside the encryption too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscrowLabel {
    /// The environment.
    pub environment: EnvironmentId,
    /// The wallet.
    pub wallet: WalletId,
    /// The generation of the share.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt: AttemptId,
    /// The public share that goes with the secret one: SEC1 compressed, or 32 bytes (Ed25519).
    pub verifying_share: Vec<u8>,
}

/// The plaintext, as JSON. Numbers as in an export: hexadecimal, big-endian for secp256k1,
/// little-endian for Ed25519.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Plain {
    #[zeroize(skip)]
    format: String,
    #[zeroize(skip)]
    environment: EnvironmentId,
    #[zeroize(skip)]
    wallet: WalletId,
    #[zeroize(skip)]
    generation: Generation,
    #[zeroize(skip)]
    attempt: AttemptId,
    #[zeroize(skip)]
    party: u8,
    #[zeroize(skip)]
    verifying_share: String,
    /// The party's share of the root: with the customer's it makes the key (Shamir, at x = party).
    scalar: String,
    /// The party's part of the seed, where the key has one; the seed is the XOR of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    /// Of a secp256k1 root (BIP-32), with the wallet's path below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain_code: Option<String>,
    #[zeroize(skip)]
    derivation_path: String,
}

/// What the escrow of a wallet's provider share is labelled with, as either half's share tells it.
///
/// # Errors
/// [`Error::Caller`] for a scheme other than `TWO_OF_TWO`, whose customer needs no escrow.
pub fn label(share: &KeyShare) -> Result<EscrowLabel, Error> {
    let header = share.header();
    if header.scheme != ThresholdSignatureScheme::TwoOfTwo {
        return Err(Error::Caller("only TWO_OF_TWO has an escrow"));
    }
    let verifying = share.verifying_shares()?.remove(&PartyIndex::PROVIDER);
    Ok(EscrowLabel {
        environment: header.environment.clone(),
        wallet: header.wallet,
        generation: header.generation,
        attempt: header.attempt,
        verifying_share: verifying.ok_or(Error::Bug("no verifying share"))?,
    })
}

/// Seals the secret part of the provider's share to `recipient`: an armored age file.
///
/// # Errors
/// [`Error::Caller`] for any share but the provider's of a `TWO_OF_TWO` wallet.
pub fn seal(
    share: &KeyShare,
    recipient: &Recipient,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<String, Error> {
    let (header, label) = (share.header(), label(share)?);
    if header.party != PartyIndex::PROVIDER {
        return Err(Error::Caller("an escrow is of the provider's share"));
    }
    let part = Part::of(share)?;
    let chain_code = match share.material() {
        KeyMaterial::Ecdsa(share) => Some(hex::encode(share.root_data().chain_code)),
        KeyMaterial::Ed25519(_) => None,
    };
    let plain = Plain {
        format: FORMAT.to_owned(),
        environment: label.environment,
        wallet: label.wallet,
        generation: label.generation,
        attempt: label.attempt,
        party: header.party.as_u8(),
        verifying_share: hex::encode(label.verifying_share),
        scalar: hex::encode(part.scalar),
        seed: part.seed.map(hex::encode),
        chain_code,
        derivation_path: header.derivation_path.to_string(),
    };
    // Room for all of it: growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2048));
    serde_json::to_writer(&mut *text, &plain).map_err(|_| Error::Bug("a part is encoded"))?;
    age::seal(recipient, &text, rng)
}

/// Makes the key of the sealed part and the customer's `own` share. The part is checked against the
/// public share that the customer's keeps since keygen.
///
/// # Errors
/// [`Error::Caller`] when it is encrypted to another key, was changed, or is of another wallet or
/// generation than `own`; [`Error::Refused`] when it is not the share the provider held.
pub fn open(identity: &Identity, sealed: &str, own: &KeyShare) -> Result<RootKey, Error> {
    let wanted = label(own)?;
    let text = age::open(identity, sealed)?;
    let plain: Plain = serde_json::from_slice(&text).map_err(|_| NOT_ONE)?;
    if plain.format != FORMAT || plain.party != PartyIndex::PROVIDER.as_u8() {
        return Err(NOT_ONE);
    }
    if plain.environment != wanted.environment || plain.wallet != wanted.wallet {
        return Err(Error::Caller("the escrow is of another wallet"));
    }
    if (plain.generation, plain.attempt) != (wanted.generation, wanted.attempt) {
        return Err(Error::Caller("the escrow is of another generation"));
    }
    if plain.verifying_share != hex::encode(&wanted.verifying_share) {
        return Err(Error::Caller("the escrow is of another share"));
    }
    let has_seed = Part::has_seed(own.header().key_type);
    let part = Part {
        party: PartyIndex::PROVIDER,
        scalar: *part_number(&plain.scalar)?,
        seed: match &plain.seed {
            Some(seed) if has_seed => Some(*part_number(seed)?),
            _ => None,
        },
    };
    RootKey::from_part(own, &part)
}

const NOT_ONE: Error = Error::Caller("not an escrow of a share");

#[cfg(test)]
mod tests {
    use halfkey_core::KeyType;
    use halfkey_core::ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
    use rand_core::OsRng;

    use super::*;
    use crate::test_shares;

    const P: PartyIndex = PartyIndex::PROVIDER;
    const C1: PartyIndex = PartyIndex::CUSTOMER_1;
    const KINDS: [KeyType; 3] = [
        KeyType::EcdsaSecp256k1,
        KeyType::Ed25519Exportable,
        KeyType::Ed25519Standard,
    ];

    fn load(kind: KeyType, scheme: ThresholdSignatureScheme, party: PartyIndex) -> KeyShare {
        test_shares::load(kind, scheme, party).unwrap()
    }

    fn error(result: Result<RootKey, Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn an_escrow_and_the_customers_share_make_the_wallets_key() {
        for kind in KINDS {
            let identity = Identity::generate(&mut OsRng);
            let (theirs, ours) = (load(kind, TwoOfTwo, P), load(kind, TwoOfTwo, C1));
            assert_eq!(label(&theirs).unwrap(), label(&ours).unwrap());
            let sealed = seal(&theirs, &identity.recipient(), &mut OsRng).unwrap();
            let whole = RootKey::from_shares(&ours, &theirs).unwrap();
            let key = open(&identity, &sealed, &ours).unwrap();
            assert_eq!(key.account_public_key(), whole.account_public_key());
            match kind {
                KeyType::EcdsaSecp256k1 => {
                    assert_eq!(key.xprv().unwrap(), whole.xprv().unwrap());
                }
                _ => assert_eq!(
                    key.ed25519_expanded().unwrap(),
                    whole.ed25519_expanded().unwrap()
                ),
            }
        }
    }

    #[test]
    fn only_the_providers_share_of_two_of_two_is_sealed() {
        let recipient = Identity::generate(&mut OsRng).recipient();
        for kind in KINDS {
            for share in [load(kind, TwoOfTwo, C1), load(kind, TwoOfThree, P)] {
                assert!(matches!(
                    seal(&share, &recipient, &mut OsRng),
                    Err(Error::Caller(_))
                ));
            }
        }
    }

    #[test]
    fn open_rejects_what_is_not_the_escrow_of_this_share() {
        let (identity, other) = (
            Identity::generate(&mut OsRng),
            Identity::generate(&mut OsRng),
        );
        let kind = KeyType::Ed25519Standard;
        let (theirs, ours) = (load(kind, TwoOfTwo, P), load(kind, TwoOfTwo, C1));
        let sealed = seal(&theirs, &identity.recipient(), &mut OsRng).unwrap();
        assert!(error(open(&other, &sealed, &ours)).contains("another key"));
        let foreign = load(KeyType::Ed25519Exportable, TwoOfTwo, P);
        let foreign = seal(&foreign, &identity.recipient(), &mut OsRng).unwrap();
        let found = error(open(&identity, &foreign, &ours));
        assert!(found.contains("another"), "{found}");
        let (half, _) = sealed.split_at(sealed.len() / 2);
        for bad in ["", half, "{}"] {
            assert!(matches!(open(&identity, bad, &ours), Err(Error::Caller(_))));
        }
    }

    /// A sender who has the recipient's key can write whatever they like inside.
    #[test]
    fn open_rejects_every_forged_field() {
        let identity = Identity::generate(&mut OsRng);
        let kind = KeyType::Ed25519Exportable;
        let (theirs, ours) = (load(kind, TwoOfTwo, P), load(kind, TwoOfTwo, C1));
        let sealed = seal(&theirs, &identity.recipient(), &mut OsRng).unwrap();
        let text = age::open(&identity, &sealed).unwrap();
        let plain: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let id = AttemptId::generate(&mut OsRng).to_string();
        let forge = |field: &str, value: serde_json::Value| {
            let mut forged = plain.clone();
            forged[field] = value;
            let forged = serde_json::to_vec(&forged).unwrap();
            age::seal(&identity.recipient(), &forged, &mut OsRng).unwrap()
        };
        for (field, value) in [
            ("format", "halfkey-export-part-v1".into()),
            ("environment", "env-other".into()),
            ("wallet", id.clone().into()),
            ("generation", 99.into()),
            ("attempt", id.into()),
            ("party", 2.into()),
            ("verifying_share", "00".repeat(32).into()),
            ("scalar", format!("01{}", "00".repeat(31)).into()),
            ("scalar", "ff".repeat(32).into()),
            ("scalar", "short".into()),
        ] {
            let forged = forge(field, value);
            let found = open(&identity, &forged, &ours).unwrap_err();
            assert!(
                matches!(found, Error::Caller(_) | Error::Refused { from: P, .. }),
                "{field}: {found}"
            );
        }
        // The seed is checked by its public key: a wrong one leaves the scalar, which is right.
        let forged = forge("seed", "00".repeat(32).into());
        let key = open(&identity, &forged, &ours).unwrap();
        assert!(key.ed25519_seed().is_none());
    }
}
