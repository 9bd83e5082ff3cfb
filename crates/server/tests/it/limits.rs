//! Bounds on everything a caller can make grow or wait (security rows 44, 46, 48, 53).

use std::time::Duration;

use halfkey_core::wire::{CreateRequest, REQUEST_ID};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::customer::{Creating, SVM};
use crate::world::{World, answer};

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_in_size_and_depth() {
    let world = World::with(|config| config.limits.body_bytes = 100_000).await;
    let path = world.url(&world.sdk("/create"));
    let post = async |body: Vec<u8>, media_type: &str| {
        let request = world
            .http
            .post(&path)
            .header("authorization", format!("Bearer {}", world.jwt))
            .header("content-type", media_type)
            .body(body);
        answer(request).await
    };
    let json = "application/json";
    post(vec![b' '; 100_001], json)
        .await
        .refused(413, "body_too_large");
    post(vec![b' '; 100_000], json)
        .await
        .refused(400, "invalid_request");
    let mut deep = b"{\"chain\":".to_vec();
    deep.extend(vec![b'['; 90_000]);
    post(deep, json).await.refused(400, "invalid_request");
    // 1e5 nested CBOR arrays, a byte string that claims 2^60 bytes, and a map cut short.
    post(vec![0x81; 90_000], "application/cbor")
        .await
        .refused(400, "invalid_request");
    let mut liar = vec![0x5b, 0x10];
    liar.extend([0; 7]);
    post(liar, "application/cbor")
        .await
        .refused(400, "invalid_request");
    post(vec![0xbf], "application/cbor")
        .await
        .refused(400, "invalid_request");
    post(b"{\"chain\":1e400}".to_vec(), json)
        .await
        .refused(400, "invalid_request");
    post(b"{}".to_vec(), "text/plain")
        .await
        .refused(400, "invalid_request");
    post(Vec::new(), json).await.refused(400, "invalid_request");
    let compressed = world
        .http
        .post(&path)
        .header("authorization", format!("Bearer {}", world.jwt))
        .header("content-encoding", "gzip")
        .body("x");
    answer(compressed).await.refused(400, "invalid_request");
    let request: CreateRequest = Creating::new(&world, SVM).request;
    assert_eq!(
        world.post(&world.sdk("/create"), &request).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_has_the_one_body_and_an_id() {
    let world = World::start().await;
    let none = None::<&()>;
    world
        .send(Method::GET, "/nowhere", "", none)
        .await
        .refused(404, "not_found");
    let wrong = world
        .send(Method::PUT, &world.sdk("/create"), &world.jwt, none)
        .await;
    wrong.refused(405, "invalid_request");
    assert_eq!(wrong.headers["allow"], "POST");
    let request = world
        .http
        .get(world.url("/nowhere"))
        .header(REQUEST_ID, "000102030405060708090a0b0c0d0e0f");
    let echoed = answer(request).await;
    assert_eq!(
        echoed.headers[REQUEST_ID],
        "000102030405060708090a0b0c0d0e0f"
    );
    assert_eq!(
        echoed.json()["requestId"],
        "000102030405060708090a0b0c0d0e0f"
    );
    let request = world
        .http
        .get(world.url("/nowhere"))
        .header(REQUEST_ID, "x\u{7f}y");
    if let Ok(request) = request.build() {
        let drawn = world.http.execute(request).await.unwrap();
        assert_eq!(drawn.headers()[REQUEST_ID].len(), 32);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_are_told_to_come_back() {
    let world = World::with(|config| config.limits.requests = 1).await;
    // One request whose body never comes holds the only place.
    let mut slow = TcpStream::connect(world.server().addr()).await.unwrap();
    let head = format!(
        "POST /api/v0{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         expect: 100-continue\r\ncontent-length: 10\r\n\r\n",
        world.sdk("/create"),
        world.jwt
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // The provider asks for the body only from inside the handler.
    let mut first = [0; 12];
    slow.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100");
    let refused = answer(world.http.get(format!("{}/healthz", world.server().url()))).await;
    refused.refused(503, "unavailable");
    assert_eq!(refused.headers["retry-after"], "1");
}

/// Reads until the provider closes the connection; fails if it does not.
async fn closed(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let ended = tokio::time::timeout(Duration::from_secs(30), read).await;
    assert!(ended.is_ok(), "the connection stayed open");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_peers_are_closed() {
    let world = World::with(|config| {
        config.limits.first_byte = Duration::from_millis(200);
        config.limits.header_read = Duration::from_millis(200);
        config.limits.body_read = Duration::from_millis(200);
        config.limits.idle = Duration::from_millis(400);
    })
    .await;
    let connect = async |text: &str| {
        let mut stream = TcpStream::connect(world.server().addr()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    };
    let authorized = format!("authorization: Bearer {}", world.jwt);
    let post = format!(
        "POST /api/v0{} HTTP/1.1\r\nhost: x\r\n{authorized}",
        world.sdk("/create")
    );
    let silent = connect("").await;
    let half_header = connect("GET /healthz HTTP/1.1\r\nhost:").await;
    let half_body = connect(&format!("{post}\r\ncontent-length: 10\r\n\r\n{{")).await;
    let idle = connect("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let h2_silent = connect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(closed(silent).await, b"");
    closed(half_header).await;
    let text = String::from_utf8(closed(half_body).await).unwrap();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    let text = String::from_utf8(closed(idle).await).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    closed(h2_silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let world = World::with(|config| config.limits.connections = 2).await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(TcpStream::connect(world.server().addr()).await.unwrap());
    }
    // The client of this world holds at most one of the two places.
    let last = held.pop().unwrap();
    assert_eq!(closed(last).await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_bounded() {
    let world = World::start().await;
    for size in [100 << 10, 1 << 20] {
        let request = world
            .http
            .get(world.url("/nowhere"))
            .header("x-big", "a".repeat(size));
        match request.send().await {
            Ok(response) => assert_eq!(response.status().as_u16(), 431),
            // Closed while the client was still sending.
            Err(error) => assert!(error.is_request(), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_their_own_listener() {
    let mut world = World::start().await;
    let there = answer(world.http.get(format!("{}/metrics", world.server().url()))).await;
    assert_eq!(there.status, 404);
    assert_eq!(world.server().metrics_addr(), None);
    world.down().await;
    let mut config = world.config();
    config.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    world.server = Some(halfkey_server::Server::start(config).await.unwrap());
    let addr = world.server().metrics_addr().unwrap();
    answer(world.http.get(format!("{}/healthz", world.server().url()))).await;
    let text = answer(world.http.get(format!("http://{addr}/metrics"))).await;
    let text = String::from_utf8(text.bytes).unwrap();
    let line = "halfkey_requests_total{route=\"/healthz\",status=\"200\"} 1\n";
    assert!(text.contains(line), "{text}");
    let other = answer(world.http.get(format!("http://{addr}/healthz"))).await;
    assert_eq!(other.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_need_no_token() {
    let world = World::start().await;
    for path in ["healthz", "readyz"] {
        let there = answer(world.http.get(format!("{}/{path}", world.server().url()))).await;
        assert_eq!(
            (there.status, there.bytes.as_slice()),
            (200, b"ok".as_slice())
        );
    }
    let path = format!("/environments/{}/identity", world.environment);
    let reply: Value = world.send(Method::GET, &path, "", None::<&()>).await.ok();
    assert_eq!(reply["publicKey"], json!(world.identity));
    assert_eq!(reply["restoreEpoch"], 0);
    let month = Duration::from_hours(30 * 24).as_millis();
    assert_eq!(
        reply["backupHorizonMs"],
        json!(u64::try_from(month).unwrap())
    );
    assert!(reply["signature"].is_string());
    let none = world
        .send(Method::GET, "/environments/x/identity", "", None::<&()>)
        .await;
    none.refused(404, "not_found");
}

/// Each look has a connection of its own, so that a client's idle ones are not counted with it.
async fn until_metric(world: &World, line: &str) {
    let url = format!("http://{}/metrics", world.server().metrics_addr().unwrap());
    loop {
        let look = world.http.get(&url).header("connection", "close");
        let text = String::from_utf8(answer(look).await.bytes).unwrap();
        if text.contains(line) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_counts_until_it_ends_even_when_the_caller_has_left() {
    let mut world = World::start().await;
    world.down().await;
    let mut config = world.config();
    config.limits.requests = 1;
    config.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    world.server = Some(halfkey_server::Server::start(config).await.unwrap());
    // Nothing can be written, so the work does not end.
    let mut conn = crate::slots::database(&world).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut conn)
        .await
        .unwrap();
    let mut caller = TcpStream::connect(world.server().addr()).await.unwrap();
    let head = format!(
        "POST /api/v0/environments/{}/waas/authenticate HTTP/1.1\r\nhost: x\r\n\
         authorization: Bearer {}\r\ncontent-length: 0\r\n\r\n",
        world.environment, world.token
    );
    caller.write_all(head.as_bytes()).await.unwrap();
    // Until its work is one that goes to its end: before that, leaving cancels it.
    until_metric(&world, "halfkey_tasks_open 1\n").await;
    drop(caller);
    // Until the provider has seen that the caller left: the connection that asks is the only one.
    until_metric(&world, "halfkey_connections_open 1\n").await;
    let health = format!("{}/healthz", world.server().url());
    answer(world.http.get(&health))
        .await
        .refused(503, "unavailable");
    sqlx::raw_sql("ROLLBACK").execute(&mut conn).await.unwrap();
    while answer(world.http.get(&health)).await.status == 503 {}
}
