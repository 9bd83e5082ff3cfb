//! Encrypted backups as the provider keeps them: it drops one only for another.

use halfkey_core::wire::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::customer::{self, SVM, Wallet};
use crate::world::{Answer, World};

struct Kept {
    world: World,
    wallet: Wallet,
    /// A token that may fetch and replace.
    token: String,
}

impl Kept {
    async fn new() -> Self {
        let world = World::start().await;
        let wallet = customer::create(&world, SVM).await;
        let token = world.new_token(&Scope::ALL, None).await;
        Self {
            world,
            wallet,
            token,
        }
    }

    fn path(&self, what: &str) -> String {
        let wallet = self.wallet.id;
        self.world.sdk(&format!("/{wallet}/keyShares/{what}"))
    }

    async fn store(&self, blob: &str) -> String {
        let body = json!({
            "encryptedAccountCredentials": [blob], "passwordEncrypted": true,
            "encryptionVersion": "v3",
        });
        let stored = self.world.post(&self.path("backup"), &body).await;
        let stored: Value = stored.ok();
        stored["keyShareIds"][0].as_str().unwrap().to_owned()
    }

    async fn locate(&self, credential: &str, ids: &[&str], replaces: &[&str]) -> Answer {
        let place = |id: &&str| json!({ "location": "dynamic", "externalKeyShareId": id });
        let locations: Vec<_> = ids.iter().map(place).collect();
        let body = json!({ "locations": locations, "replaces": replaces });
        let path = self.path("backup/locations");
        self.world
            .send(Method::POST, &path, credential, Some(&body))
            .await
    }

    /// The blobs there are, oldest first.
    async fn blobs(&self) -> Vec<String> {
        let path = self.path("recover");
        let body = json!({ "keyShareIds": [] });
        let sent = self
            .world
            .send(Method::POST, &path, &self.token, Some(&body));
        let reply: Value = sent.await.ok();
        let shares = reply["keyShares"].as_array().unwrap();
        let text = |one: &Value| {
            one["encryptedAccountCredential"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        shares.iter().map(text).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_dropped_only_for_another_and_only_with_the_scope() {
    let kept = Kept::new().await;
    let old = kept.store("b2xk").await;
    let new = kept.store("bmV3").await;
    assert_eq!(kept.store("bmV3").await, new, "the same bytes, the same id");
    let nowhere = "00000000-0000-4000-8000-000000000000";

    // A session may say where backups are, but drops none.
    let session = kept.world.jwt.clone();
    kept.locate(&session, &[&new], &[]).await.ok::<Value>();
    let refused = kept.locate(&session, &[&new], &[&old]).await;
    refused.refused(403, "scope_missing");
    for (ids, replaces, status, code) in [
        (vec![], vec![&*old], 400, "invalid_request"),
        (vec![&*new], vec![&*old, &*new], 400, "invalid_request"),
        (vec![nowhere], vec![&*old], 404, "not_found"),
        (vec![&*new], vec![&*old; 33], 400, "invalid_request"),
    ] {
        let refused = kept.locate(&kept.token, &ids, &replaces).await;
        refused.refused(status, code);
    }
    assert_eq!(kept.blobs().await.len(), 2, "nothing was dropped");

    // A repeat changes nothing.
    for _ in 0..2 {
        let done = kept.locate(&kept.token, &[&new], &[&old]).await;
        done.ok::<Value>();
        assert_eq!(kept.blobs().await, ["bmV3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_another_wallet_is_neither_given_out_nor_dropped() {
    let mut kept = Kept::new().await;
    let theirs = kept.store("dGhlaXJz").await;
    let first = std::mem::replace(&mut kept.wallet, customer::create(&kept.world, SVM).await);
    let ours = kept.store("b3Vycw==").await;
    let done = kept.locate(&kept.token, &[&ours], &[&theirs]).await;
    done.ok::<Value>();
    let path = kept.path("recover");
    let body = json!({ "keyShareIds": [theirs] });
    let sent = kept
        .world
        .send(Method::POST, &path, &kept.token, Some(&body));
    sent.await.refused(404, "not_found");
    kept.wallet = first;
    assert_eq!(kept.blobs().await, ["dGhlaXJz"]);
}

/// A generation has at most 32, and there are two ways on from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_generation_takes_what_replaces_something_and_what_was_made_room_for() {
    let kept = Kept::new().await;
    let mut ids = Vec::new();
    for number in 0..32 {
        ids.push(kept.store(&format!("YmxvYiB{number:02}")).await);
    }
    let body = |blob: &str, replaces: &[&str]| {
        json!({
            "encryptedAccountCredentials": [blob], "passwordEncrypted": true,
            "encryptionVersion": "v3", "replaces": replaces,
        })
    };
    let send = async |credential: &str, what: &str, body: &Value| {
        let path = kept.path(what);
        let sent = kept.world.send(Method::POST, &path, credential, Some(body));
        sent.await
    };
    let (token, session) = (kept.token.as_str(), kept.world.jwt.as_str());
    let full = send(token, "backup", &body("bmV3", &[])).await;
    full.refused(429, "too_many_requests");
    assert!(full.json()["error"].as_str().unwrap().contains("drop"));
    let nowhere = "00000000-0000-4000-8000-000000000000";
    let full = send(token, "backup", &body("bmV3", &[nowhere])).await;
    full.refused(429, "too_many_requests");
    let small = send(session, "backup", &body("bmV3", &[&ids[0]])).await;
    small.refused(403, "scope_missing");
    // What is replaced stays until the other one has its place.
    let stored: Value = send(token, "backup", &body("bmV3", &[&ids[0]])).await.ok();
    let new = stored["keyShareIds"][0].as_str().unwrap();
    assert_eq!(kept.blobs().await.len(), 33);
    let more = send(token, "backup", &body("bW9yZQ==", &[&ids[0]])).await;
    more.refused(429, "too_many_requests");
    let replaced = kept.locate(token, &[new], &[&ids[0]]).await;
    replaced.ok::<Value>();
    assert_eq!(kept.blobs().await.len(), 32);

    let drop = |ids: &[&str]| json!({ "keyShareIds": ids });
    let small = send(session, "backup/drop", &drop(&[&ids[1]])).await;
    small.refused(403, "scope_missing");
    for bad in [vec![], vec![nowhere; 65]] {
        let refused = send(token, "backup/drop", &drop(&bad)).await;
        refused.refused(400, "invalid_request");
    }
    for gone in [2, 0] {
        let dropped = send(token, "backup/drop", &drop(&[&ids[1], &ids[2]])).await;
        let dropped: Value = dropped.ok();
        assert_eq!(dropped["dropped"], gone, "a repeat changes nothing");
    }
    assert_eq!(kept.blobs().await.len(), 30);
    kept.store("bW9yZQ==").await;
}
