//! The operators: one file for each or for a tight family, one line here for each.

mod activation;
mod affine;
mod aggregate;
mod attention;
mod batch_norm;
mod binary;
pub(crate) mod channels;
mod compare;
mod composed;
mod concat;
mod constant;
mod control;
mod conv;
mod conv_transpose;
mod cumulative;
mod einsum;
mod elementwise;
mod gate;
mod gemm;
mod grid;
mod integer;
mod layout;
mod linear;
mod lookup;
mod lp_pool;
mod matmul;
mod ml;
mod normalize;
mod operand;
mod pick;
mod place;
mod pool;
mod rearrange;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod scatter;
mod select;
mod sequence;
mod softmax;
mod steps;
#[cfg(test)]
pub(crate) mod testing;
mod top;
mod trigonometric;
mod window;

use crate::compose::PRIVATE;
use crate::onnx::node::NodeContext;
use crate::op::{Built, OpDef};
use crate::{EngineError, import};

const fn op(name: &'static str, since: i64, build: Build, derivative: &'static str) -> OpDef {
    OpDef {
        name,
        since,
        build,
        derivative,
    }
}

const NONE: &str = "none: computed at load, never depends on the sample";
const FLAT: &str = "zero wherever it exists: nothing flows back";
const MOVES: &str = "moves cotangents back where the values came from";

