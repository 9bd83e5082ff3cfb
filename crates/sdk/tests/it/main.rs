//! The customer's half against a real provider on loopback.

mod bare;
mod provider;
mod stored;
mod vaults;
