//! Operands that either come with the sample or were captured when the operator was built.

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::graph::ValueId;
use crate::onnx::node::Input;
use crate::tensor::Tensor;

/// One operand of an operator with several.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// The step's input of that number.
    Input(usize),
    /// A value that is the same for every sample.
    Constant(Tensor),
}

/// Sorts `inputs` into operands; also the values the step is run on.
pub(super) fn operands(inputs: &[&Input]) -> Result<(Vec<Operand>, Vec<ValueId>), EngineError> {
    let mut values = Vec::new();
    let mut operands = Vec::with_capacity(inputs.len());
    for input in inputs {
        operands.push(match &input.constant {
            Some(tensor) => Operand::Constant(tensor.to_floats()?),
            None => {
                values.push(input.value);
                Operand::Input(values.len() - 1)
            }
        });
    }
    Ok((operands, values))
}

/// An [`Operand`] in the number type of a step.
#[derive(Debug, Clone)]
pub(super) enum Source<T> {
    Input(usize),
    Constant(Vec<T>),
}

impl<T: Scalar> Source<T> {
    pub(super) fn of(operand: &Operand) -> Self {
        match operand {
            Operand::Input(at) => Source::Input(*at),
            Operand::Constant(tensor) => {
                Source::Constant(tensor.floats().expect("operands() admits only floats"))
            }
        }
    }

    pub(super) fn values<'a>(&'a self, x: &[&'a [T]]) -> &'a [T] {
        match self {
            Source::Input(at) => x[*at],
            Source::Constant(values) => values,
        }
    }
}