/// Every operator of the default domain that Quaver reads, by name.
pub(crate) const OPERATORS: &[OpDef] = &[
    op("Abs", 7, activation::abs, "sign x; 0 at 0"),
    op("Acos", 7, trigonometric::acos, "−1/√(1 − x²)"),
    op("Acosh", 9, trigonometric::acosh, "1/√(x² − 1)"),
    op("Add", 7, binary::add, "1, 1"),
    op("AffineGrid", 20, grid::affine, "of its products and sums"),
    op("And", 7, compare::and, FLAT),
    op("ArgMax", 7, place::arg_max, FLAT),
    op("ArgMin", 7, place::arg_min, FLAT),
    op("Asin", 7, trigonometric::asin, "1/√(1 − x²)"),
    op("Asinh", 9, trigonometric::asinh, "1/√(x² + 1)"),
    op("Atan", 7, trigonometric::atan, "1/(1 + x²)"),
    op("Atanh", 9, trigonometric::atanh, "1/(1 − x²)"),
    op(
        "Attention",
        23,
        attention::attention,
        "of its products and its softmax",
    ),
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
        "1 between floating-point types, none to and from others",
    ),
    op("CastLike", 15, composed::cast_like, "as Cast"),
    op("Ceil", 7, steps::ceil, FLAT),
    op(
        "Celu",
        12,
        activation::celu,
        "1 above 0, exp(x/α) elsewhere",
    ),
    op("CenterCropPad", 18, layout::center_crop_pad, MOVES),
    op(
        "Clip",
        7,
        composed::clip,
        "1 strictly inside the bounds, 0 at and outside them",
    ),
    op("Compress", 9, layout::compress, MOVES),
    op("Concat", 7, concat::build, MOVES),
    op("ConcatFromSequence", 11, sequence::build, MOVES),
    op("Constant", 7, constant::constant, NONE),
    op("ConstantOfShape", 9, constant::constant_of_shape, NONE),
    op("Conv", 7, conv::build, "the transposed convolution"),
    op("ConvTranspose", 7, conv_transpose::build, "the convolution"),
    op("Cos", 7, activation::cos, "−sin x"),
    op("Cosh", 9, trigonometric::cosh, "sinh x"),
    op(
        "CumProd",
        26,
        cumulative::product,
        "the product of the others, summed from the other end",
    ),
    op(
        "CumSum",
        11,
        cumulative::sum,
        "the running sum from the other end",
    ),
    op("DepthToSpace", 7, layout::depth_to_space, MOVES),
    op("DequantizeLinear", 10, composed::dequantize, "scale"),
    op("Div", 7, integer::div, "1/b, −a/b²"),
    op("Dropout", 7, reshape::dropout, "1 (inference)"),
    op("Einsum", 12, einsum::build, "of its products and sums"),
    op("Elu", 7, activation::elu, "1 above 0, α·exp(x) elsewhere"),
    op("Equal", 7, compare::equal, FLAT),
    op("Erf", 9, activation::erf, "2/√π · exp(−x²)"),
    op("Exp", 7, activation::exp, "exp x"),
    op("Expand", 8, rearrange::expand, MOVES),
    op("EyeLike", 9, constant::eye_like, NONE),
    op("Flatten", 7, reshape::flatten, "1"),
    op("Floor", 7, steps::floor, FLAT),
    op("GRU", 7, recurrent::gru, "of its steps, unrolled"),
    op("Gather", 7, rearrange::gather, MOVES),
    op("GatherElements", 11, layout::gather_elements, MOVES),
    op("GatherND", 11, layout::gather_nd, MOVES),
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
        "GlobalLpPool",
        7,
        lp_pool::global,
        "sign x (|x|/y)ᵖ⁻¹; 0 where all is 0",
    ),
    op(
        "GlobalMaxPool",
        7,
        pool::global_max_pool,
        "all to the largest; the first at a tie",
    ),
    op("Greater", 7, compare::greater, FLAT),
    op("GreaterOrEqual", 12, compare::greater_or_equal, FLAT),
    op(
        "GridSample",
        16,
        grid::sample,
        "the transposed weights; by a coordinate the slopes inside its cell, 0 where it is clamped or rounded",
    ),
    op(
        "GroupNormalization",
        18,
        normalize::group,
        "r (g − mean g − y mean(g y)), r = 1/√(variance + ε)",
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
        "If",
        7,
        control::branch,
        "of the branch that a constant condition takes",
    ),
    op(
        "InstanceNormalization",
        7,
        normalize::instance,
        "r (g − mean g − y mean(g y)), r = 1/√(variance + ε)",
    ),
    op("IsInf", 10, steps::is_inf, FLAT),
    op("IsNaN", 9, steps::is_nan, FLAT),
    op(
        "LRN",
        7,
        normalize::local_response,
        "of its powers and sums",
    ),
    op("LSTM", 7, recurrent::lstm, "of its steps, unrolled"),
    op(
        "LayerNormalization",
        17,
        normalize::layer,
        "r (g − mean g − y mean(g y)), r = 1/√(variance + ε)",
    ),
    op(
        "LeakyRelu",
        7,
        activation::leaky_relu,
        "1 above 0, α at 0 and below",
    ),
    op("Less", 7, compare::less, FLAT),
    op("LessOrEqual", 12, compare::less_or_equal, FLAT),
    op("Log", 7, activation::log, "1/x"),
    op("LogSoftmax", 7, softmax::log_softmax, "g − softmax(x) Σg"),
    op("LpNormalization", 7, normalize::lp, "of the quotient"),
    op(
        "LpPool",
        7,
        lp_pool::build,
        "sign x (|x|/y)ᵖ⁻¹; 0 where a window is 0",
    ),
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
    op("Mean", 8, composed::mean, "1/n to every term"),
    op(
        "MeanVarianceNormalization",
        9,
        normalize::mean_variance,
        "r (g − mean g − y mean(g y)), r = 1/√(variance + ε)",
    ),
    op(
        "Min",
        8,
        binary::min,
        "1 to the smaller; to the first at a tie",
    ),
    op("Mish", 18, activation::mish, "exact"),
    op(
        "Mod",
        10,
        integer::modulo,
        "1 by the dividend; of integers none",
    ),
    op("Mul", 7, binary::mul, "b, a"),
    op("Neg", 7, activation::neg, "−1"),
    op("NonZero", 9, constant::non_zero, NONE),
    op("Not", 7, steps::not, FLAT),
    op("OneHot", 9, place::one_hot, FLAT),
    op("Or", 7, compare::or, FLAT),
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
    op(
        "RMSNormalization",
        23,
        normalize::rms,
        "r (g − y mean(g y)), r = 1/√(mean x² + ε)",
    ),
    op("RNN", 7, recurrent::rnn, "of its steps, unrolled"),
    op("Range", 11, constant::range, NONE),
    op("Reciprocal", 7, activation::reciprocal, "−1/x²"),
    op("ReduceL1", 7, aggregate::l1, "sign x; 0 at 0"),
    op("ReduceL2", 7, aggregate::l2, "x/y; 0 where all is 0"),
    op("ReduceLogSum", 7, aggregate::log_sum, "1/Σx"),
    op("ReduceLogSumExp", 7, aggregate::log_sum_exp, "softmax(x)"),
    op(
        "ReduceMax",
        7,
        aggregate::max,
        "1 to the largest; to the first at a tie",
    ),
    op("ReduceMean", 7, reduce::mean, "spread evenly"),
    op(
        "ReduceMin",
        7,
        aggregate::min,
        "1 to the smallest; to the first at a tie",
    ),
    op(
        "ReduceProd",
        7,
        aggregate::prod,
        "the product of the others",
    ),
    op("ReduceSum", 7, reduce::sum, "1 to every term"),
    op("ReduceSumSquare", 7, aggregate::sum_square, "2x"),
    op("Relu", 7, activation::relu, "1 above 0, 0 at 0 and below"),
    op("Reshape", 7, reshape::reshape, "1"),
    op("Resize", 10, resize::resize, "the transposed weights"),
    op("ReverseSequence", 10, layout::reverse_sequence, MOVES),
    op(
        "RotaryEmbedding",
        23,
        attention::rotary,
        "of its products and sums",
    ),
    op("Round", 11, steps::round, FLAT),
    op(
        "ScatterElements",
        11,
        scatter::elements,
        "to data where nothing is written over it, to updates where they stand; of reductions as Add, Mul, Max and Min",
    ),
    op(
        "ScatterND",
        11,
        scatter::slices,
        "to data where nothing is written over it, to updates where they stand; of reductions as Add, Mul, Max and Min",
    ),
    op(
        "Selu",
        7,
        activation::selu,
        "γ above 0, γα·exp(x) elsewhere",
    ),
    op("SequenceAt", 11, sequence::build, "1"),
    op("SequenceConstruct", 11, sequence::build, "1"),
    op("SequenceEmpty", 11, sequence::build, NONE),
    op("SequenceInsert", 11, sequence::build, "1"),
    op("SequenceLength", 11, sequence::build, NONE),
    op("Shape", 7, constant::shape, NONE),
    op("Shrink", 9, gate::shrink, "1 where |x| > λ, 0 elsewhere"),
    op("Sigmoid", 7, activation::sigmoid, "σ(1 − σ)"),
    op("Sign", 9, steps::sign, FLAT),
    op("Sin", 7, activation::sin, "cos x"),
    op("Sinh", 9, trigonometric::sinh, "cosh x"),
    op("Size", 7, constant::size, NONE),
    op("Slice", 7, rearrange::slice, MOVES),
    op("Softmax", 7, softmax::softmax, "s (g − Σ s g)"),
    op("Softplus", 7, activation::softplus, "σ(x)"),
    op("Softsign", 7, activation::softsign, "1/(1 + |x|)²"),
    op("SpaceToDepth", 7, layout::space_to_depth, MOVES),
    op("Split", 7, rearrange::split, MOVES),
    op("SplitToSequence", 11, sequence::build, MOVES),
    op("Sqrt", 7, activation::sqrt, "1/(2√x)"),
    op("Squeeze", 7, reshape::squeeze, "1"),
    op("Sub", 7, binary::sub, "1, −1"),
    op("Sum", 8, binary::sum, "1 to every term"),
    op("Swish", 24, gate::swish, "s + αx s(1 − s), s = σ(αx)"),
    op("Tan", 7, trigonometric::tan, "1 + tan² x"),
    op("Tanh", 7, activation::tanh, "1 − tanh² x"),
    op(
        "ThresholdedRelu",
        10,
        gate::thresholded_relu,
        "1 above α, 0 at α and below",
    ),
    op("Tile", 7, layout::tile, MOVES),
    op(
        "TopK",
        7,
        top::build,
        "1 to where each value came from, the first at a tie; places have none",
    ),
    op("Transpose", 7, rearrange::transpose, MOVES),
    op("Trilu", 14, layout::trilu, MOVES),
    op("Unsqueeze", 7, reshape::unsqueeze, "1"),
    op("Upsample", 7, resize::upsample, "the transposed weights"),
    op(
        "Where",
        9,
        select::build,
        "1 to what the condition chooses, none to the condition",
    ),
    op("Xor", 7, compare::xor, FLAT),
];

