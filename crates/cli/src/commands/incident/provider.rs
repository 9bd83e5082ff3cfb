//! The steps that are the provider's.

use serde_json::{Value, json};

use super::freeze::describe;
use crate::commands::wallet::Opened;
use crate::exit_code::Failure;

pub(super) async fn freeze(opened: &Opened, reason: &str) -> Result<Value, Failure> {
    Ok(describe(&opened.store.client().freeze(None, reason).await?))
}

pub(super) async fn unfreeze(opened: &Opened) -> Result<Value, Failure> {
    Ok(describe(&opened.store.client().unfreeze(None).await?))
}

pub(super) async fn revoke(opened: &Opened) -> Result<Value, Failure> {
    let revoked = opened.store.client().revoke_other_tokens().await?;
    Ok(json!({ "tokens": revoked }))
}
