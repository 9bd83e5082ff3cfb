//! Refresh, reshare, replacement and export by hand, with every part of a request in reach of the
//! test. The parties hold the owner's shares; what a thief has not got is left out of the request.

use std::sync::Arc;

use halfkey_core::proof_message::{ProofOperation, proof_message};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    CeremonyOpen, CeremonyReply, ChangeOperation, ChangeRequest, CommitRequest, ExportRequest,
    Operation, ProveRequest,
};
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, Generation, PartyIndex, ShareSetId, SigningInput,
    ThresholdSignatureScheme,
};
use halfkey_mpc::{Change, Export, ExportParams, KeyShare, Keygen, NextShares};
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use crate::customer::{
    Signing, Wallet, attempt_path, collect, identity, last_round, next_round, outgoing, prove, step,
};
use crate::world::{Answer, World};

/// A change that has not begun: its parties and the request they make.
pub(crate) struct Changing {
    parties: Vec<(PartyIndex, Keygen)>,
    pub(crate) request: ChangeRequest,
}

impl Changing {
    pub(crate) fn refresh(world: &World, wallet: &Wallet, generation: u64) -> Self {
        let scheme = wallet.shares[0].header().scheme;
        Self::new(
            world,
            wallet,
            generation,
            (ChangeOperation::Refresh, scheme),
        )
    }

    pub(crate) fn new(
        world: &World,
        wallet: &Wallet,
        generation: u64,
        (operation, scheme): (ChangeOperation, ThresholdSignatureScheme),
    ) -> Self {
        let first = &wallet.shares[0];
        let header = first.header();
        let next = NextShares {
            operation,
            scheme,
            lost: None,
            generation: Generation(generation),
            attempt: AttemptId::generate(&mut os_rng()),
            share_set: match operation {
                ChangeOperation::Refresh => header.share_set,
                _ => ShareSetId::generate(&mut os_rng()),
            },
            ceremony: CeremonyId::generate(&mut os_rng()),
        };
        let change = Change::new(first, &next).unwrap();
        let key = identity(world);
        let party = |party: &PartyIndex| {
            let old = wallet
                .shares
                .iter()
                .find(|one| one.header().party == *party);
            let old = old.map(|old| &**old);
            let keygen = Keygen::customer_change(change.clone(), *party, old, &key, os_rng());
            (*party, keygen.unwrap())
        };
        let mut parties: Vec<_> = PartyIndex::customers(scheme).iter().map(party).collect();
        let messages = collect(&mut parties, &mut Vec::new());
        let request = ChangeRequest {
            backup_horizon_ms: None,
            operation,
            new_threshold_signature_scheme: scheme,
            lost: None,
            new_generation: next.generation,
            new_attempt_id: next.attempt,
            share_set_id: next.share_set,
            compromised: false,
            share_proof: None,
            ceremony: CeremonyOpen {
                ceremony_id: next.ceremony,
                generation: header.generation,
                attempt_id: header.attempt,
                messages,
            },
        };
        Self { parties, request }
    }

    /// What its start proof has to name.
    pub(crate) const fn start(&self) -> (ProofOperation, AttemptId) {
        let operation = self.request.operation.start_proof();
        (operation, self.request.new_attempt_id)
    }

    pub(crate) async fn open(&self, world: &World, wallet: &Wallet, token: &str) -> Answer {
        let route = match self.request.operation {
            ChangeOperation::Refresh => "refresh",
            _ => "reshare",
        };
        let path = world.sdk(&format!("/{}/{route}", wallet.id));
        world
            .send(Method::POST, &path, token, Some(&self.request))
            .await
    }

