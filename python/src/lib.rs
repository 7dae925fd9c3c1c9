//! The compiled half of the Python package `quaver`: arrays in, arrays and tables out.
//!
//! It computes nothing: the library does. What is here converts between the two worlds without copying samples,
//! releases the interpreter while the library works, and looks after Ctrl-C and progress between samples. Frames,
//! figures and frameworks are Python's own business, in `quaver/*.py`.
#![forbid(unsafe_code)]

mod array;
mod dataset;
mod demo;
mod error;
mod facts;
mod hints;
mod model;
mod options;
mod run;
mod samples;
mod scoring;
mod subject;
mod table;
mod tasks;

use pyo3::pymodule;

/// The compiled half of `quaver`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::dataset::{Dataset, open};
    #[pymodule_export]
    use super::demo::{demo_glyphs, demo_model, detection};
    #[pymodule_export]
    use super::facts::{inspect, operators};
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::table::Table;
    // A task each.
    #[pymodule_export]
    use super::tasks::attack::{Attacks, attack};
    #[pymodule_export]
    use super::tasks::compare::{Comparison, compare};
    #[pymodule_export]
    use super::tasks::layers::{Layers, layers};
    #[pymodule_export]
    use super::tasks::map::{ImageMap, Maps, map};
    #[pymodule_export]
    use super::tasks::outliers::{Outliers, outliers};
    #[pymodule_export]
    use super::tasks::report::report;
    #[pymodule_export]
    use super::tasks::simulate::{simulate_mislabel, simulate_overlay};
    #[pymodule_export]
    use super::tasks::store::{Store, analyze, fill, merge};
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's own name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
