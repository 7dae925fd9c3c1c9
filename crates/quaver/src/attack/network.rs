//! The engine as attacks see it.

use quaver_engine::{Head, Program, Real, Workspace};

use super::victim::Network;
use crate::{Error, Model, Port};

/// A compiled network with one thread's memory.
pub(super) struct Compiled<'p, T> {
    program: &'p Program<T>,
    head: Head,
    /// The number of values of each input.
    lengths: Vec<usize>,
    workspace: Workspace<T>,
    numbers: Vec<T>,
}

impl<'p, T: Real> Compiled<'p, T> {
    /// Of a program that is differentiated by each of the model's inputs, in their order.
    pub(super) fn new(program: &'p Program<T>, model: &Model) -> Self {
        Self {
            program,
            head: model.head,
            lengths: model.inputs().iter().map(Port::n_values).collect(),
            workspace: program.workspace(),
            numbers: Vec::new(),
        }
    }
}

impl<T: Real> Network for Compiled<'_, T> {
    fn logits(&mut self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.numbers.clear();
        self.numbers.extend(x.iter().map(|&x| T::from_f64(x)));
        let mut rest = self.numbers.as_slice();
        let mut inputs = Vec::with_capacity(self.lengths.len());
        for &n in &self.lengths {
            let (input, after) = rest.split_at(n.min(rest.len()));
            inputs.push(input);
            rest = after;
        }
        let values = self.program.forward(&mut self.workspace, &inputs)?;
        let values: Vec<f64> = values.iter().map(|value| value.to_f64()).collect();
        Ok(self.head.class_logits(&values))
    }

    fn pull_back(&mut self, cotangents: &[f64]) -> Vec<f64> {
        self.numbers.clear();
        for row in cotangents.chunks_exact(self.head.n_classes) {
            let row = self.head.pull_back(row).iter();
            self.numbers.extend(row.map(|&x| T::from_f64(x)));
        }
        self.program.backward(&mut self.workspace, &self.numbers);
        let n_rows = cotangents.len() / self.head.n_classes;
        let mut rows = Vec::with_capacity(n_rows * self.lengths.iter().sum::<usize>());
        for row in 0..n_rows {
            for (input, &n) in self.lengths.iter().enumerate() {
                let values = self.workspace.gradient(input)[row * n..][..n].iter();
                rows.extend(values.map(|value| value.to_f64()));
            }
        }
        rows
    }
}
