//! What an abort of the engine means for custody.

use dkls23_core::protocols::{Abort, AbortKind, AbortReason};
use halfkey_core::PartyIndex;

use crate::Error;
use crate::ecdsa::party_index;

/// An abort of a signature. Only the engine's ban, after every check of ours has passed, is proof
/// of cheating (custody rules 13 and 15).
pub(crate) fn of_sign(abort: &Abort, counterparty: PartyIndex) -> Error {
    match abort.kind {
        AbortKind::BanCounterparty(index) => match party_index(index) {
            Ok(culprit) if culprit == counterparty => Error::PeerMisbehaved {
                culprit,
                check: banned_check(&abort.reason),
            },
            _ => Error::Bug("the engine bans a party that does not take part"),
        },
        AbortKind::Recoverable => recoverable(&abort.reason, counterparty),
    }
}

const fn banned_check(reason: &AbortReason) -> &'static str {
    match reason {
        AbortReason::MultiplicationVerificationFailed { .. } => "multiplication",
        AbortReason::GammaUInconsistency { .. } => "instance key consistency",
        AbortReason::OtConsistencyCheckFailed { .. } => "key share consistency",
        _ => "an oblivious-transfer check",
    }
}

fn recoverable(reason: &AbortReason, from: PartyIndex) -> Error {
    let refused = |what| Error::Refused { from, what };
    match reason {
        // Custody rule 14: counted, with nobody provably at fault.
        AbortReason::SignatureVerificationFailed
        | AbortReason::ZeroDenominator
        | AbortReason::PolynomialInconsistency => Error::Suspect,
        AbortReason::SessionBindingMismatch { .. } => refused("of another session"),
        AbortReason::CommitmentMismatch { .. } => refused("commitment does not open"),
        AbortReason::TrivialInstancePoint { .. } => refused("trivial instance point"),
        AbortReason::MisroutedMessage { .. }
        | AbortReason::UnexpectedSender { .. }
        | AbortReason::DuplicateSender { .. } => refused("misrouted"),
        _ => Error::Local("the engine refused its own state"),
    }
}

/// An abort of keygen. Nothing is reused yet, so nothing is ever a lock.
pub(crate) fn of_keygen(abort: &Abort, own: PartyIndex) -> Error {
    match &abort.reason {
        AbortReason::ProofVerificationFailed { counterparty } => {
            blame(*counterparty, own, "proof of the key share")
        }
        AbortReason::MultiplicationVerificationFailed { counterparty, .. } => {
            blame(*counterparty, own, "base oblivious transfer")
        }
        AbortReason::ZeroShareDecommitFailed { counterparty } => {
            blame(*counterparty, own, "zero-share commitment")
        }
        AbortReason::ChainCodeCommitmentFailed { party } => {
            blame(*party, own, "chain code commitment")
        }
        AbortReason::PolynomialInconsistency
        | AbortReason::TrivialPublicKey
        | AbortReason::TrivialKeyShare => Error::Disagreement("the public shares do not fit"),
        _ => Error::Local("the engine refused its own keygen state"),
    }
}

fn blame(index: dkls23_core::protocols::PartyIndex, own: PartyIndex, what: &'static str) -> Error {
    match party_index(index) {
        // Our own point differs: the fragments that made it did not lie on the others' polynomials.
        Ok(party) if party == own => Error::Disagreement("the key fragments do not fit"),
        Ok(from) => Error::Refused { from, what },
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecdsa::engine_index;

    /// Own state that the engine refuses says nothing about the peer.
    #[test]
    fn own_state_is_nobody_else_s_fault() {
        let peer = engine_index(PartyIndex::CUSTOMER_1).unwrap();
        let own = engine_index(PartyIndex::PROVIDER).unwrap();
        let counterparty = peer;
        let abort = Abort::recoverable(own, AbortReason::MissingMulState { counterparty });
        let errors = [
            of_sign(&abort, PartyIndex::CUSTOMER_1),
            of_keygen(&abort, PartyIndex::PROVIDER),
        ];
        assert!(errors.iter().all(|error| matches!(error, Error::Local(_))));
        let abort = Abort::recoverable(own, AbortReason::ZeroDenominator);
        assert_eq!(of_sign(&abort, PartyIndex::CUSTOMER_1), Error::Suspect);
    }
}
