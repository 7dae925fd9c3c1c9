//! Operators of two or more inputs that act element by element, with broadcasting.
//!
//! They give the value and the slopes at one element; spreading operands over the output's shape is done here,
//! and summing cotangents back over what was spread belongs to the reverse loop.

use std::fmt::Debug;
use std::sync::Arc;

use quaver_kernels::Scalar;
use quaver_kernels::elementwise::Slopes;

use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::{Input, NodeContext};
use crate::op::{Built, ChannelsLast, Flow, LayoutContext, Lower, Operator, Saved, Step, Trained};
use crate::tensor::{Data, Tensor, broadcast, broadcast_index};

/// A function of two numbers, or of more by joining from the left.
trait Rule: Clone + Debug + Send + Sync + 'static {
    /// a ∘ b.
    fn join<T: Scalar>(&self, a: T, b: T) -> T;

    /// ∂y/∂x at operand `at`; at a kink, the documented choice.
    fn slope<T: Scalar>(&self, at: usize, x: &[T], y: T) -> T;

    /// Whether the slope at operand `at` is 1 everywhere.
    fn passes(&self, _at: usize) -> bool {
        false
    }

    /// a ∘ b of integers, for shapes computed in the graph; `None` where it does not exist.
    fn join_ints(&self, a: i64, b: i64) -> Option<i64>;
}

/// How an operand is spread over the output.
#[derive(Debug, Clone)]
enum Spread {
    Same,
    Scalar,
    Index(Vec<u32>),
}

impl Spread {
    fn new(from: &[usize], to: &[usize]) -> Self {
        let n: usize = from.iter().product();
        if n == to.iter().product() {
            Spread::Same
        } else if n == 1 {
            Spread::Scalar
        } else {
            Spread::Index(broadcast_index(from, to))
        }
    }

    fn at(&self, i: usize) -> usize {
        match self {
            Spread::Same => i,
            Spread::Scalar => 0,
            Spread::Index(index) => index[i] as usize,
        }
    }
}

#[derive(Debug, Clone)]
struct Elementwise<R> {
    rule: R,
    operands: Vec<Operand>,
    spreads: Vec<Spread>,
}

struct Lowered<R, T> {
    rule: R,
    sources: Vec<Source<T>>,
    spreads: Vec<Spread>,
    /// The operand behind each of the step's inputs.
    operand_of: Vec<usize>,
}

impl<R: Rule> Operator for Elementwise<R> {
    fn trains(&self, role: usize) -> bool {
        matches!(self.operands[role], Operand::Constant(_))
    }

    fn channels_last(&self, context: &LayoutContext<'_>) -> Option<ChannelsLast> {
        let shape = context
            .inputs
            .iter()
            .try_fold(Vec::new(), |shape, input| broadcast(&shape, input))
            .ok()?;
        let spreads = self.operands.iter().zip(&self.spreads);
        let spreads: Option<Vec<Spread>> = spreads
            .map(|(operand, spread)| match (operand, spread) {
                (Operand::Input(at), _) => Some(Spread::new(&context.inputs[*at], &shape)),
                (Operand::Constant(_), Spread::Scalar) => Some(Spread::Scalar),
                // Its elements would have to be put in order first.
                (Operand::Constant(_), _) => None,
            })
            .collect();
        Some(ChannelsLast {
            op: Arc::new(Elementwise {
                rule: self.rule.clone(),
                operands: self.operands.clone(),
                spreads: spreads?,
            }),
            seeks: false,
        })
    }
}

impl<R: Rule, T: Scalar> Lower<T> for Elementwise<R> {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            rule: self.rule.clone(),
            sources: self.operands.iter().map(Source::of).collect(),
            spreads: self.spreads.clone(),
            operand_of: (0..self.operands.len())
                .filter(|&at| matches!(self.operands[at], Operand::Input(_)))
                .collect(),
        })
    }
}

impl<R: Rule, T: Scalar> Lowered<R, T> {
    fn spread(&self, at: usize, x: &[&[T]], mut put: impl FnMut(usize, T), n: usize) {
        let x = self.sources[at].values(x);
        match &self.spreads[at] {
            Spread::Same => (0..n).zip(x).for_each(|(i, &x)| put(i, x)),
            Spread::Scalar => (0..n).for_each(|i| put(i, x[0])),
            Spread::Index(index) => (0..n)
                .zip(index)
                .for_each(|(i, &from)| put(i, x[from as usize])),
        }
    }
}

