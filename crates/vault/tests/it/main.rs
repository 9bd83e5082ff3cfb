//! Integration tests of the vault, one binary.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unused_async,
    reason = "a test may stop at what it does not expect"
)]

mod bad_input;
mod barrier;
mod canary;
mod embedded;
mod faults;
mod files;
mod golden;
mod guard;
mod judge;
mod keyring;
mod matrix;
mod memory;
mod process;
mod records;
mod rewrap_killed;
mod rotation;
mod secret_manager;
mod servers;
mod sqlite;
mod storage;
mod support;
