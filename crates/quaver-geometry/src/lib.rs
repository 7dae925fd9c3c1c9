//! Influence measures of a network's output distribution, as functions of its outputs and one class Gram.
//!
//! A network gives K logits z; a block of n coordinates (pixels, weights, activations, or several together)
//! is perturbed by ω ∈ ℝⁿ. All that is ever needed from the network is J = ∂z/∂ω (K × n) through the
//! **class Gram** S = J Jᵀ (K × K), because the metric of the perturbation manifold is G = Jᵀ C J (n × n) with
//! C = diag(p) − p pᵀ, and its non-zero spectrum, its pseudo-inverse along ∇f, and its trace are those of
//! K × K matrices. So this crate never sees a network, an image or a weight:
//!
//! 1. [`Contrasts`] says which K − 1 cotangents to sweep back through the network,
//! 2. [`ClassGram`] holds H S H, H = I − 11ᵀ/K, and adds over disjoint blocks,
//! 3. [`measure`] turns (z, S, objective) into [`Measures`], and [`direction`] into the perturbation of greatest
//!    influence.
//!
//! These two are for a softmax. Other heads are an [`Output`], and an [`Analysis`] of one with a Gram and an
//! [`Objective`] answers every question for all of them. A [`Lumping`] makes a small softmax out of a large one.
//!
//! Index letters: k, l, j classes (K of them), v contrasts (K − 1), i singular directions. Every matrix that
//! crosses the boundary is row-major. Everything is f64, pure, sequential and deterministic.
//!
//! Deliberately absent: I/O, printing, threads, random numbers without a seed, global state, and any n × n matrix.
//!
//! Sources: Shu & Zhu, *Sensitivity analysis of deep neural networks*, AAAI-19, arXiv 1901.07152 (the measure);
//! Tanabe & Sagae 1992 (the square root of C). What those do not contain is marked *derived* where it stands.
//!
//! ```
//! use quaver_geometry::{ClassGram, Objective, Settings, measure};
//!
//! // The last bias of a network: J = I, so S = I and the measure is a function of p_y alone, (1 − p_y)/p_y.
//! let gram = ClassGram::from_full(3, &[1., 0., 0., 0., 1., 0., 0., 0., 1.])?;
//! let logits = [f64::ln(0.5), f64::ln(0.25), f64::ln(0.25)];
//! let settings = Settings::default();
//! let measures = measure(&logits, &gram, Objective::NegLogLik { label: 1 }, &settings)?;
//! assert!((measures.fi - 3.0).abs() < 1e-12);
//! assert_eq!(measures.rank, 2);
//! # Ok::<(), quaver_geometry::GeometryError>(())
//! ```
#![forbid(unsafe_code)]

mod analysis;
mod bernoullis;
mod categorical;
mod choice;
mod class_gram;
mod compat;
mod contrasts;
mod curvature;
mod direction;
mod distribution;
mod eigen;
mod error;
mod factor;
mod finite;
mod gaussian;
mod lumping;
mod measures;
mod objective;
mod output;
mod settings;
mod softmax;
mod spectral;
mod whitening;

pub use analysis::Analysis;
pub use bernoullis::Bernoullis;
pub use choice::{ObjectiveChoice, Truth};
pub use class_gram::ClassGram;
pub use compat::{Compat, Published};
pub use contrasts::Contrasts;
pub use curvature::{SecondOrder, Validity};
pub use direction::direction;
pub use error::{GeometryError, GeometryErrorKind};
pub use finite::{FiniteInfluence, finite_influence};
pub use gaussian::Gaussian;
pub use lumping::{Classes, LossProbe, Lumping};
pub use measures::{Measures, measure};
pub use objective::Objective;
pub use output::{Family, Output};
pub use settings::Settings;
pub use softmax::Softmax;
pub use whitening::Whitening;
