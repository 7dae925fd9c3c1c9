//! Milliseconds per image of whole passes over a network: forward, the class Gram of the input, the class Grams
//! of every parameter tensor.
//!
//! ```sh
//! cargo bench -p quaver-engine --bench passes -- MODEL.onnx jacobian --threads 2 --images 16 --rounds 3
//! ```
//!
//! Prints one line per round; the first round warms up and is not printed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark")]

use std::error::Error;
use std::time::Instant;

use quaver_engine::{Graph, Head, HeadChoice, ImportOptions, Program, Workspace};

const USAGE: &str = "passes MODEL.onnx forward|jacobian|grams [--threads N] [--images N] [--rounds N] [--classes V]";

fn main() -> Result<(), Box<dyn Error>> {
    // cargo bench passes --bench; cargo test passes nothing.
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let (Some(path), Some(what)) = (arguments.next(), arguments.next()) else {
        eprintln!("{USAGE}");
        return Ok(());
    };
    let (mut n_threads, mut n_images, mut n_rounds, mut n_cotangents) = (2, 16, 3, None);
    while let Some(name) = arguments.next() {
        let value: usize = arguments.next().ok_or(USAGE)?.parse()?;
        match name.as_str() {
            "--threads" => n_threads = value,
            "--images" => n_images = value,
            "--rounds" => n_rounds = value,
            "--classes" => n_cotangents = Some(value),
            _ => return Err(USAGE.into()),
        }
    }
    let graph = Graph::read(path.as_ref(), &ImportOptions::default())?;
    let head = Head::find(&graph, HeadChoice::Detect)?;
    let wrt = match what.as_str() {
        "grams" => graph.parameters(head.logits),
        _ => graph.inputs().to_vec(),
    };
    let program = Program::<f32>::new(&graph, head.logits, &wrt)?;
    let n_out = program.n_output();
    // Differences of logits are all that matters: one cotangent fewer than classes.
    let v = n_cotangents.unwrap_or(n_out - 1);
    let cotangents: Vec<f32> = (0..v * n_out)
        .map(|at| f32::from(u8::from(at / n_out == at % n_out)))
        .collect();
    let x: Vec<f32> = (0..program.n_input(0))
        .map(|i| (i as f32 * 0.37).sin())
        .collect();
    let run = |workspace: &mut Workspace<f32>| -> Result<(), quaver_engine::EngineError> {
        program.forward(workspace, &[&x])?;
        if what != "forward" {
            program.backward(workspace, &cotangents);
            let mut s = vec![0.0; v * v];
            for block in 0..wrt.len() {
                workspace.gram(block, &mut s);
            }
        }
        Ok(())
    };
    let mut workspaces: Vec<_> = (0..n_threads).map(|_| program.workspace()).collect();
    for round in 0..=n_rounds {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for (thread, workspace) in workspaces.iter_mut().enumerate() {
                let run = &run;
                scope.spawn(move || {
                    for _ in (thread..n_images).step_by(n_threads) {
                        run(workspace).expect("the network runs on this image");
                    }
                });
            }
        });
        if round > 0 {
            let ms = start.elapsed().as_secs_f64() * 1e3 / n_images as f64;
            println!("{ms:.3}");
        }
    }
    Ok(())
}
