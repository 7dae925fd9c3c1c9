//! One program for all tests of the crate: what they instantiate of other crates is compiled once.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
mod curvature;
mod extremes;
mod families;
mod identities;
mod lumping;
mod oracle;
mod whitening;
