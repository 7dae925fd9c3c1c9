//! Graph to program: what is on the path, which slot each value lives in and for how long.

use super::{Instruction, ParamUse, Path, Place, Program};
use crate::graph::{Graph, Node, ValueId};
use crate::op::{Flow, ProgramOptions, Real};
use crate::passes;
use crate::tensor::broadcast_index;
use crate::{EngineError, EngineErrorKind};

pub(super) fn compile<T: Real>(
    graph: &Graph,
    output: ValueId,
    wrt: &[ValueId],
    options: ProgramOptions,
) -> Result<Program<T>, EngineError> {
    let graph = passes::fused(graph, output, wrt, options);
    let trained = trained(&graph, wrt)?;
    let mut sources = wrt.to_vec();
    let nodes = graph.nodes.iter().zip(&trained);
    let training = nodes.filter(|(_, params)| !params.is_empty());
    sources.extend(training.map(|(node, _)| node.output));
    let on_path = on_path(&graph, &sources);
    for &value in wrt {
        if !graph.is_real(value) {
            return Err(EngineError::new(
                EngineErrorKind::Option,
                format!(
                    "'{}' holds integers, which cannot be differentiated by; name a value computed from it, such as the embedding of token ids",
                    graph.name(value)
                ),
            ));
        }
        let nodes = graph.nodes.iter().zip(&trained);
        let uses = nodes.filter(|(_, params)| params.iter().any(|used| wrt[used.wrt] == value));
        let starts: Vec<ValueId> = uses.map(|(node, _)| node.output).chain([value]).collect();
        let reaches = self::on_path(&graph, &starts)[output.index()];
        if !reaches {
            return Err(EngineError::new(
                EngineErrorKind::Option,
                format!(
                    "'{}' does not depend on '{}'",
                    graph.name(output),
                    graph.name(value)
                ),
            ));
        }
    }
    let plan = plan_slots(&graph, output, &trained);
    let slot_of = |value: ValueId| {
        plan.slot_of[value.index()].expect("every value that is computed or given has a slot")
    };
    let place = |value: ValueId| Place {
        value: value.index(),
        slot: plan.slot_of[value.index()].unwrap_or(usize::MAX),
        n_elements: graph.n_elements(value),
    };
    let instructions = graph
        .nodes
        .iter()
        .zip(&trained)
        .map(|(node, params)| {
            let step = T::lower(&*node.op);
            let paths = paths(&graph, node, &on_path, |input| step.flow(input));
            Instruction {
                inputs: node
                    .inputs
                    .iter()
                    .map(|&input| (slot_of(input), graph.n_elements(input)))
                    .collect(),
                output: slot_of(node.output),
                n_output: graph.n_elements(node.output),
                value: node.output.index(),
                step,
                paths,
                params: params.clone(),
            }
        })
        .collect();
    if plan.slot_of[output.index()].is_none() {
        return Err(EngineError::format(format!(
            "output '{}' does not depend on the input",
            graph.name(output)
        )));
    }
    Ok(Program {
        instructions,
        inputs: graph
            .inputs
            .iter()
            .map(|&input| (slot_of(input), graph.n_elements(input)))
            .collect(),
        output: place(output),
        wrt: wrt.iter().map(|&value| place(value)).collect(),
        is_param: wrt
            .iter()
            .map(|&value| graph.values[value.index()].constant.is_some())
            .collect(),
        n_values: graph.values.len(),
        slots: plan.lengths,
    })
}

