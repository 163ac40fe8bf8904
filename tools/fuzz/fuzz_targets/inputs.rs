//! A stock's file of any bytes, by the real path and within a memory: it is read or skipped.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use transect::{Build, Guard};

fuzz_target!(|bytes: &[u8]| {
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (source, store) = (place.path().join("source"), place.path().join("store"));
    fs::create_dir(&source).unwrap();
    fs::write(source.join("A.parquet"), bytes).unwrap();
    // An error is one of the inputs as a whole: none of them can be used.
    let _ = Build::new(source, store).workers(1).memory(64 << 20).allow(Guard::ALL).run().is_ok();
});
