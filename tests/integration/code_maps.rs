//! Codes of files stand for other codes, always or on some dates, and the map changes from night to night. Random files and
//! maps, by stock and by date, beside a model that gives each row its code anew.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use transect::progress::Silent;
use transect::source::{CodeMap, Duplicates, SourceOptions};
use transect::{Append, Assignment, Build, Date, Error, Guard, Store, Update, UpdateReport, verify_source};

use super::panels::{Place, batch, cases, verify, workers, write_parquet};

const RAW: [&str; 3] = ["A", "B", "C"];
const CODES: [&str; 4] = ["A", "B", "X", "Y"];
const DAYS: i32 = 5;

/// By place of the raw code, and day.
type Rows = BTreeMap<(usize, i32), i64>;
/// For each raw code what it stands for up to a day, and after it; always, without a day.
type Map = [Option<(usize, Option<i32>, Option<usize>)>; 3];
/// By code and day.
type Panel = BTreeMap<(String, i32), i64>;

fn date(day: i32) -> Date {
    Date::from_days(19_700 + day).unwrap()
}

fn code(map: &Map, raw: usize, day: i32) -> &'static str {
    match map[raw] {
        Some((to, None, _)) => CODES[to],
        Some((to, Some(last), _)) if day <= last => CODES[to],
        Some((_, Some(_), Some(to))) => CODES[to],
        _ => RAW[raw],
    }
}

fn write_map(place: &Place, map: &Map) -> String {
    let mut lines = "from,to,valid_from,until\nnone,none,,\n".to_owned();
    for (raw, entry) in RAW.iter().zip(map) {
        let Some((to, last, then)) = entry else { continue };
        let until = last.map_or_else(String::new, |day| date(day).to_string());
        lines += &format!("{raw},{},,{until}\n", CODES[*to]);
        if let (Some(last), Some(then)) = (last, then) {
            lines += &format!("{raw},{},{},\n", CODES[*then], date(last + 1));
        }
    }
    let path = place.path("map.csv");
    fs::write(&path, lines).unwrap();
    path.to_str().unwrap().to_owned()
}

fn columns(rows: &[(&str, i32, i64)]) -> RecordBatch {
    let text = |texts: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    batch(&[
        ("trade_date", text(rows.iter().map(|(_, day, _)| date(*day).to_string()).collect())),
        ("code", text(rows.iter().map(|(code, ..)| (*code).to_owned()).collect())),
        ("x", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(.., x)| *x)))),
    ])
}

/// Writes the file of a stock, or of a day.
fn write(place: &Place, by_date: bool, (raw, day): (usize, i32), rows: &Rows) {
    let is_own = |of: &(usize, i32)| if by_date { of.1 == day } else { of.0 == raw };
    let own = rows.iter().filter(|(of, _)| is_own(of)).map(|((raw, day), x)| (RAW[*raw], *day, *x));
    let name = if by_date { date(day).to_string() } else { RAW[raw].to_owned() };
    let path = place.source().join(format!("{name}.parquet"));
    write_parquet(&path, &columns(&own.collect::<Vec<_>>()));
}

fn expected(rows: &Rows, map: &Map) -> Panel {
    // Of rows that two codes have the last one stays.
    rows.iter().map(|((raw, day), x)| ((code(map, *raw, *day).to_owned(), *day), *x)).collect()
}

fn held(store: &Store) -> Panel {
    let mut panel = Panel::new();
    for &on in store.dates().unwrap() {
        let section = store.section(on).unwrap().batch().unwrap();
        let codes = arrow_cast::cast(section.column(0), &arrow_schema::DataType::Utf8).unwrap();
        let x = section.column_by_name("x").unwrap().as_primitive::<Int64Type>();
        for (code, x) in codes.as_string::<i32>().iter().zip(x.values()) {
            let key = (code.unwrap().to_owned(), on.days() - 19_700);
            assert_eq!(panel.insert(key, *x), None);
        }
    }
    panel
}

fn options(by_date: bool) -> SourceOptions {
    let options = if by_date { SourceOptions::by_date() } else { SourceOptions::default() };
    SourceOptions { duplicates: Duplicates::Last, code_column: Some("code".to_owned()), ..options }
}

fn map() -> impl Strategy<Value = Map> {
    let entry = (0..CODES.len(), prop::option::of(0..DAYS - 1), prop::option::of(0..CODES.len()));
    prop::array::uniform3(prop::option::of(entry))
}

