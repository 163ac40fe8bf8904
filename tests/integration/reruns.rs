//! An output directory outlives the run that filled it: the next one adds dates, drops stale ones, finds files that
//! someone else put there, or another shape. What must never happen is that a reader of the folder meets files that
//! contradict each other, or that a file goes which transect did not write.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arrow_array::{ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use transect::progress::Silent;
use transect::sink::Format;
use transect::storage::{Disk, Operation};
use transect::{Build, Error, Guard, Selection, Shape, Store, Transpose, TransposeReport, Update, verify_output};

use super::panels::{
    Place, SMALL_DATES, assert_clean, bare_ledger, batch, copy_dir, counts, date, entries, read_parquet, small_panel,
    small_store, workers,
};

fn only(dates: &[i64]) -> Selection {
    Selection { dates: Some(dates.iter().copied().map(date).collect()), ..Selection::default() }
}

fn run(store: &Store, out: &Path, selection: Selection) -> TransposeReport {
    Transpose::new(store, out).selection(selection).workers(1).run().unwrap()
}

fn message(result: Result<TransposeReport, Error>) -> String {
    match result {
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn runs_over_other_dates_add_up() {
    let (place, store) = small_store();
    let out = place.path("out");
    assert_eq!(run(&store, &out, only(&SMALL_DATES[..1])).written, 1);
    let before = fs::metadata(out.join("20231229.parquet")).unwrap().modified().unwrap();
    assert_eq!(run(&store, &out, only(&SMALL_DATES[2..])).written, 1);
    assert_eq!(entries(&out), [".transect.parquet", "20231229.parquet", "20240103.parquet"]);
    assert_eq!(fs::metadata(out.join("20231229.parquet")).unwrap().modified().unwrap(), before, "it was written again");
    let report = verify_output(&store, &out, &workers(1), &Silent).unwrap();
    assert_eq!((report.files, report.rows, report.not_written), (2, 5, 1));
    assert_clean(&store, &out);
    assert_eq!(counts(&run(&store, &out, Selection::default())), (1, 2, 0));
    assert_clean(&store, &out);
}

#[test]
fn a_range_selects_its_ends_and_a_missing_date_is_an_error() {
    let (place, store) = small_store();
    let out = place.path("out");
    let range = Selection { from: Some(date(20240102)), to: Some(date(20240103)), ..Selection::default() };
    assert_eq!(run(&store, &out, range).written, 2);
    match Transpose::new(&store, place.path("other")).selection(only(&[20240101])).run() {
        Err(Error::NotFound { what, hint, .. }) => {
            assert!(what.contains("20240101"), "{what}");
            let hint = hint.to_string();
            assert!(hint.contains("20231229") && hint.contains("20240102"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!place.path("other").exists());
}

#[test]
fn another_shape_is_refused_and_replaces_all_files_under_force() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    let shapes = [
        Shape { format: Format::Arrow, ..Shape::default() },
        Shape { date: Some(false), ..Shape::default() },
        Shape { exclude: vec!["size".to_owned()], ..Shape::default() },
        Shape { name: Some("date={date}/part.parquet".parse().unwrap()), ..Shape::default() },
        Shape { stocks: Some(vec!["BRK.B".to_owned()]), ..Shape::default() },
    ];
    for shape in shapes {
        let before = entries(&out);
        let transpose = || Transpose::new(&store, &out).shape(shape.clone()).workers(1);
        assert!(message(transpose().run()).contains("another shape"));
        assert_eq!(entries(&out), before, "a refused run changed something");
        let report = transpose().force(true).run().unwrap();
        assert_eq!(report.written + report.without_rows, 3);
        assert_clean(&store, &out);
        // The ledger is one more file of the format.
        let files = entries(&out).into_iter().filter(|path| path.ends_with("parquet") || path.ends_with("arrow"));
        assert_eq!(files.count() as u64, report.written + 1, "old files are left: {:?}", entries(&out));
    }
}

#[test]
fn a_forced_run_over_some_dates_brings_all_files_to_the_new_shape() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    let shape = Shape { date: Some(false), ..Shape::default() };
    let report =
        Transpose::new(&store, &out).shape(shape).selection(only(&SMALL_DATES[..1])).force(true).run().unwrap();
    assert_eq!(counts(&report), (3, 0, 0));
    assert_eq!(
        report.notes,
        ["all files in a directory have one shape, so the files of 2 other dates were written too"]
    );
    assert_eq!(entries(&out), [".transect.parquet", "20231229.parquet", "20240102.parquet", "20240103.parquet"]);
    assert_clean(&store, &out);
}

#[test]
fn foreign_files_are_never_touched() {
    let (place, store) = small_store();
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    let transpose = || Transpose::new(&store, &out).workers(1);
    assert!(message(transpose().run()).contains("not empty"));
    assert_eq!(entries(&out), ["notes.txt"]);

    // Under force transect writes beside it, and later removes its own files only.
    transpose().force(true).run().unwrap();
    let shape = Shape { format: Format::Arrow, ..Shape::default() };
    transpose().shape(shape).force(true).run().unwrap();
    assert_eq!(entries(&out), [".transect.arrow", "20231229.arrow", "20240102.arrow", "20240103.arrow", "notes.txt"]);
    assert_eq!(fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
    assert_clean(&store, &out);

    // A foreign file of a name that is needed is in the way, whatever one asks for.
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("20240102.parquet"), "mine").unwrap();
    for force in [false, true] {
        let refused = message(Transpose::new(&store, &other).force(force).workers(1).run());
        assert!(!force || refused.contains("20240102.parquet was not written by transect"), "{refused}");
        assert_eq!(entries(&other), ["20240102.parquet"]);
        assert_eq!(fs::read_to_string(other.join("20240102.parquet")).unwrap(), "mine");
    }
}

#[test]
fn files_of_dates_that_the_store_no_longer_has_are_removed() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    drop(store);
    // Only the stock without the first date is left.
    for code in ["000001.SZ", "BRK.B", "600000.SH"] {
        fs::remove_file(place.source().join(format!("{code}.parquet"))).unwrap();
    }
    Build::new(place.source(), place.store()).force(true).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    let report = run(&store, &out, Selection::default());
    assert_eq!((report.written, report.removed_files), (1, 2));
    assert_eq!(entries(&out), [".transect.parquet", "20240102.parquet"]);
    assert_clean(&store, &out);
}

#[test]
fn chosen_stocks_and_columns_are_all_that_is_written() {
    let (place, store) = small_store();
    let out = place.path("out");
    let shape = Shape {
        stocks: Some(vec!["平安".to_owned(), "000001.SZ".to_owned()]),
        columns: Some(vec!["price".to_owned(), "size".to_owned()]),
        date: Some(false),
        ..Shape::default()
    };
    let report = Transpose::new(&store, &out).shape(shape).workers(1).run().unwrap();
    assert_eq!((report.written, report.rows, report.columns), (3, 4, 3));
    let batch = read_parquet(&out.join("20240102.parquet"));
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    // In the panel's order.
    assert_eq!(names, ["ts_code", "size", "price"]);
    assert_eq!(batch.num_rows(), 2);
    assert_clean(&store, &out);

    // A date on which no chosen stock has a row has no file.
    let rare = place.path("rare");
    let shape = Shape { stocks: Some(vec!["平安".to_owned()]), ..Shape::default() };
    let report = Transpose::new(&store, &rare).shape(shape).workers(1).run().unwrap();
    assert_eq!((report.written, report.without_rows), (1, 2));
    assert_eq!(entries(&rare), [".transect.parquet", "20240102.parquet"]);
    assert_clean(&store, &rare);

    for shape in [
        Shape { stocks: Some(vec!["nobody".to_owned()]), ..Shape::default() },
        Shape { columns: Some(vec!["nothing".to_owned()]), ..Shape::default() },
        Shape { exclude: vec!["nothing".to_owned()], ..Shape::default() },
    ] {
        let result = Transpose::new(&store, place.path("never")).shape(shape).run();
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    }
    assert!(!place.path("never").exists());
}

#[test]
fn the_bytes_of_the_output_do_not_depend_on_the_workers() {
    let (place, store) = small_store();
    for format in [Format::Parquet, Format::Arrow] {
        let shape = Shape { format, ..Shape::default() };
        let outs = [1, 3].map(|count| {
            let out = place.path(&format!("{format}-{count}"));
            Transpose::new(&store, &out).shape(shape.clone()).workers(count).run().unwrap();
            out
        });
        for day in SMALL_DATES {
            let [one, three] = outs.clone().map(|out| fs::read(out.join(format!("{day}.{format}"))).unwrap());
            assert!(one == three, "{day}.{format}");
        }
    }
}

#[test]
fn every_flipped_byte_of_an_output_file_is_found() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    let path = out.join("20240102.parquet");
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 4;
        fs::write(&path, bad).unwrap();
        let report = verify_output(&store, &out, &workers(1), &Silent).unwrap();
        assert_eq!(report.differences.len(), 1, "byte {at}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(verify_output(&store, &out, &workers(1), &Silent).unwrap().differences.len(), 1);
    run(&store, &out, Selection::default());
    assert_clean(&store, &out);
}

/// After a power failure a file that was not synced may be empty, or its name gone. Those of sections can be told and
/// written again, as long as the ledger is there to tell by.
#[test]
fn the_ledger_is_synced_before_it_is_named_and_named_before_what_it_lists() {
    let (place, store) = small_store();
    let out = place.path("out");
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let disk = Disk::with_hook(move |operation| {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        noted.lock().unwrap().push(match operation {
            Operation::Sync(path) => format!("sync {}", name(path)),
            Operation::Rename(_, path) => format!("name {}", name(path)),
            Operation::SyncDir(path) => format!("sync {}", name(path)),
            _ => return Ok(()),
        });
        Ok(())
    });
    Transpose::new(&store, &out).workers(1).disk(disk).run().unwrap();
    let ledger = ["sync .transect-tmp-.transect.parquet", "name .transect.parquet", "sync out"];
    let files = SMALL_DATES.map(|date| format!("name {date}.parquet"));
    let expected: Vec<&str> = ledger.into_iter().chain(files.iter().map(String::as_str)).chain(ledger).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_ledger_that_cannot_be_written_leaves_nothing() {
    let (place, store) = small_store();
    let out = place.path("out");
    let disk = Disk::with_hook(|operation| match operation {
        Operation::Sync(_) => Err(io::Error::other("no room")),
        _ => Ok(()),
    });
    assert!(Transpose::new(&store, &out).workers(1).disk(disk).run().is_err());
    assert_eq!(entries(&out), Vec::<String>::new());
}

/// Whether an error names the ledger as damaged, and the way out that a user of an output directory has.
fn says_to_remove(result: &Result<TransposeReport, Error>, out: &Path) -> bool {
    let way_out = format!("remove {} and transpose again", out.display());
    matches!(result, Err(error @ Error::Refused { .. }) if error.to_string().contains(".transect.json is damaged") && error.to_string().contains(&way_out))
}

#[test]
fn an_output_in_the_store_is_refused() {
    let (place, store) = small_store();
    let before = entries(&place.store());
    std::os::unix::fs::symlink(place.store(), place.path("link")).unwrap();
    for out in [place.store(), place.store().join("segment"), place.store().join("new/er"), place.path("link/out")] {
        let why = message(Transpose::new(&store, &out).force(true).run());
        assert!(why.contains("lies in the store"), "{why}");
    }
    assert_eq!(entries(&place.store()), before);
}

/// Texts lie together for the whole store. A file must have its own, and no more.
#[test]
fn an_arrow_file_holds_the_texts_of_its_rows_alone() {
    let place = Place::new();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
    for data_type in [DataType::Utf8View, DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))] {
        for (code, texts) in [("A", ["first of A", "second of A"]), ("B", ["first of B", "second of B"])] {
            let texts: ArrayRef = Arc::new(StringArray::from(texts.map(|text| text.repeat(5)).to_vec()));
            place.add(code, &batch(&[("date", dates.clone()), ("x", cast(&texts, &data_type).unwrap())]));
        }
        Build::new(place.source(), place.store()).force(true).run().unwrap();
        let out = place.path(&format!("out-{data_type}"));
        let shape = Shape { format: Format::Arrow, stocks: Some(vec!["B".to_owned()]), ..Shape::default() };
        Transpose::new(&Store::open(place.store()).unwrap(), &out).shape(shape).run().unwrap();
        for (file, own) in [("20240102.arrow", "first of B"), ("20240103.arrow", "second of B")] {
            let text = String::from_utf8_lossy(&fs::read(out.join(file)).unwrap()).into_owned();
            let found = ["first of A", "second of A", "first of B", "second of B"].map(|text| text.to_owned());
            let found: Vec<String> = found.into_iter().filter(|known| text.contains(known.as_str())).collect();
            assert_eq!(found, [own], "{file}, {data_type}");
        }
    }
}

#[test]
fn a_ledger_that_leads_out_of_its_directory_is_refused() {
    let (place, store) = small_store();
    let out = place.path("out");
    let shape = Shape { name: Some("{date}/data.parquet".parse().unwrap()), ..Shape::default() };
    Transpose::new(&store, &out).shape(shape).workers(1).run().unwrap();
    fs::write(place.path("precious.parquet"), "mine").unwrap();
    let ledger = bare_ledger(&out);
    let good = fs::read_to_string(&ledger).unwrap();
    for path in ["../precious.parquet", "a/../../precious.parquet", "/precious.parquet", "."] {
        let bad = good.replace("\"pending\":[]", &format!("\"pending\":[{path:?}]"));
        assert_ne!(bad, good);
        fs::write(&ledger, bad).unwrap();
        let shape = Shape { date: Some(false), ..Shape::default() };
        let result = Transpose::new(&store, &out).shape(shape).force(true).workers(1).run();
        assert!(says_to_remove(&result, &out), "{path}: {result:?}");
        assert_eq!(fs::read_to_string(place.path("precious.parquet")).unwrap(), "mine");
    }
    for bad in ["../{date}.parquet", "/{date}.parquet"] {
        fs::write(&ledger, good.replace("{date}/data.parquet", bad)).unwrap();
        assert!(says_to_remove(&Transpose::new(&store, &out).force(true).run(), &out), "{bad}");
    }
    fs::write(&ledger, good.replace("{\"ledger\":1", "{\"ledger\":3")).unwrap();
    assert!(matches!(Transpose::new(&store, &out).run(), Err(Error::WrongVersion { found: 3, .. })));
    for bad in [String::new(), "{".to_owned(), good.replace("\"20240102\"", "\"20240132\"")] {
        fs::write(&ledger, &bad).unwrap();
        assert!(says_to_remove(&Transpose::new(&store, &out).run(), &out), "{bad}");
    }
}

#[test]
fn the_output_of_another_store_is_not_verified_against_this_one() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    let (_other, twin) = small_store();
    assert!(matches!(verify_output(&twin, &out, &workers(1), &Silent), Err(Error::Refused { .. })));
    assert!(matches!(verify_output(&store, &place.path("nowhere"), &workers(1), &Silent), Err(Error::NotFound { .. })));
}

