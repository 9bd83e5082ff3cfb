//! The guide's own words: its script sets the server up, its policies hold, its configuration is
//! read.

use std::sync::Arc;

use halfkey_core::{EnvironmentId, SecretBytes};
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::conformance::sample;
use halfkey_vault::kms::transit::{TransitConfig, TransitKek};
use halfkey_vault::store::kv::{KvConfig, KvRecords};
use halfkey_vault::{
    BindCtx, Dek, DestroyRecord as _, Error, Expect, GetRecord as _, ListRecords as _,
    ManageKey as _, PutRecord as _, RewrapKey as _, SealedRecord, UnwrapKey as _, Vault,
    VaultParts, WrapKey as _, Wrapped, rewrap_record,
};
use serde_json::json;
use tokio::sync::OnceCell;

use super::{Access, dev, fresh};
use crate::support::{access, clock, ctx, name};

const GUIDE: &str = include_str!("../../../../../../docs/guides/storage/openbao.md");

/// The guide's code in that language.
fn code(language: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let (_, rest) = GUIDE.split_once(&fence).unwrap();
    rest.split_once("```").unwrap().0
}

/// The guide's environment.
fn prod() -> EnvironmentId {
    sample::environment("prod")
}

fn prod_ctx() -> BindCtx {
    BindCtx {
        environment: prod(),
        ..ctx()
    }
}

/// The server as the guide sets it up.
async fn guide() -> Access {
    static READY: OnceCell<()> = OnceCell::const_new();
    let dev = dev().await;
    READY
        .get_or_init(async || {
            let dir = tempfile::tempdir().unwrap();
            let mut files = 0;
            for policy in code("hcl").split("# halfkey-").skip(1) {
                let (file, _) = policy.split_once(':').unwrap();
                let (_, hcl) = policy.split_once('\n').unwrap();
                std::fs::write(dir.path().join(format!("halfkey-{file}")), hcl).unwrap();
                files += 1;
            }
            assert_eq!(files, 6);
            dev.must_run(code("sh"), dir.path());
        })
        .await;
    Access::dev().await
}

/// What a token with that policy can use.
struct Role {
    kek: Option<TransitKek>,
    records: Option<KvRecords>,
    _access: Access,
}

impl Role {
    async fn new(policy: &str) -> Self {
        let access = guide().await.with_policy(policy).await;
        let is_keyless = ["halfkey-reader", "halfkey-destroyer"].contains(&policy);
        let kek = if is_keyless {
            None
        } else {
            Some(open_kek(&access).await.unwrap())
        };
        let records = if policy == "halfkey-operator" {
            None
        } else {
            Some(open_records(&access).await.unwrap())
        };
        Self {
            kek,
            records,
            _access: access,
        }
    }

    fn kek(&self) -> &TransitKek {
        self.kek.as_ref().unwrap()
    }

    fn records(&self) -> &KvRecords {
        self.records.as_ref().unwrap()
    }
}

async fn open_kek(access: &Access) -> Result<TransitKek, Error> {
    TransitKek::open(&access.transit("transit"), &prod()).await
}

async fn open_records(access: &Access) -> Result<KvRecords, Error> {
    let config = KvConfig {
        mount: "halfkey".to_owned(),
        ..access.kv("halfkey")
    };
    KvRecords::open(&config, &prod()).await
}

fn must_be_denied<T>(result: Result<T, Error>, what: &str) {
    match result {
        Err(Error::Denied(_)) => {}
        Err(other) => panic!("{what}: {other:?}"),
        Ok(_) => panic!("{what} was allowed"),
    }
}

/// A wrapped key, and a record, made by the writer.
async fn written(at: &str) -> (Wrapped, Dek) {
    let writer = Role::new("halfkey-writer").await;
    let dek = Dek::generate().unwrap();
    let wrapped = writer.kek().wrap(&prod_ctx(), &dek).await.unwrap();
    writer
        .records()
        .put(&name(at), b"sealed", Expect::Absent)
        .await
        .unwrap();
    (wrapped, dek)
}

