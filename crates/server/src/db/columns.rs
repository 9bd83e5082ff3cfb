//! Reading columns into types that can only hold what is valid.

use core::str::FromStr;

use super::sql::{self, SqliteRow};

/// A cell that does not hold what this version writes there.
pub(crate) const fn bad_cell(column: &'static str) -> sql::Error {
    sql::Error::Cell(column)
}

/// A blob of exactly `N` bytes.
pub(crate) fn bytes<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<[u8; N], sql::Error> {
    let cell: &[u8] = row.try_get(column)?;
    cell.try_into().map_err(|_| bad_cell(column))
}

/// A blob of exactly `N` bytes, or NULL.
pub(crate) fn optional_bytes<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<[u8; N]>, sql::Error> {
    let cell: Option<&[u8]> = row.try_get(column)?;
    cell.map(|cell| cell.try_into().map_err(|_| bad_cell(column)))
        .transpose()
}

/// A number that is never negative.
pub(crate) fn unsigned(row: &SqliteRow, column: &'static str) -> Result<u64, sql::Error> {
    let cell: i64 = row.try_get(column)?;
    u64::try_from(cell).map_err(|_| bad_cell(column))
}

/// Text in the form of `T`.
pub(crate) fn text<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, sql::Error> {
    let cell: &str = row.try_get(column)?;
    cell.parse().map_err(|_| bad_cell(column))
}

/// A number as SQLite stores it; SQLite has no unsigned 64-bit integers.
pub(crate) fn signed(number: u64) -> Result<i64, sql::Error> {
    i64::try_from(number).map_err(|_| bad_cell("a number above 2^63"))
}

/// A number that is never negative, or NULL.
pub(crate) fn optional_unsigned(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<u64>, sql::Error> {
    let cell: Option<i64> = row.try_get(column)?;
    cell.map(|cell| u64::try_from(cell).map_err(|_| bad_cell(column)))
        .transpose()
}
