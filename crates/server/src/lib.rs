//! The provider's half of Halfkey: HTTP API, authentication, ceremonies, sealed server shares and
//! the activity chain.
//!
//! [`init()`] makes a provider in a directory, [`tokens`] manages its API tokens, [`Server::start`]
//! serves it, [`activity::verify`] checks its log. Nothing a caller sends is trusted: the operation
//! is decided from the bytes, digests are recomputed, and every share is opened past every cache
//! with an audit event in between.

pub mod activity;
mod api_error;
mod app;
mod audit_sink;
mod auth;
mod blocking;
mod boot_counter;
mod boot_settle;
mod ceremony;
mod config;
mod db;
mod delegation;
mod environment_keys;
mod error;
mod freeze;
mod ids;
mod init;
pub mod keys;
mod metrics;
mod net;
mod provider_dir;
pub mod recovery;
mod routes;
mod server;
mod session;
mod sweep;
mod token_text;
pub mod tokens;
mod web;
mod webhooks;

pub use config::{Config, Limits, Tls};
pub use error::Error;
pub use ids::TokenId;
pub use init::{InitOptions, InitOutcome, init};
pub use server::{RunningServer, Server};
