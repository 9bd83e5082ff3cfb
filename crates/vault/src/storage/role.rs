//! What a process is for, and so which rights it is given.

use serde::{Deserialize, Serialize};

/// What a process may do with key shares. The back-end's own permissions should say the same: a
/// role here keeps an honest process honest, a policy there also holds against one that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    #[default]
    Full,
    /// Seals, writes and lists; cannot open. New wallets stay pending until a process that may open
    /// proves them.
    Writer,
    /// Reads and opens; cannot write.
    Opener,
    /// Moves wrapped keys to a new KEK version; opens nothing.
    Rewrapper,
}

impl Role {
    /// The name shown to people and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Writer => "writer",
            Self::Opener => "opener",
            Self::Rewrapper => "rewrapper",
        }
    }

    pub(super) const fn may_wrap(self) -> bool {
        matches!(self, Self::Full | Self::Writer)
    }

    pub(super) const fn may_unwrap(self) -> bool {
        matches!(self, Self::Full | Self::Opener)
    }

    pub(super) const fn may_rewrap(self) -> bool {
        matches!(self, Self::Full | Self::Rewrapper)
    }

    pub(super) const fn may_put(self) -> bool {
        !matches!(self, Self::Opener)
    }

    pub(super) const fn may_destroy(self) -> bool {
        matches!(self, Self::Full)
    }
}
