//! How many class Grams of the input a second: what `python/bench/grams.py` is held against.
//!
//!     cargo run --release -p quaver --example grams -- MODEL.onnx [SAMPLES] [THREADS] [RUNS]
#![allow(clippy::print_stdout, reason = "an example")]

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use quaver::{
    Classes, InMemory, LabelChoice, LoadOptions, Model, Network, SampleFailure, ScoreOptions,
    evaluate_each,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else {
        return Err("give an ONNX file".into());
    };
    let model = match path.as_str() {
        "demo" => quaver::demo::model()?,
        path => Model::load(path, &LoadOptions::default())?,
    };
    let n_samples: usize = arguments.get(1).map_or(Ok(512), |n| n.parse())?;
    let threads = arguments.get(2).map(|n| n.parse()).transpose()?;
    let runs: usize = arguments.get(3).map_or(Ok(5), |runs| runs.parse())?;
    let shape = model.input_shape();
    let n = n_samples * shape.iter().product::<usize>();
    // Anything between 0 and 1 that has no ties.
    let values = (0..n as u64).map(|i| (i * i * 7919 % 1_000_003) as f64 / 1_000_003.0);
    let data = InMemory::new(shape, values.collect(), None)?;
    let options = ScoreOptions {
        label: LabelChoice::Predicted,
        classes: Some(Classes::All),
        ..ScoreOptions::default()
    };
    let network = Network::new(&model, &data, &options)?;
    let mut best = f64::INFINITY;
    for run in 0..=runs {
        let start = Instant::now();
        let mut grams: Vec<f64> = Vec::new();
        let all = 0..n_samples;
        let stop = AtomicBool::new(false);
        evaluate_each(
            &network,
            std::slice::from_ref(&all),
            threads,
            &stop,
            |evaluated| {
                let evaluation = evaluated.map_err(SampleFailure::into_error)?;
                grams.extend_from_slice(evaluation.grams[0].values());
                Ok(())
            },
        )?;
        assert_eq!(grams.len(), n_samples * model.n_classes().pow(2));
        // The first run warms up.
        if run > 0 {
            best = best.min(start.elapsed().as_secs_f64());
        }
    }
    println!("{:.1} samples a second", n_samples as f64 / best);
    Ok(())
}