/// Whoever asks for some dates only keeps the others as they are, even from before history was restated.
#[test]
fn files_of_an_older_version_stay_and_verify_names_them() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    small_panel(&place, 1);
    Build::new(place.source(), place.store()).force(true).run().unwrap();
    let newer = Store::open(place.store()).unwrap();
    assert_eq!((newer.id(), newer.version()), (store.id(), store.version() + 1));
    run(&newer, &out, only(&SMALL_DATES[..1]));
    let report = verify_output(&newer, &out, &workers(1), &Silent).unwrap();
    assert_eq!(report.differences.len(), 2, "{report:?}");
    // Once they are asked for, they and only they are written.
    assert_eq!(counts(&run(&newer, &out, Selection::default())), (2, 1, 0));
    assert_clean(&newer, &out);
}

#[test]
fn files_of_another_store_are_refused_and_replaced_under_force() {
    let (_place, store) = small_store();
    let (other_place, other) = small_store();
    let out = other_place.path("out");
    run(&store, &out, Selection::default());
    let before = entries(&out);
    assert!(message(Transpose::new(&other, &out).workers(1).run()).contains("another store"));
    assert_eq!(entries(&out), before, "a refused run changed something");
    let some = Transpose::new(&other, &out).selection(only(&SMALL_DATES[..1])).force(true).workers(1).run().unwrap();
    assert_eq!((some.written, some.removed_files), (1, 2));
    assert_clean(&other, &out);
}

