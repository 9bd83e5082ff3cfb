//! The whole key, put together from two shares: for export, and for rescue without the provider.
//!
//! # Security
//! What comes out of here is the key. It exists in the customer's process alone, for as long as it
//! takes to write it where the customer wants it.

mod ecdsa;
mod ed25519;

use halfkey_core::{KeyType, PartyIndex, Signature, SigningInput};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::share::KeyMaterial;
use crate::{Error, KeyShare, ShareHeader};

/// What one party puts into a reconstruction: the secret part of its share, without OT state.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Part {
    #[zeroize(skip)]
    pub(crate) party: PartyIndex,
    /// Of the root: big-endian (secp256k1) or little-endian (Ed25519).
    pub(crate) scalar: [u8; 32],
    pub(crate) seed: Option<[u8; 32]>,
}

/// A whole private key. Wiped on drop; it has no text form of its own.
pub struct RootKey {
    header: ShareHeader,
    account_public_key: Vec<u8>,
    secret: Secret,
}

halfkey_core::redacted_debug!(RootKey);

enum Secret {
    Secp256k1(ecdsa::Root),
    Ed25519(ed25519::Root),
}

impl RootKey {
    /// From any two shares of one generation: the customer's two of `TWO_OF_THREE`, or one with the
    /// provider's from an escrow.
    ///
    /// # Errors
    /// [`Error::Caller`] when the shares do not belong together; [`Error::Disagreement`] when they
    /// do not make the wallet's key.
    pub fn from_shares(one: &KeyShare, two: &KeyShare) -> Result<Self, Error> {
        let (a, b) = (one.header(), two.header());
        let together = a.party != b.party
            && a.environment == b.environment
            && a.wallet == b.wallet
            && a.scheme == b.scheme
            && a.share_set == b.share_set
            && a.generation == b.generation
            && a.attempt == b.attempt
            && a.group_public_key == b.group_public_key;
        if !together {
            return Err(Error::Caller("the shares are not two of one generation"));
        }
        Self::from_part(one, &Part::of(two)?)
    }

    /// From an own share and another party's part, which is checked against the public share kept
    /// since keygen.
    pub(crate) fn from_part(own: &KeyShare, other: &Part) -> Result<Self, Error> {
        let header = own.header();
        let public = own.verifying_shares()?;
        let public = public
            .get(&other.party)
            .ok_or(Error::Caller("no such party in the scheme"))?;
        let mine = Part::of(own)?;
        let secret = match own.material() {
            KeyMaterial::Ecdsa(share) => {
                Secret::Secp256k1(ecdsa::Root::rebuild(share, &mine, other, public)?)
            }
            KeyMaterial::Ed25519(_) => {
                Secret::Ed25519(ed25519::Root::rebuild(header, &mine, other, public)?)
            }
        };
        Ok(Self {
            header: header.clone(),
            account_public_key: own.account_public_key().to_vec(),
            secret,
        })
    }

    /// Whose key it is.
    pub const fn header(&self) -> &ShareHeader {
        &self.header
    }

    /// The public key behind the wallet's address.
    pub fn account_public_key(&self) -> &[u8] {
        &self.account_public_key
    }

    /// The EVM private key of the wallet's address: 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`Error::Caller`] for an Ed25519 key.
    pub fn evm_private_key(&self) -> Result<Zeroizing<[u8; 32]>, Error> {
        match &self.secret {
            Secret::Secp256k1(root) => root.account(&self.header.derivation_path),
            Secret::Ed25519(_) => Err(Error::Caller("this is an Ed25519 key")),
        }
    }

    /// The root as a BIP-32 extended private key (`xprv…`), depth 0: every address of the root
    /// derives from it.
    ///
    /// # Errors
    /// [`Error::Caller`] for an Ed25519 key.
    pub fn xprv(&self) -> Result<Zeroizing<String>, Error> {
        match &self.secret {
            Secret::Secp256k1(root) => Ok(root.xprv()),
            Secret::Ed25519(_) => Err(Error::Caller("this is an Ed25519 key")),
        }
    }

    /// The 32-byte seed (RFC 8032) that every standard wallet takes; `None` where the key never had
    /// one (`ed25519Standard`) or its shares do not make one.
    pub fn ed25519_seed(&self) -> Option<Zeroizing<[u8; 32]>> {
        match &self.secret {
            Secret::Ed25519(root) => root.seed(),
            Secret::Secp256k1(_) => None,
        }
    }

    /// The expanded secret key (RFC 8032, 5.1.5): scalar ‖ prefix, 64 bytes. The prefix only makes
    /// nonces; where there is no seed it is a hash of the scalar.
    ///
    /// # Errors
    /// [`Error::Caller`] for a secp256k1 key.
    pub fn ed25519_expanded(&self) -> Result<Zeroizing<[u8; 64]>, Error> {
        match &self.secret {
            Secret::Ed25519(root) => Ok(root.expanded()),
            Secret::Secp256k1(_) => Err(Error::Caller("this is a secp256k1 key")),
        }
    }

