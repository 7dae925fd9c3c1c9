//! Activations and other functions of one number: value, slope, and the choice at each kink.

use quaver_kernels::Scalar;

use super::elementwise::{Curve, build};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::Built;

type Result = std::result::Result<Built, EngineError>;

/// A constant in the kernel's number type.
fn c<T: Scalar>(value: f64) -> T {
    T::from_f64(value)
}

/// 1 / (1 + e⁻ˣ) without overflow on either side.
fn logistic<T: Scalar>(x: T) -> T {
    if x >= T::ZERO {
        T::ONE / (T::ONE + (-x).exp())
    } else {
        let e = x.exp();
        e / (T::ONE + e)
    }
}

/// erf in the precision of `T`; through `f64`, whose error is far below either type's rounding in networks.
fn error_function<T: Scalar>(x: T) -> T {
    T::from_f64(libm::erf(x.to_f64()))
}

/// log(1 + eˣ) without overflow.
fn log1p_exp<T: Scalar>(x: T) -> T {
    let x = x.to_f64();
    T::from_f64(x.max(0.0) + (-x.abs()).exp().ln_1p())
}

/// Declares a curve without parameters and its builder.
macro_rules! curve {
    ($curve:ident, $build:ident, $doc:literal, |$x:ident| $value:expr, $slope:expr) => {
        #[derive(Debug, Clone)]
        struct $curve;

        impl Curve for $curve {
            fn value<T: Scalar>(&self, $x: T) -> T {
                $value
            }
            fn slope<T: Scalar>(&self, $x: T) -> T {
                $slope
            }
        }

        #[doc = $doc]
        pub(super) fn $build(node: &NodeContext<'_>) -> Result {
            build(node, $curve)
        }
    };
}

#[derive(Debug, Clone)]
struct Relu;

impl Curve for Relu {
    const SLOPE_IS_BIT: bool = true;

    fn value<T: Scalar>(&self, x: T) -> T {
        // NaN passes through, so that it is noticed.
        if x <= T::ZERO { T::ZERO } else { x }
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        if x > T::ZERO { T::ONE } else { T::ZERO }
    }
}

/// max(x, 0).
pub(super) fn relu(node: &NodeContext<'_>) -> Result {
    build(node, Relu)
}

#[derive(Debug, Clone)]
struct Clip {
    low: f64,
    high: f64,
}

impl Curve for Clip {
    const SLOPE_IS_BIT: bool = true;

    fn value<T: Scalar>(&self, x: T) -> T {
        let (low, high) = (c(self.low), c(self.high));
        let x = if x < low { low } else { x };
        if x > high { high } else { x }
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        if x > c(self.low) && x < c(self.high) {
            T::ONE
        } else {
            T::ZERO
        }
    }
}

/// min(max(x, low), high).
pub(super) fn clip(node: &NodeContext<'_>) -> Result {
    let low = node.float_or_input("min", 1)?.unwrap_or(f64::NEG_INFINITY);
    let high = node.float_or_input("max", 2)?.unwrap_or(f64::INFINITY);
    build(node, Clip { low, high })
}

#[derive(Debug, Clone)]
struct LeakyRelu {
    alpha: f64,
}

impl Curve for LeakyRelu {
    fn value<T: Scalar>(&self, x: T) -> T {
        if x > T::ZERO {
            x
        } else {
            c::<T>(self.alpha) * x
        }
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        if x > T::ZERO { T::ONE } else { c(self.alpha) }
    }
}

/// x above 0, α x below.
pub(super) fn leaky_relu(node: &NodeContext<'_>) -> Result {
    build(
        node,
        LeakyRelu {
            alpha: node.float("alpha", 0.01),
        },
    )
}

/// scale · (x above 0, α (exp(x / width) − 1) elsewhere): Elu, Selu and Celu.
#[derive(Debug, Clone)]
struct Exponential {
    scale: f64,
    alpha: f64,
    width: f64,
}

impl Curve for Exponential {
    fn value<T: Scalar>(&self, x: T) -> T {
        if x > T::ZERO {
            c::<T>(self.scale) * x
        } else {
            c(self.scale * self.alpha * (x.to_f64() / self.width).exp_m1())
        }
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        if x > T::ZERO {
            c(self.scale)
        } else {
            c(self.scale * self.alpha / self.width * (x.to_f64() / self.width).exp())
        }
    }
}

/// x above 0, α (eˣ − 1) elsewhere.
pub(super) fn elu(node: &NodeContext<'_>) -> Result {
    let alpha = node.float("alpha", 1.0);
    build(
        node,
        Exponential {
            scale: 1.0,
            alpha,
            width: 1.0,
        },
    )
}

/// γ x above 0, γ α (eˣ − 1) elsewhere.
pub(super) fn selu(node: &NodeContext<'_>) -> Result {
    let alpha = node.float("alpha", f64::from(1.673_263_2_f32));
    let scale = node.float("gamma", f64::from(1.050_701_f32));
    build(
        node,
        Exponential {
            scale,
            alpha,
            width: 1.0,
        },
    )
}

/// max(0, x) + min(0, α (exp(x/α) − 1)).
pub(super) fn celu(node: &NodeContext<'_>) -> Result {
    let alpha = node.float("alpha", 1.0);
    build(
        node,
        Exponential {
            scale: 1.0,
            alpha,
            width: alpha,
        },
    )
}

