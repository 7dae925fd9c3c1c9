//! Datasets in, streamed: every source is an indexable sequence of samples that is read one sample at a
//! time, so that memory does not grow with the length of the data.
//!
//! This crate is separate because it holds many formats with dependencies of their own. It knows no network
//! and no measure, and it never prints.
#![forbid(unsafe_code)]

mod dataset;
mod error;

pub use dataset::{Dataset, InMemory, Sample};
pub use error::{DataError, DataErrorKind};
