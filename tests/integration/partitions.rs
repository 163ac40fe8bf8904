//! Files of a month, a year, everything or a stock hold rows that lie far apart in the store. What must never happen is
//! that one is lost, doubled or moved on the way, that a file depends on how much memory or how many workers there were,
//! that two files get one name, or that a file that is out of date counts as current.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_ipc::reader::FileReader;
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use transect::progress::Silent;
use transect::sink::{Format, Partition};
use transect::source::SourceOptions;
use transect::storage::Disk;
use transect::store::Request;
use transect::{
    Append, Build, Error, Guard, Selection, Shape, Store, Transpose, TransposeReport, Update, Write, verify_output,
};

use super::panels::{
    Cell, Place, SMALL_DATES, assert_clean, assert_no_leftovers, batch, cell, contents, counts, date, entries,
    paths_in, read_parquet, sections, small_panel, small_store, workers, write_parquet,
};

fn by(by: Partition) -> Shape {
    Shape { by, ..Shape::default() }
}

fn named(by: Partition, pattern: &str) -> Shape {
    Shape { by, name: Some(pattern.parse().unwrap()), ..Shape::default() }
}

fn run(store: &Store, out: &Path, shape: Shape) -> TransposeReport {
    Transpose::new(store, out).shape(shape).workers(1).run().unwrap()
}

/// The files of an output, without its ledger.
fn files(out: &Path) -> Vec<String> {
    let is_ours = |path: &String| !path.contains(".transect") && out.join(path).is_file();
    entries(out).into_iter().filter(is_ours).collect()
}

/// All files of an output by their paths, as bytes.
fn bytes(out: &Path) -> BTreeMap<String, Vec<u8>> {
    files(out).into_iter().map(|path| (path.clone(), fs::read(out.join(path)).unwrap())).collect()
}