type Changes = Vec<(usize, i32, Option<i64>)>;

fn night() -> impl Strategy<Value = (Changes, Option<Map>)> {
    let row = (0..RAW.len(), 0..DAYS, prop::option::weighted(0.8, 10..99_i64));
    (prop::collection::vec(row, 0..5), prop::option::of(map()))
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn rows_have_the_codes_that_the_map_gives_them_each_night(
        by_date in any::<bool>(),
        is_mapped_first in any::<bool>(),
        first in map(),
        nights in prop::collection::vec(night(), 1..5),
    ) {
        let place = Place::in_memory();
        let mut rows: Rows = [((0, 0), 1), ((0, 1), 2), ((1, 1), 3), ((1, 3), 4), ((2, 2), 5)].into_iter().collect();
        for raw in 0..RAW.len() {
            for day in 0..DAYS {
                write(&place, by_date, (raw, day), &rows);
            }
        }
        let mut map = first;
        let path = write_map(&place, &map);
        let code_map = is_mapped_first.then(|| CodeMap::at(&path));
        let options = SourceOptions { code_map, ..options(by_date) };
        Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap();
        let mut is_mapped = is_mapped_first;
        for (n, (changes, other)) in std::iter::once((Vec::new(), None)).chain(nights).enumerate() {
            for (raw, day, x) in changes {
                match x.or(((raw, day) == (0, 0)).then_some(1)) {
                    Some(x) => _ = rows.insert((raw, day), x),
                    None => _ = rows.remove(&(raw, day)),
                }
                write(&place, by_date, (raw, day), &rows);
            }
            if let Some(other) = other {
                map = other;
                write_map(&place, &map);
            }
            let update = || Update::new(place.store()).allow(Guard::ALL).workers(1);
            match is_mapped {
                true => _ = update().run().unwrap(),
                false if n > 0 => {
                    let set: Assignment = format!("code-map={path}").parse().unwrap();
                    update().set("source", set).run().unwrap();
                    is_mapped = true;
                }
                false => {}
            }
            let store = Store::open(place.store()).unwrap();
            let mapped = expected(&rows, if is_mapped { &map } else { &[None; 3] });
            prop_assert_eq!(held(&store), mapped, "night {}", n);
            prop_assert_eq!(verify(&store).damages, Vec::<String>::new());
            let checked = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
            prop_assert_eq!(checked.difference_count, 0, "night {}: {:?}", n, checked);
            let again = update().run().unwrap();
            prop_assert!(!again.published, "night {}: {:?}", n, again);
        }
    }
}

struct World {
    place: Place,
    map: String,
}

impl World {
    /// A store of these files, by the map of this text.
    fn new(files: &[(&str, &[(i32, i64)])], text: &str) -> World {
        let place = Place::new();
        files.iter().for_each(|(raw, rows)| add(&place, raw, rows));
        let map = place.path("map.csv");
        fs::write(&map, text).unwrap();
        World { map: map.to_str().unwrap().to_owned(), place }
    }

    fn options(&self) -> SourceOptions {
        SourceOptions { code_map: Some(CodeMap::at(&self.map)), ..SourceOptions::default() }
    }

    fn build(&self) -> Result<transect::BuildReport, Error> {
        Build::new(self.place.source(), self.place.store()).options(self.options()).workers(1).run()
    }

    fn update(&self) -> UpdateReport {
        Update::new(self.place.store()).allow(Guard::ALL).workers(1).run().unwrap()
    }

    fn rows(&self) -> Vec<(String, i32, i64)> {
        let held = held(&Store::open(self.place.store()).unwrap());
        held.into_iter().map(|((code, day), x)| (code, day, x)).collect()
    }
}

fn add(place: &Place, raw: &str, rows: &[(i32, i64)]) {
    let dates: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|(day, _)| date(*day).to_string())));
    let x: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, x)| *x)));
    place.add(raw, &batch(&[("trade_date", dates), ("x", x)]));
}

fn row(code: &str, day: i32, x: i64) -> (String, i32, i64) {
    (code.to_owned(), day, x)
}

