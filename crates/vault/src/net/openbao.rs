//! HashiCorp Vault and OpenBao: login, tokens, and the exchange of JSON with them.
//!
//! The few routes that are used are spoken directly: see `docs/adr/0009-vault-routes-by-hand.md`.
//! A token travels in one header and nowhere else. It is renewed at half its life; when it is
//! refused, the client logs in again, once per call.

mod client;
mod config;
mod durability;
mod keep_alive;
mod login;
mod path;
mod reply;
mod transport;

pub use self::config::{OpenBaoAuth, OpenBaoConfig};

pub(crate) use self::client::Client;
pub(crate) use self::path::checked_path;
pub(crate) use self::reply::{Reply, unexpected};
pub(crate) use self::transport::{Request, json_body};

/// What the server is called in errors: never its URL.
const PEER: &str = "OpenBao";