/// A disk on which nothing can be changed. That the output directory is asked for is no change.
fn read_only() -> Disk {
    Disk::with_hook(|operation| match operation {
        Operation::CreateDir(_) => Ok(()),
        _ => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
    })
}

/// Every file below `out`, the ledger too, with its bytes and its time.
fn contents(out: &Path) -> Vec<(String, Vec<u8>, SystemTime)> {
    let paths = entries(out).into_iter().filter(|path| out.join(path).is_file());
    let content = |path: String| {
        let at = out.join(&path);
        (path, fs::read(&at).unwrap(), fs::metadata(&at).unwrap().modified().unwrap())
    };
    paths.map(content).collect()
}

#[test]
fn over_current_files_nothing_at_all_is_written() {
    let (place, store) = small_store();
    let shapes = [
        Shape::default(),
        Shape { format: Format::Arrow, date: Some(false), ..Shape::default() },
        Shape { name: Some("date={date}/part.parquet".parse().unwrap()), ..Shape::default() },
        Shape { columns: Some(vec!["price".to_owned(), "size".to_owned()]), ..Shape::default() },
        // Two of the dates have no such stock, which must not be found out again each time.
        Shape { stocks: Some(vec!["平安".to_owned()]), ..Shape::default() },
    ];
    for (at, shape) in shapes.into_iter().enumerate() {
        let out = place.path(&format!("out-{at}"));
        let transpose = || Transpose::new(&store, &out).shape(shape.clone()).workers(2);
        let first = transpose().run().unwrap();
        assert_eq!((first.written + first.without_rows, first.unchanged_files), (3, 0));
        let before = contents(&out);
        for check_content in [false, true] {
            let again = transpose().check_content(check_content).disk(read_only()).run().unwrap();
            assert_eq!(counts(&again), (0, first.written, 0), "shape {at}");
            assert_eq!((again.without_rows, again.rows, again.bytes), (first.without_rows, 0, 0));
        }
        assert_eq!(contents(&out), before, "shape {at}");
    }
}

