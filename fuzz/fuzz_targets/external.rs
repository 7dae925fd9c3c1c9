//! Any bytes as an ONNX model beside a file of weights.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| quaver_fuzz::read_external(bytes));
