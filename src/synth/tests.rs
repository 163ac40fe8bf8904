//! The promises of `synth`: the same bytes for any worker count, the schema, the size, the nulls, the clipping.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use tempfile::TempDir;

use super::*;
use crate::progress::Silent;

fn panel(stocks: usize, dates: usize, preset: Preset, threads: usize) -> (TempDir, SynthReport) {
    let dir = TempDir::new().unwrap();
    let options = SynthOptions { stocks, dates, seed: 7, preset };
    let report = synth(dir.path(), &options, &Workers::new(Some(threads)).unwrap(), &Silent).unwrap();
    (dir, report)
}

fn files(dir: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let names = crate::storage::list(dir.path()).unwrap().map(Result::unwrap);
    names.map(|name| (name.to_str().unwrap().to_owned(), fs::read(dir.path().join(name)).unwrap())).collect()
}

fn read(dir: &TempDir, name: &str) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(dir.path().join(name)).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

#[test]
fn bytes_do_not_depend_on_the_worker_count() {
    for preset in [Preset::Barra, Preset::Ohlcv, Preset::Bars] {
        let (one, report) = panel(9, 300, preset, 1);
        let (three, same) = panel(9, 300, preset, 3);
        assert_eq!(report, same);
        let files = files(&one);
        assert_eq!(files, self::files(&three));
        assert_eq!(files.len(), 9);
        assert_eq!(files.values().map(|bytes| bytes.len() as u64).sum::<u64>(), report.bytes);
    }
}

#[test]
fn another_seed_gives_another_panel() {
    let dir = TempDir::new().unwrap();
    let options = SynthOptions { stocks: 9, dates: 300, seed: 8, preset: Preset::Barra };
    synth(dir.path(), &options, &Workers::new(Some(1)).unwrap(), &Silent).unwrap();
    let (other, _) = panel(9, 300, Preset::Barra, 1);
    let (ours, theirs) = (files(&dir), files(&other));
    assert!(ours.keys().eq(theirs.keys()));
    assert!(ours.values().zip(theirs.values()).all(|(a, b)| a != b));
}

#[test]
fn half_of_the_cells_are_rows_as_in_the_real_panel() {
    let (_dir, report) = panel(600, 120, Preset::Ohlcv, 2);
    let share = report.rows as f64 / (600.0 * 120.0);
    assert!((0.46..0.56).contains(&share), "{share}");
}

#[test]
fn every_date_has_a_row_in_the_smallest_panel() {
    let (dir, report) = panel(1, 50, Preset::Barra, 1);
    assert_eq!(report.rows, 50);
    let dates = read(&dir, "000001.SZ.parquet");
    let dates = dates.column(0).as_string::<i32>();
    assert_eq!(dates.value(49), "20260630");
}

