//! An output directory is read by programs that know nothing of transect, and written to beside files, links and
//! ledgers of anybody's. What must never happen is that a reader stumbles, that a foreign file is touched inside or
//! outside of the directory, or that a message recommends what does not work.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use arrow_array::RecordBatch;
use transect::progress::Silent;
use transect::sink::Format;
use transect::storage::{Disk, Operation};
use transect::{Build, Error, Selection, Shape, Store, Transpose, TransposeReport, verify_output};

use super::panels::{
    Place, SMALL_DATES, assert_clean, bare_ledger, copy_dir, date, entries, read_parquet, segment_path, small_panel,
    small_store, workers,
};

/// The second version of a store.
fn second(place: &Place) -> Store {
    small_panel(place, 1);
    Build::new(place.source(), place.store()).force(true).workers(1).run().unwrap();
    Store::open(place.store()).unwrap()
}

fn named(pattern: &str) -> Shape {
    Shape { name: Some(pattern.parse().unwrap()), ..Shape::default() }
}

fn only(day: i64) -> Selection {
    Selection { dates: Some(vec![date(day)]), ..Selection::default() }
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

fn counts(report: &TransposeReport) -> (u64, u64, u64, u64) {
    (report.written, report.unchanged_files, report.removed_files, report.taken_over)
}

fn columns(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

#[test]
fn a_path_that_carries_the_date_replaces_its_column() {
    let (place, store) = small_store();
    let all = Transpose::new(&store, place.path("flat")).run().unwrap().columns;
    for (pattern, date, has_date) in [
        ("trade_date={date}/data.parquet", None, false),
        ("Trade_Date={date}/data.parquet", Some(false), false),
        ("market=cn/trade_date={date}/x/data.parquet", None, false),
        ("trade_date={date}/data.parquet", Some(true), true),
        ("date={date}/data.parquet", None, true),
        ("trade_date={date}.parquet", None, true),
        ("{date}/data.parquet", None, true),
        ("trade_date=d{date}/data.parquet", Some(false), false),
    ] {
        let out = place.path("out");
        let shape = Shape { date, ..named(pattern) };
        let transpose = || Transpose::new(&store, &out).shape(shape.clone()).workers(1).run().unwrap();
        let report = transpose();
        assert_eq!((report.written, report.columns), (3, all - u64::from(!has_date)), "{pattern}");
        let found = read_parquet(&out.join(pattern.replace("{date}", "20240102")));
        assert_eq!(columns(&found).contains(&"trade_date".to_owned()), has_date, "{pattern}");
        assert_clean(&store, &out);
        assert_eq!(counts(&transpose()), (0, 3, 0, 0), "{pattern}");
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn a_path_that_would_hide_a_column_is_refused() {
    let (place, store) = small_store();
    for (pattern, name, way_out) in [
        ("size={date}/x.parquet", "size", "exclude size leaves it out"),
        ("SIZE=1/{date}.parquet", "size", "exclude size leaves it out"),
        ("ts_code={date}/x.parquet", "ts_code", "give the directory another name"),
        ("Trade_Date={date}/x.parquet", "trade_date", "no date leaves the date column out"),
        ("trade_date=d{date}/x.parquet", "trade_date", "no date leaves the date column out"),
        ("trade_date=all/{date}.parquet", "trade_date", "no date leaves the date column out"),
    ] {
        let why = refused(Transpose::new(&store, place.path("out")).shape(named(pattern)).run());
        assert!(why.contains(&format!("the column {name:?}")) && why.contains(way_out), "{why}");
        assert!(!place.path("out").exists());
    }
    let shape = Shape { exclude: vec!["size".to_owned()], ..named("size={date}/x.parquet") };
    assert_eq!(Transpose::new(&store, place.path("out")).shape(shape).run().unwrap().written, 3);
}

/// The files that are not the ledger, and where that lies.
#[test]
fn the_ledger_lies_where_readers_expect_a_file_and_moves_with_the_shape() {
    let (place, store) = small_store();
    let out = place.path("out");
    for (pattern, ledger) in [
        ("{date}.parquet", ".transect.parquet"),
        ("trade_date={date}/data.parquet", ".transect.ledger/trade_date=19700101/.transect.parquet"),
        ("a=1/b={date}/data.pq", ".transect.ledger/a=1/b=19700101/.transect.pq"),
        ("{date}.pq", ".transect.ledger/.transect.pq"),
        ("{date}/data.parquet", ".transect.parquet"),
    ] {
        Transpose::new(&store, &out).shape(named(pattern)).force(true).workers(1).run().unwrap();
        let files = entries(&out).into_iter().filter(|path| out.join(path).is_file());
        let (ledgers, files): (Vec<String>, Vec<String>) = files.partition(|path| path.starts_with('.'));
        assert_eq!((ledgers, files.len()), (vec![ledger.to_owned()], 3), "{pattern}");
        assert_eq!(read_note(&out.join(ledger)), 0);
        assert_clean(&store, &out);
    }
}

/// Rows of a ledger, which is a whole file of the format.
fn read_note(path: &Path) -> usize {
    read_parquet(path).num_rows()
}

#[test]
fn a_ledger_of_bare_json_is_taken_over_and_goes() {
    let (place, store) = small_store();
    let out = place.path("out");
    let transpose = || Transpose::new(&store, &out).shape(named("{date}/data.parquet")).workers(1).run().unwrap();
    transpose();
    bare_ledger(&out);
    assert_eq!(counts(&transpose()), (0, 3, 0, 0));
    assert!(out.join(".transect.parquet").exists() && !out.join(".transect.json").exists());
    assert_eq!(counts(&transpose()), (0, 3, 0, 0));
    assert_clean(&store, &out);
}

/// Follows the one advice of a message that is about a directory.
fn forced(store: &Store, out: &Path, shape: &Shape) -> TransposeReport {
    let transpose = || Transpose::new(store, out).shape(shape.clone()).workers(1);
    let why = refused(transpose().run());
    assert!(why.contains("or force "), "{why}");
    transpose().force(true).run().unwrap()
}

#[test]
fn force_takes_over_what_transect_wrote_and_no_ledger_lists() {
    let (place, store) = small_store();
    for shape in
        [Shape::default(), named("trade_date={date}/x.parquet"), Shape { format: Format::Arrow, ..Shape::default() }]
    {
        let out = place.path("out");
        let lose = || {
            for path in entries(&out).into_iter().filter(|path| path.starts_with('.') && out.join(path).is_file()) {
                fs::remove_file(out.join(path)).unwrap();
            }
        };
        let transpose = |store: &Store| Transpose::new(store, &out).shape(shape.clone()).workers(1).run().unwrap();
        transpose(&store);
        lose();
        assert_eq!(counts(&forced(&store, &out, &shape)), (0, 3, 0, 3));
        assert_eq!(counts(&transpose(&store)), (0, 3, 0, 0));
        assert_clean(&store, &out);

        // Some dates only: the files of the others are transect's too.
        lose();
        let some = Transpose::new(&store, &out).shape(shape.clone()).selection(only(SMALL_DATES[0])).force(true);
        assert_eq!(counts(&some.workers(1).run().unwrap()), (0, 1, 0, 3));
        assert_clean(&store, &out);
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn files_of_a_version_that_is_kept_are_taken_over_and_replaced() {
    let (place, store) = small_store();
    let out = place.path("out");
    Transpose::new(&store, &out).workers(1).run().unwrap();
    fs::remove_file(out.join(".transect.parquet")).unwrap();
    let newer = second(&place);
    assert_eq!(counts(&forced(&newer, &out, &Shape::default())), (3, 0, 0, 3));
    assert_clean(&newer, &out);
}

#[test]
fn a_file_beside_the_ledger_that_does_not_list_it_is_taken_over_under_force_alone() {
    let (place, store) = small_store();
    let (out, whole) = (place.path("out"), place.path("whole"));
    Transpose::new(&store, &whole).workers(1).run().unwrap();
    Transpose::new(&store, &out).selection(only(SMALL_DATES[0])).workers(1).run().unwrap();
    fs::copy(whole.join("20240102.parquet"), out.join("20240102.parquet")).unwrap();
    let why = refused(Transpose::new(&store, &out).workers(1).run());
    assert!(why.contains("20240102.parquet is byte for byte what transect writes"), "{why}");
    assert_eq!(counts(&forced(&store, &out, &Shape::default())), (1, 2, 0, 1));
    assert_clean(&store, &out);
}

#[test]
fn one_foreign_byte_in_the_way_is_never_touched_and_never_advised_to_be_forced() {
    let (place, store) = small_store();
    let out = place.path("out");
    Transpose::new(&store, &out).workers(1).run().unwrap();
    fs::remove_file(out.join(".transect.parquet")).unwrap();
    let file = fs::OpenOptions::new().write(true).open(out.join("20240102.parquet")).unwrap();
    file.write_all_at(b"x", 50).unwrap();
    let before: Vec<Vec<u8>> = entries(&out).iter().map(|path| fs::read(out.join(path)).unwrap()).collect();
    for force in [false, true] {
        let why = refused(Transpose::new(&store, &out).force(force).workers(1).run());
        assert!(why.contains("20240102.parquet was not written by transect"), "{why}");
        assert!(!why.contains("or force "), "{why}");
    }
    let after: Vec<Vec<u8>> = entries(&out).iter().map(|path| fs::read(out.join(path)).unwrap()).collect();
    assert!(before == after);
    // The advice: to move it.
    fs::rename(out.join("20240102.parquet"), place.path("moved")).unwrap();
    assert_eq!(counts(&forced(&store, &out, &Shape::default())), (1, 2, 0, 2));
    assert_clean(&store, &out);
}

#[test]
fn a_shape_that_differs_is_named_and_forced_whole() {
    let (place, store) = small_store();
    let out = place.path("out");
    Transpose::new(&store, &out).workers(1).run().unwrap();
    let compressed = Shape { compression: "zstd".parse().unwrap(), ..Shape::default() };
    let transpose =
        || Transpose::new(&store, &out).shape(compressed.clone()).selection(only(SMALL_DATES[2])).workers(1);
    let why = refused(transpose().run());
    assert!(why.contains("another shape (compression)") && why.contains("or force "), "{why}");
    assert_eq!(counts(&transpose().force(true).run().unwrap()), (3, 0, 0, 0));
    assert_clean(&store, &out);
}

fn assert_link(error: Error, at: &Path) {
    let Error::Io { path, source, .. } = error else { panic!("{error}") };
    assert_eq!(path, at);
    assert_eq!(source.to_string(), "it is a link, which is not followed; put what it points to in its place");
}

#[test]
fn no_link_within_an_output_leads_out_of_it() {
    let (place, store) = small_store();
    let (out, elsewhere) = (place.path("out"), place.path("elsewhere"));
    let shape = named("trade_date={date}/data.parquet");
    Transpose::new(&store, &elsewhere).shape(shape.clone()).workers(1).run().unwrap();
    Transpose::new(&store, &out).shape(shape.clone()).workers(1).run().unwrap();
    let foreign = elsewhere.join("trade_date=20240102/data.parquet");
    fs::write(&foreign, "mine").unwrap();
    for linked in ["trade_date=20240102", ".transect.ledger", ".transect.ledger/trade_date=19700101"] {
        let (at, kept) = (out.join(linked), place.path("kept"));
        fs::rename(&at, &kept).unwrap();
        symlink(elsewhere.join(linked), &at).unwrap();
        for force in [false, true] {
            let run = Transpose::new(&store, &out).shape(shape.clone()).force(force).workers(1).run();
            assert_link(run.unwrap_err(), &at);
        }
        assert_eq!(fs::read_to_string(&foreign).unwrap(), "mine");
        fs::remove_file(&at).unwrap();
        fs::rename(kept, at).unwrap();
    }
    assert_clean(&store, &out);

    // A link in place of a file is replaced itself, one in place of the ledger is named.
    let file = out.join("trade_date=20240102/data.parquet");
    fs::remove_file(&file).unwrap();
    symlink(&foreign, &file).unwrap();
    assert_eq!(counts(&Transpose::new(&store, &out).shape(shape.clone()).workers(1).run().unwrap()), (1, 2, 0, 0));
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "mine");
    let flat = place.path("flat");
    Transpose::new(&store, &flat).workers(1).run().unwrap();
    fs::rename(flat.join(".transect.parquet"), place.path("ledger")).unwrap();
    symlink(place.path("ledger"), flat.join(".transect.parquet")).unwrap();
    assert_link(Transpose::new(&store, &flat).workers(1).run().unwrap_err(), &flat.join(".transect.parquet"));

    // The directory itself may be named by one.
    symlink(&out, place.path("link")).unwrap();
    let report = Transpose::new(&store, place.path("link")).shape(shape).workers(1).run().unwrap();
    assert_eq!(counts(&report), (0, 3, 0, 0));
}

#[test]
fn an_output_among_the_input_is_refused_whatever_is_forced() {
    let (place, store) = small_store();
    let before = entries(&place.source());
    symlink(place.source(), place.path("link")).unwrap();
    for (out, pattern, why) in [
        (place.source(), "{date}.parquet", "is the folder that"),
        (place.source(), "x/{date}.arrow", "is the folder that"),
        (place.path("link"), "{date}.parquet", "is the folder that"),
        (place.path("new/../source"), "{date}.parquet", "is the folder that"),
        (place.path(""), "source/{date}.parquet", "would be taken for stocks"),
        (place.path(""), "panel.store/{date}.parquet", "lies in the store"),
        (place.path(""), "panel.store/segment/{date}.arrow", "lies in the store"),
    ] {
        let format = if pattern.ends_with(".arrow") { Format::Arrow } else { Format::Parquet };
        let shape = Shape { format, ..named(pattern) };
        let result = Transpose::new(&store, &out).shape(shape).force(true).workers(1).run();
        let text = refused(result);
        assert!(text.contains(why) && text.contains("name a directory elsewhere"), "{text}");
    }
    assert_eq!(entries(&place.source()), before);
    let (_other_place, other) = small_store();
    assert!(refused(Transpose::new(&other, place.store()).force(true).run()).contains("is a store"));
    // Below the input, under names that no stock has, they meet nothing.
    let below = place.source().join("by_date");
    assert_eq!(Transpose::new(&store, &below).workers(1).run().unwrap().written, 3);
    assert_clean(&store, &below);
}

/// What is mapped was right when it was looked at, and is overwritten before the file is made of it.
#[test]
fn a_segment_that_is_overwritten_while_it_is_used_ends_in_no_output() {
    let (place, store) = small_store();
    let segment = segment_path(&place.store());
    let good = fs::read(&segment).unwrap();
    let out = place.path("out");
    let path = segment.clone();
    let bad: Vec<u8> = good.iter().map(|byte| byte ^ 0x55).collect();
    // All sections are intact until the first file gets its name.
    let disk = Disk::with_hook(move |operation| {
        if let Operation::Rename(_, to) = operation
            && to.ends_with("20231229.parquet")
        {
            fs::OpenOptions::new().write(true).open(&path)?.write_all_at(&bad, 0)?;
        }
        Ok(())
    });
    let result = Transpose::new(&store, &out).workers(1).disk(disk).run();
    assert!(matches!(result, Err(Error::Corrupt { .. })), "{result:?}");
    assert_eq!(entries(&out), [".transect.parquet", "20231229.parquet"]);
    fs::OpenOptions::new().write(true).open(&segment).unwrap().write_all_at(&good, 0).unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_eq!(Transpose::new(&store, &out).workers(1).run().unwrap().written, 3);
    assert_clean(&store, &out);
}

/// A copy without hidden files, as `cp out/* copy` makes it.
#[test]
fn a_copy_without_its_ledger_goes_on_under_force() {
    let (place, store) = small_store();
    let (out, copy) = (place.path("out"), place.path("copy"));
    Transpose::new(&store, &out).workers(1).run().unwrap();
    copy_dir(&out, &copy);
    fs::remove_file(copy.join(".transect.parquet")).unwrap();
    assert_eq!(counts(&forced(&store, &copy, &Shape::default())), (0, 3, 0, 3));
    assert_clean(&store, &copy);
}

/// Holes cost nobody anything but who reads them.
#[test]
fn a_file_or_a_ledger_of_a_terabyte_is_told_without_being_read() {
    let (place, store) = small_store();
    for format in [Format::Parquet, Format::Arrow, Format::Csv] {
        let out = place.path(&format.to_string());
        let run = || Transpose::new(&store, &out).shape(Shape { format, ..Shape::default() }).workers(1).run();
        run().unwrap();
        assert_eq!(run().unwrap().unchanged_files, 3);
        let lengthen = |name: &str| fs::OpenOptions::new().write(true).open(out.join(name)).unwrap().set_len(1 << 40);
        lengthen(&format!("20231229.{format}")).unwrap();
        let found = verify_output(&store, &out, &workers(1), &Silent).unwrap();
        assert!(found.differences[0].contains("it is not the file that was written"), "{:?}", found.differences);
        let ledger = entries(&out).into_iter().find(|name| name.starts_with(".transect."));
        lengthen(&ledger.unwrap()).unwrap();
        let refused = run().unwrap_err().to_string();
        assert!(refused.contains("it has 1099511627776 bytes, which are too many"), "{refused}");
    }
}
