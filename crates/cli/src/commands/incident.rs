//! `halfkey incident …`: the steps after a compromise, at the provider and in the storage tiers,
//! and a signed report of them.

mod freeze;
mod provider;
mod report;
mod steps;

use halfkey_core::SecretString;

use super::wallet::{Login, client, open};
use crate::args::Incident;
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Incident,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Incident::Run(options) => steps::run(data, passphrase, &options, output).await,
        Incident::Freeze {
            reason,
            wallet,
            provider,
        } => {
            let opened = open(data, passphrase, &provider, Login::WhenNeeded).await?;
            freeze::freeze(&opened, wallet.as_deref(), &reason, output).await
        }
        Incident::Unfreeze { wallet, provider } => {
            let opened = open(data, passphrase, &provider, Login::WhenNeeded).await?;
            freeze::unfreeze(&opened, wallet.as_deref(), output).await
        }
        Incident::Status { provider } => {
            let client = client(data, &provider).await?;
            freeze::status(&client, output).await
        }
        Incident::Verify { file, key } => report::verify(&file, key.as_deref(), output),
    }
}