    /// Signs without anybody else, and verifies before it returns.
    ///
    /// # Errors
    /// [`Error::Caller`] when the input does not fit the key.
    pub fn sign(&self, input: &SigningInput) -> Result<Signature, Error> {
        match (&self.secret, input) {
            (Secret::Secp256k1(root), SigningInput::Digest(digest)) => {
                root.sign(&self.header.derivation_path, digest)
            }
            (Secret::Ed25519(root), SigningInput::Message(message)) => root.sign(message),
            _ => Err(Error::Caller("the input does not fit the key")),
        }
    }
}

impl Part {
    /// The secret part of a share.
    pub(crate) fn of(share: &KeyShare) -> Result<Self, Error> {
        let party = share.header().party;
        let (scalar, seed) = match share.material() {
            KeyMaterial::Ecdsa(share) => (ecdsa::bytes(share.root_scalar()), None),
            KeyMaterial::Ed25519(share) => {
                let scalar = Zeroizing::new(share.key.signing_share().serialize());
                let scalar = scalar
                    .as_slice()
                    .try_into()
                    .map_err(|_| Error::Bug("FROST encoded a share in other than 32 bytes"))?;
                (scalar, share.seed.as_ref().map(|seed| seed.0))
            }
        };
        Ok(Self {
            party,
            scalar,
            seed,
        })
    }

    /// Whether a part of this kind of key has a part of a seed.
    pub(crate) const fn has_seed(key_type: KeyType) -> bool {
        matches!(key_type, KeyType::Ed25519Exportable)
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};

    use super::*;
    use crate::test_shares;

    const P: PartyIndex = PartyIndex::PROVIDER;
    const C1: PartyIndex = PartyIndex::CUSTOMER_1;
    const C2: PartyIndex = PartyIndex::CUSTOMER_2;

    fn load(
        kind: KeyType,
        scheme: halfkey_core::ThresholdSignatureScheme,
        party: PartyIndex,
    ) -> KeyShare {
        test_shares::load(kind, scheme, party).unwrap()
    }

    #[test]
    fn every_pair_makes_the_same_key_and_it_is_the_wallets() {
        for kind in [
            KeyType::EcdsaSecp256k1,
            KeyType::Ed25519Exportable,
            KeyType::Ed25519Standard,
        ] {
            let pair = |scheme, one, two| {
                let (one, two) = (load(kind, scheme, one), load(kind, scheme, two));
                RootKey::from_shares(&one, &two).unwrap()
            };
            let three = [(P, C1), (P, C2), (C1, C2), (C2, C1)].map(|(a, b)| pair(TwoOfThree, a, b));
            for key in three.iter().chain([&pair(TwoOfTwo, P, C1)]) {
                let first = key.header();
                if kind == KeyType::EcdsaSecp256k1 {
                    let secret = key.evm_private_key().unwrap();
                    let public = crate::ecdsa::constant::public_key(&secret).unwrap();
                    assert_eq!(public, key.account_public_key());
                    assert!(key.xprv().unwrap().starts_with("xprv9s21ZrQH143K"));
                    let signature = key.sign(&SigningInput::Digest([7; 32])).unwrap();
                    assert!(matches!(signature, Signature::Ecdsa { .. }));
                } else {
                    let seed = key.ed25519_seed();
                    assert_eq!(seed.is_some(), kind == KeyType::Ed25519Exportable);
                    if let Some(seed) = seed {
                        let public = ed25519_dalek::SigningKey::from_bytes(&seed);
                        let public = public.verifying_key().to_bytes();
                        assert_eq!(public.as_slice(), first.group_public_key);
                    }
                    key.sign(&SigningInput::Message(b"gm".to_vec())).unwrap();
                    assert!(key.evm_private_key().is_err());
                }
            }
        }
    }

    #[test]
    fn shares_that_do_not_belong_together_make_no_key() {
        let kind = KeyType::Ed25519Standard;
        let ours = load(kind, TwoOfThree, C1);
        for other in [
            load(kind, TwoOfThree, C1),
            load(kind, TwoOfTwo, P),
            load(KeyType::Ed25519Exportable, TwoOfThree, P),
        ] {
            let error = RootKey::from_shares(&ours, &other).unwrap_err();
            assert!(matches!(error, Error::Caller(_)), "{error}");
        }
        let mut part = Part::of(&load(kind, TwoOfThree, P)).unwrap();
        part.scalar[3] ^= 1;
        let error = RootKey::from_part(&ours, &part).unwrap_err();
        assert!(matches!(error, Error::Refused { from: P, .. }), "{error}");
    }
}
