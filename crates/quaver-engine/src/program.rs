//! A graph compiled for one output and the values it is differentiated by: forward, and the reverse pass of
//! all cotangents at once.
//!
//! The rule of an operator says its calculus; this loop alone knows the chain rule: which values lie on a
//! path, where cotangents add up, how a broadcast is undone, and whose memory is reused when.

mod compile;
mod onward;
mod workspace;

use std::ops::Range;
use std::sync::Arc;

use quaver_kernels::elementwise::{Slopes, add};
use quaver_kernels::{Buffer, Onward};

use crate::graph::{Graph, ValueId};
use crate::op::{Flow, ProgramOptions, Real, Step, Trained};
use crate::{EngineError, EngineErrorKind};

use workspace::Pool;
pub use workspace::Workspace;

/// A compiled graph, shared by all threads; each brings its own [`Workspace`].
pub struct Program<T> {
    instructions: Vec<Instruction<T>>,
    /// Lengths of the forward buffers.
    slots: Vec<usize>,
    /// Where the graph's inputs are put, in order, with their lengths.
    inputs: Vec<(usize, usize)>,
    output: Place,
    wrt: Vec<Place>,
    /// Which of `wrt` are parameters whose Grams are made where their layer is met, without gradients.
    is_direct: Vec<bool>,
    /// Slots and values of the constants that steps are run on.
    constants: Vec<(usize, Vec<T>)>,
    n_values: usize,
    /// How the reverse pass goes through the steps, from the output to the inputs.
    stages: Vec<Stage>,
}

/// Steps that follow each other, and how many cotangents go through them at once.
///
/// Early layers have large activations and few weights: a few cotangents at a time stay in a cache on their way through
/// several steps, where all of them would be written to memory and read back at each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stage {
    steps: Range<usize>,
    /// At most so many.
    n_cotangents: usize,
}

/// A use of a parameter by a step that has captured it.
#[derive(Debug, Clone)]
struct ParamUse {
    /// As which of the ONNX node's inputs.
    role: usize,
    n_elements: usize,
    target: Target,
}

/// Where the derivative by a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The only use of a parameter: into its Gram, of which of the values differentiated by.
    Gram(usize),
    /// One of several, or of a constant computed from parameters: to that value's cotangents.
    Value(usize),
}

/// One step with its operands.
struct Instruction<T> {
    step: Box<dyn Step<T>>,
    /// Slots of the inputs, and their lengths: a slot may be longer than the value in it.
    inputs: Vec<(usize, usize)>,
    /// Slot of the output, and its length.
    output: usize,
    n_output: usize,
    /// The value whose cotangent this step transposes.
    value: usize,
    /// The inputs that lie on a path to what is differentiated by.
    paths: Vec<Path>,
    /// The parameters of the step that are differentiated by.
    params: Vec<ParamUse>,
    /// The same for every sample: run once for each workspace.
    is_constant: bool,
}

/// The way a cotangent takes from a step to one of its inputs.
struct Path {
    /// The step's input.
    input: usize,
    flow: Flow,
    /// The value the cotangent is added to, and its length.
    value: usize,
    n_input: usize,
    /// Where each element of the output was broadcast from, if it was.
    broadcast: Option<Vec<u32>>,
    /// The steps, each with one path that only scales, through which the cotangent of `value` goes on.
    onward: Vec<usize>,
    /// Through so many of them as soon as a stretch of it is computed: this path is the last that leads there.
    n_at_once: usize,
}

/// A value and its length; its slot too, where it has one.
#[derive(Debug, Clone, Copy)]
struct Place {
    value: usize,
    slot: usize,
    n_elements: usize,
}

impl<T: Real> Program<T> {
    /// Compiles what `output` needs, to be differentiated by the values `wrt`: inputs, activations, parameters
    /// ([`Graph::parameters`]).
    ///
    /// # Errors
    /// When `output` does not depend on one of `wrt`, or on any input.
    pub fn new(graph: &Graph, output: ValueId, wrt: &[ValueId]) -> Result<Self, EngineError> {
        compile::compile(graph, output, wrt, ProgramOptions::default())
    }

