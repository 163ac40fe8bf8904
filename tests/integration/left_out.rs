//! A file whose footer is good and whose rows cannot be used is left out when its turn to be read comes. By then it has
//! been asked which columns there are and of what types, and what it said would stay in every row of the store. So random
//! folders with such files are read here beside the same folders without them.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{
    ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use proptest::sample::select;
use transect::progress::{Observer, Silent};
use transect::source::SourceOptions;
use transect::{AddSource, Append, Build, Guard, Store, Transpose, Update, verify_source};

use super::panels::{Contents, Place, assert_whole, batch, cases, entries, sections, workers, write_parquet};

/// How a file says something that the others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    /// Its integers are doubles.
    Doubles,
    /// Its integers are wider.
    Wide,
    /// Its integers are text, which does not meet them.
    Text,
    /// Its texts may be longer.
    Large,
    /// It has a column of its own before the others, or behind them.
    Column,
    Behind,
    /// It spells dates otherwise.
    Dashes,
    Days,
    /// It calls its date column otherwise.
    DateName,
    Nothing,
}

const ODD: [Odd; 10] = [
    Odd::Doubles,
    Odd::Wide,
    Odd::Text,
    Odd::Large,
    Odd::Column,
    Odd::Behind,
    Odd::Dashes,
    Odd::Days,
    Odd::DateName,
    Odd::Nothing,
];

/// Why a file cannot be used, although its footer can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A page of its last column is torn.
    Page,
    /// So is one of its dates.
    DatePage,
    /// One of its dates is none.
    NoDate,
    /// Two of its rows have one date, and differ.
    Twice,
    /// It has another stock's code.
    Code,
}

const FAULTS: [Fault; 5] = [Fault::Page, Fault::DatePage, Fault::NoDate, Fault::Twice, Fault::Code];

/// A file of `code` with these values of the first of the dates.
fn table(code: &str, values: &[i64], odd: Odd, fault: Option<Fault>) -> RecordBatch {
    let mut days: Vec<usize> = (0..values.len()).collect();
    if fault == Some(Fault::Twice) {
        days[1] = days[0];
    }
    let spelt = |form: fn(usize) -> String| -> ArrayRef {
        let mut dates: Vec<String> = days.iter().map(|&day| form(day)).collect();
        if fault == Some(Fault::NoDate) {
            dates[0] = "soon".to_owned();
        }
        Arc::new(StringArray::from(dates))
    };
    let dates: ArrayRef = match odd {
        Odd::Days if fault != Some(Fault::NoDate) => {
            Arc::new(days.iter().map(|&day| Some(19724 + day as i32)).collect::<Date32Array>())
        }
        Odd::Dashes | Odd::Days => spelt(|day| format!("2024-01-0{}", day + 2)),
        _ => spelt(|day| format!("2024010{}", day + 2)),
    };
    let x: ArrayRef = match odd {
        Odd::Doubles => Arc::new(values.iter().map(|value| *value as f64 + 0.25).collect::<Float64Array>()),
        Odd::Wide => Arc::new(values.iter().map(|value| value + (1 << 40)).collect::<Int64Array>()),
        Odd::Text => Arc::new(values.iter().map(|value| Some(format!("v{value}"))).collect::<StringArray>()),
        _ => Arc::new(values.iter().map(|value| *value as i32).collect::<Int32Array>()),
    };
    let texts = values.iter().map(|value| Some(format!("t{value}")));
    let t: ArrayRef = match odd {
        Odd::Large => Arc::new(texts.collect::<LargeStringArray>()),
        _ => Arc::new(texts.collect::<StringArray>()),
    };
    let own: ArrayRef = Arc::new(values.iter().map(|value| *value as f64).collect::<Float64Array>());
    let codes = if fault == Some(Fault::Code) { "another" } else { code };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("ts_code", Arc::new(StringArray::from(vec![codes; values.len()]))),
        (if odd == Odd::DateName { "date" } else { "trade_date" }, dates),
    ];
    columns.extend((odd == Odd::Column).then(|| ("own", own.clone())));
    columns.extend([("x", x), ("t", t)]);
    columns.extend((odd == Odd::Behind).then_some(("behind", own)));
    batch(&columns)
}

