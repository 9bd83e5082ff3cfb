//! The `halfkey` command: try the system, run a provider, look after tokens, and create and use
//! wallets.

mod args;
mod commands;
mod context;
mod exit_code;
mod output;
mod passphrase;
mod progress;
mod rescue;
mod storage;

use clap::Parser as _;

use crate::args::Cli;
use crate::output::Output;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    start_logging(cli.global.verbose);
    forbid_core_dumps();
    let output = Output::new(cli.global.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return output.failure(&exit_code::Failure::internal(error.to_string())),
    };
    match runtime.block_on(commands::run(cli, output)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}

/// A crash must not write shares to disk, nor another process of this user read them. Best effort:
/// where the kernel refuses, the command still works.
fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if rustix::process::setrlimit(Resource::Core, none).is_err()
        || rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err()
    {
        tracing::warn!("core dumps could not be turned off");
    }
}

/// Logs go to stderr, so that stdout stays what the command answers.
fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info,halfkey=debug,halfkey_server=debug",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("HALFKEY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
