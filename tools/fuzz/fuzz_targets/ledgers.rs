//! A ledger of any bytes in the directory of an output.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| transect_fuzz::targets::ledgers(bytes));
