//! Class maps.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| quaver_fuzz::read_class_map(bytes));
