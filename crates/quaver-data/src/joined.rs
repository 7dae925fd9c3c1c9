//! Networks of several inputs: datasets that are read side by side.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::fit::{fits, n_values};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions, Sample, formats, labels};

/// The samples of several datasets side by side: one for each input of a network.
///
/// [`Sample::values`] are the inputs' values one after another, in the network's order; [`Dataset::shape`] is their
/// number alone. Labels, keys and class names are those of the first dataset that has them.
pub struct Joined {
    /// In the order of the network's inputs.
    parts: Vec<Box<dyn Dataset>>,
    shape: [usize; 1],
    len: usize,
}

/// Which file holds the values of which input: `name=FILE`, or `name=FILE:KEY` for an array of an `.npz` file, or a
/// column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// The name of the input.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The array or column in it.
    pub key: Option<String>,
}

impl InputFile {
    /// Makes its array or column that of the samples.
    pub fn choose(&self, options: &mut OpenOptions) {
        if let Some(key) = &self.key {
            options.x_key.clone_from(key);
            options.columns = vec![key.clone()];
        }
    }
}

impl FromStr for InputFile {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let parts = text.split_once('=');
        let Some((name, file)) = parts.filter(|(name, file)| !name.is_empty() && !file.is_empty())
        else {
            return Err(DataError::new(
                DataErrorKind::Option,
                format!("{text:?} is not NAME=FILE or NAME=FILE:KEY"),
            ));
        };
        // A colon may also belong to the path, as that of a drive.
        let split = file.rsplit_once(':').filter(|(path, key)| {
            !Path::new(file).exists()
                && path.len() > 1
                && !key.is_empty()
                && !key.contains(['/', '\\'])
        });
        Ok(Self {
            name: name.to_owned(),
            path: PathBuf::from(split.map_or(file, |(path, _)| path)),
            key: split.map(|(_, key)| key.to_owned()),
        })
    }
}

impl Joined {
    /// Joins `parts`, named datasets in any order, for a network with these `inputs`: names and shapes without a batch
    /// axis.
    ///
    /// # Errors
    /// When an input has no part, or a part no input, or two; when samples do not have the input's shape, axes of
    /// length 1 and flattening apart; when the parts have different numbers of samples.
    pub fn new(
        inputs: &[(String, Vec<usize>)],
        parts: Vec<(String, Box<dyn Dataset>)>,
    ) -> Result<Self, DataError> {
        let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        check_names(inputs, &names)?;
        let mut parts: Vec<Option<(String, Box<dyn Dataset>)>> =
            parts.into_iter().map(Some).collect();
        let mut ordered: Vec<Box<dyn Dataset>> = Vec::new();
        let mut n = 0;
        for (name, shape) in inputs {
            let part = parts
                .iter_mut()
                .find(|part| part.as_ref().is_some_and(|(other, _)| other == name));
            let Some((_, dataset)) = part.and_then(Option::take) else {
                continue;
            };
            if !fits(dataset.shape(), shape) {
                return Err(DataError::new(
                    DataErrorKind::Shape,
                    format!(
                        "input {name:?}: samples of shape {:?} do not fit its shape {shape:?}",
                        dataset.shape()
                    ),
                ));
            }
            if let (Some(first), Some((first_name, _))) = (ordered.first(), inputs.first())
                && first.len() != dataset.len()
            {
                return Err(DataError::new(
                    DataErrorKind::Shape,
                    format!(
                        "input {name:?} has {} samples, and input {first_name:?} {}",
                        dataset.len(),
                        first.len()
                    ),
                ));
            }
            n += n_values(dataset.shape()).unwrap_or(0);
            ordered.push(dataset);
        }
        Ok(Self {
            len: ordered.first().map_or(0, |dataset| dataset.len()),
            parts: ordered,
            shape: [n],
        })
    }

    /// Opens the `files` of a network with these `inputs`, as [`Joined::new`] joins them.
    ///
    /// Scale, mean, std, layout and what else is done to images applies to inputs of three axes; those of others, such
    /// as token ids and masks, are taken as they are. The column of labels is looked for in the first of the files.
    ///
    /// # Errors
    /// As [`Joined::new`] and [`open`](crate::open); the message names the input.
    pub fn open(
        inputs: &[(String, Vec<usize>)],
        files: &[InputFile],
        options: &OpenOptions,
    ) -> Result<Box<dyn Dataset>, DataError> {
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        check_names(inputs, &names)?;
        let mut parts = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let input = inputs.iter().find(|(name, _)| *name == file.name);
            let Some((name, shape)) = input else { continue };
            let mut options = options.clone();
            if shape.len() != 3 {
                let plain = OpenOptions::default();
                options = OpenOptions {
                    format: options.format,
                    y_key: options.y_key,
                    label_column: options.label_column,
                    labels: options.labels,
                    class_map: options.class_map,
                    follow_links: options.follow_links,
                    ..plain
                };
            }
            file.choose(&mut options);
            if index > 0 {
                options.label_column = None;
                options.y_key = OpenOptions::default().y_key;
            }
            let dataset = formats::open_unlabelled(&file.path, &options, Some(shape));
            let dataset = dataset.map_err(|error| {
                DataError::new(error.kind(), format!("input {name:?}: {error}")).with_source(error)
            })?;
            parts.push((name.clone(), dataset));
        }
        labels::apply(Box::new(Self::new(inputs, parts)?), options)
    }
}

fn check_names(inputs: &[(String, Vec<usize>)], given: &[&str]) -> Result<(), DataError> {
    let refuse = |message: String| Err(DataError::new(DataErrorKind::Option, message));
    let known: Vec<String> = inputs.iter().map(|(name, _)| format!("{name:?}")).collect();
    for (index, name) in given.iter().enumerate() {
        if !inputs.iter().any(|(input, _)| input == name) {
            return refuse(format!(
                "the network has no input {name:?}, only {}",
                known.join(", ")
            ));
        }
        if given[..index].contains(name) {
            return refuse(format!("input {name:?} is given twice"));
        }
    }
    for (name, _) in inputs {
        if !given.contains(&name.as_str()) {
            return refuse(format!("input {name:?} is missing: give {name}=FILE"));
        }
    }
    if inputs.is_empty() {
        return refuse("the network has no inputs".to_owned());
    }
    Ok(())
}

impl Dataset for Joined {
    fn len(&self) -> usize {
        self.len
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let mut values = Vec::with_capacity(self.shape[0]);
        for part in &self.parts {
            values.extend(part.read(index)?.values);
        }
        Ok(Sample {
            values,
            label: self.label(index)?,
            key: self.key(index),
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        for part in &self.parts {
            if let Some(label) = part.label(index)? {
                return Ok(Some(label));
            }
        }
        Ok(None)
    }

    fn has_keys(&self) -> bool {
        self.parts.iter().any(|part| part.has_keys())
    }

    fn key(&self, index: usize) -> Option<String> {
        self.parts.iter().find_map(|part| part.key(index))
    }

    fn class_names(&self) -> Option<&[String]> {
        self.parts.iter().find_map(|part| part.class_names())
    }
}
