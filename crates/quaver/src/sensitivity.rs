//! One sample to one class Gram: the step between the network and the geometry.

use quaver_engine::{Head, Program, Real, Workspace};
use quaver_geometry::{ClassGram, Contrasts};
use quaver_kernels::gram::gram;

use crate::{Error, Model};

/// A model compiled for the class Gram of its whole input; shared by all threads.
pub(crate) struct Sensitivity<T> {
    program: Program<T>,
    head: Head,
    contrasts: Contrasts,
    /// The cotangents of all contrasts, (K−1) × the differentiated value's length.
    cotangents: Vec<T>,
}

/// One thread's memory.
pub(crate) struct State<T> {
    workspace: Workspace<T>,
    input: Vec<T>,
    gram: Vec<f64>,
}

impl<T: Real> Sensitivity<T> {
    pub(crate) fn new(model: &Model) -> Result<Self, Error> {
        let program = Program::new(&model.graph, model.head.logits, &[model.input])?;
        // Only differences of logits matter: K−1 orthonormal contrasts carry all that K rows would.
        let contrasts = Contrasts::helmert(model.n_classes())?;
        let cotangents = (0..contrasts.n_cotangents())
            .flat_map(|v| model.head.pull_back(contrasts.row(v)))
            .map(|&x| T::from_f64(x))
            .collect();
        Ok(Self {
            program,
            head: model.head,
            contrasts,
            cotangents,
        })
    }

    pub(crate) fn state(&self) -> State<T> {
        let n_cotangents = self.contrasts.n_cotangents();
        State {
            workspace: self.program.workspace(),
            input: Vec::new(),
            gram: vec![0.0; n_cotangents * n_cotangents],
        }
    }

    /// The K logits of one sample and the class Gram S = J Jᵀ (centred) of its input.
    pub(crate) fn run(
        &self,
        state: &mut State<T>,
        x: &[f64],
    ) -> Result<(Vec<f64>, ClassGram), Error> {
        state.input.clear();
        state.input.extend(x.iter().map(|&x| T::from_f64(x)));
        let values = self
            .program
            .forward(&mut state.workspace, &[&state.input])?;
        let values: Vec<f64> = values.iter().map(|value| value.to_f64()).collect();
        self.program
            .backward(&mut state.workspace, &self.cotangents);
        gram(
            state.workspace.gradient(0),
            self.contrasts.n_cotangents(),
            &mut state.gram,
        );
        let gram = ClassGram::from_contrasts(&self.contrasts, &state.gram)?;
        Ok((self.head.class_logits(&values), gram))
    }
}
