//! A server that is sealed, hangs, is killed, forgets, slows down, or is not the one it should be.

use std::sync::Arc;

use halfkey_testkit::servers::TestCa;
use halfkey_testkit::servers::openbao::{OpenBaoRaft, RaftOptions};
use halfkey_testkit::tools;
use halfkey_vault::kms::transit::TransitKek;
use halfkey_vault::store::kv::{KvConfig, KvRecords};
use halfkey_vault::{
    Dek, DestroyRecord as _, Error, Expect, GetRecord as _, ListRecords as _, PutRecord as _,
    RecordName, Rev, RewrapKey as _, UnwrapKey as _, WrapKey as _,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell, mpsc};

use super::{Access, KV, dev, fresh, raft};
use crate::support::{ctx, environment, name};

async fn start(options: RaftOptions) -> OpenBaoRaft {
    tools::real_part("openbao");
    let raft = OpenBaoRaft::start(options).await;
    raft.admin().make_kv(KV).await;
    raft
}

/// A server that tests stop, one after the other; its limits are those of a server nobody set up.
async fn stoppable() -> MutexGuard<'static, OpenBaoRaft> {
    static RAFT: OnceCell<Mutex<OpenBaoRaft>> = OnceCell::const_new();
    tools::real_part("openbao");
    let options = RaftOptions {
        in_memory: true,
        ..RaftOptions::default()
    };
    let raft = RAFT.get_or_init(async || Mutex::new(start(options).await));
    raft.await.lock().await
}

/// What every operation answers; the record "a" is there at `rev`.
async fn try_everything(
    kek: &TransitKek,
    records: &KvRecords,
    wrapped: &halfkey_vault::Wrapped,
    rev: Rev,
) -> Vec<Result<(), Error>> {
    let dek = Dek::generate().unwrap();
    vec![
        kek.wrap(&ctx(), &dek).await.map(drop),
        kek.unwrap(&ctx(), wrapped).await.map(drop),
        kek.rewrap(&ctx(), wrapped).await.map(drop),
        records.get(&name("a")).await.map(drop),
        records.get(&name("absent")).await.map(drop),
        records.list("", None, 10).await.map(drop),
        records
            .put(&name("a"), b"x", Expect::Rev(rev))
            .await
            .map(drop),
        records
            .put(&name("b"), b"x", Expect::Absent)
            .await
            .map(drop),
        records.put(&name("b"), b"x", Expect::Any).await.map(drop),
        records.destroy(&name("a"), Expect::Any).await,
        records.destroy(&name("a"), Expect::Rev(rev)).await,
    ]
}

