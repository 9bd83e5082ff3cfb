//! The customer's half, by hand: what the SDK does, with every message in reach of the test.

use std::sync::Arc;

use halfkey_core::proof_message::{ProofOperation, proof_message};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    Blob, CeremonyMessage, CeremonyOpen, CeremonyReply, CeremonyRound, CommitReply, CommitRequest,
    CreateRequest, CreatedWallet, Operation, ProveRequest, SignMessageRequest,
};
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, Generation, KeyType, PartyIndex, ShareSetId, Signature,
    SigningInput, ThresholdSignatureScheme, Variant, WalletId,
};
use halfkey_mpc::{Action, Ceremony, KeyShare, Keygen, KeygenParams, Sign, SignParams};
use sha2::{Digest as _, Sha256};

use crate::world::{Answer, World};

/// Which kind of wallet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) chain: ChainName,
    pub(crate) scheme: ThresholdSignatureScheme,
    pub(crate) variant: Variant,
}

pub(crate) const SVM: Kind = Kind {
    chain: ChainName::Svm,
    scheme: ThresholdSignatureScheme::TwoOfTwo,
    variant: Variant::Ed25519Standard,
};
pub(crate) const EVM: Kind = Kind {
    chain: ChainName::Evm,
    ..SVM
};

/// A wallet's customer half.
#[derive(Debug)]
pub(crate) struct Wallet {
    pub(crate) id: WalletId,
    pub(crate) attempt: AttemptId,
    pub(crate) address: String,
    pub(crate) shares: Vec<Arc<KeyShare>>,
}

/// A keygen between its requests.
pub(crate) struct Creating {
    pub(crate) parties: Vec<(PartyIndex, Keygen)>,
    pub(crate) request: CreateRequest,
}

/// Everything this ceremony wants to send now.
pub(crate) fn outgoing<T>(
    ceremony: &mut dyn Ceremony<Output = T>,
) -> (Vec<CeremonyMessage>, Option<T>) {
    let mut messages = Vec::new();
    loop {
        match ceremony.poll() {
            Action::Send(more) => messages.extend(more),
            Action::Wait => return (messages, None),
            Action::Done(output) => return (messages, Some(output)),
            Action::Failed(error) => panic!("{error}"),
        }
    }
}

/// The provider's.
pub(crate) fn identity(world: &World) -> ed25519_dalek::VerifyingKey {
    let mut key = [0; 32];
    hex::decode_to_slice(&world.identity, &mut key).unwrap();
    ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap()
}

/// Runs the parties until they wait for the provider; returns what is for it.
pub(crate) fn collect(
    parties: &mut [(PartyIndex, Keygen)],
    done: &mut Vec<KeyShare>,
) -> Vec<CeremonyMessage> {
    let mut to_provider = Vec::new();
    let mut local = Vec::new();
    for (_, keygen) in &mut *parties {
        let (messages, share) = outgoing(keygen);
        done.extend(share);
        for message in messages {
            if message.to == PartyIndex::PROVIDER {
                to_provider.push(message);
            } else {
                local.push(message);
            }
        }
    }
    if local.is_empty() {
        return to_provider;
    }
    deliver(parties, &local);
    to_provider.extend(collect(parties, done));
    to_provider
}

fn deliver(parties: &mut [(PartyIndex, Keygen)], messages: &[CeremonyMessage]) {
    for message in messages {
        for (party, keygen) in &mut *parties {
            if *party == message.to {
                keygen.message(message).unwrap();
            }
        }
    }
}

/// Takes the provider's reply; returns the next round's messages.
pub(crate) fn next_round(
    parties: &mut [(PartyIndex, Keygen)],
    reply: &CeremonyReply,
    done: &mut Vec<KeyShare>,
) -> CeremonyRound {
    deliver(parties, &reply.messages);
    CeremonyRound {
        messages: collect(parties, done),
    }
}

impl Creating {
    /// Starts every customer party; what they tell each other stays here (custody rule 1).
    pub(crate) fn new(world: &World, kind: Kind) -> Self {
        Self::with_attempt(world, kind, AttemptId::generate(&mut os_rng()))
    }

