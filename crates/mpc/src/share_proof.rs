//! A proof of knowledge of one key share, against its public share (custody rule 7): how an ECDSA
//! generation under which no OT ceremony may run starts its own refresh.
//!
//! Schnorr's identification protocol made non-interactive (Fiat–Shamir): `R = r·G`,
//! `e = H(domain, context, X, R)`, `s = r + e·x`; it holds when `s·G = R + e·X`. `SPEC.md`, part 5.

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::{AttemptId, EnvironmentId, Generation, KeyType, PartyIndex, WalletId};
use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::group::GroupEncoding as _;
use k256::elliptic_curve::ops::Reduce as _;
use k256::{AffinePoint, ProjectivePoint, Scalar};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::share::KeyMaterial;
use crate::transcript::Transcript;
use crate::{Error, KeyShare};

/// Length of a proof: a compressed point and a scalar.
pub const SHARE_PROOF_LEN: usize = 33 + 32;

/// What a proof is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareProofContext {
    /// The environment.
    pub environment: EnvironmentId,
    /// The wallet.
    pub wallet: WalletId,
    /// The generation of the share.
    pub generation: Generation,
    /// The attempt that is being started.
    pub attempt: AttemptId,
    /// What is being started.
    pub operation: ProofOperation,
    /// Whose share.
    pub party: PartyIndex,
}

impl ShareProofContext {
    fn challenge(&self, public: &[u8], commitment: &[u8]) -> Scalar {
        let hash = Transcript::new("halfkey-share-proof-v1")
            .field(self.environment.as_str().as_bytes())
            .field(self.wallet.as_bytes())
            .field(&self.generation.0.to_be_bytes())
            .field(self.attempt.as_bytes())
            .field(self.operation.as_str().as_bytes())
            .field(&[self.party.as_u8()])
            .field(public)
            .field(commitment)
            .finish();
        Scalar::reduce(&k256::FieldBytes::from(hash))
    }
}

/// Proves knowledge of the root share inside `share`.
///
/// # Errors
/// [`Error::Caller`] for a share without OT state (it proves by signing) or one that `context` is
/// not about.
pub fn prove_share(
    share: &KeyShare,
    context: &ShareProofContext,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<[u8; SHARE_PROOF_LEN], Error> {
    let header = share.header();
    let fits = header.environment == context.environment
        && header.wallet == context.wallet
        && header.generation == context.generation
        && header.party == context.party;
    let KeyMaterial::Ecdsa(material) = share.material() else {
        return Err(Error::Caller("such a share proves by signing"));
    };
    if !fits {
        return Err(Error::Caller("the share is not the one the proof is about"));
    }
    let nonce = Zeroizing::new(random_scalar(rng));
    let public = material.verifying_share(context.party)?;
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "fields and groups do not overflow"
    )]
    let (commitment, response) = {
        let commitment = (ProjectivePoint::GENERATOR * *nonce).to_affine().to_bytes();
        let challenge = context.challenge(&public, &commitment);
        let secret = Zeroizing::new(*material.root_scalar());
        (commitment, *nonce + challenge * *secret)
    };
    let mut proof = [0; SHARE_PROOF_LEN];
    let bytes = commitment.iter().copied().chain(response.to_repr());
    proof
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = from);
    Ok(proof)
}

/// Checks a proof against the public share that `holder`, a share of the same generation, keeps of
/// `context.party` since keygen.
///
/// # Errors
/// [`Error::Refused`] naming the party when it does not hold; [`Error::Caller`] when `holder` is of
/// another wallet or generation.
pub fn verify_share_proof(
    holder: &KeyShare,
    context: &ShareProofContext,
    proof: &[u8],
) -> Result<(), Error> {
    let header = holder.header();
    if header.environment != context.environment
        || header.wallet != context.wallet
        || header.generation != context.generation
        || header.key_type != KeyType::EcdsaSecp256k1
    {
        return Err(Error::Caller("the proof is about another share"));
    }
    let refused = Error::Refused {
        from: context.party,
        what: "no proof of its share",
    };
    let public = holder.verifying_shares()?;
    let public = public.get(&context.party).ok_or(refused.clone())?;
    if verifies(public, context, proof) == Some(true) {
        Ok(())
    } else {
        Err(refused)
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "fields and groups do not overflow"
)]
fn verifies(public: &[u8], context: &ShareProofContext, proof: &[u8]) -> Option<bool> {
    let (commitment, response) = proof.split_at_checked(33)?;
    let response: [u8; 32] = response.try_into().ok()?;
    let response = Option::<Scalar>::from(Scalar::from_repr(response.into()))?;
    let left = ProjectivePoint::GENERATOR * response;
    let right = point(commitment)? + point(public)? * context.challenge(public, commitment);
    Some(left == right)
}

