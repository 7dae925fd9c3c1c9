//! One program for all tests of the crate: what they instantiate of other crates is compiled once.
#![allow(clippy::unwrap_used, reason = "a test")]

mod accuracy;
mod attack;
mod behaviour;
mod blocks;
#[path = "../../../quaver-engine/tests/common/mod.rs"]
mod common;
mod derivatives;
mod heads;
mod layers;
mod map;
mod oracle;
mod studies;
