//! What random bytes are handed to: by a seed in `seeded`, and by libFuzzer in `tools/fuzz`. Each target reads or refuses
//! what it is given, and panics where the crate does or is wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use parquet::arrow::ArrowWriter;
use transect::format::{
    Current, LockNote, MAGIC, SOURCE_MAGIC, Table, parse_catalog_name, parse_chunks_name, parse_header,
    parse_segment_name, table,
};
use transect::progress::Silent;
use transect::sink::{Compression, Format, NamePattern};
use transect::source::{Cast, FilesBy, InputFormat, Pattern, SourceOptions, parse_type};
use transect::store::Collect;
use transect::workers::Workers;
use transect::{Append, Build, Date, Guard, Limit, Store, Transpose, Update};

/// A directory in memory, where the system has such a place.
pub fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Reads a text; what was read must say so again, in words that mean the same.
fn comes_back<T: FromStr + ToString + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let said = value.to_string();
        assert!(said.parse::<T>().is_ok_and(|again| again == value), "{text:?} is {said:?}, which is something else");
    }
}

/// A text that a user or a file gives.
pub fn texts(text: &str) {
    comes_back::<Date>(text);
    comes_back::<Limit>(text);
    let _ = (text.parse::<Guard>().is_ok(), text.parse::<Pattern>().is_ok(), text.parse::<Cast>().is_ok());
    let _ = (text.parse::<NamePattern>().is_ok(), text.parse::<Format>().is_ok(), parse_type(text).is_ok());
    let _ = (text.parse::<Compression>().is_ok(), parse_catalog_name(text), parse_segment_name(text));
    let _ = parse_chunks_name(text);
}

/// A record of a store as pure bytes: CURRENT, LOCK, or a catalog with all its tables.
pub fn records(bytes: &[u8]) {
    let _ = (Current::parse(bytes).is_ok(), LockNote::parse(bytes).is_some());
    for magic in [MAGIC, SOURCE_MAGIC] {
        let Ok(header) = parse_header(bytes, magic) else { continue };
        for kind in Table::ALL {
            let _ = table::<u8>(bytes, &header, kind).is_ok();
        }
    }
}

/// The files of the golden store.
const GOLDEN: [&str; 6] = [
    "CURRENT",
    "LOCK",
    "catalog/0000000000000003",
    "catalog/0000000000000003-0000",
    "segment/0000000000000003-0000.arrow",
    "segment/0000000000000003.chunks",
];

/// The directory of the golden store.
fn golden() -> PathBuf {
    let below = "tests/data/v1/panel.store";
    let mut roots = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    roots.find(|root| root.join(below).is_dir()).expect("this is a clone of the repository").join(below)
}

/// The golden store's files, each behind the number that `stores` knows it by.
pub fn golden_files() -> Vec<Vec<u8>> {
    let numbered = GOLDEN.iter().enumerate();
    numbered.map(|(number, name)| [vec![number as u8], fs::read(golden().join(name)).unwrap()].concat()).collect()
}

/// A store of which one file holds any bytes: each look at it gives an answer or an error, and so does each change. The
/// first byte says which file.
pub fn stores(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let (place, golden) = (place(), golden());
    for dir in ["catalog", "segment"] {
        fs::create_dir(place.path().join(dir)).unwrap();
    }
    for name in GOLDEN {
        // Not by `fs::copy`, which a signal of libFuzzer's clock ends.
        fs::write(place.path().join(name), fs::read(golden.join(name)).unwrap()).unwrap();
    }
    fs::write(place.path().join(GOLDEN[usize::from(*which) % GOLDEN.len()]), bytes).unwrap();
    if let Ok(store) = Store::open(place.path()) {
        let _ = (store.verify(&Workers::new(Some(1)).unwrap(), &Silent).is_ok(), store.info().is_ok());
        for &date in store.dates().unwrap_or_default() {
            let _ = store.section(date).and_then(|section| section.batch());
        }
        for code in ["000001.SZ", "600000.SH", "BRK.B"] {
            let _ = store.series(code);
        }
    }
    let _ = Update::new(place.path()).workers(1).dry_run(true).run().is_ok();
    let _ = Collect::new(place.path()).keep(1).run().is_ok();
}

