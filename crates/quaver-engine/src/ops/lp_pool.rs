//! LpPool: y = (Σ |x|ᵖ)^(1/p) over each window, and over all positions in its global form.
//!
//! ∂y/∂x = sign x · (|x|/y)ᵖ⁻¹, and 0 where a whole window is 0.

use quaver_kernels::Scalar;
use quaver_kernels::window::{AXES, Window};

use super::pool::{output_shape, read, whole};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};

#[derive(Debug, Clone)]
struct LpPool {
    window: Window,
    p: f64,
}

impl Operator for LpPool {}

impl<T: Scalar> Lower<T> for LpPool {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl LpPool {
    /// Calls `visit(output position, input position)` for everything that is pooled.
    fn pairs(&self, mut visit: impl FnMut(usize, usize)) {
        let stride = self.window.stride[AXES - 1];
        for tap in self.window.taps() {
            self.window.rows(tap, |to, from, length| {
                (0..length).for_each(|i| visit(to + i, from + i * stride));
            });
        }
    }
}

impl<T: Scalar> Step<T> for LpPool {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let p = T::from_f64(self.p);
        y.fill(T::ZERO);
        let (n_in, n_out) = (self.window.n_input(), self.window.n_output());
        for (x, y) in x[0].chunks_exact(n_in).zip(y.chunks_exact_mut(n_out)) {
            self.pairs(|to, from| y[to] += x[from].abs().powf(p));
            y.iter_mut().for_each(|y| *y = y.powf(T::ONE / p));
        }
        if let Some(saved) = saved {
            saved.values.clear();
            saved.values.extend_from_slice(x[0]);
            saved.values.extend_from_slice(y);
            saved.index.clear();
            saved.index.push(x[0].len() as u32);
        }
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let power = T::from_f64(self.p - 1.0);
        let (x, y) = saved.values.split_at(saved.index[0] as usize);
        let (n_in, n_out) = (self.window.n_input(), self.window.n_output());
        gx.fill(T::ZERO);
        let kept = x.chunks_exact(n_in).zip(y.chunks_exact(n_out)).cycle();
        let cotangents = gy.chunks_exact(n_out).zip(gx.chunks_exact_mut(n_in));
        for ((gy, gx), (x, y)) in cotangents.zip(kept) {
            self.pairs(|to, from| {
                if x[from] != T::ZERO && y[to] != T::ZERO {
                    let slope = (x[from].abs() / y[to]).powf(power);
                    gx[from] += gy[to] * if x[from] < T::ZERO { -slope } else { slope };
                }
            });
        }
    }
}

fn order(node: &NodeContext<'_>) -> Result<f64, EngineError> {
    match node.int("p", 2) {
        p if p >= 1 => Ok(p as f64),
        p => Err(EngineError::format(format!("attribute p = {p}"))),
    }
}

/// The norm of each window.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, sliding) = read(node)?;
    let shape = output_shape(x, &sliding.output);
    let (window, p) = (sliding.window, order(node)?);
    Ok(Built::step(LpPool { window, p }, vec![x.value], shape))
}

/// The norm over all positions.
pub(super) fn global(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, window) = whole(node)?;
    let shape = output_shape(&x, &vec![1; x.shape.len() - 2]);
    let p = order(node)?;
    Ok(Built::step(LpPool { window, p }, vec![x.value], shape))
}
