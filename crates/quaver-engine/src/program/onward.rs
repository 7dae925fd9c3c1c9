//! Which steps of a reverse pass need no pass of their own over memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Instruction, Path};
use crate::graph::ValueId;
use crate::op::Flow;

/// Finds for each path that writes which steps its cotangent will go through, and which of them in stretches ([`Path::onward`]).
pub(super) fn link<T>(instructions: &mut [Instruction<T>], wrt: &[ValueId]) {
    let mut producer = HashMap::new();
    // Going back, the first step of the graph that reads a value is the last to reach it, by the last of its paths. What comes to
    // it all the same, from a layer that uses it as a parameter, goes on by itself in its turn: sums do not mind.
    let mut last = HashMap::new();
    for (at, instruction) in instructions.iter().enumerate() {
        producer.insert(instruction.value, at);
        for (path, Path { value, .. }) in instruction.paths.iter().enumerate() {
            match last.entry(*value) {
                Entry::Vacant(entry) => {
                    entry.insert((at, path));
                }
                Entry::Occupied(mut entry) if entry.get().0 == at => {
                    entry.insert((at, path));
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    let way = |at: usize, path: usize| {
        let (mut onward, mut n_at_once, mut from) = (Vec::new(), 0, Some((at, path)));
        let mut value = instructions[at].paths[path].value;
        while !wrt.iter().any(|wrt| wrt.index() == value)
            && let Some(&next) = producer.get(&value)
            && let Instruction { params, paths, .. } = &instructions[next]
            && params.is_empty()
            && let [path] = paths.as_slice()
            && path.broadcast.is_none()
            && matches!(path.flow, Flow::Pass | Flow::Scaled)
        {
            onward.push(next);
            from = from.filter(|from| last[&value] == *from).map(|_| (next, 0));
            n_at_once += usize::from(from.is_some());
            value = path.value;
        }
        (onward, n_at_once)
    };
    let mut found = Vec::new();
    for (at, instruction) in instructions.iter().enumerate() {
        for (path, Path { flow, .. }) in instruction.paths.iter().enumerate() {
            if *flow == Flow::Write {
                found.push((at, path, way(at, path)));
            }
        }
    }
    for (at, path, (onward, n_at_once)) in found {
        let path = &mut instructions[at].paths[path];
        (path.onward, path.n_at_once) = (onward, n_at_once);
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::proto::AttributeProto;
    use crate::passes::testing::{self, node, numbers, tensor};
    use crate::{Graph, Program};

    /// A ReLU that is read by two convolutions, whose outputs are added.
    fn branches() -> Graph {
        testing::graph(
            vec![
                node("Conv", &["x", "a"], "first", &[]),
                node("Relu", &["first"], "branching", &[]),
                node("Conv", &["branching", "b"], "left", &[]),
                node(
                    "Conv",
                    &["branching", "c"],
                    "right",
                    &[AttributeProto::ints("pads", &[1, 1, 1, 1])],
                ),
                node("Add", &["left", "right"], "sum", &[]),
                node("Relu", &["sum"], "end", &[]),
                node("GlobalAveragePool", &["end"], "y", &[]),
            ],
            vec![
                tensor("a", &[64, 2, 1, 1]),
                tensor("b", &[9, 64, 1, 1]),
                tensor("c", &[9, 64, 3, 3]),
            ],
        )
    }

    #[test]
    fn both_branches_know_what_their_sum_is_multiplied_by() {
        let graph = branches();
        let program =
            Program::<f64>::new(&graph, graph.outputs()[0], &[graph.find("x").unwrap()]).unwrap();
        let paths = program.instructions.iter().flat_map(|step| &step.paths);
        let ways: Vec<(usize, usize)> = paths
            .filter(|path| path.onward.len() == 1)
            .map(|path| (path.onward[0], path.n_at_once))
            .collect();
        let [(relu, first), (same, last), (_, 1)] = ways[..] else {
            panic!("{ways:?}")
        };
        assert_eq!(
            (relu, first, last),
            (same, 1, 0),
            "the first to be read is the last to be reached"
        );
    }

    #[test]
    fn what_is_kept_between_changes_nothing() {
        let graph = branches();
        let at_once = numbers(&graph, &["a", "b", "c"], &[]);
        let kept = numbers(&graph, &["a", "b", "c"], &["branching"]);
        assert_eq!(at_once.len(), kept.len());
        for (a, b) in at_once.iter().zip(&kept) {
            assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{a} {b}");
        }
    }
}
