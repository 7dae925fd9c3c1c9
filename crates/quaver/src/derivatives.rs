//! What a network itself says about every sample: its prediction, and products of cotangents with its Jacobian, for
//! callers who go on by themselves. Class Grams are in the [`Evaluation`](crate::Evaluation)s of a
//! [`Network`](crate::Network).
//!
//! The type T is the one the network is run in, `f32` or `f64`. Samples are worked on in parallel and handed over in
//! their order; an error of `emit` ends the run and comes back as it is. Index letters: K classes, V cotangents,
//! n coordinates.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use quaver_data::Dataset;
use quaver_engine::{Program, ProgramOptions, Real, ValueId};
use quaver_geometry::{ClassGram, Family, Objective, Settings, Softmax, direction, measure};

use crate::parallel::{ordered, workers};
use crate::{Error, ErrorKind, Model};

/// How a network is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// Whether Winograd's algorithm may be used in single precision ([`ProgramOptions::winograd`]). Default: yes.
    pub winograd: bool,
    /// Worker threads; results do not depend on it. Default: one for every core.
    pub threads: Option<NonZeroUsize>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            winograd: true,
            threads: None,
        }
    }
}

/// What a network says about one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// K logits z of classes, (0, z) of a head that is one sigmoid; of labels; or K means of a regression.
    pub outputs: Vec<f64>,
    /// K probabilities: softmax(z), of labels the sigmoid of each; none of a regression.
    pub p: Vec<f64>,
    /// The most probable class, where there is one of K.
    pub predicted: Option<usize>,
}

/// What moves the output of one sample most, for the objective f = −log p_y.
#[derive(Debug, Clone, PartialEq)]
pub struct Influence {
    /// FI of the block.
    pub fi: f64,
    /// h* = G⁺ ∇fᵀ (n), the perturbation of greatest influence; ∇f · h* = FI.
    pub direction: Vec<f64>,
    /// ∇f (n), by the block.
    pub gradient: Vec<f64>,
}

impl Model {
    /// Hands over the direction of greatest influence for every sample, for the class that `label` gives from its index
    /// and its most probable class. The block `wrt` is one as for [`Model::vjp_each`]; eigenvalues of M above `rtol`
    /// times the largest are kept.
    ///
    /// # Errors
    /// As [`Model::vjp_each`]; if the output is not that of a softmax or one sigmoid, or a label is out of range.
    pub fn influence_each<T: Real>(
        &self,
        dataset: &dyn Dataset,
        wrt: &str,
        label: impl Fn(usize, usize) -> usize + Sync,
        rtol: f64,
        options: &RunOptions,
        emit: impl FnMut(usize, Influence) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let k = self.n_classes();
        if !self.family().has_classes() {
            return Err(Error::new(
                ErrorKind::Option,
                format!("a direction for a class: the output is {}", self.family()),
            ));
        }
        let settings = Settings::new(rtol, Settings::default().lambda(), None)?;
        let run = Run::<T>::new(self, &self.swept(wrt)?, options)?;
        let unit: Vec<f64> = (0..k * k)
            .map(|at| f64::from(u8::from(at / k == at % k)))
            .collect();
        let work = |state: &mut State<T>, index: usize| {
            let logits = run.forward(state, dataset, index)?;
            let rows = run.backward(state, &unit);
            let influence = || -> Result<Influence, Error> {
                let softmax = Softmax::new(&logits)?;
                let y = label(index, softmax.argmax());
                let n = rows.len() / k;
                let row = |k: usize| rows[k * n..(k + 1) * n].iter().map(|x| x.to_f64());
                let product = |at: usize| row(at / k).zip(row(at % k)).map(|(a, b)| a * b).sum();
                let gram: Vec<f64> = (0..k * k).map(product).collect();
                let gram = ClassGram::from_full(k, &gram)?;
                let objective = Objective::NegLogLik { label: y };
                let fi = measure(&logits, &gram, objective, &settings)?.fi;
                let c = direction(&logits, &gram, objective, &settings)?;
                let combined = |c: &[f64]| {
                    let mut sum = vec![0.0; n];
                    for (k, c) in c.iter().enumerate() {
                        sum.iter_mut()
                            .zip(row(k))
                            .for_each(|(sum, x)| *sum += c * x);
                    }
                    sum
                };
                // ∂(−log p_y)/∂z = p − e_y.
                let mut slope = softmax.p().to_vec();
                slope[y] = -softmax.complement(y);
                Ok(Influence {
                    fi,
                    direction: combined(&c),
                    gradient: combined(&slope),
                })
            };
            influence().map_err(|e| of_sample(e, dataset, index))
        };
        self.over(dataset, options, || run.state(), work, emit)
    }

