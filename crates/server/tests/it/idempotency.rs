//! Idempotency keys (custody rule 26).

use std::time::Duration;

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    AttemptReply, AttemptState, AuthenticateReply, CeremonyReply, CommitReply, CommitRequest, Scope,
};
use halfkey_mpc::age::Identity;
use reqwest::Method;
use serde_json::{Value, json};

use crate::customer::{Creating, EVM, SVM, attempt_path, prove, step};
use crate::delegated::all_token;
use crate::slots::database;
use crate::world::{Answer, World, answer};

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
        .post(
            &commit,
            &CommitRequest {
                unproven: false,
                escrow: None,
            },
        )
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
        .post_with_key(
            &commit,
            "c",
            &CommitRequest {
                unproven: true,
                escrow: None,
            },
        )
        .await;
    let first: CommitReply = answer.ok();
    let answer = world
        .post_with_key(
            &commit,
            "c",
            &CommitRequest {
                unproven: false,
                escrow: None,
            },
        )
        .await;
    answer.refused(422, "idempotency_mismatch");
    let again: CommitReply = world
        .post_with_key(
            &commit,
            "c",
            &CommitRequest {
                unproven: true,
                escrow: None,
            },
        )
        .await
        .ok();
    assert_eq!(first, again);
}

/// How many sessions were ever issued.
async fn sessions_issued(world: &World) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM activities WHERE kind = 'session.issued'")
        .fetch_one(&mut database(world).await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_authentication_is_the_same_session_while_it_lives() {
    let world = World::start().await;
    let path = format!("/environments/{}/waas/authenticate", world.environment);
    let authenticate = async |token: &str, body: &'static str| {
        let request = world
            .http
            .post(world.url(&path))
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", "key")
            .body(body);
        answer(request).await
    };
    let before = sessions_issued(&world).await;
    let first = authenticate(&world.token, "").await;
    world.clock.advance(Duration::from_secs(599));
    let again = authenticate(&world.token, "").await;
    assert_eq!((first.status, &first.bytes), (200, &again.bytes));
    assert_eq!(sessions_issued(&world).await - before, 1);
    let reply: AuthenticateReply = again.ok();
    assert!(reply.activity.is_some());
    let list = format!("/environments/{}/waas/wallets", world.environment);
    let jwt = &reply.encoded_jwts.jwt;
    let listed = world.send(Method::GET, &list, jwt, None::<&()>).await;
    assert_eq!(listed.status, 200);

    authenticate(&world.token, "other")
        .await
        .refused(422, "idempotency_mismatch");
    // The key is the token's own.
    let other = world.new_token(&Scope::DEFAULT, None).await;
    assert_ne!(authenticate(&other, "").await.bytes, first.bytes);

    // A session that is over is not given again.
    world.clock.advance(Duration::from_secs(1));
    let next: AuthenticateReply = authenticate(&world.token, "").await.ok();
    assert_ne!(&next.encoded_jwts.jwt, jwt);
    assert_eq!(sessions_issued(&world).await - before, 3);
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

async fn keyed(world: &World, token: &str, key: &str, request: &Sent) -> Answer {
    let (method, path, body) = request;
    let request = world
        .http
        .request(method.clone(), world.url(path))
        .header("authorization", format!("Bearer {token}"))
        .header("idempotency-key", key)
        .header("content-type", "application/json")
        .body(body.to_string());
    answer(request).await
}

type Sent = (Method, String, Value);

/// Requests, each with another one to the same route.
fn requests(at: &dyn Fn(&str) -> String, id: &str, recipient: &str) -> Vec<(Sent, Sent)> {
    let post = |path: &str, body: Value| (Method::POST, at(path), body);
    let pair = |path: &str, one: Value, other: Value| (post(path, one), post(path, other));
    let hook = |method: Method, body: Value| (method, at(&format!("/webhooks/{id}")), body);
    let rotate = |on: bool| json!({ "rotateSecret": true, "isEnabled": on });
    let [a, b] = ["a", "b"].map(|text| json!({ "reason": text }));
    let [hook_a, hook_b] =
        ["a", "b"].map(|text| json!({ "url": format!("http://127.0.0.1:9/{text}") }));
    let [add_a, add_b] = ["a", "b"].map(|text| json!({ "recipient": recipient, "name": text }));
    let remove = format!("/waas/exportRecipients/{recipient}/remove");
    vec![
        pair("/waas/freeze", a.clone(), b.clone()),
        pair("/waas/unfreeze", a.clone(), b.clone()),
        pair("/webhooks", hook_a, hook_b),
        (
            hook(Method::PUT, rotate(true)),
            hook(Method::PUT, rotate(false)),
        ),
        pair("/waas/exportRecipients", add_a, add_b),
        pair(&remove, a.clone(), b.clone()),
        pair("/waas/tokens/revokeOthers", a.clone(), b.clone()),
        (hook(Method::DELETE, a), hook(Method::DELETE, b)),
    ]
}

/// Each of these has one effect under one key, however often and late it comes: the first reply is
/// given again, and another request under the same key is refused.
#[tokio::test(flavor = "multi_thread")]
async fn every_other_effect_happens_once_under_its_key() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let at = |path: &str| format!("/environments/{}{path}", world.environment);
    let recipient = Identity::generate(&mut os_rng()).recipient().to_string();
    let body = json!({ "url": "http://127.0.0.1:9/" });
    let made = (Method::POST, at("/webhooks"), body);
    let made = keyed(&world, &token, "first", &made).await.json();
    let id = made["webhookId"].as_str().unwrap();
    let rows = requests(&at, id, &recipient);
    for (number, (request, other)) in rows.iter().enumerate() {
        let key = format!("key {number}");
        let first = keyed(&world, &token, &key, request).await;
        assert!(first.status < 300, "{request:?}: {}", first.status);
        let before = entries(&world).await;
        let again = keyed(&world, &token, &key, request).await;
        let replies = [first, again].map(|answer| (answer.status, answer.bytes));
        assert_eq!(replies[0], replies[1], "{request:?}");
        assert_eq!(
            entries(&world).await,
            before,
            "{request:?} had an effect again"
        );
        keyed(&world, &token, &key, other)
            .await
            .refused(422, "idempotency_mismatch");
    }
    // A late repeat of the freeze, after the unfreeze, holds nothing.
    keyed(&world, &token, "key 0", &rows[0].0)
        .await
        .ok::<Value>();
    let freezes = at("/waas/freezes");
    let freezes = world.send(Method::GET, &freezes, &token, None::<&()>).await;
    assert_eq!(freezes.json()["freezes"], json!([]));
}

async fn entries(world: &World) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM activities")
        .fetch_one(&mut database(world).await)
        .await
        .unwrap()
}