fn joined(store: &Store, dates: &[i64]) -> RecordBatch {
    let batches: Vec<RecordBatch> =
        dates.iter().map(|&day| store.section(date(day)).unwrap().batch().unwrap()).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_period_has_the_rows_of_its_dates_by_date_and_code() {
    let (place, store) = small_store();
    for (partition, expected) in [
        (Partition::Month, vec![("202312.parquet", &SMALL_DATES[..1]), ("202401.parquet", &SMALL_DATES[1..])]),
        (Partition::Year, vec![("2023.parquet", &SMALL_DATES[..1]), ("2024.parquet", &SMALL_DATES[1..])]),
        (Partition::All, vec![("all.parquet", &SMALL_DATES[..])]),
    ] {
        let out = place.path(&partition.to_string());
        let report = run(&store, &out, by(partition));
        assert_eq!(counts(&report), (expected.len() as u64, 0, 0));
        assert_eq!(report.rows, store.row_count());
        assert_eq!(files(&out), expected.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        for (name, dates) in expected {
            assert_eq!(contents(&read_parquet(&out.join(name))), contents(&joined(&store, dates)), "{name}");
        }
        assert_clean(&store, &out);
        assert_eq!(counts(&run(&store, &out, by(partition))).0, 0);
    }
}

#[test]
fn a_stock_has_its_rows_by_date_and_all_of_them_make_the_same_store_again() {
    let (place, store) = small_store();
    let out = place.path("by_stock");
    assert_eq!(counts(&run(&store, &out, by(Partition::Stock))), (4, 0, 0));
    for code in store.stocks().unwrap() {
        let found = read_parquet(&out.join(format!("{code}.parquet")));
        assert_eq!(contents(&found), contents(&store.series(code).unwrap()), "{code}");
    }
    assert_clean(&store, &out);
    assert_eq!(counts(&run(&store, &out, by(Partition::Stock))), (0, 4, 0));

    Build::new(&out, place.path("again.store")).workers(1).run().unwrap();
    let again = Store::open(place.path("again.store")).unwrap();
    assert_eq!(sections(&again), sections(&store));
}

/// Minute bars of a few stocks, with nulls and texts, whose rows are many for the memory.
fn bars(place: &Place) -> Store {
    let rows_of =
        |day: i64, stock: usize| if (day + stock as i64) % 4 == 0 { 0 } else { 1 + (day as usize + stock) % 5 };
    for (stock, code) in ["A", "B/C", "_D", "%41", "."].into_iter().enumerate() {
        let mut days = Vec::new();
        let mut times = Vec::new();
        for day in 0..60 {
            for time in 0..rows_of(day, stock) {
                days.push(format!("2024{:02}{:02}", 1 + day / 28, 1 + day % 28));
                times.push(format!("{:02}:00", 9 + time));
            }
        }
        let value = |row: usize| (row % 7 != 3).then_some(row as f64 * 0.1 - stock as f64);
        let values: Float64Array = (0..days.len()).map(value).collect();
        let text = |row: usize| (row % 3 != 1).then(|| format!("t{}", row % 11));
        let texts: StringArray = (0..days.len()).map(text).collect();
        let flags: arrow_array::BooleanArray =
            (0..days.len()).map(|row| (row % 5 != 0).then_some(row % 2 == 0)).collect();
        let codes = StringArray::from(vec![code; days.len()]);
        let columns: [(&str, ArrayRef); 6] = [
            ("code", Arc::new(codes)),
            ("date", Arc::new(StringArray::from(days))),
            ("time", Arc::new(StringArray::from(times))),
            ("value", Arc::new(values)),
            ("text", Arc::new(texts)),
            ("flag", Arc::new(flags)),
        ];
        place.add(&format!("stock_{stock}"), &batch(&columns));
    }
    store_of_rows(place)
}

/// A store of all rows of the files of `place`, whatever their names.
fn store_of_rows(place: &Place) -> Store {
    let batches: Vec<RecordBatch> = paths_in(&place.source()).iter().map(|path| read_parquet(path)).collect();
    let schema = batches[0].schema();
    let reader = arrow_array::RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    let options = SourceOptions { key: vec!["time".to_owned()], ..SourceOptions::default() };
    Write::new(place.store(), reader).options(options).run().unwrap();
    Store::open(place.store()).unwrap()
}

#[test]
fn files_do_not_depend_on_memory_or_workers() {
    let place = Place::new();
    let store = bars(&place);
    for partition in [Partition::Stock, Partition::Month, Partition::All] {
        let mut first = None;
        for (workers, memory) in [(1, 512 << 20), (3, 512 << 20), (1, 1), (3, 4000), (2, 20_000)] {
            let out = place.path(&format!("{partition}-{workers}-{memory}"));
            let transpose = Transpose::new(&store, &out).shape(by(partition)).workers(workers).memory(memory);
            assert_eq!(transpose.run().unwrap().rows, store.row_count());
            assert_clean(&store, &out);
            let found = bytes(&out);
            assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{workers} workers, {memory} bytes");
        }
    }
}

#[test]
fn an_arrow_file_of_several_batches_has_one_dictionary_of_each_column() {
    let place = Place::new();
    let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    for code in ["A", "B"] {
        let dates: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..3000).map(|day| format!("{}{:02}{:02}", 2000 + day / 336, 1 + day / 28 % 12, 1 + day % 28)),
        ));
        let text = |day: usize| (day % 7 != 3).then(|| format!("{code} {} ", day / 300).repeat(1600));
        let texts: ArrayRef = Arc::new((0..3000).map(text).collect::<StringArray>());
        let columns = [("date", cast(&dates, &coded).unwrap()), ("text", cast(&texts, &coded).unwrap())];
        place.add(code, &RecordBatch::try_from_iter(columns).unwrap());
    }
    place.build();
    let store = Store::open(place.store()).unwrap();
    let expected = store.series("A").unwrap();
    assert_eq!(expected.column_by_name("text").unwrap().data_type(), &coded);
    for partition in [Partition::All, Partition::Stock] {
        let out = place.path(&partition.to_string());
        run(&store, &out, Shape { format: Format::Arrow, ..by(partition) });
        let name = if partition == Partition::All { "all.arrow" } else { "A.arrow" };
        let reader = FileReader::try_new(fs::File::open(out.join(name)).unwrap(), None).unwrap();
        assert!(reader.num_batches() > 1);
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let found = concat_batches(&batches[0].schema(), &batches).unwrap();
        match partition {
            Partition::Stock => assert_eq!(contents(&found), contents(&expected)),
            _ => assert_eq!(found.num_rows(), 6000),
        }
        assert_clean(&store, &out);
    }
}

