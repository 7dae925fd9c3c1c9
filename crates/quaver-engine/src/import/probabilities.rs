//! Outputs that are probabilities without ending in a softmax: x/Σx of positive x is written as the softmax of
//! log x, which is the same numbers, so that the head is found behind it.

use std::collections::BTreeMap;

use super::{Importer, Opsets};
use crate::EngineError;
use crate::compose::{BODY_OPSET, Body};
use crate::graph::{Graph, Node, ValueId};
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::op::{Lower, Operator};

/// What an operator makes of inputs of the given lengths that are the same everywhere.
fn at(op: &dyn Operator, n_in: &[usize], n_out: usize, x: f64) -> Vec<f64> {
    let mut y = vec![0.0; n_out];
    let inputs: Vec<Vec<f64>> = n_in.iter().map(|&n| vec![x; n]).collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    Lower::<f64>::lower(op).forward(&inputs, &mut y, None, &mut Vec::new());
    y
}

impl Importer {
    /// `output`, or the same numbers as a softmax.
    pub(super) fn as_softmax(&mut self, output: ValueId) -> Result<ValueId, EngineError> {
        let Some(x) = self.graph.share_of(output) else {
            return Ok(output);
        };
        let name = self.graph.name(output).to_owned();
        let proto = NodeProto {
            name: name.clone(),
            output: vec![format!("{name}#softmax")],
            ..Default::default()
        };
        // The logarithm of a sigmoid stays finite where the sigmoid is rounded to zero.
        let sigmoid = self.graph.node_of(x, "Sigmoid").map(|node| node.inputs[0]);
        let x = self.graph.name(sigmoid.unwrap_or(x)).to_owned();
        let mut body = Body::of(&proto);
        let logits = match sigmoid {
            Some(_) => {
                let opposite = body.op("Neg", &[&x]);
                let minus = body.op("Softplus", &[&opposite]);
                body.op("Neg", &[&minus])
            }
            None => body.op("Log", &[&x]),
        };
        let y = body.with("Softmax", &[&logits], vec![AttributeProto::int("axis", -1)]);
        body.outputs = vec![Some(y)];
        let opsets = Opsets {
            default: BODY_OPSET,
            ml: 1,
        };
        self.body(&proto, body, opsets, 0)?;
        self.lookup(&proto.output[0])
    }
}

impl Graph {
    /// The positive x of which `output` is x/Σx, along the last axis, if that is what it is.
    fn share_of(&self, output: ValueId) -> Option<ValueId> {
        let quotient = self.node_of(output, "Div")?;
        let &[x, sum] = quotient.inputs.as_slice() else {
            return None;
        };
        let n = self.n_elements(x);
        let is_share = self.n_elements(sum) == 1
            && n > 1
            && self.shape(x).last() == Some(&n)
            && self.total(x) == self.total(sum);
        (is_share && self.is_positive(x)).then_some(x)
    }

    /// The sum of a value's elements as those of others, each so many times: of what neither adds nor rearranges.
    fn total(&self, value: ValueId) -> BTreeMap<ValueId, f64> {
        let mut total = BTreeMap::new();
        // The last to be computed first, so that each value comes by once, with all that is asked of it.
        let mut waiting = BTreeMap::from([((self.producer(value), value), 1.0)]);
        while let Some(((at, value), times)) = waiting.pop_last() {
            match at.and_then(|at| self.parts(&self.nodes[at])) {
                Some(parts) => {
                    for (part, n) in parts {
                        *waiting.entry((self.producer(part), part)).or_default() += times * n;
                    }
                }
                None => *total.entry(value).or_default() += times,
            }
        }
        total
    }

    /// The values of whose elements those that `node` computes are the sum, each so many times.
    fn parts(&self, node: &Node) -> Option<Vec<(ValueId, f64)>> {
        let n = self.n_elements(node.output);
        // How often each element is in the broadcast of a value.
        let repeated = |x: ValueId| (x, n as f64 / self.n_elements(x) as f64);
        match (node.op_type.as_str(), node.inputs.as_slice()) {
            ("Add" | "Sum", &[a, b]) => Some(vec![repeated(a), repeated(b)]),
            ("Reshape", &[x]) => Some(vec![(x, 1.0)]),
            ("ReduceSum", &[x]) if n == 1 => Some(vec![(x, 1.0)]),
            ("ReduceL1", &[x]) if n == 1 && self.is_positive(x) => Some(vec![(x, 1.0)]),
            ("Abs", &[x]) if self.is_positive(x) => Some(vec![(x, 1.0)]),
            ("Mul", &[x]) if n == 1 => Some(vec![(x, at(&*node.op, &[1], 1, 1.0)[0])]),
            _ => None,
        }
    }

    /// The node that computes a value, if it is of that operator.
    pub(crate) fn node_of(&self, value: ValueId, op_type: &str) -> Option<&Node> {
        let node = &self.nodes[self.producer(value)?];
        (node.op_type == op_type).then_some(node)
    }

    /// Whether a value is certain to be nowhere negative, by the operators that lead to it.
    pub(crate) fn is_positive(&self, value: ValueId) -> bool {
        self.is_positive_within(value, 32, &mut BTreeMap::new())
    }

    /// The same, if no more than `depth` operators say so; `known` is what was found of other values.
    fn is_positive_within(
        &self,
        value: ValueId,
        depth: usize,
        known: &mut BTreeMap<ValueId, bool>,
    ) -> bool {
        if let Some(&known) = known.get(&value) {
            return known;
        }
        let Some(at_node) = self.producer(value) else {
            return false;
        };
        let node = &self.nodes[at_node];
        let mut inputs = || {
            let mut all = node.inputs.iter();
            depth > 0 && all.all(|&x| self.is_positive_within(x, depth - 1, known))
        };
        let found = match node.op_type.as_str() {
            "Abs" | "Equal" | "Exp" | "HardSigmoid" | "Not" | "ReduceL1" | "ReduceL2"
            | "ReduceSumSquare" | "Sigmoid" | "Softmax" | "Softplus" => true,
            "Concat" | "Div" | "Expand" | "Flatten" | "Gather" | "Mul" | "Reciprocal"
            | "Reshape" | "Slice" | "Split" | "Sqrt" | "Squeeze" | "Transpose" | "Unsqueeze" => {
                inputs() && self.keeps_sign(node, 1.0)
            }
            "Clip" | "IsTrue" | "Max" | "Min" | "Real" | "ReduceMax" | "ReduceMean"
            | "ReduceMin" | "ReduceSum" | "Sum" | "Truncate" => {
                inputs() && self.keeps_sign(node, 0.0)
            }
            "Add" => inputs() && self.keeps_sign(node, 0.0),
            _ => false,
        };
        known.insert(value, found);
        found
    }

    /// Whether the constants that an operator captured are nowhere negative: what it makes of inputs of `x`.
    fn keeps_sign(&self, node: &Node, x: f64) -> bool {
        let n_in = node.inputs.iter().map(|&x| self.n_elements(x));
        let n_in: Vec<usize> = n_in.collect();
        let y = at(&*node.op, &n_in, self.n_elements(node.output), x);
        y.iter().all(|&y| y >= 0.0)
    }
}

/// Whether an operator of one input is p ↦ 1 − p: what stands beside p for the first of two classes.
pub(crate) fn is_complement(op: &dyn Operator, n: usize) -> bool {
    [0.25, 0.5, 1.0]
        .iter()
        .all(|&p| at(op, &[n], n, p).iter().all(|&y| y == 1.0 - p))
}
