//! Every way out that a reason names is followed, by another build and by an update where that has it: the file named
//! must be read then, and no file that was read may be lost. The panels are random and bad in every way that has a way
//! out; so are the folders of `tests/cases`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationSecondArray, Float64Array, Int64Array,
    LargeStringArray, ListArray, NullArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow_schema::{Field, Schema};
use transect::format::FileStatus;
use transect::remedy::{Remedy, Setting};
use transect::skipped::{Skipped, grouped};
use transect::source::{OptionChanges, SourceOptions};
use transect::{AddSource, Build, Error, Guard, Store, Update};

use super::panels::{paths_in, write_parquet};
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

impl Outcome {
    /// What `store` says of its files, those apart that were `skipped`.
    fn of(store: &Path, skipped: Vec<Skipped>) -> Outcome {
        let sources = Store::open(store).unwrap().files().unwrap();
        let read = sources.into_iter().filter(|source| source.status != FileStatus::Skipped);
        Outcome { read: read.map(|source| source.path).collect(), skipped }
    }
}

fn build_at(store: &Path, source: &Path, told: &Told) -> Outcome {
    let build = Build::new(source, store).options(told.options.clone()).memory(told.memory);
    match build.workers(1).allow(Guard::ALL).run() {
        Ok(report) => Outcome::of(store, report.skipped),
        Err(Error::Inputs { skipped, .. }) => Outcome { read: BTreeSet::new(), skipped },
        Err(error) => panic!("{}: {error} with {:?}", source.display(), told.options),
    }
}

fn build(source: &Path, told: &Told) -> Outcome {
    let place = tempfile::tempdir().unwrap();
    build_at(&place.path().join("s"), source, told)
}

/// What comes of a build whose store is updated with `settings`; `None` where there is no store, and for those that an
/// update has not.
fn build_and_update(source: &Path, told: &Told, settings: &[Setting]) -> Option<Outcome> {
    if settings.iter().any(|setting| matches!(setting, Setting::Force | Setting::Key(_))) {
        return None;
    }
    let (place, Told { options, memory }) = (tempfile::tempdir().unwrap(), with(told, settings));
    let store = place.path().join("s");
    if build_at(&store, source, told).read.is_empty() {
        return None;
    }
    let changes = OptionChanges {
        date_columns: options.date_columns,
        date_format: options.date_format,
        epoch: options.epoch,
        drop_time: options.drop_time,
        duplicates: Some(options.duplicates),
        bad_dates: Some(options.bad_dates),
        exclude: options.exclude,
        casts: options.casts,
        ..OptionChanges::default()
    };
    let report = Update::new(&store).options(changes).memory(memory).workers(1).allow(Guard::ALL).run();
    let report = report.unwrap_or_else(|why| panic!("{}: {settings:?}: {why}", source.display()));
    Some(Outcome::of(&store, report.skipped))
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
            // Each build here makes another store.
            Setting::Force => {}
            other => panic!("a reason of a file advises {other:?}"),
        }
    }
    told
}

/// Whether a setting leaves to its user what it is to be: a zone, one of other columns, or how dates are spelt.
fn is_blank(setting: &Setting) -> bool {
    match setting {
        Setting::Zone | Setting::NaiveZone => true,
        Setting::DateColumn(names) => names.is_empty(),
        Setting::DateFormat(format) => format.is_empty(),
        _ => false,
    }
}

