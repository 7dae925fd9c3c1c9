//! What a format knows of its samples, before anything is done to them.

use std::path::{Path, PathBuf};

use crate::DataError;

/// What the samples of a source are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Arrays of numbers, all of this shape.
    Arrays(Vec<usize>),
    /// Encoded images, of any size each.
    Images,
}

/// One sample as its source has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    /// Of the shape that [`Content::Arrays`] says.
    Numbers(Vec<f64>),
    /// The bytes of an image file.
    Image(Vec<u8>),
}

/// Samples by index, read from several threads at once. [`prepare`](crate::prepare::prepare) makes a dataset of it.
///
/// What goes wrong while a sample is read is taken for its own fault, unless the error is of kind
/// [`Io`](crate::DataErrorKind::Io) and not marked as the sample's.
pub(crate) trait Source: Send + Sync {
    /// What messages call the whole of it: a path.
    fn name(&self) -> &Path;

    /// The number of samples.
    fn len(&self) -> usize;

    /// What the samples are.
    fn content(&self) -> Content;

    /// Sample `index`, which is below [`Source::len`].
    fn read(&self, index: usize) -> Result<Raw, DataError>;

    /// The label of sample `index`, which is below [`Source::len`].
    fn label(&self, index: usize) -> Result<Option<usize>, DataError>;

    /// Where sample `index` comes from, when there is more to say than its index.
    fn key(&self, _index: usize) -> Option<String> {
        None
    }

    /// What messages about sample `index` begin with.
    fn place(&self, _index: usize) -> PathBuf {
        self.name().to_path_buf()
    }

    /// The least and the greatest number that arrays can hold, where their type says so; pixels go from 0 to 255.
    fn range(&self) -> Option<(f64, f64)> {
        None
    }

    /// Class names in label order.
    fn class_names(&self) -> Option<&[String]> {
        None
    }
}
