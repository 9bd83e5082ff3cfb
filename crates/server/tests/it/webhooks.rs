//! Webhooks against a real receiver on loopback: signed, retried, told once, and never inside.

use std::time::Duration;

use aws_lc_rs::hmac;
use halfkey_core::wire::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::customer::{SVM, create};
use crate::delegated::{all_token, delegate, revoke};
use crate::world::World;

/// One message, as it came.
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> String {
        let line = self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        });
        line.unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

struct Receiver(TcpListener);

impl Receiver {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.0.local_addr().unwrap())
    }

    /// Takes one message while the provider sends what is due, and answers it.
    async fn take(&self, world: &World, answer: &str) -> Got {
        let (got, ()) = tokio::join!(self.answer(answer), world.server().send_webhooks());
        got
    }

    async fn answer(&self, answer: &str) -> Got {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut got = Got {
            head,
            body: bytes[end..].to_vec(),
        };
        let length: usize = got.header("content-length").parse().unwrap();
        while got.body.len() < length {
            assert!(stream.read_buf(&mut got.body).await.unwrap() > 0);
        }
        let answer = format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        got
    }
}

fn path(world: &World, rest: &str) -> String {
    format!("/environments/{}/webhooks{rest}", world.environment)
}

async fn made(world: &World, token: &str, url: &str) -> Value {
    let body = json!({ "url": url });
    let path = path(world, "");
    let answer = world.send(Method::POST, &path, token, Some(&body)).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

async fn messages(world: &World, token: &str, webhook: &Value) -> Vec<Value> {
    let id = webhook["webhookId"].as_str().unwrap();
    let path = path(world, &format!("/{id}/messages"));
    let answer = world.send(Method::GET, &path, token, None::<&()>).await;
    let reply: Value = answer.ok();
    reply["messages"].as_array().unwrap().clone()
}

fn hmac_hex(secret: &str, bytes: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_is_told_signed_and_once() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let receiver = Receiver::new().await;
    let webhook = made(&world, &token, &receiver.url()).await;
    let secret = webhook["secret"].as_str().unwrap();
    let wallet = create(&world, SVM).await;
    let granted = delegate(&world, &wallet).await;
    let got = receiver.take(&world, "200 OK").await;
    let body = got.json();
    assert_eq!(body["eventName"], "wallet.delegation.created");
    assert_eq!(body["webhookId"], webhook["webhookId"]);
    assert_eq!(body["environmentId"], world.environment.as_str());
    assert_eq!(body["redelivery"], false);
    assert_eq!(body["data"]["delegationId"], granted.id.to_string());
    assert_eq!(body["data"]["publicKey"], wallet.address);
    assert!(body["data"]["encryptedDelegatedShare"]["ct"].is_string());
    // Both signatures, over exactly the bytes that came.
    let published = format!("sha256={}", hmac_hex(secret, &got.body));
    assert_eq!(got.header("x-dynamic-signature-256"), published);
    let timed = got.header("x-halfkey-signature");
    let secs = timed.strip_prefix("t=").unwrap().split(',').next().unwrap();
    assert_eq!(secs, "1767225600");
    let over = [secs.as_bytes(), b".", &got.body].concat();
    assert_eq!(timed, format!("t={secs},v1={}", hmac_hex(secret, &over)));

    let told = messages(&world, &token, &webhook).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["status"], &told[0]["tries"]),
        (&json!("delivered"), &json!(1))
    );
    world.clock.advance(Duration::from_hours(48));
    world.server().send_webhooks().await;
    assert_eq!(messages(&world, &token, &webhook).await[0]["tries"], 1);

    // Asked for again, it is told again, as the same event in another message.
    let token = all_token(&world).await;
    let id = webhook["webhookId"].as_str().unwrap();
    let message = body["messageId"].as_str().unwrap();
    let again = path(&world, &format!("/{id}/messages/{message}/redeliver"));
    // A repeat under its idempotency key is the same redelivery.
    let keyed = async || {
        let request = world.http.post(world.url(&again));
        let request = request.header("authorization", format!("Bearer {token}"));
        let sent = request.header("idempotency-key", "again");
        crate::world::answer(sent).await.ok::<Value>()
    };
    assert_eq!(keyed().await, keyed().await);
    let repeat = receiver.take(&world, "204 No Content").await.json();
    assert_eq!(repeat["redelivery"], true);
    assert_eq!(repeat["eventId"], body["eventId"]);
    assert_ne!(repeat["messageId"], body["messageId"]);

    // A revoked delegation is told as such, and its delivery is gone.
    revoke(&world, &wallet).await;
    let ended = receiver.take(&world, "200 OK").await.json();
    assert_eq!(ended["eventName"], "wallet.delegation.revoked");
    world
        .send(Method::POST, &again, &token, None::<&()>)
        .await
        .refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_tried_by_the_published_schedule() {
    let mut world = World::start().await;
    let token = all_token(&world).await;
    let receiver = Receiver::new().await;
    let webhook = made(&world, &token, &receiver.url()).await;
    let wallet = create(&world, SVM).await;
    delegate(&world, &wallet).await;
    let first = receiver
        .take(&world, "500 Internal Server Error")
        .await
        .json();
    for (tries, secs) in [15_u64, 60, 600, 3_600, 86_400].into_iter().enumerate() {
        // A crash in between loses nothing, and nothing comes early.
        if tries == 2 {
            world.crash_and_up().await;
        }
        world.clock.advance(Duration::from_secs(secs - 1));
        world.server().send_webhooks().await;
        let token = all_token(&world).await;
        let told = messages(&world, &token, &webhook).await;
        assert_eq!(told[0]["tries"], tries + 1, "{told:?}");
        assert_eq!(told[0]["status"], "waiting");
        world.clock.advance(Duration::from_secs(1));
        // A redirect is an answer like any other, and leads nowhere.
        let answer = "302 Found\r\nlocation: http://127.0.0.1:1/";
        let again = receiver.take(&world, answer).await.json();
        assert_eq!(again["messageId"], first["messageId"]);
        assert_eq!(again["eventId"], first["eventId"]);
    }
    let token = all_token(&world).await;
    let told = messages(&world, &token, &webhook).await;
    assert_eq!(told[0]["tries"], 6);
    assert_eq!(told[0]["status"], "failed");
    assert_eq!(told[0]["lastStatus"], 302);
    assert!(told[0]["nextTryAt"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_before_a_revocation_is_not_told_after_it() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let receiver = Receiver::new().await;
    let webhook = made(&world, &token, &receiver.url()).await;
    let wallet = create(&world, SVM).await;
    delegate(&world, &wallet).await;
    let created = receiver
        .take(&world, "503 Service Unavailable")
        .await
        .json();
    assert_eq!(created["eventName"], "wallet.delegation.created");
    revoke(&world, &wallet).await;
    world.clock.advance(Duration::from_secs(20));
    let next = receiver.take(&world, "200 OK").await.json();
    assert_eq!(next["eventName"], "wallet.delegation.revoked");
    let told = messages(&world, &all_token(&world).await, &webhook).await;
    let statuses: Vec<_> = told.iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, ["delivered", "cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_managed_by_their_scope_and_stay_outside() {
    let world = World::with(|config| config.allow_loopback_webhooks.clear()).await;
    let token = all_token(&world).await;
    let sink = Receiver::new().await;
    for url in [
        sink.url(),
        sink.url().replace("127.0.0.1", "127.1"),
        sink.url().replace("http", "https"),
        "https://169.254.169.254/".to_owned(),
        "http://example.com/".to_owned(),
        "https://user@example.com/".to_owned(),
        "https://example.com:22/".to_owned(),
    ] {
        let body = json!({ "url": url });
        world
            .send(Method::POST, &path(&world, ""), &token, Some(&body))
            .await
            .refused(400, "invalid_request");
    }
    let body = json!({ "url": "https://example.com/", "events": ["wallet.exploded"] });
    world
        .send(Method::POST, &path(&world, ""), &token, Some(&body))
        .await
        .refused(400, "invalid_request");
    let webhook = made(&world, &token, "https://example.com/").await;
    let id = webhook["webhookId"].as_str().unwrap();
    let one = path(&world, &format!("/{id}"));
    let small = world.new_token(&[Scope::Read, Scope::Events], None).await;
    for (method, path) in [
        (Method::GET, path(&world, "")),
        (Method::POST, path(&world, "")),
        (Method::GET, one.clone()),
        (Method::DELETE, one.clone()),
    ] {
        let answer = world.send(method, &path, &small, Some(&json!({}))).await;
        answer.refused(403, "scope_missing");
    }
    // The secret is told once, and another one when asked for.
    let shown: Value = world
        .send(Method::GET, &one, &token, None::<&()>)
        .await
        .ok();
    assert!(shown.get("secret").is_none());
    let body = json!({ "rotateSecret": true, "isEnabled": false });
    let rotated: Value = world
        .send(Method::PUT, &one, &token, Some(&body))
        .await
        .ok();
    assert_ne!(rotated["secret"], webhook["secret"]);
    assert_eq!(rotated["isEnabled"], false);
    assert_eq!(rotated["url"], "https://example.com/");
    let body = json!({ "url": "https://10.0.0.1/" });
    world
        .send(Method::PUT, &one, &token, Some(&body))
        .await
        .refused(400, "invalid_request");
    let gone = world.send(Method::DELETE, &one, &token, None::<&()>).await;
    assert_eq!(gone.status, 204);
    world
        .send(Method::GET, &one, &token, None::<&()>)
        .await
        .refused(404, "not_found");
}