#[test]
fn codes_that_a_name_cannot_hold_are_escaped_and_told_apart() {
    let place = Place::new();
    let store = bars(&place);
    let out = place.path("out");
    run(&store, &out, by(Partition::Stock));
    assert_eq!(files(&out), ["%2541.parquet", "%2E.parquet", "%5FD.parquet", "A.parquet", "B%2FC.parquet"]);
    for (code, file) in [("B/C", "B%2FC"), ("%41", "%2541"), (".", "%2E")] {
        let found = read_parquet(&out.join(format!("{file}.parquet")));
        assert_eq!(contents(&found), contents(&store.series(code).unwrap()));
    }
    let options = SourceOptions { key: vec!["time".to_owned()], ..SourceOptions::default() };
    Build::new(&out, place.path("again.store")).options(options).workers(1).run().unwrap();
    assert_eq!(sections(&Store::open(place.path("again.store")).unwrap()), sections(&store));
    // Files leave out what the path says, and most readers would make something else of such codes.
    let hive = Transpose::new(&store, place.path("hive")).shape(named(Partition::Stock, "code={code}/bars.parquet"));
    assert!(refusal(hive.run()).contains("would take the code \"%41\" for a number, a date or the like"));
    run(&store, &place.path("hive"), named(Partition::Stock, "stock={code}/bars.parquet"));
    let found = read_parquet(&place.path("hive/stock=B%2FC/bars.parquet"));
    assert_eq!(contents(&found), contents(&store.series("B/C").unwrap()));
}

#[test]
fn a_name_that_makes_two_files_one_is_refused() {
    let (place, store) = small_store();
    for (shape, why) in [
        (
            named(Partition::Date, "{date:%m}.parquet"),
            "01.parquet would be the file of \"20240102\" and of \"20240103\"; give files names that tell them apart",
        ),
        (
            named(Partition::Month, "{year}.parquet"),
            "name {year}.parquet makes one file of several months; write {date}, which tells each month",
        ),
        (
            named(Partition::Stock, "{date}.parquet"),
            "name {date}.parquet has {date}, which says nothing of a file of a stock; write {code}",
        ),
        (
            Shape { date: Some(false), ..by(Partition::Stock) },
            "no date leaves out what tells the rows of a stock apart",
        ),
    ] {
        assert_eq!(refusal(Transpose::new(&store, place.path("out")).shape(shape).run()), why);
        assert!(!place.path("out").exists());
    }
}

#[test]
fn of_files_of_several_dates_a_selection_chooses_rows() {
    let (place, store) = small_store();
    let out = place.path("out");
    let go =
        |selection: Selection| Transpose::new(&store, &out).shape(by(Partition::Stock)).selection(selection).workers(1);
    let last = |count| Selection { last: Some(count), ..Selection::default() };
    assert_eq!(counts(&go(last(1)).run().unwrap()), (3, 0, 0));
    assert_eq!(files(&out), ["000001.SZ.parquet", "600000.SH.parquet", "BRK.B.parquet"]);
    assert_eq!(read_parquet(&out.join("BRK.B.parquet")).num_rows(), 1);
    assert_clean(&store, &out);
    assert_eq!(counts(&go(last(1)).run().unwrap()), (0, 3, 0));

    let why = refusal(go(last(2)).run());
    assert!(why.contains("holds files of another shape (dates)"), "{why}");
    assert_eq!(counts(&go(last(2)).force(true).run().unwrap()), (4, 0, 0));
    assert_clean(&store, &out);

    let month = Transpose::new(&store, place.path("months")).shape(by(Partition::Month)).selection(last(1));
    assert_eq!(month.run().unwrap().rows, 3);
    assert_eq!(files(&place.path("months")), ["202401.parquet"]);
}

