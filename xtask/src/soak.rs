//! `cargo xtask soak`: the long versions of tests that have a short one in `cargo xtask test`.

use crate::process;
use crate::workspace::Workspace;

/// Which long test.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name; `list` names them all.
    name: String,
    /// How many seeds or rounds, instead of the default.
    #[arg(long)]
    count: Option<u64>,
}

struct Soak {
    name: &'static str,
    about: &'static str,
    /// The environment variable the test reads its count from.
    variable: &'static str,
    count: u64,
    /// Arguments of cargo.
    cargo: &'static [&'static str],
}

const SOAKS: [Soak; 2] = [
    Soak {
        name: "simulate",
        about: "whole ceremonies under dropped, repeated, reordered and corrupted messages",
        variable: "HALFKEY_SEEDS",
        count: 10_000,
        cargo: &[
            "test",
            "--release",
            "-p",
            "halfkey-mpc",
            "--features",
            "simulate",
            "--",
            "simulate",
            "--nocapture",
        ],
    },
    Soak {
        name: "crash",
        about: "either process killed at every durable step of create",
        variable: "HALFKEY_CRASH_ROUNDS",
        count: 50,
        cargo: &[
            "test",
            "--release",
            "-p",
            "halfkey",
            "--",
            "crash",
            "--nocapture",
        ],
    },
];

/// Runs one of them, with its output.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), String> {
    if args.name == "list" {
        for soak in &SOAKS {
            println!(
                "{:10} {} ({}={})",
                soak.name, soak.about, soak.variable, soak.count
            );
        }
        return Ok(());
    }
    let soak = SOAKS
        .iter()
        .find(|soak| soak.name == args.name)
        .ok_or_else(|| format!("no soak test `{}`; try `cargo xtask soak list`", args.name))?;
    let count = args.count.unwrap_or(soak.count).to_string();
    println!("{} with {}={count}", soak.about, soak.variable);
    process::run(
        workspace
            .cargo()
            .args(soak.cargo)
            .env(soak.variable, &count),
    )?;
    println!("soak {}: passed with {}={count}", soak.name, soak.variable);
    Ok(())
}
