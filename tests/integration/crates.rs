//! What the crates get wrong, in the least bytes that we have: transect looks for it itself. A test that fails here after
//! an upgrade says that the crate was mended, and that a check of ours may go.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use transect::Build;

use super::panels::{Place, batch};

/// Each file, what is wrong with it, and what transect says of it. Of parquet 60.1.0.
const CASES: [(&str, &str, &str); 8] = [
    ("cut-deltas", "the last block of deltas is not padded", "values are damaged or too few"),
    ("other-type", "a chunk is FLOAT where the schema says DOUBLE", "its footer cannot be read"),
    ("no-path", "a chunk has no path_in_schema, which is required", "its footer cannot be read"),
    (
        "delta-count",
        "a header of deltas counts a hundred values where its page has two",
        "values are damaged or too few",
    ),
    ("long-prefix", "a text begins with more of the text before than that has", "values are damaged or too few"),
    ("schema-length", "the Arrow schema among the notes has another length than it says", "the Arrow schema"),
    ("other-levels", "a chunk counts two levels of repetition, and has one", "counts other levels than it has"),
    ("texts-of-numbers", "a chunk of INT64 counts bytes of texts", "counts bytes of texts, and has none"),
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/crates").join(format!("{name}.parquet"))
}

#[test]
fn parquet_reads_what_the_format_forbids_and_transect_does_not() {
    for (name, wrong, reason) in CASES {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path(name)).unwrap());
        let is_read =
            builder.and_then(|builder| builder.build()).is_ok_and(|mut reader| reader.all(|batch| batch.is_ok()));
        assert!(is_read, "{name}: parquet was mended: {wrong}");
        let place = Place::new();
        fs::copy(path(name), place.source().join("A.parquet")).unwrap();
        let date: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        place.add("B", &batch(&[("trade_date", date)]));
        let report = Build::new(place.source(), place.store()).run().unwrap();
        let told: Vec<String> = report.skipped.iter().map(|skipped| skipped.reason.to_string()).collect();
        assert!(told.len() == 1 && told[0].contains(reason), "{name}: {told:?}");
    }
}
