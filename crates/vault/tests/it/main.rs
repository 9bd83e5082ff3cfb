//! Integration tests of the vault, one binary.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it does not expect"
)]

mod embedded;
mod support;