/// Follows each way out of each file that a build of `source` skips; how many there were.
fn follow(source: &Path) -> usize {
    let told = Told { options: SourceOptions::default(), memory: 64 << 20 };
    let outcome = build(source, &told);
    let mut followed = 0;
    for Skipped { path, reason, .. } in &outcome.skipped {
        for remedy in reason.remedies() {
            let Remedy::Set { settings, .. } = remedy else { continue };
            if settings.iter().any(is_blank) {
                continue;
            }
            followed += 1;
            if let Some(now) = build_and_update(source, &told, settings) {
                let lost: Vec<&String> = outcome.read.difference(&now.read).collect();
                assert!(lost.is_empty(), "{}: {path}: {remedy:?} of an update loses {lost:?}", source.display());
                let still = now.skipped.iter().find(|skipped| skipped.path == *path);
                assert!(
                    still.is_none_or(|still| still.reason.kind() != reason.kind()),
                    "{}: {path}: {remedy:?} of an update: {still:?}",
                    source.display()
                );
            }
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
        let entries = paths_in(&folder);
        let is_parquet = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "parquet") && path.is_file();
        // Files of times are no stocks, and to read a hundred million rows takes the memory that is advised.
        let has_time = |stem: &str| ["2023", "2024"].iter().any(|year| stem.contains(year));
        let is_of_time = |path: &PathBuf| path.file_stem().is_some_and(|stem| has_time(&stem.to_string_lossy()));
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
    let updated = Update::new(&store).run().unwrap();
    let told = way_out(&updated.skipped);
    assert!(told.contains("Decimal128(38, 2)") && told.ends_with("reads it, rounded where it must"), "{told}");

    // Nothing is cut where the digits behind the point are naughts.
    write("B", 150_000_000_000_000_000_000, (30, 20));
    let updated = Update::new(&store).run().unwrap();
    let told = way_out(&updated.skipped);
    assert!(told.ends_with("decides on one type"), "{told}");
}

/// A file of `dates` and floats.
fn write_dates(path: &Path, dates: ArrayRef, more: Vec<(&str, ArrayRef)>) {
    let values = (1..=dates.len()).map(|n| n as f64).collect::<Float64Array>();
    let mut columns: Vec<(&str, ArrayRef)> = vec![("trade_date", dates), ("v", Arc::new(values))];
    columns.extend(more);
    write_parquet(path, &RecordBatch::try_from_iter(columns).unwrap());
}

/// What is said of a file `name` beside two others, which have the dates 20240102 and 20240103 as `usual` spells them: by a
/// build, and by an update of a store of the others.
fn told_of(name: &str, usual: ArrayRef, dates: ArrayRef, more: Vec<(&str, ArrayRef)>) -> [String; 2] {
    told_with(&SourceOptions::default(), name, usual, dates, more)
}

fn told_with(
    options: &SourceOptions,
    name: &str,
    usual: ArrayRef,
    dates: ArrayRef,
    more: Vec<(&str, ArrayRef)>,
) -> [String; 2] {
    let place = tempfile::tempdir().unwrap();
    let (source, store) = (place.path().join("src"), place.path().join("s"));
    fs::create_dir(&source).unwrap();
    for code in ["A", "B"] {
        write_dates(&source.join(code).with_extension("parquet"), usual.clone(), Vec::new());
    }
    let build = |store: &str| {
        let build = Build::new(&source, place.path().join(store)).options(options.clone()).allow(Guard::ALL);
        build.workers(1).run().unwrap()
    };
    assert_eq!(build("s").skipped, []);
    write_dates(&source.join(name).with_extension("parquet"), dates, more);
    let updated = Update::new(&store).allow(Guard::ALL).workers(1).run().unwrap();
    [build("other").skipped, updated.skipped].map(|skipped| {
        assert_eq!(skipped.len(), 1, "{skipped:?}");
        skipped[0].reason.to_string()
    })
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Seconds of 2024 since 1970.
fn seconds(days: i64, hour: i64) -> i64 {
    1_704_067_200 + days * 86_400 + hour * 3_600
}

#[test]
fn a_way_out_that_takes_several_settings_is_told_whole_and_one_that_takes_none_is_not_told() {
    let usual = || texts(&["20240102", "20240103"]);
    let stamps = |hours: &[(i64, i64)]| -> ArrayRef {
        let micros: Vec<i64> = hours.iter().map(|&(day, hour)| seconds(day, hour) * 1_000_000).collect();
        Arc::new(TimestampMicrosecondArray::from(micros))
    };
    // Bars beside dates as text: their times are no key beside those, unless all are text.
    let [built, updated] = told_of("C", usual(), stamps(&[(1, 9), (1, 10), (2, 9)]), Vec::new());
    let dropped = "row 1 of \"trade_date\": 2024-01-02T09:00:00 has a time of day; drop time with duplicates first leaves \
                   it out, and of differing rows keeps the first";
    assert_eq!(built, format!("{dropped}, or key trade_date with cast trade_date=Utf8 reads the file"));
    assert_eq!(updated, dropped, "a store's key is what it is");

    // A column that the others lack is no key.
    let zz = || vec![("zz", texts(&["a", "b"]))];
    let [built, updated] = told_of("C", usual(), texts(&["20240102", "20240102"]), zz());
    let apart = "has differing rows for 20240102: \"v\" is 1.0 in row 1 and 2.0 in row 2; \"zz\" differs, too; \"zz\" tells \
                 them apart, and cannot be part of the key; write the file with one of these rows, or duplicates first \
                 keeps the one, or duplicates last the other";
    assert_eq!((built.as_str(), updated.as_str()), (apart, apart));

    // Midnights of Shanghai, counted in seconds.
    let counts: ArrayRef = Arc::new(Int64Array::from(vec![seconds(0, 16), seconds(1, 16)]));
    let counted = "row 1 of \"trade_date\": 1704124800 is no date, nor has another row one; integers are read as YYYYMMDD; \
                   epoch s with zone reads the file, where ZONE is one on whose clocks its times are midnight";
    assert_eq!(told_of("C", usual(), counts, Vec::new()), [counted, counted]);

    // Once the row without a date is gone, two of one date are left.
    let [built, _] = told_of("C", usual(), texts(&["20240102", "20240102", "n/a"]), Vec::new());
    let ways = "; bad dates drop with duplicates first leaves such rows out, and of differing rows keeps the first";
    assert!(built.ends_with(&format!("are read{ways}")), "{built}");

    // Codes that are numbers are told to be cast where they are those of the files then.
    let numbers = || -> Vec<(&str, ArrayRef)> { vec![("ts_code", Arc::new(Int64Array::from(vec![7, 7])))] };
    let [built, _] = told_of("7", usual(), usual(), numbers());
    let code = "its column \"ts_code\" is Int64, but a code is text";
    assert_eq!(
        built,
        format!("{code}; cast ts_code=Utf8 takes its numbers for codes, or exclude ts_code leaves it out")
    );
    let [built, _] = told_of("000007", usual(), usual(), numbers());
    assert_eq!(built, format!("{code}; exclude ts_code leaves it out"));
}

#[test]
fn a_way_out_that_would_lose_other_files_is_not_told() {
    // On clocks on which these are midnights the others are not.
    let stamps = |hours: [(i64, i64); 2]| -> ArrayRef {
        let micros = hours.map(|(day, hour)| seconds(day, hour) * 1_000_000);
        Arc::new(TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC"))
    };
    let [built, _] = told_of("C", stamps([(1, 0), (2, 0)]), stamps([(0, 16), (1, 16)]), Vec::new());
    let anew =
        "row 1 of \"trade_date\": 2024-01-01T16:00:00Z has a time of day; write the file anew, as the others are";
    assert_eq!(built, anew);

    // Another format takes the place of the one by which the others are read.
    let options = SourceOptions { date_format: Some("%d.%m.%Y".to_owned()), ..SourceOptions::default() };
    let usual = texts(&["02.01.2024", "03.01.2024"]);
    let [built, _] = told_with(&options, "C", usual, texts(&["02-Jan-2024", "03-Jan-2024"]), Vec::new());
    assert!(built.ends_with(" are read; write the file anew, as the others are"), "{built}");
}

#[test]
fn files_with_dates_in_columns_of_other_names_are_told_one_list_that_reads_them_all() {
    let texts = || texts(&["20240102", "20240103"]);
    let numbers = || -> ArrayRef { Arc::new(Date32Array::from(vec![19_724, 19_725])) };
    let write = |place: &Path, names: &[&str]| {
        for (n, name) in names.iter().enumerate() {
            let dates = if n % 2 == 0 { texts() } else { numbers() };
            let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
            let rows = RecordBatch::try_from_iter([(*name, dates), ("x", values)]).unwrap();
            write_parquet(&place.join(format!("S{n:02}.parquet")), &rows);
        }
    };
    for (names, told) in [
        (&["dt", "day", "dt", "day"][..], &["dt", "day"][..]),
        (&["dt", "day", "asof", "dt"], &["dt", "day", "asof"]),
        (&["trade_date", "dt", "day", "trade_date"], &["trade_date", "dt", "day"]),
    ] {
        let place = tempfile::tempdir().unwrap();
        write(place.path(), names);
        let plain = Told { options: SourceOptions::default(), memory: 64 << 20 };
        let skipped = build(place.path(), &plain).skipped;
        assert_eq!(skipped.len(), names.iter().filter(|name| **name != "trade_date").count());
        let list = Setting::DateColumn(told.iter().map(|name| (*name).to_owned()).collect());
        for one in &skipped {
            let [Remedy::Set { settings, .. }] = one.reason.remedies() else { panic!("{}", one.reason) };
            assert_eq!(settings, std::slice::from_ref(&list), "{names:?}");
        }
        assert_eq!(build(place.path(), &with(&plain, &[list])).read.len(), names.len());
    }
}

#[test]
fn a_source_that_is_added_is_told_no_key_as_the_store_has_one() {
    let place = tempfile::tempdir().unwrap();
    let (prices, flows, store) = (place.path().join("prices"), place.path().join("flows"), place.path().join("s"));
    let days = ["20240102", "20240102", "20240103"];
    let kinds: ArrayRef = texts(&["a", "b", "a"]);
    for (folder, rows) in [(&prices, 1..3), (&flows, 0..3)] {
        fs::create_dir(folder).unwrap();
        let whole = RecordBatch::try_from_iter([
            ("trade_date", texts(&days)),
            ("kind", Arc::clone(&kinds)),
            ("v", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ]);
        write_parquet(&folder.join("A.parquet"), &whole.unwrap().slice(rows.start, rows.len()));
    }
    Build::new(&prices, &store).workers(1).run().unwrap();
    let add = || AddSource::new(&store, [&flows]).prefix("f_").workers(1);
    let Error::Inputs { skipped, .. } = add().run().unwrap_err() else { panic!("read") };
    let told: Vec<&Setting> = skipped[0].reason.remedies().iter().flat_map(settings_of).collect();
    assert!(!told.is_empty() && told.iter().all(|setting| matches!(setting, Setting::Duplicates(_))), "{told:?}");
    for setting in told {
        let options =
            with(&Told { options: SourceOptions::default(), memory: 0 }, std::slice::from_ref(setting)).options;
        assert_eq!(
            add().options(SourceOptions { prefix: "f_".to_owned(), ..options }).dry_run(true).run().unwrap().filled,
            2
        );
    }
}

fn settings_of(remedy: &Remedy) -> &[Setting] {
    match remedy {
        Remedy::Set { settings, .. } => settings,
        _ => &[],
    }
}

#[test]
fn a_cast_that_would_alter_the_values_of_other_files_is_not_told() {
    let told = |others: ArrayRef, own: ArrayRef| {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("src");
        fs::create_dir(&source).unwrap();
        for (code, values) in [("A", &others), ("B", &others), ("C", &own)] {
            let columns = [("trade_date", texts(&["20240102"])), ("v", Arc::clone(values))];
            write_parquet(&source.join(code).with_extension("parquet"), &RecordBatch::try_from_iter(columns).unwrap());
        }
        let skipped = Build::new(&source, place.path().join("s")).allow(Guard::ALL).workers(1).run().unwrap().skipped;
        assert_eq!(skipped.len(), 1, "{skipped:?}");
        skipped[0].reason.to_string()
    };
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![16_777_217]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"\xff"]));
    let of_two_types = "no type holds the values of both exactly; write the file anew, as the others are";
    assert!(told(Arc::clone(&numbers), bytes).ends_with(of_two_types));

    // Doubles hold what integers would keep, and the others are doubles.
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let spans: ArrayRef = Arc::new(DurationSecondArray::from(vec![90]));
    let kept = |to: &str| format!("; cast v={to} keeps its values as bare numbers of seconds");
    let beside_doubles = told(doubles, Arc::clone(&spans));
    assert!(beside_doubles.contains(&kept("Float64")), "{beside_doubles}");
    let beside_integers = told(numbers, spans);
    assert!(beside_integers.contains(&kept("int64")), "{beside_integers}");
}

#[test]
fn a_file_whose_column_has_the_name_of_the_stores_dates_is_skipped_and_stops_no_other() {
    let place = tempfile::tempdir().unwrap();
    let (source, store) = (place.path().join("src"), place.path().join("s"));
    fs::create_dir(&source).unwrap();
    let write = |code: &str, columns: &[&str]| {
        let columns = columns.iter().map(|&name| (name, texts(&["20240102"])));
        write_parquet(&source.join(code).with_extension("parquet"), &RecordBatch::try_from_iter(columns).unwrap());
    };
    write("A", &["trade_date"]);
    Build::new(&source, &store).run().unwrap();
    write("C", &["trade_date", "date"]);
    write("D", &["date", "datetime"]);
    let date_columns = ["date", "trade_date", "datetime"].map(str::to_owned).to_vec();
    let changes = transect::source::OptionChanges { date_columns, ..Default::default() };
    let report = Update::new(&store).options(changes).allow(Guard::ALL).run().unwrap();
    assert_eq!((report.added, report.skipped.len()), (1, 1), "{report:?}");
    assert_eq!(
        report.skipped[0].reason.to_string(),
        "its dates are in \"date\", and its column \"trade_date\" has the name of the dates of the store; write the file \
         without \"trade_date\", or with another name for it"
    );
}

#[test]
fn what_was_tried_on_many_files_is_told_to_those_that_are_like_them() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("src");
    fs::create_dir(&source).unwrap();
    // Two rows a date, which times in another column tell apart.
    let days = texts(&["2024-01-02", "2024-01-02"]);
    let times = texts(&["2024-01-02 09:45:00", "2024-01-02 10:00:00"]);
    let bars: [(&str, ArrayRef); 3] =
        [("date", days), ("datetime", times), ("p", Arc::new(Int64Array::from(vec![1, 2])))];
    for stock in 0..25 {
        let path = source.join(format!("S{stock:02}.parquet"));
        write_parquet(&path, &RecordBatch::try_from_iter(bars.clone()).unwrap());
    }
    let skipped = build(&source, &Told { options: SourceOptions::default(), memory: 256 << 20 }).skipped;
    let told: BTreeSet<String> = skipped.iter().map(|skipped| skipped.reason.to_string()).collect();
    assert_eq!((skipped.len(), told.len()), (25, 1), "{told:?}");
    assert!(told.first().unwrap().contains("date column date with key datetime reads"), "{told:?}");
}

