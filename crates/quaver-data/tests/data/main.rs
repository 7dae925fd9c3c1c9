//! One program for all tests but those that measure memory: what they instantiate of other crates is compiled once.
#![allow(clippy::unwrap_used, reason = "a test")]

mod bad_input;
mod choices;
#[path = "../common/mod.rs"]
mod common;
mod formats;
mod libraries;
mod orders;
mod real_data;
mod round_trip;
mod sources;
mod transforms;
