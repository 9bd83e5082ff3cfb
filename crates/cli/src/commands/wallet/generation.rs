//! `halfkey wallet recover --to-generation | sweep`: earlier generations of a wallet's shares.

use halfkey_core::Generation;
use serde_json::json;

use super::Opened;
use crate::exit_code::Failure;
use crate::output::Output;
use crate::progress::spinner;

pub(super) async fn recover(
    opened: &Opened,
    address: &str,
    to: u64,
    output: Output,
) -> Result<(), Failure> {
    let bar = spinner(output, "open, proof, restore epoch, sealed write");
    let fell = opened
        .store
        .recover_generation(address, Generation(to))
        .await;
    bar.finish_and_clear();
    let fell = opened.done(fell).await?;
    let address = &fell.properties.account_address;
    let value = json!({
        "account_address": address,
        "generation": fell.generation,
        "high_water": fell.high_water,
        "restore_epoch": fell.restore_epoch,
    });
    output.result(&value, || {
        format!(
            "{address}: both halves are at generation {} (of up to {}), restore epoch {}\n  next  \
             halfkey wallet refresh {address}: until then it does not sign",
            fell.generation, fell.high_water, fell.restore_epoch
        )
    });
    Ok(())
}

pub(super) async fn sweep(opened: &Opened, output: Output) -> Result<(), Failure> {
    let swept = opened.done(opened.store.sweep().await).await?;
    let shredded = swept.shredded.iter().map(
        |(address, generation)| json!({ "account_address": address, "generation": generation }),
    );
    let days = swept.horizon.map(|horizon| horizon.as_secs() / 86_400);
    let value = json!({
        "provider_horizon_days": days,
        "shredded": shredded.collect::<Vec<_>>(),
        "kept": swept.kept,
    });
    output.result(&value, || {
        let mut lines: Vec<_> = swept
            .shredded
            .iter()
            .map(|(address, generation)| format!("{address}  generation {generation} shredded"))
            .collect();
        lines.push(match days {
            Some(days) => format!(
                "{} shredded, {} kept for the provider's horizon of {days} days",
                swept.shredded.len(),
                swept.kept
            ),
            None => format!(
                "the provider tells no horizon: all {} earlier generations are kept",
                swept.kept
            ),
        });
        lines.join("\n")
    });
    Ok(())
}
