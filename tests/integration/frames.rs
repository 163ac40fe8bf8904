//! Whoever made tonight's rows has them in memory; a file in between would be one more thing that can go wrong. What comes
//! of such rows must be what comes of files that have them, and goes on night by night without a folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray,
};
use arrow_schema::{ArrowError, Field, Schema};
use transect::progress::Silent;
use transect::source::SourceOptions;
use transect::storage::{Disk, Operation};
use transect::{AddSource, Append, BuildReport, Error, Guard, Join, Store, Transpose, Update, Write, verify_source};

use super::panels::{
    Place, assert_no_leftovers, assert_whole, batch, paths_in, read_parquet, sections, segment_path, small_panel,
    verify, workers,
};

/// Batches as a program hands them over, one after the other.
fn rows(batches: Vec<RecordBatch>) -> impl RecordBatchReader + Send {
    let schema = batches[0].schema();
    RecordBatchIterator::new(batches.into_iter().map(Ok), schema)
}

/// The output of a small panel, a batch a date, dates descending.
fn outputs(place: &Place) -> Vec<RecordBatch> {
    let out = place.path("out");
    Transpose::new(&Store::open(place.store()).unwrap(), &out).run().unwrap();
    let mut paths = paths_in(&out);
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    paths.iter().rev().map(|path| read_parquet(path)).collect()
}

/// Some rows of a factor.
fn factor(name: &str, rows: &[(&str, &str, f64)]) -> RecordBatch {
    let text = |of: fn(&(&str, &str, f64)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2)));
    batch(&[("trade_date", text(|row| row.0.to_owned())), ("ts_code", text(|row| row.1.to_owned())), (name, values)])
}

#[test]
fn rows_of_several_dates_are_appended_as_a_file_of_each_date_is() {
    let (other, files, frames) = (Place::new(), Place::new(), Place::new());
    for (place, salt) in [(&other, 1), (&files, 0), (&frames, 0)] {
        small_panel(place, salt);
        place.build();
    }
    let batches = outputs(&other);
    let mut paths = paths_in(&other.path("out"));
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    let expected = Append::new(files.store(), paths).run().unwrap();
    let no_code = batches[0].project(&[1, 2]).unwrap();
    let report = Append::of_rows(frames.store(), rows(batches)).run().unwrap();
    assert_eq!((report.restated, report.added, report.skipped.len()), (expected.restated, expected.added, 0));
    assert!(report.restated > 0);
    let [by_file, by_rows] = [&files, &frames].map(|place| sections(&Store::open(place.store()).unwrap()));
    assert_eq!(by_rows, by_file);
    let refused = Append::of_rows(frames.store(), rows(vec![no_code])).run().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the frame: has no column \"ts_code\", which holds the codes; make the frame with the codes of its rows in a \
         column \"ts_code\""
    );
    assert_no_leftovers(&frames.store());
}

#[test]
fn rows_make_the_store_that_a_build_of_their_files_makes() {
    let (files, frames) = (Place::new(), Place::new());
    small_panel(&files, 0);
    files.build();
    let batches = outputs(&files);
    Write::new(frames.store(), rows(batches)).run().unwrap();
    let store = Store::open(frames.store()).unwrap();
    assert_eq!(sections(&store), sections(&Store::open(files.store()).unwrap()));
    assert_eq!(verify(&store).damages, [""; 0]);
    let told = verify_source(&store, &files.source(), &workers(1), &Silent).unwrap_err();
    assert_eq!(
        told.to_string(),
        "frame has no folder: its rows are those that were appended; verify the store without a folder, which compares \
         its checksums"
    );
    let report = Update::new(frames.store()).run().unwrap();
    assert!(!report.published && report.notes.is_empty());
    let report = Update::new(frames.store()).keep(3).run().unwrap();
    assert_eq!((report.published, report.rows), (true, store.row_count()));
}

