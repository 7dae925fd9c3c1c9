//! Datasets in, streamed: every source is an indexable sequence of samples that is read one sample at a
//! time, so that memory does not grow with the length of the data.
//!
//! [`open`] recognises what lies at a path: `.npz` and `.npy` arrays, Parquet and Arrow tables, CSV, idx files
//! (MNIST), CIFAR-10 and CIFAR-100 binary records, tar shards (WebDataset), and folders of images; a pattern stands
//! for several files. Of the data it keeps only the labels in memory, four bytes per sample, and where the samples
//! lie. [`Joined`] reads several inputs of a network side by side.
//!
//! This crate is separate because it holds many formats with dependencies of their own. It knows no network
//! and no measure, and it never prints.
#![forbid(unsafe_code)]

mod class_map;
mod columns;
mod dataset;
mod element;
mod error;
mod file;
mod fit;
mod formats;
mod joined;
mod label_column;
mod labels;
mod options;
mod picture;
mod prepare;
mod records;
mod resample;
mod shards;
mod source;
mod subset;
mod table;
mod transform;
mod transform_file;
mod units;

pub use dataset::{Dataset, InMemory, Sample};
pub use error::{DataError, DataErrorKind};
pub use formats::{format_names, labels_beside, open, open_part};
pub use joined::{InputFile, Joined};
pub use labels::check_labels;
pub use options::{Layout, OpenOptions};
pub use picture::{Centre, Colours, Crop, Resize};
pub use resample::Interpolation;
pub use shards::expand as expand_pattern;
pub use subset::{Subset, parse_indices};
pub use units::Units;
