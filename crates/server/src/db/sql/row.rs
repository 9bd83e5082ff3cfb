use std::sync::Arc;

use rusqlite::types::Value;

use super::Error;

/// The columns' names, the same for every row of a statement.
pub(super) type Names = Arc<[Box<str>]>;

/// One row, by itself.
pub(crate) struct SqliteRow {
    pub(super) names: Names,
    pub(super) cells: Vec<Value>,
}

halfkey_core::redacted_debug!(SqliteRow);

impl SqliteRow {
    /// The cell of a column.
    pub(crate) fn try_get<'r, T: FromCell<'r>>(&'r self, column: &'static str) -> Result<T, Error> {
        let mut names = self.names.iter();
        let at = names.position(|name| **name == *column);
        let cell = at.and_then(|at| self.cells.get(at));
        cell.and_then(T::from_cell).ok_or(Error::Cell(column))
    }

    /// The first cell.
    pub(super) fn first<T: for<'r> FromCell<'r>>(&self) -> Result<T, Error> {
        let cell = self.cells.first().and_then(T::from_cell);
        cell.ok_or(Error::Cell("of the answer"))
    }
}

/// What a cell can be read as.
pub(crate) trait FromCell<'r>: Sized {
    /// `None` when the cell holds something else.
    fn from_cell(cell: &'r Value) -> Option<Self>;
}

impl FromCell<'_> for i64 {
    fn from_cell(cell: &Value) -> Option<Self> {
        match cell {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl<'r> FromCell<'r> for &'r str {
    fn from_cell(cell: &'r Value) -> Option<Self> {
        match cell {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromCell<'_> for String {
    fn from_cell(cell: &Value) -> Option<Self> {
        <&str>::from_cell(cell).map(str::to_owned)
    }
}

impl<'r> FromCell<'r> for &'r [u8] {
    fn from_cell(cell: &'r Value) -> Option<Self> {
        match cell {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl FromCell<'_> for Vec<u8> {
    fn from_cell(cell: &Value) -> Option<Self> {
        <&[u8]>::from_cell(cell).map(<[u8]>::to_vec)
    }
}

impl<'r, T: FromCell<'r>> FromCell<'r> for Option<T> {
    fn from_cell(cell: &'r Value) -> Option<Self> {
        match cell {
            Value::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}