/// One date's rows take more than a worker's share of the little memory, and less than that of the much.
#[test]
fn rows_that_little_memory_holds_not_make_the_same_bytes_as_with_much() {
    let place = Place::in_memory();
    let codes: ArrayRef = Arc::new(StringArray::from_iter_values((0..60_000).map(|n| format!("{n:05}"))));
    let dates: ArrayRef = Arc::new(StringArray::from_iter_values((0..60_000).map(|_| "20240102")));
    let names: Vec<String> = (0..9).map(|n| format!("x{n}")).collect();
    let mut columns = vec![("ts_code", codes), ("trade_date", dates)];
    columns.extend(names.iter().enumerate().map(|(at, name)| {
        let values: ArrayRef =
            Arc::new(Float64Array::from_iter_values((0..60_000).map(|n| (n * 31 + at) as f64 / 7.0)));
        (name.as_str(), values)
    }));
    let all = batch(&columns);
    let parts: Vec<RecordBatch> = (0..6).map(|n| all.slice(n * 10_000, 10_000)).collect();
    let written = [("little", 64 << 20, 2), ("much", 1 << 30, 1)].map(|(name, memory, count)| {
        let (store, made) = (place.path(name), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&made);
        let disk = Disk::with_hook(move |operation| {
            if let Operation::Create(path) = operation {
                // The files of what a worker puts together, behind those of the blocks.
                let number = path.to_string_lossy().rsplit_once("spill-").and_then(|(_, number)| number.parse().ok());
                seen.fetch_add(usize::from(number.is_some_and(|number: u32| number > 128)), Ordering::SeqCst);
            }
            Ok(())
        });
        let write = Write::new(&store, rows(parts.clone())).memory(memory).workers(count).disk(disk);
        assert_eq!(write.run().unwrap().rows, 60_000);
        (fs::read(segment_path(&store)).unwrap(), made.load(Ordering::SeqCst))
    });
    let [(little, most), (much, least)] = written;
    assert!(most > 0 && least == 0, "{most} pieces put together outside of little memory, {least} of much");
    assert!(little == much);
}

/// Rows of one date: 200 minutes of so many stocks, the `n`-th of which is the row that `row` says.
fn minutes(stocks: usize, row: impl Fn(usize) -> usize) -> RecordBatch {
    let rows: Vec<usize> = (0..200 * stocks).map(row).collect();
    let text = |of: &dyn Fn(usize) -> String| Arc::new(StringArray::from_iter_values(rows.iter().map(|&n| of(n)))) as _;
    let number = |n: usize| (!n.is_multiple_of(3)).then_some((n % 1000) as i64);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|&n| number(n))));
    let doubles: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|&n| n as f64 / 7.0)));
    batch(&[
        ("trade_date", text(&|_| "20240102".to_owned())),
        ("ts_code", text(&|n| format!("{:06}", n / 200))),
        ("minute", text(&|n| format!("{:03}", n % 200))),
        ("number", numbers),
        ("double", doubles),
        ("text", text(&|n| format!("text {}", n % 7))),
    ])
}

/// Writes them, in batches.
fn write_minutes(store: &Path, all: &RecordBatch, memory: u64) -> Result<BuildReport, Error> {
    let starts = (0..all.num_rows()).step_by(30_000);
    let parts = starts.map(|start| all.slice(start, 30_000.min(all.num_rows() - start))).collect();
    let options = SourceOptions { key: vec!["minute".to_owned()], ..SourceOptions::default() };
    Write::new(store, rows(parts)).options(options).memory(memory).workers(1).run()
}

#[test]
fn rows_of_one_date_come_in_any_order_and_are_more_than_a_piece() {
    let place = Place::in_memory();
    // 7,919 is a prime: each row is one of all.
    let (sorted, mixed) = (minutes(700, |n| n), minutes(700, |n| n * 7919 % 140_000));
    let [little, much] = [("little", &mixed, 64 << 20), ("much", &sorted, 1 << 30)].map(|(name, all, memory)| {
        assert_eq!(write_minutes(&place.path(name), all, memory).unwrap().rows, 140_000);
        fs::read(segment_path(&place.path(name))).unwrap()
    });
    assert!(little == much);
}

#[test]
fn memory_that_rows_of_one_date_are_told_to_need_is_enough_and_not_far_from_least() {
    let place = Place::in_memory();
    let all = minutes(2000, |n| n * 7919 % 400_000);
    let told = write_minutes(&place.store(), &all, 64 << 20).unwrap_err().to_string();
    let (what, figure) = told.split_once("; memory of ").unwrap_or_else(|| panic!("{told}"));
    assert!(what.starts_with("the frame on 20240102: has 400000 rows, and to put them in order would take "), "{what}");
    let figure: u64 = figure.split_once(" MiB allows it").unwrap().0.parse().unwrap();
    assert!(figure < 128, "{told}");
    let least = write_minutes(&place.store(), &all, (figure - 4) << 20).unwrap_err().to_string();
    assert!(least.starts_with(what.split_once(", more than").unwrap().0), "{least}");
    assert_eq!(write_minutes(&place.store(), &all, figure << 20).unwrap().rows, 400_000);
}

