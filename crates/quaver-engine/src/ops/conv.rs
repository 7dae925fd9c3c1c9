//! Conv: y = W ⋆ x + b over 1 to 3 spatial axes, with strides, dilations, pads and groups.
//!
//! x is 1 × C × spatial, W is O × C/groups × kernel and a constant, b is O. The transpose is the transposed
//! convolution.

use std::borrow::Cow;
use std::sync::Arc;

use quaver_kernels::conv::{Conv as Kernel, ConvOptions, ConvShape};
use quaver_kernels::window::{AXES, Window};
use quaver_kernels::{Onward, Scalar};

use super::affine::Affine;
use super::channels::Layout;
use super::window::{Rounding, sliding};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{
    Built, ChannelsLast, LayoutContext, Lower, Operator, ProgramOptions, Saved, Step, Trained,
};
use crate::tensor::Tensor;

#[derive(Debug, Clone)]
struct Conv {
    /// The length of axis 0: 1 unless the graph folds another axis into it.
    batch: usize,
    shape: ConvShape,
    weight: Tensor,
    bias: Option<Tensor>,
    /// What follows per output channel: a batch normalisation that was folded in.
    affine: Option<Affine>,
    /// What cotangents are multiplied by, per output channel: the slope of what follows.
    slope: Option<Vec<f64>>,
    layout: Layout,
    options: ProgramOptions,
}

impl Operator for Conv {
    fn macs(&self) -> u64 {
        self.shape.macs() * self.batch as u64
    }

    fn trains(&self, role: usize) -> bool {
        role == 1 || role == 2
    }

    fn channels_last(&self, context: &LayoutContext<'_>) -> Option<ChannelsLast> {
        Some(ChannelsLast {
            op: Arc::new(Conv {
                layout: Layout::ChannelsLast,
                options: context.options,
                ..self.clone()
            }),
            seeks: true,
        })
    }

    fn on_grid(&self, grid: [usize; AXES]) -> Option<Arc<dyn Operator>> {
        let window = &self.shape.window;
        let is_pointwise = window.is_identity() && self.batch == 1;
        is_pointwise.then(|| {
            let window = Window {
                input: grid,
                output: grid,
                ..window.clone()
            };
            let shape = ConvShape {
                window,
                ..self.shape.clone()
            };
            Arc::new(Conv {
                shape,
                ..self.clone()
            }) as Arc<dyn Operator>
        })
    }

    fn with_affine(&self, scale: &[f64], shift: &[f64]) -> Option<Arc<dyn Operator>> {
        let affine = Affine::new(scale, shift);
        let affine = match &self.affine {
            None => affine,
            Some(first) => first.then(&affine),
        };
        Some(Arc::new(Conv {
            affine: Some(affine),
            ..self.clone()
        }))
    }

    fn with_slope(&self, slope: &[f64]) -> Option<Arc<dyn Operator>> {
        self.slope.is_none().then(|| {
            Arc::new(Conv {
                slope: Some(slope.to_vec()),
                ..self.clone()
            }) as Arc<dyn Operator>
        })
    }
}

impl<T: Scalar> Lower<T> for Conv {
    fn lower(&self) -> Box<dyn Step<T>> {
        let (weight, bias) =
            Affine::into_layer(self.affine.as_ref(), &self.weight, self.bias.as_ref());
        let options = ConvOptions {
            winograd: self.options.winograd && size_of::<T>() == size_of::<f32>(),
            ..ConvOptions::default()
        };
        let slope = self.slope.as_ref();
        let slope = slope.map(|slope| slope.iter().map(|&x| T::from_f64(x)).collect());
        Box::new(Lowered {
            kernel: Kernel::with_slope(self.shape.clone(), &weight, bias, slope, options),
            layout: self.layout,
        })
    }
}

