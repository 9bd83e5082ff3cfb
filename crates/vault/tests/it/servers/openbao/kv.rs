//! Records: the folder's mark, the mount's settings, and what is left of a record.

mod mount;
mod remains;
mod without_pages;

use halfkey_testkit::servers::openbao::BaoAdmin;
use halfkey_vault::store::kv::{KvConfig, KvRecords};
use halfkey_vault::{Error, Expect, ListRecords as _, PutRecord as _};
use serde_json::Value;

use super::{Access, KV, fresh};
use crate::support::{environment, name};

/// Records in a folder that the test looks into by other means.
struct Folder {
    records: KvRecords,
    access: Access,
    config: KvConfig,
}

impl Folder {
    async fn new() -> Self {
        let access = Access::dev().await;
        let config = access.kv(&fresh("folder"));
        let records = KvRecords::open(&config, &environment()).await.unwrap();
        Self {
            records,
            access,
            config,
        }
    }

    fn admin(&self) -> &BaoAdmin {
        &self.access.admin
    }

    /// The path of a record under a route of the engine.
    fn path(&self, route: &str, record: &str) -> String {
        let (prefix, segment) = (&self.config.prefix, hex::encode(record));
        format!("{KV}/{route}/{prefix}/records/{segment}")
    }

    async fn reopen(&self) -> Result<KvRecords, Error> {
        KvRecords::open(&self.config, &environment()).await
    }
}

async fn list(records: &KvRecords) -> Vec<String> {
    let page = records.list("", None, 100).await.unwrap();
    page.names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_folder_of_another_environment_is_refused() {
    let folder = Folder::new().await;
    let other = halfkey_vault::conformance::sample::environment("env-other");
    match KvRecords::open(&folder.config, &other).await {
        Err(Error::Environment {
            found, expected, ..
        }) => assert_eq!(
            (found.as_str(), expected.as_str()),
            ("env-test", "env-other")
        ),
        other => panic!("{other:?}"),
    }
    folder.reopen().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_lost_its_mark_is_refused_while_it_has_records() {
    let folder = Folder::new().await;
    let mark = format!("{KV}/metadata/{}/environment", folder.config.prefix);
    folder.admin().must("DELETE", &mark, Value::Null).await;
    folder.reopen().await.unwrap();
    folder
        .records
        .put(&name("a"), b"x", Expect::Absent)
        .await
        .unwrap();
    folder.admin().must("DELETE", &mark, Value::Null).await;
    let refused = folder.reopen().await;
    assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");
}

#[tokio::test]
async fn a_folder_of_an_unknown_format_is_refused() {
    let folder = Folder::new().await;
    let mark = format!("{KV}/data/{}/environment", folder.config.prefix);
    let newer = serde_json::json!({
        "data": { "format": "halfkey-kv-v2", "environment": "env-test" },
        "options": { "cas": 1 },
    });
    folder.admin().must("POST", &mark, newer).await;
    let refused = folder.reopen().await;
    assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_before_it_is_sent() {
    let folder = Folder::new().await;
    let config = KvConfig {
        max_record_len: 100,
        ..folder.config.clone()
    };
    let records = KvRecords::open(&config, &environment()).await.unwrap();
    records
        .put(&name("a"), &[0; 100], Expect::Absent)
        .await
        .unwrap();
    match records.put(&name("b"), &[0; 101], Expect::Absent).await {
        Err(Error::TooLarge { len, limit, .. }) => assert_eq!((len, limit), (101, 100)),
        other => panic!("{other:?}"),
    }
    assert_eq!(list(&records).await, ["a"]);
}
