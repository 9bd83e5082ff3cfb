//! The customer's half against a real provider on loopback.

mod bad_input;
mod bare;
mod cheated;
mod http;
mod lost_replies;
mod privacy;
mod provider;
mod proxy;
mod stored;
mod transport;
mod vaults;