    /// The same, run as `options` say.
    ///
    /// # Errors
    /// As for [`Program::new`].
    pub fn with_options(
        graph: &Graph,
        output: ValueId,
        wrt: &[ValueId],
        options: ProgramOptions,
    ) -> Result<Self, EngineError> {
        compile::compile(graph, output, wrt, options)
    }

    /// Buffers for one thread.
    pub fn workspace(&self) -> Workspace<T> {
        let mut workspace = Workspace::new(
            &self.slots,
            self.instructions.len(),
            self.n_values,
            self.wrt.len(),
        );
        for (slot, values) in &self.constants {
            workspace.slots[*slot][..values.len()].copy_from_slice(values);
        }
        self.run(&mut workspace, true);
        workspace
    }

    /// Runs the steps that are the same for every sample, or the others.
    fn run(&self, workspace: &mut Workspace<T>, constants: bool) {
        let Workspace {
            slots,
            saved,
            scratch,
            ..
        } = workspace;
        let steps = self.instructions.iter().zip(saved);
        for (instruction, saved) in steps.filter(|(step, _)| step.is_constant == constants) {
            let mut y = std::mem::take(&mut slots[instruction.output]);
            let x = instruction.operands(slots);
            let saved = (!instruction.paths.is_empty()).then_some(saved);
            instruction
                .step
                .forward(&x, &mut y[..instruction.n_output], saved, scratch);
            slots[instruction.output] = y;
        }
    }

    /// Lets few cotangents through at once, and fewer still through the first half of the steps.
    #[cfg(test)]
    pub(crate) fn divide(&mut self, n_cotangents: usize) {
        let (half, n) = (self.instructions.len() / 2, self.instructions.len());
        let stage = |steps, n_cotangents| Stage {
            steps,
            n_cotangents,
        };
        self.stages = vec![
            stage(half..n, 2 * n_cotangents),
            stage(0..half, n_cotangents),
        ];
    }

    /// The number of elements of input `index`.
    pub fn n_input(&self, index: usize) -> usize {
        self.inputs[index].1
    }

    /// The number of elements of the output.
    pub fn n_output(&self) -> usize {
        self.output.n_elements
    }

    /// The number of elements of the `index`-th value that is differentiated by.
    pub fn n_wrt(&self, index: usize) -> usize {
        self.wrt[index].n_elements
    }

