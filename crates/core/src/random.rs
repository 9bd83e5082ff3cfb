//! The one entry point to randomness.
//!
//! Everything that draws takes `&mut (impl RngCore + CryptoRng)`; a program passes [`os_rng`], a
//! test passes a seeded generator.

pub use rand_core::{CryptoRng, RngCore};

/// The operating system's generator. Stateless, so it is safe across forks and VM snapshots.
pub const fn os_rng() -> rand_core::OsRng {
    rand_core::OsRng
}
