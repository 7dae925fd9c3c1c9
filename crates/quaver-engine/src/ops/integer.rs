//! Div and Mod, which mean another thing for integers than for real numbers.

use quaver_kernels::Scalar;

use super::binary;
use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::compose::Body;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Flow, Lower, Operator, Saved, Step};
use crate::tensor::{Data, Element, Tensor, broadcast, broadcast_index};

/// a / b; of integers, towards zero.
pub(super) fn div(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let known = (0..2).all(|at| node.optional(at).is_some_and(|x| x.constant.is_some()));
    if known || node.input(0)?.element != Element::Int {
        return binary::div(node);
    }
    let mut body = Body::new(node);
    let b = body.private("Real", &[node.name(1)?], Vec::new());
    let a = body.private("Real", &[node.name(0)?], Vec::new());
    let quotient = body.op("Div", &[&a, &b]);
    let y = body.private("Truncate", &[&quotient], Vec::new());
    body.returns(y)
}

#[derive(Debug, Clone)]
struct Mod {
    operands: Vec<Operand>,
    index: [Vec<u32>; 2],
    /// The result has the sign of a (C's fmod) rather than of b.
    sign_of_a: bool,
    /// Of integers, between which there are no slopes.
    is_flat: bool,
}

fn remainder(a: f64, b: f64, sign_of_a: bool) -> f64 {
    let r = a % b;
    if !sign_of_a && r != 0.0 && (r < 0.0) != (b < 0.0) {
        r + b
    } else {
        r
    }
}

impl Operator for Mod {
    fn carries(&self, input: usize) -> bool {
        // The slope by b jumps with the quotient, and is not read.
        !self.is_flat && matches!(self.operands[0], Operand::Input(at) if at == input)
    }
}

impl<T: Scalar> Lower<T> for Mod {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            sources: self.operands.iter().map(Source::of).collect(),
            index: self.index.clone(),
            sign_of_a: self.sign_of_a,
        })
    }
}

struct Lowered<T> {
    sources: Vec<Source<T>>,
    index: [Vec<u32>; 2],
    sign_of_a: bool,
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let (a, b) = (self.sources[0].values(x), self.sources[1].values(x));
        let pairs = self.index[0].iter().zip(&self.index[1]);
        for (y, (&at_a, &at_b)) in y.iter_mut().zip(pairs) {
            let (a, b) = (a[at_a as usize].to_f64(), b[at_b as usize].to_f64());
            *y = T::from_f64(remainder(a, b, self.sign_of_a));
        }
    }

    fn flow(&self, _: usize) -> Flow {
        Flow::Pass
    }
}

/// The remainder of a / b.
pub(super) fn modulo(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (a, b) = (node.input(0)?, node.input(1)?);
    let shape = broadcast(&a.shape, &b.shape)?;
    let index = [&a.shape, &b.shape].map(|from| broadcast_index(from, &shape));
    let sign_of_a = node.flag("fmod", false);
    let ints = |tensor: &Option<Tensor>| tensor.as_ref().and_then(Tensor::integers);
    if let (Some(a), Some(b)) = (ints(&a.constant), ints(&b.constant)) {
        let pairs = index[0].iter().zip(&index[1]);
        let rest = pairs.map(|(&at_a, &at_b)| {
            let (a, b) = (a[at_a as usize], b[at_b as usize]);
            let r = a.checked_rem(b)?;
            Some(if !sign_of_a && r != 0 && (r < 0) != (b < 0) {
                r + b
            } else {
                r
            })
        });
        let rest: Option<Vec<i64>> = rest.collect();
        let rest = rest.ok_or_else(|| EngineError::format("a remainder of a division by zero"))?;
        return Tensor::new(shape, Data::Int(rest)).map(Built::Constant);
    }
    if b.constant.is_none() && a.element == Element::Float {
        return Err(EngineError::unsupported(
            "a divisor (input 1) that depends on the sample",
        ));
    }
    let is_flat = a.element != Element::Float;
    let (operands, values) = operands(&[a, b])?;
    let op = Mod {
        operands,
        index,
        sign_of_a,
        is_flat,
    };
    Ok(Built::step(op, values, shape))
}
