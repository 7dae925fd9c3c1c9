//! Graph to program: what is on the path, which slot each value lives in and for how long.

use std::borrow::Cow;
use std::iter::repeat;

use super::onward::link;
use super::{Instruction, ParamUse, Path, Place, Program, Stage, Target};
use crate::graph::{Graph, Node, Param, ValueId};
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
    if let Some(&ids) = wrt.iter().find(|&&value| !graph.is_real(value)) {
        return Err(EngineError::new(
            EngineErrorKind::Option,
            format!(
                "'{}' holds integers, which cannot be differentiated by; name a value computed from it, such as the embedding of token ids",
                graph.name(ids)
            ),
        ));
    }
    let Followed { graph, output, wrt } = follow(graph, output, wrt)?;
    // What is differentiated by has to stay what it is.
    let used = graph.nodes.iter().flat_map(|node| &node.params);
    let used = used.filter(|param| target(&graph, param, &wrt).is_some());
    let keep: Vec<ValueId> = used.map(|param| param.value).chain(wrt.clone()).collect();
    let graph = passes::fused(&graph, output, &keep, options);
    let trained: Vec<Vec<ParamUse>> = graph
        .nodes
        .iter()
        .map(|node| uses(&graph, node, &wrt))
        .collect();
    for &value in &wrt {
        let on_path = on_path(&graph, &trained, &wrt, &[value]);
        if !on_path[output.index()] {
            return Err(independent(&graph, output, value, &on_path));
        }
    }
    let on_path = on_path(&graph, &trained, &wrt, &wrt);
    let plan = plan_slots(&graph, output, &trained);
    let slot_of = |value: ValueId| {
        plan.slot_of[value.index()].expect("every value that is computed or given has a slot")
    };
    let place = |value: ValueId| Place {
        value: value.index(),
        slot: plan.slot_of[value.index()].unwrap_or(usize::MAX),
        n_elements: graph.n_elements(value),
    };
    let mut instructions: Vec<Instruction<T>> = graph
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
                is_constant: is_constant(&graph, node.output),
            }
        })
        .collect();
    link(&mut instructions, &wrt);
    if plan.slot_of[output.index()].is_none() {
        return Err(EngineError::format(format!(
            "output '{}' does not depend on the input",
            graph.name(output)
        )));
    }
    let floats = |value: ValueId| {
        let tensor = graph.values[value.index()].constant.as_ref();
        tensor.and_then(|tensor| tensor.floats())
    };
    Ok(Program {
        stages: stages(&instructions),
        instructions,
        inputs: graph
            .inputs
            .iter()
            .map(|&input| (slot_of(input), graph.n_elements(input)))
            .collect(),
        output: place(output),
        constants: plan
            .constants
            .iter()
            .filter_map(|&value| Some((slot_of(value), floats(value)?)))
            .collect(),
        is_direct: (0..wrt.len())
            .map(|at| {
                let mut uses = trained.iter().flatten();
                uses.any(|used| used.target == Target::Gram(at))
            })
            .collect(),
        wrt: wrt.iter().map(|&value| place(value)).collect(),
        n_values: graph.values.len(),
        slots: plan.lengths,
    })
}

/// A graph in which everything in `wrt` can be differentiated by.
struct Followed<'g> {
    graph: Cow<'g, Graph>,
    output: ValueId,
    wrt: Vec<ValueId>,
}

/// `graph` itself, if its layers use the parameters in `wrt` once each and as they are; else with those followed
/// that are used otherwise.
fn follow<'g>(
    graph: &'g Graph,
    output: ValueId,
    wrt: &[ValueId],
) -> Result<Followed<'g>, EngineError> {
    let mut followed = Followed {
        graph: Cow::Borrowed(graph),
        output,
        wrt: wrt.to_vec(),
    };
    let mut moving = Vec::new();
    loop {
        let known = moving.len();
        for (&value, &original) in followed.wrt.iter().zip(wrt) {
            let is_constant = graph.values[original.index()].constant.is_some();
            if is_constant && !moving.contains(&original) && !is_direct(&followed, value) {
                moving.push(original);
            }
        }
        if moving.len() == known {
            return Ok(followed);
        }
        let traced = graph.traced(&moving)?;
        let again = |value: ValueId| {
            let name = graph.name(value);
            traced.find(name).ok_or_else(|| {
                EngineError::unsupported(format!(
                    "'{name}' is not computed where '{}' is differentiated by: ask for them one by one",
                    graph.name(moving[0])
                ))
            })
        };
        let output = again(output)?;
        let wrt = wrt.iter().map(|&value| again(value));
        followed = Followed {
            wrt: wrt.collect::<Result<_, _>>()?,
            graph: Cow::Owned(traced),
            output,
        };
    }
}

/// Whether one layer alone uses a parameter, all of it, and knows its gradient.
fn is_direct(followed: &Followed<'_>, parameter: ValueId) -> bool {
    let graph = &followed.graph;
    let mut n_uses = 0;
    let mut is_known = true;
    for (node, needed) in graph.nodes.iter().zip(graph.needed_for(followed.output)) {
        for param in node.params.iter().filter(|_| needed) {
            let value = &graph.values[param.value.index()];
            let origin = value.origin.as_ref();
            if origin.is_some_and(|origin| origin.roots.contains(&parameter)) {
                n_uses += 1;
                is_known &= value.whole() == Some(parameter) && node.op.trains(param.role);
            }
        }
    }
    n_uses == 1 && is_known
}

