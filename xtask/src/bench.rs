//! `cargo xtask bench`.

use clap::ValueEnum;

use crate::process;
use crate::workspace::Workspace;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The main job without a word; or this part by itself.
    #[arg(value_enum)]
    part: Option<Part>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A part that is measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The storage tiers: the barrier beside the bare cipher, and every back-end whose server is
    /// installed.
    Vault,
}

/// Builds the benchmark with the release profile and runs it; an error when a goal is missed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), String> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--release", "--locked", "-p", "halfkey-testkit"]);
    cargo.args(["--example", "bench", "--"]);
    if args.part == Some(Part::Vault) {
        cargo.arg("vault");
    }
    if args.json {
        cargo.arg("--json");
    }
    process::run(&mut cargo)
}
