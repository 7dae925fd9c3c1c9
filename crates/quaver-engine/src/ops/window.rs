//! How kernels slide: the attributes that convolutions and pools share.

use quaver_kernels::window::{AXES, Window};

use crate::EngineError;
use crate::onnx::node::NodeContext;

/// A sliding window over the spatial axes of an N × C × … value.
#[derive(Debug, Clone)]
pub(super) struct Sliding {
    /// Fewer than three spatial axes are led by axes of length 1.
    pub window: Window,
    /// Padding after the end, per axis of the window: what a mean that includes padding counts.
    pub pad_end: [usize; AXES],
    /// The spatial part of the output's shape.
    pub output: Vec<usize>,
}

/// Whether the last window may hang over the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Floor,
    Ceil,
}

/// Reads strides, dilations, pads and auto_pad for a kernel of shape `kernel` over `input` (N × C × …).
pub(super) fn sliding(
    node: &NodeContext<'_>,
    input: &[usize],
    kernel: &[usize],
    rounding: Rounding,
) -> Result<Sliding, EngineError> {
    let spatial = input.get(2..).unwrap_or_default();
    let n = spatial.len();
    if n == 0 || n > AXES {
        return Err(EngineError::unsupported(format!(
            "an input of shape {input:?}: 1 to {AXES} spatial axes after batch and channels are supported"
        )));
    }
    if kernel.len() != n {
        return Err(EngineError::format(format!(
            "a kernel of shape {kernel:?} for {n} spatial axes"
        )));
    }
    let strides = node.sizes("strides", n, 1)?;
    let dilations = node.sizes("dilations", n, 1)?;
    let pads = node.sizes("pads", 2 * n, 0)?;
    let auto_pad = node.string("auto_pad", "NOTSET");
    if kernel.contains(&0) || strides.contains(&0) || dilations.contains(&0) || input.contains(&0) {
        return Err(EngineError::format(
            "a kernel, stride, dilation or input of size 0",
        ));
    }
    let mut sliding = Sliding {
        window: Window {
            input: [1; AXES],
            output: [1; AXES],
            kernel: [1; AXES],
            stride: [1; AXES],
            dilation: [1; AXES],
            pad: [0; AXES],
        },
        pad_end: [0; AXES],
        output: Vec::with_capacity(n),
    };
    for axis in 0..n {
        let (size, stride) = (spatial[axis], strides[axis]);
        let too_large = || EngineError::format("a kernel or padding too large to count");
        let extent = (kernel[axis] - 1)
            .checked_mul(dilations[axis])
            .and_then(|extent| extent.checked_add(1))
            .filter(|&extent| extent < 1 << 31)
            .ok_or_else(too_large)?;
        if pads[axis] >= 1 << 31 || pads[n + axis] >= 1 << 31 {
            return Err(too_large());
        }
        let (begin, end, output) = match auto_pad.as_str() {
            "NOTSET" | "VALID" => {
                let (begin, end) = match auto_pad.as_str() {
                    "NOTSET" => (pads[axis], pads[n + axis]),
                    _ => (0, 0),
                };
                let room = (size + begin + end).checked_sub(extent).ok_or_else(|| {
                    EngineError::shape(format!(
                        "a kernel spanning {extent} positions over an axis of {size} padded by {begin} + {end}"
                    ))
                })?;
                let output = match rounding {
                    Rounding::Floor => room / stride + 1,
                    Rounding::Ceil => {
                        let output = room.div_ceil(stride) + 1;
                        // No window may start past the end of the input.
                        output - usize::from((output - 1) * stride >= size + begin)
                    }
                };
                (begin, end, output)
            }
            "SAME_UPPER" | "SAME_LOWER" => {
                let output = size.div_ceil(stride);
                let total = ((output - 1) * stride + extent).saturating_sub(size);
                let smaller = total / 2;
                match auto_pad.as_str() {
                    "SAME_UPPER" => (smaller, total - smaller, output),
                    _ => (total - smaller, smaller, output),
                }
            }
            other => {
                return Err(EngineError::format(format!(
                    "attribute auto_pad = '{other}'"
                )));
            }
        };
        let at = AXES - n + axis;
        let window = &mut sliding.window;
        window.input[at] = size;
        window.output[at] = output;
        window.kernel[at] = kernel[axis];
        window.stride[at] = stride;
        window.dilation[at] = dilations[axis];
        window.pad[at] = begin;
        sliding.pad_end[at] = end;
        sliding.output.push(output);
    }
    Ok(sliding)
}
