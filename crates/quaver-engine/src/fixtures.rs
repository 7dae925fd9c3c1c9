//! The classifiers people export, against PyTorch in double precision: logits and the Gram of the Jacobian.
//!
//! `tools/export_fixtures.py` writes the files and says what is in them; weights are drawn here as they were there.

use std::io::Read;
use std::path::Path;

use crate::onnx::proto::TensorProto;
use crate::onnx::{self, tensors};
use crate::{Head, HeadChoice, ImportOptions, Program};
use quaver_kernels::gram::gram;

/// The number of the draw that is the sample.
const SAMPLE: u64 = 9999;

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

/// Gives an initializer without data the weights it had.
fn fill(tensor: &mut TensorProto, index: &mut u64) {
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key == key);
        found.map(|entry| entry.value.parse::<f64>().unwrap())
    };
    let (Some(scale), Some(shift)) = (entry("scale"), entry("shift")) else {
        return;
    };
    let n = tensor.dims.iter().product::<i64>() as usize;
    tensor.double_data = draw(*index, n, scale, shift);
    tensor.external_data.clear();
    *index += 1;
}

fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let size = b.iter().map(|b| b.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    // Not-a-number must not pass for the smaller.
    difference.fold(0.0, |worst: f64, d| if d <= worst { worst } else { d }) / size
}

fn check(path: &Path) -> Result<(), String> {
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
    let expected = |name: &str| -> Option<Vec<f64>> {
        let mut tensors = proto.initializer.iter();
        let found = tensors.find(|t| t.name == format!("expected/{name}"))?;
        Some(tensors::tensor(found, None).unwrap().numbers())
    };
    let (want, want_gram) = (expected("logits").unwrap(), expected("gram").unwrap());
    let given = expected("x");
    let graph = crate::import::import(&model, None, &ImportOptions::default())
        .map_err(|e| e.to_string())?;
    drop(model);
    let head = Head::find(&graph, HeadChoice::Detect).map_err(|e| e.to_string())?;
    let wrt = match wrt.as_str() {
        "" => graph.inputs()[0],
        name => graph
            .find(name)
            .ok_or_else(|| format!("no value '{name}'"))?,
    };
    let x = given.unwrap_or_else(|| draw(SAMPLE, graph.n_elements(graph.inputs()[0]), 1.0, 0.0));
    let program = Program::<f64>::new(&graph, head.logits, &[wrt]).map_err(|e| e.to_string())?;
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
    let mut s = vec![0.0; k * k];
    gram(workspace.gradient(0), k, &mut s);
    let errors = (
        relative_error(&logits, &want),
        relative_error(&s, &want_gram),
    );
    // Attributes are single precision in ONNX: an epsilon or a slope of 1/6 is not quite the one PyTorch has.
    if errors.0 < 2e-8 && errors.1 < 1e-7 {
        Ok(())
    } else {
        Err(format!(
            "relative errors {:.1e} of logits and {:.1e} of the Gram",
            errors.0, errors.1
        ))
    }
}

#[test]
fn exported_classifiers_have_pytorchs_logits_and_grams() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "gz"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let failed: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(format!("{}: {}", path.display(), check(path).err()?)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
