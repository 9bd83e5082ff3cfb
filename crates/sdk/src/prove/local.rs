use std::sync::Arc;

use halfkey_core::CeremonyId;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::Operation;
use halfkey_mpc::{KeyShare, Sign, SignParams};

use super::input;
use crate::ceremony::Table;
use crate::sign::verify;
use crate::{Error, Result, WalletClient};

/// The customer's two parties sign with each other. Both are here, so nothing is sent.
pub(super) async fn prove(
    client: &WalletClient,
    one: &Arc<KeyShare>,
    two: &Arc<KeyShare>,
    operation: ProofOperation,
) -> Result<()> {
    let (first, second) = (one.header().party, two.header().party);
    let to_second = SignParams {
        ceremony: CeremonyId::generate(&mut os_rng()),
        operation: Operation::Proof,
        input: input(client, one, operation),
        counterparty: second,
    };
    let to_first = SignParams { counterparty: first, ..to_second.clone() };
    let signed = to_second.input.clone();
    let initiator = Sign::initiator(Arc::clone(one), to_second, os_rng())?;
    let responder = Sign::responder(Arc::clone(two), to_first, os_rng())?;
    let table = Table::new([(first, initiator), (second, responder)]);
    let (table, outgoing) = table.step(Vec::new()).await?;
    if !outgoing.is_empty() {
        return Err(Error::Bug("a local proof wants to talk to the provider"));
    }
    let outputs = table.into_outputs()?;
    let signature = outputs.into_iter().find_map(|(_, signature)| signature);
    verify::against_key(one, &signed, &signature.ok_or(Error::BadSignature)?)
}
