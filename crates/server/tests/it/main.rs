//! A real provider on loopback, driven over its HTTP API by a customer's half.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

#[cfg(test)]
mod activity;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod changing;
#[cfg(test)]
mod cheating;
#[cfg(test)]
mod create_bad;
#[cfg(test)]
mod customer;
#[cfg(test)]
mod delegated;
#[cfg(test)]
mod delegation_keys;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod frozen;
#[cfg(test)]
mod happy;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod provider_kms;
#[cfg(test)]
mod recipients;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod sign_bad;
#[cfg(test)]
mod slots;
#[cfg(test)]
mod startup;
#[cfg(test)]
mod tenancy;
#[cfg(test)]
mod thief;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod world;
