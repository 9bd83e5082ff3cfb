//! The error of turning outside text or bytes into one of this crate's types.

/// Outside data that is not what it should be. Carries what was expected, never the data itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("invalid {what}: expected {expected}")]
pub struct ParseError {
    /// What was being parsed, for example `wallet id`.
    pub what: &'static str,
    /// The form that would have been accepted.
    pub expected: &'static str,
}

impl ParseError {
    /// An error saying that `what` did not have the `expected` form.
    pub const fn new(what: &'static str, expected: &'static str) -> Self {
        Self { what, expected }
    }
}
