//! Both halves in one process: for tests, and for the seeded fault simulation.
//!
//! Behind the feature `simulate`; no binary enables it.

mod cheat;
mod drive;
mod faults;
mod forge;
mod seeds;
mod session;

pub use cheat::{Cheat, CheatingSign};
pub use drive::{Parties, Run, to_end};
pub use forge::Forge;
pub use seeds::{Report, Violation, run};
