//! Sequences of all that changes a store, on disks that fail, beside a map of what it must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| transect_fuzz::operations::operations(bytes));