    /// Hands over the prediction for every sample of `dataset`, in order.
    ///
    /// # Errors
    /// Names the sample that cannot be read or makes the output infinite or NaN; the error of `emit`.
    pub fn predict_each<T: Real>(
        &self,
        dataset: &dyn Dataset,
        options: &RunOptions,
        emit: impl FnMut(usize, Prediction) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let run = Run::<T>::new(self, &[], options)?;
        let work = |state: &mut State<T>, index: usize| {
            let outputs = run.forward(state, dataset, index)?;
            let (p, predicted) = match self.family() {
                Family::Softmax | Family::Sigmoid => {
                    let softmax = Softmax::new(&outputs)?;
                    (softmax.p().to_vec(), Some(softmax.argmax()))
                }
                Family::MultiLabel => {
                    let sigmoid = |z: &f64| 1.0 / (1.0 + (-z).exp());
                    (outputs.iter().map(sigmoid).collect(), None)
                }
                _ => (Vec::new(), None),
            };
            Ok(Prediction {
                outputs,
                p,
                predicted,
            })
        };
        self.over(dataset, options, || run.state(), work, emit)
    }

    /// Hands over Jᵀ c (V × n, row-major) for every sample and the cotangents c (V × K) that `cotangents` gives for it,
    /// J = ∂z/∂ω (K × n) being the derivative of the logits by the block that `wrt` names: inputs or activations,
    /// several joined by `+` one after another. With the identity for c this is the Jacobian itself.
    ///
    /// # Errors
    /// As [`Model::predict_each`]; if `wrt` is not one block, or holds parameters, whose gradients are not kept; if
    /// cotangents are not V × K.
    pub fn vjp_each<'c, T: Real>(
        &self,
        dataset: &dyn Dataset,
        wrt: &str,
        cotangents: impl Fn(usize) -> &'c [f64] + Sync,
        options: &RunOptions,
        emit: impl FnMut(usize, Vec<T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let run = Run::<T>::new(self, &self.swept(wrt)?, options)?;
        let k = self.n_classes();
        let work = |state: &mut State<T>, index: usize| {
            let rows = cotangents(index);
            if rows.is_empty() || !rows.len().is_multiple_of(k) {
                return Err(Error::new(
                    ErrorKind::Option,
                    format!(
                        "{} numbers are not cotangents of {k} classes each",
                        rows.len()
                    ),
                ));
            }
            run.forward(state, dataset, index)?;
            Ok(run.backward(state, rows))
        };
        self.over(dataset, options, || run.state(), work, emit)
    }

    /// The shape of what [`Model::vjp_each`] gives for one cotangent of the block `wrt`: that of the value, or
    /// `[n]` where several are joined.
    ///
    /// # Errors
    /// As [`Model::vjp_each`].
    pub fn vjp_shape(&self, wrt: &str) -> Result<Vec<usize>, Error> {
        Ok(match self.swept(wrt)?.as_slice() {
            &[value] => self.graph.shape(value)[1..].to_vec(),
            values => vec![values.iter().map(|&v| self.graph.n_elements(v)).sum()],
        })
    }

