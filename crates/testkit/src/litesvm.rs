//! A real Solana runtime: LiteSVM behind a JSON-RPC port on loopback.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use solana_hash::Hash;
use solana_pubkey::Pubkey;

use crate::node::Node;
use crate::rpc::{self, RpcError};
use crate::tools;

/// A running node, killed when dropped.
#[derive(Debug)]
pub struct LiteSvm {
    node: Node,
}

impl LiteSvm {
    /// Starts a node with an empty ledger.
    pub fn start() -> Self {
        tools::real_part("litesvm");
        let mut command = Command::new(tools::python());
        command.arg(tools::script("litesvm_rpc.py"));
        Self {
            node: Node::start(&mut command, "Listening on "),
        }
    }

    /// Where it listens, `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        self.node.url()
    }

    /// Calls any method.
    ///
    /// # Errors
    /// The node's refusal.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        rpc::call(&self.url(), method, params).await
    }

    /// Gives an account `lamports`.
    pub async fn airdrop(&self, account: &Pubkey, lamports: u64) {
        self.must("requestAirdrop", json!([account.to_string(), lamports]))
            .await;
    }

    /// A block hash that transactions may name.
    pub async fn latest_blockhash(&self) -> Hash {
        let reply = self.must("getLatestBlockhash", json!([])).await;
        reply["value"]["blockhash"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Sends a signed transaction and gives its first signature in base58.
    ///
    /// # Errors
    /// The runtime's refusal.
    pub async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        let params = json!([STANDARD.encode(transaction), { "encoding": "base64" }]);
        let signature = self.call("sendTransaction", params).await?;
        Ok(signature.as_str().unwrap().to_owned())
    }

    /// Sends a signed transaction that must be executed; gives its first signature.
    pub async fn must_execute(&self, transaction: &[u8]) -> String {
        let signature = self.send_transaction(transaction).await;
        let signature = signature.unwrap_or_else(|error| panic!("refused: {error}"));
        assert!(
            self.is_executed(&signature).await,
            "{signature} has no status"
        );
        signature
    }

    /// Whether the ledger holds a transaction, by its first signature in base58.
    pub async fn is_executed(&self, signature: &str) -> bool {
        let reply = self
            .must("getSignatureStatuses", json!([[signature]]))
            .await;
        reply["value"][0]["status"].get("Ok").is_some()
    }

    /// What an account owns, in lamports.
    pub async fn balance(&self, account: &Pubkey) -> u64 {
        let reply = self.must("getBalance", json!([account.to_string()])).await;
        reply["value"].as_u64().unwrap()
    }

    async fn must(&self, method: &str, params: Value) -> Value {
        let result = self.call(method, params).await;
        result.unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}
