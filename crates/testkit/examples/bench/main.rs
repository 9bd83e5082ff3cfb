//! What the main job costs, measured in one run: `cargo xtask bench`; and what the storage tiers
//! cost on each back-end: `cargo xtask bench vault`. Fails when a goal is missed.
//!
//! The provider runs as a process of its own behind a counting proxy, so that CPU, round trips and
//! bytes of each half can be told apart. The engine alone runs between the operations it is
//! compared with, so that ratios hold on a machine that is busy with other things; goals are about
//! CPU time for the same reason. The floor is one party with the whole key.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and its sums of seconds and two-element arrays cannot go wrong"
)]

mod alone;
mod cpu;
mod floor;
mod halves;
mod proxy;
mod table;
mod vault;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use halfkey_testkit::servers::softhsm::SoftHsm;

use crate::table::Table;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "takes `vault`, `--json`, or both";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Main,
    Vault,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The bench starts itself again as the provider's process.
    if let [first, dir] = arguments.as_slice()
        && first == "provider"
    {
        runtime()?.block_on(halves::serve(PathBuf::from(dir)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (mut part, mut json) = (Part::Main, false);
    for argument in &arguments {
        match argument.as_str() {
            "vault" => part = Part::Vault,
            "--json" => json = true,
            other => return Err(format!("unknown argument {other}; {USAGE}").into()),
        }
    }
    if part == Part::Vault && SoftHsm::is_there() && SoftHsm::of_this_process().is_none() {
        return with_tokens(&arguments);
    }
    let mut table = Table::default();
    runtime()?.block_on(measure(part, &mut table))?;
    table.close(json)?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(part: Part, table: &mut Table) -> Result<(), Failure> {
    if part == Part::Vault {
        return vault::measure(table).await;
    }
    floor::measure(table);
    vault::measure_embedded(table).await?;
    halves::measure(table).await
}

/// Starts the bench again with tokens of its own: SoftHSM reads the environment of the process it
/// runs in.
fn with_tokens(arguments: &[String]) -> Result<ExitCode, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let _folder = SoftHsm::give_to(&mut command);
    let code = command.args(arguments).status()?.code();
    let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
