//! Texts that a user or a file gives.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| transect_fuzz::targets::texts(text));
