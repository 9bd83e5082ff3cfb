//! What SQLite's errors mean here.

use crate::Error;

/// SQLite's result codes, without the extended part.
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const FULL: i64 = 13;

/// Maps a database error. SQLite's messages name tables and columns, never bound values.
#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` wants")]
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    let temporary = match &error {
        sqlx::Error::Database(inner) => {
            let extended = inner.code().and_then(|code| code.parse::<i64>().ok());
            match extended.map(|code| code & 0xff) {
                Some(FULL) => return Error::Full(inner.message().to_owned()),
                Some(BUSY | LOCKED) => true,
                _ => false,
            }
        }
        sqlx::Error::PoolTimedOut => true,
        _ => false,
    };
    Error::Backend {
        message: format!("sqlite: {error}"),
        temporary,
    }
}