#[test]
fn what_only_later_files_need_is_told_to_all_where_it_reads_them_all() {
    let times = |hours: [i64; 2]| -> ArrayRef {
        let seconds: Vec<i64> =
            [1, 2].into_iter().zip(hours).map(|(day, hour)| 1_000_000 * seconds(day, hour)).collect();
        Arc::new(TimestampMicrosecondArray::from(seconds))
    };
    let values = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2])) };
    let days = |days: &[&str]| texts(days);
    let apart = ("kind", texts(&["a", "b"]));
    // The rows of the first files, and of the later ones; and whether one way out reads both.
    let cases = [
        (days(&["20240102", "20240103"]), days(&["20240102", "20240102"]), Some(apart.clone()), true),
        (times([0, 0]), times([9, 9]), None, true),
        (days(&["20240102", "20240103"]), days(&["20240102", "20240102"]), None, false),
    ];
    for (n, (first, later, beside, is_one)) in cases.into_iter().enumerate() {
        let place = tempfile::tempdir().unwrap();
        for stock in 0..50 {
            let dates = if stock < 30 { &first } else { &later };
            let mut rows = vec![("dt", Arc::clone(dates)), ("v", values())];
            rows.extend(beside.clone());
            // Without a column that tells them apart in the first files.
            rows.extend((!is_one && stock >= 30).then(|| apart.clone()));
            let path = place.path().join(format!("S{stock:02}.parquet"));
            write_parquet(&path, &RecordBatch::try_from_iter(rows).unwrap());
        }
        let plain = Told { options: SourceOptions::default(), memory: 256 << 20 };
        let skipped = build(place.path(), &plain).skipped;
        let mut told: Vec<&[Setting]> = skipped.iter().map(|one| settings_of(&one.reason.remedies()[0])).collect();
        told.dedup();
        let read: BTreeSet<usize> =
            told.iter().map(|settings| build(place.path(), &with(&plain, settings)).read.len()).collect();
        let expected = if is_one { BTreeSet::from([50]) } else { BTreeSet::from([20, 30]) };
        assert_eq!((skipped.len(), read), (50, expected), "{n}: {}", skipped[0].reason);
    }
}

