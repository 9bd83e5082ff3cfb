use std::sync::Arc;

use halfkey_core::CeremonyId;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::Operation;
use halfkey_mpc::KeyShare;
use halfkey_mpc::sign::local_pair;

use super::input;
use crate::ceremony::{Class, pool};
use crate::sign::verify;
use crate::{Result, WalletClient};

/// The customer's two parties sign with each other. Both are here, so nothing is sent.
pub(super) async fn prove(
    client: &WalletClient,
    one: &Arc<KeyShare>,
    two: &Arc<KeyShare>,
    operation: ProofOperation,
) -> Result<()> {
    let input = input(client, one, operation, one.header().attempt);
    let (first, second) = (Arc::clone(one), Arc::clone(two));
    let ceremony = CeremonyId::generate(&mut os_rng());
    let work = move || {
        let signature = local_pair(
            Arc::clone(&first),
            second,
            ceremony,
            Operation::Proof,
            &input,
            os_rng(),
        )?;
        verify::against_key(&first, &input, &signature)
    };
    pool::run(Class::Sign, work).await
}
