//! An export that only its recipient can open: each half encrypts its own part to the recipient's
//! key, so that the whole key exists nowhere but there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halfkey_core::{AttemptId, EnvironmentId, Generation, PartyIndex, SecretBytes, WalletId};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::age::{self, Identity, Recipient};
use crate::reconstruct::{Part, RootKey};
use crate::share::KeyMaterial;
use crate::{Error, KeyShare};

const FORMAT: &str = "halfkey-export-part-v1";

/// What an export to a recipient comes to: two armored age files, one per half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedExport {
    /// The customer's part, with its share.
    pub customer: String,
    /// The provider's part, encrypted by the provider.
    pub provider: String,
}

/// The plaintext of one part, as JSON. Numbers of keys are hexadecimal: big-endian for secp256k1,
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
    export: AttemptId,
    #[zeroize(skip)]
    party: u8,
    /// The party's share of the root: any two make the key (Shamir, at x = party).
    scalar: String,
    /// The party's part of the seed, where the key has one. `TWO_OF_TWO`: the seed is the XOR of
    /// both. `TWO_OF_THREE`: Shamir, bytewise over GF(2⁸), at x = party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    /// Of a secp256k1 root (BIP-32), with the wallet's path below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain_code: Option<String>,
    #[zeroize(skip)]
    derivation_path: String,
    /// The customer's whole share, base64: what the parts are checked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<String>,
}

/// Encrypts the part of `share` to `recipient`; of the customer's with the share itself.
pub(super) fn seal_part(
    share: &KeyShare,
    export: AttemptId,
    recipient: &Recipient,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<String, Error> {
    let (header, part) = (share.header(), Part::of(share)?);
    let is_customer = header.party != PartyIndex::PROVIDER;
    let chain_code = match share.material() {
        KeyMaterial::Ecdsa(share) => Some(hex::encode(share.root_data().chain_code)),
        KeyMaterial::Ed25519(_) => None,
    };
    let encoded = if is_customer {
        Some(STANDARD.encode(share.encode()?.expose()))
    } else {
        None
    };
    let plain = Plain {
        format: FORMAT.to_owned(),
        environment: header.environment.clone(),
        wallet: header.wallet,
        generation: header.generation,
        attempt: header.attempt,
        export,
        party: header.party.as_u8(),
        scalar: hex::encode(part.scalar),
        seed: part.seed.map(hex::encode),
        chain_code,
        derivation_path: header.derivation_path.to_string(),
        share: encoded,
    };
    // Room for all of it: growing would leave copies behind.
    let room = plain
        .share
        .as_ref()
        .map_or(0, String::len)
        .saturating_add(2048);
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *text, &plain).map_err(|_| Error::Bug("a part is encoded"))?;
    age::seal(recipient, &text, rng)
}

/// Whether this is an armored file as [`seal_part`] makes them; what is in it, only the recipient
/// knows.
pub(super) fn looks_sealed(file: &str) -> bool {
    file.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n") && file.len() < MAX_SEALED
}

/// A provider's part has no share in it.
const MAX_SEALED: usize = 8 * 1024;

impl SealedExport {
    /// Puts the key together, as its recipient. The provider's part is checked against the public
    /// share that the customer's keeps since keygen.
    ///
    /// # Errors
    /// [`Error::Caller`] when a part is encrypted to another key, was changed, or the two are not
    /// of one export; [`Error::Refused`] when the provider's part is not the one it holds.
    pub fn open(&self, identity: &Identity) -> Result<RootKey, Error> {
        const APART: Error = Error::Caller("the two parts are not of one export");
        let (customer, provider) = (
            read(identity, &self.customer)?,
            read(identity, &self.provider)?,
        );
        let share = customer.share.as_ref().ok_or(NOT_A_PART)?;
        let share = STANDARD.decode(share).map_err(|_| NOT_A_PART)?;
        let share = KeyShare::decode(&SecretBytes::new(share))?;
        let header = share.header();
        let is_of_share = |part: &Plain| {
            part.environment == header.environment
                && part.wallet == header.wallet
                && part.generation == header.generation
                && part.attempt == header.attempt
        };
        let is_pair = customer.export == provider.export
            && customer.party == header.party.as_u8()
            && provider.party == PartyIndex::PROVIDER.as_u8();
        if !(is_pair && is_of_share(&customer) && is_of_share(&provider)) {
            return Err(APART);
        }
        let has_seed = Part::has_seed(header.key_type);
        let part = Part {
            party: PartyIndex::PROVIDER,
            scalar: *part_number(&provider.scalar)?,
            seed: match &provider.seed {
                Some(seed) if has_seed => Some(*part_number(seed)?),
                _ => None,
            },
        };
        RootKey::from_part(&share, &part)
    }
}

const NOT_A_PART: Error = Error::Caller("not a part of an export");

fn read(identity: &Identity, file: &str) -> Result<Plain, Error> {
    let text = age::open(identity, file)?;
    let plain: Plain = serde_json::from_slice(&text).map_err(|_| NOT_A_PART)?;
    if plain.format == FORMAT {
        Ok(plain)
    } else {
        Err(NOT_A_PART)
    }
}

/// 32 bytes as a part writes them.
pub(crate) fn part_number(text: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, &mut *bytes).map_err(|_| NOT_A_PART)?;
    Ok(bytes)
}
