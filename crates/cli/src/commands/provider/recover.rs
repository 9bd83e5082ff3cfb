//! `halfkey provider recover`: what only the provider's operator may allow.

use std::sync::Arc;

use halfkey_core::{Generation, SystemClock};
use halfkey_server::recovery::{self, Wanted};
use serde_json::json;

use crate::args::Recovery;
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;

pub(super) async fn recover(
    data: &DataDir,
    options: Recovery,
    output: Output,
) -> Result<(), Failure> {
    let address = options.address.clone();
    let wanted = Wanted {
        address: options.address,
        generation: Generation(options.to_generation),
        reason: options.reason,
        lasts: options.lasts,
    };
    let environment = options.of_environment.as_ref();
    let clock = Arc::new(SystemClock);
    let approval = recovery::approve(data.path(), environment, wanted, clock).await?;
    let value = json!({
        "account_address": address,
        "wallet": approval.wallet,
        "environment": approval.environment,
        "from": approval.from,
        "to": approval.to,
        "expires_at": approval.expires_at.to_string(),
    });
    output.result(&value, || {
        let (from, to, until) = (approval.from, approval.to, approval.expires_at);
        format!(
            "{address} may fall back from generation {from} to {to}, once, until {until}\n  next  \
             the customer: halfkey wallet recover {address} --to-generation {to}"
        )
    });
    Ok(())
}
