//! The customer's own quorum, in one process (custody rule 3).

use std::sync::Arc;

use halfkey_core::wire::Operation;
use halfkey_core::{CeremonyId, Signature, SigningInput};
use rand_core::{CryptoRng, RngCore};

use super::{Sign, SignParams};
use crate::rng::BoxRng;
use crate::{Action, Ceremony, Error, KeyShare};

/// Signs with both of the customer's shares of a `TWO_OF_THREE` wallet, without the provider: the
/// proof of the pair (c1, c2). `first` is the share of the customer's first party. Nothing of it
/// leaves the process.
///
/// # Errors
/// As [`Sign::initiator`], and whatever the ceremony fails with.
pub fn local_pair(
    first: Arc<KeyShare>,
    second: Arc<KeyShare>,
    ceremony: CeremonyId,
    operation: Operation,
    input: &SigningInput,
    rng: impl RngCore + CryptoRng + Send + 'static,
) -> Result<Signature, Error> {
    let params = |counterparty| SignParams {
        ceremony,
        operation,
        input: input.clone(),
        counterparty,
    };
    let (one, two) = (params(second.header().party), params(first.header().party));
    let (rng_one, rng_two) = BoxRng::pair(rng);
    let mut initiator = Sign::initiator(first, one, rng_one)?;
    let mut responder = Sign::responder(second, two, rng_two)?;
    loop {
        match initiator.poll() {
            Action::Send(messages) => {
                messages
                    .iter()
                    .try_for_each(|message| responder.message(message))?;
                while let Action::Send(replies) = responder.poll() {
                    replies
                        .iter()
                        .try_for_each(|reply| initiator.message(reply))?;
                }
            }
            Action::Done(Some(signature)) => return Ok(signature),
            Action::Failed(error) => return Err(error),
            Action::Done(None) | Action::Wait => {
                return Err(Error::Bug("a local signature came to a halt"));
            }
        }
    }
}
