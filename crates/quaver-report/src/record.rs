//! The run record: what was run, on what, with which options, so that a result can be made again.

use std::path::Path;

use quaver::table::{Column, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use crate::atomic::atomic_write;
use crate::error::ReportError;
use crate::json;

/// Named facts about a run, in the order they were added.
///
/// It holds what the caller puts in and nothing else, in particular no time of day: the same run then writes the
/// same bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunRecord {
    entries: Vec<(String, Json)>,
}

impl RunRecord {
    /// A record with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A row of a table as facts: each cell under the name of its column. JSON has no infinity: an infinite number
    /// becomes the text "inf" or "-inf".
    pub fn of_row(columns: &[Column], row: &[Value]) -> Self {
        let cells = columns.iter().zip(row);
        cells.fold(Self::new(), |record, (column, value)| {
            record.with(column.name.as_str(), json::cell(value))
        })
    }

    /// Adds a fact. A key that is there already gets the new value in its old place.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.entries.iter_mut().find(|(have, _)| *have == key) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key, value)),
        }
        self
    }

    /// The facts, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// The value of one fact.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.entries()
            .find(|(have, _)| *have == key)
            .map(|(_, value)| value)
    }

    /// The record as JSON on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a map from text to JSON values has a JSON form")
    }

    /// The record as indented JSON, ending in a line feed.
    pub fn to_json_pretty(&self) -> String {
        let mut json = serde_json::to_string_pretty(self)
            .expect("a map from text to JSON values has a JSON form");
        json.push('\n');
        json
    }

    /// Writes the record as indented JSON to the file at `path`.
    pub fn save(&self, path: &Path) -> Result<(), ReportError> {
        atomic_write(path, self.to_json_pretty().as_bytes())
    }

    /// Every fact on a line of its own: nested values under dotted keys, lists of plain values joined.
    pub(crate) fn flat(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (key, value) in self.entries() {
            flatten(key.to_owned(), value, &mut lines);
        }
        lines
    }
}

impl Serialize for RunRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (key, value) in &self.entries {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for RunRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = RunRecord;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with the facts of a run")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<RunRecord, M::Error> {
                let mut record = RunRecord::new();
                while let Some((key, value)) = map.next_entry::<String, Json>()? {
                    record = record.with(key, value);
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn flatten(key: String, value: &Json, lines: &mut Vec<(String, String)>) {
    match value {
        Json::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                flatten(format!("{key}.{name}"), value, lines);
            }
        }
        Json::Array(items)
            if items
                .iter()
                .all(|item| !item.is_array() && !item.is_object()) =>
        {
            let items: Vec<String> = items.iter().map(plain).collect();
            lines.push((key, items.join(", ")));
        }
        _ => lines.push((key, plain(value))),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keeps_the_order_of_its_facts() {
        let record = RunRecord::new()
            .with("version", "0.1.0")
            .with("model", json!({"path": "a.onnx", "inputs": [3, 32, 32]}))
            .with("command", Json::Null)
            .with("version", "0.1.1");
        assert_eq!(
            record.to_json(),
            r#"{"version":"0.1.1","model":{"inputs":[3,32,32],"path":"a.onnx"},"command":null}"#
        );
        let flat = record.flat();
        let flat: Vec<(&str, &str)> = flat.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            flat,
            [
                ("version", "0.1.1"),
                ("model.inputs", "3, 32, 32"),
                ("model.path", "a.onnx"),
                ("command", "none"),
            ]
        );
    }
}
