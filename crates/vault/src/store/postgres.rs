//! Records and properties in PostgreSQL.
//!
//! Every write is one statement that compares and sets, committed with `synchronous_commit = on` or
//! `remote_apply`. Every connection is checked when it is made: TLS, durability, that it is no
//! standby, and the environment of the tables, in one pinned schema.
//! A destroyed record keeps its name and revision. The tables are marked with their environment
//! and refuse another.

mod call;
mod config;
mod connect;
mod error;
mod migrate;
mod properties;
mod records;
mod session;
mod statements;

pub use self::config::PostgresConfig;
pub use self::properties::PostgresProperties;
pub use self::records::PostgresRecords;

use core::time::Duration;
use std::sync::Arc;

use sqlx::postgres::PgPool;

use self::session::Session;
use self::statements::Statements;
use crate::Error;

/// What errors call the server.
const PEER: &str = "PostgreSQL";

/// The longest record or entry.
pub const MAX_LEN: usize = 2 << 20;

/// An open database: connections, statements, deadline.
#[derive(Debug, Clone)]
struct Database {
    pool: PgPool,
    session: Arc<Session>,
    statements: Statements,
    deadline: Duration,
}

/// Refuses what is too long before it is sent.
fn check_len(what: &'static str, len: usize) -> Result<(), Error> {
    if len <= MAX_LEN {
        return Ok(());
    }
    Err(Error::TooLarge {
        what,
        len,
        limit: MAX_LEN,
    })
}
