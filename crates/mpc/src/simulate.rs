//! Both halves in one process: for tests, and for the seeded fault simulation.
//!
//! Behind the feature `simulate`; no binary enables it.

mod drive;

pub use drive::{Parties, Run, to_end};
