//! Which steps of a reverse pass need no pass of their own over memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Instruction, Path};
use crate::graph::ValueId;
use crate::op::Flow;

/// Finds for each path that writes which steps its cotangent can go through in stretches ([`Path::onward`]).
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
    let onward = |at: usize, path: usize| {
        let (mut onward, mut from) = (Vec::new(), (at, path));
        let mut value = instructions[at].paths[path].value;
        while last[&value] == from
            && !wrt.iter().any(|wrt| wrt.index() == value)
            && let Some(&next) = producer.get(&value)
            && let Instruction { params, paths, .. } = &instructions[next]
            && params.is_empty()
            && let [path] = paths.as_slice()
            && path.broadcast.is_none()
            && matches!(path.flow, Flow::Pass | Flow::Scaled)
        {
            onward.push(next);
            (value, from) = (path.value, (next, 0));
        }
        onward
    };
    let mut found = Vec::new();
    for (at, instruction) in instructions.iter().enumerate() {
        for (path, Path { flow, .. }) in instruction.paths.iter().enumerate() {
            if *flow == Flow::Write {
                found.push((at, path, onward(at, path)));
            }
        }
    }
    for (at, path, onward) in found {
        instructions[at].paths[path].onward = onward;
    }
}