#[test]
fn what_a_value_of_many_rows_cannot_be_is_told_of_its_own_row() {
    let place = Place::new();
    let doubles = |wrong: usize| {
        let mixed = minutes(700, |n| n * 7919 % 140_000);
        let numbers = (0..140_000).map(|n| if n == wrong { 0.5 } else { 1.0 });
        let mut columns = mixed.columns().to_vec();
        columns[3] = Arc::new(Float64Array::from_iter_values(numbers));
        let schema = mixed.schema();
        batch(&schema.fields().iter().map(|field| field.name().as_str()).zip(columns).collect::<Vec<_>>())
    };
    write_minutes(&place.store(), &minutes(1, |n| n), 64 << 20).unwrap();
    let told = Append::of_rows(place.store(), rows(vec![doubles(99_999)])).run().unwrap_err().to_string();
    assert!(told.contains("its column \"number\" is Float64, Int64 in the store: row 100000: 0.5 "), "{told}");
    assert_no_leftovers(&place.store());
}

#[test]
fn what_a_frame_notes_of_its_columns_is_told_to_be_left_out() {
    let place = Place::new();
    let plain = factor("mom", &[("20240102", "A", 1.5), ("20240103", "A", 2.5)]);
    let noted = |name: &str| {
        let known = plain.schema();
        let fields = known.fields().iter().map(|field| match field.name().as_str() {
            "mom" => field.as_ref().clone().with_name(name).with_metadata([("unit".to_owned(), "%".to_owned())]),
            _ => field.as_ref().clone(),
        });
        let schema = Schema::new(fields.collect::<Vec<Field>>());
        RecordBatch::try_new(Arc::new(schema), plain.columns().to_vec()).unwrap()
    };
    let told = |name: &str| vec![format!("the column {name} comes out without its metadata (unit)")];
    let written = Write::new(place.store(), rows(vec![noted("mom")])).workers(1).run().unwrap();
    assert_eq!(written.notes, told("mom"));
    let added = AddSource::of_rows(place.store(), "more", rows(vec![noted("more")])).workers(1).run().unwrap();
    assert_eq!(added.notes, told("more"));
    let more = Append::of_rows(place.store(), rows(vec![noted("more")])).source_name("more").workers(1);
    assert_eq!(more.run().unwrap().notes, told("more"));
}

#[test]
fn a_source_of_rows_joins_stays_and_is_replaced_by_its_name() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let before = Store::open(place.store()).unwrap();
    let (dates, stocks) = (before.dates().unwrap().to_vec(), before.stocks().unwrap());
    let day = dates[0].to_string();
    let first = factor("mom", &[(&day, stocks[0], 1.5), ("20300101", "ZZ", f64::NAN)]);
    let add = |batch: &RecordBatch| {
        AddSource::of_rows(place.store(), "mom", rows(vec![batch.clone()])).allow([Guard::FewCodes, Guard::PrunedRows])
    };
    let left = add(&first).join(Join::Left).dry_run(true).run().unwrap();
    assert_eq!((left.filled, left.left_out, left.added), (1, 1, 0));
    let report = add(&first).run().unwrap();
    assert_eq!((report.filled, report.added, report.new_columns), (1, 1, vec!["mom".to_owned()]));
    // An update of the folder leaves it alone, and so does a night on which a stock's file is written anew.
    small_panel(&place, 1);
    let report = Update::new(place.store()).run().unwrap();
    assert!(report.published && report.removed == 0);
    let store = Store::open(place.store()).unwrap();
    let mom = |store: &Store, date: &str| {
        let section = store.section(date.parse().unwrap()).unwrap();
        let column = section.column("mom").unwrap().logical().unwrap();
        let column = column.as_any().downcast_ref::<Float64Array>().unwrap().clone();
        column.iter().flatten().map(f64::to_bits).collect::<Vec<u64>>()
    };
    assert_eq!(mom(&store, &day), [1.5f64.to_bits()]);
    assert_eq!(mom(&store, "20300101"), [f64::NAN.to_bits()]);
    // What is given anew takes the place of all, on all dates.
    let report = add(&factor("mom", &[(&day, stocks[0], 2.5)])).run().unwrap();
    assert_eq!((report.restated, report.removed, report.added), (1, 1, 0));
    let store = Store::open(place.store()).unwrap();
    assert_eq!(mom(&store, &day), [2.5f64.to_bits()]);
    assert_eq!(store.dates().unwrap().last(), dates.last());
    assert_eq!(verify(&store).damages, [""; 0]);
    let other = add(&factor("other", &[(&day, stocks[0], 2.5)])).run().unwrap_err().to_string();
    assert!(other.contains("lacks the column \"mom\"") || other.contains("has the column \"other\""), "{other}");
}

