//! A store that some version of transect wrote must be read by every later one, or refused by name: whoever keeps a
//! store for years has no other copy of what its inputs were on that day. Stores under `tests/data` are kept for good,
//! and what they hold is written out here by hand, so that a mistake made twice, in writing and in reading, shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use transect::storage::{Access, Disk};
use transect::{Build, Store, Update};

use super::panels::{Cell, Place, assert_whole, batch, cell, date, header, named, rows};

const NAN_WITH_PAYLOAD: u64 = 0x7ff8_0000_0000_0bad;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1/panel.store")
}

/// Writes the golden store of this format version, where `TRANSECT_WRITE_GOLDEN` names the directory for it. Never run
/// it over a store that a release has written: that one is the proof.
#[test]
fn golden_store_is_written_on_demand() {
    let Some(target) = std::env::var_os("TRANSECT_WRITE_GOLDEN") else {
        assert!(golden().join("CURRENT").is_file(), "the golden store is missing");
        return;
    };
    write_golden(&Place::new(), Path::new(&target), 1);
    assert_whole(&Store::open(&target).unwrap());
}

/// Two versions, of which the second restates a value of the first, at `target`.
fn write_golden(place: &Place, target: &Path, workers: usize) {
    let disk = Disk::default().counting();
    golden_source(place, 1.0);
    Build::new(place.source(), target).workers(workers).disk(disk.clone()).run().unwrap();
    golden_source(place, 5e-324);
    Update::new(target).check_content(true).workers(workers).disk(disk).run().unwrap();
}

/// Three stocks on three dates; the second has no `note`, the third no rows on the first date, a date out of order and this
/// size on the second.
fn golden_source(place: &Place, size: f64) {
    let text = |values: &[Option<&str>]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let price = |values: Vec<Option<i128>>| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(20, 4).unwrap())
    };
    let seen = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
    };
    place.add(
        "000001.SZ",
        &batch(&[
            ("trade_date", text(&[Some("20231229"), Some("20240102"), Some("20240103")])),
            ("size", Arc::new(Float64Array::from(vec![Some(0.25), Some(f64::from_bits(NAN_WITH_PAYLOAD)), None]))),
            ("ind_bank", Arc::new(Int64Array::from(vec![1, 1, 1]))),
            ("volume", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(70_000), None]))),
            ("halted", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            ("price", price(vec![Some(123_456_789), Some(-1), None])),
            ("listed", Arc::new(Date32Array::from(vec![Some(0), Some(-1), None]))),
            ("seen", seen(vec![Some(1_704_153_600_000_001), None, Some(0)])),
            ("note", text(&[Some("平安"), Some(""), None])),
            ("raw", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xff"), None, Some(b"")]))),
        ]),
    );
    place.add(
        "600000.SH",
        &batch(&[
            ("trade_date", text(&[Some("20231229"), Some("20240102")])),
            ("size", Arc::new(Float64Array::from(vec![-0.0, f64::NEG_INFINITY]))),
            ("ind_bank", Arc::new(Int64Array::from(vec![0, 0]))),
            ("volume", Arc::new(Int64Array::from(vec![0, i64::MAX]))),
            ("halted", Arc::new(BooleanArray::from(vec![false, false]))),
            ("price", price(vec![Some(0), Some(10_000)])),
        ]),
    );
    place.add(
        "BRK.B",
        &batch(&[
            ("trade_date", text(&[Some("20240103"), Some("20240102")])),
            ("size", Arc::new(Float64Array::from(vec![f64::INFINITY, size]))),
            ("note", text(&[Some("平安"), Some("b")])),
        ]),
    );
}

#[test]
fn a_store_of_format_version_1_is_read_whole() {
    for access in [Access::Map, Access::Read] {
        let store = Store::open_with(golden(), access).unwrap();
        assert_whole(&store);
        assert_eq!((store.version(), store.row_count()), (2, 7));
        assert_eq!(store.stocks().unwrap(), ["000001.SZ", "600000.SH", "BRK.B"]);
        let dates: Vec<String> = store.dates().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(dates, ["20231229", "20240102", "20240103"]);
        assert_eq!(store.info().unwrap().sources[0].read_files, 3);
    }
}

#[test]
fn a_store_of_format_version_1_says_what_its_version_changed() {
    let changes = Store::open(golden()).unwrap().changes_of(2).unwrap().unwrap();
    assert_eq!((changes.older, changes.restated, changes.added + changes.filled + changes.removed), (Some(1), 1, 0));
    let dates: Vec<String> = changes.dates.iter().map(|change| change.date.to_string()).collect();
    let stocks: Vec<(&str, u64)> = changes.stocks.iter().map(|change| (&*change.stock, change.restated)).collect();
    assert_eq!((dates, stocks), (vec!["20240102".to_owned()], vec![("BRK.B", 1)]));
    let columns = changes.columns.iter().map(|of| (&*of.name, of.older_type.as_deref(), of.restated));
    assert_eq!(columns.collect::<Vec<_>>(), [("size", Some("Float64"), 1)]);
}