#[test]
fn a_file_that_is_not_as_it_was_written_is_written_again_and_only_that_one() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    let path = out.join("20240102.parquet");
    let good = fs::read(&path).unwrap();
    let set_time = |time| File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let changes: [(&str, &dyn Fn()); 7] = [
        ("removed", &|| fs::remove_file(&path).unwrap()),
        ("emptied", &|| fs::write(&path, "").unwrap()),
        ("truncated", &|| fs::write(&path, &good[..good.len() - 1]).unwrap()),
        ("replaced by a foreign file", &|| fs::write(&path, "mine").unwrap()),
        ("truncated at the same time", &|| {
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            fs::write(&path, &good[..good.len() - 1]).unwrap();
            set_time(time);
        }),
        ("touched", &|| set_time(SystemTime::UNIX_EPOCH)),
        ("replaced by a link", &|| {
            fs::rename(&path, out.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        }),
    ];
    for (what, change) in changes {
        change();
        // A selection that leaves the date out leaves the file as it is.
        assert_eq!(counts(&run(&store, &out, only(&SMALL_DATES[..1]))), (0, 1, 0), "{what}");
        assert_eq!(counts(&run(&store, &out, Selection::default())), (1, 2, 0), "{what}");
        assert!(path.symlink_metadata().unwrap().is_file());
        assert!(fs::read(&path).unwrap() == good, "{what}");
        assert_eq!(counts(&run(&store, &out, Selection::default())), (0, 3, 0), "{what}");
        assert_clean(&store, &out);
    }
}

