//! MaxPool, AveragePool and their global forms over 1 to 3 spatial axes.
//!
//! x is 1 × C × spatial. The largest value of a window gets the whole cotangent (the first in row-major order
//! at a tie); a mean spreads it evenly over the values it was taken of.

use std::sync::Arc;

use quaver_kernels::Scalar;
use quaver_kernels::pool::Pool as Kernel;
use quaver_kernels::window::{AXES, Window};

use super::channels::Layout;
use super::window::{Rounding, Sliding, sliding};
use crate::EngineError;
use crate::onnx::node::{Input, NodeContext};
use crate::op::{Built, ChannelsLast, LayoutContext, Lower, Mean, Operator, Saved, Step};

#[derive(Debug, Clone)]
enum Kind {
    Max,
    /// With 1 / (number of values averaged), per output position.
    Average(Vec<f64>),
}

#[derive(Debug, Clone)]
struct Pool {
    kind: Kind,
    window: Window,
    channels: usize,
    layout: Layout,
}

impl Operator for Pool {
    fn channels_last(&self, _: &LayoutContext<'_>) -> Option<ChannelsLast> {
        Some(ChannelsLast {
            op: Arc::new(Pool {
                layout: Layout::ChannelsLast,
                ..self.clone()
            }),
            seeks: true,
        })
    }

    fn as_mean(&self) -> Option<Box<dyn Mean>> {
        let fewer = self.window.n_output() < self.window.n_input();
        (fewer && self.is_mean()).then(|| Box::new(self.clone()) as Box<dyn Mean>)
    }
}

impl Mean for Pool {
    fn grid(&self) -> [usize; AXES] {
        self.window.output
    }

    fn of(&self, n_channels: usize) -> Box<dyn Operator> {
        Box::new(Pool {
            channels: n_channels,
            ..self.clone()
        })
    }
}

impl Pool {
    /// Whether it takes means of as many values as lie in each window: padding that is counted adds nothing, and the
    /// weights of the values then sum to less than 1.
    fn is_mean(&self) -> bool {
        let Kind::Average(factors) = &self.kind else {
            return false;
        };
        let window = &self.window;
        let n_inside = |axis: usize, o: usize| -> usize {
            let taps = 0..window.kernel[axis];
            taps.filter(|&t| window.source(axis, o, t).is_some())
                .count()
        };
        let [_, height, width] = window.output;
        factors.iter().enumerate().all(|(at, &factor)| {
            let o = [at / (height * width), at / width % height, at % width];
            let n: usize = (0..AXES).map(|axis| n_inside(axis, o[axis])).product();
            factor == 1.0 / n as f64
        })
    }
}

impl<T: Scalar> Lower<T> for Pool {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            kernel: Kernel::new(&self.window, self.channels),
            factor: match &self.kind {
                Kind::Max => None,
                Kind::Average(factor) => Some(factor.iter().map(|&x| T::from_f64(x)).collect()),
            },
            channels: self.channels,
            positions: (self.window.n_input(), self.window.n_output()),
            layout: self.layout,
        })
    }
}

struct Lowered<T> {
    kernel: Kernel,
    /// Of a mean; none for the largest value.
    factor: Option<Vec<T>>,
    channels: usize,
    positions: (usize, usize),
    layout: Layout,
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let channels = (self.channels, self.channels);
        let mut unsaved = Vec::new();
        let index = saved.map_or(&mut unsaved, |saved| &mut saved.index);
        self.layout.run(x[0], y, channels, self.positions, |x, y| {
            match &self.factor {
                Some(factor) => self.kernel.weighted_sum(factor, x, y),
                None => self.kernel.max(x, y, index),
            }
        });
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let channels = (self.channels, self.channels);
        let positions = (self.positions.1, self.positions.0);
        self.layout
            .run(gy, gx, channels, positions, |gy, gx| match &self.factor {
                Some(factor) => self.kernel.weighted_sum_backward(factor, gy, gx),
                None => self.kernel.max_backward(&saved.index, gy, gx),
            });
    }
}

/// The step over x (batch × channels × positions) that `kind` and `window` make.
fn built(x: &Input, kind: Kind, window: Window, shape: Vec<usize>) -> Built {
    let pool = Pool {
        kind,
        window,
        channels: x.shape[1],
        layout: Layout::ChannelsFirst,
    };
    Built::step(pool, vec![x.value], shape)
}

/// Reads the window that a pool slides over its input.
pub(super) fn read<'a>(node: &'a NodeContext<'_>) -> Result<(&'a Input, Sliding), EngineError> {
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

pub(super) fn output_shape(x: &Input, spatial: &[usize]) -> Vec<usize> {
    [&x.shape[..2], spatial].concat()
}

/// The largest value of each window.
pub(super) fn max_pool(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, sliding) = read(node)?;
    let shape = output_shape(x, &sliding.output);
    Ok(built(x, Kind::Max, sliding.window, shape))
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
    Ok(built(x, Kind::Average(factor), window, shape))
}

/// One window over everything.
pub(super) fn whole(node: &NodeContext<'_>) -> Result<(Input, Window), EngineError> {
    let x = node.input(0)?;
    let spatial = x.shape.get(2..).unwrap_or_default();
    let n: usize = spatial.iter().product();
    if spatial.is_empty() || x.shape.contains(&0) {
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
    Ok(built(&x, Kind::Average(factor), window, shape))
}

/// The largest value over all positions.
pub(super) fn global_max_pool(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, window) = whole(node)?;
    let shape = output_shape(&x, &vec![1; x.shape.len() - 2]);
    Ok(built(&x, Kind::Max, window, shape))
}
