//! Tokens: wrong, ended, renewed, replaced; `AppRole`, Kubernetes, namespaces.

mod kubernetes;

use halfkey_vault::kms::transit::{TransitConfig, TransitKek};
use halfkey_vault::net::SecretSource;
use halfkey_vault::net::openbao::OpenBaoAuth;
use halfkey_vault::store::kv::{KvConfig, KvRecords};
use halfkey_vault::{
    Dek, Error, Expect, GetRecord as _, PutRecord as _, UnwrapKey as _, WrapKey as _,
};
use serde_json::{Value, json};

use super::{Access, fresh, write_secret};
use crate::support::{ctx, environment, name};

/// Lets a process use the key of that mount, but not unwrap.
fn wrap_only(mount: &str) -> String {
    format!(
        r#"path "{mount}/keys/*" {{ capabilities = ["read"] }}
           path "{mount}/encrypt/*" {{ capabilities = ["update"] }}"#
    )
}

/// A transit mount and a policy that lets a process wrap with it; both have that name.
async fn mount_and_policy(access: &Access) -> String {
    let mount = fresh("transit");
    access.admin.make_transit(&mount, "env-test").await;
    access.admin.make_policy(&mount, &wrap_only(&mount)).await;
    mount
}

async fn open(config: &TransitConfig) -> Result<TransitKek, Error> {
    TransitKek::open(config, &environment()).await
}

async fn wrap(kek: &TransitKek) -> Result<(), Error> {
    kek.wrap(&ctx(), &Dek::generate()?).await.map(drop)
}

