//! Folds a per-channel affine (an inference batch normalisation) into the layer before it.

use crate::graph::{Graph, Node, ValueId};

/// Where a layer's output is read by one affine alone, and by nobody in `keep`, the layer absorbs it.
pub(super) fn run(graph: &mut Graph, keep: &[ValueId]) {
    let n_uses = graph.n_uses(keep);
    let mut producer: Vec<Option<usize>> = vec![None; graph.values.len()];
    let mut absorbed = vec![false; graph.nodes.len()];
    for (at, absorbed) in absorbed.iter_mut().enumerate() {
        let node = &graph.nodes[at];
        let output = node.output;
        producer[output.index()] = Some(at);
        let (Some((scale, shift)), &[input]) = (node.op.as_affine(), node.inputs.as_slice()) else {
            continue;
        };
        let Some(layer) = producer[input.index()].filter(|_| n_uses[input.index()] == 1) else {
            continue;
        };
        // Parameters that are differentiated by have to stay what they are.
        let trained = |node: &Node| node.params.iter().any(|param| keep.contains(&param.value));
        if trained(&graph.nodes[layer]) || trained(node) {
            continue;
        }
        if let Some(op) = graph.nodes[layer].op.with_affine(scale, shift) {
            let params = graph.nodes[at].params.clone();
            let layer_node = &mut graph.nodes[layer];
            layer_node.op = op;
            layer_node.output = output;
            layer_node.params.extend(params);
            producer[output.index()] = Some(layer);
            *absorbed = true;
        }
    }
    let mut absorbed = absorbed.into_iter();
    graph.nodes.retain(|_| absorbed.next() == Some(false));
}
