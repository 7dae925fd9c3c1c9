//! Outputs that are probabilities without ending in a softmax: x/Σx of positive x is written as the softmax of
//! log x, which is the same numbers, so that the head is found behind it.

use std::collections::BTreeMap;

use super::ranges::Range;
use super::{Importer, Opsets};
use crate::EngineError;
use crate::compose::{BODY_OPSET, Body};
use crate::graph::{Graph, Node, ValueId};
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::op::{Lower, Operator};

/// What an operator makes of inputs of the given lengths, each of one number everywhere.
pub(super) fn at(op: &dyn Operator, inputs: &[(usize, f64)], n_out: usize) -> Vec<f64> {
    let mut y = vec![0.0; n_out];
    let inputs: Vec<Vec<f64>> = inputs.iter().map(|&(n, x)| vec![x; n]).collect();
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
        // The logarithms of a sigmoid and of an exponential stay finite where these are rounded to zero.
        let inside = |op_type: &str| {
            let node = self.graph.node_of(x, op_type)?;
            Some(self.graph.name(node.inputs[0]).to_owned())
        };
        let mut body = Body::of(&proto);
        let logits = if let Some(x) = inside("Sigmoid") {
            let opposite = body.op("Neg", &[&x]);
            let minus = body.op("Softplus", &[&opposite]);
            body.op("Neg", &[&minus])
        } else if let Some(x) = inside("Exp") {
            x
        } else {
            body.op("Log", &[&self.graph.name(x).to_owned()])
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
        let is_share = self.n_elements(sum) == 1 && n > 1 && self.shape(x).last() == Some(&n);
        if !is_share {
            return None;
        }
        let ranges = self.ranges_of(output);
        let is_share =
            ranges[x.index()].is_positive() && self.total(x, &ranges) == self.total(sum, &ranges);
        is_share.then_some(x)
    }

    /// The sum of a value's elements as those of others, each so many times: of what neither adds nor rearranges.
    fn total(&self, value: ValueId, ranges: &[Range]) -> BTreeMap<ValueId, f64> {
        let mut total = BTreeMap::from([(value, 1.0)]);
        // The last to be computed first, so that each value comes by once, with all that is asked of it.
        for node in self.nodes.iter().rev() {
            if !total.contains_key(&node.output) {
                continue;
            }
            let Some(parts) = self.parts(node, ranges) else {
                continue;
            };
            let times = total.remove(&node.output).unwrap_or_default();
            for (part, n) in parts {
                *total.entry(part).or_default() += times * n;
            }
        }
        total
    }

    /// The values of whose elements those that `node` computes are the sum, each so many times.
    fn parts(&self, node: &Node, ranges: &[Range]) -> Option<Vec<(ValueId, f64)>> {
        let n = self.n_elements(node.output);
        // How often each element is in the broadcast of a value.
        let repeated = |x: ValueId| (x, n as f64 / self.n_elements(x) as f64);
        let is_positive = |x: ValueId| ranges[x.index()].is_positive();
        match (node.op_type.as_str(), node.inputs.as_slice()) {
            ("Add" | "Sum", &[a, b]) => Some(vec![repeated(a), repeated(b)]),
            ("Reshape", &[x]) => Some(vec![(x, 1.0)]),
            ("ReduceSum", &[x]) if n == 1 => Some(vec![(x, 1.0)]),
            ("ReduceL1", &[x]) if n == 1 && is_positive(x) => Some(vec![(x, 1.0)]),
            ("Abs", &[x]) if is_positive(x) => Some(vec![(x, 1.0)]),
            ("Mul", &[x]) if n == 1 => Some(vec![(x, at(&*node.op, &[(1, 1.0)], 1)[0])]),
            _ => None,
        }
    }

    /// The node that computes a value, if it is of that operator.
    pub(crate) fn node_of(&self, value: ValueId, op_type: &str) -> Option<&Node> {
        let node = &self.nodes[self.producer(value)?];
        (node.op_type == op_type).then_some(node)
    }
}

/// Whether an operator of one input is p ↦ 1 − p: what stands beside p for the first of two classes.
pub(crate) fn is_complement(op: &dyn Operator, n: usize) -> bool {
    [0.25, 0.5, 1.0]
        .iter()
        .all(|&p| at(op, &[(n, p)], n).iter().all(|&y| y == 1.0 - p))
}
