//! Ceremonies from outside: both halves, every key type and scheme, checked by independent code.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]
#![expect(
    clippy::clone_on_ref_ptr,
    reason = "shorter, and no pointer is shared by mistake here"
)]

#[cfg(test)]
mod change;
#[cfg(test)]
mod change_bad;
#[cfg(test)]
mod cheating;
#[cfg(test)]
mod custody;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod happy;
#[cfg(test)]
mod import;
#[cfg(test)]
mod keygen_bad;
#[cfg(test)]
mod misuse;
#[cfg(test)]
mod mutate;
#[cfg(test)]
mod run;
#[cfg(test)]
mod shares;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod spec;
