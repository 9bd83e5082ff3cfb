//! The list of keys that exports may go to (custody rule 28).

use std::time::Duration;

use halfkey_core::random::os_rng;
use halfkey_core::wire::{RecipientReply, RecipientsReply, Scope};
use halfkey_mpc::age::Identity;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::slots::database;
use crate::world::{Answer, World};

struct List {
    world: World,
    path: String,
    token: String,
}

impl List {
    async fn of(world: World) -> Self {
        let path = format!("/environments/{}/waas/exportRecipients", world.environment);
        let token = world
            .new_token(&[Scope::Recipients, Scope::Read], None)
            .await;
        Self { world, path, token }
    }

    async fn add(&self, key: &str, name: &str) -> Answer {
        let body = json!({ "recipient": key, "name": name });
        let sent = self
            .world
            .send(Method::POST, &self.path, &self.token, Some(&body));
        sent.await
    }

    async fn remove(&self, key: &str) -> Answer {
        let path = format!("{}/{key}/remove", self.path);
        let body = json!({});
        let sent = self
            .world
            .send(Method::POST, &path, &self.token, Some(&body));
        sent.await
    }

    async fn listed(&self) -> RecipientsReply {
        self.world.get(&self.path).await.ok()
    }
}

fn key() -> String {
    Identity::generate(&mut os_rng()).recipient().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_onto_the_list_and_off_it_and_the_log_says_so() {
    let mut list = List::of(World::start().await).await;
    let before = list.listed().await;
    assert_eq!((before.recipients.len(), before.is_required), (0, false));
    let (one, two) = (key(), key());
    let added: RecipientReply = list.add(&one, "safe 1").await.ok();
    assert_eq!(added.recipient.recipient, one);
    assert_eq!(added.recipient.usable_at, added.recipient.added_at);
    // A repeat changes nothing, upper case is the same key, and neither is logged.
    let again: RecipientReply = list.add(&one.to_uppercase(), "other").await.ok();
    assert_eq!(again.recipient, added.recipient);
    assert!(again.activity.is_none());
    let _: RecipientReply = list.add(&two, "safe 2").await.ok();
    list.world.crash_and_up().await;
    let names: Vec<_> = list.listed().await.recipients;
    let names: Vec<_> = names.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["safe 1", "safe 2"]);

    let _: RecipientReply = list.remove(&one).await.ok();
    list.remove(&one).await.refused(404, "not_found");
    let _: RecipientReply = list.remove(&two).await.ok();
    // An empty list is no way back to exports in clear.
    let after = list.listed().await;
    assert_eq!((after.recipients.len(), after.is_required), (0, true));
    let rows =
        sqlx::query("SELECT kind FROM activities WHERE kind LIKE 'recipient.%' ORDER BY kind")
            .fetch_all(&mut database(&list.world).await)
            .await
            .unwrap();
    let kinds: Vec<String> = rows.iter().map(|row| row.get("kind")).collect();
    let expected = ["added", "added", "removed", "removed"].map(|kind| format!("recipient.{kind}"));
    assert_eq!(kinds, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_or_has_no_name_is_refused() {
    let list = List::of(World::start().await).await;
    let good = key();
    let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    for bad in [
        "",
        "age1",
        good.strip_prefix('a').unwrap(),
        secret,
        "ssh-ed25519 AAAA",
    ] {
        let refused = list.add(bad, "x").await;
        assert!(bad.len() < 8 || !String::from_utf8_lossy(&refused.bytes).contains(bad));
        refused.refused(400, "invalid_request");
    }
    let long = "x".repeat(101);
    for name in ["", &long] {
        list.add(&good, name).await.refused(400, "invalid_request");
    }
    assert!(!list.listed().await.is_required);
    for _ in 0..64 {
        let _: RecipientReply = list.add(&key(), "x").await.ok();
    }
    list.add(&good, "x").await.refused(429, "too_many_requests");
}

/// Neither a repeat nor a restart shortens the wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_waits_as_long_as_the_provider_says() {
    let mut list = List::of(World::start().await).await;
    let delay = Duration::from_hours(24);
    list.world
        .restart_with(|config| config.limits.recipient_delay = delay)
        .await;
    let one = key();
    let added: RecipientReply = list.add(&one, "x").await.ok();
    let wait = added.recipient.usable_at.0 - added.recipient.added_at.0;
    assert_eq!(u128::try_from(wait).unwrap(), delay.as_millis());
    list.world.restart().await;
    let again: RecipientReply = list.add(&one, "x").await.ok();
    assert_eq!(again.recipient.usable_at, added.recipient.usable_at);
    // Taken off and put on again, it waits again.
    list.world
        .restart_with(|config| config.limits.recipient_delay = delay)
        .await;
    let _: RecipientReply = list.remove(&one).await.ok();
    list.world.clock.advance(Duration::from_hours(1));
    let anew: RecipientReply = list.add(&one, "x").await.ok();
    assert!(anew.recipient.usable_at > added.recipient.usable_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_environment_has_a_list_of_its_own() {
    let list = List::of(World::start().await).await;
    let _: RecipientReply = list.add(&key(), "x").await.ok();
    let path = "/environments/stranger/waas/exportRecipients";
    let sent = list
        .world
        .send(Method::GET, path, &list.token, None::<&Value>);
    sent.await.refused(404, "not_found");
}
