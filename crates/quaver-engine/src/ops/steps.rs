//! Functions of one number that are constant between jumps: their derivative is zero wherever it exists, and
//! nothing flows back through them.

use quaver_kernels::Scalar;

use super::elementwise::{Curve, build};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::Built;

type Result = std::result::Result<Built, EngineError>;

/// Declares a curve of slope 0 and its builder.
macro_rules! step {
    ($curve:ident, $build:ident, $doc:literal, |$x:ident| $value:expr) => {
        #[derive(Debug, Clone)]
        struct $curve;

        impl Curve for $curve {
            const IS_FLAT: bool = true;

            fn value<T: Scalar>(&self, x: T) -> T {
                let $x = x.to_f64();
                T::from_f64($value)
            }
            fn slope<T: Scalar>(&self, _: T) -> T {
                T::ZERO
            }
        }

        #[doc = $doc]
        pub(super) fn $build(node: &NodeContext<'_>) -> Result {
            build(node, $curve)
        }
    };
}

/// 1 for true, 0 for false.
fn truth(x: bool) -> f64 {
    f64::from(u8::from(x))
}

step!(Ceil, ceil, "The smallest whole number ≥ x.", |x| x.ceil());
step!(Floor, floor, "The largest whole number ≤ x.", |x| x
    .floor());
step!(IsNaN, is_nan, "Whether x is not a number.", |x| truth(
    x.is_nan()
));
step!(Not, not, "Whether x is false.", |x| truth(x == 0.0));
step!(
    Round,
    round,
    "The nearest whole number, the even one of two.",
    |x| x.round_ties_even()
);
step!(Sign, sign, "−1, 0 or 1.", |x| if x == 0.0 || x.is_nan() {
    x
} else {
    x.signum()
});
step!(Truncate, truncate, "x without its fraction.", |x| x.trunc());
step!(Real, real, "x, an integer, as a real number.", |x| x);
step!(IsTrue, is_true, "Whether x is not 0.", |x| truth(x != 0.0));

#[derive(Debug, Clone)]
struct IsInf {
    negative: bool,
    positive: bool,
}

impl Curve for IsInf {
    const IS_FLAT: bool = true;

    fn value<T: Scalar>(&self, x: T) -> T {
        let x = x.to_f64();
        let found = x.is_infinite()
            && if x > 0.0 {
                self.positive
            } else {
                self.negative
            };
        T::from_f64(truth(found))
    }
    fn slope<T: Scalar>(&self, _: T) -> T {
        T::ZERO
    }
}

/// Whether x is infinite.
pub(super) fn is_inf(node: &NodeContext<'_>) -> Result {
    let negative = node.flag("detect_negative", true);
    let positive = node.flag("detect_positive", true);
    build(node, IsInf { negative, positive })
}
