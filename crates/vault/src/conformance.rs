//! The suites every back-end must pass, whoever wrote it. A back-end's own test is a few lines:
//!
//! ```text
//! async fn make() -> (MyRecords, tempfile::TempDir) { … }
//! halfkey_vault::record_store_conformance!(make);
//! ```
//!
//! `make` gives a fresh, empty back-end and whatever keeps it alive. Each case is a function that
//! panics with what went wrong; the macros turn each into one `tokio` test. Contexts and events to
//! test with are in [`sample`].
#![expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a suite reports by panicking"
)]

pub mod audit;
pub mod kms;
pub mod properties;
pub mod records;
pub mod sample;
pub mod secrets;

use core::fmt::Display;

use crate::Error;

/// The value, or a panic with the error.
pub fn must<T, E: Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("unexpected error: {error}"),
    }
}

/// The value, or a panic.
pub fn must_some<T>(value: Option<T>, what: &str) -> T {
    match value {
        Some(value) => value,
        None => panic!("{what} is missing"),
    }
}

/// A panic unless it is [`Error::Conflict`].
pub fn must_conflict<T>(result: Result<T, Error>, what: &str) {
    match result {
        Err(Error::Conflict(_)) => {}
        Err(other) => panic!("{what}: not a conflict but: {other}"),
        Ok(_) => panic!("{what}: it succeeded"),
    }
}

/// A panic unless it is [`Error::Caller`].
pub fn must_be_callers_fault<T>(result: Result<T, Error>, what: &str) {
    match result {
        Err(Error::Caller(_)) => {}
        Err(other) => panic!("{what}: not the caller's fault but: {other}"),
        Ok(_) => panic!("{what}: it succeeded"),
    }
}

/// A panic unless a key provider refused it as not belonging here.
pub fn must_be_refused<T>(result: Result<T, Error>, what: &str) {
    match result {
        Err(Error::Corrupt { .. } | Error::Environment { .. }) => {}
        Err(other) => panic!("{what}: refused for another reason: {other}"),
        Ok(_) => panic!("{what}: it was accepted"),
    }
}

/// One `tokio` test per case: `$make().await` gives the back-end and what keeps it alive.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($suite:ident, $make:path, $($case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            let (backend, _alive) = $make().await;
            $crate::conformance::$suite::$case(&backend).await;
        }
    )+};
}
