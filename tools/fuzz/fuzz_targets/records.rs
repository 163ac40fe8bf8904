//! Records of a store as pure bytes: CURRENT, LOCK, and a catalog with all its tables.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transect::format::{Current, LockNote, MAGIC, SOURCE_MAGIC, Table, parse_header, table};

fuzz_target!(|bytes: &[u8]| {
    let _ = (Current::parse(bytes).is_ok(), LockNote::parse(bytes).is_some());
    for magic in [MAGIC, SOURCE_MAGIC] {
        let Ok(directory) = parse_header(bytes, magic) else { continue };
        for kind in Table::ALL {
            let _ = table::<u8>(bytes, &directory, kind).is_ok();
        }
    }
});
