use base64::Engine as _;
use halfkey_chain::svm::{TransactionMessage, Version, is_any_transaction_message};
use halfkey_chain::wire_payload;
use halfkey_core::wire::Operation;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use solana_hash::Hash;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_message::v0::{self, MessageAddressTableLookup};
use solana_message::{Message, MessageHeader, VersionedMessage, v1};
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;

use crate::support::{must_be, must_mismatch, must_refuse, svm};

const PAYER: Pubkey = Pubkey::new_from_array([1; 32]);
const PAYEE: Pubkey = Pubkey::new_from_array([2; 32]);

pub(crate) fn legacy_message() -> Vec<u8> {
    let hash = Hash::new_from_array([3; 32]);
    let message =
        Message::new_with_blockhash(&[transfer(&PAYER, &PAYEE, 1_000_000)], Some(&PAYER), &hash);
    VersionedMessage::Legacy(message).serialize()
}

pub(crate) fn v0_message() -> Vec<u8> {
    let hash = Hash::new_from_array([3; 32]);
    let instructions = [transfer(&PAYER, &PAYEE, 1_000_000)];
    let message = v0::Message::try_compile(&PAYER, &instructions, &[], hash).unwrap();
    VersionedMessage::V0(message).serialize()
}

fn v1_message() -> Vec<u8> {
    let hash = Hash::new_from_array([3; 32]);
    let instructions = [transfer(&PAYER, &PAYEE, 1_000_000)];
    let config = v1::TransactionConfig::empty()
        .with_priority_fee(5)
        .with_compute_unit_limit(9);
    let message =
        v1::Message::try_compile_with_config(&PAYER, &instructions, hash, config).unwrap();
    VersionedMessage::V1(message).serialize()
}

#[test]
fn the_summary_shows_what_is_signed() {
    for (message, version) in [(legacy_message(), "legacy"), (v0_message(), "0")] {
        let request = must_be(svm(&message, None), Operation::SvmTransaction);
        let summary = &request.summary;
        assert_eq!(summary["version"], version);
        assert_eq!(summary["feePayer"], PAYER.to_string());
        assert_eq!(summary["signers"], json!([PAYER.to_string()]));
        assert_eq!(summary["instructionCount"], 1);
        let instruction = &summary["instructions"][0];
        assert_eq!(instruction["program"], "11111111111111111111111111111111");
        assert_eq!(
            instruction["transfer"],
            json!({
                "from": PAYER.to_string(), "to": PAYEE.to_string(), "lamports": "1000000",
            })
        );
        let shown = |index: usize| {
            let account = &summary["accounts"][index];
            (
                account["signer"].as_bool().unwrap(),
                account["writable"].as_bool().unwrap(),
            )
        };
        assert_eq!(
            [shown(0), shown(1), shown(2)],
            [(true, true), (false, true), (false, false)]
        );
        assert_eq!(
            wire_payload::svm_transaction(&message).unwrap().request,
            request
        );
    }
}

#[test]
fn a_version_that_is_not_signed_is_still_seen() {
    let message = v1_message();
    assert!(is_any_transaction_message(&message));
    must_refuse(svm(&message, None), "another version");
    must_refuse(
        svm(&message, Some(&json!({ "svmMessage": {} }))),
        "transaction message",
    );
    must_refuse(
        svm(&message, Some(&json!({ "svmTransaction": {} }))),
        "another version",
    );
    let longer = [&message[..], &[0; 5]].concat();
    assert!(is_any_transaction_message(&longer));
    for end in 0..message.len() {
        assert!(!is_any_transaction_message(&message[..end]), "{end}");
    }
}

#[test]
fn a_claimed_transaction_must_be_this_one() {
    let message = legacy_message();
    let transaction = [&[1][..], &[0; 64], &message].concat();
    let base64 = base64::engine::general_purpose::STANDARD;
    let claim = |text: String| json!({ "svmTransaction": { "serializedTransactions": [text] } });
    for agreeing in [
        claim(hex::encode(&message)),
        claim(hex::encode(&transaction)),
        claim(base64.encode(&transaction)),
        claim(bs58::encode(&transaction).into_string()),
        json!({ "svmTransaction": { "serializedTransactions": [] } }),
        json!({ "svmTransaction": { "chainId": "mainnet", "method": "signTransaction" } }),
        json!({ "svmTransaction": { "serializedTransactions": ["00", hex::encode(&message)] } }),
    ] {
        must_be(svm(&message, Some(&agreeing)), Operation::SvmTransaction);
    }
    for other in [
        claim(hex::encode(v0_message())),
        claim("zz".to_owned()),
        claim(String::new()),
        json!({ "svmTransaction": { "serializedTransactions": "00" } }),
        json!({ "svmTransaction": { "serializedTransactions": [1] } }),
    ] {
        must_mismatch(svm(&message, Some(&other)), "serializedTransactions");
    }
}

