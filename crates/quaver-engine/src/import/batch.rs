//! Graphs that couple the samples of a batch are refused: a sample's sensitivity would depend on its neighbours.
//!
//! A graph is read for one sample, where a mean over the batch looks like no operation at all. So a model whose batch
//! axis is open is read once more with two samples in it, and every value that depends on them must have become twice
//! as large. A softmax along the batch keeps its size, and is looked for by name. What cannot be read with two samples
//! takes only one, and couples nothing.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Importer, node_name};
use crate::EngineError;
use crate::graph::{Graph, Value};
use crate::onnx::proto::NodeProto;
use crate::tensor::Element;

impl Graph {
    /// # Errors
    /// Names the first node that couples samples.
    pub(super) fn refuse_coupling(&self) -> Result<(), EngineError> {
        let Ok(two) = self.with_two_samples() else {
            return Ok(());
        };
        let before = |value: &Value| Some(&self.values[self.find(&value.name)?.index()]);
        let count = |value: &Value| value.shape.iter().product::<usize>();
        for node in &two.nodes {
            let value = &two.values[node.output.index()];
            if let Some(one) = before(value)
                && value.element == Element::Float
                && one.constant.is_none()
                && count(value) != 2 * count(one)
            {
                return Err(coupled().within(format_args!("node '{}' ({})", node.name, node.layer)));
            }
        }
        for call in &self.source.calls {
            let input = call.node.input.first().and_then(|name| two.find(name));
            let Some(value) = input.map(|id| &two.values[id.index()]) else {
                continue;
            };
            if let Some(one) = before(value)
                && is_softmax_along_batch(&call.node, call.opsets.default, &one.shape, &value.shape)
            {
                let node = &call.node;
                return Err(coupled().within(format_args!(
                    "node '{}' ({})",
                    node_name(node),
                    node.op_type
                )));
            }
        }
        Ok(())
    }

    fn with_two_samples(&self) -> Result<Graph, EngineError> {
        let mut importer = Importer::new(HashSet::new());
        importer.graph.source = Arc::clone(&self.source);
        importer.graph.inputs.clone_from(&self.inputs);
        for (at, value) in self.values[..self.source.n_given].iter().enumerate() {
            let mut value = value.clone();
            if self.inputs.iter().any(|input| input.index() == at) {
                value.shape[0] = 2;
            }
            importer.declare(value)?;
        }
        importer.read()
    }
}

fn is_softmax_along_batch(node: &NodeProto, opset: i64, one: &[usize], two: &[usize]) -> bool {
    if !matches!(node.op_type.as_str(), "Softmax" | "LogSoftmax") {
        return false;
    }
    let Some(batch) = one.iter().zip(two).position(|(one, two)| one != two) else {
        return false;
    };
    let given = node.attribute.iter().find(|a| a.name == "axis");
    // Until opset 13 it went over all axes from the one that is named.
    let axis = given.map_or(if opset < 13 { 1 } else { -1 }, |a| a.i);
    let rank = two.len() as i64;
    let axis = if axis < 0 { axis + rank } else { axis };
    match opset < 13 {
        true => axis <= batch as i64,
        false => axis == batch as i64,
    }
}

fn coupled() -> EngineError {
    EngineError::unsupported(
        "it couples the samples of a batch, so that a sample has no sensitivity of its own; export the model with that \
         part left out, or with a batch of 1",
    )
}
