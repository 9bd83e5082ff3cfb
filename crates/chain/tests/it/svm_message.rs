use halfkey_chain::{classify, wire_payload};
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};
use serde_json::json;

use crate::support::{commit_proof, must_be, must_be_malformed, must_mismatch, must_refuse, svm};
use crate::svm_transaction::{legacy_message, v0_message};

#[test]
fn text_is_a_message() {
    for text in ["hello", "é", "\u{a0}", "a longer text\r\n\twith lines"] {
        let request = must_be(svm(text.as_bytes(), None), Operation::SvmMessage);
        assert_eq!(
            request.input,
            SigningInput::Message(text.as_bytes().to_vec())
        );
        assert_eq!(request.summary["text"], text);
        let built = wire_payload::svm_message(text.as_bytes()).unwrap();
        assert_eq!((built.request, built.message), (request, hex::encode(text)));
    }
}

#[test]
fn text_that_may_be_more_than_text_is_blind() {
    for text in [
        &"a".repeat(32),
        "\u{0}",
        "bell\u{7}",
        "\u{7f}",
        "\u{80}",
        "\u{1b}[2J",
        "a\u{b}b",
    ] {
        must_be(svm(text.as_bytes(), None), Operation::Blind);
        must_be(
            svm(text.as_bytes(), Some(&json!({ "svmMessage": {} }))),
            Operation::Blind,
        );
    }
    must_be(svm("a".repeat(31).as_bytes(), None), Operation::SvmMessage);
    must_be(svm("a".repeat(33).as_bytes(), None), Operation::SvmMessage);
    // An envelope says what it is, of whatever length.
    let enveloped = [&b"\xffsolana offchain\x00\x00\x0c\x00"[..], b"twelve bytes"].concat();
    assert_eq!(enveloped.len(), 32);
    must_be(svm(&enveloped, None), Operation::SvmMessage);
}

#[test]
fn bytes_without_meaning_are_blind() {
    must_be(svm(&[0xfe; 32], None), Operation::Blind);
    let context = json!({ "svmMessage": {} });
    must_be(svm(&[0xfe; 32], Some(&context)), Operation::Blind);
    assert_eq!(
        wire_payload::svm_message(&[0xfe; 32])
            .unwrap()
            .request
            .operation,
        Operation::Blind
    );
}

#[test]
fn an_off_chain_envelope_is_a_message() {
    let message = [&b"\xffsolana offchain\x00\x00\x05\x00"[..], b"hello"].concat();
    must_be(svm(&message, None), Operation::SvmMessage);
    must_be(svm(&message[..message.len() - 1], None), Operation::Blind);
}

#[test]
fn a_message_that_is_a_transaction_is_refused() {
    let context = json!({ "svmMessage": {} });
    for message in [legacy_message(), v0_message()] {
        must_refuse(svm(&message, Some(&context)), "transaction message");
        let longer = [&message[..], b"trailing text"].concat();
        must_refuse(svm(&longer, Some(&context)), "transaction message");
        must_refuse(svm(&longer, None), "left over");
        assert!(wire_payload::svm_message(&message).is_err());
    }
}

#[test]
fn a_message_that_is_a_later_transaction_is_refused() {
    let context = json!({ "svmMessage": {} });
    for version in 0x81..=0xff {
        let mut message = legacy_message();
        message.insert(0, version);
        must_refuse(svm(&message, Some(&context)), "transaction message");
        must_refuse(svm(&message, None), "another version");
    }
}

#[test]
fn claims_must_agree() {
    let hello = b"hello";
    for raw in ["hello", "68656c6c6f", "0x68656c6c6f", "Cn8eVZg", "aGVsbG8="] {
        let context = json!({ "svmMessage": { "raw": raw, "message": raw } });
        must_be(svm(hello, Some(&context)), Operation::SvmMessage);
    }
    must_mismatch(
        svm(hello, Some(&json!({ "svmMessage": { "raw": "hallo" } }))),
        "raw",
    );
    must_mismatch(
        svm(hello, Some(&json!({ "svmMessage": { "message": 5 } }))),
        "message",
    );
    must_refuse(
        svm(hello, Some(&json!({ "svmTransaction": {} }))),
        "not exactly",
    );
    must_mismatch(svm(hello, Some(&json!({ "evmMessage": {} }))), "evmMessage");
    let both = json!({ "svmMessage": {}, "svmTransaction": {} });
    must_mismatch(svm(hello, Some(&both)), "both");
}

#[test]
fn commit_proofs_and_digests_are_refused() {
    must_refuse(svm(&commit_proof(), None), "commit proof");
    must_refuse(
        svm(&commit_proof(), Some(&json!({ "svmMessage": {} }))),
        "commit proof",
    );
    must_refuse(
        svm(&commit_proof(), Some(&json!({ "svmTransaction": {} }))),
        "commit proof",
    );
    must_be_malformed(
        classify(ChainName::Svm, &"00".repeat(32), true, None),
        "isFormatted",
    );
    must_be_malformed(svm(b"", None), "empty");
}