#[test]
fn messages_the_runtime_would_refuse_are_refused() {
    let change = |at: usize, to: u8| {
        let mut message = legacy_message();
        message[at] = to;
        svm(&message, Some(&json!({ "svmTransaction": {} })))
    };
    must_refuse(change(0, 0), "fee payer");
    must_refuse(change(0, 4), "fewer keys");
    must_refuse(change(1, 1), "fee payer");
    must_refuse(change(2, 9), "fewer keys");
    // Header 3, count 1, three keys 96, hash 32, count 1: the program index, then its accounts.
    must_refuse(change(133, 0), "program index");
    must_refuse(change(133, 3), "program index");
    must_refuse(change(135, 3), "account index");
    let mut long = legacy_message();
    let length = long.len();
    long[137] = 0xff;
    long.splice(138..length, vec![0x10; 1 + 0x87f]);
    must_refuse(svm(&long, Some(&json!({ "svmTransaction": {} }))), "longer");
}

prop_compose! {
    fn instruction()(
        program_id_index in 0..6_u8,
        accounts in vec(0..9_u8, 0..5),
        data in vec(any::<u8>(), 0..140),
    ) -> CompiledInstruction {
        CompiledInstruction { program_id_index, accounts, data }
    }
}

prop_compose! {
    fn lookup()(
        key in any::<[u8; 32]>(),
        writable in vec(any::<u8>(), 0..3),
        readonly in vec(any::<u8>(), 0..3),
    ) -> MessageAddressTableLookup {
        MessageAddressTableLookup {
            account_key: key.into(), writable_indexes: writable, readonly_indexes: readonly,
        }
    }
}

prop_compose! {
    /// Messages of every version; about half of them are valid.
    fn message()(
        version in 0..3_u8,
        header in (0..3_u8, 0..2_u8, 0..3_u8),
        keys in vec(any::<[u8; 32]>(), 0..6),
        hash in any::<[u8; 32]>(),
        instructions in vec(instruction(), 0..3),
        lookups in vec(lookup(), 0..2),
    ) -> VersionedMessage {
        let header = MessageHeader {
            num_required_signatures: header.0,
            num_readonly_signed_accounts: header.1,
            num_readonly_unsigned_accounts: header.2,
        };
        let account_keys: Vec<_> = keys.into_iter().map(Into::into).collect();
        let recent_blockhash = Hash::new_from_array(hash);
        match version {
            0 => VersionedMessage::Legacy(Message {
                header, account_keys, recent_blockhash, instructions,
            }),
            1 => VersionedMessage::V0(v0::Message {
                header, account_keys, recent_blockhash, instructions,
                address_table_lookups: lookups,
            }),
            _ => VersionedMessage::V1(v1::Message {
                header, account_keys, lifetime_specifier: recent_blockhash, instructions,
                config: v1::TransactionConfig::empty().with_heap_size(1024 * u32::from(hash[0])),
            }),
        }
    }
}

proptest! {
    /// Our decoder takes exactly what Solana's own crates find valid, and reads the same.
    #[test]
    fn decode_agrees_with_solana(message in message()) {
        let bytes = message.serialize();
        prop_assert!(is_any_transaction_message(&bytes));
        let decoded = TransactionMessage::decode(&bytes);
        let is_signed = !matches!(message, VersionedMessage::V1(_));
        prop_assert_eq!(decoded.is_ok(), is_signed && message.sanitize().is_ok());
        if let Ok(decoded) = decoded {
            let is_v0 = matches!(message, VersionedMessage::V0(_));
            prop_assert_eq!(decoded.version == Version::V0, is_v0);
            let keys: Vec<_> =
                message.static_account_keys().iter().map(Pubkey::to_bytes).collect();
            prop_assert_eq!(decoded.account_keys.iter().map(|key| **key).collect::<Vec<_>>(), keys);
            prop_assert_eq!(*decoded.recent_blockhash, message.recent_blockhash().to_bytes());
            prop_assert_eq!(decoded.instructions.len(), message.instructions().len());
            for (ours, theirs) in decoded.instructions.iter().zip(message.instructions()) {
                prop_assert_eq!(ours.program, theirs.program_id_index);
                prop_assert_eq!(ours.accounts, &theirs.accounts[..]);
                prop_assert_eq!(ours.data, &theirs.data[..]);
            }
            let lookups = message.address_table_lookups().unwrap_or_default();
            prop_assert_eq!(decoded.lookups.len(), lookups.len());
            for (ours, theirs) in decoded.lookups.iter().zip(lookups) {
                prop_assert_eq!(*ours.table, theirs.account_key.to_bytes());
                prop_assert_eq!(ours.writable, &theirs.writable_indexes[..]);
                prop_assert_eq!(ours.readonly, &theirs.readonly_indexes[..]);
            }
        }
    }

    #[test]
    fn no_truncation_or_extension_is_a_transaction(message in message(), extra in any::<u8>()) {
        let bytes = message.serialize();
        let longer = [&bytes[..], &[extra]].concat();
        prop_assert!(TransactionMessage::decode(&longer).is_err());
        prop_assert!(is_any_transaction_message(&longer));
        for end in 0..bytes.len() {
            prop_assert!(TransactionMessage::decode(&bytes[..end]).is_err());
        }
    }
}
