//! Keys made elsewhere, in the forms people have them in.

mod hd;
mod key_path;
mod mnemonic;

pub use key_path::KeyPath;
pub use mnemonic::Mnemonic;

use core::fmt;

use base64::Engine as _;
use halfkey_core::random::{RngCore as _, os_rng};
use halfkey_core::wire::ImportedKey;
use halfkey_core::{ChainName, DerivationPath, SecretString, Variant};
use halfkey_mpc::ImportKey;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// A private key made elsewhere, about to become a wallet. Wiped on drop.
///
/// # Security
/// Whoever made or stored it before may still have it: such a wallet's origin is `imported` for
/// ever (custody rule 2).
pub struct PrivateKey {
    chain: ChainName,
    key: ImportKey,
    path: DerivationPath,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

/// Version bytes of a main-net extended private key (BIP-32).
const XPRV: [u8; 4] = [0x04, 0x88, 0xAD, 0xE4];
/// Version, depth, parent, child, chain code, 0, key.
const XPRV_LEN: usize = 4 + 1 + 4 + 4 + 32 + 33;

impl PrivateKey {
    /// An EVM private key: 32 bytes as hex, with or without `0x`. The wallet has this one address.
    /// A text that is moved in is wiped.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else, zero, or a number not below the group's order.
    pub fn evm(text: impl Into<SecretString>) -> Result<Self> {
        let text = text.into();
        let digits = text.expose().trim();
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let mut scalar = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, scalar.as_mut())
            .map_err(|_| invalid("an EVM private key is 64 hexadecimal digits"))?;
        // It has no chain code of its own; this one is drawn and agreed on in keygen.
        let mut chain_code = [0; 32];
        os_rng().fill_bytes(&mut chain_code);
        Self::secp256k1(*scalar, chain_code, DerivationPath::default())
    }

    /// A BIP-32 extended private key (`xprv…`); the wallet's address is at `path` below it, whose
    /// indices are not hardened. Of a BIP-44 account key (`m/44'/60'/0'`) the first address is at
    /// `m/0/0`. A text that is moved in is wiped.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything that is no main-net `xprv`.
    pub fn evm_xprv(text: impl Into<SecretString>, path: DerivationPath) -> Result<Self> {
        const NOT_ONE: &str = "not an extended private key (xprv)";
        let text = text.into();
        let bytes = bs58::decode(text.expose().trim()).into_vec();
        let bytes = Zeroizing::new(bytes.map_err(|_| invalid(NOT_ONE))?);
        let (payload, sum) = bytes
            .split_at_checked(XPRV_LEN)
            .ok_or_else(|| invalid(NOT_ONE))?;
        let expected = Sha256::digest(Sha256::digest(payload));
        let version = payload.first_chunk::<4>();
        if sum.len() != 4 || !expected.starts_with(sum) || version != Some(&XPRV) {
            return Err(invalid(NOT_ONE));
        }
        let (head, key) = payload.split_at(XPRV_LEN.saturating_sub(33));
        let chain_code = head.last_chunk::<32>().ok_or_else(|| invalid(NOT_ONE))?;
        match key.split_first() {
            Some((0, scalar)) => {
                let scalar = scalar.try_into().map_err(|_| invalid(NOT_ONE))?;
                Self::secp256k1(scalar, *chain_code, path)
            }
            _ => Err(invalid(NOT_ONE)),
        }
    }

    fn secp256k1(scalar: [u8; 32], chain_code: [u8; 32], path: DerivationPath) -> Result<Self> {
        let key = ImportKey::Secp256k1 { scalar, chain_code };
        Self::checked(ChainName::Evm, key, path)
    }

    /// A Solana key: a 32-byte seed or the 64-byte key pair of `solana-keygen`, as base58, hex,
    /// base64 or a JSON list of numbers. A text that is moved in is wiped.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else, and for a pair whose halves do not belong
    /// together.
    pub fn svm(text: impl Into<SecretString>) -> Result<Self> {
        const FORM: &str = "a Solana key is a 32-byte seed or a 64-byte key pair";
        let text = text.into();
        let bytes = decode(text.expose().trim()).ok_or_else(|| invalid(FORM))?;
        let (seed, public) = bytes.split_at_checked(32).ok_or_else(|| invalid(FORM))?;
        let seed: [u8; 32] = seed.try_into().map_err(|_| invalid(FORM))?;
        let key = ImportKey::Ed25519Seed(seed);
        if !public.is_empty() && key.public()?.public_key != public {
            return Err(invalid("the halves of the key pair do not belong together"));
        }
        Self::checked(ChainName::Svm, key, ChainName::Svm.default_path())
    }

    fn checked(chain: ChainName, key: ImportKey, path: DerivationPath) -> Result<Self> {
        key.public()
            .map_err(|error| Error::InvalidArgument(error.to_string()))?;
        Ok(Self { chain, key, path })
    }

