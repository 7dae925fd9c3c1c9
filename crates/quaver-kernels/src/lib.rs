//! Numerical kernels: slices in, slices out.
//!
//! Everything here is generic over [`Scalar`] (`f32` for speed, `f64` for verification), runs on one thread
//! (callers split work over samples), and knows neither ONNX nor graphs. It is a crate of its own because
//! it is the only place in Quaver that may contain `unsafe`.
//!
//! Index letters: V cotangents, C and O input and output channels, P output positions, K kernel taps.

pub mod conv;
pub mod gemm;
pub mod gram;
pub mod pool;
mod scalar;
pub mod window;

pub use scalar::Scalar;
