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
const CASES: [(&str, &str, &str); 10] = [
    ("cut-deltas", "the last block of deltas is not padded", "values are damaged or too few"),
    ("other-type", "a chunk is FLOAT where the schema says DOUBLE", "its footer cannot be read"),
    ("no-digits", "the Arrow schema among the notes has a decimal of no digits", "the Arrow schema"),
    ("no-path", "a chunk has no path_in_schema, which is required", "its footer cannot be read"),
    (
        "delta-count",
        "a header of deltas counts a hundred values where its page has two",
        "values are damaged or too few",
    ),
    ("long-prefix", "a text begins with more of the text before than that has", "values are damaged or too few"),
    ("schema-length", "the Arrow schema among the notes has another length than it says", "the Arrow schema"),
    ("old-schema", "the Arrow schema among the notes is of a version that means other things", "the Arrow schema"),
    ("other-levels", "a chunk counts two levels of repetition, and has one", "counts other levels than it has"),
    ("texts-of-numbers", "a chunk of INT64 counts bytes of texts", "counts bytes of texts, and has none"),
];

/// Each file whose page unpacks to a MiB where its header says 16 bytes, and what parquet 60.1.0 says of it once it has
/// unpacked all: brotli and gzip, and LZ4, whose frames are tried where Hadoop's do not fit.
const LONG: [&str; 3] = ["long-gzip", "long-brotli", "long-lz4"];

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
        let told = told(name);
        assert!(told.contains(reason), "{name}: {told}");
    }
}

/// What transect says of a file.
fn told(name: &str) -> String {
    let place = Place::new();
    fs::copy(path(name), place.source().join("A.parquet")).unwrap();
    let date: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
    place.add("B", &batch(&[("trade_date", date)]));
    let report = Build::new(place.source(), place.store()).run().unwrap();
    let [skipped] = &report.skipped[..] else { panic!("{name}: {:?}", report.skipped) };
    skipped.reason.to_string()
}

/// What parquet says of a file when it reads all of it.
fn said(name: &str) -> String {
    let mut reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path(name)).unwrap()).unwrap().build().unwrap();
    reader.find_map(Result::err).map_or_else(String::new, |error| error.to_string())
}

#[test]
fn parquet_unpacks_a_page_of_any_size_before_it_compares_the_size_and_transect_does_not() {
    for name in LONG {
        let said = said(name);
        assert!(
            said.contains("Actual decompressed size doesn't match the expected one (1048592 vs 16)"),
            "{name}: {said}"
        );
        assert_eq!(
            told(name),
            "is damaged: its column \"x\" has a page that does not unpack to the size that it claims"
        );
    }
}

#[test]
fn parquet_has_no_lzo_and_transect_says_so() {
    assert!(said("lzo").contains("LZO"), "parquet was mended: {}", said("lzo"));
    assert_eq!(
        told("lzo"),
        "its column \"trade_date\" is packed by LZO, which is not read; write the file anew with another compression"
    );
}
