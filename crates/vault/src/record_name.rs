//! Names under which records stand in a store.

use halfkey_core::{AttemptId, Generation, ParseError, PartyIndex};

/// A record's name: printable ASCII, at most 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName(String);

impl RecordName {
    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long or not printable ASCII.
    pub fn new(name: impl Into<String>) -> Result<Self, ParseError> {
        let name = name.into();
        if name.is_empty() || name.len() > 512 || !name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(ParseError::new(
                "record name",
                "1 to 512 printable ASCII characters",
            ));
        }
        Ok(Self(name))
    }

    /// `wallet:{address}/shares/{party}`: the active share. `address` is canonical.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn active_share(
        prefix: &str,
        address: &str,
        party: PartyIndex,
    ) -> Result<Self, ParseError> {
        Self::new(format!("{prefix}wallet:{address}/shares/{party}"))
    }

    /// `wallet:{address}/shares/{party}/{generation}-{attempt}`: a staged or retired share.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn staged_share(
        prefix: &str,
        address: &str,
        party: PartyIndex,
        generation: Generation,
        attempt: AttemptId,
    ) -> Result<Self, ParseError> {
        Self::new(format!(
            "{prefix}wallet:{address}/shares/{party}/{generation}-{attempt}"
        ))
    }

    /// `{prefix}wallet:{address}/escrow/{generation}-{attempt}`: the provider's share of a
    /// generation, sealed to the escrow key.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn escrow(
        prefix: &str,
        address: &str,
        generation: Generation,
        attempt: AttemptId,
    ) -> Result<Self, ParseError> {
        Self::new(format!(
            "{prefix}wallet:{address}/escrow/{generation}-{attempt}"
        ))
    }

    /// `wallet:{address}/high-water`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn high_water(prefix: &str, address: &str) -> Result<Self, ParseError> {
        Self::new(format!("{prefix}wallet:{address}/high-water"))
    }

    /// `wallet:{address}/lock/{generation}`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn lock(prefix: &str, address: &str, generation: Generation) -> Result<Self, ParseError> {
        Self::new(format!("{prefix}wallet:{address}/lock/{generation}"))
    }

    /// `wallet:{address}/state`: the compare-and-set row that maps states to names.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn state(prefix: &str, address: &str) -> Result<Self, ParseError> {
        Self::new(format!("{prefix}wallet:{address}/state"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for RecordName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}