    /// The inputs and activations of the one block that `wrt` names.
    fn swept(&self, wrt: &str) -> Result<Vec<ValueId>, Error> {
        let blocks = self.blocks(&[wrt.to_owned()])?;
        let [block] = blocks.as_slice() else {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "--wrt '{wrt}' names {} blocks; derivatives are of one",
                    blocks.len()
                ),
            ));
        };
        let parameters = self.graph.parameters(self.head.logits);
        match block.values.iter().find(|&v| parameters.contains(v)) {
            None => Ok(block.values.clone()),
            Some(&parameter) => Err(Error::new(
                ErrorKind::Option,
                format!(
                    "--wrt '{wrt}': gradients of parameters ('{}') are not kept, their class Grams are; give input or value:NAME",
                    self.graph.parameter_name(parameter)
                ),
            )),
        }
    }

    /// Runs `work` over the samples of `dataset`, once they are seen to fit.
    fn over<S, R: Send>(
        &self,
        dataset: &dyn Dataset,
        options: &RunOptions,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, usize) -> Result<R, Error> + Sync,
        emit: impl FnMut(usize, R) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_shape(dataset)?;
        // These are stopped by an error of `emit`.
        let never = AtomicBool::new(false);
        ordered(
            dataset.len(),
            workers(options.threads),
            &never,
            state,
            work,
            emit,
        )
    }
}

impl RunOptions {
    fn program(self) -> ProgramOptions {
        ProgramOptions {
            winograd: self.winograd,
        }
    }
}

/// A network compiled for its logits and their derivative by some values; shared by all threads.
struct Run<'m, T> {
    model: &'m Model,
    program: Program<T>,
    n_values: usize,
}

/// One thread's memory.
struct State<T> {
    workspace: quaver_engine::Workspace<T>,
    input: Vec<T>,
    cotangents: Vec<T>,
}

impl<'m, T: Real> Run<'m, T> {
    fn new(model: &'m Model, values: &[ValueId], options: &RunOptions) -> Result<Self, Error> {
        let logits = model.head.logits;
        let program = Program::with_options(&model.graph, logits, values, options.program())?;
        Ok(Self {
            model,
            program,
            n_values: values.len(),
        })
    }

    fn state(&self) -> State<T> {
        State {
            workspace: self.program.workspace(),
            input: Vec::new(),
            cotangents: Vec::new(),
        }
    }

    /// The K logits of a sample.
    fn forward(
        &self,
        state: &mut State<T>,
        dataset: &dyn Dataset,
        index: usize,
    ) -> Result<Vec<f64>, Error> {
        let sample = dataset.read(index)?;
        state.input.clear();
        let values = sample.values.iter();
        state.input.extend(values.map(|&x| T::from_f64(x)));
        let mut rest = state.input.as_slice();
        let split = |input: &crate::Port| {
            let (values, after) = rest.split_at(input.n_values().min(rest.len()));
            rest = after;
            values
        };
        let inputs: Vec<&[T]> = self.model.inputs().iter().map(split).collect();
        let output = self
            .program
            .forward(&mut state.workspace, &inputs)
            .map_err(|e| of_sample(e.into(), dataset, index))?;
        let output: Vec<f64> = output.iter().map(|value| value.to_f64()).collect();
        Ok(self.model.head.class_logits(&output))
    }

    /// The rows of V cotangents (V × K) of the sample last run forward.
    fn backward(&self, state: &mut State<T>, cotangents: &[f64]) -> Vec<T> {
        let k = self.model.n_classes();
        let n_cotangents = cotangents.len() / k;
        state.cotangents.clear();
        for row in cotangents.chunks_exact(k) {
            let row = self.model.head.pull_back(row).iter();
            state.cotangents.extend(row.map(|&x| T::from_f64(x)));
        }
        self.program
            .backward(&mut state.workspace, &state.cotangents);
        let gradient = |value: usize| state.workspace.gradient(value);
        if self.n_values == 1 {
            return gradient(0).to_vec();
        }
        let mut rows = Vec::new();
        for v in 0..n_cotangents {
            for value in 0..self.n_values {
                let n = self.program.n_wrt(value);
                rows.extend_from_slice(&gradient(value)[v * n..(v + 1) * n]);
            }
        }
        rows
    }
}

fn of_sample(error: Error, dataset: &dyn Dataset, index: usize) -> Error {
    error.within(format_args!("sample {}", dataset.original_index(index)))
}
