//! Records and properties in PostgreSQL.
//!
//! Every write is one statement that compares and sets, committed with `synchronous_commit = on`.
//! A destroyed record keeps its name and revision. The tables are marked with their environment
//! and refuse another.

mod config;
mod connect;
mod error;
mod migrate;
mod properties;
mod records;
mod statements;

pub use self::config::PostgresConfig;
pub use self::properties::PostgresProperties;
pub use self::records::PostgresRecords;

use core::future::Future;
use core::time::Duration;

use sqlx::postgres::PgPool;

use self::statements::Statements;
use crate::Error;

/// What errors call the server.
const PEER: &str = "PostgreSQL";

/// An open database: connections, statements, deadline.
#[derive(Debug, Clone)]
struct Database {
    pool: PgPool,
    statements: Statements,
    deadline: Duration,
}

impl Database {
    /// Runs one call within the deadline.
    async fn within<T: Send>(
        &self,
        call: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(done) => done.map_err(error::from_sqlx),
            Err(_) => Err(Error::Timeout(PEER.to_owned())),
        }
    }
}