    /// Runs the network on one sample, `inputs` in the graph's order; returns the output.
    ///
    /// # Errors
    /// When an input has the wrong length, or the output is not finite.
    pub fn forward<'w>(
        &self,
        workspace: &'w mut Workspace<T>,
        inputs: &[&[T]],
    ) -> Result<&'w [T], EngineError> {
        let output = self.compute(workspace, inputs)?;
        match output.iter().position(|x| !x.is_finite()) {
            None => Ok(output),
            Some(at) => Err(EngineError::new(
                EngineErrorKind::NotFinite,
                format!("the network's output {at} is {}", output[at].to_f64()),
            )),
        }
    }

    /// The same, whatever the output is.
    pub(crate) fn compute<'w>(
        &self,
        workspace: &'w mut Workspace<T>,
        inputs: &[&[T]],
    ) -> Result<&'w [T], EngineError> {
        if inputs.len() != self.inputs.len() {
            return Err(EngineError::shape(format!(
                "{} inputs for a network of {}",
                inputs.len(),
                self.inputs.len()
            )));
        }
        for (input, &(slot, n_elements)) in inputs.iter().zip(&self.inputs) {
            if input.len() != n_elements {
                return Err(EngineError::shape(format!(
                    "an input of {} values for one of {n_elements}",
                    input.len()
                )));
            }
            workspace.slots[slot][..n_elements].copy_from_slice(input);
        }
        self.run(workspace, false);
        Ok(&workspace.slots[self.output.slot][..self.output.n_elements])
    }

    /// Sweeps V cotangents of the output (V × output) back through the sample last run forward.
    ///
    /// Afterwards [`Workspace::gram`] gives the class Gram of each value differentiated by, and
    /// [`Workspace::gradient`] the V × n rows of all but parameters that one layer alone uses, as they are.
    pub fn backward(&self, workspace: &mut Workspace<T>, cotangents: &[T]) {
        let n_output = self.output.n_elements;
        assert!(
            cotangents.len().is_multiple_of(n_output),
            "cotangents are V × {n_output}"
        );
        let n_cotangents = cotangents.len() / n_output;
        let Workspace {
            pool,
            cotangent_of,
            gradients,
            grams,
            ..
        } = workspace;
        for (gram, is_direct) in grams.iter_mut().zip(&self.is_direct) {
            gram.clear();
            gram.resize(usize::from(*is_direct) * n_cotangents * n_cotangents, 0.0);
        }
        gradients.drain(..).for_each(|gradient| pool.give(gradient));
        let mut seed = pool.take(cotangents.len());
        seed.copy_from_slice(cotangents);
        cotangent_of[self.output.value] = Some(Arc::new(seed));
        self.descend(workspace, &self.stages, n_cotangents);

        let Workspace {
            pool,
            cotangent_of,
            gradients,
            ..
        } = workspace;
        for (place, is_direct) in self.wrt.iter().zip(&self.is_direct) {
            gradients.push(match cotangent_of[place.value].clone() {
                _ if *is_direct => pool.zeros(0),
                Some(gradient) => gradient,
                // On a path in the graph, yet never reached: every slope on the way was structural zero.
                None => pool.zeros(n_cotangents * place.n_elements),
            });
        }
        cotangent_of.iter_mut().for_each(|slot| *slot = None);
    }

    /// Takes the cotangents that wait, `n_cotangents` of each value, through `stages`; those of what is differentiated by
    /// are left.
    fn descend(&self, workspace: &mut Workspace<T>, stages: &[Stage], n_cotangents: usize) {
        let Some((stage, later)) = stages.split_first() else {
            return;
        };
        if n_cotangents <= stage.n_cotangents {
            self.sweep(workspace, stage.steps.clone(), n_cotangents);
            return self.descend(workspace, later, n_cotangents);
        }
        let waiting: Vec<(usize, Arc<Buffer<T>>)> = workspace
            .cotangent_of
            .iter_mut()
            .enumerate()
            .filter_map(|(value, slot)| Some((value, slot.take()?)))
            .collect();
        let mut whole: Vec<Option<Buffer<T>>> = self.wrt.iter().map(|_| None).collect();
        let n_parts = n_cotangents.div_ceil(stage.n_cotangents);
        for part in 0..n_parts {
            // As even as can be.
            let (start, end) = (
                part * n_cotangents / n_parts,
                (part + 1) * n_cotangents / n_parts,
            );
            for (value, all) in &waiting {
                let n = all.len() / n_cotangents;
                let mut some = workspace.pool.take((end - start) * n);
                some.copy_from_slice(&all[start * n..end * n]);
                workspace.cotangent_of[*value] = Some(Arc::new(some));
            }
            self.descend(workspace, stages, end - start);
            let Workspace {
                pool, cotangent_of, ..
            } = workspace;
            for (place, whole) in self.wrt.iter().zip(&mut whole) {
                let Some(some) = &cotangent_of[place.value] else {
                    continue;
                };
                let n = place.n_elements;
                let whole = whole.get_or_insert_with(|| {
                    let mut whole = pool.take(n_cotangents * n);
                    whole.fill(T::ZERO);
                    whole
                });
                whole[start * n..end * n].copy_from_slice(some);
            }
            let rest = cotangent_of.iter_mut().filter_map(Option::take);
            rest.for_each(|some| pool.give(some));
        }
        let Workspace {
            pool, cotangent_of, ..
        } = workspace;
        waiting.into_iter().for_each(|(_, all)| pool.give(all));
        for (place, whole) in self.wrt.iter().zip(whole) {
            cotangent_of[place.value] = whole.map(Arc::new);
        }
    }

    /// Takes cotangents back through the steps of one stage.
    fn sweep(&self, workspace: &mut Workspace<T>, steps: Range<usize>, n_cotangents: usize) {
        for at in steps.rev() {
            let instruction = &self.instructions[at];
            if instruction.paths.is_empty() && instruction.params.is_empty() {
                continue;
            }
            // What is differentiated by may lie in the middle: its cotangent is both kept and passed on.
            let slot = &mut workspace.cotangent_of[instruction.value];
            let gy = if self
                .wrt
                .iter()
                .any(|place| place.value == instruction.value)
            {
                slot.clone()
            } else {
                slot.take()
            };
            let Some(gy) = gy else { continue };
            instruction.train(workspace, &gy, n_cotangents);
            let Some((last, others)) = instruction.paths.split_last() else {
                workspace.pool.give(gy);
                continue;
            };
            for path in others {
                self.transpose(at, path, Arc::clone(&gy), n_cotangents, workspace);
            }
            self.transpose(at, last, gy, n_cotangents, workspace);
        }
    }

    /// Takes the cotangent `gy` (V × output) of step `at` along one path, and adds it where that leads.
    fn transpose(
        &self,
        at: usize,
        path: &Path,
        gy: Arc<Buffer<T>>,
        n_cotangents: usize,
        workspace: &mut Workspace<T>,
    ) {
        let Workspace {
            saved,
            cotangent_of,
            pool,
            scratch,
            ..
        } = workspace;
        let step = &self.instructions[at].step;
        let gx = match path.flow {
            Flow::Pass => gy,
            Flow::Scaled => scaled(gy, step.slopes(path.input, &saved[at]), pool),
            Flow::InPlace => in_place(gy, pool, |g| step.vjp_in_place(path.input, &saved[at], g)),
            Flow::Write => {
                let mut value = path.value;
                let mut waiting = vec![cotangent_of[value].take()];
                let slopes = |&at: &usize| {
                    let Instruction { step, paths, .. } = &self.instructions[at];
                    let is_scaled = paths[0].flow == Flow::Scaled;
                    is_scaled.then(|| step.slopes(paths[0].input, &saved[at]))
                };
                let slopes: Vec<Option<Slopes<'_, T>>> = path.onward.iter().map(slopes).collect();
                for &at in &path.onward[..path.n_at_once] {
                    value = self.instructions[at].paths[0].value;
                    waiting.push(cotangent_of[value].take());
                }
                let mut gx = pool.take(n_cotangents * path.n_input);
                let mut done = |start: usize, g: &mut [T]| {
                    for (at, waiting) in waiting.iter().enumerate() {
                        if let Some(slopes) = at.checked_sub(1).and_then(|at| slopes[at]) {
                            slopes.apply(start, g);
                        }
                        if let Some(waiting) = waiting {
                            add(g, &waiting[start..][..g.len()]);
                        }
                    }
                };
                let onward = Onward {
                    // What is multiplied by zero later does not matter.
                    wanted: slopes.iter().flatten().find_map(|slopes| match slopes {
                        Slopes::Bits(bits) => Some(*bits).filter(|bits| bits.len() == path.n_input),
                        Slopes::Factors(_) => None,
                    }),
                    done: &mut done,
                };
                step.vjp_then(path.input, &saved[at], &gy, &mut gx, scratch, onward);
                let over = waiting.into_iter().flatten().chain([gy]);
                over.for_each(|buffer| pool.give(buffer));
                cotangent_of[value] = Some(Arc::new(gx));
                return;
            }
        };
        let gx = match &path.broadcast {
            None => gx,
            Some(index) => gathered(gx, index, n_cotangents * path.n_input, pool),
        };
        accumulate(&mut cotangent_of[path.value], gx, pool);
    }
}

