//! Nothing but a manifest: the features that the program, its tests, the fuzz targets and the Python package each ask of
//! the libraries they share.
//!
//! Cargo compiles a library once per set of features. Without this crate the program, its tests and the Python package
//! each compile Arrow, Parquet, faer and all of Quaver again. It exports nothing and nothing may be put here.
#![forbid(unsafe_code)]