#[test]
fn a_stream_that_fails_leaves_the_store_as_it_was() {
    let place = Place::new();
    let good = factor("mom", &[("20240102", "A", 1.0)]);
    let failing = || {
        let batches = vec![Ok(good.clone()), Err(ArrowError::ComputeError("the program gave up".to_owned()))];
        RecordBatchIterator::new(batches, good.schema())
    };
    let told = Write::new(place.store(), failing()).run().unwrap_err();
    assert_eq!(told.to_string(), "cannot read the frame");
    assert!(!place.store().exists());
    Write::new(place.store(), rows(vec![good.clone()])).source_name("mom").run().unwrap();
    Append::of_rows(place.store(), failing()).run().unwrap_err();
    AddSource::of_rows(place.store(), "other", failing()).options(SourceOptions::default()).run().unwrap_err();
    let store = Store::open(place.store()).unwrap();
    assert_eq!((store.version(), store.row_count()), (1, 1));
    assert_no_leftovers(&place.store());
}

/// A store of rows alone, of three columns and a key, or of two sources.
fn reports(place: &Place) {
    let text = |values: [&'static str; 3]| Arc::new(StringArray::from_iter_values(values)) as ArrayRef;
    let numbers = |values: [f64; 3]| Arc::new(Float64Array::from_iter_values(values)) as ArrayRef;
    let keys = [("trade_date", text(["20240102", "20240102", "20240103"])), ("ts_code", text(["A", "A", "B"]))];
    let all = [
        keys[0].clone(),
        keys[1].clone(),
        ("period", text(["2023Q3", "2023Q4", "2023Q4"])),
        ("a", numbers([1.0, 2.0, 3.0])),
        ("b", numbers([4.0, 5.0, 6.0])),
    ];
    let options = SourceOptions { key: vec!["period".to_owned()], ..SourceOptions::default() };
    Write::new(place.store(), rows(vec![batch(&all)])).options(options).run().unwrap();
}

fn columns(place: &Place) -> Vec<String> {
    Store::open(place.store()).unwrap().schema().unwrap().columns.iter().map(|column| column.name.clone()).collect()
}

#[test]
fn columns_of_a_source_of_rows_get_other_names_or_go_and_further_rows_find_them() {
    let place = Place::new();
    reports(&place);
    let set = |text: &str| Update::new(place.store()).set("frame", text.parse().unwrap()).run();
    let values = |name: &str| {
        let store = Store::open(place.store()).unwrap();
        let section = store.section("20240102".parse().unwrap()).unwrap();
        let column = section.column(name).unwrap().logical().unwrap();
        column.as_any().downcast_ref::<Float64Array>().unwrap().values().to_vec()
    };
    let report = set("rename+=a:x").unwrap();
    assert_eq!((report.renamed_columns, report.written_bytes, report.version), (vec!["a -> x".to_owned()], 0, 2));
    // By its name in the store, too; and back.
    assert_eq!(set("rename+=x:y").unwrap().renamed_columns, ["x -> y"]);
    assert_eq!(values("y"), [1.0, 2.0]);
    assert!(!set("rename+=a:y").unwrap().published);
    let report =
        Update::new(place.store()).set("frame", "rename=a:b,b:a".parse().unwrap()).dry_run(true).run().unwrap();
    assert_eq!((report.renamed_columns.join(", "), report.published), ("y -> b, b -> a".to_owned(), false));
    set("rename=a:b,b:a").unwrap();
    assert_eq!((values("b"), values("a")), (vec![1.0, 2.0], vec![4.0, 5.0]));
    assert_eq!(set("rename=").unwrap().renamed_columns, ["b -> a", "a -> b"]);
    set("prefix=v_").unwrap();
    assert_eq!(columns(&place), ["period", "v_a", "v_b"]);
    let report = set("exclude+=v_b").unwrap();
    assert_eq!((report.lost_columns, report.dirty_dates, report.restated), (vec!["v_b".to_owned()], 2, 0));
    assert_eq!((columns(&place), values("v_a")), (vec!["period".to_owned(), "v_a".to_owned()], vec![1.0, 2.0]));
    assert_whole(&Store::open(place.store()).unwrap());
    // Rows come as before, or as the store has them; what was left out is left out of them, too.
    for (name, more, value) in [("a", Some("b"), 7.0), ("v_a", None, 8.0)] {
        let texts = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let number: ArrayRef = Arc::new(Float64Array::from(vec![value]));
        let mut all = vec![("trade_date", texts("20240102")), ("ts_code", texts("A")), ("period", texts("2023Q3"))];
        all.extend([Some(name), more].into_iter().flatten().map(|name| (name, number.clone())));
        assert_eq!(Append::of_rows(place.store(), rows(vec![batch(&all)])).run().unwrap().restated, 1, "{name}");
        assert_eq!(values("v_a")[0], value);
    }
    assert_no_leftovers(&place.store());
}

#[test]
fn what_a_source_of_rows_cannot_be_made_without_its_rows_is_refused_with_what_can() {
    let place = Place::new();
    reports(&place);
    let why = |text: &str| {
        let set = Update::new(place.store()).set("frame", text.parse().unwrap());
        set.run().unwrap_err().to_string()
    };
    let anew = "write the store anew";
    let otherwise = format!(
        "no folder to read otherwise: its rows are those that were appended; give it the path of one, or {anew}"
    );
    for text in ["zone=Asia/Shanghai", "cast+=c:float32", "ignore+=x", "max-skipped=3", "epoch=ms"] {
        assert_eq!(why(text), format!("the source \"frame\" has {otherwise}"), "{text}");
    }
    for text in ["exclude+=period", "rename+=period:quarter"] {
        let way_out = "leave it out of what is renamed or excluded";
        assert_eq!(why(text), format!("period is part of the store's key, and stays as it is; {way_out}"), "{text}");
    }
    assert_eq!(why("rename+=a:b"), "two columns of the source would be called b; choose another name");
    assert!(why("rename+=a:ts_code").starts_with("ts_code is the store's column of the code; "));
    Update::new(place.store()).set("frame", "exclude+=a".parse().unwrap()).run().unwrap();
    let gone = format!("the source \"frame\" has no folder: what was left out of its rows is gone; {anew}");
    for text in ["exclude=", "exclude-=a", "exclude=b"] {
        assert_eq!(why(text), gone, "{text}");
    }
    let store = Store::open(place.store()).unwrap();
    assert_eq!(
        (store.version(), store.row_count(), columns(&place)),
        (2, 3, ["period", "b"].map(String::from).to_vec())
    );
}

#[test]
fn a_source_of_rows_joins_otherwise_from_now_on() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let before = Store::open(place.store()).unwrap();
    let (day, stock) = (before.dates().unwrap()[0].to_string(), before.stocks().unwrap()[0].to_owned());
    let batch = factor("mom", &[(&day, &stock, 1.5), ("20300101", "ZZ", 2.5)]);
    let add = AddSource::of_rows(place.store(), "mom", rows(vec![batch.clone()])).allow([Guard::FewCodes]);
    assert_eq!(add.run().unwrap().added, 1);
    let set =
        |text: &str| Update::new(place.store()).set("mom", text.parse().unwrap()).allow(Guard::ALL).run().unwrap();
    assert_eq!(set("join=left").removed, 1);
    assert_eq!(Store::open(place.store()).unwrap().row_count(), before.row_count());
    let report = set("join=outer");
    let note = "mom: rows that were left out so far come in where they are given again";
    assert_eq!((report.published, report.added, report.notes), (true, 0, vec![note.to_owned()]));
    assert_eq!(Append::of_rows(place.store(), rows(vec![batch])).source_name("mom").run().unwrap().added, 1);
    assert_whole(&Store::open(place.store()).unwrap());
}