#[tokio::test]
async fn a_writer_cannot_open_or_read_or_destroy() {
    let at = fresh("wallet:0x/shares");
    let (wrapped, dek) = written(&at).await;
    let writer = Role::new("halfkey-writer").await;
    let (kek, records) = (writer.kek(), writer.records());
    must_be_denied(kek.unwrap(&prod_ctx(), &wrapped).await.map(drop), "unwrap");
    must_be_denied(kek.rewrap(&prod_ctx(), &wrapped).await, "rewrap");
    must_be_denied(kek.rotate().await, "rotate");
    must_be_denied(records.get(&name(&at)).await, "read");
    must_be_denied(records.destroy(&name(&at), Expect::Any).await, "destroy");
    let exists = records.put(&name(&at), b"x", Expect::Absent).await;
    assert!(matches!(exists, Err(Error::Conflict(_))), "{exists:?}");
    let page = records.list(&at, None, 10).await.unwrap();
    assert_eq!(page.names, [name(&at)]);
    // What was denied left no trace.
    let opener = Role::new("halfkey-opener").await;
    let found = opener.records().get(&name(&at)).await.unwrap().unwrap();
    assert_eq!(found.value, b"sealed");
    records
        .put(&name(&at), b"newer", Expect::Any)
        .await
        .unwrap();
    assert!(opener.kek().unwrap(&prod_ctx(), &wrapped).await.unwrap() == dek);
}

#[tokio::test]
async fn a_reader_and_an_opener_cannot_write() {
    let at = fresh("wallet:0x/shares");
    let (wrapped, _) = written(&at).await;
    let reader = Role::new("halfkey-reader").await;
    let opener = Role::new("halfkey-opener").await;
    for records in [reader.records(), opener.records()] {
        assert!(records.get(&name(&at)).await.unwrap().is_some());
        for expect in [
            Expect::Any,
            Expect::Absent,
            Expect::Rev(halfkey_vault::Rev(1)),
        ] {
            must_be_denied(records.put(&name(&at), b"x", expect).await, "write");
        }
        must_be_denied(records.destroy(&name(&at), Expect::Any).await, "destroy");
        must_be_denied(records.list("", None, 10).await, "list");
    }
    let (kek, dek) = (opener.kek(), Dek::generate().unwrap());
    must_be_denied(kek.wrap(&prod_ctx(), &dek).await, "wrap");
    must_be_denied(kek.rewrap(&prod_ctx(), &wrapped).await, "rewrap");
    let no_key = guide().await.with_policy("halfkey-reader").await;
    must_be_denied(open_kek(&no_key).await, "a key");
}

/// Custody: the worker that rotates every record can open none.
#[tokio::test]
async fn a_rewrapper_moves_a_record_that_it_cannot_open() {
    let at = name(&fresh("wallet:0x/shares"));
    let token = json!({ "policies": ["halfkey-writer", "halfkey-opener"] });
    let signer = guide().await;
    let token = signer.admin.make_token_with(token).await;
    let signer = signer.with_token(&token);
    let kek = Arc::new(open_kek(&signer).await.unwrap());
    let records = Arc::new(open_records(&signer).await.unwrap());
    let vault = Vault::new(VaultParts {
        wrap: Some(Arc::<TransitKek>::clone(&kek)),
        unwrap: Some(kek),
        put: Some(Arc::<KvRecords>::clone(&records)),
        get: Some(records),
        list: None,
        destroy: None,
        audit: Arc::new(MemoryAudit::default()),
        clock: clock(),
    });
    let share = SecretBytes::new(b"a share".to_vec());
    vault
        .store(&at, &prod_ctx(), &share, Expect::Absent, &access())
        .await
        .unwrap();
    let operator = Role::new("halfkey-operator").await;
    let newest = operator.kek().rotate().await.unwrap();

    let rewrapper = Role::new("halfkey-rewrapper").await;
    let (kek, records) = (rewrapper.kek(), rewrapper.records());
    let page = records.list(at.as_str(), None, 10).await.unwrap();
    assert_eq!(page.names, std::slice::from_ref(&at));
    let found = records.get(&at).await.unwrap().unwrap();
    let record = SealedRecord::from_bytes(&found.value).unwrap();
    must_be_denied(
        kek.unwrap(&prod_ctx(), &record.wraps()[0]).await.map(drop),
        "unwrap",
    );
    let moved = rewrap_record(&record, &prod_ctx(), kek).await.unwrap();
    records
        .put(&at, moved.as_bytes(), Expect::Rev(found.rev))
        .await
        .unwrap();
    let dek = Dek::generate().unwrap();
    must_be_denied(kek.wrap(&prod_ctx(), &dek).await, "wrap");
    let new = name(&fresh("new"));
    must_be_denied(
        records.put(&new, b"x", Expect::Absent).await,
        "a new record",
    );
    must_be_denied(records.destroy(&at, Expect::Any).await, "destroy");

    let wraps = moved.wraps();
    assert!(wraps[0].kek_version.parse::<u32>().unwrap() >= newest.parse().unwrap());
    let opened = vault.load(&at, &prod_ctx(), &access()).await.unwrap();
    assert_eq!(opened.value, share);
}

