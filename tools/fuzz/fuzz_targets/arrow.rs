//! A file of any bytes as Arrow, as that of a stock and as that of a date, beside good ones and within a memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let files = [bytes.to_vec()];
    transect_fuzz::targets::inputs(transect::source::InputFormat::Arrow, &files, &files);
});
