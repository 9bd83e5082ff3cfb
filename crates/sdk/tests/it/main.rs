//! The customer's half against a real provider on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "whatever is not as expected fails the test"
)]

mod addresses;
mod adopted;
mod anvil;
mod backed_up;
mod bad_backup;
mod bad_input;
mod bare;
mod changed;
mod cheated;
mod delegated;
mod escrowed;
mod exported;
mod fell_back;
mod frozen;
mod given_way;
mod guarded;
mod horizons;
mod http;
mod imported;
mod litesvm;
mod lost_replies;
mod mnemonics;
mod named;
mod privacy;
mod provider;
mod proxy;
mod recovered;
mod sealed;
mod second_copy;
mod seeds;
mod shredded;
mod stored;
mod transport;
mod two_vaults;
mod unreadable;
mod vaults;
