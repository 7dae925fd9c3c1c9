//! Numerical kernels: slices in, slices out.
//!
//! Everything here is generic over [`Scalar`] (`f32` for speed, `f64` for verification), runs on one thread
//! (callers split work over samples), and knows neither ONNX nor graphs. It is a crate of its own because
//! it is the only place in Quaver that may contain `unsafe`.
//!
//! Index letters: V cotangents, C and O input and output channels, P output positions, K kernel taps.

mod buffer;
pub mod conv;
mod depthwise;
mod direct;
pub mod elementwise;
pub mod gemm;
pub mod gram;
pub mod layout;
pub mod moving;
mod narrow;
pub mod outer;
mod packed;
pub mod pool;
mod scalar;
mod simd;
mod simd_pair;
mod sparse;
pub mod spectra;
pub mod sums;
mod wanted;
pub mod weights;
pub mod window;
mod winograd;

pub use buffer::Buffer;
pub use scalar::Scalar;
pub use simd::Isa;
pub use winograd::Tile;

/// What is told where a stretch of the output begins, and given it, once it is complete: in any order, each element once.
///
/// A stretch is then still in a cache, so that what else has to be done to it costs no second way to memory.
pub type Done<'a, T> = dyn FnMut(usize, &mut [T]) + 'a;

/// Where the output of a kernel goes on to.
pub struct Onward<'a, 'd, T> {
    /// For each element of one cotangent, 0 where it does not matter what the output is; elsewhere, and without it, it does.
    pub wanted: Option<&'a [u8]>,
    /// Given every stretch.
    pub done: &'a mut Done<'d, T>,
}

impl<'a, 'd, T> Onward<'a, 'd, T> {
    /// All of it matters.
    pub fn whole(done: &'a mut Done<'d, T>) -> Self {
        Self { wanted: None, done }
    }
}
