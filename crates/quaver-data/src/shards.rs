//! Several files as one dataset: what a pattern such as `train-{000..012}.tar` stands for.

use std::path::{Path, PathBuf};

use wildmatch::WildMatch;

use crate::{DataError, DataErrorKind, Dataset, Sample, Units};

/// A pattern that stands for more files is a mistake.
const MOST_FILES: usize = 1 << 16;

/// Datasets one after another.
struct Shards {
    parts: Vec<Part>,
    len: usize,
}

struct Part {
    name: String,
    first: usize,
    dataset: Box<dyn Dataset>,
}

/// The files that a pattern stands for, in order; `None` for a path that is none, or that exists as it is.
///
/// `{000..012}` counts, with as many digits; `{a,b}` chooses; `*` and `?` match in the last part of a path.
///
/// # Errors
/// When a pattern matches no file, stands for too many or is not closed, or its folder cannot be read.
pub fn expand(path: &Path) -> Result<Option<Vec<PathBuf>>, DataError> {
    let text = path.to_string_lossy();
    if !text.contains(['{', '*', '?']) || path.exists() {
        return Ok(None);
    }
    let refuse = |message: &str| DataError::at(DataErrorKind::Option, path, message);
    let mut patterns = Vec::new();
    expand_braces(&text, &mut patterns)
        .map_err(|()| refuse("stands for too many files, or a brace is left open"))?;
    let mut paths = Vec::new();
    for pattern in patterns {
        let pattern = PathBuf::from(pattern);
        let name = pattern.file_name().unwrap_or_default().to_string_lossy();
        if !name.contains(['*', '?']) {
            paths.push(pattern);
            continue;
        }
        let folder = pattern.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        let reading = |error| DataError::reading(folder, error);
        let matcher = WildMatch::new(&name);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(reading)? {
            let entry = entry.map_err(reading)?.file_name();
            if matcher.matches(&entry.to_string_lossy()) {
                names.push(entry);
            }
        }
        names.sort();
        paths.extend(names.iter().map(|name| pattern.with_file_name(name)));
    }
    if paths.is_empty() {
        return Err(refuse("matches no file"));
    }
    if paths.len() > MOST_FILES {
        return Err(refuse("stands for too many files"));
    }
    Ok(Some(paths))
}

fn expand_braces(text: &str, patterns: &mut Vec<String>) -> Result<(), ()> {
    let Some((before, rest)) = text.split_once('{') else {
        patterns.push(text.to_owned());
        return if patterns.len() > MOST_FILES {
            Err(())
        } else {
            Ok(())
        };
    };
    let (inside, after) = rest.split_once('}').ok_or(())?;
    let choices: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let digits = first.len();
            let (first, last): (usize, usize) =
                (first.parse().map_err(drop)?, last.parse().map_err(drop)?);
            if last < first || last - first >= MOST_FILES || digits > 20 {
                return Err(());
            }
            (first..=last)
                .map(|number| format!("{number:0digits$}"))
                .collect()
        }
        None => inside.split(',').map(str::to_owned).collect(),
    };
    for choice in choices {
        expand_braces(&format!("{before}{choice}{after}"), patterns)?;
    }
    Ok(())
}

/// Opens every file with `open` and puts the datasets one after another.
pub(crate) fn open(
    paths: &[PathBuf],
    open: impl Fn(&Path) -> Result<Box<dyn Dataset>, DataError>,
) -> Result<Box<dyn Dataset>, DataError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut len = 0;
    for path in paths {
        let dataset = open(path)?;
        if let Some(first) = parts.first() {
            let other = &first.dataset;
            let refuse = |kind, what: &str| {
                Err(DataError::at(
                    kind,
                    path,
                    format_args!("{what} than {}", first.name),
                ))
            };
            if other.shape() != dataset.shape() {
                return refuse(DataErrorKind::Shape, "has samples of another shape");
            }
            if other.class_names() != dataset.class_names() {
                return refuse(
                    DataErrorKind::Labels,
                    "has other classes (give their labels with --class-map)",
                );
            }
        }
        let name = path.file_name().unwrap_or_default();
        let first = len;
        len += dataset.len();
        parts.push(Part {
            name: name.to_string_lossy().into_owned(),
            first,
            dataset,
        });
    }
    Ok(Box::new(Shards { parts, len }))
}

impl Shards {
    fn locate(&self, index: usize) -> Result<(&Part, usize), DataError> {
        let after = self.parts.partition_point(|part| part.first <= index);
        let part = self
            .parts
            .get(after.saturating_sub(1))
            .filter(|_| index < self.len);
        let part = part.ok_or_else(|| DataError::out_of_range(index, self.len))?;
        Ok((part, index - part.first))
    }
}

impl Dataset for Shards {
    fn len(&self) -> usize {
        self.len
    }

    fn shape(&self) -> &[usize] {
        self.parts.first().map_or(&[], |part| part.dataset.shape())
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let (part, inner) = self.locate(index)?;
        let mut sample = part.dataset.read(inner)?;
        sample.key = self.key(index);
        Ok(sample)
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        let (part, inner) = self.locate(index)?;
        part.dataset.label(inner)
    }

    fn has_keys(&self) -> bool {
        true
    }

    fn key(&self, index: usize) -> Option<String> {
        let (part, inner) = self.locate(index).ok()?;
        let key = part.dataset.key(inner).unwrap_or_else(|| inner.to_string());
        Some(format!("{}: {key}", part.name))
    }

    fn units(&self) -> Units {
        let mut units = self.parts.iter().map(|part| part.dataset.units());
        let first = units.next().unwrap_or_default();
        match units.all(|other| other.range() == first.range()) {
            true => first,
            // Some files hold bytes, say, and others do not.
            false => first.of_unknown_range(),
        }
    }

    fn class_names(&self) -> Option<&[String]> {
        self.parts.first()?.dataset.class_names()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_count_and_choose() {
        let expand = |text: &str| {
            let mut patterns = Vec::new();
            expand_braces(text, &mut patterns).map(|()| patterns)
        };
        assert_eq!(
            expand("a-{08..10}.tar").unwrap(),
            ["a-08.tar", "a-09.tar", "a-10.tar"]
        );
        assert_eq!(expand("{x,y}{1..2}").unwrap(), ["x1", "x2", "y1", "y2"]);
        for bad in ["{", "{1..}", "{3..1}", "{0..99999999}", "{0..999}{0..999}"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }
}
