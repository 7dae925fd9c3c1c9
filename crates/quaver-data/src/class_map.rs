//! Files that say which label a class name stands for.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::file::Stream;
use crate::{DataError, DataErrorKind, OpenOptions};

/// A longer file names no classes.
const LONGEST_FILE: u64 = 1 << 24;

/// No network has more classes.
const MOST_CLASSES: usize = 1 << 20;

/// Class names and their labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ClassMap {
    labels: HashMap<String, u32>,
    names: Vec<String>,
}

impl ClassMap {
    /// The class map that the options ask for, if they do.
    pub(crate) fn of(options: &OpenOptions) -> Result<Option<Self>, DataError> {
        options.class_map.as_deref().map(Self::read).transpose()
    }

    /// The file at `path`: JSON or text.
    ///
    /// JSON is an array of names in label order; or an object from name to label, or from label to name, or from
    /// label to an array of a folder's name and a name for people (`imagenet_class_index.json`); or an object
    /// with one of these under `label2id`, `id2label` or `names`, as a Hugging Face `config.json` is.
    /// Text has a name and its label on every line; or names only, in label order. A line that begins with a WordNet
    /// id such as `n01440764` gives that as the name, and what follows is for people.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let refuse = |message: String| DataError::at(DataErrorKind::Labels, path, message);
        let mut text = String::new();
        let mut limited = Stream::open(path)?.take(LONGEST_FILE + 1);
        let n = limited
            .read_to_string(&mut text)
            .map_err(|error| DataError::reading(path, error))?;
        if n as u64 > LONGEST_FILE {
            return Err(refuse("is too long for class names".to_owned()));
        }
        let text = text.trim_start_matches('\u{feff}');
        let entries = match text.trim_start().chars().next() {
            Some('{' | '[') => {
                let value: Value = serde_json::from_str(text)
                    .map_err(|error| refuse(format!("is not JSON: {error}")))?;
                from_json(&value).map_err(refuse)?
            }
            _ => from_text(text),
        };
        Self::from_entries(entries).map_err(refuse)
    }

    fn from_entries(entries: Vec<Entry>) -> Result<Self, String> {
        if entries.is_empty() {
            return Err("names no class".to_owned());
        }
        let mut map = Self::default();
        for entry in entries {
            let index = entry.label as usize;
            if index >= MOST_CLASSES {
                return Err(format!(
                    "gives {:?} the label {index}, too large for a class",
                    entry.name
                ));
            }
            if let Some(other) = map.labels.insert(entry.name.clone(), entry.label)
                && other != entry.label
            {
                return Err(format!(
                    "gives {:?} the labels {other} and {index}",
                    entry.name
                ));
            }
            for missing in map.names.len()..=index {
                map.names.push(format!("class {missing}"));
            }
            map.names[index] = entry.shown.unwrap_or(entry.name);
        }
        Ok(map)
    }

    /// The label of the class called `name`.
    pub(crate) fn label(&self, name: &str) -> Option<u32> {
        self.labels.get(name).copied()
    }

    /// Class names in label order, as people call them.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

struct Entry {
    name: String,
    label: u32,
    /// What people call it, where that is not its name.
    shown: Option<String>,
}

fn from_json(value: &Value) -> Result<Vec<Entry>, String> {
    let label = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    match value {
        Value::Array(names) => {
            let entry = |(label, name): (usize, &Value)| {
                let name = name
                    .as_str()
                    .ok_or_else(|| format!("entry {label} is not a name"))?;
                Ok(Entry {
                    name: name.to_owned(),
                    label: u32::try_from(label).unwrap_or(u32::MAX),
                    shown: None,
                })
            };
            names.iter().enumerate().map(entry).collect()
        }
        Value::Object(object) => {
            for key in ["label2id", "id2label", "names"] {
                if let Some(value @ (Value::Object(_) | Value::Array(_))) = object.get(key) {
                    return from_json(value);
                }
            }
            let entry = |(key, value): (&String, &Value)| {
                let found = match value {
                    Value::Number(number) => label(number.as_u64()).map(|label| (label, key, None)),
                    _ => None,
                };
                if let Some((label, name, shown)) = found {
                    let name = name.clone();
                    return Ok(Entry { name, label, shown });
                }
                let index = label(key.parse().ok());
                let names = match value {
                    Value::String(name) => Some((name.clone(), None)),
                    Value::Array(names) => match names.as_slice() {
                        [Value::String(name), Value::String(shown), ..] => {
                            Some((name.clone(), Some(shown.clone())))
                        }
                        _ => None,
                    },
                    _ => None,
                };
                match (index, names) {
                    (Some(label), Some((name, shown))) => Ok(Entry { name, label, shown }),
                    _ => Err(format!(
                        "entry {key:?} is neither a name with its label nor a label with its name"
                    )),
                }
            };
            object.iter().map(entry).collect()
        }
        _ => Err("holds neither an object nor an array".to_owned()),
    }
}

