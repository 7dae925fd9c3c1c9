//! Datasets in, streamed: every source is an indexable sequence of samples that is read one sample at a
//! time, so that memory does not grow with the length of the data.
//!
//! [`open`] recognises what lies at a path: `.npz` and `.npy` arrays, idx files (MNIST), CIFAR-10 and CIFAR-100
//! binary records, and folders of images with one sub-folder per class. Of the data it keeps only the labels in
//! memory, four bytes per sample, and for a folder of images the names of the files.
//!
//! This crate is separate because it holds many formats with dependencies of their own. It knows no network
//! and no measure, and it never prints.
#![forbid(unsafe_code)]

mod dataset;
mod element;
mod error;
mod file;
mod fit;
mod formats;
mod labels;
mod options;
mod picture;
mod records;
mod subset;
mod transform;
mod units;

pub use dataset::{Dataset, InMemory, Sample};
pub use error::{DataError, DataErrorKind};
pub use formats::{format_names, open};
pub use labels::check_labels;
pub use options::{Layout, OpenOptions};
pub use subset::{Subset, parse_indices};
pub use units::Units;
