//! Concat: inputs one after another along an axis. Each gets its own part of the cotangent back.

use std::sync::Arc;

use quaver_kernels::{Onward, Scalar};

use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::{Input, NodeContext};
use crate::op::{Built, ChannelsLast, LayoutContext, Lower, Operator, Saved, Step};
use crate::tensor::Tensor;

/// About how many elements are handed on at once: few enough to be in the nearest cache still.
const STRETCH: usize = 2048;

#[derive(Debug, Clone)]
struct Concat {
    operands: Vec<Operand>,
    /// Elements of each operand under one index of the axes before the joined one.
    widths: Vec<usize>,
    /// The lengths along axis 1, if that is where they are joined.
    channels: Option<Vec<usize>>,
}

impl Operator for Concat {
    fn channels_last(&self, _: &LayoutContext<'_>) -> Option<ChannelsLast> {
        let inputs = |operand: &Operand| matches!(operand, Operand::Input(_));
        let widths = self
            .channels
            .clone()
            .filter(|_| self.operands.iter().all(inputs))?;
        Some(ChannelsLast {
            op: Arc::new(Concat {
                operands: self.operands.clone(),
                widths,
                channels: None,
            }),
            seeks: false,
        })
    }
}

impl<T: Scalar> Lower<T> for Concat {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            sources: self.operands.iter().map(Source::of).collect(),
            widths: self.widths.clone(),
        })
    }
}

struct Lowered<T> {
    sources: Vec<Source<T>>,
    widths: Vec<usize>,
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let total: usize = self.widths.iter().sum();
        let mut offset = 0;
        for (source, &width) in self.sources.iter().zip(&self.widths) {
            let rows = source.values(x).chunks_exact(width.max(1));
            for (x, y) in rows.zip(y.chunks_exact_mut(total)) {
                y[offset..][..width].copy_from_slice(x);
            }
            offset += width;
        }
    }

    fn vjp(&self, input: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], scratch: &mut Vec<T>) {
        self.vjp_then(input, saved, gy, gx, scratch, Onward::whole(&mut |_, _| {}));
    }

    fn vjp_then(
        &self,
        input: usize,
        _: &Saved<T>,
        gy: &[T],
        gx: &mut [T],
        _: &mut Vec<T>,
        onward: Onward<'_, '_, T>,
    ) {
        let total: usize = self.widths.iter().sum();
        let at = self
            .sources
            .iter()
            .position(|source| matches!(source, Source::Input(at) if *at == input))
            .expect("every input of the step is an operand");
        let (offset, width) = (self.widths[..at].iter().sum(), self.widths[at]);
        if width == 0 {
            return;
        }
        let rows = (STRETCH / width).max(1);
        let stretches = gx
            .chunks_mut(rows * width)
            .zip(gy.chunks(rows * total))
            .enumerate();
        for (at, (gx, gy)) in stretches {
            for (gx, gy) in gx.chunks_exact_mut(width).zip(gy.chunks_exact(total)) {
                gx.copy_from_slice(&gy[offset..][..width]);
            }
            (onward.done)(at * rows * width, gx);
        }
    }
}

/// Reads a Concat node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let inputs: Vec<&Input> = (0..node.inputs.len())
        .map(|at| node.input(at))
        .collect::<Result<_, _>>()?;
    let first = node.input(0)?;
    let axis = node.axis("axis", 1, first.shape.len())?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for input in &inputs {
        let fits = input.shape.len() == shape.len()
            && (0..shape.len()).all(|at| at == axis || input.shape[at] == shape[at]);
        if !fits {
            return Err(EngineError::shape(format!(
                "{:?} and {:?} do not join along axis {axis}",
                first.shape, input.shape
            )));
        }
        shape[axis] += input.shape[axis];
    }
    let inner: usize = shape[axis + 1..].iter().product();
    let widths: Vec<usize> = inputs
        .iter()
        .map(|input| input.shape[axis] * inner)
        .collect();
    let ints: Option<Vec<Vec<i64>>> = inputs
        .iter()
        .map(|input| input.constant.as_ref().and_then(Tensor::integers))
        .collect();
    if let Some(ints) = ints {
        let outer: usize = shape[..axis].iter().product();
        let joined = (0..outer)
            .flat_map(|row| {
                ints.iter()
                    .zip(&widths)
                    .flat_map(move |(x, &width)| x[row * width..][..width].to_vec())
            })
            .collect();
        return Tensor::new(shape, crate::tensor::Data::Int(joined)).map(Built::Constant);
    }
    let (operands, values) = operands(&inputs)?;
    let channels = (axis == 1).then(|| inputs.iter().map(|input| input.shape[axis]).collect());
    let op = Concat {
        operands,
        widths,
        channels,
    };
    Ok(Built::step(op, values, shape))
}
