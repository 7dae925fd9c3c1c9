//! Networks trained by others against float64 oracles of another framework.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use common::{Arrays, data, relative_error};
use quaver_engine::{Graph, Head, HeadChoice, ImportOptions, Program, Real};
use quaver_kernels::gram::gram;

/// H S H with H = I − 11ᵀ/K: what is left when only differences of logits matter.
fn centred(s: &[f64], k: usize) -> Vec<f64> {
    let row = |i: usize| s[i * k..][..k].iter().sum::<f64>() / k as f64;
    let column = |j: usize| (0..k).map(|i| s[i * k + j]).sum::<f64>() / k as f64;
    let all = s.iter().sum::<f64>() / (k * k) as f64;
    let element = |at: usize| s[at] - row(at / k) - column(at % k) + all;
    (0..k * k).map(element).collect()
}

/// H x for K rows: logits and their derivatives are defined up to a constant, and a network that ends in a
/// LogSoftmax has another constant than its stripped reading.
fn centred_rows(x: &[f64], k: usize) -> Vec<f64> {
    let n = x.len() / k;
    let mean = |at: usize| (0..k).map(|row| x[row * n + at]).sum::<f64>() / k as f64;
    let means: Vec<f64> = (0..n).map(mean).collect();
    x.iter()
        .enumerate()
        .map(|(at, x)| x - means[at % n])
        .collect()
}

struct Errors {
    logits: f64,
    gram: f64,
    jacobian: f64,
    /// Of the Gram of each parameter tensor, relative to the largest of the sample's.
    blocks: f64,
}

/// The largest relative errors over the oracle's samples.
fn errors<T: Real>(name: &str) -> Option<Errors> {
    let data = data()?;
    let graph = Graph::read(
        &data.join(format!("models/{name}.onnx")),
        &ImportOptions::default(),
    )
    .unwrap();
    let head = Head::find(&graph, HeadChoice::Detect).unwrap();
    let parameters = graph.parameters(head.logits);
    let wrt = [graph.inputs(), &parameters].concat();
    let program = Program::<T>::new(&graph, head.logits, &wrt).unwrap();
    let mut arrays = Arrays::open(&data.join(format!("oracle/{name}.npz")));
    let (x_shape, x) = arrays.get("x");
    let (_, logits) = arrays.get("logits");
    let (gram_shape, grams) = arrays.get("gram_input");
    let (_, jacobian) = arrays.get("jacobian_sample0");
    let (_, blocks) = arrays.get("gram_blocks");
    let block_names = arrays.names("block_names");
    let (n, k) = (x_shape[0], gram_shape[1]);
    let n_in = x.len() / n;
    let mut workspace = program.workspace();
    let mut errors = Errors {
        logits: 0.0,
        gram: 0.0,
        jacobian: 0.0,
        blocks: 0.0,
    };
    for i in 0..n {
        let x: Vec<T> = x[i * n_in..][..n_in]
            .iter()
            .map(|&x| T::from_f64(x))
            .collect();
        let z = program.forward(&mut workspace, &[&x]).unwrap();
        let z: Vec<f64> = z.iter().map(|z| z.to_f64()).collect();
        let identity: Vec<T> = (0..k * k)
            .map(|at| if at / k == at % k { T::ONE } else { T::ZERO })
            .collect();
        program.backward(&mut workspace, &identity);
        let rows = workspace.gradient(0);
        let mut s = vec![0.0; k * k];
        gram(rows, k, &mut s);
        errors.logits = errors.logits.max(relative_error(
            &centred_rows(&z, k),
            &centred_rows(&logits[i * k..][..k], k),
        ));
        let want = centred(&grams[i * k * k..][..k * k], k);
        errors.gram = errors.gram.max(relative_error(&centred(&s, k), &want));
        let mut worst: f64 = 0.0;
        let mut largest: f64 = 0.0;
        for (b, name) in block_names.iter().enumerate() {
            let at = (0..parameters.len())
                .find(|&at| graph.parameter_name(parameters[at]) == name)
                .unwrap_or_else(|| panic!("no parameter {name}"));
            workspace.gram(1 + at, &mut s);
            let s = centred(&s, k);
            let want = centred(&blocks[(i * block_names.len() + b) * k * k..][..k * k], k);
            for (s, want) in s.iter().zip(&want) {
                worst = worst.max((s - want).abs());
                largest = largest.max(want.abs());
            }
        }
        errors.blocks = errors.blocks.max(worst / largest);
        if i == 0 {
            let rows: Vec<f64> = rows.iter().map(|x| x.to_f64()).collect();
            errors.jacobian = relative_error(&centred_rows(&rows, k), &centred_rows(&jacobian, k));
        }
    }
    Some(errors)
}

fn check(name: &str) {
    let Some(exact) = errors::<f64>(name) else {
        return;
    };
    let single = errors::<f32>(name).unwrap();
    eprintln!(
        "{name}: f64 logits {:.1e} gram {:.1e} jacobian {:.1e} blocks {:.1e}; f32 logits {:.1e} gram {:.1e} blocks {:.1e}",
        exact.logits,
        exact.gram,
        exact.jacobian,
        exact.blocks,
        single.logits,
        single.gram,
        single.blocks
    );
    assert!(exact.logits < 1e-9 && exact.gram < 1e-8 && exact.blocks < 1e-8);
    // The oracle keeps this one array in single precision.
    assert!(exact.jacobian < 1e-6);
    // Rows of the Jacobian are not compared in single precision: units at the edge of a ReLU flip.
    assert!(single.logits < 1e-3 && single.gram < 1e-3);
    // One flip in a small depthwise layer is a larger part of that layer's Gram than of the input's.
    assert!(single.blocks < 2e-2);
}

macro_rules! oracle {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*
    };
}

oracle!(
    akamaster_resnet20_cifar10,
    burn_mnist_cnn,
    mfipso_resnet32_cifar10,
    mfipso_resnet32_mnist,
    mlperftiny_mobilenetv1_vww96,
    mlperftiny_resnet8_cifar10,
    onepixel_lenet_cifar10,
);

#[test]
fn titu1994_densenet40_12_cifar10() {
    check("titu1994_densenet40-12_cifar10");
}