#[test]
fn content_that_changed_under_the_same_size_and_time_is_found_when_asked_for() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    let path = out.join("20240102.parquet");
    let (good, time) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    let mut bad = good.clone();
    bad[100] ^= 1;
    fs::write(&path, &bad).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(counts(&run(&store, &out, Selection::default())), (0, 3, 0));
    assert!(fs::read(&path).unwrap() == bad);
    let report = Transpose::new(&store, &out).check_content(true).workers(2).run().unwrap();
    assert_eq!(counts(&report), (1, 2, 0));
    assert!(fs::read(&path).unwrap() == good);
}

#[test]
fn files_follow_the_version_forward_and_back() {
    let (place, first) = small_store();
    let out = place.path("out");
    run(&first, &out, Selection::default());
    small_panel(&place, 1);
    Build::new(place.source(), place.store()).force(true).workers(1).run().unwrap();
    let second = Store::open(place.store()).unwrap();
    for store in [&second, &first, &second] {
        assert_eq!(run(store, &out, Selection::default()).written, 3);
        assert_clean(store, &out);
        assert_eq!(counts(&run(store, &out, Selection::default())), (0, 3, 0));
    }
}

/// A ledger whose text a test can change.
fn open_ledger(store: &Store, out: &Path) -> impl Fn(&str, &str) {
    let shape = Shape { name: Some("{date}/data.parquet".parse().unwrap()), ..Shape::default() };
    Transpose::new(store, out).shape(shape).workers(1).run().unwrap();
    let path = bare_ledger(out);
    move |from, to| {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
    }
}

