//! `halfkey audit checkpoint`, and holding a log against one.

use std::path::Path;

use halfkey_core::random::os_rng;
use halfkey_core::{RequestId, SecretString};
use halfkey_vault::audit::checkpoint::Checkpoint;
use halfkey_vault::{Access, Purpose, operator_key};

use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::storage::{self, ACTOR};

/// Prints a signed checkpoint: always JSON, for it is kept as a file.
pub(super) async fn sign(data: &DataDir, passphrase: Option<SecretString>) -> Result<(), Failure> {
    let (storage, environment) = storage::open_here(data, passphrase).await?;
    let access = Access {
        actor: ACTOR.to_owned(),
        purpose: Purpose::Operate,
        request_id: RequestId::generate(&mut os_rng()),
    };
    let key = operator_key::load_or_make(&storage.vault, &environment, &access).await;
    let now = storage.clock().now();
    storage.close().await;
    let log = data.customer().join("audit.sqlite");
    let checkpoint = Checkpoint::sign(&log, &environment, now, &key?).await?;
    Output::new(true).result(&checkpoint, String::new);
    Ok(())
}

/// Fails unless the customer's log goes at least as far as the checkpoint in `file`, unchanged.
pub(super) async fn compare(data: &DataDir, file: &Path, key: Option<&str>) -> Result<(), Failure> {
    let text = std::fs::read(file)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    let checkpoint: Checkpoint = serde_json::from_slice(&text)
        .map_err(|_| Failure::input(format!("{} is no checkpoint", file.display())))?;
    if key.is_some_and(|key| key != checkpoint.public_key) {
        return Err(broken("the checkpoint is signed by another key"));
    }
    let log = data.customer().join("audit.sqlite");
    match checkpoint.compare(&log).await?.first() {
        None => Ok(()),
        Some(problem) => Err(broken(problem)),
    }
}

fn broken(why: &str) -> Failure {
    Failure::new(ExitKind::Custody, "audit_broken", why)
}
