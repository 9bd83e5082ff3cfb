//! The highest generation ever activated, and what the wallet fell back to below it.

use halfkey_core::{Generation, SecretBytes};

use super::{WalletGuard, exists, expectation};
use crate::{Access, Error, Vault, Versioned};

const VERSION: u8 = 1;
const VERSION_WITH_EPOCH: u8 = 2;
/// How often another writer may come between before it is the caller's turn to decide.
const ROUNDS: u32 = 16;

/// How far a wallet came, and where it stands (custody rule 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HighWater {
    /// The highest generation ever activated on either side, as far as this one knows.
    pub generation: Generation,
    /// The one that may be active: the same, or a lower one that the wallet fell back to.
    pub active: Generation,
    /// The provider's restore epoch in which it came there.
    pub epoch: u64,
}

impl HighWater {
    /// Whether the wallet fell back and has not come above the mark again since.
    pub const fn fell_back(&self) -> bool {
        self.active.0 < self.generation.0
    }
}

impl WalletGuard {
    /// Reads the mark's generation; `None` when none was ever written.
    ///
    /// # Errors
    /// As [`Self::read_mark`].
    pub async fn read_high_water(
        &self,
        vault: &Vault,
        access: &Access,
    ) -> Result<Option<Generation>, Error> {
        let mark = self.read_mark(vault, access).await?;
        Ok(mark.map(|mark| mark.generation))
    }

    /// Reads the mark; `None` when none was ever written.
    ///
    /// # Errors
    /// As [`Vault::load`]; a record that does not open is an error, never "none".
    pub async fn read_mark(
        &self,
        vault: &Vault,
        access: &Access,
    ) -> Result<Option<HighWater>, Error> {
        let found = self.read_versioned(vault, access).await?;
        Ok(found.map(|found| found.value))
    }

    /// Raises the mark to `generation`; a mark that is already as high stays. Returns the mark
    /// that stands afterwards.
    ///
    /// # Errors
    /// As [`Self::raise_mark`].
    pub async fn raise_high_water(
        &self,
        vault: &Vault,
        generation: Generation,
        access: &Access,
    ) -> Result<Generation, Error> {
        let mark = self.raise_mark(vault, (generation, 0), access).await?;
        Ok(mark.generation)
    }

    /// Raises the mark to a generation that becomes active in a restore epoch of the provider's; a
    /// mark that is already as high stays. Returns the mark that stands afterwards.
    ///
    /// # Errors
    /// As [`Vault::load`] and [`Vault::store`]; [`Error::Conflict`] when other writers kept coming
    /// between.
    pub async fn raise_mark(
        &self,
        vault: &Vault,
        (generation, epoch): (Generation, u64),
        access: &Access,
    ) -> Result<HighWater, Error> {
        let raised = |found: Option<HighWater>| match found {
            Some(mark) if mark.generation >= generation => None,
            found => Some(HighWater {
                generation,
                active: generation,
                epoch: found.map_or(epoch, |mark| mark.epoch.max(epoch)),
            }),
        };
        self.move_mark(vault, raised, access).await
    }

    /// Lets a generation below the mark be active, in a restore epoch above the mark's. The mark
    /// itself never sinks; it rises to `known`, the highest number the other half tells of. In an
    /// epoch that is not above the mark's nothing moves. Returns the mark that stands afterwards.
    ///
    /// # Errors
    /// As [`Self::raise_mark`].
    pub async fn fall_back(
        &self,
        vault: &Vault,
        (active, known, epoch): (Generation, Generation, u64),
        access: &Access,
    ) -> Result<HighWater, Error> {
        let fallen = |found: Option<HighWater>| match found {
            Some(mark) if mark.epoch >= epoch => None,
            found => {
                let before = found.map_or(active, |mark| mark.generation);
                Some(HighWater {
                    generation: before.max(known).max(active),
                    active,
                    epoch,
                })
            }
        };
        self.move_mark(vault, fallen, access).await
    }

    /// Writes what `next` makes of the mark, unless that is nothing.
    async fn move_mark(
        &self,
        vault: &Vault,
        next: impl Fn(Option<HighWater>) -> Option<HighWater> + Sync,
        access: &Access,
    ) -> Result<HighWater, Error> {
        let name = self.high_water_name()?;
        for _ in 0..ROUNDS {
            let found = self.read_versioned(vault, access).await?;
            let standing = found.as_ref().map(|found| found.value);
            let Some(mark) = next(standing) else {
                return standing.ok_or(Error::Caller("no mark to leave as it is"));
            };
            let expect = expectation(found.as_ref());
            match vault
                .store(&name, &self.ctx, &encode(&mark), expect, access)
                .await
            {
                Ok(_) => return Ok(mark),
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
    ) -> Result<Option<Versioned<HighWater>>, Error> {
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

/// The short form where it says everything.
fn encode(mark: &HighWater) -> SecretBytes {
    let is_plain = !mark.fell_back() && mark.epoch == 0;
    let mut bytes = vec![if is_plain {
        VERSION
    } else {
        VERSION_WITH_EPOCH
    }];
    bytes.extend_from_slice(&mark.generation.0.to_be_bytes());
    if !is_plain {
        bytes.extend_from_slice(&mark.active.0.to_be_bytes());
        bytes.extend_from_slice(&mark.epoch.to_be_bytes());
    }
    SecretBytes::new(bytes)
}

fn decode(bytes: &[u8]) -> Option<HighWater> {
    let (version, rest) = bytes.split_first()?;
    let mut numbers = rest.chunks_exact(8);
    let mut next = || {
        let number = numbers.next()?.try_into().ok();
        number.map(u64::from_be_bytes)
    };
    let mark = match (*version, rest.len()) {
        (VERSION, 8) => {
            let generation = Generation(next()?);
            HighWater {
                generation,
                active: generation,
                epoch: 0,
            }
        }
        (VERSION_WITH_EPOCH, 24) => HighWater {
            generation: Generation(next()?),
            active: Generation(next()?),
            epoch: next()?,
        },
        _ => return None,
    };
    (mark.active <= mark.generation).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_nothing_else_is() {
        let mark = |generation, active, epoch| HighWater {
            generation: Generation(generation),
            active: Generation(active),
            epoch,
        };
        for (mark, length) in [(mark(3, 3, 0), 9), (mark(3, 3, 1), 25), (mark(3, 2, 1), 25)] {
            let bytes = encode(&mark);
            assert_eq!(bytes.expose().len(), length);
            assert_eq!(decode(bytes.expose()), Some(mark));
            assert_eq!(decode(&bytes.expose()[1..]), None);
            assert_eq!(decode(&[bytes.expose(), &[0]].concat()), None);
        }
        let above = encode(&mark(3, 2, 1)).expose().to_vec();
        let above = [&above[..1], &[0; 8], &above[9..]].concat();
        assert_eq!(decode(&above), None, "active above the mark");
        assert_eq!(decode(&[3; 9]), None);
        assert_eq!(decode(&[]), None);
    }
}