#[test]
fn a_store_of_format_version_1_has_its_logical_types() {
    let store = Store::open(golden()).unwrap();
    let expected = [
        ("ts_code", DataType::Utf8),
        ("trade_date", DataType::Utf8),
        ("size", DataType::Float64),
        ("ind_bank", DataType::Int64),
        ("volume", DataType::Int64),
        ("halted", DataType::Boolean),
        ("price", DataType::Decimal128(20, 4)),
        ("listed", DataType::Date32),
        ("seen", DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()))),
        ("note", DataType::Utf8),
        ("raw", DataType::Binary),
    ];
    let section = store.section(date(20240102)).unwrap();
    let found = header(&section.batch().unwrap());
    assert_eq!(found, expected.map(|(name, data_type)| (name.to_owned(), data_type)));
    assert_eq!(section.column("ind_bank").unwrap().stored().data_type(), &DataType::Boolean);
    assert_eq!(section.column("volume").unwrap().stored().data_type(), &DataType::Int64);
}

#[test]
fn a_store_of_format_version_1_has_its_values() {
    let float = |value: f64| Cell::Bits(value.to_bits().into());
    let long = |value: i64| Cell::Bits(u128::from(value as u64));
    let wide = |value: i128| Cell::Bits(value as u128);
    let bit = |value: bool| Cell::Bits(value.into());
    let day = |value: i32| Cell::Bits(u128::from(value as u32));
    let text = |value: &str| Cell::Text(value.to_owned());
    let bytes = |value: &[u8]| Cell::Bytes(value.to_vec());
    const NULL: Cell = Cell::Null;
    let expected: [(i64, Vec<Vec<Cell>>); 3] = [
        (
            20231229,
            vec![
                vec![
                    text("000001.SZ"),
                    text("20231229"),
                    float(0.25),
                    long(1),
                    long(i64::MIN),
                    bit(true),
                    wide(123_456_789),
                    day(0),
                    long(1_704_153_600_000_001),
                    text("平安"),
                    bytes(&[0, 255]),
                ],
                vec![
                    text("600000.SH"),
                    text("20231229"),
                    float(-0.0),
                    long(0),
                    long(0),
                    bit(false),
                    wide(0),
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                ],
            ],
        ),
        (
            20240102,
            vec![
                vec![
                    text("000001.SZ"),
                    text("20240102"),
                    Cell::Bits(NAN_WITH_PAYLOAD.into()),
                    long(1),
                    long(70_000),
                    NULL,
                    wide(-1),
                    day(-1),
                    NULL,
                    text(""),
                    NULL,
                ],
                vec![
                    text("600000.SH"),
                    text("20240102"),
                    float(f64::NEG_INFINITY),
                    long(0),
                    long(i64::MAX),
                    bit(false),
                    wide(10_000),
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                ],
                vec![
                    text("BRK.B"),
                    text("20240102"),
                    float(5e-324),
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    text("b"),
                    NULL,
                ],
            ],
        ),
        (
            20240103,
            vec![
                vec![
                    text("000001.SZ"),
                    text("20240103"),
                    NULL,
                    long(1),
                    NULL,
                    bit(false),
                    NULL,
                    NULL,
                    long(0),
                    NULL,
                    bytes(&[]),
                ],
                vec![
                    text("BRK.B"),
                    text("20240103"),
                    float(f64::INFINITY),
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    text("平安"),
                    NULL,
                ],
            ],
        ),
    ];
    let store = Store::open(golden()).unwrap();
    for (day, section) in &expected {
        assert_eq!(rows(&store.section(date(*day)).unwrap().batch().unwrap()), *section, "{day}");
    }
    for code in ["000001.SZ", "600000.SH", "BRK.B"] {
        let all = expected.iter().flat_map(|(_, section)| section).filter(|row| row[0] == text(code)).cloned();
        assert_eq!(rows(&store.series(code).unwrap()), all.collect::<Vec<_>>(), "{code}");
    }
}

/// What a nightly job would do with a store from before an upgrade: write over it. The old version's bytes are not
/// touched until the new one is published.
#[test]
fn a_store_of_format_version_1_can_be_replaced() {
    let place = Place::new();
    super::panels::copy_dir(&golden(), &place.store());
    let before = Store::open(place.store()).unwrap();
    golden_source(&place, 5e-324);
    let report = Build::new(place.source(), place.store()).workers(1).force(true).run().unwrap();
    assert_eq!(report.version, 3);
    let after = Store::open(place.store()).unwrap();
    for &date in before.dates().unwrap() {
        let (old, new) = (before.section(date).unwrap(), after.section(date).unwrap());
        assert_eq!(rows(&old.batch().unwrap()), rows(&new.batch().unwrap()), "{date}");
    }
}

/// The bytes that this transect writes are those of the golden store, where the same ids are drawn: segments and their
/// chunk records hold nothing of the moment or the machine they were made on. A change of the encoder below us shows here
/// first; the store stays readable, and this test then says which release changed the bytes.
#[test]
fn the_segments_written_today_are_the_golden_ones_to_the_byte() {
    let place = Place::new();
    write_golden(&place, &place.store(), 3);
    for name in ["segment/1-0000.arrow", "segment/1.chunks", "segment/2-0000.arrow", "segment/2.chunks"] {
        let (ours, theirs) = (named(&place.store(), name), named(&golden(), name));
        assert_eq!(ours.file_name(), theirs.file_name());
        assert_eq!(fs::read(ours).unwrap(), fs::read(theirs).unwrap());
    }
}

#[test]
fn cells_tell_null_from_zero_and_zero_from_minus_zero() {
    let array: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(0.0), Some(-0.0)]));
    let cells: Vec<Cell> = (0..3).map(|row| cell(&array, row)).collect();
    assert_eq!(cells, [Cell::Null, Cell::Bits(0), Cell::Bits(1 << 63)]);
}
