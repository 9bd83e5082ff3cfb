//! Idempotency keys (custody rule 26).

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{AttemptReply, AttemptState, CeremonyReply, CommitReply, CommitRequest};

use crate::customer::{Creating, EVM, SVM, attempt_path, prove, step};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_create_is_a_new_attempt_until_the_commit() {
    let world = World::start().await;
    let create = world.sdk("/create");
    let state = async |attempt| {
        let path = world.sdk(&format!("/attempts/{attempt}"));
        world.get(&path).await.ok::<AttemptReply>().state
    };

    // The first stops half-way, the second after staging, the third is committed.
    let mut first = Creating::new(&world, SVM);
    let opened: CeremonyReply = world
        .post_with_key(&create, "key", &first.request)
        .await
        .ok();
    let first_round = first.answer(&opened, &mut Vec::new());
    let (first_step, first_attempt) = (step(&opened), first.request.ceremony.attempt_id);

    let mut second = Creating::new(&world, SVM);
    let mut done = Vec::new();
    let opened: CeremonyReply = world
        .post_with_key(&create, "key", &second.request)
        .await
        .ok();
    let second_attempt = second.request.ceremony.attempt_id;
    assert_eq!(state(first_attempt).await, AttemptState::Aborted);
    world
        .post(&first_step, &first_round)
        .await
        .refused(409, "ceremony_gone");
    let round = second.answer(&opened, &mut done);
    world
        .post(&step(&opened), &round)
        .await
        .ok::<CeremonyReply>();
    assert_eq!(state(second_attempt).await, AttemptState::Staged);

    let mut third = Creating::new(&world, SVM);
    let mut done = Vec::new();
    let opened: CeremonyReply = world
        .post_with_key(&create, "key", &third.request)
        .await
        .ok();
    assert_eq!(state(second_attempt).await, AttemptState::Aborted);
    let round = third.answer(&opened, &mut done);
    let last: CeremonyReply = world.post(&step(&opened), &round).await.ok();
    let (wallet, _) = third.finish(&last, done);
    prove(&world, &wallet, &wallet.shares[0], ProofOperation::Create).await;
    let commit = attempt_path(&world, &wallet, "commit");
    world
        .post(&commit, &CommitRequest { unproven: false })
        .await
        .ok::<CommitReply>();

    let fourth = Creating::new(&world, SVM);
    let answer = world.post_with_key(&create, "key", &fourth.request).await;
    answer.refused(409, "wallet_exists");
    let payload = &answer.json()["payload"];
    assert_eq!(payload["walletId"], wallet.id.to_string());
    assert_eq!(payload["accountAddress"], wallet.address);
    assert_eq!(payload["attemptId"], wallet.attempt.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_for_another_request_is_refused() {
    let world = World::start().await;
    let create = world.sdk("/create");
    let first = Creating::new(&world, SVM).request;
    world
        .post_with_key(&create, "key", &first)
        .await
        .ok::<CeremonyReply>();
    let other = Creating::new(&world, EVM).request;
    let answer = world.post_with_key(&create, "key", &other).await;
    answer.refused(422, "idempotency_mismatch");
    for bad in ["", &"k".repeat(201)] {
        let request = Creating::new(&world, SVM).request;
        world
            .post_with_key(&create, bad, &request)
            .await
            .refused(400, "invalid_request");
    }

    let wallet = crate::customer::keygen(&world, SVM).await;
    let commit = attempt_path(&world, &wallet, "commit");
    let answer = world
        .post_with_key(&commit, "c", &CommitRequest { unproven: true })
        .await;
    let first: CommitReply = answer.ok();
    let answer = world
        .post_with_key(&commit, "c", &CommitRequest { unproven: false })
        .await;
    answer.refused(422, "idempotency_mismatch");
    let again: CommitReply = world
        .post_with_key(&commit, "c", &CommitRequest { unproven: true })
        .await
        .ok();
    assert_eq!(first, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_identical_repeat_of_the_opening_gets_the_same_reply() {
    let world = World::start().await;
    let create = world.sdk("/create");
    let mut creating = Creating::new(&world, SVM);
    let first = world.post_with_key(&create, "key", &creating.request).await;
    let again = world.post_with_key(&create, "key", &creating.request).await;
    assert_eq!((first.status, &first.bytes), (200, &again.bytes));
    // It is still one ceremony, and goes on.
    let opened: CeremonyReply = again.ok();
    let round = creating.answer(&opened, &mut Vec::new());
    let last: CeremonyReply = world.post(&step(&opened), &round).await.ok();
    assert!(last.created.is_some());
    // Late, it is an old step: refused, and nothing else happens.
    let late = world.post_with_key(&create, "key", &creating.request).await;
    late.refused(409, "ceremony_gone");
    let path = world.sdk(&format!(
        "/attempts/{}",
        creating.request.ceremony.attempt_id
    ));
    assert_eq!(
        world.get(&path).await.ok::<AttemptReply>().state,
        AttemptState::Staged
    );
}
