//! The ten most influential samples of a dataset: `cargo run --release -p quaver --example score -- MODEL.onnx DATA.npz`.
#![allow(clippy::print_stdout, reason = "an example")]

use quaver::{LoadOptions, Model, OpenOptions, ScoreOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data] = arguments.as_slice() else {
        return Err("usage: score MODEL.onnx DATA.npz".into());
    };
    let model = Model::load(model, &LoadOptions::default())?;
    let options = OpenOptions::default();
    let data = quaver::open(data.as_ref(), &options, Some(model.input_shape()))?;
    let mut scores = model.score(&*data, &ScoreOptions::default())?;
    scores.sort_by(|a, b| b.measures.fi.total_cmp(&a.measures.fi));
    for score in scores.iter().take(10) {
        let m = &score.measures;
        println!(
            "sample {:6}: FI {:10.4} of at most {:10.4} (saturation {:.3}, rank {}), FI_lambda {:10.4}",
            score.index, m.fi, m.fi_max, m.saturation, m.rank, m.fi_lambda,
        );
    }
    Ok(())
}