/// Where the derivative by a constant that a node has captured goes, if anyone asks for it.
fn target(graph: &Graph, param: &Param, wrt: &[ValueId]) -> Option<Target> {
    let value = &graph.values[param.value.index()];
    if value.moves {
        return Some(Target::Value(param.value.index()));
    }
    let whole = value.whole()?;
    wrt.iter().position(|&w| w == whole).map(Target::Gram)
}

/// The parameters of a node that are differentiated by.
fn uses(graph: &Graph, node: &Node, wrt: &[ValueId]) -> Vec<ParamUse> {
    let params = node.params.iter().filter(|p| node.op.trains(p.role));
    params
        .filter_map(|param| {
            Some(ParamUse {
                role: param.role,
                n_elements: graph.n_elements(param.value),
                target: target(graph, param, wrt)?,
            })
        })
        .collect()
}

/// Whether a value is the same for every sample.
fn is_constant(graph: &Graph, value: ValueId) -> bool {
    graph.values[value.index()].constant.is_some()
}

/// Which values depend on one of `sources`, themselves included.
fn on_path(
    graph: &Graph,
    trained: &[Vec<ParamUse>],
    wrt: &[ValueId],
    sources: &[ValueId],
) -> Vec<bool> {
    let mut on_path = vec![false; graph.values.len()];
    for source in sources {
        on_path[source.index()] = true;
    }
    for (node, params) in graph.nodes.iter().zip(trained) {
        let mut inputs = node.inputs.iter().enumerate();
        let carries = inputs.any(|(at, input)| on_path[input.index()] && node.op.carries(at));
        let is_trained = params.iter().any(|param| match param.target {
            Target::Gram(at) => sources.contains(&wrt[at]),
            Target::Value(value) => on_path[value],
        });
        if carries || is_trained {
            on_path[node.output.index()] = true;
        }
    }
    on_path
}

/// What is said where no cotangent of `output` reaches `value`; `on_path` is what depends on that.
fn independent(graph: &Graph, output: ValueId, value: ValueId, on_path: &[bool]) -> EngineError {
    let mut message = format!(
        "'{}' does not depend on '{}'",
        graph.name(output),
        graph.name(value)
    );
    // The last step on a way between them that no cotangent passes.
    let nodes = graph.nodes.iter().zip(graph.needed_for(output));
    let mut ends = nodes.filter(|(node, is_needed)| {
        let is_reached = |value: &ValueId| on_path[value.index()];
        *is_needed && !is_reached(&node.output) && node.inputs.iter().any(is_reached)
    });
    if let Some((node, _)) = ends.next_back() {
        message += &format!(
            " but through node '{}', whose derivative is zero wherever it has one; choose an output before it",
            node.name
        );
    }
    EngineError::new(EngineErrorKind::Option, message)
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
                onward: Vec::new(),
                n_at_once: 0,
            }
        })
        .collect()
}

struct Slots {
    lengths: Vec<usize>,
    slot_of: Vec<Option<usize>>,
    /// What steps are run on and no step computes.
    constants: Vec<ValueId>,
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
        constants: Vec::new(),
    };
    // What is there before a sample comes, in slots of its own.
    let inputs = graph.nodes.iter().flat_map(|node| &node.inputs);
    let computed = graph.nodes.iter().map(|node| &node.output);
    for (&value, is_computed) in computed.zip(repeat(true)).chain(inputs.zip(repeat(false))) {
        let slot = &mut slots.slot_of[value.index()];
        if is_constant(graph, value) && slot.is_none() {
            *slot = Some(slots.lengths.len());
            slots.lengths.push(graph.n_elements(value));
            last_use[value.index()] = usize::MAX;
            if !is_computed {
                slots.constants.push(value);
            }
        }
    }
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
        if slots.slot_of[node.output.index()].is_none() {
            assign(&mut slots, &mut free, node.output);
        }
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

/// Cotangents that a step reads and writes should take no more memory than this: bytes. They are then in the cache that cores
/// share, and the weights of layers with small activations are still fetched once for all cotangents.
const IN_FLIGHT: usize = 4 << 20;

/// Where fewer cotangents go on together, from the output to the inputs. A parameter's Gram is made of all of them at once:
/// what makes any is not divided.
fn stages<T>(instructions: &[Instruction<T>]) -> Vec<Stage> {
    let makes_gram = |instruction: &Instruction<T>| {
        let mut params = instruction.params.iter();
        params.any(|param| matches!(param.target, Target::Gram(_)))
    };
    let makes_grams = instructions.iter().any(makes_gram);
    let mut stages = Vec::new();
    let mut stage = Stage {
        steps: instructions.len()..instructions.len(),
        n_cotangents: usize::MAX,
    };
    for (at, instruction) in instructions.iter().enumerate().rev() {
        if !instruction.paths.is_empty() && !makes_grams {
            // What is not written anew is where it was.
            let written = instruction
                .paths
                .iter()
                .filter(|path| path.flow == Flow::Write);
            let written = written.map(|path| path.n_input);
            let n_values = instruction.n_output + written.sum::<usize>();
            let n_cotangents = (IN_FLIGHT / (n_values * size_of::<T>()).max(1)).max(1);
            // A little fewer are not worth another division.
            if n_cotangents < stage.n_cotangents / 3 * 2 {
                stages.push(stage);
                stage = Stage {
                    steps: at + 1..at + 1,
                    n_cotangents,
                };
            }
        }
        stage.steps.start = at;
    }
    stages.push(stage);
    stages
}
