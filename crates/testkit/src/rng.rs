//! A generator that gives the same numbers in every run.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

/// `ChaCha20` from a seed. A test that draws its seed prints it.
pub fn seeded(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

#[cfg(test)]
mod tests {
    use rand_core::RngCore as _;

    use super::*;

    #[test]
    fn a_seed_gives_one_sequence() {
        assert_eq!(seeded(1).next_u64(), seeded(1).next_u64());
        assert_ne!(seeded(1).next_u64(), seeded(2).next_u64());
    }
}