    pub(crate) fn with_attempt(world: &World, kind: Kind, attempt: AttemptId) -> Self {
        let params = KeygenParams {
            environment: world.environment.clone(),
            chain: kind.chain,
            key_type: KeyType::of(kind.chain, kind.variant),
            scheme: kind.scheme,
            derivation_path: kind.chain.default_path(),
            attempt,
            share_set: ShareSetId::generate(&mut os_rng()),
            ceremony: CeremonyId::generate(&mut os_rng()),
        };
        let key = identity(world);
        let parties = PartyIndex::customers(kind.scheme)
            .iter()
            .map(|party| {
                let keygen = Keygen::customer(params.clone(), *party, &key, os_rng()).unwrap();
                (*party, keygen)
            })
            .collect();
        let mut creating = Self {
            parties,
            request: CreateRequest {
                chain: kind.chain.to_string(),
                client_keygen_ids: Vec::new(),
                threshold_signature_scheme: kind.scheme,
                derivation_path: None,
                address_type: None,
                variant: kind.variant,
                import: None,
                share_set_id: params.share_set,
                ceremony: CeremonyOpen {
                    ceremony_id: params.ceremony,
                    generation: Generation(0),
                    attempt_id: params.attempt,
                    messages: Vec::new(),
                },
            },
        };
        creating.request.ceremony.messages = collect(&mut creating.parties, &mut Vec::new());
        creating
    }

    /// Takes the provider's reply; returns the next round's messages.
    pub(crate) fn answer(
        &mut self,
        reply: &CeremonyReply,
        done: &mut Vec<KeyShare>,
    ) -> CeremonyRound {
        next_round(&mut self.parties, reply, done)
    }

    pub(crate) fn finish(
        &mut self,
        last: &CeremonyReply,
        mut done: Vec<KeyShare>,
    ) -> (Wallet, CreatedWallet) {
        self.answer(last, &mut done);
        let created = last.created.clone().unwrap();
        let public_key = done[0].account_public_key().to_vec();
        let chain = done[0].header().chain;
        let wallet = Wallet {
            id: created.wallet_id,
            attempt: created.attempt_id,
            address: halfkey_chain::address(chain, &public_key).unwrap(),
            shares: done.into_iter().map(Arc::new).collect(),
        };
        (wallet, created)
    }
}

/// The path of a step as a reply names it.
pub(crate) fn step(reply: &CeremonyReply) -> String {
    format!("/{}", reply.next.as_ref().unwrap())
}

/// Keygen up to a pending wallet.
pub(crate) async fn keygen(world: &World, kind: Kind) -> Wallet {
    let mut creating = Creating::new(world, kind);
    let mut done = Vec::new();
    let opened: CeremonyReply = world
        .post(&world.sdk("/create"), &creating.request)
        .await
        .ok();
    let round = creating.answer(&opened, &mut done);
    let last: CeremonyReply = world.post(&step(&opened), &round).await.ok();
    assert_eq!(last.next, None);
    creating.finish(&last, done).0
}

/// Keygen, a proof per pair, commit.
pub(crate) async fn create(world: &World, kind: Kind) -> Wallet {
    let wallet = keygen(world, kind).await;
    for share in &wallet.shares {
        prove(world, &wallet, share, ProofOperation::Create).await;
    }
    let reply = commit(world, &wallet, false).await.ok::<CommitReply>();
    assert_eq!(reply.account_address, wallet.address);
    wallet
}

pub(crate) fn attempt_path(world: &World, wallet: &Wallet, what: &str) -> String {
    world.sdk(&format!(
        "/{}/attempts/{}/{what}",
        wallet.id, wallet.attempt
    ))
}

pub(crate) async fn commit(world: &World, wallet: &Wallet, unproven: bool) -> Answer {
    world
        .post(
            &attempt_path(world, wallet, "commit"),
            &CommitRequest {
                unproven,
                escrow: None,
            },
        )
        .await
}

/// A signature being made by the customer.
pub(crate) struct Signing {
    pub(crate) sign: Box<dyn Ceremony<Output = Option<Signature>>>,
    pub(crate) open: CeremonyOpen,
    pub(crate) signature: Option<Signature>,
}

impl Signing {
    pub(crate) fn new(share: &Arc<KeyShare>, operation: Operation, input: SigningInput) -> Self {
        let params = sign_params(operation, input);
        let ceremony = params.ceremony;
        let sign = Sign::initiator(Arc::clone(share), params, os_rng()).unwrap();
        Self::begin(share, ceremony, Box::new(sign))
    }

    /// Over any initiator's side, honest or not.
    pub(crate) fn begin(
        share: &Arc<KeyShare>,
        ceremony_id: CeremonyId,
        mut sign: Box<dyn Ceremony<Output = Option<Signature>>>,
    ) -> Self {
        let (messages, _) = outgoing(&mut *sign);
        let header = share.header();
        let (generation, attempt_id) = (header.generation, header.attempt);
        let open = CeremonyOpen {
            ceremony_id,
            generation,
            attempt_id,
            messages,
        };
        Self {
            sign,
            open,
            signature: None,
        }
    }