#[test]
fn files_of_two_codes_are_one_stock_and_overlaps_follow_duplicates() {
    let world = World::new(&[("FB", &[(0, 1), (1, 2)]), ("META", &[(2, 3)]), ("X", &[(0, 9)])], "from,to\nFB,META\n");
    let report = world.build().unwrap();
    assert_eq!((report.stocks, report.files, report.skipped.len()), (2, 3, 0));
    let all = [row("META", 0, 1), row("META", 1, 2), row("META", 2, 3), row("X", 0, 9)];
    assert_eq!(world.rows(), all);
    // The same row in both is one; another is refused, and the stock stays as it was.
    add(&world.place, "META", &[(1, 2), (2, 4)]);
    assert_eq!((world.update().restated, world.rows()[2].2), (1, 4));
    add(&world.place, "META", &[(1, 8), (2, 5)]);
    let report = world.update();
    let reason = report.skipped.iter().find(|skipped| skipped.path == "META.parquet").unwrap().reason.to_string();
    assert!(
        reason.starts_with("has differing rows for 20231210: \"x\" is 2 in row 2 of FB.parquet and 8 in row 1; "),
        "{reason}"
    );
    assert_eq!((report.skipped.len(), world.rows()[2].2), (2, 4));
    let set = Update::new(world.place.store()).set("source", "duplicates=last".parse().unwrap());
    set.workers(1).run().unwrap();
    assert_eq!(world.rows()[1..3], [row("META", 1, 8), row("META", 2, 5)]);
}

#[test]
fn a_changed_map_reads_what_it_touches_and_nothing_else() {
    let files: [(&str, &[(i32, i64)]); 3] = [("A", &[(0, 1)]), ("B", &[(0, 2)]), ("C", &[(0, 3)])];
    let world = World::new(&files, "from,to\nA,X\n");
    world.build().unwrap();
    fs::write(&world.map, "from,to\nA,X\nB,Y\n").unwrap();
    let report = world.update();
    assert_eq!((report.read_files, report.unchanged_files, report.added, report.removed), (1, 2, 1, 1), "{report:?}");
    assert_eq!(world.rows(), [row("C", 0, 3), row("X", 0, 1), row("Y", 0, 2)]);
    // Two codes change places.
    fs::write(&world.map, "from,to\nA,B\nB,A\n").unwrap();
    assert_eq!(world.update().read_files, 2);
    assert_eq!(world.rows(), [row("A", 0, 2), row("B", 0, 1), row("C", 0, 3)]);
    let set = Update::new(world.place.store()).set("source", "code-map=".parse().unwrap()).allow(Guard::ALL);
    assert_eq!(set.workers(1).run().unwrap().read_files, 2);
    assert_eq!(world.rows(), [row("A", 0, 1), row("B", 0, 2), row("C", 0, 3)]);
}

#[test]
fn a_code_that_was_used_again_is_two_stocks() {
    let world = World::new(&[("GM", &[(0, 1), (1, 2), (2, 3)])], "from,to,until\nGM,MTLQQ,20231210\n");
    let report = world.build().unwrap();
    assert_eq!((report.stocks, report.files, report.rows), (2, 1, 3));
    assert_eq!(world.rows(), [row("GM", 2, 3), row("MTLQQ", 0, 1), row("MTLQQ", 1, 2)]);
    // A row that the file loses goes from the one, and what it gains comes to the other.
    add(&world.place, "GM", &[(0, 1), (2, 3), (3, 4)]);
    let report = world.update();
    assert_eq!((report.added, report.removed, report.read_files), (1, 1, 1));
    fs::remove_file(world.place.source().join("GM.parquet")).unwrap();
    add(&world.place, "Z", &[(0, 7)]);
    world.update();
    assert_eq!(world.rows().len(), 4);
    Update::new(world.place.store()).prune(true).allow(Guard::ALL).workers(1).run().unwrap();
    assert_eq!(world.rows(), [row("Z", 0, 7)]);
}

