//! Outside judges: implementations that share no code with Halfkey or alloy check our signatures.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::tools;

pub mod backup;

/// A signature and what it should be over, for a judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Question(Value);

impl Question {
    /// Who signed this EIP-191 message? `signature` is the 65 bytes as `0x` hex.
    pub fn evm_message(message: &[u8], signature: &str) -> Self {
        let message = format!("0x{}", hex::encode(message));
        Self(json!({ "ask": "evm_message", "message": message, "signature": signature }))
    }

    /// Who signed this EIP-712 data, `EIP712Domain` among its types?
    pub fn evm_typed_data(typed_data: &Value, signature: &str) -> Self {
        Self(json!({ "ask": "evm_typed_data", "typedData": typed_data, "signature": signature }))
    }

    /// Who signed this transaction (EIP-2718 bytes)?
    pub fn evm_transaction(signed: &[u8]) -> Self {
        let transaction = format!("0x{}", hex::encode(signed));
        Self(json!({ "ask": "evm_transaction", "transaction": transaction }))
    }

    /// Who signed this EIP-7702 authorization?
    pub fn evm_authorization(chain_id: u64, address: &str, nonce: u64, signature: &str) -> Self {
        Self(json!({
            "ask": "evm_authorization", "chainId": chain_id, "address": address, "nonce": nonce,
            "signature": signature,
        }))
    }

    /// Which EVM address is at `path` below this mnemonic (BIP-39, BIP-32)?
    pub fn evm_mnemonic(words: &str, passphrase: &str, path: &str) -> Self {
        Self(json!({
            "ask": "evm_mnemonic", "words": words, "passphrase": passphrase, "path": path,
        }))
    }

    /// Which Solana address is at `path` below this mnemonic (BIP-39, SLIP-0010), or at its seed
    /// itself?
    pub fn svm_mnemonic(words: &str, passphrase: &str, path: Option<&str>) -> Self {
        Self(json!({
            "ask": "svm_mnemonic", "words": words, "passphrase": passphrase, "path": path,
        }))
    }

    /// Which EVM address has this private key, as text?
    pub fn evm_key(key: &str) -> Self {
        Self(json!({ "ask": "evm_key", "key": key }))
    }

    /// Which EVM address is at `path` (`44/60/0`) below this extended private key (BIP-32)?
    pub fn evm_xprv(key: &str, path: &str) -> Self {
        Self(json!({ "ask": "evm_xprv", "key": key, "path": path }))
    }

    /// Which Solana address has this seed (base58) or key pair (JSON list)?
    pub fn svm_key(key: &str) -> Self {
        Self(json!({ "ask": "svm_key", "key": key }))
    }

    /// What is in this age file? The answer is its text.
    pub fn age_file(identity: &str, file: &str) -> Self {
        Self(json!({ "ask": "age_file", "identity": identity, "file": file }))
    }

    /// Which EVM address do the two parts of a `TWO_OF_TWO` export make, in JSON?
    pub fn evm_export(customer: &Value, provider: &Value) -> Self {
        Self(json!({ "ask": "evm_export", "customer": customer, "provider": provider }))
    }

    /// Which Solana address do the two parts of a `TWO_OF_TWO` export make, in JSON?
    pub fn svm_export(customer: &Value, provider: &Value) -> Self {
        Self(json!({ "ask": "svm_export", "customer": customer, "provider": provider }))
    }

    /// Did `address` sign this message? `signature` in base58.
    pub fn svm_message(message: &[u8], address: &str, signature: &str) -> Self {
        let message = hex::encode(message);
        Self(json!({
            "ask": "svm_message", "message": message, "address": address, "signature": signature,
        }))
    }

    /// Which signers' signatures verify? The answer is a list of (address, verifies).
    pub fn svm_transaction(transaction: &[u8]) -> Self {
        Self(json!({ "ask": "svm_transaction", "transaction": hex::encode(transaction) }))
    }

    /// A fresh RSA key of this many bits: `publicKey` and `privateKey`, both PEM.
    pub fn rsa_key(bits: u32) -> Self {
        Self(json!({ "ask": "rsa_key", "bits": bits }))
    }

    /// The content, as hex, of a delegation envelope.
    pub fn envelope_open(private_key: &str, envelope: &Value) -> Self {
        Self(json!({ "ask": "envelope_open", "privateKey": private_key, "envelope": envelope }))
    }

    /// A delegation envelope with this content.
    pub fn envelope_seal(public_key: &str, content: &[u8]) -> Self {
        let content = hex::encode(content);
        Self(json!({ "ask": "envelope_seal", "publicKey": public_key, "content": content }))
    }
}

/// Asks the `crypto` module of Node, which is OpenSSL's.
pub fn node_crypto(questions: &[Question]) -> Vec<Value> {
    tools::real_part("node-crypto");
    let mut command = Command::new("node");
    command.arg(tools::script("node_crypto.mjs"));
    must_answer(&mut command, questions)
}

/// Asks eth-account.
pub fn eth_account(questions: &[Question]) -> Vec<Value> {
    tools::real_part("eth-account");
    must_answer(
        Command::new(tools::python()).arg(tools::script("judge.py")),
        questions,
    )
}

/// Asks solders.
pub fn solders(questions: &[Question]) -> Vec<Value> {
    tools::real_part("solders");
    must_answer(
        Command::new(tools::python()).arg(tools::script("judge.py")),
        questions,
    )
}

/// Asks rage, the Rust implementation of age.
pub fn rage(questions: &[Question]) -> Vec<Value> {
    tools::real_part("rage");
    must_answer(
        Command::new(tools::python()).arg(tools::script("judge.py")),
        questions,
    )
}

/// Asks typage, the TypeScript implementation of age.
pub fn typage(questions: &[Question]) -> Vec<Value> {
    tools::real_part("typage");
    tools::must_find("node_modules/age-encryption");
    let mut command = Command::new("node");
    command
        .arg(tools::script("judge_age.mjs"))
        .arg(tools::directory());
    must_answer(&mut command, questions)
}

/// Asks ethers.
pub fn ethers(questions: &[Question]) -> Vec<Value> {
    tools::real_part("ethers");
    let mut command = Command::new("node");
    command
        .arg(tools::script("judge.mjs"))
        .arg(tools::node_modules());
    must_answer(&mut command, questions)
}

/// Whether Foundry's cast finds that `address` signed this text.
pub fn cast_verifies(address: &str, message: &str, signature: &str) -> bool {
    tools::real_part("cast");
    let mut command = Command::new(tools::cast());
    command.args(["wallet", "verify", "--address", address, message, signature]);
    command.output().unwrap().status.success()
}

/// One answer a question, `ok` or `error`.
fn must_answer(command: &mut Command, questions: &[Question]) -> Vec<Value> {
    let asked = questions
        .iter()
        .map(|question| question.0.clone())
        .collect::<Value>();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(asked.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "the judge failed: {}",
        output.status
    );
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), questions.len());
    answers
}