    /// Takes a reply; returns the messages of the next round, if there is one.
    pub(crate) fn answer(&mut self, reply: &CeremonyReply) -> CeremonyRound {
        if reply.messages.is_empty() {
            return CeremonyRound {
                messages: Vec::new(),
            };
        }
        for message in &reply.messages {
            self.sign.message(message).unwrap();
        }
        let (messages, done) = outgoing(&mut *self.sign);
        if let Some(signature) = done {
            self.signature = signature;
        }
        CeremonyRound { messages }
    }
}

pub(crate) fn sign_params(operation: Operation, input: SigningInput) -> SignParams {
    let ceremony = CeremonyId::generate(&mut os_rng());
    SignParams {
        ceremony,
        operation,
        input,
        counterparty: PartyIndex::PROVIDER,
    }
}

/// What a proof of this share signs.
pub(crate) fn proof_input(share: &KeyShare, operation: ProofOperation) -> (Vec<u8>, SigningInput) {
    let header = share.header();
    let message = proof_message(
        &header.environment,
        header.wallet,
        header.generation,
        header.attempt,
        operation,
    );
    let input = match header.chain {
        ChainName::Evm => SigningInput::Digest(Sha256::digest(&message).into()),
        _ => SigningInput::Message(message.clone()),
    };
    (message, input)
}

/// A whole proof.
pub(crate) async fn prove(
    world: &World,
    wallet: &Wallet,
    share: &Arc<KeyShare>,
    operation: ProofOperation,
) -> CeremonyReply {
    let (_, input) = proof_input(share, operation);
    let mut signing = Signing::new(share, Operation::Proof, input);
    let request = ProveRequest {
        operation,
        ceremony: signing.open.clone(),
    };
    let opened: CeremonyReply = world
        .post(&attempt_path(world, wallet, "prove"), &request)
        .await
        .ok();
    let round = last_round(&mut signing, share, &opened);
    let last: CeremonyReply = world.post(&step(&opened), &round).await.ok();
    assert!(last.next.is_none() && last.activity.is_some());
    assert_eq!(last.signed.as_ref().unwrap().operation, Operation::Proof);
    signing.answer(&last);
    assert!(signing.signature.is_some());
    last
}

/// The second request of a proof: ECDSA's own messages, or the Ed25519 signature sent back.
pub(crate) fn last_round(
    signing: &mut Signing,
    share: &KeyShare,
    opened: &CeremonyReply,
) -> CeremonyRound {
    let round = signing.answer(opened);
    match signing.signature {
        Some(Signature::Ed25519(bytes)) => CeremonyRound {
            messages: vec![CeremonyMessage {
                from: share.header().party,
                to: PartyIndex::PROVIDER,
                body: Blob(bytes.to_vec()),
            }],
        },
        _ => round,
    }
}

/// The wire form of a text message, and what the provider makes of it.
pub(crate) fn message_of(share: &KeyShare, text: &[u8]) -> (String, SigningInput, Operation) {
    let chain = share.header().chain;
    let payload = match chain {
        ChainName::Evm => halfkey_chain::wire_payload::evm_message(text).unwrap(),
        _ => halfkey_chain::wire_payload::svm_message(text).unwrap(),
    };
    (
        payload.message,
        payload.request.input,
        payload.request.operation,
    )
}

/// An opening request for a text message.
pub(crate) fn sign_request(share: &Arc<KeyShare>, text: &[u8]) -> (Signing, SignMessageRequest) {
    let (message, input, operation) = message_of(share, text);
    let signing = Signing::new(share, operation, input);
    let ceremony = signing.open.clone();
    (
        signing,
        SignMessageRequest {
            message,
            is_formatted: false,
            context: None,
            ceremony,
        },
    )
}

pub(crate) fn sign_path(world: &World, wallet: &Wallet) -> String {
    world.sdk(&format!("/{}/signMessage", wallet.id))
}

/// A whole signature over a text message; verified. Returns the last reply.
pub(crate) async fn sign(
    world: &World,
    wallet: &Wallet,
    share: &Arc<KeyShare>,
    text: &[u8],
) -> CeremonyReply {
    let (mut signing, request) = sign_request(share, text);
    let mut reply: CeremonyReply = world.post(&sign_path(world, wallet), &request).await.ok();
    while reply.next.is_some() {
        assert!(
            reply.activity.is_some(),
            "every reply with an effect has its entry"
        );
        let round = signing.answer(&reply);
        reply = world.post(&step(&reply), &round).await.ok();
    }
    signing.answer(&reply);
    assert!(reply.signed.is_some() && reply.activity.is_some());
    let (_, input, _) = message_of(share, text);
    let signature = signing.signature.unwrap();
    let chain = share.header().chain;
    halfkey_chain::verify_signature(chain, &wallet.address, &input, &signature).unwrap();
    reply
}