#[tokio::test]
async fn a_destroyer_destroys_and_makes_nothing() {
    let at = fresh("wallet:0x/shares");
    written(&at).await;
    let destroyer = Role::new("halfkey-destroyer").await;
    let records = destroyer.records();
    records.destroy(&name(&at), Expect::Any).await.unwrap();
    assert!(records.get(&name(&at)).await.unwrap().is_none());
    let new = name(&fresh("new"));
    must_be_denied(
        records.put(&new, b"x", Expect::Absent).await,
        "a new record",
    );
    must_be_denied(records.list("", None, 10).await, "list");
}

#[tokio::test]
async fn an_operator_rotates_and_can_neither_use_nor_free_the_key() {
    let (wrapped, dek) = written(&fresh("wallet:0x/shares")).await;
    let access = guide().await.with_policy("halfkey-operator").await;
    let operator = Role::new("halfkey-operator").await;
    let kek = operator.kek();
    kek.rotate().await.unwrap();
    let info = kek.info().await.unwrap();
    // Other tests wrap under version 1 at the same time: it stays enabled.
    kek.enable(&info.versions[0].version).await.unwrap();
    must_be_denied(kek.wrap(&prod_ctx(), &dek).await, "wrap");
    must_be_denied(kek.unwrap(&prod_ctx(), &wrapped).await.map(drop), "unwrap");
    must_be_denied(kek.rewrap(&prod_ctx(), &wrapped).await, "rewrap");
    must_be_denied(open_records(&access).await, "records");
    let token = access.admin.make_token("halfkey-operator").await;
    let admin = access.admin.with_token(&token);
    for (route, change) in [
        ("config", json!({ "exportable": true })),
        ("config", json!({ "allow_plaintext_backup": true })),
        ("config", json!({ "deletion_allowed": true })),
        ("trim", json!({ "min_available_version": 1 })),
    ] {
        let path = format!("transit/keys/halfkey-prod/{route}");
        let (status, _) = admin.call("POST", &path, change.clone()).await;
        assert_eq!(status, 403, "{route} {change}");
    }
    // The one parameter that may be changed; it is 1 already.
    let path = "transit/keys/halfkey-prod/config";
    let same = json!({ "min_decryption_version": 1 });
    admin.must("POST", path, same).await;
}

#[tokio::test]
async fn a_token_without_a_policy_opens_nothing() {
    let access = guide().await.with_policy("default").await;
    must_be_denied(open_kek(&access).await, "the key");
    must_be_denied(open_records(&access).await, "the records");
}

#[test]
fn the_configuration_in_the_guide_is_read() {
    let mut table: toml::Table = toml::from_str(code("toml")).unwrap();
    let mut section = |name: &str, kind: &str| {
        let Some(toml::Value::Table(mut section)) = table.remove(name) else {
            panic!("no {name}");
        };
        assert_eq!(section.remove("kind").unwrap().as_str(), Some(kind));
        section
    };
    let transit: TransitConfig = section("kms", "transit").try_into().unwrap();
    let kv: KvConfig = section("records", "kv").try_into().unwrap();
    assert!(table.is_empty());
    assert_eq!((transit.mount.as_str(), transit.key), ("transit", None));
    assert_eq!(
        (kv.mount.as_str(), kv.prefix.as_str()),
        ("halfkey", "halfkey")
    );
    assert_eq!(kv.max_record_len, 780_000);
    assert_eq!(kv.server.deadline_ms, 10_000);
    assert!(!kv.server.allow_in_memory_server);
    let unknown = r#"mount = "x"
        token = "hvs.x"
        server = { address = "https://x", auth = { token = { env = "X" } } }"#;
    assert!(toml::from_str::<TransitConfig>(unknown).is_err());
    let unknown = r#"server = { address = "https://x", auth = { app_role = { role_id = "x",
        secret_id = { env = "X" }, secret = "x" } } }"#;
    assert!(toml::from_str::<TransitConfig>(unknown).is_err());
}
