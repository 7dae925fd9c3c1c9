//! `docs/operators.md` says what the tables of operators say; `QUAVER_BLESS=1` writes it anew.

use std::fmt::Write;
use std::path::Path;

use crate::import::{ML, OPSETS};
use crate::op::OpDef;
use crate::ops::{ML_OPERATORS, OPERATORS, REFUSALS};

/// What is read of an operator, where it is not all of it.
const LIMITS: &[(&str, &str)] = &[
    ("ArgMax", RANKING),
    ("ArgMin", RANKING),
    ("Attention", "without nonpad_kv_seqlen"),
    (
        "BatchNormalization",
        "inference; statistics, scale and bias constant",
    ),
    ("Compress", "condition constant"),
    ("Conv", "weight and bias constant"),
    ("ConvTranspose", "weight and bias constant"),
    ("DequantizeLinear", "without blocks"),
    ("Dropout", "inference"),
    ("Expand", "shape constant"),
    ("GRU", "whole sequences"),
    ("If", "condition constant"),
    ("LSTM", "whole sequences; without input_forget"),
    ("LinearClassifier", "without SOFTMAX_ZERO and PROBIT"),
    ("MaxPool", "without indices"),
    ("Pad", "pads constant"),
    ("RNN", "whole sequences"),
    ("Reshape", "shape constant"),
    ("Resize", "scales and sizes constant"),
    ("ScatterElements", "indices constant"),
    ("ScatterND", "indices constant"),
    ("Slice", "bounds constant"),
    ("Tile", "repeats constant"),
    ("TopK", RANKING),
];
const RANKING: &str = "of constants, ids and masks, where it leads to the logits";

/// What of the specification's own cases is not in `tests/backend_nodes.txt`.
const CASES: &str = "\n## The ONNX project's own cases that do not pass

The ONNX package carries a test case or more for each operator; `crates/quaver-engine/tests/backend_nodes.txt` lists those
that pass here. Of the operators above, these of floating-point numbers do not, and why:

| operator | cases | why |
|---|---|---|
| Attention | a count of valid keys for each sample (nonpad_kv_seqlen) | a cache for writing text; a classifier gives a mask |
| BatchNormalization | training_mode = 1 | statistics of the batch couple its samples |
| Cast, CastLike | to and from float8, float4 and integers of 2 and 4 bits | these types are not read |
| DequantizeLinear | blocks; float8, float4 and integers of 2 and 4 bits | these types and layouts are not read |
| Dropout | training | random; inference has none of it |
| MaxPool | Indices as an output | a second output that no derivative belongs to |
| Range | the form that is written out as a Loop | Loop is refused; Range itself is read |

The rest are operators that are not read: losses (NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss), which are no part of a
classifier; strings, sequences of unknown length and optional values; quantised arithmetic and other step functions, whose
derivative is zero; optimisers' steps and random numbers; and LinearAttention, FlexAttention, CausalConvWithState, Col2Im,
DeformConv, Det, MaxUnpool, RoiAlign, Scatter (ScatterElements in its place) and TensorScatter, which none of the networks
that Quaver is tested with has.
";

fn rows(page: &mut String, table: &[OpDef]) {
    page.push_str("| operator | since opset | derivative | limits |\n|---|---|---|---|\n");
    for def in table {
        let limit = LIMITS.iter().find(|(name, _)| *name == def.name);
        let limit = limit.map_or("", |(_, limit)| limit);
        let derivative = def.derivative.replace('|', "\\|");
        writeln!(
            page,
            "| {} | {} | {derivative} | {limit} |",
            def.name, def.since
        )
        .unwrap();
    }
}

fn page() -> String {
    let mut page = format!(
        "# Operators\n\n\
         <!-- Written by the tests of quaver-engine from its tables; QUAVER_BLESS=1 writes it anew. -->\n\n\
         Quaver reads opsets {} to {}. Constant means known when the model is read: an initializer, or what is computed from\n\
         initializers and shapes. Any operator of constants is computed then. \"Nothing flows back\" is exact: the derivative\n\
         of a step function is zero wherever it exists. At a kink the derivative is the one stated.\n\n\
         Model-local functions are written out; integers given with a sample (token ids, masks) are read but not\n\
         differentiated by.\n\n",
        OPSETS.start(),
        OPSETS.end()
    );
    rows(&mut page, OPERATORS);
    writeln!(page, "\n## Domain {ML}\n").unwrap();
    rows(&mut page, ML_OPERATORS);
    page.push_str("\n## Not read, with reason\n\n| operator | why |\n|---|---|\n");
    for (name, why) in REFUSALS {
        writeln!(page, "| {name} | {why} |").unwrap();
    }
    page.push_str(CASES);
    page
}

#[test]
fn the_page_of_operators_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md");
    for (name, _) in LIMITS {
        let mut defs = OPERATORS.iter().chain(ML_OPERATORS);
        assert!(defs.any(|def| def.name == *name), "{name} is in no table");
    }
    if std::env::var_os("QUAVER_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page()).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == page(),
        "docs/operators.md is stale: QUAVER_BLESS=1 writes it anew"
    );
}
