//! One sample to one class Gram per block: the step between the network and the geometry.

use std::borrow::Cow;

use quaver_engine::{Head, Program, ProgramOptions, Real, ValueId, Workspace};
use quaver_geometry::{ClassGram, Classes, Contrasts, Family, Lumping};

use crate::{Block, Error, Model};

/// A model compiled for the class Grams of some blocks; shared by all threads.
pub(crate) struct Sensitivity<T> {
    program: Program<T>,
    head: Head,
    /// The number of values of each input.
    input_lengths: Vec<usize>,
    /// For each block, which of the program's values it consists of.
    blocks: Vec<Vec<usize>>,
    rows: Rows,
    /// The cotangents of all rows, their number × the differentiated value's length.
    cotangents: Vec<T>,
    classes: Classes,
}

/// What is swept back when nothing is merged.
enum Rows {
    /// Only differences of logits matter to a softmax: K−1 orthonormal contrasts carry all that K rows would.
    Contrasts(Contrasts),
    /// Outputs that move independently: each of the K.
    Outputs(usize),
}

/// One thread's memory.
pub(crate) struct State<T> {
    workspace: Workspace<T>,
    input: Vec<T>,
    cotangents: Vec<T>,
}

impl<T: Real> State<T> {
    /// The memory it holds, in bytes.
    pub(crate) fn n_bytes(&self) -> usize {
        let numbers = self.input.capacity() + self.cotangents.capacity();
        self.workspace.n_bytes() + numbers * size_of::<T>()
    }
}

/// What a sample and its blocks come to.
pub(crate) struct Response {
    /// K logits.
    pub logits: Vec<f64>,
    /// The classes that were merged, where some were: measures are then those of the lumped problem.
    pub lumping: Option<Lumping>,
    /// A class Gram per block.
    pub grams: Vec<ClassGram>,
    /// Per block, an estimate of the Fisher trace that merging classes lost.
    pub lost_traces: Vec<f64>,
}

/// The seed of the random signs that estimate what merging classes loses.
pub(crate) const PROBE_SEED: u64 = 0;

impl<T: Real> Sensitivity<T> {
    pub(crate) fn new(
        model: &Model,
        blocks: &[Block],
        classes: Classes,
        options: ProgramOptions,
    ) -> Result<Self, Error> {
        let mut values: Vec<ValueId> = blocks.iter().flat_map(|b| b.values.clone()).collect();
        values.sort_unstable();
        values.dedup();
        let program = Program::with_options(&model.graph, model.head.logits, &values, options)?;
        let k = model.n_classes();
        let (rows, cotangents): (Rows, Vec<f64>) = match model.family() {
            Family::MultiLabel | Family::Gaussian { .. } => {
                let unit = |at: usize| f64::from(u8::from(at / k == at % k));
                (Rows::Outputs(k), (0..k * k).map(unit).collect())
            }
            _ => {
                let contrasts = Contrasts::helmert(k)?;
                let pulled_back = (0..contrasts.n_cotangents())
                    .flat_map(|v| model.head.pull_back(contrasts.row(v)))
                    .copied()
                    .collect();
                (Rows::Contrasts(contrasts), pulled_back)
            }
        };
        let cotangents = cotangents.into_iter().map(T::from_f64).collect();
        let places = |block: &Block| {
            let place = |value| values.binary_search(value).expect("values of all blocks");
            block.values.iter().map(place).collect()
        };
        Ok(Self {
            program,
            head: model.head,
            input_lengths: model.inputs().iter().map(crate::Port::n_values).collect(),
            blocks: blocks.iter().map(places).collect(),
            rows,
            cotangents,
            classes,
        })
    }

    pub(crate) fn state(&self) -> State<T> {
        State {
            workspace: self.program.workspace(),
            input: Vec::new(),
            cotangents: Vec::new(),
        }
    }

    /// The logits of one sample.
    pub(crate) fn logits(&self, state: &mut State<T>, x: &[f64]) -> Result<Vec<f64>, Error> {
        state.input.clear();
        state.input.extend(x.iter().map(|&x| T::from_f64(x)));
        let mut rest = state.input.as_slice();
        let mut inputs = Vec::with_capacity(self.input_lengths.len());
        for &n in &self.input_lengths {
            let (input, after) = rest.split_at(n.min(rest.len()));
            inputs.push(input);
            rest = after;
        }
        let values = self.program.forward(&mut state.workspace, &inputs)?;
        let values: Vec<f64> = values.iter().map(|value| value.to_f64()).collect();
        Ok(self.head.class_logits(&values))
    }

