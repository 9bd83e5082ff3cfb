//! `halfkey audit checkpoint`, and holding a log against one.

use std::path::Path;

use halfkey_core::random::os_rng;
use halfkey_core::{RequestId, SecretString};
use halfkey_vault::audit::checkpoint::Checkpoint;
use halfkey_vault::{Access, Purpose, operator_key};

use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::storage::{self, ACTOR, Both};

/// Prints a signed checkpoint: always JSON, for it is kept as a file.
pub(super) async fn sign(data: &DataDir, passphrase: Option<SecretString>) -> Result<(), Failure> {
    let logs = storage::audit_logs(data)?;
    // Opened, both logs are there.
    let both = Both::open(data, passphrase).await?;
    let access = Access {
        actor: ACTOR.to_owned(),
        purpose: Purpose::Operate,
        request_id: RequestId::generate(&mut os_rng()),
    };
    let environment = both.environment.clone();
    let key = operator_key::load_or_make(&both.first.vault, &environment, &access).await;
    let now = both.first.clock().now();
    both.close().await;
    let logs: Vec<_> = logs.iter().map(|log| &*log.path).collect();
    let checkpoint = Checkpoint::sign_all(&logs, &environment, now, &key?).await?;
    Output::new(true).result(&checkpoint, String::new);
    Ok(())
}

/// Fails unless the customer's logs go at least as far as the checkpoint in `file`, unchanged.
pub(super) async fn compare(data: &DataDir, file: &Path, key: Option<&str>) -> Result<(), Failure> {
    let text = std::fs::read(file)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    let checkpoint: Checkpoint = serde_json::from_slice(&text)
        .map_err(|_| Failure::input(format!("{} is no checkpoint", file.display())))?;
    if key.is_some_and(|key| key != checkpoint.public_key) {
        return Err(broken("the checkpoint is signed by another key"));
    }
    let logs = storage::audit_logs(data)?;
    // The chains of one that is gone are missed below.
    let logs = logs.iter().map(|log| &*log.path);
    let logs: Vec<_> = logs.filter(|path| path.exists()).collect();
    match checkpoint.compare_all(&logs).await?.first() {
        None => Ok(()),
        Some(problem) => Err(broken(problem)),
    }
}

fn broken(why: &str) -> Failure {
    Failure::new(ExitKind::Custody, "audit_broken", why)
}
