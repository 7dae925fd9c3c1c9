//! The classifiers people export, against other frameworks in double precision: logits, and class Grams of the
//! input, of every trainable parameter and of all of them together.
//!
//! `tools/export_fixtures.py` and `tools/export_fixtures_tabular.py` write the files and say what is in them; weights
//! are drawn here as they were there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use half::{bf16, f16};

use crate::onnx::proto::{StringStringEntryProto, TensorProto};
use crate::onnx::tensors::data_type;
use crate::onnx::{self, tensors};
use crate::{Head, HeadChoice, ImportOptions, Program};

/// The number of the draw that is the sample.
const SAMPLE: u64 = 9999;

/// Where the fixtures are; `QUAVER_FIXTURES` names another folder, for those that are new.
fn folder() -> PathBuf {
    std::env::var_os("QUAVER_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        PathBuf::from,
    )
}

/// Element by element shift + scale · (2u − 1), u uniform by SplitMix64.
fn draw(index: u64, n: usize, scale: f64, shift: f64) -> Vec<f64> {
    let mut state = (index + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let u = ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53);
            shift + scale * (2.0 * u - 1.0)
        })
        .collect()
}

/// Gives an initializer without data the weights it had; half precision from single, as both sides round twice.
fn fill(tensor: &mut TensorProto, index: &mut u64) {
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key == key);
        found.map(|entry| entry.value.parse::<f64>().unwrap())
    };
    let (Some(scale), Some(shift)) = (entry("scale"), entry("shift")) else {
        return;
    };
    let n = tensor.dims.iter().product::<i64>() as usize;
    let values = draw(*index, n, scale, shift);
    tensor.raw_data = match tensor.data_type {
        data_type::FLOAT16 => bytes_of(&values, |x| f16::from_f32(x as f32).to_le_bytes()),
        data_type::BFLOAT16 => bytes_of(&values, |x| bf16::from_f32(x as f32).to_le_bytes()),
        _ => bytes_of(&values, f64::to_le_bytes),
    };
    tensor.external_data.clear();
    *index += 1;
}

fn bytes_of<const N: usize>(values: &[f64], bytes: impl Fn(f64) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&x| bytes(x)).collect()
}

/// Moves the weights of a model into a file in `folder`, each at a multiple of 64 bytes.
fn move_out(initializers: &mut [TensorProto], folder: &Path) {
    let mut file = Vec::new();
    for tensor in initializers.iter_mut().filter(|t| t.raw_data.len() >= 64) {
        file.resize(file.len().next_multiple_of(64), 0);
        let entries = [
            ("location", "weights.data".to_owned()),
            ("offset", file.len().to_string()),
            ("length", tensor.raw_data.len().to_string()),
        ];
        tensor.external_data = entries
            .map(|(key, value)| StringStringEntryProto {
                key: key.to_owned(),
                value,
            })
            .into();
        tensor.data_location = 1;
        file.append(&mut tensor.raw_data);
    }
    std::fs::write(folder.join("weights.data"), file).unwrap();
}

fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let size = b.iter().map(|b| b.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    // Not-a-number must not pass for the smaller.
    difference.fold(0.0, |worst: f64, d| if d <= worst { worst } else { d }) / size
}

