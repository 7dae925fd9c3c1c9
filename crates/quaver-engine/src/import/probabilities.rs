//! Outputs that are probabilities without ending in a softmax: x/Σx of positive x is written as the softmax of
//! log x, which is the same numbers, so that the head is found behind it.

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
        let x = self.graph.name(x).to_owned();
        let mut body = Body::of(&proto);
        let logits = body.op("Log", &[&x]);
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
        let mut total = sum;
        while let Some(node) = self.node_of(total, "Reshape") {
            total = *node.inputs.first()?;
        }
        let reduce = self
            .node_of(total, "ReduceSum")
            .or_else(|| self.node_of(total, "ReduceL1"))?;
        let n = self.n_elements(x);
        let is_share = reduce.inputs == [x]
            && self.n_elements(sum) == 1
            && n > 1
            && self.shape(x).last() == Some(&n);
        (is_share && self.is_positive(x, 0)).then_some(x)
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
            "Equal" | "Exp" | "Not" | "Sigmoid" | "Softmax" | "Softplus" => true,
            "Concat" | "Div" | "Gather" | "Mul" | "Reciprocal" | "Reshape" | "Slice" | "Split"
            | "Squeeze" | "Transpose" | "Unsqueeze" => inputs() && self.keeps_sign(node, 1.0),
            "IsTrue" | "Real" | "ReduceSum" | "ReduceMean" | "Sum" | "Truncate" => {
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
