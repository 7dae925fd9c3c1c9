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
            && self.total(x, 0) == self.total(sum, 0);
        (is_share && self.is_positive(x, 0)).then_some(x)
    }

    /// The sum of a value's elements as those of others, each so many times: of what neither adds nor rearranges.
    fn total(&self, value: ValueId, depth: usize) -> BTreeMap<ValueId, f64> {
        let n = self.n_elements(value);
        let node = self.producer(value).map(|at| &self.nodes[at]);
        let node = node.filter(|_| depth < 32);
        let of_input = || node.map(|node| node.inputs[0]);
        let parts = match node.map(|node| (node.op_type.as_str(), node.inputs.as_slice())) {
            Some(("Add" | "Sum", &[a, b])) => {
                Some(vec![(a, self.repeated(a, n)), (b, self.repeated(b, n))])
            }
            Some(("Reshape", _)) => of_input().map(|x| vec![(x, 1.0)]),
            Some(("ReduceSum", _)) if n == 1 => of_input().map(|x| vec![(x, 1.0)]),
            Some(("ReduceL1", _)) if n == 1 => self.unsigned(of_input()),
            Some(("Abs", _)) => self.unsigned(of_input()),
            Some(("Mul", &[x])) if n == 1 => node
                .and_then(|node| at(&*node.op, &[1], 1, 1.0).first().copied())
                .map(|factor| vec![(x, factor)]),
            _ => None,
        };
        let Some(parts) = parts else {
            return BTreeMap::from([(value, 1.0)]);
        };
        let mut total = BTreeMap::new();
        for (part, times) in parts {
            for (value, n) in self.total(part, depth + 1) {
                *total.entry(value).or_default() += times * n;
            }
        }
        total
    }

    /// How often each element of `value` is in its broadcast to `n`.
    fn repeated(&self, value: ValueId, n: usize) -> f64 {
        n as f64 / self.n_elements(value) as f64
    }

    /// A value that its absolute value is.
    fn unsigned(&self, value: Option<ValueId>) -> Option<Vec<(ValueId, f64)>> {
        let value = value.filter(|&x| self.is_positive(x, 0))?;
        Some(vec![(value, 1.0)])
    }

    /// The node that computes a value, if it is of that operator.
    pub(crate) fn node_of(&self, value: ValueId, op_type: &str) -> Option<&Node> {
        let node = &self.nodes[self.producer(value)?];
        (node.op_type == op_type).then_some(node)
    }

    /// Whether a value is certain to be nowhere negative, by the operators that lead to it.
    pub(crate) fn is_positive(&self, value: ValueId, depth: usize) -> bool {
        let Some(at_node) = self.producer(value) else {
            return false;
        };
        let node = &self.nodes[at_node];
        let inputs = || depth < 32 && node.inputs.iter().all(|&x| self.is_positive(x, depth + 1));
        match node.op_type.as_str() {
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
        }
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
