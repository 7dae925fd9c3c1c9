//! Comparisons and logic: element by element, with broadcasting. Their values are 0 or 1 and jump, so nothing
//! flows back through them; what they mask is differentiated by Where.

use quaver_kernels::Scalar;

use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};
use crate::tensor::{Data, Tensor, broadcast, broadcast_index};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    And,
    Or,
    Xor,
}

impl Relation {
    fn holds<X: PartialOrd>(self, a: X, b: X, zero: X) -> bool {
        match self {
            Relation::Equal => a == b,
            Relation::Greater => a > b,
            Relation::GreaterOrEqual => a >= b,
            Relation::Less => a < b,
            Relation::LessOrEqual => a <= b,
            Relation::And => a != zero && b != zero,
            Relation::Or => a != zero || b != zero,
            Relation::Xor => (a != zero) != (b != zero),
        }
    }
}

#[derive(Debug, Clone)]
struct Compare {
    relation: Relation,
    operands: Vec<Operand>,
    /// For every element of the output, the element of each operand.
    index: [Vec<u32>; 2],
}

impl Operator for Compare {
    fn carries(&self, _: usize) -> bool {
        false
    }
}

impl<T: Scalar> Lower<T> for Compare {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            relation: self.relation,
            sources: self.operands.iter().map(Source::of).collect(),
            index: self.index.clone(),
        })
    }
}

struct Lowered<T> {
    relation: Relation,
    sources: Vec<Source<T>>,
    index: [Vec<u32>; 2],
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let (a, b) = (self.sources[0].values(x), self.sources[1].values(x));
        let pairs = self.index[0].iter().zip(&self.index[1]);
        for (y, (&at_a, &at_b)) in y.iter_mut().zip(pairs) {
            let holds = self
                .relation
                .holds(a[at_a as usize], b[at_b as usize], T::ZERO);
            *y = if holds { T::ONE } else { T::ZERO };
        }
    }
}

fn build(node: &NodeContext<'_>, relation: Relation) -> Result<Built, EngineError> {
    let (a, b) = (node.input(0)?, node.input(1)?);
    let shape = broadcast(&a.shape, &b.shape)?;
    let index = [&a.shape, &b.shape].map(|from| broadcast_index(from, &shape));
    let ints = |tensor: &Option<Tensor>| tensor.as_ref().and_then(Tensor::integers);
    if let (Some(a), Some(b)) = (ints(&a.constant), ints(&b.constant)) {
        // Exactly: floating point would round large integers.
        let pairs = index[0].iter().zip(&index[1]);
        let holds =
            pairs.map(|(&at_a, &at_b)| relation.holds(a[at_a as usize], b[at_b as usize], 0));
        return Tensor::new(shape, Data::Bool(holds.collect())).map(Built::Constant);
    }
    let (operands, values) = operands(&[a, b])?;
    let op = Compare {
        relation,
        operands,
        index,
    };
    Ok(Built::step(op, values, shape))
}

/// Declares the builder of a relation.
macro_rules! relation {
    ($build:ident, $relation:ident, $doc:literal) => {
        #[doc = $doc]
        pub(super) fn $build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
            build(node, Relation::$relation)
        }
    };
}

relation!(equal, Equal, "a = b.");
relation!(greater, Greater, "a > b.");
relation!(greater_or_equal, GreaterOrEqual, "a ≥ b.");
relation!(less, Less, "a < b.");
relation!(less_or_equal, LessOrEqual, "a ≤ b.");
relation!(and, And, "Both.");
relation!(or, Or, "At least one.");
relation!(xor, Xor, "Exactly one.");
