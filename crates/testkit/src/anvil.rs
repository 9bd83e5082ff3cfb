//! A real Ethereum node: Foundry's anvil on a free loopback port.

use std::process::Command;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, json};

use crate::node::Node;
use crate::rpc::{self, RpcError};
use crate::tools;

/// How often a receipt is asked for before the node is taken to be stuck.
const MAX_ASKED: u32 = 20_000;

/// anvil's chain id.
pub const CHAIN_ID: u64 = 31_337;

/// A running node, killed when dropped.
#[derive(Debug)]
pub struct Anvil {
    node: Node,
}

impl Anvil {
    /// Starts a node with Prague's rules (EIP-7702), mining each transaction at once.
    pub fn start() -> Self {
        Self::with_hardfork("prague")
    }

    /// Starts a node with the rules of another hard fork.
    pub fn with_hardfork(hardfork: &str) -> Self {
        tools::real_part("anvil");
        let mut command = Command::new(tools::anvil());
        command.args(["--host", "127.0.0.1", "--port", "0", "--accounts", "1"]);
        command.args(["--chain-id", &CHAIN_ID.to_string(), "--hardfork", hardfork]);
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

    /// Sends a signed transaction (EIP-2718 bytes) and gives its hash.
    ///
    /// # Errors
    /// The node's refusal.
    pub async fn send_raw_transaction(&self, signed: &[u8]) -> Result<B256, RpcError> {
        let raw = format!("0x{}", hex::encode(signed));
        let hash = self.call("eth_sendRawTransaction", json!([raw])).await?;
        Ok(hash.as_str().unwrap().parse().unwrap())
    }

    /// Sends a signed transaction that must be mined and succeed; gives its receipt.
    pub async fn must_mine(&self, signed: &[u8]) -> Value {
        let hash = self.send_raw_transaction(signed).await;
        let hash = hash.unwrap_or_else(|error| panic!("refused: {error}"));
        let receipt = self.receipt(hash).await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        receipt
    }

    /// The receipt of a transaction, once the block that holds it is made: that happens just after
    /// the transaction was accepted, not before.
    async fn receipt(&self, hash: B256) -> Value {
        for _ in 0..MAX_ASKED {
            let receipt = self.must("eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                return receipt;
            }
        }
        panic!("transaction {hash} was accepted and never mined");
    }

    /// Gives an account `wei`.
    pub async fn set_balance(&self, account: Address, wei: U256) {
        self.must("anvil_setBalance", json!([account, wei])).await;
    }

    /// What an account owns, in wei.
    pub async fn balance(&self, account: Address) -> U256 {
        let balance = self
            .must("eth_getBalance", json!([account, "latest"]))
            .await;
        balance.as_str().unwrap().parse().unwrap()
    }

    /// An account's code.
    pub async fn code(&self, account: Address) -> Bytes {
        let code = self.must("eth_getCode", json!([account, "latest"])).await;
        code.as_str().unwrap().parse().unwrap()
    }

    /// The number of an account's next transaction.
    pub async fn nonce(&self, account: Address) -> u64 {
        let nonce = self
            .must("eth_getTransactionCount", json!([account, "latest"]))
            .await;
        let nonce: U256 = nonce.as_str().unwrap().parse().unwrap();
        nonce.to()
    }

    /// What a contract answers to `input`.
    pub async fn eth_call(&self, to: Address, input: &[u8]) -> Bytes {
        let input = format!("0x{}", hex::encode(input));
        let reply = self
            .must("eth_call", json!([{ "to": to, "input": input }, "latest"]))
            .await;
        reply.as_str().unwrap().parse().unwrap()
    }

    async fn must(&self, method: &str, params: Value) -> Value {
        let result = self.call(method, params).await;
        result.unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}
