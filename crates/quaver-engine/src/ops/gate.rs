//! Activations with parameters beyond the common ones: ThresholdedRelu, Shrink and Swish.

use quaver_kernels::Scalar;

use super::elementwise::{Curve, build};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::Built;

#[derive(Debug, Clone)]
struct ThresholdedRelu {
    alpha: f64,
}

impl Curve for ThresholdedRelu {
    const SLOPE_IS_BIT: bool = true;

    fn value<T: Scalar>(&self, x: T) -> T {
        // NaN passes through, so that it is noticed.
        if x <= T::from_f64(self.alpha) {
            T::ZERO
        } else {
            x
        }
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        if x > T::from_f64(self.alpha) {
            T::ONE
        } else {
            T::ZERO
        }
    }
}

/// x above α, 0 elsewhere.
pub(super) fn thresholded_relu(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let alpha = node.float("alpha", 1.0);
    build(node, ThresholdedRelu { alpha })
}

#[derive(Debug, Clone)]
struct Shrink {
    bias: f64,
    lambda: f64,
}

impl Curve for Shrink {
    const SLOPE_IS_BIT: bool = true;

    fn value<T: Scalar>(&self, x: T) -> T {
        if x < T::from_f64(-self.lambda) {
            x + T::from_f64(self.bias)
        } else if x > T::from_f64(self.lambda) {
            x - T::from_f64(self.bias)
        } else {
            // Only NaN survives the product.
            x * T::ZERO
        }
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        if x.abs() > T::from_f64(self.lambda) {
            T::ONE
        } else {
            T::ZERO
        }
    }
}

/// x moved towards 0 by the bias where |x| > λ, 0 elsewhere.
pub(super) fn shrink(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (bias, lambda) = (node.float("bias", 0.0), node.float("lambd", 0.5));
    build(node, Shrink { bias, lambda })
}

#[derive(Debug, Clone)]
struct Swish {
    alpha: f64,
}

impl Curve for Swish {
    fn value<T: Scalar>(&self, x: T) -> T {
        let x = x.to_f64();
        T::from_f64(x / (1.0 + (-self.alpha * x).exp()))
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        let x = x.to_f64();
        let s = 1.0 / (1.0 + (-self.alpha * x).exp());
        T::from_f64(s + self.alpha * x * s * (1.0 - s))
    }
}

/// x · σ(α x).
pub(super) fn swish(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let alpha = node.float("alpha", 1.0);
    build(node, Swish { alpha })
}
