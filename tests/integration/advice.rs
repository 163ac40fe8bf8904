//! Every way out that a reason names is followed: the file named must be read then, and no file that was read may be
//! lost. The panels are random and bad in every way that has a way out; so are the folders of `tests/cases`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, LargeStringArray,
    NullArray, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow_schema::{Field, Schema};
use transect::format::FileStatus;
use transect::remedy::{Remedy, Setting};
use transect::skipped::Skipped;
use transect::source::SourceOptions;
use transect::{Build, Error, Guard, Store};

use super::panels::write_parquet;
use super::scene::Random;

/// Random panels in one round.
const PANELS: u64 = 60;
/// A file may be bad in so many ways at once, each of which is told when the one before is mended.
const STEPS: usize = 4;

/// What a build is told.
#[derive(Clone)]
struct Told {
    options: SourceOptions,
    memory: u64,
}

/// What a build read, and what it skipped.
struct Outcome {
    read: BTreeSet<String>,
    skipped: Vec<Skipped>,
}

fn build(source: &Path, told: &Told) -> Outcome {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("s");
    let build = Build::new(source, &store).options(told.options.clone()).memory(told.memory);
    match build.workers(1).allow(Guard::ALL).run() {
        Ok(report) => {
            let sources = Store::open(&store).unwrap().files().unwrap();
            let read = sources.into_iter().filter(|source| source.status != FileStatus::Skipped);
            Outcome { read: read.map(|source| source.path).collect(), skipped: report.skipped }
        }
        Err(Error::Inputs { skipped, .. }) => Outcome { read: BTreeSet::new(), skipped },
        Err(error) => panic!("{}: {error}", source.display()),
    }
}

/// `told` with `settings` beside it, as they would be typed beside the options that were typed before.
fn with(told: &Told, settings: &[Setting]) -> Told {
    let mut told = told.clone();
    let options = &mut told.options;
    for setting in settings {
        match setting {
            Setting::Cast(casts) => {
                for cast in casts {
                    options.casts.retain(|known| known.column != cast.column);
                    options.casts.push(cast.to_string().parse().unwrap());
                }
            }
            Setting::Exclude(names) => options.exclude.extend(names.iter().cloned()),
            Setting::DateColumn(names) => options.date_columns.clone_from(names),
            Setting::DateFormat(format) => options.date_format = Some(format.clone()),
            Setting::Duplicates(which) => options.duplicates = which.parse().unwrap(),
            Setting::BadDates(what) => options.bad_dates = what.parse().unwrap(),
            Setting::Key(names) => options.key.clone_from(names),
            Setting::Epoch(unit) => options.epoch = Some(unit.parse().unwrap()),
            Setting::DropTime => options.drop_time = true,
            Setting::Memory(bytes) => told.memory = *bytes,
            other => panic!("a reason of a file advises {other:?}"),
        }
    }
    told
}

/// Whether a setting leaves to its user what it is to be: a zone, or one of other columns.
fn is_blank(setting: &Setting) -> bool {
    match setting {
        Setting::Zone | Setting::NaiveZone => true,
        Setting::DateColumn(names) => names.is_empty(),
        _ => false,
    }
}

/// Follows each way out of each file that a build of `source` skips; how many there were.
fn follow(source: &Path) -> usize {
    let told = Told { options: SourceOptions::default(), memory: 64 << 20 };
    let outcome = build(source, &told);
    let mut followed = 0;
    for Skipped { path, reason } in &outcome.skipped {
        for remedy in reason.remedies() {
            let Remedy::Set { settings, .. } = remedy else { continue };
            if settings.iter().any(is_blank) {
                continue;
            }
            followed += 1;
            let mut told = with(&told, settings);
            let mut trail = vec![reason.to_string()];
            for _ in 0..STEPS {
                let now = build(source, &told);
                let lost: Vec<&String> = outcome.read.difference(&now.read).collect();
                let why = now.skipped.iter().find(|skipped| Some(&&skipped.path) == lost.first());
                assert!(lost.is_empty(), "{}: {path}: {remedy:?} loses {why:?}: {trail:#?}", source.display());
                let Some(still) = now.skipped.iter().find(|skipped| skipped.path == *path) else { break };
                trail.push(still.reason.to_string());
                let next = still.reason.remedies().iter().find_map(|remedy| match remedy {
                    Remedy::Set { settings, .. } if !settings.iter().any(is_blank) => Some(settings),
                    _ => None,
                });
                // Another thing may be wrong with it, for which there need be no way out.
                assert_ne!(still.reason, *reason, "{}: {path}: {remedy:?} changes nothing", source.display());
                assert_ne!(still.reason.kind(), reason.kind(), "{}: {path}: {remedy:?}: {trail:#?}", source.display());
                let Some(settings) = next else { break };
                told = with(&told, settings);
            }
        }
    }
    followed
}

