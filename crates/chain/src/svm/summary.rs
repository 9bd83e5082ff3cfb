//! What people, policies and the activity log see of a Solana transaction.

use halfkey_core::wire::Operation;
use serde_json::{Value, json};

use super::message::{Instruction, TransactionMessage, Version};

/// The system program's address is 32 zero bytes.
const SYSTEM_PROGRAM: [u8; 32] = [0; 32];

/// Addresses are base58. An account behind a lookup table is shown as null: its address is not in
/// the message.
pub(super) fn transaction(message: &TransactionMessage<'_>) -> Value {
    let text = |key: &[u8; 32]| bs58::encode(key).into_string();
    let writable = |index: usize| is_writable(message, index);
    let signers = usize::from(message.header.required_signatures);
    json!({
        "kind": Operation::SvmTransaction.as_str(),
        "version": match message.version { Version::Legacy => "legacy", Version::V0 => "0" },
        "feePayer": text(message.fee_payer()),
        "signers": message.signers().map(text).collect::<Vec<_>>(),
        "accounts": message.account_keys.iter().enumerate().map(|(index, key)| json!({
            "address": text(key),
            "signer": index < signers,
            "writable": writable(index),
        })).collect::<Vec<_>>(),
        "addressTableLookups": message.lookups.iter().map(|lookup| json!({
            "table": text(lookup.table),
            "writable": lookup.writable,
            "readonly": lookup.readonly,
        })).collect::<Vec<_>>(),
        "recentBlockhash": text(message.recent_blockhash),
        "instructionCount": message.instructions.len(),
        "instructions": message.instructions.iter()
            .map(|instruction| describe(message, instruction))
            .collect::<Vec<_>>(),
    })
}

fn describe(message: &TransactionMessage<'_>, instruction: &Instruction<'_>) -> Value {
    let key = |index: &u8| message.account_keys.get(usize::from(*index)).copied();
    let text = |index: &u8| key(index).map(|key| bs58::encode(key).into_string());
    let mut described = json!({
        "program": text(&instruction.program),
        "accounts": instruction.accounts.iter().map(text).collect::<Vec<_>>(),
        "data": hex::encode(instruction.data),
    });
    if key(&instruction.program) == Some(&SYSTEM_PROGRAM)
        && let Some(lamports) = transfer_lamports(instruction.data)
        && let [from, to, ..] = instruction.accounts
        && let Some(described) = described.as_object_mut()
    {
        let transfer =
            json!({ "from": text(from), "to": text(to), "lamports": lamports.to_string() });
        described.insert("transfer".to_owned(), transfer);
    }
    described
}

/// The system program's instruction 2, `Transfer { lamports }`.
fn transfer_lamports(data: &[u8]) -> Option<u64> {
    let (kind, lamports) = data.split_at_checked(4)?;
    (kind == [2, 0, 0, 0]).then(|| lamports.try_into().ok().map(u64::from_le_bytes))?
}

fn is_writable(message: &TransactionMessage<'_>, index: usize) -> bool {
    let header = message.header;
    let signers = usize::from(header.required_signatures);
    let (end, readonly) = if index < signers {
        (signers, header.readonly_signed)
    } else {
        (message.account_keys.len(), header.readonly_unsigned)
    };
    index < end.saturating_sub(usize::from(readonly))
}