/// Writes a file that cannot be used.
fn write_bad(path: &Path, code: &str, odd: Odd, fault: Fault) {
    let table = table(code, &[1, 2, 3], odd, Some(fault));
    let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), table.schema(), Some(properties)).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
    let column = match fault {
        Fault::Page => table.num_columns() - 1,
        Fault::DatePage => 1,
        _ => return,
    };
    tear(path, column);
}

/// Makes the first page of a column one that cannot be read.
fn tear(path: &Path, column: usize) {
    let mut bytes = fs::read(path).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&fs::File::open(path).unwrap()).unwrap();
    let at = metadata.row_group(0).column(column).data_page_offset() as usize;
    bytes[at..at + 8].fill(0xff);
    fs::write(path, bytes).unwrap();
}

/// What happens to both folders, or to one of them alone.
#[derive(Debug, Clone)]
enum Step {
    /// A stock's file is written.
    Good(usize, Vec<i64>, Odd),
    /// A file that cannot be used is written, under the name of a stock or under one of its own.
    Bad(usize, Odd, Fault),
    Update,
    /// A date is appended.
    Append(i64),
}

/// Codes of good files, and others of files that are never good, before and behind those.
const CODES: [&str; 3] = ["B", "C", "D"];
const BAD: [&str; 3] = ["A", "C2", "Z"];

fn good() -> impl Strategy<Value = Step> {
    // What good files say differs, too, but all of them can be read together.
    let odd = select(vec![Odd::Nothing, Odd::Nothing, Odd::Wide, Odd::Large, Odd::Dashes, Odd::Behind]);
    (0..CODES.len(), prop::collection::vec(0..9i64, 2..5), odd)
        .prop_map(|(code, values, odd)| Step::Good(code, values, odd))
}

fn bad(codes: std::ops::Range<usize>) -> impl Strategy<Value = Step> {
    (codes, select(&ODD[..]), select(&FAULTS[..])).prop_map(|(code, odd, fault)| Step::Bad(code, odd, fault))
}

fn lives() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    // A build needs a good file.
    let begin = (good(), prop::collection::vec(good(), 0..3), prop::collection::vec(bad(0..3), 1..4));
    let begin = begin.prop_map(|(one, more, bad)| [vec![one], more, bad].concat());
    let night = prop_oneof![
        2 => good(),
        4 => bad(0..6),
        3 => Just(Step::Update),
        1 => (0..9i64).prop_map(Step::Append),
    ];
    (begin, prop::collection::vec(night, 1..8))
}

/// What a store is, but for its versions and for what it remembers of files.
#[derive(Debug, PartialEq, Eq)]
struct Is {
    columns: Vec<String>,
    dates: String,
    rows: Vec<(transect::Date, Contents)>,
    /// Lengths of segments: how narrow values are stored.
    segments: Vec<u64>,
    /// The files of an output, and a hash of the bytes of each.
    output: Vec<(String, u64)>,
}

fn is(place: &Place, name: &str) -> Is {
    let path = place.path(name);
    let store = Store::open(&path).unwrap();
    assert_whole(&store);
    let schema = store.schema().unwrap();
    let columns = schema.columns.iter().map(|column| format!("{}: {}", column.name, column.data_type));
    let segments = entries(&path.join("segment"));
    let segments = segments.iter().filter(|name| name.ends_with(".arrow"));
    let mut segments: Vec<u64> =
        segments.map(|name| fs::metadata(path.join("segment").join(name)).unwrap().len()).collect();
    segments.sort_unstable();
    let out = place.path(&format!("{name}.out"));
    Transpose::new(&store, &out).workers(1).run().unwrap();
    let files = entries(&out).into_iter().filter(|name| !name.starts_with('.'));
    let hash = |bytes: Vec<u8>| BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes);
    let output = files.map(|name| (name.clone(), hash(fs::read(out.join(name)).unwrap()))).collect();
    Is { columns: columns.collect(), dates: schema.date_form.to_string(), rows: sections(&store), segments, output }
}

