//! The embedded stores: SQLite in WAL mode with `synchronous=FULL`, so that a write that returned
//! is on disk, and `secure_delete`, so that what was overwritten is not left in the file.

mod database;
mod error;
mod properties;
mod records;

pub use self::database::{Database, OpenMode, Options, Schema};
pub use self::properties::SqliteProperties;
pub use self::records::SqliteRecords;

pub(crate) use self::error::from_sqlx;
