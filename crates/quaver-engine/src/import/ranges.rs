//! Between which numbers a value is certain to lie, by the operators that lead to it: how outputs are told to be
//! probabilities where no softmax is found.

use super::probabilities::at;
use crate::graph::{Graph, Node, ValueId};
use crate::tensor::Element;

/// The largest and the smallest number that elements of a value can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    low: f64,
    high: f64,
}

/// Finite, so that no operator makes a NaN of it.
const ANY: Range = Range {
    low: -f64::MAX,
    high: f64::MAX,
};
const POSITIVE: Range = Range { low: 0.0, ..ANY };
const SHARE: Range = Range {
    low: 0.0,
    high: 1.0,
};
const AROUND_ZERO: Range = Range { low: -1.0, ..SHARE };

/// Larger values are not looked into: a network's answer is not among them.
const MOST_ELEMENTS: usize = 1 << 24;

impl Range {
    /// Whether it holds no negative number.
    pub(crate) fn is_positive(self) -> bool {
        self.low >= 0.0
    }
}

/// What is known of an operator's output by those of its inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    /// It lies there whatever they are.
    Always(Range),
    /// Growing in each of them.
    Growing,
    /// The same, and cut off.
    Clip,
    /// Growing or falling, element by element, where there is one.
    Monotone,
    /// As that; and of what is positive, or the same twice.
    Product,
    /// Growing where they are positive.
    Logarithm,
    /// Positive where they are.
    Quotient,
    /// Nothing.
    Unknown,
}

fn rule(op_type: &str) -> Rule {
    match op_type {
        "And" | "Equal" | "Greater" | "GreaterOrEqual" | "HardSigmoid" | "IsInf" | "IsNaN"
        | "IsTrue" | "Less" | "LessOrEqual" | "Not" | "Or" | "Sigmoid" | "Softmax" | "Xor" => {
            Rule::Always(SHARE)
        }
        "Cos" | "Erf" | "Sin" | "Softsign" | "Tanh" => Rule::Always(AROUND_ZERO),
        "Abs" | "Exp" | "ReduceL1" | "ReduceL2" | "ReduceSumSquare" | "Softplus" => {
            Rule::Always(POSITIVE)
        }
        "LogSoftmax" => Rule::Always(Range { high: 0.0, ..ANY }),
        "Clip" => Rule::Clip,
        "Add" | "AveragePool" | "Ceil" | "Concat" | "Expand" | "Flatten" | "Floor" | "Gather"
        | "GlobalAveragePool" | "GlobalMaxPool" | "Max" | "MaxPool" | "Min" | "Real"
        | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum" | "Relu" | "Reshape" | "Round"
        | "Slice" | "Split" | "Squeeze" | "Sum" | "Tile" | "Transpose" | "Truncate"
        | "Unsqueeze" | "Where" => Rule::Growing,
        "Neg" | "Sub" => Rule::Monotone,
        "Mul" => Rule::Product,
        "Log" => Rule::Logarithm,
        "Div" | "Pow" | "Reciprocal" | "Sqrt" => Rule::Quotient,
        _ => Rule::Unknown,
    }
}

impl Graph {
    /// The ranges of a value and of those it is computed from, each found once, as far back as an operator is known; of
    /// all others nothing is said.
    pub(crate) fn ranges_of(&self, value: ValueId) -> Vec<Range> {
        let mut is_asked = vec![false; self.values.len()];
        is_asked[value.index()] = true;
        for node in self.nodes.iter().rev() {
            if is_asked[node.output.index()] && rule(&node.op_type) != Rule::Unknown {
                for input in &node.inputs {
                    is_asked[input.index()] = true;
                }
            }
        }
        let mut ranges = vec![ANY; self.values.len()];
        for node in &self.nodes {
            if is_asked[node.output.index()] {
                let inputs: Vec<Range> = node.inputs.iter().map(|x| ranges[x.index()]).collect();
                ranges[node.output.index()] = self.range(node, &inputs);
            }
        }
        ranges
    }

    fn range(&self, node: &Node, inputs: &[Range]) -> Range {
        let is_open = inputs.contains(&ANY);
        let is_positive = inputs.iter().all(|input| input.is_positive());
        match rule(&node.op_type) {
            Rule::Always(range) => range,
            // A sigmoid made of straight lines is one; what is cut off elsewhere is an activation, as ReLU is.
            Rule::Clip if is_open => match self.between(node, inputs) {
                range if range.low >= 0.0 && range.high <= 1.0 => range,
                _ => ANY,
            },
            _ if is_open => ANY,
            Rule::Clip | Rule::Growing => self.between(node, inputs),
            Rule::Monotone | Rule::Product if inputs.len() == 1 => self.between(node, inputs),
            Rule::Logarithm | Rule::Product if is_positive => self.between(node, inputs),
            Rule::Product if matches!(node.inputs.as_slice(), [a, b] if a == b) => POSITIVE,
            Rule::Quotient if is_positive => {
                let one = Range {
                    low: 1.0,
                    high: 1.0,
                };
                match self.between(node, &vec![one; inputs.len()]) {
                    range if range.is_positive() => POSITIVE,
                    _ => ANY,
                }
            }
            _ => ANY,
        }
    }

    /// What is between all that an operator makes of the ends of its inputs' ranges: with the constants it captured, and
    /// whichever way a condition goes.
    fn between(&self, node: &Node, inputs: &[Range]) -> Range {
        let n_out = self.n_elements(node.output);
        let n_in = node.inputs.iter().map(|&x| self.n_elements(x));
        if n_in.chain([n_out]).any(|n| n > MOST_ELEMENTS) {
            return ANY;
        }
        let mut ends: Option<Range> = None;
        for (is_high, condition) in [(false, 0.0), (false, 1.0), (true, 0.0), (true, 1.0)] {
            let filled = node.inputs.iter().zip(inputs).map(|(&value, range)| {
                let x = match self.values[value.index()].element {
                    Element::Bool => condition,
                    _ if is_high => range.high,
                    _ => range.low,
                };
                (self.n_elements(value), x)
            });
            for y in at(&*node.op, &filled.collect::<Vec<_>>(), n_out) {
                if y.is_nan() {
                    return ANY;
                }
                let y = y.clamp(ANY.low, ANY.high);
                let (low, high) = ends.map_or((y, y), |r| (r.low.min(y), r.high.max(y)));
                ends = Some(Range { low, high });
            }
        }
        ends.unwrap_or(ANY)
    }
}
