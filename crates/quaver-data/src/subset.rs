//! Some of the samples of a dataset.

use std::io::{BufRead, Read};
use std::path::Path;

use crate::file::Region;
use crate::{DataError, DataErrorKind, Dataset, Sample, Units};

/// The most samples a list of indices may name: far above any dataset whose sweep ends, and far below what
/// fills the memory.
const MOST_INDICES: usize = 100_000_000;

/// A longer line of a file is no list of indices.
const LONGEST_LINE: u64 = 1 << 20;

/// Chosen samples of another dataset, in the order in which they were chosen.
pub struct Subset {
    dataset: Box<dyn Dataset>,
    indices: Vec<usize>,
}

impl std::fmt::Debug for Subset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subset")
            .field("of", &self.dataset.len())
            .field("indices", &self.indices)
            .finish()
    }
}

impl Subset {
    /// The samples of `dataset` at `indices`, which may repeat.
    ///
    /// # Errors
    /// When an index lies past the end of `dataset`, or there is none.
    pub fn new(dataset: Box<dyn Dataset>, indices: Vec<usize>) -> Result<Self, DataError> {
        if indices.is_empty() {
            return Err(DataError::new(
                DataErrorKind::Option,
                "no samples are chosen",
            ));
        }
        if let Some(&index) = indices.iter().find(|&&index| index >= dataset.len()) {
            return Err(DataError::out_of_range(index, dataset.len()));
        }
        Ok(Self { dataset, indices })
    }

    /// The samples of `dataset` in the list `indices` ([`parse_indices`]), the first `limit` of them; all if neither is
    /// said.
    ///
    /// # Errors
    /// As for [`parse_indices`] and [`Subset::new`].
    pub fn choose(
        dataset: Box<dyn Dataset>,
        indices: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Box<dyn Dataset>, DataError> {
        let chosen = match (indices, limit) {
            (None, None) => return Ok(dataset),
            (Some(list), _) => parse_indices(list)?,
            (None, Some(limit)) => (0..dataset.len().min(limit)).collect(),
        };
        let limit = limit.unwrap_or(chosen.len());
        let chosen: Vec<usize> = chosen.into_iter().take(limit).collect();
        Ok(Box::new(Self::new(dataset, chosen)?))
    }

    fn original(&self, index: usize) -> Result<usize, DataError> {
        let original = self.indices.get(index).copied();
        original.ok_or_else(|| DataError::out_of_range(index, self.indices.len()))
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> &[usize] {
        self.dataset.shape()
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        self.dataset.read(self.original(index)?)
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        self.dataset.label(self.original(index)?)
    }

    fn has_keys(&self) -> bool {
        self.dataset.has_keys()
    }

    fn key(&self, index: usize) -> Option<String> {
        self.dataset.key(*self.indices.get(index)?)
    }

    fn original_index(&self, index: usize) -> usize {
        let inner = self.indices.get(index).copied().unwrap_or(index);
        self.dataset.original_index(inner)
    }

    fn units(&self) -> Units {
        self.dataset.units()
    }

    fn class_names(&self) -> Option<&[String]> {
        self.dataset.class_names()
    }
}

/// The indices in a list such as `0,5,10-20`; ranges include both ends, and the order is kept.
///
/// `@file` stands for the lines of that file: each is such a list, and blank lines are passed over.
///
/// # Errors
/// Names the piece that is no index and no range, or whose end lies before its start; or the list names more
/// than a hundred million indices; or the file cannot be read.
pub fn parse_indices(list: &str) -> Result<Vec<usize>, DataError> {
    let mut indices = Vec::new();
    let Some(path) = list.trim().strip_prefix('@') else {
        parse_list(list, &mut indices)?;
        return Ok(indices);
    };
    let path = Path::new(path);
    let mut reader = Region::open(path)?.reader();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let n = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| DataError::reading(path, error))?;
        if n == 0 {
            break;
        }
        let refuse = |reason: &str| {
            DataError::at(
                DataErrorKind::Option,
                path,
                format_args!("line {number}: {reason}"),
            )
        };
        if n as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            return Err(refuse("too long for a list of samples"));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.is_empty() {
            parse_list(text, &mut indices).map_err(|error| refuse(&error.to_string()))?;
        }
    }
    Ok(indices)
}

