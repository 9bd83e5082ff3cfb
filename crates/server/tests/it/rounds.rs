//! Steps are one-shot (custody rule 18).

use std::time::Duration;

use halfkey_core::wire::{CeremonyReply, CeremonyRound};

use crate::customer::{Creating, EVM, SVM, create, sign, sign_path, sign_request, step};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_the_last_step_gets_the_reply_that_was_kept() {
    let world = World::start().await;
    let mut creating = Creating::new(&world, SVM);
    let opened: CeremonyReply = world
        .post(&world.sdk("/create"), &creating.request)
        .await
        .ok();
    let round = creating.answer(&opened, &mut Vec::new());
    let path = step(&opened);
    let first = world.post(&path, &round).await;
    let again = world.post(&path, &round).await;
    assert_eq!((first.status, &first.bytes), (200, &again.bytes));

    let wallet = create(&world, EVM).await;
    let (mut signing, request) = sign_request(&wallet.shares[0], b"x");
    let opening = world.post(&sign_path(&world, &wallet), &request).await;
    let repeated = world.post(&sign_path(&world, &wallet), &request).await;
    assert_eq!((opening.status, &opening.bytes), (200, &repeated.bytes));
    let opened: CeremonyReply = repeated.ok();
    let round = signing.answer(&opened);
    let first = world.post(&step(&opened), &round).await;
    let again = world.post(&step(&opened), &round).await;
    assert_eq!((first.status, &first.bytes), (200, &again.bytes));
    signing.answer(&again.ok());
    assert!(signing.signature.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_message_at_a_step_already_taken_ends_the_ceremony() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let path = sign_path(&world, &wallet);

    // At the opening: the ceremony id again, for another message.
    let (mut signing, request) = sign_request(&wallet.shares[0], b"x");
    let opened: CeremonyReply = world.post(&path, &request).await.ok();
    let (_, mut other) = sign_request(&wallet.shares[0], b"y");
    other.ceremony.ceremony_id = request.ceremony.ceremony_id;
    world
        .post(&path, &other)
        .await
        .refused(409, "ceremony_conflict");
    let round = signing.answer(&opened);
    world
        .post(&step(&opened), &round)
        .await
        .refused(409, "ceremony_gone");
    // The id stays used even though the ceremony is forgotten.
    world
        .post(&path, &request)
        .await
        .refused(409, "ceremony_conflict");

    // At the second step.
    let (mut signing, request) = sign_request(&wallet.shares[0], b"x");
    let opened: CeremonyReply = world.post(&path, &request).await.ok();
    let round = signing.answer(&opened);
    world
        .post(&step(&opened), &round)
        .await
        .ok::<CeremonyReply>();
    let mut changed = round.clone();
    changed.messages[0].body.0[100] ^= 1;
    world
        .post(&step(&opened), &changed)
        .await
        .refused(409, "ceremony_conflict");
    world
        .post(&step(&opened), &round)
        .await
        .refused(409, "ceremony_gone");
    sign(&world, &wallet, &wallet.shares[0], b"nothing is locked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_malformed_references_are_gone() {
    let world = World::start().await;
    let round = CeremonyRound {
        messages: Vec::new(),
    };
    for reference in [
        "00".repeat(16),
        "x".to_owned(),
        "0".repeat(31),
        "00".repeat(17),
    ] {
        let path = world.sdk(&format!("/ceremonies/{reference}"));
        world
            .post(&path, &round)
            .await
            .refused(409, "ceremony_gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_ends_at_its_deadline() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let (mut signing, request) = sign_request(&wallet.shares[0], b"x");
    let opened: CeremonyReply = world.post(&sign_path(&world, &wallet), &request).await.ok();
    let round = signing.answer(&opened);
    world.clock.advance(Duration::from_mins(1));
    // Whether or not the reaper has been there.
    world
        .post(&step(&opened), &round)
        .await
        .refused(409, "ceremony_gone");
    world.server().reap().await;
    world
        .post(&step(&opened), &round)
        .await
        .refused(409, "ceremony_gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_ceremonies_are_bounded_and_come_back() {
    let world = World::with(|config| config.limits.create_ceremonies = 3).await;
    let wallet = create(&world, EVM).await;
    let create = world.sdk("/create");
    for _ in 0..3 {
        let request = Creating::new(&world, SVM).request;
        world.post(&create, &request).await.ok::<CeremonyReply>();
    }
    let request = Creating::new(&world, SVM).request;
    let answer = world.post(&create, &request).await;
    answer.refused(429, "too_many_requests");
    assert_eq!(answer.headers["retry-after"], "1");
    // Signatures are counted apart.
    sign(&world, &wallet, &wallet.shares[0], b"x").await;
    world.clock.advance(Duration::from_mins(1));
    world.server().reap().await;
    let request = Creating::new(&world, SVM).request;
    world.post(&create, &request).await.ok::<CeremonyReply>();
}
