//! Which outputs are wanted, which nodes lead to them, and whether each has a known operator.

use std::collections::{HashMap, HashSet};

use super::functions::Call;
use super::{Shapes, is_default, node_name};
use crate::onnx::proto::{GraphProto, NodeProto};
use crate::onnx::tensors::data_type;
use crate::ops;
use crate::{EngineError, UnsupportedNode};

/// The outputs to read: all, but of a classifier that gives labels beside probabilities only the latter, since
/// a label has no derivative.
pub(super) fn wanted_outputs(proto: &GraphProto, shapes: Shapes) -> Vec<&str> {
    let is_label = |at: usize| {
        let tensor = proto.output[at].r#type.as_ref()?.tensor_type.as_ref()?;
        (tensor.elem_type != 0).then(|| !data_type::is_float(tensor.elem_type))
    };
    let all = 0..proto.output.len();
    let numbers: Vec<usize> = all
        .clone()
        .filter(|&at| is_label(at) != Some(true))
        .collect();
    let wanted = if numbers.is_empty() || shapes == Shapes::Whole {
        all.collect()
    } else {
        numbers
    };
    let names = wanted.into_iter().map(|at| proto.output[at].name.as_str());
    names.filter(|name| !name.is_empty()).collect()
}

/// The nodes that lead to `wanted`, in the file's order.
pub(super) fn nodes<'a>(
    calls: Vec<Call<'a>>,
    wanted: &[&str],
) -> Result<Vec<Call<'a>>, EngineError> {
    let mut producer = HashMap::new();
    for (at, call) in calls.iter().enumerate() {
        for output in call.node.output.iter().filter(|name| !name.is_empty()) {
            if producer.insert(output.as_str(), at).is_some() {
                return Err(EngineError::format(format!(
                    "node '{}' ({}): value '{output}' is computed twice",
                    node_name(&call.node),
                    call.node.op_type
                )));
            }
        }
    }
    let mut live = vec![false; calls.len()];
    let mut open: Vec<&str> = wanted.to_vec();
    while let Some(name) = open.pop() {
        if let Some(&at) = producer.get(name)
            && !std::mem::replace(&mut live[at], true)
        {
            reads(&calls[at].node, &mut |name| open.push(name));
        }
    }
    drop(producer);
    let nodes = calls.into_iter().zip(live);
    Ok(nodes
        .filter_map(|(call, live)| live.then_some(call))
        .collect())
}

/// Every name that `live` reads, and `wanted`.
pub(super) fn used_names<'a>(live: &'a [Call<'_>], wanted: &[&'a str]) -> HashSet<&'a str> {
    let mut used: HashSet<&str> = wanted.iter().copied().collect();
    for call in live {
        reads(&call.node, &mut |name| {
            used.insert(name);
        });
    }
    used
}

/// The values a node reads, those that its branches take from around it included.
fn reads<'a>(node: &'a NodeProto, visit: &mut dyn FnMut(&'a str)) {
    node.input.iter().for_each(|name| visit(name));
    for graph in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
        graph.node.iter().for_each(|node| reads(node, visit));
        graph.output.iter().for_each(|output| visit(&output.name));
    }
}

/// What a node reads that is not a tensor of its own.
pub(super) fn reads_any(node: &NodeProto, names: &HashSet<String>) -> bool {
    let mut found = false;
    reads(node, &mut |name| found |= names.contains(name));
    found
}

/// Whether an operator is known in the opset of its node.
pub(super) fn is_known(call: &Call<'_>) -> bool {
    let node = &call.node;
    ops::find(&node.domain, &node.op_type)
        .is_some_and(|def| def.since <= call.opsets.of(&node.domain))
}

/// What is said of a node that cannot be read.
pub(super) fn unsupported(call: &Call<'_>, reason: String) -> UnsupportedNode {
    let node = &call.node;
    UnsupportedNode {
        node: node_name(node).to_owned(),
        operator: match is_default(&node.domain) {
            true => node.op_type.clone(),
            false => format!("{}.{}", node.domain, node.op_type),
        },
        opset: call.opsets.of(&node.domain),
        reason,
    }
}

/// One error that names everything that is not supported, rather than one per attempt: each operator that is
/// missing with its first node, and each node of an operator that is there.
pub(super) fn refuse(nodes: Vec<UnsupportedNode>) -> EngineError {
    let mut missing: Vec<(&UnsupportedNode, usize)> = Vec::new();
    let mut list: Vec<String> = Vec::new();
    for node in nodes.iter().filter(|node| node.reason.starts_with(MISSING)) {
        match missing
            .iter_mut()
            .find(|(other, _)| other.operator == node.operator)
        {
            Some((_, count)) => *count += 1,
            None => missing.push((node, 1)),
        }
    }
    for (first, count) in &missing {
        let UnsupportedNode {
            node,
            operator,
            opset,
            reason,
        } = first;
        let why = reason.trim_start_matches(MISSING);
        list.push(match count {
            1 => format!("{operator} in opset {opset} (node '{node}'){why}"),
            _ => format!("{operator} in opset {opset} ({count} nodes, first '{node}'){why}"),
        });
    }
    let mut message = Vec::new();
    if !list.is_empty() {
        message.push(format!(
            "operators that are not supported: {}",
            list.join(", ")
        ));
    }
    let others = nodes
        .iter()
        .filter(|node| !node.reason.starts_with(MISSING));
    message.extend(others.map(|node| {
        format!(
            "node '{}' ({}, opset {}): {}",
            node.node, node.operator, node.opset, node.reason
        )
    }));
    message.push("docs/operators.md lists what is read".to_owned());
    EngineError::of_nodes(message.join("; "), nodes)
}

/// What is said of an operator that is not there.
pub(super) fn missing(op_type: &str) -> String {
    match ops::refusal(op_type) {
        Some(why) => format!("{MISSING}: {why}"),
        None => MISSING.to_owned(),
    }
}

const MISSING: &str = "not a supported operator";
