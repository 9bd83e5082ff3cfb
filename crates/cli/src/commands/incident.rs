//! `halfkey incident …`: the steps after a compromise that the storage tiers can take, and a signed
//! report of them.

mod report;
mod steps;

use halfkey_core::SecretString;

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
        Incident::Run {
            reason,
            disable_old,
        } => steps::run(data, passphrase, &reason, disable_old, output).await,
        Incident::Verify { file, key } => report::verify(&file, key.as_deref(), output),
    }
}