/// A point other than infinity, canonically encoded.
fn point(bytes: &[u8]) -> Option<ProjectivePoint> {
    let bytes: [u8; 33] = bytes.try_into().ok()?;
    let point = Option::<AffinePoint>::from(AffinePoint::from_bytes(&bytes.into()))?;
    (point != AffinePoint::IDENTITY).then(|| point.into())
}

fn random_scalar(rng: &mut (impl RngCore + CryptoRng)) -> Scalar {
    loop {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        let scalar = Option::<Scalar>::from(Scalar::from_repr((*bytes).into()));
        match scalar {
            Some(scalar) if scalar != Scalar::ZERO => return scalar,
            // One in 2^127.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::ThresholdSignatureScheme::TwoOfTwo;
    use rand_core::OsRng;

    use super::*;
    use crate::test_shares;

    fn share(party: PartyIndex) -> KeyShare {
        test_shares::load(KeyType::EcdsaSecp256k1, TwoOfTwo, party).unwrap()
    }

    fn context(share: &KeyShare) -> ShareProofContext {
        let header = share.header();
        ShareProofContext {
            environment: header.environment.clone(),
            wallet: header.wallet,
            generation: header.generation,
            attempt: AttemptId::from_bytes([7; 16]),
            operation: ProofOperation::Refresh,
            party: header.party,
        }
    }

    #[test]
    fn a_proof_holds_for_its_context_and_no_other() {
        let (ours, theirs) = (share(PartyIndex::CUSTOMER_1), share(PartyIndex::PROVIDER));
        let context = context(&ours);
        let proof = prove_share(&ours, &context, &mut OsRng).unwrap();
        verify_share_proof(&theirs, &context, &proof).unwrap();
        let others = [
            ShareProofContext {
                attempt: AttemptId::from_bytes([8; 16]),
                ..context.clone()
            },
            ShareProofContext {
                operation: ProofOperation::Export,
                ..context.clone()
            },
            ShareProofContext {
                party: PartyIndex::PROVIDER,
                ..context.clone()
            },
            ShareProofContext {
                party: PartyIndex::CUSTOMER_2,
                ..context.clone()
            },
            ShareProofContext {
                generation: Generation(1),
                ..context.clone()
            },
            ShareProofContext {
                wallet: WalletId::from_bytes([1; 16]),
                ..context.clone()
            },
            ShareProofContext {
                environment: "other".parse().unwrap(),
                ..context.clone()
            },
        ];
        for other in others {
            assert!(
                verify_share_proof(&theirs, &other, &proof).is_err(),
                "{other:?}"
            );
        }
        let another = prove_share(&ours, &context, &mut OsRng).unwrap();
        assert_ne!(proof, another, "fresh nonces");
    }

    #[test]
    fn a_damaged_proof_is_refused() {
        let (ours, theirs) = (share(PartyIndex::CUSTOMER_1), share(PartyIndex::PROVIDER));
        let context = context(&ours);
        let proof = prove_share(&ours, &context, &mut OsRng).unwrap();
        for at in 0..proof.len() {
            let mut bad = proof;
            bad[at] ^= 1;
            let error = verify_share_proof(&theirs, &context, &bad).unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{at}: {error}");
        }
        let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
        let infinity = [vec![0; 33], proof[33..].to_vec()].concat();
        let unreduced = [proof[..33].to_vec(), order.unwrap()].concat();
        for bad in [
            &[][..],
            &proof[..64],
            &[proof.as_slice(), &[0]].concat(),
            &infinity,
            &unreduced,
        ] {
            assert!(verify_share_proof(&theirs, &context, bad).is_err());
        }
    }

    #[test]
    fn only_the_right_share_proves() {
        let ours = share(PartyIndex::CUSTOMER_1);
        let context = ShareProofContext {
            wallet: WalletId::from_bytes([1; 16]),
            ..context(&ours)
        };
        assert!(matches!(
            prove_share(&ours, &context, &mut OsRng),
            Err(Error::Caller(_))
        ));
        let scheme = TwoOfTwo;
        let frost = test_shares::load(KeyType::Ed25519Standard, scheme, PartyIndex::CUSTOMER_1);
        let frost = frost.unwrap();
        let context = self::context(&frost);
        assert!(matches!(
            prove_share(&frost, &context, &mut OsRng),
            Err(Error::Caller(_))
        ));
    }
}
