//! Freezes: at once, through restarts, on every route and every round (custody rule 28).

use halfkey_core::wire::{CeremonyReply, FreezeReply, FreezesReply, RevokeOthersReply, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use crate::customer::{EVM, SVM, Wallet, create, keygen, sign_path, sign_request, step};
use crate::world::{Answer, World};

struct Brake {
    token: String,
}

impl Brake {
    async fn of(world: &World) -> Self {
        let scopes = [Scope::Freeze, Scope::Unfreeze, Scope::Read];
        let token = world.new_token(&scopes, None).await;
        Self { token }
    }

    async fn post(&self, world: &World, route: &str, body: &Value) -> Answer {
        let path = format!("/environments/{}/waas/{route}", world.environment);
        world
            .send(Method::POST, &path, &self.token, Some(body))
            .await
    }

    async fn freeze(&self, world: &World, wallet: Option<&str>) -> FreezeReply {
        let body = json!({ "walletId": wallet, "reason": "drill" });
        self.post(world, "freeze", &body).await.ok()
    }

    async fn unfreeze(&self, world: &World, wallet: Option<&str>) -> Answer {
        let body = json!({ "walletId": wallet });
        self.post(world, "unfreeze", &body).await
    }
}

async fn frozen(world: &World) -> usize {
    let path = format!("/environments/{}/waas/freezes", world.environment);
    let reply: FreezesReply = world.get(&path).await.ok();
    reply.freezes.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_environment_signs_and_makes_nothing_until_it_is_unfrozen() {
    let mut world = World::start().await;
    let wallet = create(&world, SVM).await;
    let sign = async |world: &World| {
        let (_, body) = sign_request(&wallet.shares[0], b"x");
        world.post(&sign_path(world, &wallet), &body).await
    };
    let _: CeremonyReply = sign(&world).await.ok();
    let brake = Brake::of(&world).await;
    let held = brake.freeze(&world, None).await;
    assert!(held.activity.is_some());
    sign(&world).await.refused(423, "frozen");
    // A repeat keeps the first reason and is not logged; a crash ends nothing.
    assert!(brake.freeze(&world, None).await.activity.is_none());
    world.crash_and_up().await;
    sign(&world).await.refused(423, "frozen");
    assert_eq!(frozen(&world).await, 1);
    let unfrozen: FreezeReply = brake.unfreeze(&world, None).await.ok();
    assert_eq!(unfrozen.freeze, held.freeze);
    let _: CeremonyReply = sign(&world).await.ok();
    brake.unfreeze(&world, None).await.refused(404, "not_found");
    assert_eq!(frozen(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_wallet_leaves_the_others_alone() {
    let world = World::start().await;
    let (one, other) = (create(&world, SVM).await, create(&world, SVM).await);
    let brake = Brake::of(&world).await;
    brake.freeze(&world, Some(&one.id.to_string())).await;
    let sign = async |wallet: &Wallet| {
        let (_, body) = sign_request(&wallet.shares[0], b"x");
        world.post(&sign_path(&world, wallet), &body).await
    };
    sign(&one).await.refused(423, "frozen");
    let _: CeremonyReply = sign(&other).await.ok();
    // The environment's freeze is another one: each ends by itself.
    brake.freeze(&world, None).await;
    let _: FreezeReply = brake.unfreeze(&world, None).await.ok();
    sign(&one).await.refused(423, "frozen");
    let _: FreezeReply = brake.unfreeze(&world, Some(&one.id.to_string())).await.ok();
    let _: CeremonyReply = sign(&one).await.ok();
}

/// What was under way when the freeze came gets no further.
#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_ends_at_its_next_round() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let (mut signing, body) = sign_request(&wallet.shares[0], b"x");
    let opened: CeremonyReply = world.post(&sign_path(&world, &wallet), &body).await.ok();
    let (next, round) = (step(&opened), signing.answer(&opened));
    let brake = Brake::of(&world).await;
    brake.freeze(&world, None).await;
    world.post(&next, &round).await.refused(423, "frozen");
    let _: FreezeReply = brake.unfreeze(&world, None).await.ok();
    // Nor is it there any more afterwards: a freeze ends ceremonies, it does not pause them.
    world
        .post(&next, &round)
        .await
        .refused(409, "ceremony_gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_freezes_are_refused() {
    let world = World::start().await;
    let brake = Brake::of(&world).await;
    let long = "x".repeat(501);
    for reason in ["", &long] {
        let body = json!({ "reason": reason });
        let refused = brake.post(&world, "freeze", &body).await;
        refused.refused(400, "invalid_request");
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    let body = json!({ "walletId": unknown, "reason": "x" });
    let refused = brake.post(&world, "freeze", &body).await;
    refused.refused(404, "not_found");
    assert_eq!(frozen(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_token_ends_with_its_sessions() {
    let world = World::start().await;
    let brake = Brake::of(&world).await;
    let stolen = world.new_token(&Scope::ALL, None).await;
    let session = world.authenticate(&stolen).await;
    let path = "tokens/revokeOthers";
    let reply: RevokeOthersReply = brake.post(&world, path, &json!({})).await.ok();
    assert_eq!(reply.revoked.len(), 2);
    let list = format!("/environments/{}/waas/wallets", world.environment);
    for credential in [&stolen, &session, &world.token, &world.jwt] {
        let sent = world.send(Method::GET, &list, credential, None::<&()>);
        sent.await.refused(401, "unauthenticated");
    }
    let sent = world.send(Method::GET, &list, &brake.token, None::<&()>);
    assert_eq!(sent.await.status, 200);
    let again: RevokeOthersReply = brake.post(&world, path, &json!({})).await.ok();
    assert!(again.revoked.is_empty() && again.activity.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_staged_before_the_freeze_is_not_committed_under_it() {
    let world = World::start().await;
    let pending = keygen(&world, SVM).await;
    Brake::of(&world).await.freeze(&world, None).await;
    let path = world.sdk(&format!(
        "/{}/attempts/{}/commit",
        pending.id, pending.attempt
    ));
    let body = json!({ "unproven": true });
    world.post(&path, &body).await.refused(423, "frozen");
}
