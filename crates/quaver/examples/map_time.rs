//! What maps cost on top of the Jacobian: `cargo run --release --example map_time -- MODEL`.
//!
//! A score of the whole input needs the Jacobian and its Gram, a map the Jacobian and every window of four scales in every
//! channel; both are run on one thread on the same made-up images, in turn, and the shortest of each counts.
#![allow(clippy::print_stdout, reason = "an example")]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use quaver::{Error, InMemory, LabelChoice, LoadOptions, MapOptions, Model, ScoreOptions};

const N_IMAGES: usize = 4;
const N_ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = match arguments.next() {
        Some(path) => Model::load(path, &LoadOptions::default())?,
        None => quaver::demo::model()?,
    };
    let shape = model.input_shape().to_vec();
    let n: usize = shape.iter().product();
    let values = (0..N_IMAGES * n).map(|i| (i as f64 * 0.37).sin()).collect();
    let images = InMemory::new(&shape, values, None)?;
    let one = NonZeroUsize::MIN;
    let scored = ScoreOptions {
        label: LabelChoice::Predicted,
        threads: Some(one),
        ..ScoreOptions::default()
    };
    let mapped = MapOptions {
        threads: Some(one),
        ..MapOptions::default()
    };
    let (mut score, mut map) = (Duration::MAX, Duration::MAX);
    for _ in 0..N_ROUNDS {
        score = score.min(timed(|| model.score(&images, &scored).map(drop))?);
        let stop = AtomicBool::new(false);
        map = map.min(timed(|| {
            model.map_each(&images, &mapped, &stop, |_| Ok(()))
        })?);
    }
    let per_image = |time: Duration| 1e3 * time.as_secs_f64() / N_IMAGES as f64;
    println!(
        "score {:.3} ms, map {:.3} ms an image: {:+.1} %",
        per_image(score),
        per_image(map),
        100.0 * (map.as_secs_f64() / score.as_secs_f64() - 1.0)
    );
    Ok(())
}

fn timed(run: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}
