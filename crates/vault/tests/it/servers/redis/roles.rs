//! The roles of the guide, as ACL users of a real server.

use halfkey_core::WalletProperties;
use halfkey_vault::store::redis::{RedisConfig, RedisProperties, RedisRecords};
use halfkey_vault::{
    DestroyRecord as _, Error, Expect, GetRecord as _, ListRecords as _, PropertiesStore as _,
    PutRecord as _,
};

use super::{must_open, secret_file, shared, single};
use crate::support::{environment, name};

/// The roles stand there as they are tested here.
const GUIDE: &str = include_str!("../../../../../../docs/guides/storage/redis.md");

/// The rules of a role's user, from the guide, for the prefix of this case.
fn rules(role: &str, prefix: &str) -> Vec<String> {
    let start = format!("redis-cli ACL SETUSER {role} on \"#$HASH\" ");
    let found = GUIDE.split_once(&start);
    let (_, rules) = found.unwrap_or_else(|| panic!("the guide has no {role}"));
    // One command: its lines but the last end with a backslash.
    let rules = rules.replace("\\\n", " ");
    let rules = rules.lines().next().unwrap().replace('\'', "");
    let rules = rules.replace("{halfkey:", &format!("{{{prefix}:"));
    rules.split_whitespace().map(str::to_owned).collect()
}

/// The configuration of a user with that role.
fn user(role: &str, base: &RedisConfig) -> RedisConfig {
    let user = format!("{role}-{}", base.prefix);
    let rules = rules(role, &base.prefix);
    let mut command = vec!["ACL", "SETUSER", &user, "reset", "on", ">role-pw"];
    command.extend(rules.iter().map(String::as_str));
    assert_eq!(shared().must_cli(&command), "OK");
    RedisConfig {
        username: Some(user),
        password: Some(secret_file("role-pw")),
        ..base.clone()
    }
}

fn must_be_denied<T: std::fmt::Debug>(result: Result<T, Error>, what: &str) {
    match result {
        Err(Error::Denied(_)) => {}
        other => panic!("{what}: {other:?}"),
    }
}

/// May write and replace records, and read none of them, by whatever way.
#[tokio::test]
async fn a_writer_cannot_read() {
    let base = single(shared());
    let config = user("halfkey-writer", &base);
    let records = must_open(&config).await;
    let at = name("a");
    let first = records.put(&at, b"1", Expect::Absent).await.unwrap();
    records.put(&at, b"2", Expect::Rev(first)).await.unwrap();
    must_be_denied(records.get(&at).await, "get");
    must_be_denied(records.list("", None, 9).await, "list");
    must_be_denied(records.destroy(&at, Expect::Any).await, "destroy");
    // By scripts of its own neither.
    let login = config.username.clone().unwrap();
    let value = format!("{{{}:records}}:value:a", base.prefix);
    let rev = format!("{{{}:records}}:rev:a", base.prefix);
    for script in [
        "return redis.call('GET', ARGV[1])",
        "return redis.call('SET', ARGV[1], 'x', 'GET')",
        "return redis.call('DUMP', ARGV[1])",
        "return redis.call('GETRANGE', ARGV[1], 0, 9)",
        "return redis.call('COPY', ARGV[1], KEYS[1])",
    ] {
        let reply = shared().cli(&[
            "--user", &login, "--pass", "role-pw", "EVAL", script, "1", &rev, &value,
        ]);
        let reply = String::from_utf8_lossy(&reply);
        assert!(
            reply.contains("user executing the script can't"),
            "{script}: {reply}"
        );
    }
    let found = must_open(&base).await.get(&at).await.unwrap();
    assert_eq!(found.unwrap().value, b"2");
}

/// May read and list, and change nothing.
#[tokio::test]
async fn an_opener_cannot_write() {
    let base = single(shared());
    let owner = must_open(&base).await;
    let at = name("a");
    owner.put(&at, b"1", Expect::Absent).await.unwrap();
    let mut config = user("halfkey-opener", &base);
    let error = RedisRecords::open(&config, &environment()).await;
    assert!(matches!(error, Err(Error::NotDurable(_))), "{error:?}");
    config.read_only = true;
    let records = must_open(&config).await;
    assert_eq!(records.get(&at).await.unwrap().unwrap().value, b"1");
    assert_eq!(records.list("", None, 9).await.unwrap().names, [name("a")]);
    let error = records.put(&at, b"2", Expect::Any).await;
    assert!(matches!(error, Err(Error::Forbidden(_))), "{error:?}");
    // The server holds to it, whatever the process is configured to.
    let mut rules = rules("halfkey-opener", &base.prefix);
    rules.extend(["+config|get", "+eval", "+evalsha"].map(str::to_owned));
    let login = config.username.clone().unwrap();
    let mut command = vec!["ACL", "SETUSER", &login];
    command.extend(rules.iter().map(String::as_str));
    assert_eq!(shared().must_cli(&command), "OK");
    config.read_only = false;
    let records = must_open(&config).await;
    must_be_denied(records.put(&at, b"2", Expect::Any).await, "put");
    must_be_denied(records.destroy(&at, Expect::Any).await, "destroy");
}

/// May destroy, and neither read nor write records.
#[tokio::test]
async fn an_operator_can_destroy() {
    let base = single(shared());
    let owner = must_open(&base).await;
    let at = name("a");
    owner.put(&at, b"1", Expect::Absent).await.unwrap();
    let records = must_open(&user("halfkey-operator", &base)).await;
    must_be_denied(records.get(&at).await, "get");
    must_be_denied(records.put(&at, b"2", Expect::Any).await, "put");
    records.destroy(&at, Expect::Any).await.unwrap();
    assert!(owner.get(&at).await.unwrap().is_none());
}

/// What the vault's `store` and the rewrapping need: it reads back what it wrote.
#[tokio::test]
async fn a_keeper_reads_and_writes_but_destroys_nothing() {
    let base = single(shared());
    let records = must_open(&user("halfkey-keeper", &base)).await;
    let at = name("a");
    let rev = records.put(&at, b"1", Expect::Absent).await.unwrap();
    assert_eq!(records.get(&at).await.unwrap().unwrap().rev, rev);
    assert_eq!(records.list("", None, 9).await.unwrap().names, [name("a")]);
    must_be_denied(records.destroy(&at, Expect::Any).await, "destroy");
}

/// Everything in the cache tier, nothing in the vault tier.
#[tokio::test]
async fn a_cache_user_has_the_properties_only() {
    let base = single(shared());
    must_open(&base).await;
    let config = user("halfkey-cache", &base);
    let store = RedisProperties::open(&config, &environment()).await;
    let store = store.unwrap();
    let entry = WalletProperties::new("EVM", "w", "0xab");
    store.put("a", &entry, Expect::Absent).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().value, entry);
    assert_eq!(store.addresses(None, 9).await.unwrap(), ["a"]);
    store.delete("a").await.unwrap();
    must_be_denied(
        RedisRecords::open(
            &RedisConfig {
                read_only: true,
                ..config
            },
            &environment(),
        )
        .await,
        "the records",
    );
}
