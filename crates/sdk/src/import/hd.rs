//! Keys below a seed: BIP-32 for secp256k1, SLIP-0010 for Ed25519.

use halfkey_core::ChainName;
use halfkey_mpc::ImportKey;
use hmac::{Hmac, Mac as _};
use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::group::GroupEncoding as _;
use k256::{ProjectivePoint, Scalar};
use sha2::Sha512;
use zeroize::Zeroizing;

use super::key_path::HARDENED;
use crate::{Error, Result};

/// A private key and its chain code.
pub(super) struct Node {
    curve: ChainName,
    key: Zeroizing<[u8; 32]>,
    chain_code: Zeroizing<[u8; 32]>,
}

/// One seed in 2¹²⁷.
const NO_KEY: &str = "there is no key at this path (BIP-32)";

impl Node {
    pub(super) fn secp256k1(key: [u8; 32], chain_code: [u8; 32]) -> Self {
        Self {
            curve: ChainName::Evm,
            key: Zeroizing::new(key),
            chain_code: Zeroizing::new(chain_code),
        }
    }

    /// The key of the chain's curve that the whole tree hangs from.
    pub(super) fn master(curve: ChainName, seed: &[u8]) -> Result<Self> {
        let domain: &[u8] = match curve {
            ChainName::Evm => b"Bitcoin seed",
            ChainName::Svm => b"ed25519 seed",
            _ => return Err(Error::Bug("keys of another chain")),
        };
        let (key, chain_code) = hash(domain, &[seed])?;
        if curve == ChainName::Evm && *scalar(&key)? == Scalar::ZERO {
            return Err(Error::InvalidArgument(NO_KEY.to_owned()));
        }
        Ok(Self {
            curve,
            key,
            chain_code,
        })
    }

    /// Follows the whole path.
    pub(super) fn descend(self, indices: &[u32]) -> Result<Self> {
        indices
            .iter()
            .try_fold(self, |node, index| node.child(*index))
    }

    fn child(&self, index: u32) -> Result<Self> {
        let is_hardened = index >= HARDENED;
        let (tweak, chain_code) = if is_hardened {
            let parts: [&[u8]; 3] = [&[0], &*self.key, &index.to_be_bytes()];
            hash(&*self.chain_code, &parts)?
        } else if self.curve == ChainName::Evm {
            let parts: [&[u8]; 2] = [&self.public_key()?, &index.to_be_bytes()];
            hash(&*self.chain_code, &parts)?
        } else {
            return Err(Error::InvalidArgument(
                "every index of a Solana path is hardened (SLIP-0010): m/44'/501'/0'/0'".to_owned(),
            ));
        };
        let key = match self.curve {
            ChainName::Evm => sum(&tweak, &self.key)?,
            _ => tweak,
        };
        Ok(Self {
            curve: self.curve,
            key,
            chain_code,
        })
    }

    /// SEC1, compressed; of a secp256k1 key.
    #[expect(clippy::arithmetic_side_effects, reason = "groups do not overflow")]
    pub(super) fn public_key(&self) -> Result<Vec<u8>> {
        let point = ProjectivePoint::GENERATOR * *scalar(&self.key)?;
        Ok(point.to_affine().to_bytes().as_slice().to_vec())
    }

    pub(super) fn into_key(self) -> ImportKey {
        match self.curve {
            ChainName::Evm => ImportKey::Secp256k1 {
                scalar: *self.key,
                chain_code: *self.chain_code,
            },
            _ => ImportKey::Ed25519Seed(*self.key),
        }
    }
}

fn scalar(bytes: &[u8; 32]) -> Result<Zeroizing<Scalar>> {
    let found = Scalar::from_repr((*bytes).into()).into_option();
    let found = found.ok_or_else(|| Error::InvalidArgument(NO_KEY.to_owned()))?;
    Ok(Zeroizing::new(found))
}

#[expect(clippy::arithmetic_side_effects, reason = "fields do not overflow")]
fn sum(tweak: &[u8; 32], key: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>> {
    let child = Zeroizing::new(*scalar(tweak)? + *scalar(key)?);
    if *child == Scalar::ZERO {
        return Err(Error::InvalidArgument(NO_KEY.to_owned()));
    }
    Ok(Zeroizing::new(child.to_repr().into()))
}

type Halves = (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>);

/// HMAC-SHA-512, cut in the middle.
fn hash(key: &[u8], parts: &[&[u8]]) -> Result<Halves> {
    const WRONG: Error = Error::Bug("HMAC-SHA-512 has 64 bytes and takes any key");
    let mut mac = Hmac::<Sha512>::new_from_slice(key).map_err(|_| WRONG)?;
    for part in parts {
        mac.update(part);
    }
    let whole: Zeroizing<[u8; 64]> = Zeroizing::new(mac.finalize().into_bytes().into());
    let (left, right) = whole.split_first_chunk().ok_or(WRONG)?;
    let right = right.try_into().map_err(|_| WRONG)?;
    Ok((Zeroizing::new(*left), Zeroizing::new(right)))
}

#[cfg(test)]
mod tests {
    use halfkey_core::DerivationPath;

    use super::*;
    use crate::import::PrivateKey;
    use crate::import::key_path::KeyPath;

    /// The fields of each vector of one standard.
    fn vectors(standard: &str) -> impl Iterator<Item = Vec<&'static str>> {
        let lines = include_str!("vectors.txt").lines();
        lines
            .filter_map(move |line| line.strip_prefix(standard))
            .map(|fields| fields.split_whitespace().collect())
    }

    fn node(curve: ChainName, seed: &str, path: &str) -> Node {
        let path: KeyPath = path.parse().unwrap();
        let master = Node::master(curve, &hex::decode(seed).unwrap()).unwrap();
        master.descend(path.indices()).unwrap()
    }

    #[test]
    fn bip_32_vectors() {
        let mut count = 0;
        for fields in vectors("bip32 ") {
            let [seed, path, xprv] = *fields else {
                panic!()
            };
            let expected = PrivateKey::evm_xprv(xprv, DerivationPath::default()).unwrap();
            let found = node(ChainName::Evm, seed, path).into_key();
            let (found, expected) = (found.public(), expected.key().public());
            assert_eq!(found.unwrap(), expected.unwrap(), "{path}");
            count += 1;
        }
        assert_eq!(count, 13);
    }

    #[test]
    fn slip_10_vectors() {
        let mut count = 0;
        for fields in vectors("slip10 ") {
            let [seed, path, chain_code, key] = *fields else {
                panic!()
            };
            let found = node(ChainName::Svm, seed, path);
            assert_eq!(hex::encode(*found.key), key, "{path}");
            assert_eq!(hex::encode(*found.chain_code), chain_code, "{path}");
            count += 1;
        }
        assert_eq!(count, 6);
    }

    #[test]
    fn ed25519_has_no_unhardened_children() {
        let path: KeyPath = "m/44'/501'/0".parse().unwrap();
        let master = Node::master(ChainName::Svm, &[1; 64]).unwrap();
        let error = master.descend(path.indices()).err().unwrap();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
    }
}
