//! The hashes that keygen binds: the context beforehand, the key afterwards.

use ed25519_dalek::Signer;
use halfkey_core::PartyIndex;

use super::KeygenParams;
use super::agree::Agreed;
use super::start::Start;
use crate::Error;
use crate::share::{KeyMaterial, chain_code, key_type_code, scheme_code};
use crate::transcript::Transcript;

/// Domain of the provider's signature; no other document of the identity key starts so.
const SIGNATURE_DOMAIN: &[u8] = b"halfkey-keygen-provider-v1";

impl KeygenParams {
    /// Hash of everything both sides must know beforehand.
    pub(super) fn context(&self, start: &Start) -> [u8; 32] {
        let hash = Transcript::new("halfkey-keygen-context-v1")
            .field(self.environment.as_str().as_bytes())
            .field(&[
                chain_code(self.chain),
                key_type_code(self.key_type),
                scheme_code(self.scheme),
            ])
            .indices(self.derivation_path.indices())
            .field(self.attempt.as_bytes())
            .field(self.share_set.as_bytes())
            .field(self.ceremony.as_bytes());
        start.absorb(hash).finish()
    }
}

/// Step 1.10: hash of the agreed first round and of the resulting key. The first round covers the
/// context, the wallet, all randoms and all ephemeral keys.
pub(super) fn of_key(
    params: &KeygenParams,
    start: &Start,
    agreed: &Agreed,
    material: &KeyMaterial,
) -> Result<[u8; 32], Error> {
    let mut hash = Transcript::new("halfkey-keygen-key-v1")
        .field(&params.context(start))
        .field(agreed.session.wallet.as_bytes())
        .field(&agreed.session.id)
        .field(&agreed.first_round)
        .field(&material.group_public_key()?)
        .field(material.chain_code());
    for (party, share) in material.verifying_shares(params.scheme)? {
        hash = hash.field(&[party.as_u8()]).field(&share);
    }
    Ok(hash.finish())
}

fn document(hash: &[u8; 32]) -> Vec<u8> {
    [SIGNATURE_DOMAIN, hash].concat()
}

/// Step 1.11: the provider signs the transcript with its identity (custody rule 17).
pub(super) fn sign(identity: &ed25519_dalek::SigningKey, hash: &[u8; 32]) -> [u8; 64] {
    identity.sign(&document(hash)).to_bytes()
}

/// Step 1.13: the customer's own transcript must be the one the pinned identity signed.
pub(super) fn verify(
    identity: &ed25519_dalek::VerifyingKey,
    hash: &[u8; 32],
    signature: &[u8],
) -> Result<(), Error> {
    let refused = |what| Error::Refused {
        from: PartyIndex::PROVIDER,
        what,
    };
    let signature = ed25519_dalek::Signature::from_slice(signature)
        .map_err(|_| refused("malformed identity signature"))?;
    identity
        .verify_strict(&document(hash), &signature)
        .map_err(|_| Error::Disagreement("the provider signed another key or transcript"))
}
