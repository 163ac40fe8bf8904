//! Records of a store as pure bytes: CURRENT, LOCK, and a catalog with all its tables.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transect::format::{Current, LockNote, Table, parse_header, table};

fuzz_target!(|bytes: &[u8]| {
    let _ = (Current::parse(bytes).is_ok(), LockNote::parse(bytes).is_some());
    if let Ok(header) = parse_header(bytes) {
        for kind in Table::ALL {
            let _ = table::<u8>(bytes, &header, kind).is_ok();
        }
    }
});
