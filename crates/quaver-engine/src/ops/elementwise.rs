//! Operators of one input that act element by element: they give only f and f′.

use std::fmt::Debug;
use std::sync::Arc;

use quaver_kernels::Scalar;
use quaver_kernels::elementwise::Slopes;

use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, ChannelsLast, Flow, LayoutContext, Lower, Operator, Saved, Step};

/// A function of one number and its slope.
pub(super) trait Curve: Clone + Debug + Send + Sync + 'static {
    /// Whether the slope is always 0 or 1, so that a bit per element keeps it.
    const SLOPE_IS_BIT: bool = false;

    /// Whether the slope is 0 everywhere, so that nothing flows back.
    const IS_FLAT: bool = false;

    /// f(x).
    fn value<T: Scalar>(&self, x: T) -> T;

    /// f′(x); at a kink, the documented choice.
    fn slope<T: Scalar>(&self, x: T) -> T;
}

#[derive(Debug, Clone)]
struct Elementwise<C>(C);

impl<C: Curve> Operator for Elementwise<C> {
    fn channels_last(&self, _: &LayoutContext<'_>) -> Option<ChannelsLast> {
        Some(ChannelsLast {
            op: Arc::new(self.clone()),
            seeks: false,
        })
    }

    fn carries(&self, _: usize) -> bool {
        !C::IS_FLAT
    }
}

impl<T: Scalar, C: Curve> Lower<T> for Elementwise<C> {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar, C: Curve> Step<T> for Elementwise<C> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let x = x[0];
        for (y, &x) in y.iter_mut().zip(x) {
            *y = self.0.value(x);
        }
        let Some(saved) = saved else { return };
        if C::SLOPE_IS_BIT {
            saved.mask.clear();
            saved.mask.extend(
                x.iter()
                    .map(|&x| if self.0.slope(x) == T::ZERO { 0 } else { 0xFF }),
            );
        } else {
            saved.values.clear();
            saved.values.extend(x.iter().map(|&x| self.0.slope(x)));
        }
    }

    fn flow(&self, _: usize) -> Flow {
        Flow::Scaled
    }

    fn slopes<'s>(&'s self, _: usize, saved: &'s Saved<T>) -> Slopes<'s, T> {
        match C::SLOPE_IS_BIT {
            true => Slopes::Bits(&saved.mask),
            false => Slopes::Factors(&saved.values),
        }
    }
}

/// Builds the operator of input 0 that applies `curve`.
pub(super) fn build(node: &NodeContext<'_>, curve: impl Curve) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    Ok(Built::step(
        Elementwise(curve),
        vec![x.value],
        x.shape.clone(),
    ))
}
