//! Attempt states (custody rule 6) and what commit needs (rule 7).

use std::sync::Arc;

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{
    AbortReply, AttemptReply, AttemptState, CeremonyReply, CommitReply, Operation, ProofState,
    ProveRequest, WalletReply, WalletState,
};
use halfkey_core::{AttemptId, Signature, ThresholdSignatureScheme};
use halfkey_mpc::KeyShare;

use crate::customer::{
    Creating, Kind, SVM, Signing, attempt_path, commit, create, keygen, last_round, proof_input,
    prove, sign_path, sign_request, step,
};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn commit_is_repeatable_and_beats_a_later_abort() {
    let world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    commit(&world, &wallet, false)
        .await
        .refused(409, "proof_missing");
    prove(&world, &wallet, &wallet.shares[0], ProofOperation::Create).await;
    let first: CommitReply = commit(&world, &wallet, false).await.ok();
    let again: CommitReply = commit(&world, &wallet, false).await.ok();
    assert_eq!(first, again);
    let abort: AbortReply = world
        .post(&attempt_path(&world, &wallet, "abort"), &())
        .await
        .ok();
    assert_eq!(abort.attempt.state, AttemptState::Committed);
    assert_eq!(abort.activity, first.activity);
    let (_, request) = sign_request(&wallet.shares[0], b"still signs");
    assert_eq!(
        world
            .post(&sign_path(&world, &wallet), &request)
            .await
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn abort_is_a_tombstone_that_beats_a_later_commit() {
    let mut world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    prove(&world, &wallet, &wallet.shares[0], ProofOperation::Create).await;
    let path = attempt_path(&world, &wallet, "abort");
    let first: AbortReply = world.post(&path, &()).await.ok();
    assert_eq!(first.attempt.state, AttemptState::Aborted);
    let again: AbortReply = world.post(&path, &()).await.ok();
    assert_eq!(first, again);
    world.restart().await;
    commit(&world, &wallet, false)
        .await
        .refused(409, "attempt_aborted");
    commit(&world, &wallet, true)
        .await
        .refused(409, "attempt_aborted");
    let (_, input) = proof_input(&wallet.shares[0], ProofOperation::Create);
    let signing = Signing::new(&wallet.shares[0], Operation::Proof, input);
    let request = ProveRequest {
        operation: ProofOperation::Create,
        ceremony: signing.open,
    };
    let answer = world
        .post(&attempt_path(&world, &wallet, "prove"), &request)
        .await;
    answer.refused(409, "attempt_aborted");
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    let answer = world.post(&sign_path(&world, &wallet), &request).await;
    answer.refused(409, "wallet_not_active");
    let path = world.sdk(&format!("/byWalletAddress/{}", wallet.address));
    world.get(&path).await.refused(404, "not_found");
    let path = format!("/environments/{}/waas/{}", world.environment, wallet.id);
    let reply: WalletReply = world.get(&path).await.ok();
    assert_eq!(reply.summary.state, WalletState::Aborted);
}

#[tokio::test(flavor = "multi_thread")]
async fn abort_before_the_last_round_keeps_the_wallet_from_being_staged() {
    let world = World::start().await;
    let mut creating = Creating::new(&world, SVM);
    let opened: CeremonyReply = world
        .post(&world.sdk("/create"), &creating.request)
        .await
        .ok();
    let attempt = creating.request.ceremony.attempt_id;
    let wallet = "00000000-0000-4000-8000-000000000000";
    let abort = world.sdk(&format!("/{wallet}/attempts/{attempt}/abort"));
    let reply: AbortReply = world.post(&abort, &()).await.ok();
    assert_eq!(reply.attempt.state, AttemptState::Aborted);
    let round = creating.answer(&opened, &mut Vec::new());
    world
        .post(&step(&opened), &round)
        .await
        .refused(409, "ceremony_gone");
    // Nor can a new keygen bring the attempt back.
    let again = Creating::with_attempt(&world, SVM, attempt).request;
    world
        .post(&world.sdk("/create"), &again)
        .await
        .refused(409, "attempt_aborted");
    let path = world.sdk(&format!("/attempts/{attempt}"));
    assert_eq!(
        world.get(&path).await.ok::<AttemptReply>().state,
        AttemptState::Aborted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_wallet_does_not_sign() {
    let world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    let answer = world.post(&sign_path(&world, &wallet), &request).await;
    answer.refused(409, "wallet_not_active");
}

fn begin(share: &Arc<KeyShare>, operation: ProofOperation) -> (Signing, ProveRequest) {
    let (_, input) = proof_input(share, operation);
    let signing = Signing::new(share, Operation::Proof, input);
    let ceremony = signing.open.clone();
    (
        signing,
        ProveRequest {
            operation,
            ceremony,
        },
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_needs_the_signature_it_asked_for() {
    let world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let share = &wallet.shares[0];
    let path = attempt_path(&world, &wallet, "prove");

    // A signature over something else than what the provider built.
    let (mut signing, request) = begin(share, ProofOperation::Create);
    let opened: CeremonyReply = world.post(&path, &request).await.ok();
    let mut round = last_round(&mut signing, share, &opened);
    let Some(Signature::Ed25519(_)) = signing.signature else {
        panic!("no signature")
    };
    round.messages[0].body.0[40] ^= 1;
    world
        .post(&step(&opened), &round)
        .await
        .refused(422, "ceremony_refused");
    commit(&world, &wallet, false)
        .await
        .refused(409, "proof_missing");

    // The wrong length, and no message at all.
    for length in [0, 63, 65] {
        let (mut signing, request) = begin(share, ProofOperation::Create);
        let opened: CeremonyReply = world.post(&path, &request).await.ok();
        let mut round = last_round(&mut signing, share, &opened);
        round.messages[0].body.0.resize(length, 0);
        world
            .post(&step(&opened), &round)
            .await
            .refused(422, "ceremony_refused");
    }
    commit(&world, &wallet, false)
        .await
        .refused(409, "proof_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_for_one_attempt_and_operation() {
    let world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let share = &wallet.shares[0];
    let path = attempt_path(&world, &wallet, "prove");

    // Prove is for committed attempts, create for staged ones.
    let (_, request) = begin(share, ProofOperation::Prove);
    world
        .post(&path, &request)
        .await
        .refused(409, "wallet_not_active");
    prove(&world, &wallet, share, ProofOperation::Create).await;
    commit(&world, &wallet, false).await.ok::<CommitReply>();
    let (_, request) = begin(share, ProofOperation::Create);
    world
        .post(&path, &request)
        .await
        .refused(400, "invalid_request");

    // Somebody else's attempt.
    let other = create(&world, SVM).await;
    let crossed = world.sdk(&format!("/{}/attempts/{}/prove", wallet.id, other.attempt));
    let (_, mut request) = begin(share, ProofOperation::Prove);
    request.ceremony.attempt_id = other.attempt;
    world
        .post(&crossed, &request)
        .await
        .refused(404, "not_found");
    request.ceremony.attempt_id = AttemptId::from_bytes([9; 16]);
    world
        .post(&path, &request)
        .await
        .refused(400, "invalid_request");
    let commit = world.sdk(&format!("/{}/attempts/{}/commit", wallet.id, other.attempt));
    world
        .post(&commit, &serde_json::json!({}))
        .await
        .refused(404, "not_found");
    let abort = world.sdk(&format!("/{}/attempts/{}/abort", wallet.id, other.attempt));
    world.post(&abort, &()).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_commit_and_abort_at_once_exactly_one_wins() {
    let world = World::start().await;
    for _ in 0..12 {
        let wallet = keygen(&world, SVM).await;
        let path = attempt_path(&world, &wallet, "abort");
        let (committed, aborted) =
            tokio::join!(commit(&world, &wallet, true), world.post(&path, &()));
        let state = aborted.ok::<AbortReply>().attempt.state;
        if committed.status == 200 {
            assert_eq!(state, AttemptState::Committed);
        } else {
            committed.refused(409, "attempt_aborted");
            assert_eq!(state, AttemptState::Aborted);
        }
        let path = world.sdk(&format!("/attempts/{}", wallet.attempt));
        assert_eq!(world.get(&path).await.ok::<AttemptReply>().state, state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_proves_once() {
    let world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let share = &wallet.shares[0];
    let path = attempt_path(&world, &wallet, "prove");
    let (mut signing, request) = begin(share, ProofOperation::Create);
    let opened: CeremonyReply = world.post(&path, &request).await.ok();
    let first = last_round(&mut signing, share, &opened);
    world
        .post(&step(&opened), &first)
        .await
        .ok::<CeremonyReply>();
    let (_, request) = begin(share, ProofOperation::Create);
    let opened: CeremonyReply = world.post(&path, &request).await.ok();
    world
        .post(&step(&opened), &first)
        .await
        .refused(422, "ceremony_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_two_of_three_is_proven_once_both_shares_were_seen() {
    let world = World::start().await;
    let kind = Kind {
        scheme: ThresholdSignatureScheme::TwoOfThree,
        ..SVM
    };
    let wallet = keygen(&world, kind).await;
    commit(&world, &wallet, true).await.ok::<CommitReply>();
    let path = world.sdk(&format!("/byWalletAddress/{}", wallet.address));
    for (share, seen) in wallet
        .shares
        .iter()
        .zip([ProofState::Unproven, ProofState::Proven])
    {
        prove(&world, &wallet, share, ProofOperation::Prove).await;
        assert_eq!(
            world.get(&path).await.ok::<WalletReply>().summary.proof,
            seen
        );
    }
}
