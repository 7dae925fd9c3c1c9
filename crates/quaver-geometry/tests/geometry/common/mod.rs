//! Where the shared test data is, how its arrays are read, and cases drawn at random.
#![allow(dead_code, reason = "not every test uses every helper")]

pub mod cases;
#[path = "../../../../quaver-engine/tests/common/mod.rs"]
mod shared;

#[allow(unused_imports, reason = "not every test uses every helper")]
pub use shared::{Arrays, data, relative_error};
