//! If, with a condition known at load: the branch that is taken is read in its place.

use crate::EngineError;
use crate::compose::{Body, PRIVATE};
use crate::onnx::node::NodeContext;
use crate::onnx::tensors;
use crate::op::Built;

/// Reads an If node.
pub(super) fn branch(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let condition = node.required_constant(0, "condition")?.numbers();
    let holds = condition.first().is_some_and(|&x| x != 0.0);
    let name = if holds { "then_branch" } else { "else_branch" };
    let graph = node
        .attribute(name)
        .and_then(|a| a.g.as_ref())
        .ok_or_else(|| EngineError::format(format!("attribute {name} is missing")))?;
    if graph.node.iter().any(|node| node.domain == PRIVATE) {
        return Err(EngineError::format(
            "a branch with an operator of no domain",
        ));
    }
    let mut body = Body::new(node);
    for initializer in &graph.initializer {
        let tensor = tensors::tensor(initializer, None)?;
        body.parameters.push((initializer.name.clone(), tensor));
    }
    body.nodes.clone_from(&graph.node);
    body.is_branch = true;
    let outputs = graph.output.iter().map(|output| Some(output.name.clone()));
    body.finish(outputs.collect())
}
