use halfkey_core::wire::{CeremonyReply, CeremonyRound, ListReply};
use halfkey_core::{Generation, PartyIndex, ThresholdSignatureScheme};

use crate::customer::{Creating, Kind, SVM, step};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn create_rejects_what_cannot_be_made() {
    let world = World::start().await;
    let create = world.sdk("/create");
    let good = Creating::new(&world, SVM).request;

    let mut request = good.clone();
    request.chain = "DOGE".to_owned();
    world
        .post(&create, &request)
        .await
        .refused(400, "unknown_chain");

    let mut request = good.clone();
    request.ceremony.generation = Generation(1);
    world
        .post(&create, &request)
        .await
        .refused(409, "stale_generation");

    let mut request = good.clone();
    request.derivation_path = Some(vec![1 << 31]);
    world
        .post(&create, &request)
        .await
        .refused(400, "invalid_request");

    let mut request = good.clone();
    request.address_type = Some("taproot".to_owned());
    world
        .post(&create, &request)
        .await
        .refused(400, "invalid_request");

    let mut request = good.clone();
    request.ceremony.messages.clear();
    world
        .post(&create, &request)
        .await
        .refused(400, "invalid_request");

    let mut request = good.clone();
    request.ceremony.messages[0].body.0.truncate(10);
    world
        .post(&create, &request)
        .await
        .refused(422, "ceremony_refused");

    // The customer's parties started with other parameters than the request names.
    let mut request = good.clone();
    request.derivation_path = Some(vec![1]);
    world
        .post(&create, &request)
        .await
        .refused(422, "ceremony_refused");

    let list = format!("/environments/{}/waas/wallets", world.environment);
    assert!(world.get(&list).await.ok::<ListReply>().wallets.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn customer_to_customer_messages_are_refused() {
    let world = World::start().await;
    let kind = Kind {
        scheme: ThresholdSignatureScheme::TwoOfThree,
        ..SVM
    };
    let create = world.sdk("/create");
    for (from, to) in [(2, 3), (3, 2), (1, 1), (1, 2)] {
        let mut request = Creating::new(&world, kind).request;
        let mut stray = request.ceremony.messages[0].clone();
        stray.from = PartyIndex::try_from(from).unwrap();
        stray.to = PartyIndex::try_from(to).unwrap();
        request.ceremony.messages.push(stray);
        world
            .post(&create, &request)
            .await
            .refused(422, "ceremony_refused");
    }
    let mut request = Creating::new(&world, SVM).request;
    request.ceremony.messages[0].from = PartyIndex::CUSTOMER_2;
    world
        .post(&create, &request)
        .await
        .refused(422, "ceremony_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_round_with_garbage_leaves_no_wallet() {
    let world = World::start().await;
    let mut creating = Creating::new(&world, SVM);
    let opened: CeremonyReply = world
        .post(&world.sdk("/create"), &creating.request)
        .await
        .ok();
    let CeremonyRound { mut messages } = creating.answer(&opened, &mut Vec::new());
    for byte in &mut messages[0].body.0 {
        *byte ^= 0x55;
    }
    let answer = world
        .post(&step(&opened), &CeremonyRound { messages })
        .await;
    answer.refused(422, "ceremony_refused");
    let list = format!("/environments/{}/waas/wallets", world.environment);
    assert!(world.get(&list).await.ok::<ListReply>().wallets.is_empty());
    let path = world.sdk(&format!(
        "/attempts/{}",
        creating.request.ceremony.attempt_id
    ));
    let state: serde_json::Value = world.get(&path).await.ok();
    assert_eq!(state["state"], "unknown");
}