    /// The ceremony after its first reply: the wallet as it would be, nothing proven yet.
    pub(crate) async fn run(
        mut self,
        world: &World,
        wallet: &Wallet,
        token: &str,
        opened: &CeremonyReply,
    ) -> Wallet {
        let mut done = Vec::new();
        let session = world.authenticate(token).await;
        let round = next_round(&mut self.parties, opened, &mut done);
        let path = step(opened);
        let last = world.send(Method::POST, &path, &session, Some(&round));
        let last: CeremonyReply = last.await.ok();
        assert_eq!(last.next, None);
        next_round(&mut self.parties, &last, &mut done);
        Wallet {
            id: wallet.id,
            attempt: self.request.new_attempt_id,
            address: wallet.address.clone(),
            shares: done.into_iter().map(Arc::new).collect(),
        }
    }
}

/// A change up to its staged generation.
pub(crate) async fn staged(
    world: &World,
    wallet: &Wallet,
    token: &str,
    changing: Changing,
) -> Wallet {
    prove_start(world, token, &wallet.shares[0], changing.start()).await;
    let opened: CeremonyReply = changing.open(world, wallet, token).await.ok();
    changing.run(world, wallet, token, &opened).await
}

/// A refresh all the way.
pub(crate) async fn refresh(
    world: &World,
    wallet: &Wallet,
    token: &str,
    generation: u64,
) -> Wallet {
    let changing = Changing::refresh(world, wallet, generation);
    let next = staged(world, wallet, token, changing).await;
    for share in &next.shares {
        prove(world, &next, share, ProofOperation::Change).await;
    }
    assert_eq!(commit_change(world, &next, token).await.status, 200);
    next
}

pub(crate) async fn commit_change(world: &World, next: &Wallet, token: &str) -> Answer {
    let path = attempt_path(world, next, "commit");
    let body = CommitRequest {
        unproven: false,
        escrow: None,
    };
    world.send(Method::POST, &path, token, Some(&body)).await
}

/// An export's request without any proof.
pub(crate) fn export_request(share: &Arc<KeyShare>, export: AttemptId) -> ExportRequest {
    let params = ExportParams {
        ceremony: CeremonyId::generate(&mut os_rng()),
        export,
        counterparty: PartyIndex::PROVIDER,
        recipient: None,
    };
    let ceremony_id = params.ceremony;
    let mut run = Export::customer(Arc::clone(share), params, os_rng()).unwrap();
    let (messages, _) = outgoing(&mut run);
    let header = share.header();
    ExportRequest {
        export_id: export,
        share_proof: None,
        recipient: None,
        ceremony: CeremonyOpen {
            ceremony_id,
            generation: header.generation,
            attempt_id: header.attempt,
            messages,
        },
    }
}

pub(crate) async fn export(
    world: &World,
    wallet: &Wallet,
    token: &str,
    request: &ExportRequest,
) -> Answer {
    let path = world.sdk(&format!("/{}/export", wallet.id));
    world.send(Method::POST, &path, token, Some(request)).await
}

/// A start proof of this very share for the operation and the attempt to come.
pub(crate) async fn prove_start(
    world: &World,
    token: &str,
    share: &Arc<KeyShare>,
    (operation, attempt): (ProofOperation, AttemptId),
) {
    let header = share.header();
    let message = proof_message(
        &header.environment,
        header.wallet,
        header.generation,
        attempt,
        operation,
    );
    let input = match header.chain {
        ChainName::Evm => SigningInput::Digest(Sha256::digest(&message).into()),
        _ => SigningInput::Message(message),
    };
    let mut signing = Signing::new(share, Operation::Proof, input);
    let request = ProveRequest {
        operation,
        ceremony: signing.open.clone(),
    };
    let path = world.sdk(&format!("/{}/attempts/{attempt}/prove", header.wallet));
    let session = world.authenticate(token).await;
    let opened = world.send(Method::POST, &path, token, Some(&request)).await;
    let opened: CeremonyReply = opened.ok();
    let round = last_round(&mut signing, share, &opened);
    let path = step(&opened);
    let last = world
        .send(Method::POST, &path, &session, Some(&round))
        .await;
    last.ok::<CeremonyReply>();
}
