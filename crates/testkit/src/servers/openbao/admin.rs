//! Calls of the server's API with the root token.

use std::path::Path;

use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

/// The server's administrator. Make one per test: its connections belong to the test's runtime.
#[derive(Debug, Clone)]
pub struct BaoAdmin {
    client: Client,
    url: String,
    token: String,
}

impl BaoAdmin {
    pub(super) fn new(url: &str, token: &str, ca_file: Option<&Path>) -> Self {
        let roots = ca_file.map_or_else(Vec::new, |path| {
            Certificate::from_pem_bundle(&std::fs::read(path).unwrap()).unwrap()
        });
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only(roots)
            .build()
            .unwrap();
        Self {
            client,
            url: url.to_owned(),
            token: token.to_owned(),
        }
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Calls `/v1/{path}`; status and body (`Null` when there is none). A `body` of `Null` sends
    /// none.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.call_in("", method, path, body).await
    }

    /// The same in a namespace.
    pub async fn call_in(
        &self,
        namespace: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let method: Method = method.parse().unwrap();
        let mut request = self
            .client
            .request(method, format!("{}/v1/{path}", self.url))
            .header("x-vault-token", &self.token);
        if !namespace.is_empty() {
            request = request.header("x-vault-namespace", namespace);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        let body = reply.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A call that must succeed; its body.
    pub async fn must(&self, method: &str, path: &str, body: Value) -> Value {
        self.must_in("", method, path, body).await
    }

    /// The same in a namespace.
    pub async fn must_in(&self, namespace: &str, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.call_in(namespace, method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {reply}");
        reply
    }

    /// Mounts a transit engine with one key for an environment, as the guide says.
    pub async fn make_transit(&self, mount: &str, environment: &str) {
        let engine = json!({ "type": "transit" });
        self.must("POST", &format!("sys/mounts/{mount}"), engine)
            .await;
        self.make_transit_key(mount, environment).await;
    }

    /// Makes the key of one more environment.
    pub async fn make_transit_key(&self, mount: &str, environment: &str) {
        let key = json!({ "type": "aes256-gcm96", "derived": true, "exportable": false });
        let path = format!("{mount}/keys/halfkey-{environment}");
        self.must("POST", &path, key).await;
    }

    /// Mounts a KV engine, as the guide says, and waits until it is ready.
    pub async fn make_kv(&self, mount: &str) {
        let engine = json!({ "type": "kv", "options": { "version": "2" } });
        self.must("POST", &format!("sys/mounts/{mount}"), engine)
            .await;
        let config = json!({ "max_versions": 1, "cas_required": true });
        let path = format!("{mount}/config");
        // A fresh mount first upgrades itself, in the background.
        while self.call("POST", &path, config.clone()).await.0 != 204 {}
    }

    /// A policy.
    pub async fn make_policy(&self, name: &str, hcl: &str) {
        let policy = json!({ "policy": hcl });
        self.must("POST", &format!("sys/policies/acl/{name}"), policy)
            .await;
    }

    /// A token with that policy and the default one.
    pub async fn make_token(&self, policy: &str) -> String {
        self.make_token_with(json!({ "policies": [policy], "no_parent": true }))
            .await
    }

    /// A token with these properties.
    pub async fn make_token_with(&self, properties: Value) -> String {
        let made = self.must("POST", "auth/token/create", properties).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}
