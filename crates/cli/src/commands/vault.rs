//! `halfkey vault …`: the KEK and the records under it. Needs no provider.

mod due;
pub(super) mod rewrap;
pub(super) mod rotate;
mod status;
mod version;

use halfkey_core::random::os_rng;
use halfkey_core::{RequestId, SecretString};
use halfkey_vault::{Access, Census, Purpose, Storage, census};

use crate::args::Vault;
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;
use crate::storage::{self, ACTOR};

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    (command, second): (Vault, bool),
    output: Output,
) -> Result<(), Failure> {
    let (first, environment) = storage::open_here(data, passphrase.clone()).await?;
    let storage = if second {
        let opened = storage::open_second(data, passphrase, &environment, &first).await?;
        opened.ok_or_else(|| {
            Failure::input("there is no second vault").with_hint("second_vault in storage.toml")
        })?
    } else {
        first.clone()
    };
    // What a record is bound to stands in the rows of the first vault.
    let rows = &first.vault;
    let done = match command {
        Vault::Status => status::run(&storage, output).await,
        Vault::Rotate { every: None } => rotate::once(&storage, output).await,
        Vault::Rotate { every: Some(every) } => {
            rotate::service((&storage, rows), &environment, every, output).await
        }
        Vault::Rewrap(options) => {
            rewrap::run((&storage, rows), &environment, options, output).await
        }
        Vault::Due { older_than } => due::run(&storage, older_than, output).await,
        Vault::Disable { kek_version } => version::disable(&storage, &kek_version, output).await,
        Vault::Enable { kek_version } => version::enable(&storage, &kek_version, output).await,
    };
    storage.close().await;
    if second {
        first.close().await;
    }
    done
}

fn access(purpose: Purpose) -> Access {
    Access {
        actor: ACTOR.to_owned(),
        purpose,
        request_id: RequestId::generate(&mut os_rng()),
    }
}

/// Counts the records under each KEK version.
pub(super) async fn count(storage: &Storage) -> Result<Census, Failure> {
    let (Some(list), Some(get)) = (storage.list(), storage.get()) else {
        return Err(Failure::input("this process may not read records"));
    };
    let kek = storage.manage.info().await?;
    Ok(census(&**list, &**get, "", &[kek]).await?)
}
