//! Development only: real nodes on loopback, outside judges, a clock and a generator that tests
//! control, and the search for leaked secrets.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "test support: whatever is not as expected fails the test that called"
)]

pub mod anvil;
pub mod canary;
pub mod capture;
pub mod clock;
pub mod judge;
pub mod litesvm;
mod node;
pub mod rng;
mod rpc;
pub mod scenarios;
pub mod servers;
pub mod tools;

pub use anvil::Anvil;
pub use canary::Canary;
pub use capture::CapturedLog;
pub use clock::FakeClock;
pub use litesvm::LiteSvm;
pub use rng::seeded;
pub use rpc::RpcError;
