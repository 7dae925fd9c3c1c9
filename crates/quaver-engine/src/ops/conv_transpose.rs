//! ConvTranspose: the transpose of a convolution as a layer, over 1 to 3 spatial axes.
//!
//! x is 1 × C × spatial, W is C × O/groups × kernel and a constant, b is O. Its own transpose is the convolution.

use std::sync::Arc;

use quaver_kernels::Scalar;
use quaver_kernels::conv::{Conv as Kernel, ConvOptions, ConvShape};
use quaver_kernels::sums::bias_rows;
use quaver_kernels::window::{AXES, Window};

use super::channels::Layout;
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, ChannelsLast, LayoutContext, Lower, Operator, Saved, Step, Trained};
use crate::tensor::{Tensor, n_elements};

#[derive(Debug, Clone)]
struct ConvTranspose {
    /// The length of axis 0: 1 unless the graph folds another axis into it.
    batch: usize,
    /// The convolution that this is the transpose of: from O channels of output to C of input.
    shape: ConvShape,
    weight: Tensor,
    bias: Option<Tensor>,
    layout: Layout,
}

impl Operator for ConvTranspose {
    fn trains(&self, role: usize) -> bool {
        role == 1 || role == 2
    }

    fn channels_last(&self, _: &LayoutContext<'_>) -> Option<ChannelsLast> {
        Some(ChannelsLast {
            op: Arc::new(ConvTranspose {
                layout: Layout::ChannelsLast,
                ..self.clone()
            }),
            seeks: true,
        })
    }

    fn macs(&self) -> u64 {
        self.shape.macs() * self.batch as u64
    }
}

impl<T: Scalar> Lower<T> for ConvTranspose {
    fn lower(&self) -> Box<dyn Step<T>> {
        let floats = "the builder admits only floats";
        let weight: Vec<T> = self.weight.floats().expect(floats);
        let bias = self.bias.as_ref();
        let options = ConvOptions {
            winograd: false,
            ..ConvOptions::default()
        };
        Box::new(Lowered {
            kernel: Kernel::new(self.shape.clone(), &weight, None, options),
            layout: self.layout,
            bias: bias.map(|bias| bias.floats().expect(floats)),
        })
    }
}

struct Lowered<T> {
    kernel: Kernel<T>,
    bias: Option<Vec<T>>,
    layout: Layout,
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, scratch: &mut Vec<T>) {
        let ConvShape {
            window,
            c_in,
            c_out,
            ..
        } = self.kernel.shape();
        let positions = (window.n_output(), window.n_input());
        self.layout
            .run(x[0], y, (*c_out, *c_in), positions, |x, y| {
                self.kernel.backward_data(x, y, scratch);
                let Some(bias) = &self.bias else { return };
                for y in y.chunks_exact_mut(bias.len()) {
                    y.iter_mut().zip(bias).for_each(|(y, &bias)| *y += bias);
                }
            });
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], scratch: &mut Vec<T>) {
        let ConvShape {
            window,
            c_in,
            c_out,
            ..
        } = self.kernel.shape();
        let positions = (window.n_input(), window.n_output());
        self.layout
            .run(gy, gx, (*c_in, *c_out), positions, |gy, gx| {
                self.kernel.forward(gy, gx, scratch);
            });
    }

    fn param_rows(
        &self,
        param: Trained,
        x: &[&[T]],
        gy: &[T],
        rows: &mut [T],
        scratch: &mut Vec<T>,
    ) {
        let ConvShape {
            window,
            c_in,
            c_out,
            ..
        } = self.kernel.shape();
        let gy = self.layout.last(gy, *c_in, window.n_input());
        if param.role == 2 {
            return bias_rows(param.n_elements, &gy, rows);
        }
        // ⟨convᵀ_w(x), u⟩ = ⟨x, conv_w(u)⟩: the convolution reads the cotangent, one at a time, and x is its.
        let x = self.layout.last(x[0], *c_out, window.n_output());
        let n_images = x.len() / (c_out * window.n_output());
        let per_cotangent = gy.len() / param.n_cotangents;
        let rows = rows.chunks_exact_mut(param.n_elements);
        for (gy, row) in gy.chunks_exact(per_cotangent).zip(rows) {
            self.kernel.weight_rows(n_images, gy, &x, row, scratch);
        }
    }
}

