//! `halfkey wallet sign-message | sign-typed-data | sign-transaction`.

use std::io::Read as _;
use std::path::Path;

use alloy_consensus::TypedTransaction;
use alloy_dyn_abi::TypedData;
use alloy_primitives::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halfkey_chain::evm::UnsignedTransaction;
use serde_json::json;

use super::Opened;
use crate::exit_code::Failure;
use crate::output::Output;

/// Larger input is a mistake: the provider refuses it anyway.
const MAX_INPUT: u64 = 1 << 20;

pub(super) async fn message(
    opened: &Opened,
    address: &str,
    message: &str,
    output: Output,
) -> Result<(), Failure> {
    let text = if message == "-" {
        read_text(Path::new("-"))?
    } else {
        message.to_owned()
    };
    let store = &opened.store;
    let signature = if is_evm(address) {
        store.sign_evm_message(address, text.as_bytes()).await
    } else {
        store.sign_svm_message(address, &text).await
    };
    let signature = opened.done(signature).await?;
    let value = json!({ "address": address, "signature": signature });
    output.result(&value, || signature.clone());
    Ok(())
}

pub(super) async fn typed_data(
    opened: &Opened,
    address: &str,
    file: &Path,
    output: Output,
) -> Result<(), Failure> {
    let typed: TypedData = serde_json::from_str(&read_text(file)?)
        .map_err(|error| Failure::input(format!("typed data: {error}")))?;
    let signature = opened.store.sign_evm_typed_data(address, &typed).await;
    let signature = opened.done(signature).await?;
    let value = json!({ "address": address, "signature": signature });
    output.result(&value, || signature.clone());
    Ok(())
}

pub(super) async fn transaction(
    opened: &Opened,
    address: &str,
    payload: Option<&str>,
    file: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    if !is_evm(address) {
        return solana(opened, address, payload, output).await;
    }
    let unsigned: TypedTransaction = match (payload, file) {
        (Some(payload), _) => {
            let bytes = hex::decode(payload.trim())
                .map_err(|_| Failure::input("payload is not hexadecimal"))?;
            let unsigned = UnsignedTransaction::decode(&bytes).ok_or_else(|| {
                Failure::input("payload is not exactly one unsigned EVM transaction")
            })?;
            typed(unsigned)
        }
        (None, Some(file)) => serde_json::from_str(&read_text(file)?)
            .map_err(|error| Failure::input(format!("transaction: {error}")))?,
        (None, None) => return Err(Failure::input("give --payload or --file")),
    };
    let raw = opened
        .store
        .sign_evm_transaction_to_hex(address, unsigned)
        .await;
    let raw = opened.done(raw).await?;
    let value = json!({ "address": address, "raw_transaction": raw });
    output.result(&value, || raw.clone());
    Ok(())
}

async fn solana(
    opened: &Opened,
    address: &str,
    payload: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    let payload = payload.ok_or_else(|| {
        Failure::input("a Solana transaction is given as --payload, the message in base64")
    })?;
    let message = STANDARD
        .decode(payload.trim())
        .map_err(|_| Failure::input("payload is not standard base64"))?;
    let signature = opened.store.sign_svm_transaction(address, &message).await;
    let signature = opened.done(signature).await?;
    let value = json!({ "address": address, "signature": signature });
    output.result(&value, || signature.clone());
    Ok(())
}

fn typed(unsigned: UnsignedTransaction) -> TypedTransaction {
    match unsigned {
        UnsignedTransaction::Legacy(tx) => tx.into(),
        UnsignedTransaction::Eip2930(tx) => tx.into(),
        UnsignedTransaction::Eip1559(tx) => tx.into(),
        UnsignedTransaction::Eip4844(tx) => tx.into(),
        UnsignedTransaction::Eip7702(tx) => tx.into(),
    }
}

fn is_evm(address: &str) -> bool {
    address.starts_with("0x") || address.starts_with("0X")
}

fn read_text(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_INPUT)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_INPUT).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    Ok(text)
}
