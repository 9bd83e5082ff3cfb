//! One module per command.

mod audit;
mod delegation;
mod demo;
mod doctor;
mod escrow;
mod incident;
mod init;
mod provider;
mod recipient;
mod serve;
mod token;
mod vault;
mod wallet;

use crate::args::{Cli, Command};
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;
use crate::passphrase;

/// Runs the command that was asked for.
pub(crate) async fn run(cli: Cli, output: Output) -> Result<(), Failure> {
    let data = DataDir::open(&cli.global)?;
    let passphrase = passphrase::read(cli.global.passphrase_file.as_deref())?;
    match cli.command {
        Command::Init { provider_storage } => {
            init::run(&data, passphrase, provider_storage.as_deref(), output).await
        }
        Command::Provider(command) => provider::run(&data, passphrase, command, output).await,
        Command::Demo(options) => Box::pin(demo::run(&data, passphrase, &options, output)).await,
        Command::Serve(options) => serve::run(&data, passphrase, options, output).await,
        Command::Token(command) => token::run(&data, command, output).await,
        Command::Wallet(command) => Box::pin(wallet::run(&data, passphrase, command, output)).await,
        Command::Recipient(command) => recipient::run(&data, command, output).await,
        Command::Escrow(command) => Box::pin(escrow::run(&data, passphrase, command, output)).await,
        Command::Delegation(command) => {
            Box::pin(delegation::run(&data, passphrase, command, output)).await
        }
        Command::Vault { second, command } => {
            vault::run(&data, passphrase, (command, second), output).await
        }
        Command::Doctor(options) => {
            Box::pin(doctor::run(&data, passphrase, &options, output)).await
        }
        Command::Incident(command) => {
            Box::pin(incident::run(&data, passphrase, command, output)).await
        }
        Command::Audit(command) => Box::pin(audit::run(&data, passphrase, command, output)).await,
    }
}
