//! The cases of the gradient check: at least one for every row of the tables.

use super::{Case, In, case, ints, number, positive, w, x};

pub(super) fn cases() -> Vec<Case> {
    let image = || x(&[1, 2, 5, 6]);
    let mut cases = Vec::new();
    for op in [
        "Abs",
        "Cos",
        "Elu",
        "Erf",
        "Exp",
        "HardSigmoid",
        "HardSwish",
        "LeakyRelu",
        "Neg",
        "Relu",
        "Selu",
        "Sigmoid",
        "Sin",
        "Softplus",
        "Softsign",
        "Tanh",
        "Celu",
        "Identity",
        "Dropout",
    ] {
        cases.push(case(op, [x(&[1, 70])]));
    }
    for op in ["Log", "Sqrt", "Reciprocal"] {
        cases.push(case(op, [x(&[1, 7])]).on(0.5, 3.0));
    }
    for op in ["Softmax", "LogSoftmax"] {
        cases.push(case(op, [x(&[1, 3, 4])]));
        cases.push(case(op, [x(&[1, 3, 4])]).int("axis", 1));
        cases.push(case(op, [x(&[1, 3, 4])]).opset(11));
    }
    for op in ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum"] {
        cases.push(case(op, [x(&[1, 3, 4]), x(&[1, 3, 4])]).on(0.5, 2.0));
        cases.push(case(op, [x(&[1, 3, 4]), x(&[1, 4])]).on(0.5, 2.0));
        cases.push(case(op, [x(&[1, 1, 4]), positive(&[3, 1])]).on(0.5, 2.0));
        cases.push(case(op, [positive(&[3, 1]), x(&[1, 1, 4])]).on(0.5, 2.0));
    }
    for op in ["Max", "Min", "Sum"] {
        cases.push(case(op, [x(&[1, 5]), x(&[1, 5]), x(&[1, 1]), w(&[5])]));
        cases.push(case(op, [x(&[1, 5])]));
    }
    for op in ["ReduceMean", "ReduceSum"] {
        cases.push(case(op, [x(&[1, 3, 4])]).opset(11));
        cases.push(
            case(op, [x(&[1, 3, 4])])
                .opset(11)
                .ints("axes", &[-1])
                .int("keepdims", 0),
        );
        cases.push(case(op, [x(&[1, 3, 4]), ints(&[1])]).opset(18));
    }
    for op in ["AveragePool", "MaxPool"] {
        cases.push(
            case(op, [image()])
                .ints("kernel_shape", &[2, 3])
                .ints("strides", &[2, 2]),
        );
        cases.push(
            case(op, [image()])
                .ints("kernel_shape", &[3, 3])
                .ints("strides", &[2, 2])
                .ints("pads", &[1, 0, 1, 1])
                .int("ceil_mode", 1),
        );
        cases.push(
            case(op, [x(&[1, 2, 9])])
                .ints("kernel_shape", &[3])
                .string("auto_pad", "SAME_UPPER"),
        );
    }
    for op in ["GlobalAveragePool", "GlobalMaxPool", "Flatten", "Squeeze"] {
        cases.push(case(op, [image()]).opset(11));
    }
    cases.extend([
        case("Cast", [image()]).int("to", 1),
        case("Clip", [x(&[1, 70]), number(-1.0), number(1.0)]),
        case("Clip", [x(&[1, 70])])
            .opset(7)
            .float("min", 0.0)
            .float("max", 6.0),
        case("Gelu", [x(&[1, 70])]).opset(20),
        case("Gelu", [x(&[1, 70])])
            .opset(20)
            .string("approximate", "tanh"),
        case("Mish", [x(&[1, 70])]).opset(18),
        case("PRelu", [image(), positive(&[2, 1, 1])]),
        case("PRelu", [x(&[1, 6]), x(&[1, 6])]),
        case("AveragePool", [image()])
            .ints("kernel_shape", &[3, 3])
            .ints("pads", &[1, 1, 1, 1])
            .int("count_include_pad", 1),
        case(
            "BatchNormalization",
            [image(), w(&[2]), w(&[2]), w(&[2]), positive(&[2])],
        ),
        case("Conv", [image(), w(&[4, 2, 3, 3]), w(&[4])]).ints("pads", &[1, 1, 1, 1]),
        case("Conv", [image(), w(&[4, 1, 2, 3])])
            .int("group", 2)
            .ints("strides", &[2, 1]),
        case("Conv", [image(), w(&[2, 1, 3, 3])])
            .int("group", 2)
            .string("auto_pad", "SAME_LOWER"),
        case("Conv", [image(), w(&[3, 2, 2, 2])]).ints("dilations", &[2, 3]),
        case("Conv", [x(&[1, 2, 9]), w(&[3, 2, 3])]).ints("strides", &[3]),
        case("Conv", [x(&[1, 2, 3, 4, 3]), w(&[3, 2, 2, 2, 2]), w(&[3])]),
        case("Concat", [image(), x(&[1, 3, 5, 6]), w(&[1, 1, 5, 6])]).int("axis", 1),
        case("Expand", [x(&[1, 3, 1]), ints(&[2, 1, 4])]),
        case("Gather", [x(&[1, 4, 3]), ints(&[3, 0, 3, -2])]).int("axis", 1),
        case("Gemm", [x(&[1, 4]), w(&[4, 3]), w(&[3])]),
        case("Gemm", [x(&[1, 4]), w(&[3, 4]), w(&[1, 1])])
            .int("transB", 1)
            .float("alpha", 0.5)
            .float("beta", 2.0),
        case("MatMul", [x(&[1, 3, 4]), w(&[4, 2])]),
        case("MatMul", [w(&[2, 3]), x(&[1, 3, 4])]),
        case("MatMul", [x(&[1, 2, 3, 4]), x(&[1, 4, 5])]),
        case("MatMul", [x(&[1, 3, 4]), w(&[4])]),
        case(
            "Pad",
            [image(), ints(&[0, 1, 1, 0, 0, 0, 2, -1]), number(0.5)],
        ),
        case("Pad", [image(), ints(&[0, 0, 2, 1, 0, 0, 1, 2])]).string("mode", "reflect"),
        case("Pad", [image(), ints(&[0, 0, 2, 1, 0, 0, 1, 2])]).string("mode", "edge"),
        case("Reshape", [image(), ints(&[0, -1, 4])]),
        case(
            "Slice",
            [
                image(),
                ints(&[0, 4]),
                ints(&[5, -9]),
                ints(&[2, 3]),
                ints(&[2, -2]),
            ],
        ),
        case("Slice", [image()])
            .opset(9)
            .ints("starts", &[1])
            .ints("ends", &[99])
            .ints("axes", &[3]),
        case("Split", [x(&[1, 5, 2])])
            .int("axis", 1)
            .opset(18)
            .int("num_outputs", 2)
            .outputs(2),
        case("Split", [x(&[1, 5, 2]), ints(&[1, 4])])
            .int("axis", 1)
            .outputs(2),
        case("Transpose", [x(&[1, 2, 3, 4])]).ints("perm", &[0, 3, 1, 2]),
        case("Transpose", [x(&[1, 2, 3])]),
        case("Unsqueeze", [x(&[1, 3]), ints(&[1, -1])]),
    ]);
    let flat = |op, inputs: &[In]| case(op, inputs.to_vec()).flat();
    for op in ["Ceil", "Floor", "IsInf", "IsNaN", "Not", "Round", "Sign"] {
        cases.push(flat(op, &[x(&[1, 7])]).opset(20));
    }
    for op in [
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "And",
        "Or",
        "Xor",
    ] {
        cases.push(flat(op, &[x(&[1, 3, 4]), w(&[3, 1])]));
    }
    for op in ["Asinh", "Atan", "Cosh", "Shrink", "Sinh", "ThresholdedRelu"] {
        cases.push(case(op, [x(&[1, 70])]));
    }
    for op in ["Acos", "Asin", "Atanh", "Tan"] {
        cases.push(case(op, [x(&[1, 7])]).on(-0.9, 0.9));
    }
    for op in [
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSumSquare",
    ] {
        cases.push(case(op, [x(&[1, 3, 4])]).opset(11).on(0.5, 2.0));
        cases.push(
            case(op, [x(&[1, 3, 4]), ints(&[1])])
                .opset(18)
                .int("keepdims", 0)
                .on(0.5, 2.0),
        );
    }
    let recurrent = |op, gates: i64| {
        let inputs = [
            x(&[3, 1, 2]),
            w(&[1, gates * 4, 2]),
            w(&[1, gates * 4, 4]),
            w(&[1, gates * 8]),
        ];
        case(op, inputs).whole().int("hidden_size", 4)
    };
    cases.extend([
        recurrent("RNN", 1),
        recurrent("GRU", 3),
        recurrent("GRU", 3).int("linear_before_reset", 1).outputs(2),
        recurrent("LSTM", 4).outputs(3),
        case("LSTM", [x(&[1, 3, 2]), w(&[2, 16, 2]), w(&[2, 16, 4])])
            .int("hidden_size", 4)
            .int("layout", 1)
            .string("direction", "bidirectional")
            .outputs(3),
        case("Acosh", [x(&[1, 7])]).on(1.1, 3.0),
        flat("ArgMax", &[x(&[1, 3, 4])]).int("axis", 1),
        flat("ArgMin", &[x(&[1, 3, 4])])
            .int("axis", 1)
            .int("keepdims", 0),
        case(
            "Attention",
            [x(&[1, 2, 3, 4]), x(&[1, 2, 5, 4]), x(&[1, 2, 5, 4])],
        )
        .opset(23),
        case("Attention", [x(&[1, 3, 8]), x(&[1, 3, 4]), w(&[1, 3, 4])])
            .opset(23)
            .int("q_num_heads", 2)
            .int("kv_num_heads", 1)
            .int("is_causal", 1)
            .float("softcap", 2.0),
        case("CastLike", [x(&[1, 3]), w(&[2])]),
        case("CenterCropPad", [image(), ints(&[1, 2, 3, 9])]).opset(18),
        case("Clip", [x(&[1, 5]), x(&[1, 5]), number(1.0)]),
        case("Compress", [x(&[1, 4, 3]), ints(&[1, 0, 1])]).int("axis", 1),
        case("ConvTranspose", [image(), w(&[2, 3, 3, 2]), w(&[3])])
            .ints("strides", &[2, 1])
            .ints("pads", &[1, 0, 0, 1])
            .ints("output_padding", &[1, 0]),
        case("ConvTranspose", [image(), w(&[2, 2, 2, 3])])
            .int("group", 2)
            .ints("dilations", &[2, 1])
            .string("auto_pad", "SAME_UPPER"),
        case("ConvTranspose", [x(&[1, 2, 4]), w(&[2, 1, 3])])
            .ints("strides", &[2])
            .ints("output_shape", &[10]),
        case("AffineGrid", [x(&[1, 2, 3]), ints(&[1, 1, 3, 2])]).opset(20),
        case("AffineGrid", [x(&[1, 3, 4]), ints(&[1, 1, 2, 1, 3])])
            .opset(20)
            .int("align_corners", 1),
        case("CumProd", [x(&[1, 4, 3]), ints(&[1])]).opset(26),
        case("CumProd", [x(&[1, 4, 3]), ints(&[1])])
            .opset(26)
            .int("exclusive", 1)
            .int("reverse", 1),
        case("CumSum", [x(&[1, 4, 3]), ints(&[1])]).int("exclusive", 1),
        case("CumSum", [x(&[1, 4, 3]), ints(&[1])]).int("reverse", 1),
        case("GridSample", [image(), x(&[1, 3, 2, 2])]).opset(20),
        case("GridSample", [image(), x(&[1, 3, 2, 2])])
            .opset(20)
            .string("padding_mode", "reflection")
            .int("align_corners", 1),
        case("GridSample", [image(), x(&[1, 3, 2, 2])])
            .opset(16)
            .string("mode", "bicubic")
            .string("padding_mode", "border"),
        case("GridSample", [w(&[1, 2, 5, 4]), x(&[1, 3, 2, 2])])
            .opset(20)
            .string("mode", "cubic")
            .string("padding_mode", "reflection"),
        case("GridSample", [x(&[1, 2, 3, 2, 3]), w(&[1, 2, 1, 2, 3])]).opset(20),
        case("GridSample", [image(), w(&[1, 3, 2, 2])])
            .opset(20)
            .string("mode", "nearest"),
        case("DepthToSpace", [x(&[1, 8, 2, 3])]).int("blocksize", 2),
        case("DepthToSpace", [x(&[1, 8, 2, 3])])
            .int("blocksize", 2)
            .string("mode", "CRD"),
        case("DequantizeLinear", [x(&[1, 3, 2]), positive(&[3]), w(&[3])]),
        case("Einsum", [x(&[1, 2, 3]), w(&[3, 4])]).string("equation", "bij,jk->bki"),
        case("Einsum", [x(&[1, 2, 3]), x(&[1, 4, 3])]).string("equation", "...id,...jd->...ij"),
        case("Einsum", [x(&[1, 3, 3])]).string("equation", "bii"),
        case("Einsum", [x(&[1, 3]), x(&[1, 2]), w(&[2, 3])]).string("equation", "ni,nj,ji->n"),
        case(
            "GatherElements",
            [x(&[1, 4]), In::Shaped(vec![1, 3], vec![3, 0, -1])],
        )
        .int("axis", 1),
        case(
            "GatherND",
            [x(&[1, 4, 3]), In::Shaped(vec![2, 2], vec![0, 3, 0, 1])],
        ),
        case("Gemm", [x(&[1, 4]), x(&[1, 3])])
            .whole()
            .int("transA", 1),
        case("Gemm", [x(&[1, 4]), w(&[4, 3]), x(&[1, 3])]).float("beta", 0.5),
        case("GlobalLpPool", [image()]).int("p", 3),
        case("GroupNormalization", [x(&[1, 4, 5]), w(&[4]), w(&[4])])
            .opset(21)
            .int("num_groups", 2),
        case("GroupNormalization", [x(&[1, 4, 5]), w(&[2]), w(&[2])])
            .opset(18)
            .int("num_groups", 2),
        case("InstanceNormalization", [image(), w(&[2]), w(&[2])]),
        case("LRN", [x(&[1, 5, 2, 2])])
            .int("size", 3)
            .float("alpha", 0.5),
        case("LayerNormalization", [x(&[1, 3, 4]), w(&[4]), w(&[4])]),
        case("LayerNormalization", [x(&[1, 3, 4]), w(&[3, 4])]).int("axis", 1),
        case("LpNormalization", [x(&[1, 4])]),
        case("LpPool", [image()])
            .ints("kernel_shape", &[2, 3])
            .ints("pads", &[1, 0, 0, 1]),
        case("Mean", [x(&[1, 3]), x(&[1, 1]), w(&[3])]),
        case("MeanVarianceNormalization", [image()]),
        case("Mod", [x(&[1, 7]), number(0.9)])
            .int("fmod", 1)
            .on(0.91, 1.7),
        flat("OneHot", &[x(&[1, 3]), ints(&[3]), w(&[2])]),
        case("RMSNormalization", [x(&[1, 3, 4]), w(&[4])]).opset(23),
        case(
            "Resize",
            [image(), In::Missing, w(&[0]), ints(&[1, 2, 10, 4])],
        ),
        case(
            "Resize",
            [image(), In::Missing, w(&[0]), ints(&[1, 2, 8, 9])],
        )
        .string("mode", "linear"),
        case(
            "Resize",
            [image(), In::Missing, w(&[0]), ints(&[1, 2, 8, 3])],
        )
        .string("mode", "cubic"),
        case(
            "Resize",
            [
                image(),
                In::Floats(vec![8], vec![0.0, 0.0, -0.3, 0.2, 1.0, 1.0, 0.8, 1.4]),
                w(&[0]),
                ints(&[1, 2, 4, 5]),
            ],
        )
        .string("coordinate_transformation_mode", "tf_crop_and_resize")
        .float("extrapolation_value", 3.0),
        case("ReverseSequence", [x(&[1, 4, 2]), ints(&[3])])
            .int("batch_axis", 0)
            .int("time_axis", 1),
        case(
            "RotaryEmbedding",
            [x(&[1, 2, 3, 4]), w(&[1, 3, 2]), w(&[1, 3, 2])],
        )
        .opset(23),
        case(
            "RotaryEmbedding",
            [x(&[1, 2, 3, 6]), w(&[1, 3, 2]), w(&[1, 3, 2])],
        )
        .opset(23)
        .int("interleaved", 1)
        .int("rotary_embedding_dim", 4),
        case(
            "ScatterElements",
            [x(&[1, 4]), In::Shaped(vec![1, 2], vec![3, 0]), x(&[1, 2])],
        )
        .int("axis", 1),
        case(
            "ScatterElements",
            [
                x(&[1, 4]),
                In::Shaped(vec![1, 4], vec![3, 0, 3, -1]),
                x(&[1, 4]),
            ],
        )
        .opset(18)
        .int("axis", 1)
        .string("reduction", "mul"),
        case(
            "ScatterElements",
            [
                x(&[1, 4]),
                In::Shaped(vec![1, 4], vec![3, 0, 3, -1]),
                x(&[1, 4]),
            ],
        )
        .opset(18)
        .int("axis", 1)
        .string("reduction", "max"),
        case(
            "ScatterElements",
            [
                x(&[1, 4]),
                In::Shaped(vec![1, 4], vec![3, 0, 3, -1]),
                x(&[1, 4]),
            ],
        )
        .opset(18)
        .int("axis", 1)
        .string("reduction", "min"),
        case(
            "ScatterND",
            [
                x(&[1, 4]),
                In::Shaped(vec![2, 2], vec![0, 3, 0, 3]),
                x(&[2]),
            ],
        )
        .whole()
        .opset(18)
        .string("reduction", "add"),
        case("SpaceToDepth", [x(&[1, 2, 4, 6])]).int("blocksize", 2),
        case("Swish", [x(&[1, 70])]).opset(24).float("alpha", 1.5),
        case("Tile", [x(&[1, 3, 2]), ints(&[2, 1, 3])]),
        case("TopK", [x(&[1, 5, 2]), ints(&[3])]).int("axis", 1),
        case("TopK", [x(&[1, 5]), ints(&[2])]).int("largest", 0),
        case("Trilu", [x(&[1, 3, 4])]).int("upper", 0),
        case(
            "Upsample",
            [image(), In::Floats(vec![4], vec![1.0, 1.0, 2.0, 3.0])],
        )
        .opset(9),
        case("Where", [w(&[3, 1]), x(&[1, 3, 4]), x(&[1, 1, 1])]),
        case("ArrayFeatureExtractor", [x(&[1, 4]), ints(&[2, 0])]).ml(),
        flat("Binarizer", &[x(&[1, 4])]).ml(),
        case("FeatureVectorizer", [x(&[1, 2]), x(&[1, 3])]).ml(),
        case("Imputer", [x(&[1, 2])])
            .ml()
            .floats("imputed_value_floats", &[0.5]),
        case("LinearRegressor", [x(&[1, 2])])
            .ml()
            .floats("coefficients", &[0.5, -2.0]),
        case("Normalizer", [x(&[1, 4])]).ml().string("norm", "L2"),
        case("Scaler", [x(&[1, 2])])
            .ml()
            .floats("offset", &[0.5, 1.0])
            .floats("scale", &[3.0]),
        case("ZipMap", [x(&[1, 2])]).ml(),
    ]);
    for transform in ["NONE", "SOFTMAX", "LOGISTIC"] {
        cases.push(
            case("LinearClassifier", [x(&[1, 2])])
                .ml()
                .wants(1)
                .ints("classlabels_ints", &[0, 1])
                .floats("coefficients", &[0.5, -2.0, -0.5, 2.0])
                .floats("intercepts", &[0.1, -0.1])
                .string("post_transform", transform),
        );
    }
    cases
}
