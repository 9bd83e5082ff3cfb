//! Why a vault operation failed, and who is at fault.

use halfkey_core::{Fault, ParseError};

/// Why a vault operation failed. Never quotes plaintext, keys or record bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such record.
    #[error("no record {0}")]
    NotFound(String),
    /// Another writer was first, or the record exists although it must not.
    #[error("record {0} was changed by another writer")]
    Conflict(String),
    /// The record is damaged, or does not belong where it was found.
    #[error("record {name} cannot be opened: {why}")]
    Corrupt {
        /// Which record.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// This process holds no right to do that.
    #[error("this process may not {0}")]
    Forbidden(&'static str),
    /// A key or keyring that must not be used as it is.
    #[error("keyring: {0}")]
    Keyring(String),
    /// A key is wrapped under a newer term than the keyring's file has: that is an older copy, or
    /// the number in the record is damaged.
    #[error(
        "term {term} of {keyring} is not in its file; if that is an older copy, restore the newest"
    )]
    UnknownTerm {
        /// The keyring's URI.
        keyring: String,
        /// The term.
        term: u32,
    },
    /// A passphrase that is wrong, missing, empty, or given where none is set.
    #[error("keyring passphrase: {0}")]
    Passphrase(&'static str),
    /// A keyring, store or record of one environment was used for another.
    #[error("{what} belongs to environment {found}, not {expected}")]
    Environment {
        /// What was opened.
        what: String,
        /// The environment it is marked with.
        found: String,
        /// The environment that was asked for.
        expected: String,
    },
    /// A file or directory that others could read or change.
    #[error("permissions: {0}")]
    Permissions(String),
    /// More than a record or row can hold.
    #[error("{what} is {len} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How long it is.
        len: usize,
        /// How long it may be.
        limit: usize,
    },
    /// What was written is not what is there.
    #[error("record {0} was not stored as written")]
    ReadBack(String),
    /// The record is gone, but its bytes are still in the store's log, because something reads the
    /// store. The next destruction takes them out, and so does closing the store everywhere.
    #[error("record {0} is destroyed, but its bytes are still in the store's log")]
    ShredIncomplete(String),
    /// The audit sink does not accept events, so nothing is opened.
    #[error("audit sink unavailable: {0}")]
    AuditUnavailable(String),
    /// The store is full.
    #[error("store full: {0}")]
    Full(String),
    /// The store or KMS failed; `temporary` says whether trying again may help.
    #[error("back-end: {message}")]
    Backend {
        /// What it said, without secrets.
        message: String,
        /// Whether trying again may help.
        temporary: bool,
    },
    /// The back-end knows this process and does not let it do that.
    #[error("{0}: permission denied")]
    Denied(String),
    /// The key-encryption key is disabled, or waits for its deletion.
    #[error("KEK {0} is disabled")]
    KeyDisabled(String),
    /// The back-end asks for fewer calls.
    #[error("{0}: too many calls")]
    Throttled(String),
    /// The back-end did not answer within the deadline. A write may or may not have taken place.
    #[error("{0}: no answer within the deadline")]
    Timeout(String),
    /// A store that would acknowledge writes it can lose.
    #[error("not durable: {0}")]
    NotDurable(String),
    /// A connection that is not as safe as it must be: no TLS, or less than TLS 1.3.
    #[error("connection refused by policy: {0}")]
    Insecure(String),
    /// A configuration that cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// A value that cannot be expressed.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The arguments do not fit together.
    #[error("{0}")]
    Caller(&'static str),
}

impl Error {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Conflict(_)
            | Self::AuditUnavailable(_)
            | Self::ShredIncomplete(_)
            | Self::Throttled(_)
            | Self::Timeout(_) => Fault::BackendTemporary,
            Self::Backend { temporary, .. } => {
                if *temporary {
                    Fault::BackendTemporary
                } else {
                    Fault::BackendPermanent
                }
            }
            Self::Corrupt { .. } | Self::ReadBack(_) | Self::Full(_) | Self::KeyDisabled(_) => {
                Fault::BackendPermanent
            }
            Self::NotFound(_)
            | Self::Forbidden(_)
            | Self::Keyring(_)
            | Self::UnknownTerm { .. }
            | Self::Passphrase(_)
            | Self::Environment { .. }
            | Self::Permissions(_)
            | Self::TooLarge { .. }
            | Self::Denied(_)
            | Self::NotDurable(_)
            | Self::Insecure(_)
            | Self::Config(_)
            | Self::Parse(_)
            | Self::Caller(_) => Fault::Caller,
        }
    }

    /// Whether the back-end itself did not answer as it should, so that the unchanged call may
    /// succeed in a moment: what a retry is for. A [`Self::Conflict`] is an answer, and none of
    /// these says that a write did not take place.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Throttled(_)
                | Self::Timeout(_)
                | Self::Backend {
                    temporary: true,
                    ..
                }
        )
    }

    /// A damaged record, named by whoever knows its name.
    pub(crate) fn corrupt(name: impl Into<String>, why: &'static str) -> Self {
        Self::Corrupt {
            name: name.into(),
            why,
        }
    }

    /// A back-end failure that trying again will not mend.
    pub(crate) fn permanent(message: impl Into<String>) -> Self {
        Self::Backend {
            message: message.into(),
            temporary: false,
        }
    }

    /// A back-end failure that trying again may mend.
    pub(crate) fn temporary(message: impl Into<String>) -> Self {
        Self::Backend {
            message: message.into(),
            temporary: true,
        }
    }
}