/// Two folders, of which only the first has files that cannot be used, and a store of each.
struct World {
    place: Place,
    /// The files of the second folder as the stores have them.
    read: HashMap<String, Vec<u8>>,
}

impl World {
    fn folder(&self, which: &str) -> PathBuf {
        self.place.path(which)
    }

    fn path(&self, which: &str, code: &str) -> PathBuf {
        self.folder(which).join(format!("{code}.parquet"))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Good(code, values, odd) => {
                let code = CODES[*code];
                for which in ["with", "without"] {
                    write_parquet(&self.path(which, code), &table(code, values, *odd, None));
                }
            }
            Step::Bad(code, odd, fault) => {
                let code = *BAD.iter().chain(&CODES).nth(*code).unwrap();
                write_bad(&self.path("with", code), code, *odd, *fault);
                // What is unusable stays as it was.
                match self.read.get(code) {
                    Some(bytes) => fs::write(self.path("without", code), bytes).unwrap(),
                    None => drop(fs::remove_file(self.path("without", code))),
                }
            }
            Step::Update | Step::Append(_) => {}
        }
    }

    /// Notes that the files are as the stores have them.
    fn note_read(&mut self) {
        for code in CODES {
            if let Ok(bytes) = fs::read(self.path("without", code)) {
                self.read.insert(code.to_owned(), bytes);
            }
        }
    }

    /// Asserts that both stores are one.
    fn compare(&self, notes: [&[String]; 2]) {
        assert_eq!(is(&self.place, "with.store"), is(&self.place, "without.store"));
        assert_eq!(notes[0], notes[1]);
    }
}

fn lead((begin, nights): &(Vec<Step>, Vec<Step>)) {
    let mut world = World { place: Place::in_memory(), read: HashMap::new() };
    for which in ["with", "without"] {
        fs::create_dir(world.folder(which)).unwrap();
    }
    begin.iter().for_each(|step| world.take(step));
    let stores = world.place.path(".");
    let store = |which: &str| stores.join(format!("{which}.store"));
    let [with, without] = ["with", "without"]
        .map(|which| Build::new(world.folder(which), store(which)).workers(2).allow(Guard::ALL).run().unwrap());
    world.compare([&with.notes, &without.notes]);
    world.note_read();
    assert_eq!((with.rows, with.columns, with.date_form), (without.rows, without.columns, without.date_form));
    for night in nights.iter().chain([&Step::Update]) {
        world.take(night);
        let [with, without] = ["with", "without"].map(|which| match night {
            Step::Update => Some(Update::new(store(which)).workers(2).allow(Guard::ALL).run().unwrap()),
            Step::Append(value) => {
                let given = batch(&[
                    ("ts_code", Arc::new(StringArray::from(vec!["B"]))),
                    ("trade_date", Arc::new(StringArray::from(vec!["20240109"]))),
                    ("x", Arc::new(Int32Array::from(vec![*value as i32]))),
                    ("t", Arc::new(StringArray::from(vec!["given"]))),
                ]);
                let path = world.place.path("20240109.parquet");
                write_parquet(&path, &given);
                Some(Append::new(store(which), [path]).workers(1).run().unwrap())
            }
            _ => None,
        });
        let (Some(with), Some(without)) = (with, without) else { continue };
        if matches!(night, Step::Update) {
            world.note_read();
        }
        world.compare([&with.notes, &without.notes]);
        let said = |report: &transect::UpdateReport| {
            let report = report.clone();
            let changes = (report.added, report.restated, report.filled, report.removed, report.dirty_dates);
            let columns = (report.new_columns, report.widened_columns, report.absent_columns);
            let guards: Vec<Guard> = report.guards.iter().map(|met| met.guard).collect();
            (changes, columns, guards.into_iter().filter(|guard| *guard != Guard::SkippedFiles).collect::<Vec<_>>())
        };
        assert_eq!(said(&with), said(&without));
    }
    let store = Store::open(store("with")).unwrap();
    let report = verify_source(&store, &world.folder("with"), &workers(1), &Silent).unwrap();
    assert_eq!(report.difference_count, 0, "{report:?}");
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn a_folder_with_unusable_files_makes_the_store_of_one_without_them(life in lives()) {
        lead(&life);
    }
}