#[test]
fn a_map_that_cannot_be_followed_waits_and_no_row_is_of_two_stocks() {
    let world = World::new(&[("A", &[(0, 1)]), ("B", &[(1, 2)])], "from,to\nA,X\nB,X\n");
    world.build().unwrap();
    let before = world.rows();
    fs::write(world.place.source().join("B.parquet"), "PAR1 is not enough").unwrap();
    fs::write(&world.map, "from,to\nA,Y\nB,X\n").unwrap();
    let report = world.update();
    assert_eq!(world.rows(), before);
    let told = "another code map cannot be followed while B.parquet cannot be used: some of its rows would be of two \
                stocks";
    assert!(report.notes.iter().any(|note| note == told), "{:?}", report.notes);
    let set: Assignment = format!("code-map={}", world.map).parse().unwrap();
    let why = Update::new(world.place.store()).set("source", set).run().unwrap_err().to_string();
    assert!(why.starts_with(told), "{why}");
    add(&world.place, "B", &[(1, 2)]);
    world.update();
    assert_eq!(world.rows(), [row("X", 1, 2), row("Y", 0, 1)]);
    // A file that is gone keeps its rows, and with them the map.
    fs::remove_file(world.place.source().join("B.parquet")).unwrap();
    fs::write(&world.map, "from,to\nA,Y\nB,Y\n").unwrap();
    world.update();
    assert_eq!(world.rows(), [row("X", 1, 2), row("Y", 0, 1)]);
    Update::new(world.place.store()).prune(true).allow(Guard::ALL).workers(1).run().unwrap();
    assert_eq!(world.rows(), [row("Y", 0, 1)]);
}

#[test]
fn what_is_no_code_map_is_told_and_nothing_is_lost() {
    let world = World::new(&[("A", &[(0, 1)])], "from,to\nA,X\n");
    let told = |text: &[u8]| {
        fs::write(&world.map, text).unwrap();
        let why = world.build().unwrap_err().to_string();
        let start = format!("code map {}: ", world.map);
        let way_out =
            "; give a csv or Parquet file with codes of the files in a column from, and those of the panel in to";
        why.strip_prefix(&start).and_then(|why| why.strip_suffix(way_out)).unwrap_or_else(|| panic!("{why}")).to_owned()
    };
    assert_eq!(told(b""), "has zero bytes");
    assert_eq!(told(b"from,to\n"), "has no entry");
    assert_eq!(told(b"old,new\nA,X\n"), "has no columns from and to; its columns are old and new");
    let texts = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let mut parquet = world.place.path("other");
    parquet.set_extension("parquet");
    write_parquet(&parquet, &batch(&[("date", texts("20240102")), ("zz", texts("A"))]));
    let other = told(&fs::read(&parquet).unwrap());
    assert_eq!(other, "has no columns from and to; its columns are date and zz");
    assert_eq!(told(b"from,to\nA,X\nB\n").split(':').next(), Some("is no csv file"));
    assert_eq!(told(b"from,to\nA,\n"), "row 1 has no \"to\"");
    assert_eq!(told(b"from,to\nA,X\nA,Y\n"), "A stands for both X and Y on some date");
    let dated = |rows: &str| told(format!("from,to,valid_from,until\n{rows}").as_bytes());
    assert_eq!(dated("A,X,,20240102\nA,Y,2024-01-02,\n"), "A stands for both X and Y on some date");
    assert_eq!(
        dated("A,X,20240103,20240102\n"),
        "row 1: A has its last date, 20240102, before its first one, 20240103"
    );
    assert_eq!(dated("A,X,,soon\n"), "row 1 of \"until\": \"soon\" is no date");
    assert!(told(b"PAR1").contains("truncated"), "{}", told(b"PAR1"));
    fs::write(&world.map, "From,To,Valid From,Until\nA,X,,20240102\nA,X,20240101,\nB,Y,,\n").unwrap();
    world.build().unwrap();
    assert_eq!(world.rows(), [row("X", 0, 1)]);
    // An update without it changes nothing.
    fs::remove_file(&world.map).unwrap();
    let gone = Update::new(world.place.store()).run().unwrap_err();
    assert!(matches!(gone, Error::Invalid { .. }) && gone.to_string().contains("No such file"), "{gone}");
    assert_eq!(world.rows(), [row("X", 0, 1)]);
}

#[test]
fn a_map_that_names_no_code_of_a_file_is_told() {
    let world = World::new(&[("A", &[(0, 1)])], "from,to\na,X\n");
    let told = format!("no file has a code that the code map {} names", world.map);
    assert_eq!(world.build().unwrap().notes, [told]);
}

