//! Any bytes as an ONNX model: read, compiled, run forward and back, differentiated by input and parameters.
//!
//! Whatever is wrong is an error. What is right and large is left alone: the fuzzer is after panics and hangs of
//! small files, and a file may well ask for a large network.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quaver_engine::{Graph, Head, HeadChoice, ImportOptions, Program, ValueId};

/// No network with larger values, or more arithmetic, is run.
const MOST_ELEMENTS: usize = 1 << 14;
const MOST_MACS: u64 = 1 << 20;

fn run(graph: &Graph, logits: ValueId, wrt: &[ValueId]) {
    let Ok(program) = Program::<f64>::new(graph, logits, wrt) else {
        return;
    };
    let inputs: Vec<Vec<f64>> = (0..graph.inputs().len())
        .map(|at| (0..program.n_input(at)).map(|i| (i as f64 * 0.7).sin()).collect())
        .collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let mut workspace = program.workspace();
    let Ok(z) = program.forward(&mut workspace, &inputs) else {
        return;
    };
    let cotangents = [vec![1.0; z.len()], vec![-0.5; z.len()]].concat();
    program.backward(&mut workspace, &cotangents);
    for at in 0..wrt.len() {
        workspace.gram(at, &mut [0.0; 4]);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(graph) = Graph::decode(bytes, &ImportOptions::default()) else {
        return;
    };
    let Ok(head) = Head::find(&graph, HeadChoice::Detect) else {
        return;
    };
    let parameters = graph.parameters(head.logits);
    let activations = graph.activations(head.logits);
    let values = graph.inputs().iter().chain(&parameters).chain(&activations);
    let n_elements: usize = values.map(|&value| graph.n_elements(value)).sum();
    if n_elements > MOST_ELEMENTS || graph.macs(head.logits) > MOST_MACS {
        return;
    }
    run(&graph, head.logits, graph.inputs());
    run(&graph, head.logits, &parameters);
});
