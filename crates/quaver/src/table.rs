//! Rows and columns: the form in which every task hands its result to whoever writes it down.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers: indices, classes, ranks.
    Int,
    /// Real numbers.
    Float,
    /// Text.
    Text,
}

/// One cell. A value that does not exist (a label nobody knows) is [`Value::Null`], never NaN.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// There is no value.
    Null,
    /// A whole number.
    Int(i64),
    /// A real number; may be infinite (a margin that no perturbation crosses), never NaN.
    Float(f64),
    /// Text.
    Text(String),
}

/// The name, kind and meaning of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name, as in the output file: snake case.
    pub name: String,
    /// What its cells hold.
    pub kind: Kind,
    /// One line: what the number means, with its units. Goes into the file's metadata and the report.
    pub doc: String,
}