/// Builds from stocks B and C, with `odd` files that cannot be used beside them.
fn built(odd: &[(&str, Odd, Fault)]) -> (Place, transect::BuildReport) {
    let place = Place::in_memory();
    for code in ["B", "C"] {
        place.add(code, &table(code, &[1, 2], Odd::Nothing, None));
    }
    for (code, odd, fault) in odd {
        write_bad(&place.source().join(format!("{code}.parquet")), code, *odd, *fault);
    }
    let report = Build::new(place.source(), place.store()).workers(1).allow(Guard::ALL).run().unwrap();
    (place, report)
}

fn columns(place: &Place) -> Vec<String> {
    let store = Store::open(place.store()).unwrap();
    store.schema().unwrap().columns.iter().map(|column| format!("{}: {}", column.name, column.data_type)).collect()
}

fn skipped(skipped: &[transect::skipped::Skipped]) -> Vec<String> {
    skipped.iter().map(|skipped| format!("{}: {:?}", skipped.path, skipped.reason.kind())).collect()
}

#[test]
fn a_build_takes_over_nothing_from_a_file_that_it_skips() {
    let odd = [("A", Odd::Column, Fault::Page), ("D", Odd::Doubles, Fault::NoDate), ("E", Odd::Dashes, Fault::Twice)];
    let (place, report) = built(&odd);
    assert_eq!(columns(&place), ["x: Int32", "t: Utf8"]);
    assert_eq!((report.columns, report.date_form.as_str()), (4, "Utf8 YYYYMMDD"));
    assert_eq!(report.notes, Vec::<String>::new());
    let kinds = ["A.parquet: Damaged", "D.parquet: BadDate", "E.parquet: DifferingRows"];
    assert_eq!(skipped(&report.skipped), kinds);
    let store = Store::open(place.store()).unwrap();
    let files = store.files().unwrap();
    let known = |path: &str| files.iter().find(|file| file.path == path).unwrap().bytes;
    let len = |path: &str| fs::metadata(place.source().join(path)).unwrap().len();
    assert_eq!(known("A.parquet"), len("A.parquet"), "it is known which bytes could not be read");
}

#[test]
fn an_update_leaves_types_outputs_and_appends_alone_where_the_only_new_file_is_skipped() {
    let (place, _) = built(&[]);
    let out = place.path("out");
    let transpose = || {
        let store = Store::open(place.store()).unwrap();
        let report = Transpose::new(&store, &out).workers(1).run().unwrap();
        (report.written, report.unchanged_files)
    };
    assert_eq!(transpose(), (2, 0));
    write_bad(&place.source().join("A.parquet"), "A", Odd::Doubles, Fault::Page);
    write_bad(&place.source().join("D.parquet"), "D", Odd::Column, Fault::Code);
    let update = |dry_run| Update::new(place.store()).workers(1).allow(Guard::ALL).dry_run(dry_run).run().unwrap();
    for dry_run in [true, false] {
        let report = update(dry_run);
        assert_eq!((report.widened_columns.len(), report.new_columns.len(), report.dirty_dates), (0, 0, 0));
        assert_eq!(skipped(&report.skipped), ["A.parquet: Damaged", "D.parquet: OtherCode"]);
    }
    assert_eq!(columns(&place), ["x: Int32", "t: Utf8"]);
    assert_eq!(transpose(), (0, 2));
    let given = batch(&[
        ("ts_code", Arc::new(StringArray::from(vec!["B"]))),
        ("trade_date", Arc::new(StringArray::from(vec!["20240104"]))),
        ("x", Arc::new(Int32Array::from(vec![7]))),
        ("t", Arc::new(StringArray::from(vec!["given"]))),
    ]);
    write_parquet(&place.path("20240104.parquet"), &given);
    let report = Append::new(place.store(), [place.path("20240104.parquet")]).workers(1).run().unwrap();
    assert_eq!((report.added, skipped(&report.skipped)), (1, Vec::new()));
    let store = Store::open(place.store()).unwrap();
    let report = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
    assert_eq!((report.difference_count, report.skipped.len() + report.skipped_before.len()), (0, 2));
}

