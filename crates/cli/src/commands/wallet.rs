//! `halfkey wallet …`: wallets of this customer, through the store that keeps their state.

mod backup;
mod change;
mod check;
mod create;
mod generation;
mod import;
mod key;
mod open;
mod overview;
mod resume;
mod sign;

use halfkey_core::SecretString;

use crate::args::Wallet;
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;

pub(crate) use change::refresh_compromised;
pub(crate) use create::{Wanted, create_one};
pub(crate) use key::{refuse_existing, write_new};
pub(crate) use open::{
    Login, Opened, anonymous, client, client_of, client_options, open, open_with,
};

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Wallet,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Wallet::Create {
            chain,
            scheme,
            variant,
            idempotency_key,
            alias,
            get_or_create,
            takeover_after,
            provider,
        } => {
            let mut store = open(data, passphrase, &provider, Login::Now).await?;
            store.store = store.store.with_takeover_after(takeover_after);
            let wanted = Wanted {
                chain,
                scheme,
                variant,
                idempotency_key,
                alias,
                get_or_create,
            };
            create::run(&store, wanted, output).await
        }
        Wallet::Alias {
            address,
            alias,
            provider,
        } => {
            let store = open(data, passphrase, &provider, Login::WhenNeeded).await?;
            overview::alias(&store, &address, &alias, output).await
        }
        Wallet::List { provider } => {
            let store = open(data, passphrase, &provider, Login::WhenNeeded).await?;
            overview::list(&store, output).await
        }
        Wallet::Show { address, provider } => {
            let store = open(data, passphrase, &provider, Login::WhenNeeded).await?;
            let address = store.address_of(&address).await?;
            overview::show(&store, &address, output).await
        }
        Wallet::Resume { address, provider } => {
            let store = open(data, passphrase, &provider, Login::Now).await?;
            let address = match address {
                Some(name) => Some(store.address_of(&name).await?),
                None => None,
            };
            resume::run(&store, address.as_deref(), output).await
        }
        Wallet::OpenExport(options) => key::open_export(&options, output),
        command @ (Wallet::Backup(_)
        | Wallet::Recover(_)
        | Wallet::DropBackup(_)
        | Wallet::ChangePassword(_)) => Box::pin(backups(data, passphrase, command, output)).await,
        command @ (Wallet::Export(_)
        | Wallet::Rescue(_)
        | Wallet::Import(_)
        | Wallet::Refresh(_)
        | Wallet::Sweep { .. }
        | Wallet::Reshare { .. }
        | Wallet::ReplaceShare { .. }
        | Wallet::Check { .. }) => Box::pin(life(data, passphrase, command, output)).await,
        command => Box::pin(sign(data, passphrase, command, output)).await,
    }
}

/// What is done with a wallet's backups.
async fn backups(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Wallet,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Wallet::Backup(mut options) => {
            let store = open(data, passphrase, &options.provider, Login::Now).await?;
            options.address = store.address_of(&options.address).await?;
            backup::backup(&store, &options, output).await
        }
        Wallet::Recover(mut options) => {
            let store = open(data, passphrase, &options.provider, Login::Now).await?;
            options.address = store.address_of(&options.address).await?;
            backup::recover(&store, &options, output).await
        }
        Wallet::DropBackup(mut options) => {
            let store = open(data, passphrase, &options.provider, Login::Now).await?;
            options.address = store.address_of(&options.address).await?;
            backup::drop_backup(&store, &options, output).await
        }
        Wallet::ChangePassword(mut options) => {
            let store = open(data, passphrase, &options.provider, Login::Now).await?;
            options.address = store.address_of(&options.address).await?;
            backup::change_password(&store, &options, output).await
        }
        _ => Err(Failure::internal("another command")),
    }
}

/// What happens to a wallet after it was made.
async fn life(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Wallet,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Wallet::Export(mut options) => {
            let store = open(data, passphrase, &options.provider, Login::Now).await?;
            options.address = store.address_of(&options.address).await?;
            key::export(&store, &options, output).await
        }
        Wallet::Rescue(mut options) => {
            // Nothing of it asks the provider.
            let store = open(data, passphrase, &options.provider, Login::WhenNeeded).await?;
            options.address = store.address_of(&options.address).await?;
            key::rescue(&store, &options, output).await
        }
        Wallet::Import(options) => {
            let store = open(data, passphrase, &options.provider, Login::Now).await?;
            import::run(&store, &options, output).await
        }
        Wallet::Refresh(mut options) => {
            let store = open(data, passphrase, &options.provider, Login::Now).await?;
            options.addresses = store.addresses_of(&options.addresses).await?;
            change::refresh(&store, &options, output).await
        }
        Wallet::Sweep { provider } => {
            let store = open(data, passphrase, &provider, Login::WhenNeeded).await?;
            generation::sweep(&store, output).await
        }
        Wallet::Reshare {
            address,
            scheme,
            provider,
        } => {
            let store = open(data, passphrase, &provider, Login::Now).await?;
            let address = store.address_of(&address).await?;
            change::reshare(&store, &address, scheme, output).await
        }
        Wallet::ReplaceShare {
            address,
            lost,
            provider,
        } => {
            let store = open(data, passphrase, &provider, Login::Now).await?;
            let address = store.address_of(&address).await?;
            change::replace_share(&store, &address, lost, output).await
        }
        Wallet::Check {
            addresses,
            report,
            provider,
        } => {
            let store = open(data, passphrase, &provider, Login::Now).await?;
            let addresses = store.addresses_of(&addresses).await?;
            check::run(&store, &addresses, report.as_deref(), output).await
        }
        _ => Err(Failure::internal("another command")),
    }
}

async fn sign(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Wallet,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Wallet::SignMessage {
            address,
            message,
            provider,
        } => {
            let store = open(data, passphrase, &provider, Login::Now).await?;
            let address = store.address_of(&address).await?;
            sign::message(&store, &address, &message, output).await
        }
        Wallet::SignTypedData {
            address,
            file,
            provider,
        } => {
            let store = open(data, passphrase, &provider, Login::Now).await?;
            let address = store.address_of(&address).await?;
            sign::typed_data(&store, &address, &file, output).await
        }
        Wallet::SignTransaction {
            address,
            payload,
            file,
            provider,
        } => {
            let store = open(data, passphrase, &provider, Login::Now).await?;
            let address = store.address_of(&address).await?;
            sign::transaction(
                &store,
                &address,
                payload.as_deref(),
                file.as_deref(),
                output,
            )
            .await
        }
        _ => Err(Failure::internal("another command")),
    }
}