fn must_be_denied<T>(result: Result<T, Error>) {
    match result {
        Err(error @ Error::Denied(_)) => {
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was allowed"),
    }
}

#[tokio::test]
async fn a_wrong_token_is_denied() {
    let access = Access::dev().await.with_token("s.canary-no-such-token");
    must_be_denied(open(&access.transit("transit")).await);
    must_be_denied(KvRecords::open(&access.kv("x"), &environment()).await);
}

#[tokio::test]
async fn an_ended_token_is_denied_and_a_new_one_in_its_place_is_taken() {
    let access = Access::dev().await;
    let mount = mount_and_policy(&access).await;
    let short = json!({
        "policies": [mount], "ttl": "1s", "renewable": false, "no_parent": true,
    });
    let token = access.admin.make_token_with(short).await;
    let admin = access.admin.with_token(&token);
    let process = access.with_token(&token);
    let kek = open(&process.transit(&mount)).await.unwrap();
    while admin
        .call("GET", "auth/token/lookup-self", Value::Null)
        .await
        .0
        == 200
    {}
    must_be_denied(wrap(&kek).await);
    let token = access.admin.make_token(&mount).await;
    write_secret(&process.dir.path().join("token"), &token);
    wrap(&kek).await.unwrap();
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let access = Access::dev().await;
    let mount = mount_and_policy(&access).await;
    let short = json!({ "policies": [mount], "ttl": "2s", "no_parent": true });
    let token = access.admin.make_token_with(short).await;
    let process = access.with_token(&token);
    let kek = open(&process.transit(&mount)).await.unwrap();
    let look_up = json!({ "token": token });
    // The server says itself that the token lives on and was renewed, more than once.
    let mut ends = Vec::new();
    while ends.len() < 3 {
        let path = "auth/token/lookup";
        let found = access.admin.must("POST", path, look_up.clone()).await;
        let end = found["data"]["expire_time"].as_str().unwrap().to_owned();
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    wrap(&kek).await.unwrap();
}

/// A right that is missing is no reason to log in again: each login is a new token on the server.
#[tokio::test]
async fn app_role_logs_in_again_only_when_its_token_is_refused() {
    let access = Access::dev().await;
    let policy = mount_and_policy(&access).await;
    let (approle, admin) = (fresh("approle"), &access.admin);
    let kind = json!({ "type": "approle" });
    admin
        .must("POST", &format!("sys/auth/{approle}"), kind)
        .await;
    let role = format!("auth/{approle}/role/signer");
    let properties = json!({ "token_policies": [policy], "secret_id_num_uses": 3 });
    admin.must("POST", &role, properties).await;
    let id = admin
        .must("GET", &format!("{role}/role-id"), Value::Null)
        .await;
    let secret = admin
        .must("POST", &format!("{role}/secret-id"), json!({}))
        .await;
    let secret = secret["data"]["secret_id"].as_str().unwrap();
    let mut config = access.transit(&policy);
    config.server.auth = OpenBaoAuth::AppRole {
        mount: approle.clone(),
        role_id: id["data"]["role_id"].as_str().unwrap().to_owned(),
        secret_id: access.secret("secret-id", secret),
    };
    let uses_left = async || {
        let look_up = json!({ "secret_id": secret });
        let path = format!("{role}/secret-id/lookup");
        let found = admin.must("POST", &path, look_up).await;
        found["data"]["secret_id_num_uses"].as_u64().unwrap()
    };
    let revoke = format!("sys/leases/revoke-prefix/auth/{approle}/login");

    let kek = open(&config).await.unwrap();
    let wrapped = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    assert_eq!(uses_left().await, 2);
    for _ in 0..5 {
        must_be_denied(kek.unwrap(&ctx(), &wrapped).await.map(drop));
    }
    assert_eq!(uses_left().await, 2, "a missing right is no bad token");

    admin.must("POST", &revoke, json!({ "sync": true })).await;
    let (one, two, three) = tokio::join!(wrap(&kek), wrap(&kek), wrap(&kek));
    one.and(two).and(three).unwrap();
    assert_eq!(uses_left().await, 1, "calls at the same time log in once");

    write_secret(&access.dir.path().join("secret-id"), "canary-wrong");
    admin.must("POST", &revoke, json!({ "sync": true })).await;
    must_be_denied(wrap(&kek).await);
    must_be_denied(open(&config).await);
}

#[tokio::test]
async fn credentials_are_not_taken_from_where_others_could_read_them() {
    let mut access = Access::dev().await;
    access.server.auth = OpenBaoAuth::Token(SecretSource::File("/etc/passwd".into()));
    let refused = open(&access.transit("transit")).await;
    assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");
}

#[tokio::test]
async fn a_namespace_is_used_for_login_and_calls() {
    let mut access = Access::dev().await;
    let namespace = fresh("team");
    let admin = access.admin.clone();
    let path = format!("sys/namespaces/{namespace}");
    admin.must("POST", &path, json!({})).await;
    let engine = json!({ "type": "transit" });
    admin
        .must_in(&namespace, "POST", "sys/mounts/transit", engine)
        .await;
    let key = json!({ "type": "aes256-gcm96", "derived": true });
    let path = "transit/keys/halfkey-env-test";
    admin.must_in(&namespace, "POST", path, key).await;
    let engine = json!({ "type": "kv", "options": { "version": "2" } });
    admin
        .must_in(&namespace, "POST", "sys/mounts/records", engine)
        .await;
    let config = json!({ "max_versions": 1 });
    let set = async || {
        let set = admin.call_in(&namespace, "POST", "records/config", config.clone());
        set.await.0
    };
    while set().await != 204 {}

    access.server.namespace = Some(format!("/{namespace}/"));
    let kek = open(&access.transit("transit")).await.unwrap();
    wrap(&kek).await.unwrap();
    let kv = KvConfig {
        mount: "records".to_owned(),
        ..access.kv("folder")
    };
    let records = KvRecords::open(&kv, &environment()).await.unwrap();
    records.put(&name("a"), b"x", Expect::Absent).await.unwrap();
    assert!(records.get(&name("a")).await.unwrap().is_some());

    for wrong in ["no-such-namespace", "a b", "..", ""] {
        access.server.namespace = Some(wrong.to_owned());
        let refused = open(&access.transit("transit")).await;
        assert!(refused.is_err(), "{wrong:?}");
    }
}