/// A date that is gone changes no section that stays.
#[test]
fn a_period_that_lost_a_date_is_written_again() {
    let (place, store) = small_store();
    let out = place.path("months");
    run(&store, &out, by(Partition::Month));
    for code in ["000001.SZ", "600000.SH", "BRK.B", "平安"] {
        let rows = store.series(code).unwrap();
        let keep: arrow_array::BooleanArray = rows
            .column(1)
            .as_any()
            .downcast_ref::<StringArray>()
            .unwrap()
            .iter()
            .map(|day| Some(day != Some("20240103")))
            .collect();
        place.add(code, &arrow_select::filter::filter_record_batch(&rows, &keep).unwrap());
    }
    Update::new(place.store()).allow(Guard::ALL).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_eq!(store.dates().unwrap().len(), 2);
    assert_eq!(counts(&run(&store, &out, by(Partition::Month))), (1, 1, 0));
    assert_eq!(read_parquet(&out.join("202401.parquet")).num_rows(), 3);
    assert_clean(&store, &out);
}

#[test]
fn foreign_files_stay_and_lost_ledgers_are_made_again_by_stock() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, by(Partition::Stock));
    fs::remove_file(out.join(".transect.parquet")).unwrap();
    fs::write(out.join("BRK.B.parquet"), "mine").unwrap();
    let go = || Transpose::new(&store, &out).shape(by(Partition::Stock)).force(true).workers(1);
    let why = refusal(go().run());
    assert!(why.contains("BRK.B.parquet was not written by transect and is in the way"), "{why}");
    fs::remove_file(out.join("BRK.B.parquet")).unwrap();
    let report = go().run().unwrap();
    assert_eq!((counts(&report), report.taken_over), ((1, 3, 0), 3));
    assert_clean(&store, &out);

    fs::write(out.join("notes.txt"), "mine").unwrap();
    let arrow = Shape { format: Format::Arrow, ..by(Partition::Stock) };
    assert_eq!(counts(&Transpose::new(&store, &out).shape(arrow).force(true).run().unwrap()), (4, 0, 4));
    assert_eq!(fs::read(out.join("notes.txt")).unwrap(), b"mine");
    assert_clean(&store, &out);
}

#[test]
fn a_changed_file_is_found_whatever_it_is_of() {
    let (place, store) = small_store();
    for partition in [Partition::Stock, Partition::Month] {
        let out = place.path(&partition.to_string());
        run(&store, &out, by(partition));
        let name = files(&out).remove(0);
        let whole = read_parquet(&out.join(&name));
        write_parquet(&out.join(&name), &whole.slice(0, whole.num_rows() - 1));
        let report = verify_output(&store, &out, &workers(1), &Silent).unwrap();
        let why = "it is not the file that was written";
        assert_eq!(report.differences, [format!("{}: {why}", out.join(&name).display())]);
        assert_eq!(report.not_as_written, 1);
        assert_eq!(counts(&run(&store, &out, by(partition))).0, 1);
        assert_clean(&store, &out);
    }
}

#[test]
fn stocks_that_come_and_go_have_files_that_come_and_go() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, by(Partition::Stock));
    let row = store.section(date(20240103)).unwrap().batch().unwrap().slice(0, 1);
    let code: ArrayRef = Arc::new(StringArray::from(vec!["NEW"]));
    let columns = [vec![code], row.columns()[1..].to_vec()].concat();
    fs::create_dir(place.path("days")).unwrap();
    let path = place.path("days/20240103.parquet");
    write_parquet(&path, &RecordBatch::try_new(row.schema(), columns).unwrap());
    Append::new(place.store(), [path]).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    // The others' rows of that date are as they were.
    assert_eq!(counts(&run(&store, &out, by(Partition::Stock))), (1, 4, 0));
    assert!(files(&out).contains(&"NEW.parquet".to_owned()));
    assert_clean(&store, &out);

    Build::new(place.source(), place.store()).force(true).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_eq!(counts(&run(&store, &out, by(Partition::Stock))).2, 1);
    assert!(!files(&out).contains(&"NEW.parquet".to_owned()));
    assert_clean(&store, &out);
    assert_eq!(store.answer(&Request::default()).unwrap().row_count().unwrap() as u64, store.row_count());
}

