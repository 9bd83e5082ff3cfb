//! Statements against SQLite, run on the thread that asks.
//!
//! A read takes microseconds, so a thread of its own for each connection would cost more than the
//! read: two wake-ups and a copy of every row. What may block, a commit and the wait for the
//! writer's turn, goes through
//! [`blocking`](crate::blocking::blocking). Everything is `async` in form only.

mod connection;
mod readers;
mod row;

use core::fmt;
use core::future::{Ready, ready};
use std::borrow::Cow;

pub(crate) use connection::SqliteConnection;
pub(crate) use readers::Readers;
pub(crate) use row::{FromCell, SqliteRow};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// Why a statement did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// SQLite refused.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A cell does not hold what this version writes there.
    #[error("column {0} does not hold what it should")]
    Cell(&'static str),
    /// One row was asked for, and there is none.
    #[error("a row that must be there is missing")]
    NoRow,
    /// The writers before took too long.
    #[error("the database is busy writing")]
    Busy,
}

impl Error {
    /// Whether a row with that key stands there already.
    pub(crate) fn is_unique_violation(&self) -> bool {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        let Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = self else {
            return false;
        };
        [SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE].contains(&failure.extended_code)
    }
}

/// What stands for one `?` of a statement.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Argument<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
}

// Sealed shares and hashes of tokens pass through here.
impl fmt::Debug for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Argument(..)")
    }
}

impl ToSql for Argument<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<i64> for Argument<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Argument<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Argument<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a [u8]> for Argument<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Argument<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Blob(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Argument<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(Cow::Owned(bytes))
    }
}

impl<T: Into<Self>> From<Option<T>> for Argument<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a, T> From<&'a Option<T>> for Argument<'a>
where
    &'a T: Into<Self>,
{
    fn from(value: &'a Option<T>) -> Self {
        value.as_ref().map_or(Self::Null, Into::into)
    }
}

/// A statement and what stands for its `?`s. The text is never put together from data.
#[derive(Debug)]
#[must_use]
pub(crate) struct Query<'a> {
    sql: &'static str,
    arguments: Vec<Argument<'a>>,
}

/// A statement that answers with rows, or with a number of changes.
pub(crate) const fn query<'a>(sql: &'static str) -> Query<'a> {
    Query {
        sql,
        arguments: Vec::new(),
    }
}

/// A statement that answers with rows of one cell.
pub(crate) const fn query_scalar<'a, T>(sql: &'static str) -> Scalar<'a, T> {
    Scalar {
        query: query(sql),
        cell: core::marker::PhantomData,
    }
}

impl<'a> Query<'a> {
    /// For the next `?`.
    pub(crate) fn bind(mut self, value: impl Into<Argument<'a>>) -> Self {
        self.arguments.push(value.into());
        self
    }

    /// Runs it; how many rows it changed.
    pub(crate) fn execute(self, conn: &mut SqliteConnection) -> Ready<Result<u64, Error>> {
        ready(conn.execute(self.sql, &self.arguments))
    }

    /// All rows.
    pub(crate) fn fetch_all(
        self,
        conn: &mut SqliteConnection,
    ) -> Ready<Result<Vec<SqliteRow>, Error>> {
        ready(conn.rows(self.sql, &self.arguments, usize::MAX))
    }

    /// The first row, if there is one.
    pub(crate) fn fetch_optional(
        self,
        conn: &mut SqliteConnection,
    ) -> Ready<Result<Option<SqliteRow>, Error>> {
        let rows = conn.rows(self.sql, &self.arguments, 1);
        ready(rows.map(|mut rows| rows.pop()))
    }

    /// The first row, which must be there.
    pub(crate) fn fetch_one(self, conn: &mut SqliteConnection) -> Ready<Result<SqliteRow, Error>> {
        let rows = conn.rows(self.sql, &self.arguments, 1);
        ready(rows.and_then(|mut rows| rows.pop().ok_or(Error::NoRow)))
    }
}

/// A statement whose rows have one cell.
#[derive(Debug)]
#[must_use]
pub(crate) struct Scalar<'a, T> {
    query: Query<'a>,
    cell: core::marker::PhantomData<fn() -> T>,
}

impl<'a, T: for<'r> FromCell<'r>> Scalar<'a, T> {
    /// For the next `?`.
    pub(crate) fn bind(self, value: impl Into<Argument<'a>>) -> Self {
        Self {
            query: self.query.bind(value),
            ..self
        }
    }

    /// The cell of every row.
    pub(crate) fn fetch_all(self, conn: &mut SqliteConnection) -> Ready<Result<Vec<T>, Error>> {
        let rows = conn.rows(self.query.sql, &self.query.arguments, usize::MAX);
        ready(rows.and_then(|rows| rows.iter().map(SqliteRow::first).collect()))
    }

    /// The cell of the first row, if there is one.
    pub(crate) fn fetch_optional(
        self,
        conn: &mut SqliteConnection,
    ) -> Ready<Result<Option<T>, Error>> {
        let rows = conn.rows(self.query.sql, &self.query.arguments, 1);
        ready(rows.and_then(|rows| rows.first().map(SqliteRow::first).transpose()))
    }

    /// The cell of the first row, which must be there.
    pub(crate) fn fetch_one(self, conn: &mut SqliteConnection) -> Ready<Result<T, Error>> {
        ready(
            self.fetch_optional(conn)
                .into_inner()
                .and_then(|cell| cell.ok_or(Error::NoRow)),
        )
    }
}
