//! `halfkey incident freeze | unfreeze | status`.

use halfkey::{Freeze, WalletClient, WalletId};
use serde_json::{Value, json};

use crate::commands::vault::rotate::forget_data_keys;
use crate::commands::wallet::Opened;
use crate::exit_code::Failure;
use crate::output::Output;

pub(super) async fn freeze(
    opened: &Opened,
    wallet: Option<&str>,
    reason: &str,
    output: Output,
) -> Result<(), Failure> {
    let wallet = wallet_id(opened, wallet).await?;
    let frozen = opened.store.client().freeze(wallet, reason).await?;
    forget_data_keys(&opened.storage).await;
    if let Some(second) = &opened.second {
        forget_data_keys(second).await;
    }
    output.result(&describe(&frozen), || {
        format!(
            "frozen: {}\n  nothing is made, signed, changed, exported or given back until: halfkey \
             incident unfreeze\n  beware      TWO_OF_THREE, imported, exported and dealt keys may \
             sign without the provider",
            line(&frozen)
        )
    });
    Ok(())
}

pub(super) async fn unfreeze(
    opened: &Opened,
    wallet: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    let wallet = wallet_id(opened, wallet).await?;
    let ended = opened.store.client().unfreeze(wallet).await?;
    output.result(&describe(&ended), || {
        format!("no longer frozen: {}", line(&ended))
    });
    Ok(())
}

pub(super) async fn status(client: &WalletClient, output: Output) -> Result<(), Failure> {
    let freezes = client.freezes().await?;
    let described: Vec<_> = freezes.iter().map(describe).collect();
    output.result(&json!({ "freezes": described }), || {
        if freezes.is_empty() {
            "nothing is frozen".to_owned()
        } else {
            freezes.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}

/// The provider's id of a wallet named by address or alias.
async fn wallet_id(opened: &Opened, name: Option<&str>) -> Result<Option<WalletId>, Failure> {
    let Some(name) = name else {
        return Ok(None);
    };
    let address = opened.address_of(name).await?;
    let properties = opened.store.properties(&address).await?;
    Ok(Some(properties.wallet_id.parse()?))
}

pub(super) fn describe(freeze: &Freeze) -> Value {
    json!({
        "wallet_id": freeze.wallet_id,
        "reason": freeze.reason,
        "frozen_at": freeze.frozen_at.to_string(),
    })
}

fn line(freeze: &Freeze) -> String {
    let what = match &freeze.wallet_id {
        Some(wallet) => format!("wallet {wallet}"),
        None => "the environment".to_owned(),
    };
    format!("{what}, since {}: {}", freeze.frozen_at, freeze.reason)
}
