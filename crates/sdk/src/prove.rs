//! The proof ceremony of custody rule 7: a signature over the proof message, made from shares that
//! were read again, for each pair of parties.

use std::sync::Arc;

use halfkey_core::proof_message::{ProofOperation, proof_message};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{Blob, CeremonyMessage, CeremonyOpen, Operation, ProveRequest};
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, Generation, PartyIndex, ServerKeyShare, Signature,
    SigningInput, WalletProperties,
};
use halfkey_mpc::{KeyShare, ShareHeader, Sign, SignParams};
use sha2::{Digest as _, Sha256};

use crate::ceremony::{self as ceremonies, Class, Opening, OpeningBody, Table};
use crate::client::Credential;
use crate::sign::{self, misbehaviour, share, verify};
use crate::to_the_end::to_the_end;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient};
use halfkey_core::crash_point::crash_point;

mod local;

/// Proves every pair: each customer party with the provider, and the customer's two parties with
/// each other in this process (custody rule 3). `shares` must be all of the customer's.
pub(crate) async fn prove(
    client: &WalletClient,
    shares: &[Arc<KeyShare>],
    operation: ProofOperation,
) -> Result<()> {
    let first = shares.first().ok_or(Error::NoShare)?;
    let wanted = PartyIndex::customers(first.header().scheme);
    if shares
        .iter()
        .map(|share| share.header().party)
        .ne(wanted.iter().copied())
    {
        return Err(Error::InvalidArgument(
            "a proof needs every customer share, in the order of their parties".to_owned(),
        ));
    }
    for share in shares {
        crash_point("create.before_proof");
        let (client, share) = (client.clone(), Arc::clone(share));
        to_the_end(async move { prove_with_provider(&client, &share, operation).await }).await?;
        crash_point("create.after_proof");
    }
    if let [one, two] = shares {
        local::prove(client, one, two, operation).await?;
        crash_point("create.after_local_proof");
    }
    Ok(())
}

/// Proves an active wallet from shares that were stored and loaded again (custody rule 8).
pub(crate) async fn prove_active(
    client: &WalletClient,
    chain: ChainName,
    properties: &WalletProperties,
    shares: &[ServerKeyShare],
) -> Result<()> {
    let decoded = shares.iter().map(|one| share::decode(one).map(Arc::new));
    let mut decoded = decoded.collect::<Result<Vec<_>>>()?;
    decoded.sort_by_key(|share| share.header().party);
    share::same_set(client, &decoded)?;
    share::all_belong(client, chain, properties, &decoded).await?;
    prove(client, &decoded, ProofOperation::Prove).await
}

/// What commits the attempt of `header`: a new wallet is created, any later generation is a change.
pub(crate) fn commit_operation(header: &ShareHeader) -> ProofOperation {
    if header.generation == Generation::default() {
        ProofOperation::Create
    } else {
        ProofOperation::Change
    }
}

/// Starts an operation: a proof under the active generation that names the attempt to come. One
/// share suffices; it needs the API token (custody rules 7 and 28).
pub(crate) async fn prove_start(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    operation: ProofOperation,
    attempt: AttemptId,
) -> Result<()> {
    let (client, share) = (client.clone(), Arc::clone(share));
    to_the_end(async move { prove_attempt(&client, &share, operation, attempt).await }).await
}

/// What a proof of `share` signs.
fn input(
    client: &WalletClient,
    share: &KeyShare,
    operation: ProofOperation,
    attempt: AttemptId,
) -> SigningInput {
    let header = share.header();
    let message = proof_message(
        client.environment(),
        header.wallet,
        header.generation,
        attempt,
        operation,
    );
    if header.key_type.uses_ot() {
        SigningInput::Digest(Sha256::digest(&message).into())
    } else {
        SigningInput::Message(message)
    }
}

async fn prove_with_provider(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    operation: ProofOperation,
) -> Result<()> {
    prove_attempt(client, share, operation, share.header().attempt).await
}

async fn prove_attempt(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    operation: ProofOperation,
    attempt: AttemptId,
) -> Result<()> {
    let header = share.header();
    let params = SignParams {
        ceremony: CeremonyId::generate(&mut os_rng()),
        operation: Operation::Proof,
        input: input(client, share, operation, attempt),
        counterparty: PartyIndex::PROVIDER,
    };
    let wallet = header.wallet.to_string();
    let attempt = attempt.to_string();
    let opening = Opening {
        path: client.route(&[&wallet, "attempts", &attempt, "prove"])?,
        body: OpeningBody::Prove(ProveRequest {
            operation,
            ceremony: CeremonyOpen {
                ceremony_id: params.ceremony,
                generation: header.generation,
                attempt_id: header.attempt,
                messages: Vec::new(),
            },
        }),
        idempotency_key: None,
        retry: Retry::Never,
        by: if operation.is_start() {
            Credential::ApiToken
        } else {
            Credential::Session
        },
    };
    let (ceremony, expected) = (params.ceremony, params.input.clone());
    let _admitted = sign::admit(client, header).await?;
    let run = Sign::initiator(Arc::clone(share), params, os_rng())?;
    let ended = ceremonies::exchange(
        client,
        opening,
        Table::new(Class::Sign, [(header.party, run)]),
    )
    .await
    .map_err(|stop| misbehaviour::found(client, header, ceremony, stop.error))?;
    let signature = ended
        .outputs
        .into_iter()
        .find_map(|(_, signature)| signature);
    let signature = signature.ok_or(Error::Bug("a proof without a signature"))?;
    verify::against_key(share, &expected, &signature)?;
    match (signature, ended.last.next) {
        // The provider's part in Ed25519 ends before the signature exists: show it.
        (Signature::Ed25519(bytes), Some(next)) => {
            let message = CeremonyMessage {
                from: header.party,
                to: PartyIndex::PROVIDER,
                body: Blob(bytes.to_vec()),
            };
            ceremonies::round(client, &next, vec![message], Retry::Idempotent).await?;
            Ok(())
        }
        (Signature::Ed25519(_), None) => Err(Error::Protocol("no way to show the proof")),
        (Signature::Ecdsa { .. }, _) => Ok(()),
    }
}
