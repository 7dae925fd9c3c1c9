//! Stores: up to the first zero byte the bytes are `store.json`, and the rest is a part whose checksum is right.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| quaver_fuzz::read_store(bytes));
