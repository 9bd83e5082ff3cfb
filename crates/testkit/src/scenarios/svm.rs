//! Solana: a real runtime executes legacy and v0 transactions, and solders agrees who signed.

use halfkey_chain::svm::attach;
use halfkey_chain::{Error, WirePayload, signature_text, verify_signature, wire_payload};
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, Signature};
use serde_json::json;
use solana_hash::Hash;
use solana_message::{Message, VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;

use crate::judge::{self, Question};
use crate::litesvm::LiteSvm;

const PAYEE: Pubkey = Pubkey::new_from_array([0x42; 32]);
const LAMPORTS: u64 = 1_000_000_000;
/// What one signature costs.
const FEE: u64 = 5_000;

/// A transfer in a legacy and in a v0 message, each signed, executed, traced back to `account`, and
/// refused a second time and with another signature.
pub async fn legacy_and_v0<S>(account: Pubkey, sign: S)
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let node = LiteSvm::start();
    node.airdrop(&account, 10 * LAMPORTS).await;
    let blockhash = node.latest_blockhash().await;
    let mut paid = 0;
    for message in [
        legacy(&account, &blockhash),
        versioned(&account, &blockhash),
    ] {
        let payload = wire_payload::svm_transaction(&message).unwrap();
        assert_eq!(payload.request.operation, Operation::SvmTransaction);
        let signature = must_sign(&account, payload, &sign).await;
        let transaction = attach(&message, &[(account.to_bytes(), signature)]).unwrap();

        let mut forged = transaction.clone();
        forged[1] ^= 1;
        let refused = node.send_transaction(&forged).await.unwrap_err();
        assert!(refused.message.contains("SignatureFailure"), "{refused}");

        node.must_execute(&transaction).await;
        paid += LAMPORTS;
        assert_eq!(node.balance(&PAYEE).await, paid);
        let refused = node.send_transaction(&transaction).await.unwrap_err();
        assert!(refused.message.contains("AlreadyProcessed"), "{refused}");

        let answers = judge::solders(&[Question::svm_transaction(&transaction)]);
        assert_eq!(answers, [json!({ "ok": [[account.to_string(), true]] })]);
    }
    assert_eq!(node.balance(&account).await, 8 * LAMPORTS - 2 * FEE);
}

/// Signs text and has solders check it. Text that is a transaction is refused before anyone signs.
pub async fn message<S>(account: Pubkey, sign: S)
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let text = "für alle".as_bytes();
    let payload = wire_payload::svm_message(text).unwrap();
    assert_eq!(payload.request.operation, Operation::SvmMessage);
    let signature = Signature::Ed25519(must_sign(&account, payload, &sign).await);
    let signature = signature_text(ChainName::Svm, &signature).unwrap();
    let ask = |text| Question::svm_message(text, &account.to_string(), &signature);
    let answers = judge::solders(&[ask(text), ask(b"other")]);
    assert_eq!(answers, [json!({ "ok": true }), json!({ "ok": false })]);

    for message in [
        legacy(&account, &Hash::default()),
        versioned(&account, &Hash::default()),
    ] {
        let refused = wire_payload::svm_message(&message).unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused}");
    }
}

/// One transfer to `PAYEE` in a legacy message.
pub fn legacy(account: &Pubkey, blockhash: &Hash) -> Vec<u8> {
    let instructions = [transfer(account, &PAYEE, LAMPORTS)];
    let message = Message::new_with_blockhash(&instructions, Some(account), blockhash);
    VersionedMessage::Legacy(message).serialize()
}

/// One transfer to `PAYEE` in a v0 message.
pub fn versioned(account: &Pubkey, blockhash: &Hash) -> Vec<u8> {
    let instructions = [transfer(account, &PAYEE, LAMPORTS)];
    let blockhash = Hash::new_from_array(blockhash.to_bytes());
    let message = v0::Message::try_compile(account, &instructions, &[], blockhash).unwrap();
    VersionedMessage::V0(message).serialize()
}

async fn must_sign<S>(account: &Pubkey, payload: WirePayload, sign: &S) -> [u8; 64]
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let input = payload.request.input.clone();
    let signature = sign(payload).await;
    verify_signature(ChainName::Svm, &account.to_string(), &input, &signature).unwrap();
    let Signature::Ed25519(bytes) = signature else {
        panic!("not an Ed25519 signature");
    };
    bytes
}
