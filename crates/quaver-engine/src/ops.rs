//! The operators: one file for each or for a tight family, one line here for each.

mod activation;
mod affine;
mod batch_norm;
mod binary;
mod concat;
mod constant;
mod conv;
mod elementwise;
mod gemm;
pub(crate) mod layout;
mod linear;
mod matmul;
mod operand;
mod pool;
mod rearrange;
mod reduce;
mod reshape;
mod softmax;
#[cfg(test)]
mod testing;
mod window;

use crate::op::OpDef;

const fn op(
    name: &'static str,
    since: i64,
    build: fn(&crate::onnx::node::NodeContext<'_>) -> Result<crate::op::Built, crate::EngineError>,
    derivative: &'static str,
) -> OpDef {
    OpDef {
        name,
        since,
        build,
        derivative,
    }
}

const NONE: &str = "none: computed at load, never depends on the sample";
const MOVES: &str = "moves cotangents back where the values came from";

/// Every operator of the default domain that Quaver reads, by name.
pub(crate) const OPERATORS: &[OpDef] = &[
    op("Abs", 7, activation::abs, "sign x; 0 at 0"),
    op("Add", 7, binary::add, "1, 1"),
    op(
        "AveragePool",
        7,
        pool::average_pool,
        "spread evenly over the window",
    ),
    op(
        "BatchNormalization",
        7,
        batch_norm::build,
        "scale / √(variance + ε) per channel, running statistics",
    ),
    op(
        "Cast",
        7,
        constant::cast,
        "1 between floating-point types; other casts only of constants",
    ),
    op(
        "Celu",
        12,
        activation::celu,
        "1 above 0, exp(x/α) elsewhere",
    ),
    op(
        "Clip",
        7,
        activation::clip,
        "1 strictly inside the bounds, 0 at and outside them",
    ),
    op("Concat", 7, concat::build, MOVES),
    op("Constant", 7, constant::constant, NONE),
    op("ConstantOfShape", 9, constant::constant_of_shape, NONE),
    op("Conv", 7, conv::build, "the transposed convolution"),
    op("Cos", 7, activation::cos, "−sin x"),
    op("Div", 7, binary::div, "1/b, −a/b²"),
    op("Dropout", 7, reshape::dropout, "1 (inference)"),
    op("Elu", 7, activation::elu, "1 above 0, α·exp(x) elsewhere"),
    op("Erf", 9, activation::erf, "2/√π · exp(−x²)"),
    op("Exp", 7, activation::exp, "exp x"),
    op("Expand", 8, rearrange::expand, MOVES),
    op("Flatten", 7, reshape::flatten, "1"),
    op("Gather", 7, rearrange::gather, MOVES),
    op(
        "Gelu",
        20,
        activation::gelu,
        "Φ(x) + x φ(x); of the tanh form likewise",
    ),
    op("Gemm", 7, gemm::build, "the transposed product"),
    op(
        "GlobalAveragePool",
        7,
        pool::global_average_pool,
        "spread evenly over the positions",
    ),
    op(
        "GlobalMaxPool",
        7,
        pool::global_max_pool,
        "all to the largest; the first at a tie",
    ),
    op(
        "HardSigmoid",
        7,
        activation::hard_sigmoid,
        "α strictly between the kinks, 0 elsewhere",
    ),
    op(
        "HardSwish",
        14,
        activation::hard_swish,
        "(2x + 3)/6 strictly between −3 and 3; 0 at −3 and below, 1 at 3 and above",
    ),
    op("Identity", 7, reshape::identity, "1"),
    op(
        "LeakyRelu",
        7,
        activation::leaky_relu,
        "1 above 0, α at 0 and below",
    ),
    op("Log", 7, activation::log, "1/x"),
    op("LogSoftmax", 7, softmax::log_softmax, "g − softmax(x) Σg"),
    op(
        "MatMul",
        7,
        matmul::build,
        "the products with the other factor transposed",
    ),
    op(
        "Max",
        8,
        binary::max,
        "1 to the larger; to the first at a tie",
    ),
    op(
        "MaxPool",
        7,
        pool::max_pool,
        "all to the largest of the window; the first in row-major order at a tie",
    ),
    op(
        "Min",
        8,
        binary::min,
        "1 to the smaller; to the first at a tie",
    ),
    op("Mish", 18, activation::mish, "exact"),
    op("Mul", 7, binary::mul, "b, a"),
    op("Neg", 7, activation::neg, "−1"),
    op(
        "PRelu",
        7,
        binary::prelu,
        "1 above 0, slope at 0 and below; x below 0 with respect to the slope",
    ),
    op("Pad", 7, rearrange::pad, MOVES),
    op(
        "Pow",
        7,
        binary::pow,
        "b·aᵇ⁻¹, aᵇ·log a; 0 where an exponent of 0 or a base of 0 leaves them undefined",
    ),
    op("Reciprocal", 7, activation::reciprocal, "−1/x²"),
    op("ReduceMean", 7, reduce::mean, "spread evenly"),
    op("ReduceSum", 7, reduce::sum, "1 to every term"),
    op("Relu", 7, activation::relu, "1 above 0, 0 at 0 and below"),
    op("Reshape", 7, reshape::reshape, "1"),
    op(
        "Selu",
        7,
        activation::selu,
        "γ above 0, γα·exp(x) elsewhere",
    ),
    op("Shape", 7, constant::shape, NONE),
    op("Sigmoid", 7, activation::sigmoid, "σ(1 − σ)"),
    op("Sin", 7, activation::sin, "cos x"),
    op("Slice", 7, rearrange::slice, MOVES),
    op("Softmax", 7, softmax::softmax, "s (g − Σ s g)"),
    op("Softplus", 7, activation::softplus, "σ(x)"),
    op("Softsign", 7, activation::softsign, "1/(1 + |x|)²"),
    op("Split", 7, rearrange::split, MOVES),
    op("Sqrt", 7, activation::sqrt, "1/(2√x)"),
    op("Squeeze", 7, reshape::squeeze, "1"),
    op("Sub", 7, binary::sub, "1, −1"),
    op("Sum", 8, binary::sum, "1 to every term"),
    op("Tanh", 7, activation::tanh, "1 − tanh² x"),
    op("Transpose", 7, rearrange::transpose, MOVES),
    op("Unsqueeze", 7, reshape::unsqueeze, "1"),
];

/// The definition of an operator of the default domain.
pub(crate) fn find(name: &str) -> Option<&'static OpDef> {
    OPERATORS
        .binary_search_by(|def| def.name.cmp(name))
        .ok()
        .map(|at| &OPERATORS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_repetition() {
        assert!(OPERATORS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(find("Conv").is_some() && find("Loop").is_none());
    }
}
