//! Trigonometric and hyperbolic functions and their inverses.

use quaver_kernels::Scalar;

use super::elementwise::{Curve, build};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::Built;

/// Declares a curve by value and slope in double precision, and its builder.
macro_rules! curve {
    ($curve:ident, $build:ident, $doc:literal, |$x:ident| $value:expr, $slope:expr) => {
        #[derive(Debug, Clone)]
        struct $curve;

        impl Curve for $curve {
            fn value<T: Scalar>(&self, x: T) -> T {
                let $x = x.to_f64();
                T::from_f64($value)
            }
            fn slope<T: Scalar>(&self, x: T) -> T {
                let $x = x.to_f64();
                T::from_f64($slope)
            }
        }

        #[doc = $doc]
        pub(super) fn $build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
            build(node, $curve)
        }
    };
}

curve!(
    Acos,
    acos,
    "arccos x.",
    |x| x.acos(),
    -1.0 / (1.0 - x * x).sqrt()
);
curve!(
    Acosh,
    acosh,
    "arcosh x.",
    |x| x.acosh(),
    1.0 / (x * x - 1.0).sqrt()
);
curve!(
    Asin,
    asin,
    "arcsin x.",
    |x| x.asin(),
    1.0 / (1.0 - x * x).sqrt()
);
curve!(
    Asinh,
    asinh,
    "arsinh x.",
    |x| x.asinh(),
    1.0 / (x * x + 1.0).sqrt()
);
curve!(Atan, atan, "arctan x.", |x| x.atan(), 1.0 / (1.0 + x * x));
curve!(
    Atanh,
    atanh,
    "artanh x.",
    |x| x.atanh(),
    1.0 / (1.0 - x * x)
);
curve!(Cosh, cosh, "cosh x.", |x| x.cosh(), x.sinh());
curve!(Sinh, sinh, "sinh x.", |x| x.sinh(), x.cosh());
curve!(Tan, tan, "tan x.", |x| x.tan(), 1.0 + x.tan() * x.tan());