/// For every node, the parameters among `wrt` that it uses.
fn trained(graph: &Graph, wrt: &[ValueId]) -> Result<Vec<Vec<ParamUse>>, EngineError> {
    let mut uses: Vec<Vec<ParamUse>> = vec![Vec::new(); graph.nodes.len()];
    for (index, &value) in wrt.iter().enumerate() {
        if graph.values[value.index()].constant.is_none() {
            continue;
        }
        let initializer = &graph.values[value.index()].initializer;
        let is_rearranged = |&other: &ValueId| {
            other != value && graph.values[other.index()].initializer == *initializer
        };
        if initializer.is_some() && wrt.iter().any(is_rearranged) {
            return Err(EngineError::unsupported(format!(
                "parameter '{}' is used in two arrangements, whose gradients would have to be added up element by element",
                initializer.as_deref().unwrap_or_default()
            )));
        }
        let mut n_uses = 0;
        for (node, uses) in graph.nodes.iter().zip(&mut uses) {
            for param in node.params.iter().filter(|param| param.value == value) {
                if !node.op.trains(param.role) {
                    return Err(EngineError::unsupported(format!(
                        "node '{}' ({}): its parameter '{}' cannot be differentiated by",
                        node.name,
                        node.op_type,
                        graph.name(value)
                    )));
                }
                n_uses += 1;
                uses.push(ParamUse {
                    wrt: index,
                    role: param.role,
                    n_elements: graph.n_elements(value),
                    shared: false,
                });
            }
        }
        if n_uses > 1 {
            let uses = uses.iter_mut().flatten();
            uses.filter(|used| used.wrt == index)
                .for_each(|used| used.shared = true);
        }
    }
    Ok(uses)
}

/// Which values depend on one of `sources`, themselves included.
fn on_path(graph: &Graph, sources: &[ValueId]) -> Vec<bool> {
    let mut on_path = vec![false; graph.values.len()];
    for source in sources {
        on_path[source.index()] = true;
    }
    for node in &graph.nodes {
        let mut inputs = node.inputs.iter().enumerate();
        if inputs.any(|(at, input)| on_path[input.index()] && node.op.carries(at)) {
            on_path[node.output.index()] = true;
        }
    }
    on_path
}

fn paths(graph: &Graph, node: &Node, on_path: &[bool], flow: impl Fn(usize) -> Flow) -> Vec<Path> {
    let n_output = graph.n_elements(node.output);
    let inputs = node.inputs.iter().enumerate();
    inputs
        .filter(|&(input, value)| on_path[value.index()] && node.op.carries(input))
        .map(|(input, &value)| {
            let flow = flow(input);
            let n_input = graph.n_elements(value);
            let is_broadcast = flow != Flow::Write && n_input != n_output;
            Path {
                input,
                flow,
                value: value.index(),
                n_input,
                broadcast: is_broadcast
                    .then(|| broadcast_index(graph.shape(value), graph.shape(node.output))),
            }
        })
        .collect()
}

struct Slots {
    lengths: Vec<usize>,
    slot_of: Vec<Option<usize>>,
}

/// Gives every value a slot that it shares with values that are dead when it is computed.
///
/// What a trained parameter's step reads is kept to the end: its gradient needs it.
fn plan_slots(graph: &Graph, output: ValueId, trained: &[Vec<ParamUse>]) -> Slots {
    let mut last_use = vec![0; graph.values.len()];
    for (at, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            last_use[input.index()] = at;
        }
    }
    last_use[output.index()] = usize::MAX;
    for (node, params) in graph.nodes.iter().zip(trained) {
        if !params.is_empty() {
            for input in &node.inputs {
                last_use[input.index()] = usize::MAX;
            }
        }
    }
    let mut slots = Slots {
        lengths: Vec::new(),
        slot_of: vec![None; graph.values.len()],
    };
    let mut free: Vec<usize> = Vec::new();
    let assign = |slots: &mut Slots, free: &mut Vec<usize>, value: ValueId| {
        let n = graph.n_elements(value);
        let best = (0..free.len()).min_by_key(|&at| {
            let length = slots.lengths[free[at]];
            (length < n, length.abs_diff(n))
        });
        let slot = match best {
            Some(at) => free.swap_remove(at),
            None => {
                slots.lengths.push(0);
                slots.lengths.len() - 1
            }
        };
        slots.lengths[slot] = slots.lengths[slot].max(n);
        slots.slot_of[value.index()] = Some(slot);
    };
    for &input in &graph.inputs {
        assign(&mut slots, &mut free, input);
    }
    for (at, node) in graph.nodes.iter().enumerate() {
        // The output never shares with an input: a step reads one while it writes the other.
        assign(&mut slots, &mut free, node.output);
        let mut dying: Vec<usize> = node
            .inputs
            .iter()
            .filter(|input| last_use[input.index()] == at)
            .filter_map(|input| slots.slot_of[input.index()])
            .collect();
        dying.sort_unstable();
        dying.dedup();
        free.extend(dying);
    }
    slots
}
