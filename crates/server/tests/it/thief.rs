//! Whoever holds a token with every scope, and no share: nothing of a wallet's shares changes and
//! no key leaves without a proof of rule 7 for just that (custody rule 28). What is sent is what
//! the owner would send, but for the proof.

use std::time::Duration;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    AttemptReply, AttemptState, Blob, CeremonyReply, ChangeOperation, Scope, ShareProofBody,
    WalletReply,
};
use halfkey_core::{AttemptId, Generation, PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::simulate::Cheat;
use halfkey_mpc::{KeyShare, ShareProofContext, prove_share};
use reqwest::Method;

use crate::changing::{
    Changing, commit_change, export, export_request, prove_start, refresh, staged,
};
use crate::cheating::cheat;
use crate::customer::{EVM, Kind, SVM, Wallet, attempt_path, create, keygen, prove, sign};
use crate::delegated::all_token;
use crate::world::World;

const THREE: Kind = Kind {
    scheme: TwoOfThree,
    ..SVM
};

/// The attempt was never staged, and the wallet is what it was.
async fn untouched(world: &World, wallet: &Wallet, attempt: AttemptId) {
    let path = world.sdk(&format!("/attempts/{attempt}"));
    let reply: AttemptReply = world.get(&path).await.ok();
    assert_eq!(reply.state, AttemptState::Unknown);
    let path = world.sdk(&format!("/byWalletAddress/{}", wallet.address));
    let reply: WalletReply = world.get(&path).await.ok();
    assert_eq!(
        reply.summary.generation,
        wallet.shares[0].header().generation
    );
    assert!(!reply.summary.custody_origin.exported());
}

async fn refused(world: &World, wallet: &Wallet, token: &str, changing: &Changing) {
    let answer = changing.open(world, wallet, token).await;
    answer.refused(409, "start_unproven");
    untouched(world, wallet, changing.request.new_attempt_id).await;
}

async fn not_exported(world: &World, wallet: &Wallet, token: &str, id: AttemptId) {
    let request = export_request(&wallet.shares[0], id);
    let answer = export(world, wallet, token, &request).await;
    answer.refused(409, "start_unproven");
    untouched(world, wallet, id).await;
}

fn new_id() -> AttemptId {
    AttemptId::generate(&mut os_rng())
}

fn reshare(world: &World, wallet: &Wallet) -> Changing {
    let scheme = match wallet.shares[0].header().scheme {
        TwoOfTwo => TwoOfThree,
        TwoOfThree => TwoOfTwo,
    };
    Changing::new(world, wallet, 1, (ChangeOperation::Reshare, scheme))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_proof_nothing_begins() {
    let world = World::start().await;
    let token = all_token(&world).await;
    for kind in [SVM, EVM, THREE] {
        let wallet = create(&world, kind).await;
        refused(
            &world,
            &wallet,
            &token,
            &Changing::refresh(&world, &wallet, 1),
        )
        .await;
        refused(&world, &wallet, &token, &reshare(&world, &wallet)).await;
        not_exported(&world, &wallet, &token, new_id()).await;
        sign(&world, &wallet, &wallet.shares[0], b"as before").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_proof_is_worth_ten_minutes() {
    let mut world = World::start().await;
    let token = all_token(&world).await;
    let wallet = create(&world, SVM).await;
    let share = &wallet.shares[0];
    let changings = [
        Changing::refresh(&world, &wallet, 1),
        reshare(&world, &wallet),
    ];
    for changing in &changings {
        prove_start(&world, &token, share, changing.start()).await;
    }
    let id = new_id();
    prove_start(&world, &token, share, (ProofOperation::Export, id)).await;
    world
        .clock
        .advance(Duration::from_millis(10 * 60 * 1000 + 1));
    world.jwt = world.authenticate(&token).await;
    for changing in &changings {
        refused(&world, &wallet, &token, changing).await;
    }
    not_exported(&world, &wallet, &token, id).await;
    // The last moment is early enough.
    let changing = Changing::refresh(&world, &wallet, 1);
    prove_start(&world, &token, share, changing.start()).await;
    world.clock.advance(Duration::from_mins(10));
    let opened = changing.open(&world, &wallet, &token).await;
    opened.ok::<CeremonyReply>();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_for_one_attempt_and_one_operation_of_one_wallet() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let wallet = create(&world, SVM).await;
    let other = create(&world, SVM).await;
    let share = &wallet.shares[0];
    let starts = [
        ProofOperation::Refresh,
        ProofOperation::Reshare,
        ProofOperation::ReplaceShare,
        ProofOperation::Export,
        ProofOperation::Delegate,
    ];
    for changing in [
        Changing::refresh(&world, &wallet, 1),
        reshare(&world, &wallet),
    ] {
        let (operation, attempt) = changing.start();
        prove_start(&world, &token, share, (operation, new_id())).await;
        prove_start(&world, &token, &other.shares[0], (operation, attempt)).await;
        for wrong in starts.into_iter().filter(|one| *one != operation) {
            prove_start(&world, &token, share, (wrong, attempt)).await;
        }
        refused(&world, &wallet, &token, &changing).await;
    }
    let id = new_id();
    prove_start(&world, &token, share, (ProofOperation::Export, new_id())).await;
    prove_start(
        &world,
        &token,
        &other.shares[0],
        (ProofOperation::Export, id),
    )
    .await;
    for wrong in starts
        .into_iter()
        .filter(|one| *one != ProofOperation::Export)
    {
        prove_start(&world, &token, share, (wrong, id)).await;
    }
    not_exported(&world, &wallet, &token, id).await;
}

/// A session carries create, sign and read alone, and a token without the scope no more than that.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_scope_the_proof_itself_is_refused() {
    let world = World::start().await;
    let token = world.new_token(&Scope::DEFAULT, None).await;
    let wallet = create(&world, SVM).await;
    for credential in [&token, &world.jwt] {
        for changing in [
            Changing::refresh(&world, &wallet, 1),
            reshare(&world, &wallet),
        ] {
            let answer = changing.open(&world, &wallet, credential).await;
            answer.refused(403, "scope_missing");
        }
        let request = export_request(&wallet.shares[0], new_id());
        let answer = export(&world, &wallet, credential, &request).await;
        answer.refused(403, "scope_missing");
    }
}

fn share_proof(
    share: &KeyShare,
    (operation, attempt): (ProofOperation, AttemptId),
) -> ShareProofBody {
    let header = share.header();
    let context = ShareProofContext {
        environment: header.environment.clone(),
        wallet: header.wallet,
        generation: header.generation,
        attempt,
        operation,
        party: header.party,
    };
    let proof = prove_share(share, &context, &mut os_rng()).unwrap();
    ShareProofBody {
        party: header.party,
        proof: Blob(proof.to_vec()),
    }
}

/// What stands in for a signature under a lock is checked as one, locked or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_proof_of_a_share_starts_nothing() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let wallet = create(&world, EVM).await;
    let stranger = create(&world, EVM).await;
    let share = &wallet.shares[0];
    let mut early = Changing::refresh(&world, &wallet, 1);
    prove_start(&world, &token, share, early.start()).await;
    let id = new_id();
    prove_start(&world, &token, share, (ProofOperation::Export, id)).await;
    for locked in [false, true] {
        if locked {
            let cheated = cheat(&world, &wallet, Cheat::OtExtension).await;
            cheated.refused(403, "peer_misbehaved");
            // Made before the lock: no OT ceremony runs any more, whatever was proven by one.
            refused(&world, &wallet, &token, &early).await;
            not_exported(&world, &wallet, &token, id).await;
        }
        let mut changing = Changing::refresh(&world, &wallet, 1);
        let (operation, attempt) = changing.start();
        let bogus = || {
            let whole = share_proof(share, (operation, attempt));
            let mut bent = whole.clone();
            *bent.proof.0.last_mut().unwrap() ^= 1;
            let mut of_another = share_proof(&stranger.shares[0], (operation, attempt));
            of_another.party = PartyIndex::CUSTOMER_1;
            [
                bent,
                of_another,
                share_proof(share, (operation, new_id())),
                share_proof(share, (ProofOperation::Reshare, attempt)),
                ShareProofBody {
                    proof: Blob(vec![0; whole.proof.0.len()]),
                    ..whole.clone()
                },
                ShareProofBody {
                    proof: Blob(Vec::new()),
                    ..whole
                },
            ]
        };
        for proof in bogus() {
            changing.request.share_proof = Some(proof);
            refused(&world, &wallet, &token, &changing).await;
            let mut request = export_request(share, new_id());
            request.share_proof = changing.request.share_proof.clone();
            let answer = export(&world, &wallet, &token, &request).await;
            answer.refused(409, "start_unproven");
        }
        for party in [PartyIndex::PROVIDER, PartyIndex::CUSTOMER_2] {
            let mut proof = share_proof(share, (operation, attempt));
            proof.party = party;
            changing.request.share_proof = Some(proof);
            let answer = changing.open(&world, &wallet, &token).await;
            answer.refused(400, "invalid_request");
        }
    }
    // The real one starts it: nothing else was wrong with these requests.
    early.request.share_proof = Some(share_proof(share, early.start()));
    early
        .open(&world, &wallet, &token)
        .await
        .ok::<CeremonyReply>();
}

/// Ed25519 proves by signing only.
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_proof_of_a_share_without_ot_starts_nothing() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let wallet = create(&world, SVM).await;
    let bogus = ShareProofBody {
        party: PartyIndex::CUSTOMER_1,
        proof: Blob(vec![7; 64]),
    };
    let mut changing = Changing::refresh(&world, &wallet, 1);
    changing.request.share_proof = Some(bogus.clone());
    refused(&world, &wallet, &token, &changing).await;
    let id = new_id();
    let mut request = export_request(&wallet.shares[0], id);
    request.share_proof = Some(bogus);
    let answer = export(&world, &wallet, &token, &request).await;
    answer.refused(409, "start_unproven");
    untouched(&world, &wallet, id).await;
}

/// Custody rule 3: a commit lists a proof per pair.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_committed_once_every_pair_has_proven_it() {
    let world = World::start().await;
    let token = all_token(&world).await;
    for kind in [SVM, THREE] {
        let wallet = create(&world, kind).await;
        let changing = Changing::refresh(&world, &wallet, 1);
        let next = staged(&world, &wallet, &token, changing).await;
        for share in &next.shares {
            let early = commit_change(&world, &next, &token).await;
            early.refused(409, "proof_missing");
            prove(&world, &next, share, ProofOperation::Change).await;
        }
        // Until then the shares before sign.
        sign(&world, &wallet, &wallet.shares[0], b"before").await;
        assert_eq!(commit_change(&world, &next, &token).await.status, 200);
        sign(&world, &next, &next.shares[0], b"after").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_generations_are_used_once() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let wallet = create(&world, SVM).await;
    let next = refresh(&world, &wallet, &token, 1).await;
    // An attempt that was given up has used its number as well.
    let changing = Changing::refresh(&world, &next, 2);
    let given_up = staged(&world, &next, &token, changing).await;
    let abort = attempt_path(&world, &given_up, "abort");
    let aborted = world.send(Method::POST, &abort, &token, None::<&()>).await;
    assert_eq!(aborted.status, 200);
    for number in [1, 2] {
        let mut changing = Changing::refresh(&world, &next, 3);
        changing.request.new_generation = Generation(number);
        prove_start(&world, &token, &next.shares[0], changing.start()).await;
        let answer = changing.open(&world, &next, &token).await;
        answer.refused(409, "stale_generation");
    }
    let last = refresh(&world, &next, &token, 3).await;
    sign(&world, &last, &last.shares[0], b"the third").await;
}

/// Neither an export nor a change is made twice under one id, however often that is proven.
#[tokio::test(flavor = "multi_thread")]
async fn ids_of_exports_and_attempts_are_used_once() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let wallet = create(&world, SVM).await;
    let share = &wallet.shares[0];
    let id = new_id();
    prove_start(&world, &token, share, (ProofOperation::Export, id)).await;
    let request = export_request(share, id);
    export(&world, &wallet, &token, &request)
        .await
        .ok::<CeremonyReply>();
    prove_start(&world, &token, share, (ProofOperation::Export, id)).await;
    for request in [request, export_request(share, id)] {
        let answer = export(&world, &wallet, &token, &request).await;
        answer.refused(409, "ceremony_conflict");
    }
    let changing = Changing::refresh(&world, &wallet, 1);
    let attempt = changing.request.new_attempt_id;
    let next = staged(&world, &wallet, &token, changing).await;
    let mut again = Changing::refresh(&world, &wallet, 2);
    again.request.new_attempt_id = attempt;
    let answer = again.open(&world, &wallet, &token).await;
    answer.refused(409, "ceremony_conflict");
    let answer = export(&world, &wallet, &token, &export_request(share, attempt)).await;
    answer.refused(409, "ceremony_conflict");
    drop(next);
}

