//! A golden store of which one file holds any bytes. The first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| transect_fuzz::targets::stores(bytes));