struct Lowered<T> {
    kernel: Kernel<T>,
    layout: Layout,
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, scratch: &mut Vec<T>) {
        let ConvShape { c_in, c_out, .. } = *self.kernel.shape();
        self.layout
            .run(x[0], y, (c_in, c_out), self.positions(), |x, y| {
                self.kernel.forward(x, y, scratch);
            });
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], scratch: &mut Vec<T>) {
        let ConvShape { c_in, c_out, .. } = *self.kernel.shape();
        let (n_in, n_out) = self.positions();
        self.layout
            .run(gy, gx, (c_out, c_in), (n_out, n_in), |gy, gx| {
                self.kernel.backward_data(gy, gx, scratch);
            });
    }

    fn vjp_then(
        &self,
        input: usize,
        saved: &Saved<T>,
        gy: &[T],
        gx: &mut [T],
        scratch: &mut Vec<T>,
        onward: Onward<'_, '_, T>,
    ) {
        if self.layout == Layout::ChannelsLast {
            return self.kernel.backward_data_then(gy, gx, scratch, onward);
        }
        self.vjp(input, saved, gy, gx, scratch);
        (onward.done)(0, gx);
    }

    fn param_rows(
        &self,
        param: Trained,
        x: &[&[T]],
        gy: &[T],
        rows: &mut [T],
        scratch: &mut Vec<T>,
    ) {
        let (x, gy, n_images) = self.last(x[0], gy);
        if param.role == 2 {
            return self.kernel.bias_rows(&gy, rows);
        }
        self.kernel.weight_rows(n_images, &x, &gy, rows, scratch);
    }

    fn param_gram(
        &self,
        param: Trained,
        x: &[&[T]],
        gy: &[T],
        s: &mut [f64],
        scratch: &mut Vec<T>,
    ) {
        let (x, gy, n_images) = self.last(x[0], gy);
        if param.role == 2 {
            return self.kernel.bias_gram(param.n_cotangents, &gy, s);
        }
        self.kernel.weight_gram(n_images, &x, &gy, s, scratch);
    }
}

impl<T: Scalar> Lowered<T> {
    /// x and gy with their channels last, and how many images they are per cotangent.
    fn last<'a>(&self, x: &'a [T], gy: &'a [T]) -> (Cow<'a, [T]>, Cow<'a, [T]>, usize) {
        let ConvShape { c_in, c_out, .. } = *self.kernel.shape();
        let (n_in, n_out) = self.positions();
        let n_images = x.len() / (c_in * n_in);
        let x = self.layout.last(x, c_in, n_in);
        (x, self.layout.last(gy, c_out, n_out), n_images)
    }

    fn positions(&self) -> (usize, usize) {
        let window = &self.kernel.shape().window;
        (window.n_input(), window.n_output())
    }
}

/// Reads a Conv node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let weight = node.required_constant(1, "weight")?;
    let bias = node.constant(2, "bias")?;
    let kernel = weight.shape().get(2..).unwrap_or_default().to_vec();
    if let Some(given) = node.ints("kernel_shape")
        && !given
            .iter()
            .map(|&k| usize::try_from(k))
            .eq(kernel.iter().map(|&k| Ok(k)))
    {
        return Err(EngineError::format(format!(
            "attribute kernel_shape = {given:?} for a weight of shape {:?}",
            weight.shape()
        )));
    }
    let sliding = sliding(node, &x.shape, &kernel, Rounding::Floor)?;
    let groups = usize::try_from(node.int("group", 1)).unwrap_or(0);
    let (c_in, c_out) = (x.shape[1], weight.shape()[0]);
    if groups == 0
        || c_out == 0
        || !c_out.is_multiple_of(groups)
        || weight.shape()[1].checked_mul(groups) != Some(c_in)
    {
        return Err(EngineError::shape(format!(
            "a weight of shape {:?} in {groups} groups for {c_in} input channels",
            weight.shape()
        )));
    }
    if !weight.is_float() || bias.is_some_and(|b| b.shape() != [c_out] || !b.is_float()) {
        return Err(EngineError::shape(format!(
            "weight and bias must be floating-point and the bias of shape [{c_out}]"
        )));
    }
    let shape = [&[x.shape[0], c_out], sliding.output.as_slice()].concat();
    let op = Conv {
        batch: x.shape[0],
        layout: Layout::ChannelsFirst,
        options: ProgramOptions::default(),
        shape: ConvShape {
            window: sliding.window,
            c_in,
            c_out,
            groups,
        },
        weight: weight.clone(),
        bias: bias.cloned(),
        affine: None,
        slope: None,
    };
    Ok(Built::layer(op, vec![x.value], shape, vec![1, 2]))
}
