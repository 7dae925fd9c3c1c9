//! Operators that rank values: what is read after them changes by leaps as the order of two values does, and a
//! derivative at one point says nothing of it. They are refused where they lead from what may be perturbed to the
//! logits; of constants, and of ids and masks given with a sample, they are as good as any other.

use super::{live, node_name};
use crate::EngineError;
use crate::graph::{Graph, Node, ValueId};
use crate::tensor::Element;

const RANKING: [&str; 3] = ["TopK", "ArgMax", "ArgMin"];

const REASON: &str = "it ranks values that may be perturbed, and what leads from there to the logits leaps where their \
    order changes; take it out of the exported model, or name a value before it (--output)";

impl Graph {
    /// # Errors
    /// Names every node that ranks what `logits` depend on.
    pub(crate) fn refuse_ranking(&self, logits: ValueId) -> Result<(), EngineError> {
        let mut moves = vec![false; self.values.len()];
        for input in &self.inputs {
            moves[input.index()] = self.values[input.index()].element == Element::Float;
        }
        let mut refused = Vec::new();
        for (node, is_needed) in self.nodes.iter().zip(self.needed_for(logits)) {
            let is_moved = node.inputs.iter().any(|input| moves[input.index()]);
            moves[node.output.index()] = is_moved || node.params.iter().any(|p| p.is_trained);
            if is_needed && is_moved && RANKING.contains(&node.op_type.as_str()) {
                refused.push(node);
            }
        }
        // Values and places of one TopK are two nodes here.
        refused.dedup_by(|a, b| a.name == b.name);
        match refused.as_slice() {
            [] => Ok(()),
            nodes => Err(live::refuse(
                nodes.iter().map(|node| self.named(node)).collect(),
            )),
        }
    }

    fn named(&self, node: &Node) -> crate::UnsupportedNode {
        let call = self
            .source
            .calls
            .iter()
            .find(|call| node_name(&call.node) == node.name);
        crate::UnsupportedNode {
            node: node.name.clone(),
            operator: node.op_type.clone(),
            opset: call.map_or(0, |call| call.opsets.default),
            reason: REASON.to_owned(),
        }
    }
}