/// A column of `rows` values of one of many types, some of which meet.
fn column(random: &mut Random, rows: usize) -> ArrayRef {
    let pick = |random: &mut Random, values: &[i64]| -> Vec<i64> {
        (0..rows).map(|_| values[random.below(values.len())]).collect()
    };
    let small = pick(random, &[0, 1, -1, 7, 100]);
    let texts = |random: &mut Random, values: &[&str]| -> Vec<String> {
        (0..rows).map(|_| values[random.below(values.len())].to_owned()).collect()
    };
    let zone = ["UTC", "Asia/Tokyo", "Mars/Phobos", "Europe/Paris"][random.below(4)];
    match random.below(20) {
        0..4 => Arc::new(Float64Array::from_iter_values(small.iter().map(|&n| n as f64 + 0.5))),
        4 => Arc::new(Int64Array::from(small)),
        5 => Arc::new(Int64Array::from(pick(random, &[i64::MAX, i64::MIN, (1 << 53) + 1, 3]))),
        6 => Arc::new(UInt64Array::from_iter_values(small.iter().map(|&n| u64::MAX - n.unsigned_abs()))),
        7 => Arc::new(StringArray::from(texts(random, &["1", "2.5", "-3"]))),
        8 => Arc::new(StringArray::from(texts(random, &["1", "-", "n/a", ""]))),
        9 => Arc::new(LargeStringArray::from(texts(random, &["a", "b"]))),
        10 => Arc::new(BooleanArray::from_iter(small.iter().map(|&n| Some(n > 0)))),
        11 => Arc::new(Date32Array::from_iter_values(small.iter().map(|&n| 19_000 + n as i32))),
        12 => Arc::new(BinaryArray::from_iter_values(small.iter().map(|n| n.to_le_bytes()))),
        13 => Arc::new(Float64Array::from(vec![None; rows])),
        14 => Arc::new(NullArray::new(rows)),
        15 => Arc::new(TimestampNanosecondArray::from(small)),
        16 => Arc::new(TimestampMicrosecondArray::from(small).with_timezone(zone)),
        17 => Arc::new(TimestampNanosecondArray::from(small).with_timezone(zone)),
        18 => {
            let digits = Decimal128Array::from_iter_values(small.iter().map(|&n| i128::from(n) * 7));
            Arc::new(digits.with_precision_and_scale(18, 4).unwrap())
        }
        _ => {
            let values: Vec<[u8; 16]> = vec![[7; 16]; rows];
            Arc::new(arrow_array::FixedSizeBinaryArray::try_from_iter(values.into_iter()).unwrap())
        }
    }
}

/// Dates of `rows` rows, and the name of their column.
fn dates(random: &mut Random, rows: usize) -> (&'static str, ArrayRef) {
    let day = |row: usize| 2 + row;
    let texts =
        |spell: &dyn Fn(usize) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..rows).map(spell))) };
    let usual = |row: usize| format!("202401{:02}", day(row));
    let name = ["trade_date", "trade_date", "trade_date", "date", "day", "cal_date"][random.below(6)];
    let array: ArrayRef = match random.below(12) {
        0 => texts(&|row| format!("{:02}-Jan-2024", day(row))),
        1 => texts(&|row| format!("2024.01.{:02}", day(row))),
        2 => texts(&|row| if row == 1 { "total".to_owned() } else { usual(row) }),
        3 => {
            let some = (0..rows).map(|row| (row != 0).then(|| usual(row)));
            Arc::new(StringArray::from_iter(some))
        }
        // Twice the same date.
        4 | 5 => texts(&|row| usual(row / 2)),
        6 => Arc::new(Int64Array::from_iter_values((0..rows).map(|row| 20_240_100 + day(row) as i64))),
        7 => Arc::new(TimestampNanosecondArray::from_iter_values(
            (0..rows).map(|row| (19_723 + row as i64) * 86_400_000_000_000 + 34_200_000_000_000),
        )),
        _ => texts(&usual),
    };
    (name, array)
}

