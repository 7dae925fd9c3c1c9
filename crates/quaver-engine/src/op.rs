//! What an operator is.
//!
//! An ONNX node becomes an [`Operator`] (attributes and captured weights, no number type), which is lowered to
//! a [`Step`] (weights converted and laid out, ready to run in `f32` or `f64`). A step knows its own calculus
//! and nothing else: adding up cotangents, undoing broadcasts and skipping what is not on the path belong to
//! the reverse loop.

use std::fmt::Debug;
use std::sync::Arc;

use quaver_kernels::elementwise::Slopes;
use quaver_kernels::gram::accumulate;
use quaver_kernels::window::AXES;
use quaver_kernels::{Onward, Scalar};

use crate::EngineError;
use crate::compose::Body;
use crate::graph::ValueId;
use crate::onnx::node::NodeContext;
use crate::tensor::Tensor;

/// What a step keeps from its forward pass for its reverse pass; the buffers are reused from sample to sample.
#[derive(Debug, Default)]
pub struct Saved<T> {
    /// 0xFF or 0 per element: slopes that are 1 or 0.
    pub mask: Vec<u8>,
    /// Positions: the winners of a max-pool.
    pub index: Vec<u32>,
    /// Slopes, or whatever values the transpose needs.
    pub values: Vec<T>,
}

/// How a cotangent passes from a step's output to one of its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Unchanged: the same numbers, read under the input's shape.
    Pass,
    /// Element by element, times [`Step::slopes`], in the output's shape.
    Scaled,
    /// By [`Step::vjp_in_place`], in the output's shape.
    InPlace,
    /// Computed from one buffer into another, by [`Step::vjp`].
    Write,
}

/// A parameter of a step, in a reverse pass.
#[derive(Debug, Clone, Copy)]
pub struct Trained {
    /// Which input of the ONNX node it is.
    pub role: usize,
    /// Its elements.
    pub n_elements: usize,
    /// V.
    pub n_cotangents: usize,
}

/// A lowered operator.
pub trait Step<T: Scalar>: Send + Sync {
    /// y ← f(x). `saved` is given when a reverse pass may follow; `scratch` is anyone's, of any length.
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, scratch: &mut Vec<T>);

    /// How cotangents flow to input `input`.
    fn flow(&self, _input: usize) -> Flow {
        Flow::Write
    }

    /// gx (V × input) ← Jᵀ gy for each of the V cotangents gy (V × output). Only for [`Flow::Write`].
    fn vjp(
        &self,
        _input: usize,
        _saved: &Saved<T>,
        _gy: &[T],
        _gx: &mut [T],
        _scratch: &mut Vec<T>,
    ) {
        unreachable!("a step whose flow is Write implements vjp");
    }

    /// The same, handing gx on stretch by stretch as it becomes complete.
    fn vjp_then(
        &self,
        input: usize,
        saved: &Saved<T>,
        gy: &[T],
        gx: &mut [T],
        scratch: &mut Vec<T>,
        onward: Onward<'_, '_, T>,
    ) {
        self.vjp(input, saved, gy, gx, scratch);
        (onward.done)(0, gx);
    }

    /// The slopes with respect to input `input`, which repeat: as many as the output has elements, or a divisor of that.
    /// Only for [`Flow::Scaled`].
    fn slopes<'s>(&'s self, _input: usize, _saved: &'s Saved<T>) -> Slopes<'s, T> {
        unreachable!("a step whose flow is Scaled implements slopes");
    }

    /// g (V × output) ← Jᵀ g for each of the V cotangents, in its place. Only for [`Flow::InPlace`].
    fn vjp_in_place(&self, _input: usize, _saved: &Saved<T>, _g: &mut [T]) {
        unreachable!("a step whose flow is InPlace implements vjp_in_place");
    }

    /// rows (V × parameter, in the parameter's own order) ← rows + its gradients, from what the step was run on
    /// and the cotangents gy (V × output). Only where [`Operator::trains`] says so.
    fn param_rows(
        &self,
        _param: Trained,
        _x: &[&[T]],
        _gy: &[T],
        _rows: &mut [T],
        _scratch: &mut Vec<T>,
    ) {
        unreachable!("an operator that trains implements param_rows");
    }

    /// S (V × V) ← S + the class Gram of the parameter; for steps that know a way without the rows.
    fn param_gram(
        &self,
        param: Trained,
        x: &[&[T]],
        gy: &[T],
        s: &mut [f64],
        scratch: &mut Vec<T>,
    ) {
        let mut rows = vec![T::ZERO; param.n_cotangents * param.n_elements];
        self.param_rows(param, x, gy, &mut rows, scratch);
        accumulate(&rows, &rows, param.n_cotangents, s);
    }

    /// The same for several parameters at once, each with its S; for steps that know their gradients from one pass over the
    /// cotangents.
    fn param_grams(
        &self,
        params: &mut [(Trained, Vec<f64>)],
        x: &[&[T]],
        gy: &[T],
        scratch: &mut Vec<T>,
    ) {
        for (param, s) in params {
            self.param_gram(*param, x, gy, s, scratch);
        }
    }
}

/// How a program is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramOptions {
    /// Whether 3×3 convolutions of stride 1 may be computed by Winograd's algorithm in single precision (in
    /// double precision they never are). It is two to three times faster and rounds differently: errors stay
    /// below 1e-5 of a layer's largest output. Default: yes.
    pub winograd: bool,
}

impl Default for ProgramOptions {
    fn default() -> Self {
        Self { winograd: true }
    }
}