#[test]
fn a_barra_file_is_what_pandas_writes() {
    let (dir, _) = panel(2, 300, Preset::Barra, 1);
    let path = dir.path().join("000001.SZ.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.num_row_groups(), 1);
    let file = metadata.file_metadata();
    assert!(file.key_value_metadata().unwrap().iter().any(|pair| pair.key == ARROW_SCHEMA_META_KEY));
    for column in metadata.row_group(0).columns() {
        assert_eq!(column.compression(), Compression::SNAPPY);
        assert!(column.dictionary_page_offset().is_some(), "{}", column.column_path());
        assert!(column.encodings().any(|encoding| encoding == Encoding::RLE_DICTIONARY));
        assert!(column.column_descr().self_type().is_optional());
    }

    let schema = reader.schema();
    assert_eq!(schema.fields().len(), 41);
    assert!(schema.fields().iter().all(|field| field.is_nullable()));
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(
        names[..11],
        [
            "trade_date",
            "size",
            "beta",
            "momentum",
            "volatility",
            "non_linear_size",
            "book_to_price",
            "liquidity",
            "earnings_yield",
            "growth",
            "leverage"
        ]
    );
    assert!(names[11..].iter().all(|name| name.starts_with("ind_")));
    let types: Vec<&DataType> = schema.fields().iter().map(|field| field.data_type()).collect();
    assert_eq!(*types[0], DataType::Utf8);
    assert!(types[1..11].iter().all(|kind| **kind == DataType::Float64));
    assert!(types[11..].iter().all(|kind| **kind == DataType::Int64));
}

#[test]
fn each_stock_belongs_to_one_industry_for_life() {
    let (dir, _) = panel(12, 80, Preset::Barra, 1);
    for name in files(&dir).keys() {
        let batch = read(&dir, name);
        let ones: Vec<i64> = (11..41)
            .map(|column| {
                let values = batch.column(column).as_primitive::<Int64Type>().values();
                assert!(values.iter().all(|value| *value == values[0]));
                values[0]
            })
            .collect();
        assert_eq!(ones.iter().sum::<i64>(), 1);
    }
}

#[test]
fn styles_are_null_at_first_and_clipped_later() {
    let (dir, _) = panel(60, 2_000, Preset::Barra, 2);
    let batch = read(&dir, "000001.SZ.parquet");
    let nulls = |name: &str| batch.column_by_name(name).unwrap().null_count();
    assert_eq!((nulls("size"), nulls("beta"), nulls("momentum"), nulls("volatility")), (0, 60, 252, 60));

    let size = batch.column_by_name("size").unwrap().as_primitive::<Float64Type>();
    let mut times: HashMap<u64, usize> = HashMap::new();
    for value in size.values() {
        assert!(value.is_finite());
        *times.entry(value.to_bits()).or_default() += 1;
    }
    // 1 % of 2,000 rows lie beyond each quantile and take its value.
    assert_eq!(times.values().filter(|count| **count == 20).count(), 2);
    assert_eq!(times.values().filter(|count| **count == 1).count(), 1_960);

    let (mut missing, mut rows) = (0, 0);
    for name in files(&dir).keys() {
        let batch = read(&dir, name);
        missing += batch.column_by_name("growth").unwrap().null_count();
        rows += batch.num_rows();
    }
    let share = missing as f64 / rows as f64;
    assert!((0.01..0.3).contains(&share), "{share}");
}

#[test]
fn most_ohlcv_files_have_the_newest_row_first() {
    let (dir, _) = panel(40, 60, Preset::Ohlcv, 2);
    let mut newest_first = 0;
    for name in files(&dir).keys() {
        let batch = read(&dir, name);
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(
            names,
            ["trade_date", "open", "high", "low", "close", "pre_close", "change", "pct_chg", "vol", "amount"]
        );
        let dates: Vec<_> = batch.column(0).as_string::<i32>().iter().flatten().collect();
        assert!(dates.is_sorted() || dates.is_sorted_by(|a, b| a > b));
        newest_first += usize::from(dates.first() > dates.last());
        let column = |place: usize| batch.column(place).as_primitive::<Float64Type>();
        assert!((0..batch.num_rows()).all(|row| column(3).value(row) <= column(2).value(row)));
    }
    assert!((25..40).contains(&newest_first), "{newest_first}");
}

#[test]
fn a_directory_that_holds_anything_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("note.txt"), "mine").unwrap();
    let options = SynthOptions { stocks: 1, dates: 1, seed: 0, preset: Preset::Barra };
    let workers = Workers::new(Some(1)).unwrap();
    for path in [dir.path().to_owned(), dir.path().join("note.txt")] {
        assert!(matches!(synth(&path, &options, &workers, &Silent), Err(Error::Refused { .. })));
    }
    assert_eq!(files(&dir).len(), 1);
}

#[test]
fn a_cancelled_run_leaves_whole_files_only() {
    /// Stops after three files.
    struct Impatient(Mutex<u64>);
    impl Observer for Impatient {
        fn advance(&self, count: u64) {
            *self.0.lock().unwrap() += count;
        }
        fn cancelled(&self) -> bool {
            *self.0.lock().unwrap() >= 3
        }
    }
    let dir = TempDir::new().unwrap();
    let options = SynthOptions { stocks: 20, dates: 30, seed: 0, preset: Preset::Ohlcv };
    let observer = Impatient(Mutex::new(0));
    let done = synth(dir.path(), &options, &Workers::new(Some(1)).unwrap(), &observer);
    assert!(matches!(done, Err(Error::Cancelled)));
    let files = files(&dir);
    assert_eq!(files.len(), 3);
    for name in files.keys() {
        assert!(name.ends_with(".parquet"));
        read(&dir, name);
    }
}

#[test]
fn presets_are_read_as_they_are_written() {
    for preset in [Preset::Barra, Preset::Ohlcv, Preset::Bars] {
        assert_eq!(preset.to_string().parse(), Ok(preset));
    }
    assert!("Barra ".parse::<Preset>().is_err());
}
