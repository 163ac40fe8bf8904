//! A store of which one file holds any bytes: each look at it gives an answer or an error. The first byte says which.
#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use transect::Store;
use transect::progress::Silent;
use transect::workers::Workers;

const FILES: [&str; 6] = [
    "CURRENT",
    "LOCK",
    "catalog/0000000000000003",
    "catalog/0000000000000003-0000",
    "segment/0000000000000003-0000.arrow",
    "segment/0000000000000003.chunks",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/v1/panel.store");
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    for dir in ["catalog", "segment"] {
        fs::create_dir(place.path().join(dir)).unwrap();
    }
    for name in FILES {
        fs::copy(golden.join(name), place.path().join(name)).unwrap();
    }
    fs::write(place.path().join(FILES[usize::from(*which) % FILES.len()]), bytes).unwrap();
    let Ok(store) = Store::open(place.path()) else { return };
    let _ = store.verify(&Workers::new(Some(1)).unwrap(), &Silent);
    for &date in store.dates().unwrap_or_default() {
        let _ = store.section(date).and_then(|section| section.batch());
    }
    for code in ["000001.SZ", "600000.SH", "BRK.B"] {
        let _ = store.series(code);
    }
});
