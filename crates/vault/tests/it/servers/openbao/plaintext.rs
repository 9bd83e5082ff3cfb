//! No secret in anything the server keeps, nor in what this process logs.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_testkit::servers::openbao::BaoAdmin;
use halfkey_testkit::{Canary, CapturedLog};
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::transit::TransitKek;
use halfkey_vault::store::kv::KvRecords;
use halfkey_vault::{
    Dek, Expect, GetRecord as _, ManageKey as _, PutRecord as _, RewrapKey as _, SealedRecord,
    UnwrapKey as _, Vault, VaultParts, WrapKey as _, rewrap_record,
};
use serde_json::Value;

use super::{Access, KV, fresh, raft};
use crate::support::{access, clock, ctx, environment, name};

/// Everything under a folder of the engine, as the administrator reads it.
async fn read_all(admin: &BaoAdmin, prefix: &str) -> String {
    let mut all = String::new();
    let folder = format!("{KV}/metadata/{prefix}/records?list=true");
    let list = admin.must("GET", &folder, Value::Null).await;
    all.push_str(&list.to_string());
    let keys = list["data"]["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let key = key.as_str().unwrap();
        for path in [
            format!("{KV}/metadata/{prefix}/records/{key}"),
            format!("{KV}/data/{prefix}/records/{key}"),
            format!("{KV}/data/{prefix}/records/{key}?version=1"),
        ] {
            let (_, reply) = admin.call("GET", &path, Value::Null).await;
            all.push_str(&reply.to_string());
        }
    }
    all
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

/// Seals, opens, rotates, moves and destroys; returns the folder's prefix.
async fn use_everything(access_: &Access, share: &SecretBytes, dek: &Dek) -> String {
    let mount = fresh("transit");
    access_.admin.make_transit(&mount, "env-test").await;
    let prefix = fresh("folder");
    let config = access_.transit(&mount);
    let kek = Arc::new(TransitKek::open(&config, &environment()).await.unwrap());
    let config = access_.kv(&prefix);
    let records = Arc::new(KvRecords::open(&config, &environment()).await.unwrap());
    let vault = Vault::new(VaultParts {
        wrap: Some(Arc::<TransitKek>::clone(&kek)),
        unwrap: Some(Arc::<TransitKek>::clone(&kek)),
        put: Some(Arc::<KvRecords>::clone(&records)),
        get: Some(Arc::<KvRecords>::clone(&records)),
        list: Some(Arc::<KvRecords>::clone(&records)),
        destroy: Some(Arc::<KvRecords>::clone(&records)),
        audit: Arc::new(MemoryAudit::default()),
        clock: clock(),
    });
    for at in ["kept", "destroyed"] {
        vault
            .store(&name(at), &ctx(), share, Expect::Absent, &access())
            .await
            .unwrap();
    }
    let loaded = vault.load(&name("kept"), &ctx(), &access()).await.unwrap();
    assert_eq!(loaded.value, *share);
    kek.rotate().await.unwrap();
    let found = records.get(&name("kept")).await.unwrap().unwrap();
    let record = SealedRecord::from_bytes(&found.value).unwrap();
    let moved = rewrap_record(&record, &ctx(), &*kek).await.unwrap();
    records
        .put(&name("kept"), moved.as_bytes(), Expect::Rev(found.rev))
        .await
        .unwrap();
    vault.destroy(&name("destroyed"), &access()).await.unwrap();
    let wrapped = kek.wrap(&ctx(), dek).await.unwrap();
    let wrapped = kek.rewrap(&ctx(), &wrapped).await.unwrap();
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == *dek);
    prefix
}

#[tokio::test]
async fn neither_server_nor_log_ever_holds_a_secret() {
    let raft = raft().await;
    let root = Access::of_raft(raft);
    let token = root.admin.make_token("root").await;
    let process = root.with_token(&token);
    let share: Vec<u8> = (0..2000_u32)
        .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let dek = Dek::generate().unwrap();
    let canaries = [
        Canary::new("the share", &share),
        Canary::new("the data key", dek.expose()),
        Canary::text("the token", &token),
    ];
    let log = CapturedLog::default();
    let share = SecretBytes::new(share);
    let guard = tracing::subscriber::set_default(log.subscriber());
    let prefix = use_everything(&process, &share, &dek).await;
    drop(guard);

    let stored = read_all(&root.admin, &prefix).await;
    let audit = std::fs::read(raft.audit_file()).unwrap();
    assert!(String::from_utf8_lossy(&audit).contains(&prefix));
    let data = files(&raft.data_dir());
    assert!(data.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 100_000);
    let logged = log.bytes();
    assert!(logged.len() > 10_000);
    for canary in &canaries {
        canary.must_be_absent("what the administrator reads", stored.as_bytes());
        canary.must_be_absent("the server's audit log", &audit);
        canary.must_be_absent("our log", &logged);
        for (file, bytes) in &data {
            canary.must_be_absent(file, bytes);
        }
    }
}
