//! Exact derivatives of ONNX classifiers: an ONNX file becomes a typed graph, the graph a program, and a
//! program sweeps all cotangents of a sample back at once.
//!
//! This crate is separate because hostile bytes come in here: it forbids `unsafe` and panics on no input. It
//! knows no measure and no dataset, never prints, and starts no thread: callers give each thread a
//! [`Workspace`] of its own.
//!
//! ```no_run
//! use quaver_engine::{Graph, Head, HeadChoice, ImportOptions, Program};
//!
//! let graph = Graph::read("model.onnx".as_ref(), &ImportOptions::default())?;
//! let head = Head::find(&graph, HeadChoice::Detect)?;
//! let input = graph.inputs()[0];
//! let program = Program::<f32>::new(&graph, head.logits, &[input])?;
//! let mut workspace = program.workspace();
//! let sample = vec![0.0; graph.n_elements(input)];
//! let logits = program.forward(&mut workspace, &[&sample])?.to_vec();
//! let mut cotangent = vec![0.0; logits.len()];
//! cotangent[0] = 1.0;
//! program.backward(&mut workspace, &cotangent);
//! let first_row_of_the_jacobian = workspace.gradient(0);
//! # Ok::<(), quaver_engine::EngineError>(())
//! ```
#![forbid(unsafe_code)]

mod compose;
#[doc(hidden)]
pub mod conformance;
mod edit;
mod error;
#[cfg(test)]
mod fixtures;
mod graph;
mod head;
mod import;
mod onnx;
mod op;
#[cfg(test)]
mod operators_page;
mod ops;
mod passes;
mod program;
mod summary;
mod tensor;
mod units;

pub use error::{EngineError, EngineErrorKind, UnsupportedNode};
pub use graph::{Graph, ValueId};
pub use head::{Head, HeadChoice, HeadKind};
pub use import::ImportOptions;
pub use op::{ProgramOptions, Real};
pub use program::{Program, Workspace};
pub use summary::{Layer, OperatorInfo, operators};
pub use units::{Initializer, LayerUnits};
