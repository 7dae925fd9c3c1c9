//! Lets a layer multiply its cotangents by the slope of the per-channel affine (an inference batch normalisation) behind it.
//!
//! Where parameters of either are differentiated by, the two stay apart ([`super::fold_affine`]); but the layer has the slope in the
//! weights of its way back, and the affine no pass over its cotangents, which branches of the network may share as they are.

use crate::graph::{Graph, ValueId};

/// Where a layer's output is read by one affine alone, and by nobody in `keep`, the layer takes its slope.
pub(super) fn run(graph: &mut Graph, keep: &[ValueId]) {
    let n_uses = graph.n_uses(keep);
    let mut producer: Vec<Option<usize>> = vec![None; graph.values.len()];
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        producer[node.output.index()] = Some(at);
        let (Some((slope, _)), &[input]) = (node.op.as_affine(), node.inputs.as_slice()) else {
            continue;
        };
        let Some(layer) = producer[input.index()].filter(|_| n_uses[input.index()] == 1) else {
            continue;
        };
        let Some(affine) = node.op.without_slope() else {
            continue;
        };
        if let Some(op) = graph.nodes[layer].op.with_slope(slope) {
            graph.nodes[layer].op = op;
            graph.nodes[at].op = affine;
        }
    }
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
