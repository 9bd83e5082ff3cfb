//! JSON-RPC 2.0 over HTTP on loopback.

use core::fmt;

use serde_json::{Value, json};

/// The node's own refusal. Everything else that goes wrong fails the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// The JSON-RPC error code.
    pub code: i64,
    /// The node's words.
    pub message: String,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl core::error::Error for RpcError {}

pub(crate) async fn call(url: &str, method: &str, params: Value) -> Result<Value, RpcError> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(url).header("content-type", "application/json");
    let reply = request
        .body(body.to_string())
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let mut reply: Value = serde_json::from_slice(&reply).unwrap();
    match reply.get("error").filter(|error| !error.is_null()) {
        None => Ok(reply["result"].take()),
        Some(error) => Err(RpcError {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
        }),
    }
}