fn parse_list(list: &str, indices: &mut Vec<usize>) -> Result<(), DataError> {
    for piece in list.split(',') {
        let piece = piece.trim();
        let refuse = |reason: &str| {
            DataError::new(
                DataErrorKind::Option,
                format!("{piece:?} in the list of samples {reason}"),
            )
        };
        let parse = |text: &str| {
            let text = text.trim();
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let index = if digits { text.parse().ok() } else { None };
            index.ok_or_else(|| refuse("is neither an index nor a range such as 10-20"))
        };
        let (first, last): (usize, usize) = match piece.split_once('-') {
            Some((first, last)) => (parse(first)?, parse(last)?),
            None => {
                let index = parse(piece)?;
                (index, index)
            }
        };
        if last < first {
            return Err(refuse("ends before it starts"));
        }
        if last - first >= MOST_INDICES - indices.len() {
            return Err(refuse("makes it longer than a hundred million"));
        }
        indices.extend(first..=last);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    #[test]
    fn lists_of_indices_are_read_in_order() {
        assert_eq!(
            parse_indices("0,5, 10-12 ,3").unwrap(),
            [0, 5, 10, 11, 12, 3]
        );
        assert_eq!(parse_indices("7-7").unwrap(), [7]);
    }

    #[test]
    fn bad_pieces_are_named() {
        for (list, piece) in [
            ("", "\"\""),
            ("1,,2", "\"\""),
            ("1,x", "\"x\""),
            ("-3", "\"-3\""),
            ("1,5-2", "\"5-2\""),
            ("1-2-3", "\"1-2-3\""),
            ("+1", "\"+1\""),
            ("1.5", "\"1.5\""),
            ("99999999999999999999999", "\"99999999999999999999999\""),
            ("0-99999999999", "\"0-99999999999\""),
            ("0-18446744073709551615", "\"0-18446744073709551615\""),
        ] {
            let error = parse_indices(list).unwrap_err();
            assert_eq!(error.kind(), DataErrorKind::Option);
            assert!(error.to_string().starts_with(piece), "{error}");
        }
    }

    #[test]
    fn lists_of_indices_are_read_from_files() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("chosen.txt");
        let parse = |text: &str| {
            std::fs::write(&path, text).unwrap();
            parse_indices(&format!("@{}", path.display()))
        };
        assert_eq!(parse("7\r\n\n3-4, 0\n9").unwrap(), [7, 3, 4, 0, 9]);
        assert!(parse("").unwrap().is_empty());
        let error = parse("1\n2\ntwo\n").unwrap_err();
        assert_eq!(error.kind(), DataErrorKind::Option);
        assert!(
            error.to_string().contains("chosen.txt: line 3: \"two\""),
            "{error}"
        );
        let long = "1,".repeat(1 << 20);
        assert_eq!(parse(&long).unwrap_err().kind(), DataErrorKind::Option);
        let absent = parse_indices("@no/such/file").unwrap_err();
        assert_eq!(absent.kind(), DataErrorKind::Io);
    }

    #[test]
    fn a_subset_reads_the_original_samples() {
        let dataset = || {
            let labels = Some(vec![3, 4, 5]);
            Box::new(InMemory::new(&[1], vec![0.0, 10.0, 20.0], labels).unwrap())
        };
        let subset = Subset::new(dataset(), vec![2, 0]).unwrap();
        assert_eq!((subset.len(), subset.shape()), (2, &[1][..]));
        assert_eq!(subset.read(0).unwrap().values, [20.0]);
        assert_eq!(subset.label(1).unwrap(), Some(3));
        assert_eq!(subset.original_index(0), 2);
        assert_eq!(subset.original_index(2), 2);
        assert_eq!(
            subset.read(2).unwrap_err().kind(),
            DataErrorKind::OutOfRange
        );
        let past = Subset::new(dataset(), vec![0, 3]).unwrap_err();
        assert_eq!(past.kind(), DataErrorKind::OutOfRange);
        assert!(past.to_string().contains("sample 3"));
        assert!(Subset::new(dataset(), Vec::new()).is_err());
    }
}