#[test]
fn columns_that_no_panel_holds_one_a_file_are_left_out_by_one_list_and_hide_no_other_way() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: String, rows: Vec<(String, ArrayRef)>| {
        write_parquet(&place.path().join(name), &RecordBatch::try_from_iter(rows).unwrap());
    };
    let day = || ("date".to_owned(), texts(&["20240102"]));
    let value = || ("x".to_owned(), Arc::new(Int64Array::from(vec![1])) as ArrayRef);
    for n in 0..20 {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), Some(2)])]);
        write(format!("A{n:02}.parquet"), vec![day(), value(), (format!("l{n}"), Arc::new(list))]);
    }
    for n in 0..25 {
        write(format!("B{n:02}.parquet"), vec![("date".to_owned(), texts(&["2024-01-02 09:30:00"])), value()]);
    }
    write("C.parquet".to_owned(), vec![day(), value()]);
    let plain = Told { options: SourceOptions::default(), memory: 256 << 20 };
    let skipped = build(place.path(), &plain).skipped;
    let groups = grouped(&skipped);
    assert_eq!((skipped.len(), groups.len()), (45, 2), "{groups:?}");
    let mut told = plain;
    for group in &groups {
        told = with(&told, settings_of(&group.remedies[0]));
    }
    assert_eq!(build(place.path(), &told).read.len(), 46, "{groups:?}");
}