#[test]
fn of_stocks_only_those_are_written_again_that_changed() {
    let (place, store) = small_store();
    let (stocks, days, months) = (place.path("stocks"), place.path("days"), place.path("months"));
    let go = |store: &Store| {
        let of = |out: &Path, partition| counts(&run(store, out, by(partition)));
        [of(&stocks, Partition::Stock), of(&days, Partition::Date), of(&months, Partition::Month)]
    };
    assert_eq!(go(&store), [(4, 0, 0), (3, 0, 0), (2, 0, 0)]);
    let rows = store.series("BRK.B").unwrap();
    let sizes: ArrayRef = Arc::new(Float64Array::from(vec![Some(7.0), None]));
    let mut columns = rows.columns().to_vec();
    columns[2] = sizes;
    place.add("BRK.B", &RecordBatch::try_new(rows.schema(), columns).unwrap());
    Update::new(place.store()).allow(Guard::ALL).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_eq!(go(&store), [(1, 3, 0), (1, 2, 0), (1, 1, 0)]);
    assert_eq!(contents(&read_parquet(&stocks.join("BRK.B.parquet"))), contents(&store.series("BRK.B").unwrap()));
    for out in [&stocks, &days, &months] {
        assert_clean(&store, out);
    }
}

/// Each operation on the disk fails, and all that follow; the next run must find what is whole and make the rest.
#[test]
fn whenever_a_run_is_killed_the_next_completes_it() {
    let (place, store) = small_store();
    small_panel(&place, 1);
    Update::new(place.store()).allow(Guard::ALL).workers(1).run().unwrap();
    let later = Store::open(place.store()).unwrap();
    for partition in [Partition::Stock, Partition::Month, Partition::Matrix] {
        let columns = (partition == Partition::Matrix).then(|| vec!["size".to_owned(), "name".to_owned()]);
        let shape = || Shape { columns: columns.clone(), ..by(partition) };
        let go = |store: &Store, out: &Path, disk: Disk| {
            Transpose::new(store, out).shape(shape()).workers(1).disk(disk).run()
        };
        let dies_at = |at: usize| {
            let done = AtomicUsize::new(0);
            Disk::with_hook(move |_| match done.fetch_add(1, Ordering::SeqCst) {
                n if n >= at => Err(std::io::Error::from(std::io::ErrorKind::Other)),
                _ => Ok(()),
            })
        };
        let mut killed = 0;
        loop {
            let out = place.path(&format!("{partition}-{killed}"));
            go(&store, &out, Disk::default()).unwrap();
            let done = go(&later, &out, dies_at(killed)).is_ok();
            let before = bytes(&out);
            for path in before.keys() {
                // Whole, old or new.
                assert!(read_parquet(&out.join(path)).num_rows() > 0, "{path}");
            }
            go(&later, &out, Disk::default()).unwrap();
            assert_clean(&later, &out);
            fs::remove_dir_all(&out).unwrap();
            if done {
                break;
            }
            killed += 1;
        }
        assert!(killed > 5, "{partition}");
    }
}

#[test]
fn a_matrix_has_a_row_a_date_and_a_column_a_stock() {
    let (place, store) = small_store();
    let out = place.path("wide");
    let names = ["size", "volume", "name", "halted", "price", "raw", "ind_bank"];
    let shape = || Shape { columns: Some(names.map(str::to_owned).to_vec()), ..by(Partition::Matrix) };
    let (report, codes) = (run(&store, &out, shape()), store.stocks().unwrap());
    assert_eq!((counts(&report), report.columns), ((7, 0, 0), 1 + codes.len() as u64));
    for name in names {
        let found = read_parquet(&out.join(format!("{name}.parquet")));
        let header: Vec<&str> = found.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(header, [&["trade_date"], codes.as_slice()].concat());
        for (column, code) in codes.iter().enumerate() {
            let series = store.series(code).unwrap();
            let (days, values) = (series.column(1), series.column_by_name(name).unwrap());
            for (row, day) in SMALL_DATES.iter().enumerate() {
                let at = (0..series.num_rows()).find(|&at| cell(days, at) == cell(found.column(0), row));
                let expected = at.map_or(Cell::Null, |at| cell(values, at));
                assert_eq!(cell(found.column(column + 1), row), expected, "{name} of {code} on {day}");
            }
        }
    }
    assert_clean(&store, &out);
    assert_eq!(counts(&run(&store, &out, shape())), (0, 7, 0));
    let why = refusal(Transpose::new(&store, place.path("m")).shape(named(Partition::Matrix, "x.parquet")).run());
    assert_eq!(why, "name x.parquet makes one file of several columns; write {column}, which tells each column");
}