#[derive(Debug, Clone)]
struct HardSigmoid {
    alpha: f64,
    beta: f64,
}

impl Curve for HardSigmoid {
    fn value<T: Scalar>(&self, x: T) -> T {
        let line = c::<T>(self.alpha) * x + c(self.beta);
        if line <= T::ZERO {
            T::ZERO
        } else if line >= T::ONE {
            T::ONE
        } else {
            line
        }
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        let line = c::<T>(self.alpha) * x + c(self.beta);
        if line > T::ZERO && line < T::ONE {
            c(self.alpha)
        } else {
            T::ZERO
        }
    }
}

/// max(0, min(1, α x + β)).
pub(super) fn hard_sigmoid(node: &NodeContext<'_>) -> Result {
    let (alpha, beta) = (node.float("alpha", 0.2), node.float("beta", 0.5));
    build(node, HardSigmoid { alpha, beta })
}

/// Gelu with the error function, or with the tanh approximation.
#[derive(Debug, Clone)]
struct Gelu {
    tanh: bool,
}

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const TANH_CUBIC: f64 = 0.044_715;

impl Curve for Gelu {
    fn value<T: Scalar>(&self, x: T) -> T {
        let t = x.to_f64();
        let cdf = if self.tanh {
            0.5 * (1.0 + (SQRT_2_OVER_PI * (t + TANH_CUBIC * t * t * t)).tanh())
        } else {
            0.5 * (1.0 + libm::erf(t * std::f64::consts::FRAC_1_SQRT_2))
        };
        c(t * cdf)
    }
    fn slope<T: Scalar>(&self, x: T) -> T {
        let t = x.to_f64();
        c(if self.tanh {
            let u = (SQRT_2_OVER_PI * (t + TANH_CUBIC * t * t * t)).tanh();
            let du = SQRT_2_OVER_PI * (1.0 + 3.0 * TANH_CUBIC * t * t);
            0.5 * (1.0 + u) + 0.5 * t * (1.0 - u * u) * du
        } else {
            let cdf = 0.5 * (1.0 + libm::erf(t * std::f64::consts::FRAC_1_SQRT_2));
            cdf + t * (-0.5 * t * t).exp() * SQRT_2_OVER_PI * 0.5
        })
    }
}

/// x Φ(x), or its tanh approximation.
pub(super) fn gelu(node: &NodeContext<'_>) -> Result {
    match node.string("approximate", "none").as_str() {
        "none" => build(node, Gelu { tanh: false }),
        "tanh" => build(node, Gelu { tanh: true }),
        other => Err(EngineError::format(format!(
            "attribute approximate = '{other}'"
        ))),
    }
}

curve!(
    Abs,
    abs,
    "|x|.",
    |x| x.abs(),
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        T::ZERO
    }
);
curve!(
    Cos,
    cos,
    "cos x.",
    |x| c(x.to_f64().cos()),
    c(-x.to_f64().sin())
);
curve!(Erf, erf, "The error function.", |x| error_function(x), {
    c(std::f64::consts::FRAC_2_SQRT_PI * (-x.to_f64() * x.to_f64()).exp())
});
curve!(Exp, exp, "eˣ.", |x| x.exp(), x.exp());
curve!(
    HardSwish,
    hard_swish,
    "x · max(0, min(1, x/6 + 1/2)).",
    |x| {
        if x <= c(-3.0) {
            T::ZERO
        } else if x >= c(3.0) {
            x
        } else {
            x * (x + c(3.0)) / c(6.0)
        }
    },
    if x <= c(-3.0) {
        T::ZERO
    } else if x >= c(3.0) {
        T::ONE
    } else {
        (x + x + c(3.0)) / c(6.0)
    }
);
curve!(Log, log, "The natural logarithm.", |x| x.ln(), T::ONE / x);
curve!(
    Mish,
    mish,
    "x · tanh(log(1 + eˣ)).",
    |x| x * log1p_exp(x).tanh(),
    {
        let t = log1p_exp(x).tanh();
        t + x * (T::ONE - t * t) * logistic(x)
    }
);
curve!(Neg, neg, "−x.", |x| -x, {
    let _ = x;
    -T::ONE
});
curve!(
    Reciprocal,
    reciprocal,
    "1/x.",
    |x| T::ONE / x,
    -T::ONE / (x * x)
);
curve!(
    Sigmoid,
    sigmoid,
    "1/(1 + e⁻ˣ).",
    |x| logistic(x),
    logistic(x) * logistic(-x)
);
curve!(
    Sin,
    sin,
    "sin x.",
    |x| c(x.to_f64().sin()),
    c(x.to_f64().cos())
);
curve!(
    Softplus,
    softplus,
    "log(1 + eˣ).",
    |x| log1p_exp(x),
    logistic(x)
);
curve!(
    Softsign,
    softsign,
    "x/(1 + |x|).",
    |x| x / (T::ONE + x.abs()),
    {
        let d = T::ONE + x.abs();
        T::ONE / (d * d)
    }
);
curve!(Sqrt, sqrt, "√x.", |x| x.sqrt(), c::<T>(0.5) / x.sqrt());
curve!(
    Tanh,
    tanh,
    "tanh x.",
    |x| x.tanh(),
    T::ONE - x.tanh() * x.tanh()
);
