//! Moves the channels of values to the last axis around the operators that run faster so.
//!
//! Values keep one layout each: a transposition is inserted wherever an operator needs the other, and shared by
//! all that need it. What has to stay as it is (what is differentiated by, the output) is a barrier.

use crate::graph::{Graph, Node, Value, ValueId};
use crate::op::{LayoutContext, Operator, ProgramOptions};
use crate::ops::channels::relayout;
use std::sync::Arc;

/// Rewrites `graph`; the values in `keep` stay computed as they are.
pub(super) fn run(graph: &mut Graph, keep: &[ValueId], options: ProgramOptions) {
    let nodes = std::mem::take(&mut graph.nodes);
    let mut pass = Pass {
        last_of: vec![None; graph.values.len()],
        is_plain: vec![true; graph.values.len()],
        graph,
    };
    for node in nodes {
        pass.node(node, keep, options);
    }
    let outputs = pass.graph.outputs.clone();
    outputs
        .into_iter()
        .for_each(|output| pass.make_plain(output));
}

struct Pass<'g> {
    graph: &'g mut Graph,
    /// The channels-last twin of a value, where there is one.
    last_of: Vec<Option<ValueId>>,
    /// Whether the value itself is there, and not its twin alone.
    is_plain: Vec<bool>,
}

/// N × C × spatial becomes N × spatial × C.
fn moved(shape: &[usize]) -> Vec<usize> {
    [&shape[..1], &shape[2..], &shape[1..2]].concat()
}

impl Pass<'_> {
    fn node(&mut self, mut node: Node, keep: &[ValueId], options: ProgramOptions) {
        let output = node.output;
        match self.channels_last(&node, options) {
            Some(op) => {
                node.op = op;
                node.inputs = node.inputs.iter().map(|&input| self.last(input)).collect();
                node.output = self.twin(output);
                self.graph.nodes.push(node);
                self.is_plain[output.index()] = false;
                if keep.contains(&output) {
                    // Others read what is kept, so that its cotangent is complete.
                    self.make_plain(output);
                    self.last_of[output.index()] = None;
                }
            }
            None => {
                for &input in &node.inputs {
                    self.make_plain(input);
                }
                self.graph.nodes.push(node);
            }
        }
    }

    /// The channels-last form of `node`, if it has one and it pays.
    fn channels_last(&self, node: &Node, options: ProgramOptions) -> Option<Arc<dyn Operator>> {
        let output = &self.graph.values[node.output.index()];
        let rank = output.shape.len();
        // What is computed once is not worth it.
        let fits = output.constant.is_none()
            && (3..=5).contains(&rank)
            && node
                .inputs
                .iter()
                .all(|&input| self.graph.shape(input).len() == rank);
        if !fits {
            return None;
        }
        let shapes = node
            .inputs
            .iter()
            .map(|&input| moved(self.graph.shape(input)));
        let found = node.op.channels_last(&LayoutContext {
            options,
            inputs: &shapes.collect::<Vec<_>>(),
        })?;
        let is_last = |input: &ValueId| self.last_of[input.index()].is_some();
        (found.seeks || node.inputs.iter().any(is_last)).then_some(found.op)
    }

    /// A new value: `value` with its channels last.
    fn twin(&mut self, value: ValueId) -> ValueId {
        let known = &self.graph.values[value.index()];
        let twin = Value::variable(known.name.clone(), moved(&known.shape), known.element);
        let id = ValueId(self.graph.values.len() as u32);
        self.graph.values.push(twin);
        self.last_of[value.index()] = Some(id);
        // A twin has no twin.
        self.last_of.push(None);
        self.is_plain.push(true);
        id
    }

    /// The channels-last twin of `value`, made if need be.
    fn last(&mut self, value: ValueId) -> ValueId {
        if let Some(twin) = self.last_of[value.index()] {
            return twin;
        }
        let twin = self.twin(value);
        let (channels, positions) = self.matrix(value);
        self.transpose(value, twin, relayout(channels, positions));
        twin
    }

    /// Computes `value` itself from its twin, if only that is there.
    fn make_plain(&mut self, value: ValueId) {
        if std::mem::replace(&mut self.is_plain[value.index()], true) {
            return;
        }
        let twin = self.last_of[value.index()].expect("what is not plain has a twin");
        let (channels, positions) = self.matrix(value);
        self.transpose(twin, value, relayout(positions, channels));
    }

    fn matrix(&self, value: ValueId) -> (usize, usize) {
        let shape = self.graph.shape(value);
        (shape[1], shape[2..].iter().product())
    }

    fn transpose(&mut self, from: ValueId, to: ValueId, op: Arc<dyn Operator>) {
        self.graph.nodes.push(Node {
            name: self.graph.name(from).to_owned(),
            op_type: "Transpose".to_owned(),
            layer: "Transpose".to_owned(),
            op,
            inputs: vec![from],
            output: to,
            params: Vec::new(),
        });
    }
}
