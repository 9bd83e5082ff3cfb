//! SVM: what the bytes are, decided from the bytes (custody rule 19).
//!
//! Solana signs transaction messages and off-chain messages as they are, with no prefix between
//! them, so a signed "message" can be a transaction. Hence:
//!
//! | the bytes | no context, or `svmTransaction` | `svmMessage` |
//! |---|---|---|
//! | exactly one legacy or v0 transaction message | `SvmTransaction` | refused |
//! | parse as one with bytes left over, or as a later version | refused | refused |
//! | begin like a commit proof | refused | refused |
//! | readable text, or Solana's off-chain message form | `SvmMessage` | `SvmMessage` |
//! | anything else | `Blind` | `Blind` |
//!
//! except that under `svmTransaction` everything but the first row is refused. Text is readable
//! when it is UTF-8 without control characters (tab and line ends aside) and not of exactly 32
//! bytes, which may be a hash that a program checks.

mod attach;
pub mod message;
mod offchain;
mod reader;
mod summary;
mod transaction_claim;

use halfkey_core::proof_message::is_proof_message;
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};
use serde_json::{Value, json};

use crate::bytes::{self, excerpt, hex_0x, readings};
use crate::context::{Context, member};
use crate::{Error, SigningRequest};

pub use attach::attach;
pub use message::{TransactionMessage, Version, is_any_transaction_message};

const CLAIMS: [&str; 2] = ["svmMessage", "svmTransaction"];

/// Bytes of a message that a summary shows.
const SHOWN: usize = 4096;

pub(crate) fn classify(
    message: &str,
    is_formatted: bool,
    context: Option<&Value>,
) -> Result<SigningRequest, Error> {
    if is_formatted {
        return Err(Error::Malformed(
            "Solana signs messages, never digests (isFormatted)".into(),
        ));
    }
    let bytes = bytes::decode_hex(message)?;
    let context = Context::parse(context, &CLAIMS)?;
    if is_proof_message(&bytes) {
        return Err(Error::Refused("it begins like a commit proof".into()));
    }
    let (operation, summary) = match (context.claim("svmMessage"), context.claim("svmTransaction"))
    {
        (Some(_), Some(_)) => {
            return Err(Error::Mismatch(
                "both svmMessage and svmTransaction are claimed".into(),
            ));
        }
        (Some(claim), None) => off_chain(&bytes, Some(claim))?,
        (None, Some(claim)) => {
            let found = transaction(&bytes)?;
            transaction_claim::agree(claim, &bytes)?;
            found
        }
        (None, None) if is_any_transaction_message(&bytes) => transaction(&bytes)?,
        (None, None) => off_chain(&bytes, None)?,
    };
    Ok(SigningRequest {
        chain: ChainName::Svm,
        operation,
        input: SigningInput::Message(bytes),
        summary,
    })
}

fn transaction(bytes: &[u8]) -> Result<(Operation, Value), Error> {
    let decoded = TransactionMessage::decode(bytes).map_err(|reason| {
        Error::Refused(format!(
            "not exactly a legacy or v0 transaction message: {reason}"
        ))
    })?;
    Ok((Operation::SvmTransaction, summary::transaction(&decoded)))
}

fn off_chain(bytes: &[u8], claim: Option<&Value>) -> Result<(Operation, Value), Error> {
    let is_enveloped = offchain::is_off_chain_message(bytes);
    // The runtime takes no transaction of version 127, which the off-chain envelope begins with.
    if !is_enveloped && is_any_transaction_message(bytes) {
        return Err(Error::Refused(
            "the message parses as a transaction message".into(),
        ));
    }
    if let Some(claim) = claim {
        agree_message(claim, bytes)?;
    }
    let is_readable = is_readable(bytes);
    let operation = if is_enveloped || is_readable {
        Operation::SvmMessage
    } else {
        Operation::Blind
    };
    // Unreadable text stays hex, so that it cannot act on a terminal.
    let text = excerpt(bytes, SHOWN).filter(|_| is_readable);
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    let summary = json!({
        "kind": operation.as_str(),
        "text": text,
        "hex": text.is_none().then(|| hex_0x(shown)),
        "bytes": bytes.len(),
        "truncated": bytes.len() > SHOWN,
        "offChainEnvelope": is_enveloped,
    });
    Ok((operation, summary))
}

fn is_readable(bytes: &[u8]) -> bool {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
    bytes.len() != 32 && core::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_plain))
}

/// Where the claim repeats the message, as text, hex, base58 or base64, it must be these bytes.
fn agree_message(claim: &Value, bytes: &[u8]) -> Result<(), Error> {
    for name in ["raw", "message"] {
        let agrees = match member(claim, name) {
            None => true,
            Some(Value::String(text)) => {
                text.as_bytes() == bytes || readings(text).iter().any(|reading| reading == bytes)
            }
            Some(_) => false,
        };
        if !agrees {
            return Err(Error::Mismatch(format!("svmMessage.{name}")));
        }
    }
    Ok(())
}
