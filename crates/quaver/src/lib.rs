//! How sensitive is a trained classifier: to what, and where?
//!
//! Quaver reads a network as an ONNX file and data as files, and measures how the network's output distribution
//! moves when its input is perturbed, with the information geometry of Shu & Zhu (*Sensitivity analysis of deep
//! neural networks*, AAAI-19, arXiv 1901.07152). It needs no training framework.
//!
//! [`Model::load`] reads a network, [`open`] a dataset, [`Model::score`] gives every sample its influence measure FI
//! with what is needed to read it: the rank, the ceiling (1 − p)/p, the saturation, and companions that do not
//! saturate.
//!
//! ```
//! use quaver::{InMemory, LoadOptions, Model, ScoreOptions};
//!
//! # let bytes = include_bytes!("../assets/demo_glyphs.onnx");
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("glyphs.onnx");
//! # std::fs::write(&path, bytes)?;
//! // let path = "glyphs.onnx";
//! let model = Model::load(path, &LoadOptions::default())?;
//!
//! // One blank 28 × 28 picture that claims to be of class 3; `quaver::open` reads files instead.
//! let data = InMemory::new(&[1, 28, 28], vec![0.0; 28 * 28], Some(vec![3]))?;
//! let scores = model.score(&data, &ScoreOptions::default())?;
//!
//! let measures = &scores[0].measures;
//! assert!(measures.fi <= measures.fi_max && measures.rank <= model.n_classes() - 1);
//! println!(
//!     "FI {:.3} of at most {:.3} (saturation {:.2}, rank {})",
//!     measures.fi, measures.fi_max, measures.saturation, measures.rank,
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: printing, clocks, global state, and randomness without a seed. Results do not depend on the
//! number of threads.
#![forbid(unsafe_code)]

pub mod attack;
mod block;
pub mod compare;
pub mod curves;
pub mod demo;
mod derivatives;
mod error;
mod evaluation;
mod inspect;
pub mod layers;
mod map;
mod measure;
mod merging;
mod model;
mod network;
pub mod outliers;
mod parallel;
mod random;
mod score;
mod sensitivity;
pub mod simulate;
pub mod statistics;
pub mod table;
pub mod verify;

pub use attack::{AttackOptions, AttackSummary, AttackTable, Attacked, Bounds, TargetChoice};
pub use block::Block;
pub use derivatives::{Influence, Prediction, RunOptions};
pub use error::{Error, ErrorKind};
pub use evaluation::{
    Description, Evaluated, Evaluation, Reader, SampleFailure, Source, evaluate_each,
};
pub use inspect::{HeadFacts, Inspection, Parameter, Port, inspect};
pub use map::{
    ImageAxes, ImageMap, MapMeasure, MapOptions, MapSummary, Mapped, Range, Region, Verdict,
};
pub use measure::{MEASURES, Measure, Suspicious};
pub use model::{LoadOptions, Model};
pub use network::Network;
pub use score::{
    LabelChoice, Precision, Relative, Score, ScoreOptions, ScoreTable, Scored, Summary, score_each,
};

pub use quaver_data::{
    Centre, Colours, Crop, DataError, DataErrorKind, Dataset, InMemory, InputFile, Interpolation,
    Joined, Layout, OpenOptions, Resize, Sample, Subset, Units, check_labels, expand_pattern,
    format_names, labels_beside, open, open_part, parse_indices,
};
pub use quaver_engine::{
    Graph, Head, HeadChoice, HeadKind, Initializer, Layer, LayerUnits, OperatorInfo, Real,
    UnsupportedNode, operators,
};
pub use quaver_geometry::{
    ClassGram, Classes, Compat, Family, Lumping, Measures, ObjectiveChoice, Softmax,
};
