//! Whoever made tonight's rows has them in memory; a file in between would be one more thing that can go wrong. What comes
//! of such rows must be what comes of files that have them, and goes on night by night without a folder.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray};
use arrow_schema::{ArrowError, Field, Schema};
use transect::progress::Silent;
use transect::source::SourceOptions;
use transect::storage::{Disk, Operation};
use transect::{AddSource, Append, Guard, Join, Store, Transpose, Update, Write, verify_source};

use super::panels::{
    Place, assert_no_leftovers, batch, read_parquet, sections, segment_path, small_panel, verify, workers,
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
    let mut paths: Vec<_> = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    paths.sort();
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
    let mut paths: Vec<_> = std::fs::read_dir(other.path("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
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
