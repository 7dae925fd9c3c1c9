//! Rewrites of a graph that leave what it computes as it is.

mod channels_last;
mod fold_affine;
mod pool_first;
#[cfg(test)]
pub(crate) mod testing;

use crate::graph::{Graph, ValueId};
use crate::op::ProgramOptions;

/// The graph's nodes that `output` needs, rewritten for speed. Values in `keep` stay computed.
pub(crate) fn fused(
    graph: &Graph,
    output: ValueId,
    keep: &[ValueId],
    options: ProgramOptions,
) -> Graph {
    let mut graph = graph.clone();
    let mut needed = graph.needed_for(output).into_iter();
    graph.nodes.retain(|_| needed.next() == Some(true));
    graph.outputs = vec![output];
    fold_affine::run(&mut graph, keep);
    pool_first::run(&mut graph, keep);
    channels_last::run(&mut graph, keep, options);
    graph
}
