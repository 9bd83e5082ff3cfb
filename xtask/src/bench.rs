//! `cargo xtask bench`.

use crate::process;
use crate::workspace::Workspace;

/// What is passed on to the benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Arguments of the benchmark itself.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds the benchmark with the release profile and runs it.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), String> {
    process::run(
        workspace
            .cargo()
            .args([
                "run",
                "--release",
                "-p",
                "halfkey-testkit",
                "--example",
                "bench",
                "--",
            ])
            .args(&args.arguments),
    )
}
