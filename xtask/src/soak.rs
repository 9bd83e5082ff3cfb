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

/// How a test is made longer.
enum By {
    /// It reads its count from this environment variable.
    Variable(&'static str),
    /// It is run that many times.
    Rounds,
}

struct Soak {
    name: &'static str,
    about: &'static str,
    by: By,
    count: u64,
    package: &'static str,
    /// Of the package.
    features: &'static str,
    /// Which tests of the package's `it` binary.
    filter: &'static str,
}

const SOAKS: [Soak; 4] = [
    Soak {
        name: "life",
        about: "keygens, imports, signatures and changes under lost, repeated, reordered, \
                corrupted and replayed messages and crashes",
        by: By::Variable("HALFKEY_SEEDS"),
        count: 10_000,
        package: "halfkey-mpc",
        features: "simulate",
        filter: "simulate",
    },
    Soak {
        name: "rewrap",
        about: "a rewrap of so many records, killed again and again",
        by: By::Variable("HALFKEY_RECORDS"),
        count: 100_000,
        package: "halfkey-vault",
        features: "conformance",
        filter: "rewrap_killed",
    },
    Soak {
        name: "race",
        about: "signatures of one wallet that races with 64 refreshes per 1,000 of them",
        by: By::Variable("HALFKEY_SIGNATURES"),
        count: 1000,
        package: "halfkey",
        features: "vault",
        filter: "refreshes_race_with_signatures",
    },
    Soak {
        name: "crash",
        about: "either process killed at every durable step of create",
        by: By::Rounds,
        count: 20,
        package: "halfkey-cli",
        features: "crash-points",
        filter: "crash",
    },
];

/// Runs one of them, with its output.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), String> {
    if args.name == "list" {
        for soak in &SOAKS {
            println!(
                "{:10} {} ({} by default)",
                soak.name, soak.about, soak.count
            );
        }
        return Ok(());
    }
    let soak = SOAKS
        .iter()
        .find(|soak| soak.name == args.name)
        .ok_or_else(|| format!("no soak test `{}`; try `cargo xtask soak list`", args.name))?;
    let count = args.count.unwrap_or(soak.count);
    println!("{}: {count}", soak.about);
    match soak.by {
        By::Variable(variable) => {
            process::run(test(workspace, soak).env(variable, count.to_string()))?;
        }
        By::Rounds => {
            for round in 1..=count {
                println!("round {round} of {count}");
                process::run(&mut test(workspace, soak))?;
            }
        }
    }
    println!("soak {}: passed, {count}", soak.name);
    Ok(())
}

fn test(workspace: &Workspace, soak: &Soak) -> std::process::Command {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release", "--locked", "-p", soak.package]);
    cargo.args([
        "--features",
        soak.features,
        "--test",
        "it",
        "--",
        soak.filter,
        "--nocapture",
    ]);
    cargo
}
