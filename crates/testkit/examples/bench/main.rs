//! What the main job costs, measured in one run: `cargo xtask bench`.
//!
//! The provider runs as a process of its own behind a counting proxy, so that CPU, round trips and
//! bytes of each half can be told apart; the engines alone and the floor (one party, one key) are
//! measured in the same run, so that ratios hold on a machine that is busy with other things.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and its sums of seconds and two-element arrays cannot go wrong"
)]

mod alone;
mod cpu;
mod floor;
mod halves;
mod proxy;
mod storage;
mod table;

use std::path::PathBuf;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        // The bench starts itself again as the provider's process.
        Some("provider") => {
            let dir = arguments.next().map(PathBuf::from).ok_or("provider DIR")?;
            runtime()?.block_on(halves::provider(dir))
        }
        Some("--json") => run(true),
        None => run(false),
        Some(other) => Err(format!("unknown argument {other}; takes --json").into()),
    }
}

fn run(json: bool) -> Result<(), Failure> {
    let mut table = table::Table::default();
    floor::measure(&mut table);
    let engine = alone::measure(&mut table)?;
    runtime()?.block_on(async {
        storage::measure(&mut table).await?;
        halves::measure(&mut table, &engine).await
    })?;
    table.print(json);
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