const LEDGER: &str = ".transect.parquet";

/// The ledger of the golden store's output.
pub fn golden_ledger() -> Vec<u8> {
    let place = place();
    Transpose::new(&Store::open(golden()).unwrap(), place.path()).workers(1).run().unwrap();
    fs::read(place.path().join(LEDGER)).unwrap()
}

/// A ledger of any bytes in a directory to which a store is transposed: it is believed, replaced or refused.
pub fn ledgers(bytes: &[u8]) {
    let place = place();
    let store = Store::open(golden()).unwrap();
    fs::write(place.path().join(LEDGER), bytes).unwrap();
    let _ = Transpose::new(&store, place.path()).workers(1).run().is_ok();
}

/// The rows of a good file.
pub fn good() -> RecordBatch {
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103", "20240104"]));
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.0), Some(1.0), None]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "", "b"]));
    RecordBatch::try_from_iter([("date", dates), ("x", numbers), ("s", texts)]).unwrap()
}

/// Writes a Parquet file.
pub fn write(path: &Path, rows: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), rows.schema(), None).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// The good rows as Arrow, packed, and as csv.
pub fn good_as(input: InputFormat) -> Vec<u8> {
    match input {
        InputFormat::Csv => b"date,x,s\n20240102,0.0,a\n20240103,1.0,\n20240104,,b\n".to_vec(),
        _ => {
            let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
            let mut writer = FileWriter::try_new_with_options(Vec::new(), &good().schema(), options).unwrap();
            writer.write(&good()).unwrap();
            writer.into_inner().unwrap()
        }
    }
}

/// Files of any bytes as those of stocks, and then as those of dates, beside a good stock and within a memory: each is
/// read or skipped, and none costs the good stock anything but the rows that the files of dates have of it. Gives the
/// number of stocks that were read.
pub fn inputs(input: InputFormat, by_stock: &[Vec<u8>], by_date: &[Vec<u8>]) -> usize {
    let place = place();
    let (source, path) = (place.path().join("source"), place.path().join("store"));
    fs::create_dir(&source).unwrap();
    // Two, so that a single file beside them has the rarer types.
    for code in ["good", "same"] {
        let path = source.join(format!("{code}.{input}"));
        if input == InputFormat::Parquet { write(&path, &good()) } else { fs::write(path, good_as(input)).unwrap() }
    }
    for (number, bytes) in by_stock.iter().enumerate() {
        fs::write(source.join(format!("m{number}.{input}")), bytes).unwrap();
    }
    let pattern = Pattern::usual(FilesBy::Stock, input);
    let options = SourceOptions { input, pattern, ..SourceOptions::default() };
    let build = Build::new(&source, &path).options(options).workers(1).memory(64 << 20).allow(Guard::ALL);
    let report = build.run().unwrap();
    let found = || Store::open(&path).unwrap().series("good").unwrap();
    let expected = good();
    let rows = found();
    assert_eq!((rows.num_rows(), rows.num_columns() > 3), (3, true));
    for name in ["x", "s"] {
        assert_eq!(shown(&rows, name), shown(&expected, name), "{name}");
    }
    let day = |number: usize| format!("2024{:02}{:02}.{input}", 2 + number / 28 % 11, 1 + number % 28);
    let files: Vec<PathBuf> = (0..by_date.len()).map(|number| place.path().join(day(number))).collect();
    files.iter().zip(by_date).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    if !files.is_empty() {
        Append::new(&path, files).workers(1).memory(64 << 20).allow(Guard::ALL).run().unwrap();
    }
    let store = Store::open(&path).unwrap();
    assert!(store.verify(&Workers::new(Some(1)).unwrap(), &Silent).unwrap().damages.is_empty());
    report.stocks as usize - 2
}

/// A column as words, whatever it is stored as.
fn shown(rows: &RecordBatch, name: &str) -> Vec<String> {
    let column = rows.column_by_name(name).unwrap();
    let formatter = ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap();
    (0..rows.num_rows()).map(|row| formatter.value(row).to_string()).collect()
}
