//! From a password to a key. Slow on purpose: never on an async thread.

use core::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::pbkdf2;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::secret::BackupSecret;
use crate::{Error, Result};

pub(super) const SALT_LEN: usize = 16;

/// The one that is written and read today.
const ARGON2ID: &str = "argon2id";

/// Iterations of PBKDF2-HMAC-SHA256 in version `v1`.
pub(super) const V1: Kdf = Kdf::Pbkdf2(100_000);
/// The same in version `v2`.
pub(super) const V2: Kdf = Kdf::Pbkdf2(1_000_000);
/// The published `v3`, which says nothing of its parameters: RFC 9106's second choice with two
/// lanes, for a while with one.
pub(super) const PUBLISHED_V3: [Kdf; 2] = [
    Kdf::Argon2id(Costs { lanes: 2, ..COSTS }),
    Kdf::Argon2id(COSTS),
];

/// What new backups take: 64 MiB, 3 passes, 1 lane.
pub(super) const COSTS: Costs = Costs {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 1,
};
/// The least and the most a blob may ask for; checked before anything is computed. Less would make
/// guessing cheap, more would let whoever keeps the blobs burn the customer's memory and time.
const MEMORY_KIB: core::ops::RangeInclusive<u32> = 19 * 1024..=256 * 1024;
const PASSES: core::ops::RangeInclusive<u32> = 2..=10;
const LANES: core::ops::RangeInclusive<u32> = 1..=4;

/// A function from password and salt to 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kdf {
    /// RFC 8018 over HMAC-SHA256, with so many iterations.
    Pbkdf2(u32),
    /// RFC 9106, version 0x13.
    Argon2id(Costs),
}

/// What Argon2id shall cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Costs {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

/// The same as a blob says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KdfJson {
    name: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl From<Costs> for KdfJson {
    fn from(costs: Costs) -> Self {
        Self {
            name: ARGON2ID.to_owned(),
            memory_kib: costs.memory_kib,
            passes: costs.passes,
            lanes: costs.lanes,
        }
    }
}

impl Costs {
    /// # Errors
    /// [`Error::BackupParameters`] when they are weak, too heavy, or of another function.
    pub(super) fn read(json: &KdfJson) -> Result<Self> {
        if json.name != ARGON2ID {
            return Err(Error::BackupParameters("not Argon2id"));
        }
        let below = |value: u32, range: &core::ops::RangeInclusive<u32>| value < *range.start();
        let above = |value: u32, range: &core::ops::RangeInclusive<u32>| value > *range.end();
        let asked = [
            (json.memory_kib, &MEMORY_KIB),
            (json.passes, &PASSES),
            (json.lanes, &LANES),
        ];
        if asked.iter().any(|(value, range)| above(*value, range)) {
            return Err(Error::BackupParameters(
                "too heavy: at most 256 MiB, 10 passes, 4 lanes",
            ));
        }
        if asked.iter().any(|(value, range)| below(*value, range)) {
            return Err(Error::BackupParameters(
                "too weak: at least 19 MiB, 2 passes, 1 lane",
            ));
        }
        Ok(Self {
            memory_kib: json.memory_kib,
            passes: json.passes,
            lanes: json.lanes,
        })
    }
}

impl Kdf {
    /// Takes from a tenth of a second to seconds.
    pub(super) fn derive(
        self,
        secret: &BackupSecret,
        salt: &[u8; SALT_LEN],
    ) -> Result<Zeroizing<[u8; 32]>> {
        let mut key = Zeroizing::new([0_u8; 32]);
        match self {
            Self::Pbkdf2(iterations) => {
                let iterations = NonZeroU32::new(iterations);
                let iterations = iterations.ok_or(Error::Bug("no iterations"))?;
                let function = pbkdf2::PBKDF2_HMAC_SHA256;
                pbkdf2::derive(function, iterations, salt, secret.expose(), &mut *key);
            }
            Self::Argon2id(costs) => argon2id(costs, secret.expose(), salt, &mut key)?,
        }
        Ok(key)
    }
}

/// Argon2id whose memory is wiped.
fn argon2id(
    costs: Costs,
    password: &[u8],
    salt: &[u8; SALT_LEN],
    key: &mut [u8; 32],
) -> Result<()> {
    let bug = |_| Error::Bug("parameters of Argon2id");
    let params = Params::new(costs.memory_kib, costs.passes, costs.lanes, Some(32)).map_err(bug)?;
    let mut memory = vec![Block::default(); params.block_count()];
    let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, key, &mut memory);
    for block in &mut memory {
        block.as_mut().zeroize();
    }
    derived.map_err(|_| Error::InvalidArgument("the password is too long".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(memory_kib: u32, passes: u32, lanes: u32) -> KdfJson {
        KdfJson {
            name: ARGON2ID.to_owned(),
            memory_kib,
            passes,
            lanes,
        }
    }

    #[test]
    fn costs_rejects_what_is_weak_and_what_is_too_heavy() {
        assert_eq!(Costs::read(&COSTS.into()).unwrap(), COSTS);
        for edge in [json(19_456, 2, 1), json(262_144, 10, 4)] {
            Costs::read(&edge).unwrap();
        }
        for weak in [json(19_455, 3, 1), json(65_536, 1, 1), json(65_536, 3, 0)] {
            let error = Costs::read(&weak).unwrap_err();
            assert!(error.to_string().contains("weak"), "{error}");
        }
        for heavy in [
            json(262_145, 3, 1),
            json(u32::MAX, 3, 1),
            json(65_536, 11, 1),
            json(65_536, 3, 5),
        ] {
            let error = Costs::read(&heavy).unwrap_err();
            assert!(error.to_string().contains("heavy"), "{error}");
        }
        let mut other = json(65_536, 3, 1);
        other.name = "argon2i".to_owned();
        assert!(matches!(
            Costs::read(&other),
            Err(Error::BackupParameters(_))
        ));
    }

    /// RFC 7914, section 11, has PBKDF2-HMAC-SHA256 with two outputs of 64 bytes; these are their
    /// first 32.
    #[test]
    fn pbkdf2_is_that_of_rfc_7914() {
        let mut key = [0_u8; 32];
        let count = NonZeroU32::new(80_000).unwrap();
        let alg = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(alg, count, b"NaCl", b"Password", &mut key);
        assert_eq!(
            hex::encode(key),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
    }
}