impl<R: Rule, T: Scalar> Step<T> for Lowered<R, T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let n = y.len();
        self.spread(0, x, |i, x| y[i] = x, n);
        for at in 1..self.sources.len() {
            self.spread(at, x, |i, x| y[i] = self.rule.join(y[i], x), n);
        }
        let Some(saved) = saved else { return };
        // The slopes of one input after those of another, each in the output's shape.
        saved.values.clear();
        let mut element = vec![T::ZERO; self.sources.len()];
        for &at in &self.operand_of {
            if self.rule.passes(at) {
                continue;
            }
            saved.values.extend((0..n).map(|i| {
                for ((element, source), spread) in
                    element.iter_mut().zip(&self.sources).zip(&self.spreads)
                {
                    *element = source.values(x)[spread.at(i)];
                }
                self.rule.slope(at, &element, y[i])
            }));
        }
        saved.index.clear();
        saved.index.push(n as u32);
    }

    fn flow(&self, input: usize) -> Flow {
        if self.rule.passes(self.operand_of[input]) {
            Flow::Pass
        } else {
            Flow::Scaled
        }
    }

    fn slopes<'s>(&'s self, input: usize, saved: &'s Saved<T>) -> Slopes<'s, T> {
        let n = saved.index[0] as usize;
        let before = self.operand_of[..input]
            .iter()
            .filter(|&&at| !self.rule.passes(at))
            .count();
        Slopes::Factors(&saved.values[before * n..][..n])
    }

    fn param_rows(&self, param: Trained, x: &[&[T]], gy: &[T], rows: &mut [T], _: &mut Vec<T>) {
        let n = gy.len() / param.n_cotangents;
        let mut element = vec![T::ZERO; self.sources.len()];
        let spread = &self.spreads[param.role];
        for i in 0..n {
            for ((element, source), spread) in
                element.iter_mut().zip(&self.sources).zip(&self.spreads)
            {
                *element = source.values(x)[spread.at(i)];
            }
            let (first, rest) = element.split_first().expect("an operand at least");
            let y = rest.iter().fold(*first, |y, &x| self.rule.join(y, x));
            let slope = self.rule.slope(param.role, &element, y);
            for v in 0..param.n_cotangents {
                rows[v * param.n_elements + spread.at(i)] += slope * gy[v * n + i];
            }
        }
    }
}

fn build(node: &NodeContext<'_>, rule: impl Rule, n_inputs: usize) -> Result<Built, EngineError> {
    let inputs: Vec<&Input> = (0..n_inputs)
        .map(|at| node.input(at))
        .collect::<Result<_, _>>()?;
    let shape = inputs
        .iter()
        .try_fold(Vec::new(), |shape, input| broadcast(&shape, &input.shape))?;
    if let Some(folded) = fold_ints(&rule, &inputs, &shape)? {
        return Ok(Built::Constant(folded));
    }
    if n_inputs == 1 {
        return Ok(Built::Alias);
    }
    let (operands, values) = operands(&inputs)?;
    let spreads = inputs
        .iter()
        .map(|input| Spread::new(&input.shape, &shape))
        .collect();
    let op = Elementwise {
        rule,
        operands,
        spreads,
    };
    Ok(Built::step(op, values, shape))
}

/// The result when every operand is a constant of integers.
fn fold_ints(
    rule: &impl Rule,
    inputs: &[&Input],
    shape: &[usize],
) -> Result<Option<Tensor>, EngineError> {
    let ints: Option<Vec<Vec<i64>>> = inputs
        .iter()
        .map(|input| input.constant.as_ref().and_then(Tensor::integers))
        .collect();
    let Some(ints) = ints else { return Ok(None) };
    let n: usize = shape.iter().product();
    let spreads: Vec<Spread> = inputs
        .iter()
        .map(|input| Spread::new(&input.shape, shape))
        .collect();
    let folded: Option<Vec<i64>> = (0..n)
        .map(|i| {
            let mut elements = ints.iter().zip(&spreads).map(|(x, spread)| x[spread.at(i)]);
            let first = elements.next()?;
            elements.try_fold(first, |a, b| rule.join_ints(a, b))
        })
        .collect();
    let folded = folded.ok_or_else(|| {
        EngineError::format("integer arithmetic on constants overflows or divides by zero")
    })?;
    Tensor::new(shape.to_vec(), Data::Int(folded)).map(Some)
}

