//! One call: a connection that passed every check, and the deadline.

use core::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, Timeout, timeout_at};

use super::error::from_sqlx;
use super::session::again;
use super::{Database, PEER};
use crate::Error;

/// A connection for one call. If the call does not come to its end, by the deadline or because its
/// caller goes away, the connection is closed: the server could still be answering.
pub(super) struct Call {
    connection: PoolConnection<Postgres>,
    until: Instant,
    has_ended: bool,
}

impl Database {
    /// A connection from the pool, or why the server's are not fit. The deadline runs from here.
    pub(super) async fn call(&self) -> Result<Call, Error> {
        let until = deadline(self.deadline)?;
        let mut refusals = self.session.refusals();
        let connection = tokio::select! {
            biased;
            acquired = timeout_at(until, self.pool.acquire()) => match acquired {
                Ok(acquired) => acquired.map_err(from_sqlx)?,
                Err(_) => return Err(Error::Timeout(PEER.to_owned())),
            },
            Ok(()) = refusals.changed() => {
                return Err(match &*refusals.borrow_and_update() {
                    Some(refusal) => again(refusal),
                    None => Error::temporary(format!("{PEER}: the connection failed")),
                });
            }
        };
        Ok(Call {
            connection,
            until,
            has_ended: false,
        })
    }
}

fn deadline(after: Duration) -> Result<Instant, Error> {
    let until = Instant::now().checked_add(after);
    until.ok_or_else(|| Error::Config("deadline_ms is too long".to_owned()))
}

impl Call {
    /// Runs work on the connection, within what is left of the time.
    pub(super) fn run<'c, F: Future + 'c>(
        &'c mut self,
        work: impl FnOnce(&'c mut PgConnection) -> F,
    ) -> Timeout<F> {
        timeout_at(self.until, work(&mut self.connection))
    }

    /// Gives the connection back where the work came to its end, and the server to its answer's.
    pub(super) fn end<T>(
        mut self,
        done: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, Error> {
        let done = done.map_err(|_| Error::Timeout(PEER.to_owned()))?;
        self.has_ended = !matches!(done, Err(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)));
        done.map_err(from_sqlx)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.has_ended {
            self.connection.close_on_drop();
        }
    }
}
