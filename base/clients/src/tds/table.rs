//! Columns, rows and values.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// `bigint`, 64 bits with sign.
    Integer,
    /// `float`, 64 bits.
    Real,
    /// `nvarchar` of at most 4000 characters.
    Text,
}

/// A column's name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; the first 128 characters of it travel.
    pub name: String,
    /// Its type.
    pub kind: ColumnKind,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing; fits every column.
    Null,
    /// For [`ColumnKind::Integer`].
    Integer(i64),
    /// For [`ColumnKind::Real`].
    Real(f64),
    /// For [`ColumnKind::Text`]; the first 4000 characters of it travel.
    Text(String),
}

impl Value {
    fn fits(&self, kind: ColumnKind) -> bool {
        match self {
            Self::Null => true,
            Self::Integer(_) => kind == ColumnKind::Integer,
            Self::Real(_) => kind == ColumnKind::Real,
            Self::Text(_) => kind == ColumnKind::Text,
        }
    }
}

/// A row that does not fit its table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row has {got} values or a type that its column has not; the table has {columns} columns")]
pub struct ShapeError {
    /// Values in the row.
    pub got: usize,
    /// Columns of the table.
    pub columns: usize,
}

/// What a batch answers: every row fits the columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table without rows. `columns` as (name, type), the first 1024 of them.
    pub fn new(columns: &[(&str, ColumnKind)]) -> Self {
        let columns = columns.iter().take(1024).map(|&(name, kind)| Column { name: name.to_owned(), kind });
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    pub(super) fn of_columns(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Value>) -> Result<(), ShapeError> {
        let fits = row.len() == self.columns.len()
            && row.iter().zip(&self.columns).all(|(value, column)| value.fits(column.kind));
        if !fits {
            return Err(ShapeError { got: row.len(), columns: self.columns.len() });
        }
        self.rows.push(row);
        Ok(())
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows in order.
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }
}
