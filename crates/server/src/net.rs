//! Connections: our own accept loop, with a deadline on everything a peer can delay.

pub(crate) mod connection;
pub(crate) mod dev_tls;
mod idle;
pub(crate) mod listener;
pub(crate) mod tls;
