//! Records of a store as pure bytes: CURRENT, LOCK, and a catalog with all its tables.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| transect_fuzz::targets::records(bytes));
