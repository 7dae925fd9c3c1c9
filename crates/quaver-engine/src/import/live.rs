//! Which outputs are wanted, which nodes lead to them, and whether each has a known operator.

use std::collections::{HashMap, HashSet};

use super::functions::{Call, Opsets};
use super::{ML, Shapes, is_default, node_name};
use crate::EngineError;
use crate::onnx::proto::{GraphProto, NodeProto};
use crate::onnx::tensors::data_type;
use crate::ops;

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

/// One error that names every operator that is missing, rather than one per attempt.
pub(super) fn refuse_unknown_operators(
    calls: &[Call<'_>],
    opsets: Opsets,
) -> Result<(), EngineError> {
    let mut unknown: Vec<(String, &NodeProto, usize)> = Vec::new();
    for Call { node, opsets } in calls {
        let known = ops::find(&node.domain, &node.op_type)
            .is_some_and(|def| def.since <= opsets.of(&node.domain));
        if known {
            continue;
        }
        let name = if is_default(&node.domain) {
            node.op_type.clone()
        } else {
            format!("{}.{}", node.domain, node.op_type)
        };
        match unknown.iter_mut().find(|(other, ..)| *other == name) {
            Some((.., count)) => *count += 1,
            None => unknown.push((name, node, 1)),
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = unknown
        .iter()
        .map(|(name, first, count)| {
            let place = match count {
                1 => format!("{name} (node '{}')", node_name(first)),
                _ => format!("{name} ({count} nodes, first '{}')", node_name(first)),
            };
            match ops::refusal(&first.op_type) {
                Some(why) => format!("{place}: {why}"),
                None => place,
            }
        })
        .collect();
    let (opset, ml) = (opsets.default, calls.iter().any(|c| c.node.domain == ML));
    let opset = match ml {
        true => format!("{opset} (ai.onnx.ml {})", opsets.ml),
        false => opset.to_string(),
    };
    Err(EngineError::unsupported(format!(
        "operators that are not supported in opset {opset}: {}",
        list.join(", ")
    )))
}