/// Every operator of the domain `ai.onnx.ml` that Quaver reads, by name.
pub(crate) const ML_OPERATORS: &[OpDef] = &[
    op("ArrayFeatureExtractor", 1, ml::extract_features, MOVES),
    op("Binarizer", 1, ml::binarizer, FLAT),
    op("FeatureVectorizer", 1, ml::feature_vectorizer, MOVES),
    op(
        "Imputer",
        1,
        ml::imputer,
        "1 where nothing is put in place, 0 elsewhere",
    ),
    op(
        "LinearClassifier",
        1,
        ml::linear_classifier,
        "the coefficients; the label has none",
    ),
    op(
        "LinearRegressor",
        1,
        ml::linear_regressor,
        "the coefficients",
    ),
    op("Normalizer", 1, ml::normalizer, "of the quotient"),
    op("Scaler", 1, ml::scaler, "scale"),
    op("ZipMap", 1, ml::zip_map, "1"),
];

/// Operators that exist in bodies alone, by name.
const PRIVATE_OPERATORS: &[(&str, Build)] = &[
    ("IsTrue", steps::is_true),
    ("Normalize", normalize::core),
    ("Real", steps::real),
    ("Truncate", steps::truncate),
];

/// Why some operators are not read, where there is more to say than that.
pub(crate) const REFUSALS: &[(&str, &str)] = &[
    ("Hardmax", "it is a step function, whose derivative is zero"),
    ("Loop", LOOPS),
    (
        "QuantizeLinear",
        "rounding has derivative zero; analyse the model before quantisation",
    ),
    ("Scan", LOOPS),
    (
        "SVMClassifier",
        "its votes are step functions; only linear models of this domain are read",
    ),
    ("TreeEnsemble", TREES),
    ("TreeEnsembleClassifier", TREES),
    ("TreeEnsembleRegressor", TREES),
];
const LOOPS: &str =
    "what it does may depend on the sample; export the model with its steps written out";
