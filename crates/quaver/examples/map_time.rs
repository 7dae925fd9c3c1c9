//! What maps cost on top of the Jacobian: `cargo run --release --example map_time -- MODEL`.
//!
//! A score of the whole input needs the Jacobian and its Gram, a map the Jacobian and every window of four scales in every
//! channel; both are run on one thread on the same made-up images, in turn. What it takes to prepare the network is left out: the
//! shortest time of a few images is taken from the shortest of more.
#![allow(clippy::print_stdout, reason = "an example")]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use quaver::{Error, InMemory, LabelChoice, LoadOptions, MapOptions, Model, ScoreOptions};

const FEW: usize = 2;
const MORE: usize = 10;
const N_ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = match arguments.next() {
        Some(path) => Model::load(path, &LoadOptions::default())?,
        None => quaver::demo::model()?,
    };
    let shape = model.input_shape().to_vec();
    let n: usize = shape.iter().product();
    let images = |n_images: usize| {
        let values = (0..n_images * n).map(|i| (i as f64 * 0.37).sin());
        InMemory::new(&shape, values.collect(), None)
    };
    let sets = [images(FEW)?, images(MORE)?];
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
    let (mut score, mut map) = ([Duration::MAX; 2], [Duration::MAX; 2]);
    for _ in 0..N_ROUNDS {
        for (at, images) in sets.iter().enumerate() {
            score[at] = score[at].min(timed(|| model.score(images, &scored).map(drop))?);
            let stop = AtomicBool::new(false);
            map[at] = map[at].min(timed(|| {
                model.map_each(images, &mapped, &stop, |_| Ok(()))
            })?);
        }
    }
    let per_image = |[few, more]: [Duration; 2]| {
        1e3 * (more.as_secs_f64() - few.as_secs_f64()) / (MORE - FEW) as f64
    };
    let (score, map) = (per_image(score), per_image(map));
    println!(
        "score {score:.3} ms, map {map:.3} ms an image: {:+.1} %",
        100.0 * (map / score - 1.0)
    );
    Ok(())
}

fn timed(run: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}