    /// The address that the wallet will have.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for the roughly one path in 2¹²⁷ that BIP-32 skips.
    pub fn account_address(&self) -> Result<String> {
        let public_key = match &self.key {
            ImportKey::Secp256k1 { scalar, chain_code } => {
                hd::Node::secp256k1(*scalar, *chain_code)
                    .descend(self.path.indices())?
                    .public_key()?
            }
            key @ ImportKey::Ed25519Seed(_) => key.public()?.public_key,
        };
        Ok(halfkey_chain::address(self.chain, &public_key)?)
    }

    /// The chain it is for.
    pub const fn chain(&self) -> ChainName {
        self.chain
    }

    pub(crate) const fn key(&self) -> &ImportKey {
        &self.key
    }

    pub(crate) const fn path(&self) -> &DerivationPath {
        &self.path
    }

    /// What such a wallet's keygen is called; EVM has none.
    pub(crate) const fn variant() -> Variant {
        Variant::Ed25519Exportable
    }

    /// What the provider is told.
    pub(crate) fn announced(&self) -> Result<ImportedKey> {
        let public = self.key.public()?;
        Ok(ImportedKey {
            public_key: hex::encode(public.public_key),
            chain_code: hex::encode(public.chain_code),
        })
    }
}

fn invalid(what: &str) -> Error {
    Error::InvalidArgument(what.to_owned())
}

/// 32 or 64 bytes in any of the usual texts. Which one it is follows from the length: the encodings
/// of these lengths do not overlap.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    type Decoder = fn(&str) -> Option<Vec<u8>>;

    let wanted = |bytes: &Vec<u8>| matches!(bytes.len(), 32 | 64);
    if text.starts_with('[') {
        let Numbers(bytes) = serde_json::from_str(text).ok()?;
        return Some(bytes).filter(|bytes| wanted(bytes));
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let decoders: [Decoder; 3] = [
        |text| hex::decode(text).ok(),
        |text| bs58::decode(text).into_vec().ok(),
        |text| base64::engine::general_purpose::STANDARD.decode(text).ok(),
    ];
    let texts = [digits, text, text];
    decoders
        .iter()
        .zip(texts)
        .filter_map(|(decode, text)| decode(text).map(Zeroizing::new))
        .find(|bytes| wanted(bytes))
}

/// At most 64 bytes as a JSON list, in one buffer that never moves: one that grew would leave
/// copies.
struct Numbers(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        deserializer.deserialize_seq(NumbersVisitor)
    }
}

struct NumbersVisitor;

impl<'de> Visitor<'de> for NumbersVisitor {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 or 64 bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut numbers: A,
    ) -> core::result::Result<Numbers, A::Error> {
        const LONGEST: usize = 64;
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
        while let Some(number) = numbers.next_element::<u8>()? {
            if bytes.len() == LONGEST {
                return Err(A::Error::invalid_length(LONGEST.saturating_add(1), &self));
            }
            bytes.push(number);
        }
        Ok(Numbers(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BIP-32, test vector 1, chain m.
    const VECTOR: &str = concat!(
        "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jP",
        "PqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
    );

    #[test]
    fn an_xprv_is_read_as_bip_32_says() {
        let key = PrivateKey::evm_xprv(VECTOR, DerivationPath::default()).unwrap();
        let announced = key.announced().unwrap();
        assert_eq!(
            announced.public_key,
            "0339a36013301597daef41fbe593a02cc513d0b55527ec2df1050e2e8ff49c85c2"
        );
        assert_eq!(
            announced.chain_code,
            "873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508"
        );
    }

    #[test]
    fn a_solana_key_is_read_in_every_form_people_have() {
        let seed = [7_u8; 32];
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        let pair = [seed, public.to_bytes()].concat();
        let forms = [
            hex::encode(seed),
            format!("0x{}", hex::encode(&pair)),
            bs58::encode(seed).into_string(),
            bs58::encode(&pair).into_string(),
            base64::engine::general_purpose::STANDARD.encode(&pair),
            serde_json::to_string(&pair).unwrap(),
        ];
        for form in forms {
            let key = PrivateKey::svm(&form).unwrap();
            let announced = key.announced().unwrap();
            assert_eq!(
                announced.public_key,
                hex::encode(public.to_bytes()),
                "{form}"
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        for bad in [
            "",
            "0x",
            "12",
            &"0".repeat(64),
            order,
            &"f".repeat(64),
            &"z".repeat(64),
        ] {
            let error = PrivateKey::evm(bad).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)));
            assert!(bad.len() < 8 || !error.to_string().contains(bad), "{error}");
        }
        let torn = VECTOR.get(..VECTOR.len() - 1).unwrap();
        let flipped = VECTOR.replace("HEK3", "HEK4");
        let public = concat!(
            "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGh",
            "ePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
        );
        for bad in [torn, &flipped, public, "", "xprv"] {
            assert!(PrivateKey::evm_xprv(bad, DerivationPath::default()).is_err());
        }
        let mut pair = [7_u8; 64];
        pair[40] = 1;
        for bad in [
            hex::encode(pair),
            hex::encode([7; 31]),
            String::new(),
            "[1,2]".to_owned(),
        ] {
            assert!(PrivateKey::svm(&bad).is_err());
        }
    }
}