/// What an operator may look at when it is asked for its channels-last form.
pub struct LayoutContext<'a> {
    pub options: ProgramOptions,
    /// The shapes of what the step is run on, channels last already.
    pub inputs: &'a [Vec<usize>],
}

/// An operator on channels-last values.
pub struct ChannelsLast {
    pub op: Arc<dyn Operator>,
    /// Whether it gains by it; others take the layout that their inputs have.
    pub seeks: bool,
}

/// Lowering to one number type.
pub trait Lower<T: Scalar> {
    /// Weights converted and laid out, ready to run.
    fn lower(&self) -> Box<dyn Step<T>>;
}

/// An operator with its attributes and captured constants.
pub trait Operator: Lower<f32> + Lower<f64> + Debug + Send + Sync {
    /// Multiply–accumulates of one forward pass, for operators that have any worth counting.
    fn macs(&self) -> u64 {
        0
    }

    /// The operator followed by y·scale + shift per channel (axis 1), if it can absorb that.
    fn with_affine(&self, _scale: &[f64], _shift: &[f64]) -> Option<Arc<dyn Operator>> {
        None
    }

    /// The operator before something that multiplies channel c (axis 1) by `slope[c]`, if it can do that to its cotangents itself,
    /// which are those of what comes of that ([`Operator::without_slope`]).
    fn with_slope(&self, _slope: &[f64]) -> Option<Arc<dyn Operator>> {
        None
    }

    /// The operator with its cotangents passed on as they are, not multiplied by its slope, the scale of
    /// [`Operator::as_affine`].
    fn without_slope(&self) -> Option<Arc<dyn Operator>> {
        None
    }

    /// Whether a cotangent can reach input `input`: not where the output is a step function of it (an index, a
    /// comparison, a rounding), whose derivative is zero wherever it exists.
    fn carries(&self, _input: usize) -> bool {
        true
    }

    /// The number of elements one distribution of a softmax runs over; `None` for other operators.
    fn n_normalised(&self) -> Option<usize> {
        None
    }

    /// Whether the lowered step knows the gradient of the parameter at ONNX input `role`.
    fn trains(&self, _role: usize) -> bool {
        false
    }

    /// The same operator on values whose axes are ordered 0, 2, 3, …, 1, if it has that form.
    fn channels_last(&self, _context: &LayoutContext<'_>) -> Option<ChannelsLast> {
        None
    }

    /// The operator as means over windows that leave fewer positions, each of weights that sum to 1, if that is all it does.
    fn as_mean(&self) -> Option<Box<dyn Mean>> {
        None
    }

    /// The operator on other positions, if it does the same at each and reads no other: a 1×1 convolution.
    fn on_grid(&self, _grid: [usize; AXES]) -> Option<Arc<dyn Operator>> {
        None
    }

    /// The operator as y = x·scale + shift per channel (axis 1), if that is all it does.
    fn as_affine(&self) -> Option<(&[f64], &[f64])> {
        None
    }
}

/// Means over windows ([`Operator::as_mean`]).
pub trait Mean {
    /// The positions that they leave.
    fn grid(&self) -> [usize; AXES];
    /// The same of so many channels.
    fn of(&self, n_channels: usize) -> Box<dyn Operator>;
}

/// The number types a network can be run in: `f32` and `f64`.
pub trait Real: Scalar {
    /// Picks the lowering to this type; for the engine itself.
    #[doc(hidden)]
    fn lower(op: &dyn Operator) -> Box<dyn Step<Self>>;
}

impl Real for f32 {
    fn lower(op: &dyn Operator) -> Box<dyn Step<f32>> {
        Lower::<f32>::lower(op)
    }
}

impl Real for f64 {
    fn lower(op: &dyn Operator) -> Box<dyn Step<f64>> {
        Lower::<f64>::lower(op)
    }
}

/// One output of a node, as its builder describes it.
#[derive(Debug)]
pub(crate) struct Spec {
    pub op: Arc<dyn Operator>,
    /// What the step is run on.
    pub inputs: Vec<ValueId>,
    /// The shape of the output.
    pub shape: Vec<usize>,
    /// Which ONNX inputs are trainable parameters, if they come from initializers.
    pub params: Vec<usize>,
}

/// What a node becomes.
#[derive(Debug)]
pub(crate) enum Built {
    /// One output that does not depend on the sample.
    Constant(Tensor),
    /// The output is input 0 itself.
    Alias,
    /// One step per output of the node.
    Steps(Vec<Spec>),
    /// Other nodes in place of this one.
    Body(Body),
}

impl Built {
    /// A node with one output and no parameters.
    pub(crate) fn step(
        op: impl Operator + 'static,
        inputs: Vec<ValueId>,
        shape: Vec<usize>,
    ) -> Self {
        Built::Steps(vec![Spec {
            op: Arc::new(op),
            inputs,
            shape,
            params: Vec::new(),
        }])
    }

    /// The same, with trainable parameters at ONNX inputs `params`.
    pub(crate) fn layer(
        op: impl Operator + 'static,
        inputs: Vec<ValueId>,
        shape: Vec<usize>,
        params: Vec<usize>,
    ) -> Self {
        Built::Steps(vec![Spec {
            op: Arc::new(op),
            inputs,
            shape,
            params,
        }])
    }
}

/// One row of the table of operators.
pub(crate) struct OpDef {
    /// The ONNX name.
    pub name: &'static str,
    /// The first operator set whose definition is read.
    pub since: i64,
    /// Reads attributes and shapes, and checks them.
    pub build: fn(&NodeContext<'_>) -> Result<Built, EngineError>,
    /// The derivative in a phrase, with the subgradient chosen at each kink.
    pub derivative: &'static str,
}
