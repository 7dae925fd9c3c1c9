//! Evaluations on disk: the outputs and class Grams of every sample, from which every measure can be computed again
//! without the network, and which a run that was interrupted goes on from.
//!
//! A store is a folder: `store.json` says what it was made from, and samples lie in parts of a fixed number,
//! `part-000000.parquet` and so on, each with its checksum beside it. A part appears whole or not at all. What a part
//! holds depends on nothing but the model, the data and the options, so that a store filled in one go, in many, or by
//! many machines has the same bytes.
//!
//! [`Store::create`] begins a store or takes up one that was begun, [`Store::fill`] computes what is missing,
//! [`Store::open`] reads a finished one, [`Store::select`] makes it a [`Source`](quaver::Source) for any task,
//! [`Store::reopen_model`] and [`Store::reopen_data`] find the network and the data again, and [`merge`] joins what several
//! machines computed.
//!
//! Deliberately absent: any measure; a network, but the one that [`Store::reopen_model`] hands out; and locks: two runs that
//! fill one store write the same bytes.
#![forbid(unsafe_code)]

mod cache;
mod decided;
mod fingerprint;
mod identity;
mod merge;
mod part;
pub mod record;
mod reopen;
mod selection;
mod store;

pub use fingerprint::{Known, fingerprint, fingerprint_of_bytes};
pub use identity::{Identity, SCHEMA, StoredAs};
pub use merge::merge;
pub use reopen::{Paths, ReopenedData, ReopenedModel, Which};
pub use selection::Selection;
pub use store::{Shard, Store, is_store};