/// Padding at the beginning and length of the output, per spatial axis.
fn placement(
    node: &NodeContext<'_>,
    spatial: &[usize],
    strides: &[usize],
    extents: &[usize],
) -> Result<Vec<(usize, usize)>, EngineError> {
    let n = spatial.len();
    let pads = node.sizes("pads", 2 * n, 0)?;
    let extra = node.sizes("output_padding", n, 0)?;
    let auto_pad = node.string("auto_pad", "NOTSET");
    let wanted: Option<Vec<usize>> = match (node.ints("output_shape"), auto_pad.as_str()) {
        (Some(sizes), _) => {
            // Some exporters list batch and channels too.
            let sizes = sizes
                .get(sizes.len().saturating_sub(n)..)
                .unwrap_or_default();
            let sizes = sizes.iter().map(|&size| usize::try_from(size).unwrap_or(0));
            Some(sizes.collect()).filter(|sizes: &Vec<usize>| sizes.len() == n)
        }
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some(spatial.iter().zip(strides).map(|(x, s)| x * s).collect())
        }
        (None, "NOTSET" | "VALID") => None,
        (None, other) => {
            return Err(EngineError::format(format!(
                "attribute auto_pad = '{other}'"
            )));
        }
    };
    (0..n)
        .map(|axis| {
            let full = strides[axis]
                .checked_mul(spatial[axis] - 1)
                .and_then(|x| x.checked_add(extents[axis])?.checked_add(extra[axis]))
                .filter(|&full| full < 1 << 31)
                .ok_or_else(|| EngineError::format("strides or padding too large to count"))?;
            let placed = match &wanted {
                Some(wanted) => {
                    let total = full.saturating_sub(wanted[axis]);
                    let begin = match auto_pad.as_str() {
                        "SAME_UPPER" => total / 2,
                        _ => total - total / 2,
                    };
                    Some((begin, wanted[axis]))
                }
                None => full
                    .checked_sub(pads[axis])
                    .and_then(|room| Some((pads[axis], room.checked_sub(pads[n + axis])?))),
            };
            placed.filter(|&(_, length)| length > 0).ok_or_else(|| {
                EngineError::shape(format!("padding leaves nothing of spatial axis {axis}"))
            })
        })
        .collect()
}

/// Reads a ConvTranspose node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let weight = node.required_constant(1, "weight")?;
    let bias = node.constant(2, "bias")?;
    let spatial = x.shape.get(2..).unwrap_or_default();
    let kernel = weight.shape().get(2..).unwrap_or_default();
    let n = spatial.len();
    let groups = usize::try_from(node.int("group", 1)).unwrap_or(0);
    let wrong = || {
        EngineError::shape(format!(
            "a weight of shape {:?} in {groups} groups for a value of shape {:?}: 1 to {AXES} spatial axes after batch and channels are supported",
            weight.shape(),
            x.shape
        ))
    };
    if n == 0 || n > AXES || kernel.len() != n || groups == 0 || x.shape.contains(&0) {
        return Err(wrong());
    }
    let c_in = weight.shape()[0];
    let c_out = weight.shape()[1].checked_mul(groups).ok_or_else(wrong)?;
    if c_in != x.shape[1] || !c_in.is_multiple_of(groups) || c_out == 0 {
        return Err(wrong());
    }
    if !weight.is_float() || bias.is_some_and(|b| b.shape() != [c_out] || !b.is_float()) {
        return Err(EngineError::shape(format!(
            "weight and bias must be floating-point and the bias of shape [{c_out}]"
        )));
    }
    let strides = node.sizes("strides", n, 1)?;
    let dilations = node.sizes("dilations", n, 1)?;
    let extents: Option<Vec<usize>> = (0..n)
        .map(|axis| {
            kernel[axis]
                .checked_sub(1)?
                .checked_mul(dilations[axis])?
                .checked_add(1)
        })
        .collect();
    let extents = extents
        .filter(|_| !strides.contains(&0) && !dilations.contains(&0))
        .ok_or_else(|| EngineError::format("a kernel, stride or dilation of size 0"))?;
    let placed = placement(node, spatial, &strides, &extents)?;
    let mut window = Window {
        input: [1; AXES],
        output: [1; AXES],
        kernel: [1; AXES],
        stride: [1; AXES],
        dilation: [1; AXES],
        pad: [0; AXES],
    };
    let mut shape = vec![x.shape[0], c_out];
    for (axis, &(begin, length)) in placed.iter().enumerate() {
        let at = AXES - n + axis;
        window.input[at] = length;
        window.output[at] = spatial[axis];
        window.kernel[at] = kernel[axis];
        window.stride[at] = strides[axis];
        window.dilation[at] = dilations[axis];
        window.pad[at] = begin;
        shape.push(length);
    }
    n_elements(&shape)?;
    let op = ConvTranspose {
        batch: x.shape[0],
        shape: ConvShape {
            window,
            c_in: c_out,
            c_out: c_in,
            groups,
        },
        weight: weight.clone(),
        layout: Layout::ChannelsFirst,
        bias: bias.cloned(),
    };
    Ok(Built::layer(op, vec![x.value], shape, vec![1, 2]))
}