impl<T: Real> Instruction<T> {
    /// What the step is run on.
    fn operands<'s>(&self, slots: &'s [Buffer<T>]) -> Vec<&'s [T]> {
        let inputs = self.inputs.iter();
        inputs.map(|&(slot, n)| &slots[slot][..n]).collect()
    }

    /// Takes the cotangent `gy` (V × output) to the parameters of the step.
    fn train(&self, workspace: &mut Workspace<T>, gy: &[T], n_cotangents: usize) {
        let Workspace {
            slots,
            cotangent_of,
            pool,
            scratch,
            grams,
            ..
        } = workspace;
        if self.params.is_empty() {
            return;
        }
        let x = self.operands(slots);
        let trained = |param: &ParamUse| Trained {
            role: param.role,
            n_elements: param.n_elements,
            n_cotangents,
        };
        let (mut wanted, mut places) = (Vec::new(), Vec::new());
        for param in &self.params {
            match param.target {
                Target::Gram(wrt) => {
                    wanted.push((trained(param), std::mem::take(&mut grams[wrt])));
                    places.push(wrt);
                }
                Target::Value(value) => {
                    let mut rows = match cotangent_of[value].take() {
                        Some(rows) => pool.unique(rows),
                        None => pool.zeros(n_cotangents * param.n_elements),
                    };
                    let into = Arc::get_mut(&mut rows).expect("made unique above");
                    self.step.param_rows(trained(param), &x, gy, into, scratch);
                    cotangent_of[value] = Some(rows);
                }
            }
        }
        self.step.param_grams(&mut wanted, &x, gy, scratch);
        for ((_, gram), wrt) in wanted.into_iter().zip(places) {
            grams[wrt] = gram;
        }
    }
}

