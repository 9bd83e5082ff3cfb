//! Project tasks: everything CI runs is a subcommand here, and CI runs nothing else.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]

mod bench;
mod models;
mod process;
mod soak;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Project tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Say what the tests need, then run every check and every test.
    Test(test::Args),
    /// Say what the tests need beside Rust, and install it.
    Tools(tools::Args),
    /// Check the project's own rules: crate edges, sizes, left-overs, licences, documents.
    Tidy,
    /// Measure the two halves, the engines alone and the floor in one run; `bench vault` measures
    /// the storage tiers. Fails when a goal is missed.
    Bench(bench::Args),
    /// Run one of the long tests: more seeds, more rounds.
    Soak(soak::Args),
    /// Check the models in docs/models with spin (Debian package `spin`).
    Models,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Workspace::find().and_then(|workspace| match cli.task {
        Task::Test(args) => test::run(&workspace, &args),
        Task::Tools(args) => tools::run(&workspace, &args),
        Task::Tidy => tidy::run(&workspace),
        Task::Bench(args) => bench::run(&workspace, &args),
        Task::Soak(args) => soak::run(&workspace, &args),
        Task::Models => models::run(&workspace),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
