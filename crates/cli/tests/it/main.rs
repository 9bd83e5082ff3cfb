//! The `halfkey` binary as its users run it: real processes, real sockets on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "whatever is not as expected fails the test, and the matrix says what it counted"
)]

mod alias;
mod backup;
mod bad_input;
mod canary;
mod crash;
mod crash_backup;
mod crash_change;
mod delegation;
mod demo;
mod elsewhere;
mod escrow;
mod incident;
mod life;
mod mnemonic;
mod provider_secrets;
mod sealed;
mod second_vault;
mod serve;
mod shares;
mod support;
mod tap;
mod vault;
