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

impl Column {
    /// A column called `name` that holds cells of one `kind`, which mean what `doc` says.
    pub fn new(name: impl Into<String>, kind: Kind, doc: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            doc: doc.into(),
        }
    }
}

impl Kind {
    /// The kind's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Int => "a whole number",
            Kind::Float => "a real number",
            Kind::Text => "text",
        }
    }
}

impl Value {
    /// What the value holds, or `None` for a value that does not exist.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Value::Null => None,
            Value::Int(_) => Some(Kind::Int),
            Value::Float(_) => Some(Kind::Float),
            Value::Text(_) => Some(Kind::Text),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}
