//! Envelopes against other code, and against bad input.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "whatever is not as expected fails the test"
)]

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod node_crypto;
