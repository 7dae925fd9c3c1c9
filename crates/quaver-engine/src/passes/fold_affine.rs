//! Folds a per-channel affine (an inference batch normalisation) into the layer before it.
//!
//! Where parameters of either are differentiated by, the two stay apart and the layer takes the slope alone: it has that in the weights
//! of its way back, and the affine no pass over its cotangents, which branches of the network may share as they are.

use crate::graph::{Graph, Node, ValueId};

/// Where a layer's output is read by one affine alone, and by nobody in `keep`, the layer absorbs it, or its slope.
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
            let sloped = graph.nodes[layer].op.with_slope(scale);
            if let (Some(sloped), Some(passing)) = (sloped, node.op.without_slope()) {
                graph.nodes[layer].op = sloped;
                graph.nodes[at].op = passing;
            }
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

#[cfg(test)]
mod tests {
    use crate::onnx::proto::AttributeProto;
    use crate::passes::testing::{self, node, numbers, tensor};
    use crate::{Graph, ProgramOptions};

    const PARAMETERS: [&str; 4] = ["w", "b", "scale", "shift"];

    /// A convolution of 2 channels to 4 before a batch normalisation.
    fn model(kernel: i64, groups: i64) -> Graph {
        let mut variance = tensor("variance", &[4]);
        variance.double_data.iter_mut().for_each(|x| *x += 1.5);
        let channels = ["scale", "shift", "mean"].map(|name| tensor(name, &[4]));
        let weight = tensor("w", &[4, 2 / groups, kernel, kernel]);
        testing::graph(
            vec![
                node(
                    "Conv",
                    &["x", "w", "b"],
                    "c",
                    &[AttributeProto::int("group", groups)],
                ),
                node(
                    "BatchNormalization",
                    &["c", "scale", "shift", "mean", "variance"],
                    "n",
                    &[],
                ),
                node("Relu", &["n"], "r", &[]),
                node("GlobalAveragePool", &["r"], "y", &[]),
            ],
            [vec![weight, tensor("b", &[4]), variance], channels.to_vec()].concat(),
        )
    }

    /// How many affines let their cotangents pass.
    fn n_passing(graph: &Graph, kept: &[&str]) -> usize {
        let keep: Vec<crate::ValueId> = kept.iter().map(|n| graph.find(n).unwrap()).collect();
        let output = graph.outputs()[0];
        let fused = crate::passes::fused(graph, output, &keep, ProgramOptions::default());
        let nodes = fused.nodes.iter().map(|node| format!("{:?}", node.op));
        nodes.filter(|op| op.contains("passes: true")).count()
    }

    #[test]
    fn a_layer_takes_the_slope_and_no_derivative_changes() {
        for (kernel, groups) in [(1, 1), (3, 1), (2, 2)] {
            let graph = model(kernel, groups);
            assert_eq!(n_passing(&graph, &["w"]), 1, "the convolution trains");
            assert_eq!(n_passing(&graph, &["scale"]), 1, "the normalisation trains");
            assert_eq!(n_passing(&graph, &[]), 0, "one is folded into the other");
            assert_eq!(
                n_passing(&graph, &["w", "c"]),
                0,
                "what lies between is kept"
            );
            let passed = numbers(&graph, &PARAMETERS, &[]);
            let kept = numbers(&graph, &PARAMETERS, &["c"]);
            assert_eq!(passed.len(), kept.len());
            for (a, b) in passed.iter().zip(&kept) {
                assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{kernel}: {a} {b}");
            }
        }
    }
}