#[test]
fn a_file_that_was_good_keeps_its_rows_and_says_no_more() {
    let (place, _) = built(&[]);
    write_bad(&place.source().join("C.parquet"), "C", Odd::Doubles, Fault::DatePage);
    place.add("D", &table("D", &[3], Odd::Behind, None));
    let report = Update::new(place.store()).workers(1).allow(Guard::ALL).run().unwrap();
    assert_eq!((report.added, report.restated, report.removed), (1, 0, 0));
    assert_eq!(columns(&place), ["x: Int32", "t: Utf8", "behind: Float64"]);
    let store = Store::open(place.store()).unwrap();
    assert_eq!(store.series("C").unwrap().num_rows(), 2);
}

#[test]
fn files_that_only_unusable_ones_contradict_come_in() {
    // Three files of text outvote two of integers, and are all torn.
    let odd = ["A", "D", "E"].map(|code| (code, Odd::Text, Fault::Page));
    let (place, report) = built(&odd);
    assert_eq!(columns(&place), ["x: Int32", "t: Utf8"]);
    assert_eq!((report.rows, report.stocks), (4, 2));
    assert_eq!(skipped(&report.skipped), ["A.parquet: Damaged", "D.parquet: Damaged", "E.parquet: Damaged"]);
}

#[test]
fn values_that_were_inexact_only_in_the_type_of_an_unusable_file_are_read() {
    let place = Place::in_memory();
    // Its statistics say that doubles hold its values, and they do not.
    let value = (1_i64 << 53) + 1;
    place.add(
        "B",
        &batch(&[
            ("trade_date", Arc::new(StringArray::from(vec!["20240102"]))),
            ("x", Arc::new(Int64Array::from(vec![value]))),
        ]),
    );
    let path = place.source().join("B.parquet");
    let mut bytes = fs::read(&path).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&fs::File::open(&path).unwrap()).unwrap();
    let footer = metadata.row_group(0).column(1).byte_range();
    let end = (footer.0 + footer.1) as usize;
    let mut at = end;
    while let Some(found) = bytes[at..].windows(8).position(|eight| eight == value.to_le_bytes()) {
        at += found;
        bytes[at..at + 8].copy_from_slice(&5_i64.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    write_bad(&place.source().join("A.parquet"), "A", Odd::Doubles, Fault::Page);
    let report = Build::new(place.source(), place.store()).workers(1).allow(Guard::ALL).run().unwrap();
    assert_eq!(skipped(&report.skipped), ["A.parquet: Damaged"]);
    assert_eq!(columns(&place), ["x: Int64"]);
}

/// So many files of which each contradicts all that come after it, in a column that no other file has. All but the last
/// are torn.
fn hidden(count: usize) -> Place {
    let place = Place::in_memory();
    for number in 0..count {
        let mut columns: Vec<(String, ArrayRef)> =
            vec![("trade_date".to_owned(), Arc::new(StringArray::from(vec!["20240102"])))];
        for other in (0..count).filter(|other| *other != number) {
            let name = format!("c{}_{}", number.min(other), number.max(other));
            let column: ArrayRef = match number < other {
                true => Arc::new(StringArray::from(vec!["a"])),
                false => Arc::new(Int32Array::from(vec![1])),
            };
            columns.push((name, column));
        }
        let columns: Vec<(&str, ArrayRef)> =
            columns.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
        let path = place.source().join(format!("S{number:02}.parquet"));
        write_parquet(&path, &batch(&columns));
        if number + 1 < count {
            tear(&path, columns.len() - 1);
        }
    }
    place
}

#[test]
fn a_file_that_several_unusable_ones_hide_comes_in() {
    let place = hidden(6);
    let report = Build::new(place.source(), place.store()).workers(1).allow(Guard::ALL).run().unwrap();
    assert_eq!((report.rows, report.columns, report.skipped.len()), (1, 7, 5));
    assert_eq!(columns(&place), (0..5).map(|other| format!("c{other}_5: Int32")).collect::<Vec<_>>());
}

#[test]
fn a_folder_of_files_that_hide_each_other_is_not_read_for_each_of_them() {
    let place = hidden(10);
    place.add("Z", &table("Z", &[1, 2], Odd::Nothing, None));
    let rounds = Rounds(AtomicUsize::new(0));
    let build = Build::new(place.source(), place.store()).workers(1).observer(&rounds);
    let report = build.allow(Guard::ALL).run().unwrap();
    assert_eq!((report.rows, report.skipped.len()), (2, 10));
    assert_eq!(columns(&place), ["x: Int32", "t: Utf8"]);
    assert_eq!(rounds.0.into_inner(), 10);
}

/// Counts how often files are read.
struct Rounds(AtomicUsize);

impl Observer for Rounds {
    fn begin(&self, stage: &'static str, _: &'static str, _: u64) {
        if stage == "read" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_source_joins_although_an_unusable_file_has_a_column_of_the_store() {
    let (place, _) = built(&[]);
    let more = place.path("more");
    fs::create_dir(&more).unwrap();
    let good = batch(&[
        ("trade_date", Arc::new(StringArray::from(vec!["20240102"]))),
        ("flow", Arc::new(Float64Array::from(vec![0.5]))),
    ]);
    write_parquet(&more.join("C.parquet"), &good);
    write_bad(&more.join("B.parquet"), "B", Odd::Nothing, Fault::Page);
    let add = || AddSource::new(place.store(), [&more]).workers(1).allow(Guard::ALL).run();
    let report = add().unwrap();
    assert_eq!(
        (report.new_columns.as_slice(), skipped(&report.skipped)),
        (&["flow".to_owned()][..], vec!["B.parquet: Damaged".to_owned()])
    );
    // So does a night on which such a file comes.
    write_bad(&more.join("D.parquet"), "D", Odd::Nothing, Fault::Twice);
    let report = Update::new(place.store()).workers(1).allow(Guard::ALL).run().unwrap();
    assert_eq!(skipped(&report.skipped), ["B.parquet: Damaged", "D.parquet: DifferingRows"]);
    assert_eq!(columns(&place), ["x: Int32", "t: Utf8", "flow: Float64"]);
    // One that can be read is refused.
    write_parquet(&more.join("D.parquet"), &table("D", &[1], Odd::Nothing, None));
    let error = Update::new(place.store()).workers(1).allow(Guard::ALL).run().map(drop).unwrap_err().to_string();
    assert!(error.contains("x and t of the source \"more\" are columns of the store already"), "{error}");
}

#[test]
fn where_no_file_can_be_used_the_files_are_named_and_not_the_key() {
    let place = Place::in_memory();
    write_bad(&place.source().join("A.parquet"), "A", Odd::Nothing, Fault::Page);
    let options = SourceOptions { key: vec!["t".to_owned()], ..SourceOptions::default() };
    let error = Build::new(place.source(), place.store()).options(options).workers(1).run().map(drop).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no row in") && text.contains("A.parquet: is damaged: its column \"t\""), "{text}");
}