/// The fixture at `path`, its weights in the model or in a file beside it.
fn check(path: &Path, folder: Option<&Path>) -> Result<(), String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .unwrap();
    let mut model = onnx::decode(&bytes).unwrap();
    let proto = model.graph.as_mut().unwrap();
    let wrt = proto.name.clone();
    let mut index = 0;
    proto
        .initializer
        .iter_mut()
        .for_each(|tensor| fill(tensor, &mut index));
    let mut expected: BTreeMap<String, Vec<f64>> = proto
        .initializer
        .iter()
        .filter_map(|t| {
            let name = t.name.strip_prefix("expected/")?;
            Some((name.to_owned(), tensors::tensor(t, None).unwrap().numbers()))
        })
        .collect();
    if let Some(folder) = folder {
        move_out(&mut model.graph.as_mut().unwrap().initializer, folder);
    }
    let graph = crate::import::import(&model, folder, &ImportOptions::default())
        .map_err(|e| e.to_string())?;
    drop(model);
    let head = Head::find(&graph, HeadChoice::Detect).map_err(|e| e.to_string())?;
    let input = match wrt.as_str() {
        "" => graph.inputs()[0],
        name => graph
            .find(name)
            .ok_or_else(|| format!("no value '{name}'"))?,
    };
    let parameters = graph.parameters(head.logits);
    let given = expected.remove("x");
    let x = given.unwrap_or_else(|| draw(SAMPLE, graph.n_elements(graph.inputs()[0]), 1.0, 0.0));
    let wrt = [&[input], parameters.as_slice()].concat();
    let program = Program::<f64>::new(&graph, head.logits, &wrt).map_err(|e| e.to_string())?;
    let mut workspace = program.workspace();
    let logits = program
        .forward(&mut workspace, &[&x])
        .map_err(|e| e.to_string())?
        .to_vec();
    let k = logits.len();
    let identity: Vec<f64> = (0..k * k)
        .map(|at| f64::from(u8::from(at / k == at % k)))
        .collect();
    program.backward(&mut workspace, &identity);
    let mut got = BTreeMap::from([("logits".to_owned(), logits)]);
    let mut total = vec![0.0; k * k];
    for (at, &value) in wrt.iter().enumerate() {
        let mut s = vec![0.0; k * k];
        workspace.gram(at, &mut s);
        if at == 0 {
            got.insert("gram".to_owned(), s);
        } else {
            total.iter_mut().zip(&s).for_each(|(total, s)| *total += s);
            got.insert(format!("param/{}", graph.parameter_name(value)), s);
        }
    }
    got.insert("params".to_owned(), total);
    // The input alone once more, its cotangents a few at a time.
    let mut divided =
        Program::<f64>::new(&graph, head.logits, &[input]).map_err(|e| e.to_string())?;
    divided.divide(2);
    let mut workspace = divided.workspace();
    divided
        .forward(&mut workspace, &[&x])
        .map_err(|e| e.to_string())?;
    divided.backward(&mut workspace, &identity);
    let mut s = vec![0.0; k * k];
    workspace.gram(0, &mut s);
    let error = relative_error(&s, &got["gram"]);
    if error >= 1e-12 {
        return Err(format!("a few cotangents at a time: {error:.1e}"));
    }
    // Where constants were folded, weights have lost their names; elsewhere the blocks are these and no others.
    let names = |of: &BTreeMap<String, Vec<f64>>| of.keys().cloned().collect::<BTreeSet<String>>();
    let (there, wanted) = (names(&got), names(&expected));
    let missing: Vec<&String> = wanted.difference(&there).collect();
    let more: Vec<&String> = there.difference(&wanted).collect();
    let name = path.to_string_lossy();
    let is_folded = name.contains("_folded") || name.contains("_optimized");
    if !missing.is_empty() || !is_folded && !more.is_empty() {
        return Err(format!(
            "blocks: {missing:?} are missing, {more:?} are none"
        ));
    }
    let size = |s: &[f64]| s.iter().map(|x| x.abs()).fold(f64::MIN_POSITIVE, f64::max);
    // Not there where constants were folded into what no parameter of the model is.
    let all = expected.get("params").map_or(0.0, |s| size(s));
    for (name, want) in &expected {
        // Some parameters move nothing (the bias of a key in attention): theirs is compared with all of them.
        let scale = match name.starts_with("param/") {
            true => size(want).max(1e-9 * all),
            false => size(want),
        };
        let error = relative_error(&got[name], want) * size(want) / scale;
        // Attributes are single precision in ONNX: an epsilon or a slope of 1/6 is not quite the one PyTorch has.
        let most = if name == "logits" { 2e-8 } else { 2e-7 };
        if error >= most {
            return Err(format!("{name}: a relative error of {error:.1e}"));
        }
    }
    Ok(())
}

#[test]
fn exported_classifiers_have_the_logits_and_grams_of_other_frameworks() {
    let mut paths: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "gz"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let failed: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(format!("{}: {}", path.display(), check(path, None).err()?)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn weights_in_a_file_beside_the_model_are_the_same_weights() {
    for name in [
        "alexnet_ts17",
        "resnet_optimized18",
        "resnet_half18",
        "resnext_brain18",
        "distilbert_optimized18",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name)
            .with_extension("onnx.gz");
        let folder = tempfile::tempdir().unwrap();
        check(&path, Some(folder.path())).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(folder.path().join("weights.data").metadata().unwrap().len() > 10_000);
    }
}