/// Declares a rule of two operands and its builder.
macro_rules! rule {
    ($rule:ident, $build:ident, $n:expr, $doc:literal,
     join |$a:ident, $b:ident| $join:expr,
     slope |$at:ident, $x:ident, $y:ident| $slope:expr,
     passes |$p:ident| $passes:expr,
     ints |$i:ident, $j:ident| $ints:expr) => {
        #[derive(Debug, Clone)]
        struct $rule;

        impl Rule for $rule {
            fn join<T: Scalar>(&self, $a: T, $b: T) -> T {
                $join
            }
            fn slope<T: Scalar>(&self, $at: usize, $x: &[T], $y: T) -> T {
                $slope
            }
            fn passes(&self, $p: usize) -> bool {
                $passes
            }
            fn join_ints(&self, $i: i64, $j: i64) -> Option<i64> {
                $ints
            }
        }

        #[doc = $doc]
        pub(super) fn $build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
            let n_inputs = Option::<usize>::unwrap_or($n, node.inputs.len());
            build(node, $rule, n_inputs)
        }
    };
}

/// The first operand equal to the extreme takes the whole slope.
fn first_winner<T: Scalar>(at: usize, x: &[T], y: T) -> T {
    if x.iter().position(|&x| x == y) == Some(at) {
        T::ONE
    } else {
        T::ZERO
    }
}

rule!(
    Add,
    add,
    Some(2),
    "a + b.",
    join | a,
    b | a + b,
    slope | _at,
    _x,
    _y | T::ONE,
    passes | _at | true,
    ints | a,
    b | a.checked_add(b)
);
rule!(
    Sum,
    sum,
    None,
    "The sum of all inputs.",
    join | a,
    b | a + b,
    slope | _at,
    _x,
    _y | T::ONE,
    passes | _at | true,
    ints | a,
    b | a.checked_add(b)
);
rule!(
    Sub,
    sub,
    Some(2),
    "a − b.",
    join | a,
    b | a - b,
    slope | at,
    _x,
    _y | if at == 0 { T::ONE } else { -T::ONE },
    passes | at | at == 0,
    ints | a,
    b | a.checked_sub(b)
);
rule!(
    Mul,
    mul,
    Some(2),
    "a · b.",
    join | a,
    b | a * b,
    slope | at,
    x,
    _y | x[1 - at],
    passes | _at | false,
    ints | a,
    b | a.checked_mul(b)
);
rule!(
    Div,
    div,
    Some(2),
    "a / b; of integers, towards zero.",
    join | a,
    b | a / b,
    slope | at,
    x,
    y | if at == 0 { T::ONE / x[1] } else { -y / x[1] },
    passes | _at | false,
    ints | a,
    b | a.checked_div(b)
);
rule!(
    Pow,
    pow,
    Some(2),
    "aᵇ.",
    join | a,
    b | a.powf(b),
    slope | at,
    x,
    y | match at {
        0 if x[1] == T::ZERO => T::ZERO,
        0 => x[1] * x[0].powf(x[1] - T::ONE),
        _ if x[0] == T::ZERO => T::ZERO,
        _ => y * x[0].ln(),
    },
    passes | _at | false,
    ints | a,
    b | u32::try_from(b).ok().and_then(|b| a.checked_pow(b))
);
rule!(
    Max,
    max,
    None,
    "The largest of all inputs; NaN if any is.",
    join | a,
    b | if b > a || !b.is_finite() && b.ne(&b) {
        b
    } else {
        a
    },
    slope | at,
    x,
    y | first_winner(at, x, y),
    passes | _at | false,
    ints | a,
    b | Some(a.max(b))
);
rule!(
    Min,
    min,
    None,
    "The smallest of all inputs; NaN if any is.",
    join | a,
    b | if b < a || !b.is_finite() && b.ne(&b) {
        b
    } else {
        a
    },
    slope | at,
    x,
    y | first_winner(at, x, y),
    passes | _at | false,
    ints | a,
    b | Some(a.min(b))
);
rule!(
    PRelu,
    prelu_rule,
    Some(2),
    "x above 0, slope · x elsewhere.",
    join | x,
    slope | if x > T::ZERO { x } else { slope * x },
    slope | at,
    x,
    _y | match (at, x[0] > T::ZERO) {
        (0, true) => T::ONE,
        (0, false) => x[1],
        (_, true) => T::ZERO,
        (_, false) => x[0],
    },
    passes | _at | false,
    ints | _x,
    _slope | None
);

/// x above 0, slope · x elsewhere; the slope is a trainable parameter.
pub(super) fn prelu(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let mut built = prelu_rule(node)?;
    if let Built::Steps(specs) = &mut built {
        specs[0].params = vec![1];
    }
    Ok(built)
}
