//! What the customer does.

use std::path::Path;

use halfkey::{DelegationInfo, DelegationOptions, Recipient};
use halfkey_core::wire::WalletKeyScope;
use serde_json::json;

use crate::args::Grant;
use crate::commands::wallet::Opened;
use crate::exit_code::Failure;
use crate::output::Output;
use crate::progress::spinner;

pub(super) async fn register(opened: &Opened, file: &Path, output: Output) -> Result<(), Failure> {
    let pem = std::fs::read_to_string(file)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    let client = opened.store.client();
    let key = opened
        .done(client.register_delegation_key(&pem).await)
        .await?;
    output.result(&key, || {
        format!(
            "registered {}\n  compare it with what the delegate's own machine printed",
            key.fingerprint
        )
    });
    Ok(())
}

pub(super) async fn grant(opened: &Opened, options: &Grant, output: Output) -> Result<(), Failure> {
    let scopes = if options.scopes.is_empty() {
        WalletKeyScope::DEFAULT.to_vec()
    } else {
        options.scopes.clone()
    };
    let wanted = DelegationOptions::new(Recipient::Fingerprint(options.to.clone()))
        .scopes(scopes.clone())
        .lasts(options.lasts);
    let bar = spinner(output, "proof, encryption, delivery");
    let granted = opened.store.delegate(&options.address, &wanted).await;
    bar.finish_and_clear();
    let granted = opened.done(granted).await?;
    let value = json!({
        "account_address": options.address,
        "delegation_id": granted.delegated_share_delivery_id,
        "status": granted.status,
        "expires_at": granted.expires_at,
        "scopes": scopes,
    });
    output.result(&value, || {
        let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        format!(
            "{}  delegated as {}\n  until       {}\n  may         {}\n  the delegate fetches it \
             with: halfkey delegation receive",
            options.address,
            granted.delegated_share_delivery_id,
            granted.expires_at,
            names.join(" ")
        )
    });
    Ok(())
}

pub(super) async fn list(opened: &Opened, address: &str, output: Output) -> Result<(), Failure> {
    let client = opened.store.client();
    let wallet = opened.done(client.lookup(address).await).await?.wallet_id;
    let found = client.delegations(&wallet.to_string()).await;
    let found = opened.done(found).await?;
    let value = json!({ "account_address": address, "delegations": found });
    output.result(&value, || {
        if found.is_empty() {
            return format!("{address} was never delegated");
        }
        let lines: Vec<_> = found.iter().map(line).collect();
        lines.join("\n")
    });
    Ok(())
}

fn line(one: &DelegationInfo) -> String {
    let scopes: Vec<_> = one.scopes.iter().map(|scope| scope.as_str()).collect();
    let refresh = if one.refresh_outstanding {
        "  REFRESH OUTSTANDING: halfkey delegation revoke"
    } else {
        ""
    };
    format!(
        "{}  {:<8}  until {}  {}{refresh}",
        one.delegation_id,
        one.status,
        one.expires_at,
        scopes.join(" ")
    )
}

pub(super) async fn revoke(opened: &Opened, address: &str, output: Output) -> Result<(), Failure> {
    let bar = spinner(output, "block, refresh, proof, commit");
    let changed = opened.store.revoke_delegations(address).await;
    bar.finish_and_clear();
    let changed = opened.done(changed).await?;
    let value = json!({
        "account_address": address,
        "revoked": true,
        "generation": changed.generation,
        "before": changed.before,
    });
    output.result(&value, || {
        format!(
            "{address}  no delegate signs any more; generation {} → {}\n  of an imported, exported \
             or 2-of-3 wallet nobody can be sure: move the funds",
            changed.before, changed.generation
        )
    });
    Ok(())
}
