//! Where: of two values the one that a condition chooses. Cotangents go to what was chosen; the condition gets
//! none, whether constant or computed from the sample.

use quaver_kernels::Scalar;

use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Flow, Lower, Operator, Saved, Step};
use crate::tensor::{Data, Element, Tensor, broadcast, broadcast_index};

#[derive(Debug, Clone)]
struct Select {
    /// Condition, value if it holds, value if not.
    operands: Vec<Operand>,
    /// For every element of the output, the element of each operand.
    index: [Vec<u32>; 3],
}

impl Operator for Select {
    fn carries(&self, input: usize) -> bool {
        !matches!(self.operands[0], Operand::Input(at) if at == input)
    }
}

impl<T: Scalar> Lower<T> for Select {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            sources: self.operands.iter().map(Source::of).collect(),
            index: self.index.clone(),
        })
    }
}

struct Lowered<T> {
    sources: Vec<Source<T>>,
    index: [Vec<u32>; 3],
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let [condition, a, b] = [0, 1, 2].map(|at| self.sources[at].values(x));
        let chosen = |i: usize| condition[self.index[0][i] as usize] != T::ZERO;
        for (i, y) in y.iter_mut().enumerate() {
            *y = if chosen(i) {
                a[self.index[1][i] as usize]
            } else {
                b[self.index[2][i] as usize]
            };
        }
        if let Some(saved) = saved {
            saved.mask.clear();
            saved
                .mask
                .extend((0..y.len()).map(|i| if chosen(i) { 0xFF } else { 0 }));
        }
    }

    fn flow(&self, _: usize) -> Flow {
        Flow::InPlace
    }

    fn vjp_in_place(&self, input: usize, saved: &Saved<T>, g: &mut [T]) {
        let if_true = matches!(self.sources[1], Source::Input(at) if at == input);
        for g in g.chunks_exact_mut(self.index[0].len()) {
            for (i, g) in g.iter_mut().enumerate() {
                if (saved.mask[i] != 0) != if_true {
                    *g = T::ZERO;
                }
            }
        }
    }
}

/// Reads a Where node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let inputs = [node.input(0)?, node.input(1)?, node.input(2)?];
    let shape = inputs
        .iter()
        .try_fold(Vec::new(), |shape, input| broadcast(&shape, &input.shape))?;
    let index = inputs.map(|input| broadcast_index(&input.shape, &shape));
    let ints = |at: usize| inputs[at].constant.as_ref().and_then(Tensor::integers);
    if let (Some(condition), Some(a), Some(b)) = (ints(0), ints(1), ints(2)) {
        // Exactly: floating point would round the largest integers, which stand for "to the end".
        let element = |i: usize| match condition[index[0][i] as usize] {
            0 => b[index[2][i] as usize],
            _ => a[index[1][i] as usize],
        };
        let chosen = (0..index[0].len()).map(element);
        let data = match inputs[1].element {
            Element::Bool => Data::Bool(chosen.map(|x| x != 0).collect()),
            _ => Data::Int(chosen.collect()),
        };
        return Tensor::new(shape, data).map(Built::Constant);
    }
    let (operands, values) = operands(&inputs)?;
    Ok(Built::step(Select { operands, index }, values, shape))
}
