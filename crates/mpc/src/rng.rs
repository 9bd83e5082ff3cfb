//! Where ceremonies draw from.

use std::sync::{Arc, Mutex, PoisonError};

use rand_core::{CryptoRng, Error as RngError, RngCore};

use crate::Error;

/// The generator a ceremony was given.
pub(crate) struct BoxRng(Box<dyn RngCore + Send>);

impl BoxRng {
    /// Takes a cryptographic generator.
    pub(crate) fn new(rng: impl RngCore + CryptoRng + Send + 'static) -> Self {
        Self(Box::new(rng))
    }

    /// Two handles on one generator, for two parties in one process.
    pub(crate) fn pair(rng: impl RngCore + CryptoRng + Send + 'static) -> (Shared, Shared) {
        let one = Shared(Arc::new(Mutex::new(Self::new(rng))));
        let two = Shared(Arc::clone(&one.0));
        (one, two)
    }
}

impl RngCore for BoxRng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), RngError> {
        self.0.try_fill_bytes(dest)
    }
}

// Only made from generators that are.
impl CryptoRng for BoxRng {}

/// One of two handles on a generator.
pub(crate) struct Shared(Arc<Mutex<BoxRng>>);

impl RngCore for Shared {
    fn next_u32(&mut self) -> u32 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), RngError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_fill_bytes(dest)
    }
}

impl CryptoRng for Shared {}

/// 32 fresh bytes.
pub(crate) fn draw_32(rng: &mut BoxRng) -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Reseeds the thread's generator, which the ECDSA engine draws from and cannot be given: a forked
/// or restored machine must not repeat its coins (custody rule 18). Called before each phase that
/// draws.
pub(crate) fn reseed_engine() -> Result<(), Error> {
    reseeded(|| rand::rng().reseed())
}

fn reseeded<E>(reseed: impl FnOnce() -> Result<(), E>) -> Result<(), Error> {
    reseed().map_err(|_| Error::Local("the operating system gave no randomness"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_randomness_is_this_machine_s_fault() {
        assert_eq!(reseeded(|| Ok::<_, ()>(())), Ok(()));
        assert!(matches!(reseeded(|| Err(())), Err(Error::Local(_))));
    }
}