    /// The logits of sample `index` and the class Gram of each block. `label` says which class must be kept
    /// apart when others are merged.
    pub(crate) fn run(
        &self,
        state: &mut State<T>,
        index: usize,
        x: &[f64],
        label: impl FnOnce(&[f64]) -> Result<usize, Error>,
    ) -> Result<Response, Error> {
        let logits = self.logits(state, x)?;
        let lumping = match self.classes {
            Classes::All => None,
            classes => Some(classes.at(&logits, label(&logits)?)?).filter(|l| !l.is_whole()),
        };
        let Some(lumping) = lumping else {
            self.program
                .backward(&mut state.workspace, &self.cotangents);
            let grams: Result<_, _> = match &self.rows {
                Rows::Contrasts(contrasts) => self
                    .row_grams(state, contrasts.n_cotangents())
                    .iter()
                    .map(|s| ClassGram::from_contrasts(contrasts, s))
                    .collect(),
                Rows::Outputs(k) => self
                    .row_grams(state, *k)
                    .iter()
                    .map(|s| ClassGram::from_outputs(*k, s))
                    .collect(),
            };
            return Ok(Response {
                logits,
                lumping: None,
                grams: grams?,
                lost_traces: Vec::new(),
            });
        };
        let mut rows = lumping.cotangents();
        let probe = lumping.probe(PROBE_SEED, index);
        if let Some(probe) = &probe {
            rows.extend_from_slice(probe.cotangent());
        }
        let k = logits.len();
        state.cotangents.clear();
        for row in rows.chunks_exact(k) {
            let row = self.head.pull_back(row).iter();
            state.cotangents.extend(row.map(|&x| T::from_f64(x)));
        }
        self.program
            .backward(&mut state.workspace, &state.cotangents);
        let n_rows = rows.len() / k;
        let v = lumping.n_classes() - 1;
        let contrasts = lumping.contrasts();
        let mut grams = Vec::new();
        let mut lost_traces = Vec::new();
        for s in self.row_grams(state, n_rows) {
            let kept: Vec<f64> = (0..v * v).map(|at| s[at / v * n_rows + at % v]).collect();
            grams.push(ClassGram::from_contrasts(&contrasts, &kept)?);
            lost_traces.push(match &probe {
                Some(probe) => probe.lost_trace(s[n_rows * n_rows - 1])?,
                None => 0.0,
            });
        }
        Ok(Response {
            logits,
            lumping: Some(lumping),
            grams,
            lost_traces,
        })
    }

    /// The contrasts of whose rows a response consists; `None` where outputs move independently.
    pub(crate) fn contrasts<'a>(&'a self, response: &Response) -> Option<Cow<'a, Contrasts>> {
        match (&response.lumping, &self.rows) {
            (Some(lumping), _) => Some(Cow::Owned(lumping.contrasts())),
            (None, Rows::Contrasts(contrasts)) => Some(Cow::Borrowed(contrasts)),
            (None, Rows::Outputs(_)) => None,
        }
    }

    /// The first `n_rows` rows that were swept back to a block that is one value, n_rows × n, after
    /// [`run`](Self::run); nothing of another block.
    pub(crate) fn jacobian<'s>(&self, state: &'s State<T>, block: usize, n_rows: usize) -> &'s [T] {
        match self.blocks[block].as_slice() {
            &[place] => &state.workspace.gradient(place)[..n_rows * self.program.n_wrt(place)],
            _ => &[],
        }
    }

    /// The inner products of the cotangents' rows, block by block.
    fn row_grams(&self, state: &State<T>, n_rows: usize) -> Vec<Vec<f64>> {
        let mut one = vec![0.0; n_rows * n_rows];
        let sum = |places: &Vec<usize>| {
            let mut sum = vec![0.0; n_rows * n_rows];
            for &place in places {
                state.workspace.gram(place, &mut one);
                sum.iter_mut().zip(&one).for_each(|(sum, one)| *sum += one);
            }
            sum
        };
        self.blocks.iter().map(sum).collect()
    }
}
