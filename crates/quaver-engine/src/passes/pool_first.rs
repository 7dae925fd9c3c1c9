//! Takes means over windows before a 1×1 convolution instead of after it.
//!
//! Both are linear, one over positions and one over channels, so that their order does not matter to what comes out, nor to
//! any derivative by the weights or by what was read; but the convolution then has as many positions as the mean leaves.
//! DenseNet's transitions are such a pair.

use std::sync::Arc;

use crate::graph::{Graph, Node, Value, ValueId};

/// Where a convolution's output is read by a mean alone, and by nobody in `keep`, the two change places.
pub(super) fn run(graph: &mut Graph, keep: &[ValueId]) {
    let n_uses = graph.n_uses(keep);
    let mut producer: Vec<Option<usize>> = vec![None; graph.values.len()];
    for at in 0..graph.nodes.len() {
        let Node {
            op, inputs, output, ..
        } = &graph.nodes[at];
        producer[output.index()] = Some(at);
        let &[between] = inputs.as_slice() else {
            continue;
        };
        let Some(layer) = producer[between.index()].filter(|_| n_uses[between.index()] == 1) else {
            continue;
        };
        let &[read] = graph.nodes[layer].inputs.as_slice() else {
            continue;
        };
        let Some(mean) = op.as_mean() else { continue };
        let Some(moved) = graph.nodes[layer].op.on_grid(mean.grid()) else {
            continue;
        };
        let n_channels = graph.shape(read)[1];
        let mut shape = graph.shape(*output).to_vec();
        shape[1] = n_channels;
        let Value { name, element, .. } = &graph.values[read.index()];
        let pooled = Value::variable(format!("{name}, pooled"), shape, *element);
        let pooled_value = ValueId(graph.values.len() as u32);
        let pool = Node {
            op: Arc::from(mean.of(n_channels)),
            inputs: vec![read],
            output: pooled_value,
            ..graph.nodes[at].clone()
        };
        let conv = Node {
            op: moved,
            inputs: vec![pooled_value],
            output: *output,
            ..graph.nodes[layer].clone()
        };
        graph.values.push(pooled);
        producer.push(Some(layer));
        producer[conv.output.index()] = Some(at);
        graph.nodes[layer] = pool;
        graph.nodes[at] = conv;
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::proto::AttributeProto;
    use crate::passes::testing::{self, node, numbers, tensor};
    use crate::{Graph, ProgramOptions};

    /// A convolution of 2 channels to 3 with a bias, and a mean of its output.
    fn model(kernel: i64, op_type: &str, pool: &[AttributeProto]) -> Graph {
        testing::graph(
            vec![
                node("Conv", &["x", "w", "b"], "c", &[]),
                node(op_type, &["c"], "y", pool),
            ],
            vec![tensor("w", &[3, 2, kernel, kernel]), tensor("b", &[3])],
        )
    }

    /// The operators in the order in which they are run.
    fn order(graph: &Graph, keep: &[crate::ValueId]) -> Vec<String> {
        let output = graph.outputs()[0];
        let fused = crate::passes::fused(graph, output, keep, ProgramOptions::default());
        let known = |name: &&str| ["Conv", "AveragePool", "GlobalAveragePool"].contains(name);
        let names = fused.nodes.iter().map(|node| node.op_type.as_str());
        names.filter(known).map(str::to_owned).collect()
    }

    #[test]
    fn a_mean_and_a_pointwise_convolution_change_places_and_nothing_else_changes() {
        let ints = AttributeProto::ints;
        let halves = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        let padded = |counted| {
            let mut attributes = halves.to_vec();
            attributes.push(ints("pads", &[1, 1, 1, 1]));
            attributes.push(AttributeProto::int("count_include_pad", counted));
            attributes
        };
        for (kernel, op, attributes, moves) in [
            (1, "AveragePool", halves.to_vec(), true),
            (1, "GlobalAveragePool", Vec::new(), true),
            (1, "AveragePool", padded(0), true),
            // Where padding counts, the bias is not averaged by weights that sum to 1.
            (1, "AveragePool", padded(1), false),
            (3, "AveragePool", halves.to_vec(), false),
            // As many positions as before: nothing is gained.
            (1, "AveragePool", vec![ints("kernel_shape", &[1, 1])], false),
        ] {
            let graph = model(kernel, op, &attributes);
            let between = graph.find("c").unwrap();
            let first = if moves { op } else { "Conv" };
            assert_eq!(order(&graph, &[])[0], first, "{op} {attributes:?}");
            assert_eq!(order(&graph, &[between])[0], "Conv", "what is kept stays");
            let parameters = ["w", "b"];
            let moved = numbers(&graph, &parameters, &[]);
            let kept = numbers(&graph, &parameters, &["c"]);
            assert_eq!(moved.len(), kept.len());
            for (a, b) in moved.iter().zip(&kept) {
                assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{op}: {a} {b}");
            }
        }
    }
}
