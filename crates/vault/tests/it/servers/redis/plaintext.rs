//! Nothing plain reaches the server: not its keys, not its log.

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_testkit::servers::redis::{PASSWORD, Redis};
use halfkey_testkit::{Canary, tools};
use halfkey_vault::store::redis::RedisRecords;
use halfkey_vault::{Expect, Vault};

use super::{must_open, single};
use crate::support::{access, contains, ctx, memory, name};

/// 36 bytes that no back-end makes by itself.
const MARKER: [u8; 36] = *b"\xC3\xA7Kq7-canary-share-\x00\xFF\x80-Zp4wV9-\x11\x22\x33\x44\x55\x66";

#[tokio::test]
async fn a_stored_share_is_nowhere_in_the_server() {
    tools::real_part("redis");
    let server = Redis::start();
    let records = Arc::new(must_open(&single(&server)).await);
    let mut parts = memory().vault.parts().clone();
    parts.put = Some(Arc::<RedisRecords>::clone(&records));
    parts.get = Some(Arc::<RedisRecords>::clone(&records));
    parts.destroy = Some(records);
    let vault = Vault::new(parts);
    let share = SecretBytes::new(MARKER.to_vec());
    let at = name("wallet:0xab/shares/2");
    for _ in 0..2 {
        let stored = vault
            .store(&at, &ctx(), &share, Expect::Any, &access())
            .await;
        stored.unwrap();
    }
    vault.load(&at, &ctx(), &access()).await.unwrap();
    let mut dump = keys_and_values(&server);
    dump.push(("the log", server.append_only_files()));
    vault.destroy(&at, &access()).await.unwrap();
    dump.push(("the log after a destruction", server.append_only_files()));
    let canary = Canary::new("the share", &MARKER);
    for (place, bytes) in &dump {
        assert!(
            contains(bytes, b"wallet:0xab/shares/2"),
            "{place} was not dumped"
        );
        assert!(contains(bytes, b"HKR1"), "{place} holds no record");
        canary.must_be_absent(place, bytes);
    }
    let passwords = Canary::text("the password", PASSWORD);
    for (place, bytes) in &dump {
        passwords.must_be_absent(place, bytes);
    }
}

/// Every key with its value.
fn keys_and_values(server: &Redis) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    for key in server.must_cli(&["KEYS", "*"]).lines() {
        all.extend_from_slice(key.as_bytes());
        all.push(b'\n');
        let value = match server.must_cli(&["TYPE", key]).as_str() {
            "string" => server.cli(&["GET", key]),
            "zset" => server.cli(&["ZRANGE", key, "0", "-1"]),
            other => panic!("a key of type {other}"),
        };
        all.extend(value);
    }
    vec![("the keys", all)]
}