#[test]
fn appended_rows_have_the_codes_of_the_store() {
    let world = World::new(&[("A", &[(0, 1)]), ("B", &[(0, 2)]), ("C", &[(0, 3)])], "from,to\nA,B\nB,A\nC,X\n");
    world.build().unwrap();
    let append = |codes: &[&str]| {
        let text = |texts: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let path = world.place.path("20231210.parquet");
        let rows = batch(&[
            ("ts_code", text(codes.iter().map(|code| (*code).to_owned()).collect())),
            ("trade_date", text(vec![date(1).to_string(); codes.len()])),
            ("x", Arc::new(Int64Array::from(vec![7; codes.len()]))),
        ]);
        write_parquet(&path, &rows);
        Append::new(world.place.store(), [path]).workers(1).run().unwrap()
    };
    let reason = append(&["B", "C"]).skipped[0].reason.to_string();
    assert_eq!(
        reason,
        "row 2 has the code \"C\", which is \"X\" in the store; write the file with the codes that the store has"
    );
    assert_eq!(append(&["A", "B", "X"]).added, 3);
}

#[test]
fn appended_rows_stay_where_their_files_give_other_codes() {
    let world = World::new(&[("X", &[(0, 1), (1, 2)])], "from,to\nX,A\n");
    world.build().unwrap();
    let append = |code: &str, day: i32| {
        let path = world.place.path("day.parquet");
        let text = |text: String| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let day = ("trade_date", text(date(day).to_string()));
        let rows = batch(&[("ts_code", text(code.to_owned())), day, ("x", Arc::new(Int64Array::from(vec![7])))]);
        write_parquet(&path, &rows);
        assert_eq!(Append::new(world.place.store(), [path]).workers(1).run().unwrap().added, 1);
    };
    append("A", 2);
    fs::write(&world.map, "from,to\nX,B\n").unwrap();
    let update = Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!((update.added, update.removed, update.kept, update.guards.len()), (2, 2, 1, 0), "{update:?}");
    assert_eq!(world.rows(), [row("A", 2, 7), row("B", 0, 1), row("B", 1, 2)]);
    // Likewise of what a path says.
    append("B", 3);
    let set = Update::new(world.place.store()).set("source", "code-template={code}.SZ".parse().unwrap());
    let update = set.allow([Guard::FewCodes]).workers(1).run().unwrap();
    assert_eq!((update.added, update.removed, update.kept), (2, 2, 1), "{update:?}");
    assert_eq!(world.rows(), [row("A", 2, 7), row("B", 3, 7), row("X.SZ", 0, 1), row("X.SZ", 1, 2)]);
}

#[test]
fn a_huge_map_is_refused_within_the_memory() {
    let world = World::new(&[("A", &[(0, 1)])], "from,to\nA,X\n");
    let line = "000001.XSHE,000001.SZ\n";
    fs::write(&world.map, format!("from,to\n{}", line.repeat(150_000))).unwrap();
    let why = || {
        let build = Build::new(world.place.source(), world.place.store()).options(world.options());
        build.memory(64 << 20).workers(1).run().unwrap_err().to_string()
    };
    assert!(why().contains("more than a quarter of the memory"), "{}", why());
    // A few bytes that would be 50 MB.
    let code = "A".repeat(1000);
    let codes: DictionaryArray<Int32Type> = std::iter::repeat_n(code.as_str(), 50_000).collect();
    let codes: ArrayRef = Arc::new(codes);
    write_parquet(world.map.as_ref(), &batch(&[("from", Arc::clone(&codes)), ("to", codes)]));
    assert!(why().contains("decoded, it would take 97 MiB, more than a quarter of the memory"), "{}", why());
}

#[test]
fn a_map_in_parquet_and_a_column_that_has_the_codes_of_files_or_of_the_panel() {
    let place = Place::new();
    let text = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    for (raw, own) in [("SH600000", "SH600000"), ("SZ000001", "000001.SZ")] {
        let x: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        place.add(raw, &batch(&[("trade_date", text(&["20240102"])), ("symbol", text(&[own])), ("x", x)]));
    }
    let map = place.path("map.parquet");
    let entries = batch(&[("to", text(&["600000.SH", "000001.SZ"])), ("from", text(&["SH600000", "SZ000001"]))]);
    write_parquet(&map, &entries);
    let code_map = Some(CodeMap::at(map.to_str().unwrap()));
    let options = SourceOptions { code_map, ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_eq!(store.schema().unwrap().code.name, "symbol");
    assert_eq!(store.schema().unwrap().columns.len(), 1);
    assert_eq!(store.stocks().unwrap(), ["000001.SZ", "600000.SH"]);
}