fn file(random: &mut Random, path: &Path, code: &str) {
    let rows = 2 + random.below(4);
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    let (name, array) = dates(random, rows);
    columns.push((name.to_owned(), array));
    for name in ["x", "y", "a,b", "it's \"odd\" = x"] {
        if random.below(3) > 0 {
            columns.push((name.to_owned(), column(random, rows)));
        }
    }
    if random.below(4) == 0 {
        let kinds = ["buy", "sell"].into_iter().cycle().take(rows);
        columns.push(("kind".to_owned(), Arc::new(StringArray::from_iter_values(kinds))));
    }
    match random.below(12) {
        0 => columns.push(("ts_code".to_owned(), Arc::new(StringArray::from(vec!["WRONG"; rows])))),
        1 => columns.push(("ts_code".to_owned(), Arc::new(Int64Array::from(vec![1; rows])))),
        2 => columns.push(("ts_code".to_owned(), Arc::new(StringArray::from(vec![code; rows])))),
        3 => columns.push(("date".to_owned(), columns[0].1.clone())),
        4 => columns.push(("x".to_owned(), column(random, rows))),
        _ => {}
    }
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    write_parquet(path, &RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap());
}

#[test]
fn every_way_out_reads_the_file_and_loses_none() {
    let mut followed = 0;
    for panel in 0..PANELS {
        let mut random = Random::new(panel);
        let source = tempfile::tempdir().unwrap();
        for n in 0..3 + random.below(4) {
            let code = format!("S{n}");
            file(&mut random, &source.path().join(format!("{code}.parquet")), &code);
        }
        followed += follow(source.path());
    }
    assert!(followed > 100, "{followed}");
}

#[test]
fn every_way_out_of_the_cases_works() {
    let mut folders: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")];
    let mut followed = 0;
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let is_parquet = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "parquet") && path.is_file();
        // Files by date are no stocks, and to read a hundred million rows takes the memory that is advised.
        let is_of_time = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem.to_string_lossy().contains("2024"));
        let is_apart = folder.ends_with("day") || folder.ends_with("hostile.in/run");
        let is_apart = is_apart || entries.iter().filter(is_parquet).all(is_of_time);
        if entries.iter().filter(is_parquet).count() > 0 && !is_apart {
            followed += follow(&folder);
        }
        folders.extend(entries.into_iter().filter(|path| path.is_dir()));
    }
    assert!(followed > 20, "{followed}");
}

#[test]
fn a_cast_that_cuts_digits_is_told_as_one_that_rounds() {
    let place = tempfile::tempdir().unwrap();
    let (source, store) = (place.path().join("src"), place.path().join("s"));
    fs::create_dir(&source).unwrap();
    let write = |code: &str, value: i128, (precision, scale): (u8, i8)| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        let value = Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap();
        let columns: [(&str, ArrayRef); 2] = [("date", dates), ("v", Arc::new(value))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        write_parquet(&source.join(code).with_extension("parquet"), &batch);
    };
    let way_out = |skipped: &[Skipped]| {
        let reasons: Vec<String> = skipped.iter().map(|skipped| skipped.reason.to_string()).collect();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        reasons.concat()
    };

    // All 38 digits before and behind the point are taken: no decimal holds the values of both.
    write("A", 1_234_567_890_123_456_789_012_345_678_901_234_567, (38, 2));
    write("B", 12_345_678_901_234_567_890, (30, 20));
    let built = Build::new(&source, &store).run().unwrap();
    let told = way_out(&built.skipped);
    assert!(told.ends_with("reads it, rounded where it must"), "{told}");

    // Beside a store, the type is the store's.
    let updated = transect::Update::new(&store).run().unwrap();
    let told = way_out(&updated.skipped);
    assert!(told.contains("Decimal128(38, 2)") && told.ends_with("reads it, rounded where it must"), "{told}");

    // Nothing is cut where the digits behind the point are naughts.
    write("B", 150_000_000_000_000_000_000, (30, 20));
    let updated = transect::Update::new(&store).run().unwrap();
    let told = way_out(&updated.skipped);
    assert!(told.ends_with("decides on one type"), "{told}");
}
