//! Wire forms of the ECDSA keygen and the dimension checks of both ceremonies.
//!
//! Scalars and points are range-checked by their own decoders (canonical, on the curve); what those
//! accept but no honest party sends is refused here, before the engine sees it: the engine reports
//! wrong dimensions as cheating.

use dkls23_core::protocols::signing::{TransmitPhase1to2, TransmitPhase2to3};
use dkls23_core::utilities::multiplication::{L, MulDataToReceiver, OT_WIDTH};
use dkls23_core::utilities::ot::extension::{BATCH_SIZE, KAPPA};
use dkls23_core::utilities::proofs::{DLogProof, EncProof, R};
use halfkey_core::PartyIndex;
use k256::{AffinePoint, Scalar, Secp256k1};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Error;

/// Length of the engine's commitment salts in bytes.
const SALT_LEN: usize = 64;
/// Length of one Fischlin challenge in bytes.
const CHALLENGE_LEN: usize = 4;

/// Round 2, to everybody: commitments.
#[derive(Serialize, Deserialize)]
pub(crate) struct CommitPublic {
    pub(crate) proof: [u8; 32],
    pub(crate) chain_code: [u8; 32],
}

/// Round 3, to everybody: what the commitments hid.
#[derive(Serialize, Deserialize)]
pub(crate) struct OpenPublic {
    pub(crate) proof: DLogProof<Secp256k1>,
    pub(crate) chain_code: [u8; 32],
    pub(crate) chain_code_salt: Vec<u8>,
}

/// Round 3, to one party: its zero-share seed and the start of the base OTs.
#[derive(Serialize, Deserialize)]
pub(crate) struct OpenPrivate {
    pub(crate) zero_seed: ZeroSeed,
    pub(crate) zero_salt: Vec<u8>,
    pub(crate) dlog_proof: DLogProof<Secp256k1>,
    pub(crate) nonce: Scalar,
    pub(crate) enc_proofs: Vec<EncProof<Secp256k1>>,
    pub(crate) seed: [u8; 32],
}

/// What one party puts into the zero shares it has with another; lasts as long as the share.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub(crate) struct ZeroSeed(pub(crate) [u8; 32]);

/// The provider's first message to one customer: rounds 1 and 2.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct ProviderFirst {
    pub(crate) fragment: Scalar,
    pub(crate) zero_commitment: [u8; 32],
}

/// A customer's second message: rounds 2 and 3.
#[derive(Serialize, Deserialize)]
pub(crate) struct CustomerSecondPublic {
    pub(crate) commit: CommitPublic,
    pub(crate) open: OpenPublic,
}

/// A customer's second message to one party: rounds 2 and 3.
#[derive(Serialize, Deserialize)]
pub(crate) struct CustomerSecondPrivate {
    pub(crate) zero_commitment: [u8; 32],
    pub(crate) open: OpenPrivate,
}

fn require(holds: bool, from: PartyIndex, what: &'static str) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Refused { from, what })
    }
}

fn check_dlog(proof: &DLogProof<Secp256k1>, from: PartyIndex) -> Result<(), Error> {
    let dimensions = proof.rand_commitments.len() == usize::from(R)
        && proof.proofs.len() == usize::from(R)
        && proof
            .proofs
            .iter()
            .all(|part| part.challenge.len() == CHALLENGE_LEN);
    require(dimensions, from, "proof dimensions")?;
    require(!is_identity(&proof.point), from, "point at infinity")
}

fn is_identity(point: &AffinePoint) -> bool {
    *point == AffinePoint::IDENTITY
}

impl OpenPublic {
    /// Step 1.9: dimensions and range.
    pub(crate) fn check(&self, from: PartyIndex) -> Result<(), Error> {
        check_dlog(&self.proof, from)?;
        require(
            self.chain_code_salt.len() == SALT_LEN,
            from,
            "chain code salt length",
        )
    }
}

impl OpenPrivate {
    /// Step 1.9: dimensions and range.
    pub(crate) fn check(&self, from: PartyIndex) -> Result<(), Error> {
        check_dlog(&self.dlog_proof, from)?;
        require(
            self.zero_salt.len() == SALT_LEN,
            from,
            "zero-share salt length",
        )?;
        require(
            self.enc_proofs.len() == usize::from(KAPPA),
            from,
            "base OT dimensions",
        )
    }
}

/// Step 2.3: the dimensions of M1.
pub(crate) fn check_first(message: &TransmitPhase1to2, from: PartyIndex) -> Result<(), Error> {
    let data = &message.mul_transmit;
    let kappa = usize::from(KAPPA);
    require(
        data.u.len() == kappa && data.verify_t.len() == kappa,
        from,
        "OT extension dimensions",
    )
}

/// Step 2.3: the dimensions and points of M2.
pub(crate) fn check_second(
    message: &TransmitPhase2to3<Secp256k1>,
    from: PartyIndex,
) -> Result<(), Error> {
    let points = [
        &message.gamma_u,
        &message.gamma_v,
        &message.public_share,
        &message.instance_point,
    ];
    require(
        !points.into_iter().any(is_identity),
        from,
        "point at infinity",
    )?;
    require(
        message.salt.len() == SALT_LEN,
        from,
        "commitment salt length",
    )?;
    check_multiplication(&message.mul_transmit, from)
}

fn check_multiplication(
    data: &MulDataToReceiver<Secp256k1>,
    from: PartyIndex,
) -> Result<(), Error> {
    let dimensions = data.vector_of_tau.len() == usize::from(OT_WIDTH)
        && data
            .vector_of_tau
            .iter()
            .all(|row| row.len() == usize::from(BATCH_SIZE))
        && data.verify_u.len() == usize::from(L)
        && data.gamma_sender.len() == usize::from(L);
    require(dimensions, from, "multiplication dimensions")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn wiped<T: ZeroizeOnDrop>() {}

    /// Does not compile where a secret of these is left behind.
    #[test]
    fn secrets_of_keygen_messages_are_wiped() {
        wiped::<ZeroSeed>();
        wiped::<ProviderFirst>();
    }
}