#[test]
fn a_code_as_long_as_a_name_may_be_has_a_file_whatever_name_it_is_written_under() {
    let place = Place::new();
    let codes = [233, 234, 247].map(|len| "x".repeat(len));
    for code in &codes {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        place.add(code, &batch(&[("date", dates), ("close", Arc::new(Float64Array::from(vec![1.0])))]));
    }
    place.build();
    let (store, out) = (Store::open(place.store()).unwrap(), place.path("out"));
    assert_eq!(counts(&run(&store, &out, by(Partition::Stock))), (3, 0, 0));
    assert!(codes.iter().all(|code| out.join(format!("{code}.parquet")).exists()));
    assert_no_leftovers(&out);
    assert_clean(&store, &out);
}

#[test]
fn a_name_that_ends_as_files_of_another_format_do_is_refused() {
    let (place, store) = small_store();
    let shape = |name: &str, format| Shape { name: Some(name.parse().unwrap()), format, ..Shape::default() };
    for (name, format, told) in [
        (
            "{date}.parquet",
            Format::Csv,
            "of parquet do, and these are of csv; end it in .csv, or choose the format parquet",
        ),
        (
            "{date}.csv",
            Format::Parquet,
            "of csv do, and these are of parquet; end it in .parquet, or choose the format csv",
        ),
        (
            "d={date}/x.Feather",
            Format::Csv,
            "of arrow do, and these are of csv; end it in .csv, or choose the format arrow",
        ),
    ] {
        let why = refusal(Transpose::new(&store, place.path("out")).shape(shape(name, format)).run());
        assert_eq!(why, format!("name {name} ends as files {told}"));
    }
    for (name, format) in [("{date}.feather", Format::Arrow), ("{date}", Format::Csv), ("csv.{date}", Format::Parquet)]
    {
        let report = Transpose::new(&store, place.path(name)).shape(shape(name, format)).run().unwrap();
        assert_eq!(report.written, 3, "{name}");
    }
}

#[test]
fn unknown_names_are_all_told_or_passed_over() {
    let (place, store) = small_store();
    let out = place.path("out");
    let some = |ignore_unknown| Shape {
        stocks: Some(["A", "BRK.B", "B"].map(str::to_owned).to_vec()),
        ignore_unknown,
        ..by(Partition::Stock)
    };
    let one = Shape { stocks: Some(["brk.b", "BRK.B"].map(str::to_owned).to_vec()), ..by(Partition::Stock) };
    let why = refusal(Transpose::new(&store, &out).shape(one).run());
    assert!(why.starts_with("stock \"brk.b\" (BRK.B?) in "), "{why}");
    assert!(why.ends_with("not found; ignore unknown passes over it"), "{why}");
    let why = refusal(Transpose::new(&store, &out).shape(some(false)).run());
    assert!(why.starts_with("stocks \"A\", \"B\" in "), "{why}");
    let stocks = ["brk.b", "A", "BRK"].map(str::to_owned).to_vec();
    let slips = Shape { stocks: Some(stocks), ..by(Partition::Stock) };
    let why = refusal(Transpose::new(&store, &out).shape(slips).run());
    assert!(why.starts_with("stocks \"A\", \"BRK\" (BRK.B?), \"brk.b\" (BRK.B?) in "), "{why}");
    assert!(why.ends_with("not found; ignore unknown passes over them"), "{why}");
    assert_eq!(counts(&run(&store, &out, some(true))), (1, 0, 0));
    assert_clean(&store, &out);
    let dates = |ignore_unknown| Selection {
        dates: Some([20240102, 20240104, 20240105].map(date).to_vec()),
        ignore_unknown,
        ..Selection::default()
    };
    let go = |selection| Transpose::new(&store, place.path("days")).selection(selection).run();
    let why = refusal(go(dates(false)));
    assert!(why.starts_with("dates 20240104 (20240103?), 20240105 (20240103?) in "), "{why}");
    let columns = Some(["siez", "volume", "nothing", "prce"].map(str::to_owned).to_vec());
    let why = refusal(Transpose::new(&store, &out).shape(Shape { columns, ..by(Partition::Stock) }).run());
    assert!(why.starts_with("columns \"nothing\", \"prce\" (price?), \"siez\" (size?) not found; "), "{why}");
    assert_eq!(counts(&go(dates(true)).unwrap()), (1, 0, 0));
}