#[test]
fn another_schema_has_every_file_written_again_also_those_that_are_not_selected() {
    let (place, store) = small_store();
    for (from, to, change) in [
        ("[\"price\",", "[\"prices\",", "\"price\" is new, and 1 more"),
        ("[\"size\",\"Float64\"]", "[\"size\",\"Float32\"]", "\"size\" is Float64, was Float32"),
        ("Utf8 YYYYMMDD", "Utf8 YYYY-MM-DD", "\"trade_date\" is Utf8 YYYYMMDD, was Utf8 YYYY-MM-DD"),
    ] {
        let out = place.path("out");
        let edit = open_ledger(&store, &out);
        edit(from, to);
        let transpose = |selection| {
            let shape = Shape { name: Some("{date}/data.parquet".parse().unwrap()), ..Shape::default() };
            Transpose::new(&store, &out).shape(shape).selection(selection).workers(1).run().unwrap()
        };
        let report = transpose(only(&SMALL_DATES[1..2]));
        assert_eq!(counts(&report), (3, 0, 0), "{from}");
        let note = format!("the columns have changed ({change}), so the files of 2 other dates were written too");
        assert_eq!(report.notes, [note]);
        let again = transpose(only(&SMALL_DATES[1..2]));
        assert_eq!((counts(&again), again.notes), ((0, 1, 0), Vec::new()), "{from}");
        assert_eq!(counts(&transpose(Selection::default())), (0, 3, 0), "{from}");
        assert_clean(&store, &out);
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn a_section_that_changed_and_only_that_one_is_written_again() {
    let (place, store) = small_store();
    let out = place.path("out");
    let edit = open_ledger(&store, &out);
    let made = |at: i64| format!("\"changed_ns\":{at},");
    let was = store.created_ns();
    edit(&format!("\"20240102\":{{{}", made(was)), &format!("\"20240102\":{{{}", made(was + 1)));
    let transpose = || {
        let shape = Shape { name: Some("{date}/data.parquet".parse().unwrap()), ..Shape::default() };
        Transpose::new(&store, &out).shape(shape).workers(1).run().unwrap()
    };
    assert_eq!(counts(&transpose()), (1, 2, 0));
    assert_eq!(counts(&transpose()), (0, 3, 0));
    assert_clean(&store, &out);
}

/// Both copies have the store's id, and a version 2 in which the same date changed.
#[test]
fn copies_of_a_store_that_went_apart_are_told_apart() {
    let (place, _) = small_store();
    let (copy, out) = (place.path("copy.store"), place.path("out"));
    copy_dir(&place.store(), &copy);
    let update = |salt: i64, store: &Path| {
        small_panel(&place, salt);
        let report = Update::new(store).workers(1).allow(Guard::ALL).run().unwrap();
        assert_eq!((report.version, report.dirty_dates), (2, 3));
        let store = Store::open(store).unwrap();
        let report = Transpose::new(&store, &out).workers(1).run().unwrap();
        assert_eq!(counts(&report), (3, 0, 0));
        assert_clean(&store, &out);
    };
    update(2, &place.store());
    update(4, &copy);
}

#[test]
fn the_order_of_names_makes_no_other_shape() {
    let (place, store) = small_store();
    let out = place.path("out");
    let names = |names: [&str; 3]| Some(names.map(str::to_owned).to_vec());
    let shape = |columns, stocks, name: Option<&str>| Shape {
        columns,
        stocks,
        name: name.map(|name| name.parse().unwrap()),
        ..Shape::default()
    };
    let first = shape(names(["size", "price", "size"]), names(["平安", "000001.SZ", "BRK.B"]), None);
    let same = shape(names(["price", "size", "price"]), names(["BRK.B", "000001.SZ", "平安"]), Some("{date}.parquet"));
    let written = Transpose::new(&store, &out).shape(first).run().unwrap().written;
    let again = Transpose::new(&store, &out).shape(same).disk(read_only()).run().unwrap();
    assert_eq!(counts(&again), (0, written, 0));
}

#[test]
fn a_file_that_somebody_changed_is_left_when_its_date_goes() {
    let (place, store) = small_store();
    let out = place.path("out");
    run(&store, &out, Selection::default());
    fs::write(out.join("20231229.parquet"), "mine").unwrap();
    // Its time alone does not make it somebody else's.
    let touched = File::options().write(true).open(out.join("20240103.parquet")).unwrap();
    touched.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    drop(store);
    for code in ["000001.SZ", "BRK.B", "600000.SH"] {
        fs::remove_file(place.source().join(format!("{code}.parquet"))).unwrap();
    }
    Build::new(place.source(), place.store()).force(true).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    let report = run(&store, &out, Selection::default());
    assert_eq!((counts(&report), report.left), ((1, 0, 1), 1));
    assert_eq!(entries(&out), [".transect.parquet", "20231229.parquet", "20240102.parquet"]);
    assert_eq!(fs::read_to_string(out.join("20231229.parquet")).unwrap(), "mine");
    assert_clean(&store, &out);

    // From then on it is in the way like any other.
    small_panel(&place, 0);
    Build::new(place.source(), place.store()).force(true).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    for force in [false, true] {
        let refused = message(Transpose::new(&store, &out).force(force).workers(1).run());
        assert!(refused.contains("20231229.parquet was not written by transect"), "{refused}");
    }
    assert_eq!(fs::read_to_string(out.join("20231229.parquet")).unwrap(), "mine");
}

#[test]
fn a_foreign_file_of_a_date_that_needs_none_is_not_taken_for_ours() {
    let (place, store) = small_store();
    let out = place.path("out");
    let shape = Shape { stocks: Some(vec!["平安".to_owned()]), ..Shape::default() };
    let transpose = || Transpose::new(&store, &out).shape(shape.clone()).workers(1);
    assert_eq!(transpose().run().unwrap().without_rows, 2);
    let foreign = out.join("20231229.parquet");
    fs::write(&foreign, "mine").unwrap();
    assert!(message(transpose().force(true).run()).contains("20231229.parquet was not written by transect"));
    // Nor when a shape needs it, or when all that is ours goes.
    let all = Transpose::new(&store, &out).force(true).workers(1).run();
    assert!(message(all).contains("20231229.parquet was not written by transect"));
    let arrow = Shape { format: Format::Arrow, ..shape.clone() };
    let report = Transpose::new(&store, &out).shape(arrow).force(true).run().unwrap();
    assert_eq!((report.written, report.removed_files, report.left), (1, 1, 0));
    assert_eq!(entries(&out), [".transect.arrow", "20231229.parquet", "20240102.arrow"]);
    assert_eq!(fs::read_to_string(foreign).unwrap(), "mine");
}
