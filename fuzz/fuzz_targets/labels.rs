//! Files of labels: arrays and text, with keys and without.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| quaver_fuzz::read_labels(bytes));