const TREES: &str = "trees are step functions, whose derivative is zero";

/// Reads attributes and shapes of a node, and checks them.
pub(crate) type Build = fn(&NodeContext<'_>) -> Result<Built, EngineError>;

/// The definition of an operator that a file may hold.
pub(crate) fn find(domain: &str, name: &str) -> Option<&'static OpDef> {
    let table = match domain {
        "" | "ai.onnx" => OPERATORS,
        import::ML => ML_OPERATORS,
        _ => return None,
    };
    let at = table.binary_search_by(|def| def.name.cmp(name)).ok()?;
    Some(&table[at])
}

/// What reads an operator, of a file or of a body.
pub(crate) fn builder(domain: &str, name: &str) -> Option<Build> {
    if domain != PRIVATE {
        return find(domain, name).map(|def| def.build);
    }
    let found = PRIVATE_OPERATORS.iter().find(|(other, _)| *other == name);
    found.map(|&(_, build)| build)
}

/// Why an operator is not read, if that is known.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    let found = REFUSALS.iter().find(|(other, _)| *other == name);
    found.map(|&(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_repetition() {
        assert!(OPERATORS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(
            ML_OPERATORS
                .windows(2)
                .all(|pair| pair[0].name < pair[1].name)
        );
        assert!(find("", "Conv").is_some() && find("", "Loop").is_none());
    }
}
