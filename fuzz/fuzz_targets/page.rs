//! The numbers of a page, read back and drawn again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| quaver_fuzz::read_page(bytes));
