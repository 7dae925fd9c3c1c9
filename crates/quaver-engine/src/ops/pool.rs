//! MaxPool, AveragePool and their global forms over 1 to 3 spatial axes.
//!
//! x is 1 × C × spatial. The largest value of a window gets the whole cotangent (the first in row-major order
//! at a tie); a mean spreads it evenly over the values it was taken of.

use quaver_kernels::Scalar;
use quaver_kernels::pool;
use quaver_kernels::window::{AXES, Window};

use super::window::{Rounding, Sliding, sliding};
use crate::EngineError;
use crate::onnx::node::{Input, NodeContext};
use crate::op::{Built, Lower, Operator, Saved, Step};

#[derive(Debug, Clone)]
struct MaxPool(Window);

impl Operator for MaxPool {}

impl<T: Scalar> Lower<T> for MaxPool {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar> Step<T> for MaxPool {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        match saved {
            Some(saved) => pool::max(&self.0, x[0], y, &mut saved.index),
            None => pool::max(&self.0, x[0], y, &mut Vec::new()),
        }
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        pool::max_backward(&self.0, &saved.index, gy, gx);
    }
}

#[derive(Debug, Clone)]
struct AveragePool {
    window: Window,
    /// 1 / (number of values averaged), per output position.
    factor: Vec<f64>,
}

impl Operator for AveragePool {}

impl<T: Scalar> Lower<T> for AveragePool {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(LoweredAverage {
            window: self.window.clone(),
            factor: self.factor.iter().map(|&x| T::from_f64(x)).collect(),
        })
    }
}

struct LoweredAverage<T> {
    window: Window,
    factor: Vec<T>,
}

impl<T: Scalar> Step<T> for LoweredAverage<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        pool::weighted_sum(&self.window, &self.factor, x[0], y);
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        pool::weighted_sum_backward(&self.window, &self.factor, gy, gx);
    }
}

fn read<'a>(node: &'a NodeContext<'_>) -> Result<(&'a Input, Sliding), EngineError> {
    let x = node.input(0)?;
    let kernel = node
        .ints("kernel_shape")
        .ok_or_else(|| EngineError::format("attribute kernel_shape is missing"))?;
    let kernel = node.sizes("kernel_shape", kernel.len(), 1)?;
    let rounding = if node.flag("ceil_mode", false) {
        Rounding::Ceil
    } else {
        Rounding::Floor
    };
    let sliding = sliding(node, &x.shape, &kernel, rounding)?;
    Ok((x, sliding))
}

fn output_shape(x: &Input, spatial: &[usize]) -> Vec<usize> {
    [&x.shape[..2], spatial].concat()
}

/// The largest value of each window.
pub(super) fn max_pool(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, sliding) = read(node)?;
    let shape = output_shape(x, &sliding.output);
    Ok(Built::step(MaxPool(sliding.window), vec![x.value], shape))
}

/// The mean of each window; padding counts as zeros if count_include_pad is set, else not at all.
pub(super) fn average_pool(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, sliding) = read(node)?;
    let include_pad = node.flag("count_include_pad", false);
    let Sliding {
        window,
        pad_end,
        output,
    } = sliding;
    let count = |axis: usize, o: usize| -> usize {
        (0..window.kernel[axis])
            .filter(|&t| {
                if include_pad {
                    let at = o * window.stride[axis] + t * window.dilation[axis];
                    at < window.pad[axis] + window.input[axis] + pad_end[axis]
                } else {
                    window.source(axis, o, t).is_some()
                }
            })
            .count()
    };
    let counts: [Vec<usize>; AXES] =
        std::array::from_fn(|axis| (0..window.output[axis]).map(|o| count(axis, o)).collect());
    let mut factor = Vec::with_capacity(window.n_output());
    for &d in &counts[0] {
        for &h in &counts[1] {
            // A window that lies in the padding alone averages nothing: 0, not 0/0.
            factor.extend(counts[2].iter().map(|&w| 1.0 / (d * h * w).max(1) as f64));
        }
    }
    let shape = output_shape(x, &output);
    Ok(Built::step(
        AveragePool { window, factor },
        vec![x.value],
        shape,
    ))
}

/// One window over everything.
fn whole(node: &NodeContext<'_>) -> Result<(Input, Window), EngineError> {
    let x = node.input(0)?;
    let spatial = x.shape.get(2..).unwrap_or_default();
    let n: usize = spatial.iter().product();
    if spatial.is_empty() || n == 0 {
        return Err(EngineError::shape(format!(
            "an input of shape {:?} has no spatial axes to pool over",
            x.shape
        )));
    }
    let window = Window {
        input: [1, 1, n],
        output: [1; AXES],
        kernel: [1, 1, n],
        stride: [1; AXES],
        dilation: [1; AXES],
        pad: [0; AXES],
    };
    Ok((x.clone(), window))
}

/// The mean over all positions.
pub(super) fn global_average_pool(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, window) = whole(node)?;
    let factor = vec![1.0 / window.n_input() as f64];
    let shape = output_shape(&x, &vec![1; x.shape.len() - 2]);
    Ok(Built::step(
        AveragePool { window, factor },
        vec![x.value],
        shape,
    ))
}

/// The largest value over all positions.
pub(super) fn global_max_pool(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, window) = whole(node)?;
    let shape = output_shape(&x, &vec![1; x.shape.len() - 2]);
    Ok(Built::step(MaxPool(window), vec![x.value], shape))
}