/// A session cannot begin a change, and cannot keep one from its end either.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_ends_by_the_scope_it_begins_with() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let session = world.authenticate(&token).await;
    let refreshes = world.new_token(&[Scope::Read, Scope::Refresh], None).await;
    let reshares = world.new_token(&[Scope::Read, Scope::Reshare], None).await;
    let wallet = create(&world, SVM).await;
    let abort = async |next: &Wallet, by: &str| {
        let path = attempt_path(&world, next, "abort");
        world.send(Method::POST, &path, by, None::<&()>).await
    };

    let changing = Changing::refresh(&world, &wallet, 1);
    let refreshed = staged(&world, &wallet, &token, changing).await;
    for by in [&session, &world.jwt, &reshares] {
        abort(&refreshed, by).await.refused(403, "scope_missing");
    }
    assert_eq!(abort(&refreshed, &refreshes).await.status, 200);
    let changing = Changing::new(&world, &wallet, 2, (ChangeOperation::Reshare, TwoOfThree));
    let reshared = staged(&world, &wallet, &token, changing).await;
    for by in [&session, &refreshes] {
        abort(&reshared, by).await.refused(403, "scope_missing");
    }
    assert_eq!(abort(&reshared, &reshares).await.status, 200);

    // Nobody has heard of it: of a wallet that is there it can only be a change to come.
    let to_come = Wallet {
        attempt: new_id(),
        shares: Vec::new(),
        ..wallet
    };
    abort(&to_come, &session)
        .await
        .refused(403, "scope_missing");
    assert_eq!(abort(&to_come, &token).await.status, 200);
    // A wallet that is being made ends by the scope to make it.
    let pending = keygen(&world, SVM).await;
    let creates = world.new_token(&[Scope::Create], None).await;
    abort(&pending, &refreshes)
        .await
        .refused(403, "scope_missing");
    assert_eq!(abort(&pending, &creates).await.status, 200);
}