/// `g` changed by `act`, in a buffer that nobody else holds.
fn in_place<T: Real>(
    g: Arc<Buffer<T>>,
    pool: &mut Pool<T>,
    act: impl FnOnce(&mut [T]),
) -> Arc<Buffer<T>> {
    let mut g = pool.unique(g);
    act(Arc::get_mut(&mut g).expect("made unique in the line above"));
    g
}

/// `g` times the slopes; others who hold it keep it as it is.
fn scaled<T: Real>(g: Arc<Buffer<T>>, slopes: Slopes<'_, T>, pool: &mut Pool<T>) -> Arc<Buffer<T>> {
    /// Elements copied before they are scaled: they are still in the nearest cache.
    const STRETCH: usize = 2048;
    if Arc::strong_count(&g) == 1 {
        return in_place(g, pool, |g| slopes.apply(0, g));
    }
    let mut copy = pool.take(g.len());
    let stretches = copy.chunks_mut(STRETCH).zip(g.chunks(STRETCH));
    for (at, (to, from)) in stretches.enumerate() {
        to.copy_from_slice(from);
        slopes.apply(at * STRETCH, to);
    }
    Arc::new(copy)
}

/// The sums, `n` in all, of what was broadcast from each element.
fn gathered<T: Real>(
    gy: Arc<Buffer<T>>,
    index: &[u32],
    n: usize,
    pool: &mut Pool<T>,
) -> Arc<Buffer<T>> {
    let mut gx = pool.take(n);
    gx.fill(T::ZERO);
    let n_cotangents = gy.len() / index.len();
    for (gx, gy) in gx
        .chunks_exact_mut(n / n_cotangents)
        .zip(gy.chunks_exact(index.len()))
    {
        for (&gy, &from) in gy.iter().zip(index) {
            gx[from as usize] += gy;
        }
    }
    pool.give(gy);
    Arc::new(gx)
}

/// total ← total + g.
fn accumulate<T: Real>(total: &mut Option<Arc<Buffer<T>>>, g: Arc<Buffer<T>>, pool: &mut Pool<T>) {
    let Some(old) = total.take() else {
        *total = Some(g);
        return;
    };
    // Adding into whichever of the two nobody else holds saves a copy.
    let (old, g) = if Arc::strong_count(&old) > 1 && Arc::strong_count(&g) == 1 {
        (g, old)
    } else {
        (old, g)
    };
    let mut sum = pool.unique(old);
    let values = Arc::get_mut(&mut sum).expect("made unique in the line above");
    add(values, &g);
    pool.give(g);
    *total = Some(sum);
}