fn from_text(text: &str) -> Vec<Entry> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let with_label = |line: &str| -> Option<Entry> {
        let (name, label) = line.rsplit_once([' ', '\t', ',', ':', '='])?;
        let name = name.trim_end_matches([' ', '\t', ',', ':', '=']);
        Some(Entry {
            name: name.to_owned(),
            label: label.parse().ok()?,
            shown: None,
        })
    };
    let labelled: Option<Vec<Entry>> = lines().map(with_label).collect();
    if let Some(entries) = labelled {
        return entries;
    }
    let wordnet = |line: &str| -> Option<(String, String)> {
        let (id, rest) = line.split_once([' ', '\t', ',']).unwrap_or((line, ""));
        let digits = id.strip_prefix('n')?;
        let is_id = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then(|| (id.to_owned(), rest.trim().to_owned()))
    };
    let ids: Option<Vec<(String, String)>> = lines().map(wordnet).collect();
    let named = match ids {
        Some(ids) => ids,
        None => lines()
            .map(|line| (line.to_owned(), String::new()))
            .collect(),
    };
    let entry = |(label, (name, shown)): (usize, (String, String))| Entry {
        name,
        label: u32::try_from(label).unwrap_or(u32::MAX),
        shown: Some(shown).filter(|shown| !shown.is_empty()),
    };
    named.into_iter().enumerate().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Result<ClassMap, String> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("classes");
        std::fs::write(&path, text).unwrap();
        ClassMap::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_of_the_file_says_the_same() {
        for text in [
            r#"["cat", "wild dog"]"#,
            r#"{"wild dog": 1, "cat": 0}"#,
            r#"{"0": "cat", "1": "wild dog"}"#,
            r#"{"model_type": "x", "id2label": {"0": "cat", "1": "wild dog"}}"#,
            r#"{"label2id": {"cat": 0, "wild dog": 1}}"#,
            "cat\nwild dog\n",
            "\u{feff}wild dog 1\r\ncat 0\r\n",
            "cat,0\nwild dog,1",
            "wild dog: 1\ncat: 0",
        ] {
            let map = map(text).unwrap();
            assert_eq!(map.names(), ["cat", "wild dog"], "{text}");
            assert_eq!(
                (map.label("cat"), map.label("wild dog")),
                (Some(0), Some(1))
            );
            assert_eq!(map.label("dog"), None);
        }
    }

    #[test]
    fn folders_and_names_for_people_are_told_apart() {
        for text in [
            r#"{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}"#,
            "n01440764 tench\nn01443537 goldfish\n",
        ] {
            let map = map(text).unwrap();
            assert_eq!(map.label("n01443537"), Some(1));
            assert_eq!(map.names(), ["tench", "goldfish"]);
        }
        assert_eq!(
            map(r#"{"b": 2}"#).unwrap().names(),
            ["class 0", "class 1", "b"]
        );
    }

    #[test]
    fn what_is_no_class_map_is_refused() {
        for (text, fact) in [
            ("", "names no class"),
            ("{}", "names no class"),
            ("{", "is not JSON"),
            (r#"{"a": -1}"#, "entry \"a\""),
            (r#"{"a": "b"}"#, "entry \"a\""),
            ("[1]", "entry 0 is not a name"),
            (r#"{"a": 4000000000}"#, "too large"),
            ("a 0\na 1\n", "gives \"a\" the labels 0 and 1"),
        ] {
            let error = map(text).unwrap_err();
            assert!(error.contains(fact) && !error.contains('\n'), "{error}");
        }
    }
}
