//! The highest generation ever activated.

use halfkey_core::{Generation, SecretBytes};

use super::{WalletGuard, exists, expectation};
use crate::{Access, Error, Vault, Versioned};

const VERSION: u8 = 1;
/// How often another writer may come between before it is the caller's turn to decide.
const ROUNDS: u32 = 16;

impl WalletGuard {
    /// Reads the mark; `None` when none was ever written.
    ///
    /// # Errors
    /// As [`Vault::load`]; a record that does not open is an error, never "none".
    pub async fn read_high_water(
        &self,
        vault: &Vault,
        access: &Access,
    ) -> Result<Option<Generation>, Error> {
        Ok(self
            .read_versioned(vault, access)
            .await?
            .map(|found| found.value))
    }

    /// Raises the mark to `generation`; a mark that is already as high stays. Returns the mark
    /// that stands afterwards.
    ///
    /// # Errors
    /// As [`Vault::load`] and [`Vault::store`]; [`Error::Conflict`] when other writers kept coming
    /// between.
    pub async fn raise_high_water(
        &self,
        vault: &Vault,
        generation: Generation,
        access: &Access,
    ) -> Result<Generation, Error> {
        let name = self.high_water_name()?;
        for _ in 0..ROUNDS {
            let found = self.read_versioned(vault, access).await?;
            if let Some(found) = &found
                && found.value >= generation
            {
                return Ok(found.value);
            }
            let expect = expectation(found.as_ref());
            match vault
                .store(&name, &self.ctx, &encode(generation), expect, access)
                .await
            {
                Ok(_) => return Ok(generation),
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict(name.to_string()))
    }

    async fn read_versioned(
        &self,
        vault: &Vault,
        access: &Access,
    ) -> Result<Option<Versioned<Generation>>, Error> {
        let name = self.high_water_name()?;
        if !exists(vault, &name).await? {
            return Ok(None);
        }
        let found = vault.load_warm(&name, &self.ctx, access).await?;
        let value = decode(found.value.expose())
            .ok_or_else(|| Error::corrupt(name.as_str(), "it is not a high-water mark"))?;
        Ok(Some(Versioned {
            value,
            rev: found.rev,
        }))
    }
}

fn encode(generation: Generation) -> SecretBytes {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&generation.0.to_be_bytes());
    SecretBytes::new(bytes)
}

fn decode(bytes: &[u8]) -> Option<Generation> {
    let (version, rest) = bytes.split_first()?;
    let number = rest.try_into().ok().map(u64::from_be_bytes)?;
    (*version == VERSION).then_some(Generation(number))
}