#[tokio::test]
async fn a_sealed_server_is_a_temporary_failure_and_harms_nothing() {
    let raft = stoppable().await;
    let (kek, access) = Access::of_raft(&raft).fresh_kek().await;
    let (records, access) = access.fresh_records().await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let rev = records
        .put(&name("a"), b"sealed", Expect::Absent)
        .await
        .unwrap();
    raft.seal().await;
    for (at, result) in try_everything(&kek, &records, &wrapped, rev)
        .await
        .into_iter()
        .enumerate()
    {
        let is_temporary = matches!(
            result,
            Err(Error::Backend {
                temporary: true,
                ..
            })
        );
        assert!(is_temporary, "{at}: {result:?}");
    }
    let opened = TransitKek::open(&access.transit("transit"), &environment()).await;
    assert!(
        matches!(
            opened,
            Err(Error::Backend {
                temporary: true,
                ..
            })
        ),
        "{opened:?}"
    );
    raft.unseal().await;
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    let found = records.get(&name("a")).await.unwrap().unwrap();
    assert_eq!((found.value.as_slice(), found.rev), (&b"sealed"[..], rev));
    let page = records.list("", None, 10).await.unwrap();
    assert_eq!(page.names, [name("a")]);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_at_the_deadline() {
    let raft = stoppable().await;
    let mut access = Access::of_raft(&raft);
    access.server.deadline_ms = 2000;
    let (kek, access) = access.fresh_kek().await;
    let (records, access) = access.fresh_records().await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    raft.process().signal("STOP");
    let (at, ctx) = (name("a"), ctx());
    let transit = access.transit("transit");
    let environment = environment();
    let (unwrapped, written, read, opened) = tokio::join!(
        kek.unwrap(&ctx, &wrapped),
        records.put(&at, b"sealed", Expect::Absent),
        records.get(&at),
        TransitKek::open(&transit, &environment),
    );
    raft.process().signal("CONT");
    for result in [
        unwrapped.map(drop),
        written.map(drop),
        read.map(drop),
        opened.map(drop),
    ] {
        assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
    }
    assert!(kek.unwrap(&ctx, &wrapped).await.unwrap() == dek);
    // The write that timed out may have taken place all the same.
    records.get(&at).await.unwrap();
}

/// The default limit fits a server that nobody set up; one above it is refused and harms nothing.
#[tokio::test]
async fn the_default_limit_is_what_a_server_can_store() {
    let raft = stoppable().await;
    let access = Access::of_raft(&raft);
    let config: KvConfig =
        toml::from_str("server = { address = 'https://x', auth = { token = { env = 'X' } } }")
            .unwrap();
    let config = KvConfig {
        server: access.server.clone(),
        mount: KV.to_owned(),
        prefix: fresh("folder"),
        ..config
    };
    let records = KvRecords::open(&config, &environment()).await.unwrap();
    let longest = vec![0xA5; config.max_record_len];
    let rev = records
        .put(&name("a"), &longest, Expect::Absent)
        .await
        .unwrap();
    let config = KvConfig {
        max_record_len: 1 << 20,
        ..config
    };
    let records = KvRecords::open(&config, &environment()).await.unwrap();
    let too_long = vec![0xA5; 790_000];
    let put = records.put(&name("a"), &too_long, Expect::Rev(rev)).await;
    assert!(
        matches!(
            put,
            Err(Error::Backend {
                temporary: false,
                ..
            })
        ),
        "{put:?}"
    );
    let found = records.get(&name("a")).await.unwrap().unwrap();
    assert!(found.value == longest && found.rev == rev);
}

/// Writes one record after the other until the server does not answer; reports each
/// acknowledgement.
async fn write_on(records: Arc<KvRecords>, acknowledged: mpsc::UnboundedSender<(RecordName, Rev)>) {
    for number in 0_u32.. {
        let at = name(&format!("record-{number}"));
        let bytes = number.to_be_bytes();
        match records.put(&at, &bytes, Expect::Absent).await {
            Ok(rev) => acknowledged.send((at, rev)).unwrap(),
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                return;
            }
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let mut raft = start(RaftOptions::default()).await;
    let (kek, access) = Access::of_raft(&raft).fresh_kek().await;
    let (records, access) = access.fresh_records().await;
    let records = Arc::new(records);
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let (sender, mut acknowledged) = mpsc::unbounded_channel();
    let writer = tokio::spawn(write_on(Arc::clone(&records), sender));
    let mut written = Vec::new();
    while written.len() < 30 {
        written.push(acknowledged.recv().await.unwrap());
    }
    raft.kill();
    writer.await.unwrap();
    while let Some(more) = acknowledged.recv().await {
        written.push(more);
    }
    raft.restart().await;
    for (number, (at, rev)) in (0_u32..).zip(&written) {
        let found = records.get(at).await.unwrap().unwrap();
        assert_eq!(
            (found.value, found.rev),
            (number.to_be_bytes().to_vec(), *rev)
        );
    }
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    drop(access);
}

#[tokio::test]
async fn a_server_with_a_certificate_of_another_ca_is_refused() {
    let raft = raft().await;
    let other = TestCa::new();
    let mut access = Access::of_raft(raft);
    let opened = KvRecords::open(&access.kv(&fresh("folder")), &environment()).await;
    opened.unwrap();
    access.server.tls.ca_file = Some(other.ca_file());
    let refused = KvRecords::open(&access.kv("x"), &environment()).await;
    assert!(matches!(refused, Err(Error::Backend { .. })), "{refused:?}");
    let refused = TransitKek::open(&access.transit("transit"), &environment()).await;
    assert!(matches!(refused, Err(Error::Backend { .. })), "{refused:?}");
    // The system's own CAs do not know it either.
    access.server.tls.ca_file = None;
    let refused = TransitKek::open(&access.transit("transit"), &environment()).await;
    assert!(matches!(refused, Err(Error::Backend { .. })), "{refused:?}");
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused() {
    let mut access = Access::dev().await;
    access.server.address = "http://192.0.2.1:8200".to_owned();
    let refused = TransitKek::open(&access.transit("transit"), &environment()).await;
    assert!(matches!(refused, Err(Error::Insecure(_))), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_keeps_its_data_in_memory_is_refused() {
    let mut access = Access::dev().await;
    access.server.allow_in_memory_server = false;
    let refused = TransitKek::open(&access.transit("transit"), &environment()).await;
    assert!(matches!(refused, Err(Error::NotDurable(_))), "{refused:?}");
    let refused = KvRecords::open(&access.kv("x"), &environment()).await;
    assert!(matches!(refused, Err(Error::NotDurable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_quota_of_the_server_is_throttling() {
    let (kek, access) = Access::dev().await.fresh_kek().await;
    let mount = kek.uri().split(['/', ':']).nth(1).unwrap();
    let dek = Dek::generate().unwrap();
    let quota = json!({ "path": format!("{mount}/"), "rate": 1, "interval": "1h" });
    let path = format!("sys/quotas/rate-limit/{mount}");
    access.admin.must("POST", &path, quota).await;
    kek.wrap(&ctx(), &dek).await.unwrap();
    let refused = kek.wrap(&ctx(), &dek).await;
    assert!(matches!(refused, Err(Error::Throttled(_))), "{refused:?}");
    access.admin.must("DELETE", &path, Value::Null).await;
    kek.wrap(&ctx(), &dek).await.unwrap();
    let _running = dev().await;
}
