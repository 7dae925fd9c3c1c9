//! Numbers and tables as JSON. JSON has no infinity: an infinite number is the text `inf` or `-inf`, as it is in the
//! table formats of text.

use quaver::table::{Column, Kind, Value};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

/// A number that may be infinite.
#[derive(Clone, Copy)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            f64::INFINITY => serializer.serialize_str("inf"),
            f64::NEG_INFINITY => serializer.serialize_str("-inf"),
            _ => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, \"inf\" or \"-inf\"")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                match text {
                    "inf" => Ok(Number(f64::INFINITY)),
                    "-inf" => Ok(Number(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number(f64::NAN))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// For one number: `#[serde(with = "json::number")]`.
pub(crate) mod number {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Number(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Number::deserialize(deserializer).map(|number| number.0)
    }
}

/// For a list of numbers.
pub(crate) mod numbers {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        values: &[f64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Number(*value)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<f64>, D::Error> {
        let numbers = Vec::<Number>::deserialize(deserializer)?;
        Ok(numbers.into_iter().map(|number| number.0).collect())
    }
}

/// For a list of points, each `[x, y]`.
pub(crate) mod points {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        points: &[(f64, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(points.iter().map(|(x, y)| (Number(*x), Number(*y))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(f64, f64)>, D::Error> {
        let points = Vec::<(Number, Number)>::deserialize(deserializer)?;
        Ok(points.into_iter().map(|(x, y)| (x.0, y.0)).collect())
    }
}

/// For the columns of a table.
pub(crate) mod columns {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Form {
        name: String,
        kind: String,
        doc: String,
    }

    fn word(kind: Kind) -> &'static str {
        match kind {
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Text => "text",
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        columns: &[Column],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(columns.iter().map(|column| Form {
            name: column.name.clone(),
            kind: word(column.kind).to_owned(),
            doc: column.doc.clone(),
        }))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Column>, D::Error> {
        let column = |form: Form| {
            let mut kinds = [Kind::Int, Kind::Float, Kind::Text].into_iter();
            match kinds.find(|kind| word(*kind) == form.kind) {
                Some(kind) => Ok(Column::new(form.name, kind, form.doc)),
                None => Err(D::Error::custom(format_args!(
                    "column {:?} is of kind {:?}, and only int, float and text exist",
                    form.name, form.kind
                ))),
            }
        };
        let forms = Vec::<Form>::deserialize(deserializer)?;
        forms.into_iter().map(column).collect()
    }
}

/// A cell as JSON.
pub(crate) fn cell(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => serde_json::to_value(Number(*number)).unwrap_or(Json::Null),
        Value::Text(text) => Json::from(text.as_str()),
    }
}

/// A cell from JSON, in a column of this kind; `None` if it does not fit.
pub(crate) fn read_cell(cell: &Json, kind: Kind) -> Option<Value> {
    match (kind, cell) {
        (_, Json::Null) => Some(Value::Null),
        (Kind::Int, cell) => cell.as_i64().map(Value::Int),
        (Kind::Text, cell) => cell.as_str().map(Value::from),
        (Kind::Float, Json::String(text)) if text == "inf" => Some(f64::INFINITY.into()),
        (Kind::Float, Json::String(text)) if text == "-inf" => Some(f64::NEG_INFINITY.into()),
        (Kind::Float, cell) => cell.as_f64().map(Value::Float),
    }
}
