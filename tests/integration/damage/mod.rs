//! Disks flip bits, copies end early, and people move files about. A panel is used to decide about money: a store must
//! give the right answer or an error, whatever happened to its bytes, and never a panic, which would take a
//! long-running reader down with it. Each byte of a small store is damaged in turn, and blocks are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use bytemuck::{bytes_of, cast_slice};
use transect::error::Damage;
use transect::format::{
    BatchRecord, Current, Directory, FOR_NOBODY, FOR_READERS, Header, MAGIC, PartRecord, SOURCE_MAGIC, SourceRecord,
    TABLE_COUNT, Table, TableRef, checksum, parse_header, table,
};
use transect::progress::Silent;
use transect::storage::Access;
use transect::{Build, Date, Error, Store, Transpose, Update, verify_source};

use self::answers::{Answers, matrix};
use super::panels::{
    Contents, Place, assert_whole, batch, contents, copy_dir, named, sections, segment_path, setting, small_panel,
    verify, workers,
};

mod answers;
mod blocks;
mod flips;
mod joined;

/// How many bits and blocks are damaged at random; `tools/torture` asks for more.
fn cases() -> usize {
    setting("TRANSECT_ROUNDS", 1000) as usize
}

/// A built store of the small panel, and what it answers.
fn small_store() -> (Place, Answers) {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    assert_whole(&store);
    let answers = Answers::of(&store);
    (place, answers)
}

fn catalog_path(place: &Place) -> PathBuf {
    named(&place.store(), "catalog/1")
}

fn tables_path(place: &Place) -> PathBuf {
    named(&place.store(), "catalog/1-0000")
}

/// The files of a store of one version, those that damage is tried on.
fn files_of(store: &Path) -> [PathBuf; 5] {
    let [catalog, segment, chunks] =
        ["catalog/1", "segment/1-0000.arrow", "segment/1.chunks"].map(|name| named(store, name));
    [store.join("CURRENT"), store.join("LOCK"), catalog, segment, chunks]
}

/// Puts these tables of the only source in place of its own, and has the catalog name them.
fn put_tables(place: &Place, tables: &[u8]) {
    fs::write(tables_path(place), tables).unwrap();
    let catalog = fs::read(catalog_path(place)).unwrap();
    let header = parse_header(&catalog, MAGIC).unwrap();
    let mut sources: Vec<SourceRecord> = table(&catalog, &header, Table::Sources).unwrap().to_vec();
    sources[0].header_checksum = u64::from_le_bytes(tables[size_of::<Header>() - 8..][..8].try_into().unwrap());
    put_catalog(place, &with_table(&catalog, Table::Sources, cast_slice(&sources)));
}

/// Where the values of each part of the only source lie, by date.
fn value_records(place: &Place) -> Vec<BatchRecord> {
    let bytes = fs::read(tables_path(place)).unwrap();
    let header = parse_header(&bytes, SOURCE_MAGIC).unwrap();
    table::<PartRecord>(&bytes, &header, Table::Parts).unwrap().iter().map(|part| part.values).collect()
}

/// Asks everything and expects nothing but that it comes back.
fn ask_all(store: &Store, answers: &Answers) {
    let _ = (store.dates(), store.stocks(), store.schema(), store.info(), store.files(), store.settings());
    let _ = (store.version(), store.id(), store.created_ns(), store.row_count(), store.keep());
    let _ = (store.history(), store.kept_versions());
    for &date in &answers.dates {
        if let Ok(section) = store.section(date) {
            let _ = (section.batch(), section.codes(), section.column("size"), section.row_count());
        }
    }
    for index in 0..answers.dates.len() + 1 {
        let _ = store.section_at(index).and_then(|section| section.batch());
    }
    for code in &answers.stocks {
        let _ = (store.series(code), store.stock(code));
    }
    let _ = store.series("no such stock");
    let _ = matrix(store);
    let _ = store.verify(&workers(1), &Silent);
}

/// Each checksum is compared once: what was whole when it was first read is not read again for every look-up.
#[test]
fn a_section_of_zeros_gives_no_row_by_stock_and_a_whole_one_is_checked_once() {
    let (place, answers) = small_store();
    let path = segment_path(&place.store());
    let good = fs::read(&path).unwrap();
    let zeroed = |section: usize| {
        let records = value_records(&place);
        let start = records[section].body_offset as usize;
        let mut bytes = good.clone();
        bytes[start..start + records[section].body_len as usize].fill(0);
        // In place, as a disk does it: a store that has the file mapped sees the zeros.
        fs::write(&path, bytes).unwrap();
    };
    let store = Store::open(place.store()).unwrap();
    let whole: Vec<Contents> = answers.stocks.iter().map(|code| contents(&store.series(code).unwrap())).collect();
    assert_eq!(whole, answers.series);
    for section in 0..answers.dates.len() {
        zeroed(section);
        let fresh = Store::open(place.store()).unwrap();
        for code in &answers.stocks {
            match fresh.series(code) {
                Err(Error::Corrupt { path: named, damage: Damage::Section { date, .. } }) => {
                    assert_eq!((named, date), (path.clone(), answers.dates[section]));
                }
                other => panic!("{code}: {other:?}"),
            }
        }
        // No checksum is compared again: the codes of this store's sections were whole when they were read.
        assert!(!matches!(store.series("000001.SZ"), Err(Error::Corrupt { damage: Damage::Section { .. }, .. })));
    }
}

#[test]
fn comparing_a_damaged_store_with_its_source_never_panics() {
    let (place, _) = small_store();
    let path = segment_path(&place.store());
    let good = fs::read(&path).unwrap();
    let mut differences = 0;
    for at in (0..good.len()).step_by(13) {
        let mut bad = good.clone();
        bad[at] ^= 0x81;
        fs::write(&path, &bad).unwrap();
        let store = Store::open(place.store()).unwrap();
        match verify_source(&store, &place.source(), &workers(1).within(64 << 20), &Silent) {
            Ok(report) => differences += report.difference_count,
            Err(_) => differences += 1,
        }
    }
    assert!(differences > 0, "no flipped value was found to differ from the source");
}

#[test]
fn two_sections_that_changed_places_are_refused() {
    let place = Place::new();
    // Two dates with the same stocks: their bodies have the same length.
    for code in ["A", "B"] {
        let dates: arrow_array::ArrayRef =
            std::sync::Arc::new(arrow_array::StringArray::from(vec!["20240102", "20240103"]));
        let size = vec![1.0, 2.0];
        let sizes: arrow_array::ArrayRef = std::sync::Arc::new(arrow_array::Float64Array::from(size));
        place.add(code, &super::panels::batch(&[("date", dates), ("size", sizes)]));
    }
    place.build();
    let records = value_records(&place);
    let body = |record: &BatchRecord| record.body_offset as usize..(record.body_offset + record.body_len) as usize;
    let path = segment_path(&place.store());
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[body(&records[0])].copy_from_slice(&good[body(&records[1])]);
    bad[body(&records[1])].copy_from_slice(&good[body(&records[0])]);
    assert_ne!(bad, good);
    fs::write(&path, &bad).unwrap();
    refused_everywhere(&Store::open(place.store()).unwrap());

    // The other way: whole bodies where they belong, and a catalog that was put together wrongly, all checksums of
    // tables right. The chunks' seeds tell.
    fs::write(&path, &good).unwrap();
    let tables = fs::read(tables_path(&place)).unwrap();
    let header = parse_header(&tables, SOURCE_MAGIC).unwrap();
    let mut swapped: Vec<PartRecord> = table(&tables, &header, Table::Parts).unwrap().to_vec();
    (swapped[0].values, swapped[1].values) = (records[1], records[0]);
    put_tables(&place, &with_table(&tables, Table::Parts, bytemuck::cast_slice(&swapped)));
    refused_everywhere(&Store::open(place.store()).unwrap());
}

fn refused_everywhere(store: &Store) {
    for &date in store.dates().unwrap() {
        let batch = store.section(date).unwrap().batch();
        assert!(
            matches!(batch, Err(Error::Corrupt { damage: Damage::Section { .. }, .. })),
            "{date}: {:?}",
            batch.map(|_| "a batch")
        );
    }
    let damages = verify(store).damages;
    let names = |date: &Date| damages.iter().any(|damage| damage.contains(&format!("on {date} does not match")));
    assert!(store.dates().unwrap().iter().all(names), "{damages:?}");
}

#[test]
fn the_segment_of_another_store_is_refused() {
    let (place, answers) = small_store();
    let other = Place::new();
    small_panel(&other, 2);
    other.build();
    let (ours, theirs) = (segment_path(&place.store()), segment_path(&other.store()));
    assert_eq!(fs::metadata(&ours).unwrap().len(), fs::metadata(&theirs).unwrap().len(), "a fair exchange");
    fs::copy(&theirs, &ours).unwrap();
    let store = Store::open(place.store()).unwrap();
    for &date in &answers.dates {
        let batch = store.section(date).unwrap().batch();
        assert!(matches!(batch, Err(Error::Corrupt { .. })), "{date}: {:?}", batch.map(|_| "a batch"));
    }
    assert!(!verify(&store).damages.is_empty());
}

/// Segments of equal panels are equal to the byte, so the store's identity is all that tells their catalogs apart.
#[test]
fn the_catalog_of_a_twin_does_not_fit_its_twin() {
    let (place, _) = small_store();
    let bytes = fs::read(catalog_path(&place)).unwrap();
    let Directory { mut header, listed, .. } = parse_header(&bytes, MAGIC).unwrap();
    header.store_id[0] ^= 1;
    put_catalog(&place, &with_header(&bytes, header, &listed));
    refused_everywhere(&Store::open(place.store()).unwrap());
}

#[test]
fn what_is_missing_is_named() {
    let (place, answers) = small_store();
    let copy = |name: &str| {
        let copy = place.path(name);
        copy_dir(&place.store(), &copy);
        copy
    };
    let corrupt = |result: Result<Store, Error>, file: &Path| match result {
        Err(Error::Corrupt { path, .. }) => assert_eq!(path, file),
        other => panic!("{}: {:?}", file.display(), other.map(|_| "opened")),
    };

    let store = copy("segment-is-missing");
    let segment = segment_path(&store);
    fs::remove_file(&segment).unwrap();
    let opened = Store::open(&store).unwrap();
    assert_eq!(opened.dates().unwrap(), answers.dates);
    match opened.section(answers.dates[0]) {
        Err(Error::Corrupt { path, .. }) => assert_eq!(path, segment),
        other => panic!("{:?}", other.map(|_| "a section")),
    }
    assert!(verify(&opened).damages[0].contains("not there"));

    let store = copy("chunks-are-missing");
    let chunks = named(&store, "segment/1.chunks");
    fs::remove_file(&chunks).unwrap();
    match Store::open(&store).unwrap().section(answers.dates[0]) {
        Err(Error::Corrupt { path, .. }) => assert_eq!(path, chunks),
        other => panic!("{:?}", other.map(|_| "a section")),
    }

    let store = copy("tables-are-missing");
    let tables = named(&store, "catalog/1-0000");
    fs::remove_file(&tables).unwrap();
    match Store::open(&store).unwrap().section(answers.dates[0]) {
        Err(Error::Corrupt { path, .. }) => assert_eq!(path, tables),
        other => panic!("{:?}", other.map(|_| "a section")),
    }

    let store = copy("catalog-is-missing");
    let catalog = named(&store, "catalog/1");
    fs::remove_file(&catalog).unwrap();
    corrupt(Store::open(&store), &catalog);

    let store = copy("current-is-empty");
    fs::write(store.join("CURRENT"), "").unwrap();
    corrupt(Store::open(&store), &store.join("CURRENT"));

    let right = Current::parse(&fs::read(place.store().join("CURRENT")).unwrap()).unwrap();
    for wrong in [
        Current { commit: 7, ..right },
        Current { version: 7, ..right },
        Current { header_checksum: right.header_checksum ^ 1, ..right },
    ] {
        let store = copy("current-names-another");
        fs::write(store.join("CURRENT"), wrong.encode()).unwrap();
        corrupt(Store::open(&store), &store.join(format!("catalog/{:016x}", wrong.commit)));
        fs::remove_dir_all(&store).unwrap();
    }

    let store = copy("catalog-is-anothers");
    let other = store.join("catalog/0000000000000007");
    fs::rename(named(&store, "catalog/1"), &other).unwrap();
    fs::write(store.join("CURRENT"), Current { commit: 7, ..right }.encode()).unwrap();
    corrupt(Store::open(&store), &other);

    let store = copy("current-is-of-the-future");
    fs::write(store.join("CURRENT"), "transect store 2\nversion 1\nchecksum 0000000000000000\n").unwrap();
    match Store::open(&store) {
        Err(Error::WrongVersion { path, found: 2, supported: 1 }) => assert_eq!(path, store.join("CURRENT")),
        other => panic!("{:?}", other.map(|_| "opened")),
    }

    let store = copy("catalog-is-of-the-future");
    let path = named(&store, "catalog/1");
    let bytes = fs::read(&path).unwrap();
    let Directory { header, listed, .. } = parse_header(&bytes, MAGIC).unwrap();
    fs::write(&path, with_header(&bytes, Header { format_version: 2, ..header }, &listed)).unwrap();
    assert!(matches!(Store::open(&store), Err(Error::WrongVersion { found: 2, supported: 1, .. })));

    let store = copy("current-is-missing");
    fs::remove_file(store.join("CURRENT")).unwrap();
    corrupt(Store::open(&store), &store.join("CURRENT"));
    fs::write(store.join("LOCK"), "").unwrap();
    assert!(matches!(Store::open(&store), Err(Error::Unfinished { path }) if path == store));
    fs::remove_file(store.join("LOCK")).unwrap();
    assert!(matches!(Store::open(&store), Err(Error::NotAStore { .. })));
    assert!(matches!(Store::open(place.path("nowhere")), Err(Error::NotAStore { .. })));
}

#[test]
fn a_damaged_store_is_not_transposed() {
    let (place, answers) = small_store();
    let path = segment_path(&place.store());
    let records = value_records(&place);
    let mut bad = fs::read(&path).unwrap();
    bad[records[1].body_offset as usize + 1] ^= 1;
    fs::write(&path, bad).unwrap();
    let store = Store::open(place.store()).unwrap();
    let out = place.path("out");
    let result = Transpose::new(&store, &out).workers(1).run();
    assert!(matches!(result, Err(Error::Corrupt { .. })), "{:?}", result.map(|_| "done"));
    assert!(!out.join(format!("{}.parquet", answers.dates[1])).exists());
}

/// Checksums protect from accidents, not from a catalog that someone made up, or that a bug wrote. Structure is checked
/// as well, so that such a catalog gives errors or wrong answers, and nothing worse.
#[test]
fn a_catalog_of_wrong_numbers_with_right_checksums_never_panics() {
    let (place, answers) = small_store();
    each_file(&place, |good, put| {
        let header = parse_header(good, magic_of(good)).unwrap();
        for kind in Table::ALL {
            let place_of_table = header.place(kind);
            let start = place_of_table.offset as usize;
            let content = &good[start..start + place_of_table.byte_len as usize];
            for at in 0..content.len() {
                for change in [0x01, 0x80, 0xff, 0x7f ^ content[at]] {
                    let mut changed = content.to_vec();
                    changed[at] ^= change;
                    put(&with_table(good, kind, &changed));
                    if let Ok(store) = Store::open(place.store()) {
                        ask_all(&store, &answers);
                    }
                }
            }
        }
    });
}

#[test]
fn a_catalog_whose_tables_end_early_never_panics() {
    let (place, answers) = small_store();
    each_file(&place, |good, put| {
        let header = parse_header(good, magic_of(good)).unwrap();
        for kind in Table::ALL {
            let start = header.place(kind).offset as usize;
            let len = header.place(kind).byte_len as usize;
            for kept in (0..len).filter(|kept| kept % 4 == 0 || *kept < 9) {
                put(&with_table(good, kind, &good[start..start + kept]));
                if let Ok(store) = Store::open(place.store()) {
                    ask_all(&store, &answers);
                }
            }
        }
    });
}

/// Calls `change` with the bytes of the catalog, and with those of the source's tables; `put` puts others in their place.
fn each_file(place: &Place, change: impl Fn(&[u8], &dyn Fn(&[u8]))) {
    let (catalog, tables) = (fs::read(catalog_path(place)).unwrap(), fs::read(tables_path(place)).unwrap());
    change(&catalog, &|bytes| put_catalog(place, bytes));
    put_catalog(place, &catalog);
    change(&tables, &|bytes| put_tables(place, bytes));
}

/// A half-made store must not be taken for a store by anything that writes, either.
#[test]
fn a_build_over_a_damaged_store_needs_force_and_then_repairs_it() {
    let (place, answers) = small_store();
    fs::write(place.store().join("CURRENT"), "rubbish").unwrap();
    let build = || Build::new(place.source(), place.store()).workers(1);
    assert!(matches!(build().run(), Err(Error::Refused { .. })));
    assert_eq!(build().force(true).run().unwrap().version, 2);
    let store = Store::open(place.store()).unwrap();
    assert_whole(&store);
    assert_eq!(sections(&store), answers.sections);
}

/// How a file of tables begins.
fn magic_of(tables: &[u8]) -> [u8; 8] {
    tables[..8].try_into().unwrap()
}

/// `catalog` with `content` in place of a table, and all checksums right. The content may be shorter.
fn with_table(catalog: &[u8], which: Table, content: &[u8]) -> Vec<u8> {
    let Directory { header, mut listed, .. } = parse_header(catalog, magic_of(catalog)).unwrap();
    let place = listed.iter_mut().find(|table| table.kind == which as u32).unwrap();
    let mut bytes = catalog.to_vec();
    bytes[place.offset as usize..][..content.len()].copy_from_slice(content);
    place.byte_len = content.len() as u64;
    place.checksum = checksum(content);
    with_header(&bytes, header, &listed)
}

/// `catalog` with another header and directory, whose checksum is put right.
fn with_header(catalog: &[u8], mut header: Header, listed: &[TableRef]) -> Vec<u8> {
    let (len, directory) = (size_of::<Header>(), cast_slice(listed));
    header.table_count = listed.len() as u32;
    header.checksum = checksum(&[&bytes_of(&header)[..len - 8], directory].concat());
    let mut bytes = catalog.to_vec();
    bytes[..len].copy_from_slice(bytes_of(&header));
    bytes[len..len + directory.len()].copy_from_slice(directory);
    bytes
}

/// Puts another catalog in place of the live one, and has CURRENT name it.
fn put_catalog(place: &Place, catalog: &[u8]) {
    fs::write(catalog_path(place), catalog).unwrap();
    let path = place.store().join("CURRENT");
    let current = Current::parse(&fs::read(&path).unwrap()).unwrap();
    let header_checksum = u64::from_le_bytes(catalog[size_of::<Header>() - 8..][..8].try_into().unwrap());
    fs::write(path, Current { header_checksum, ..current }.encode()).unwrap();
}

/// Of two transects, the older may meet what the newer added.
#[test]
fn an_unknown_table_is_passed_over_unless_a_reader_must_know_it() {
    let (place, answers) = small_store();
    let good = fs::read(catalog_path(&place)).unwrap();
    let Directory { header, listed, .. } = parse_header(&good, MAGIC).unwrap();
    let added = |kind: u32, needed: u32| {
        let table = TableRef { kind, needed, offset: 1 << 8, byte_len: 0, checksum: checksum(&[]) };
        put_catalog(&place, &with_header(&good, header, &[&listed[..], &[table]].concat()));
        Store::open(place.store())
    };
    for kind in [TABLE_COUNT as u32, u32::MAX] {
        let store = added(kind, FOR_NOBODY).unwrap();
        assert_eq!(sections(&store), answers.sections);
        assert_whole(&store);
        for needed in [FOR_READERS, 2, u32::MAX] {
            let why = added(kind, needed).unwrap_err();
            assert!(matches!(why, Error::UnknownTable { .. }), "{why:?}");
            let right = format!(
                "{} has a table of kind {kind}, which this transect does not know and must; use the transect that wrote \
                 it, or a newer one",
                catalog_path(&place).display()
            );
            assert_eq!(why.to_string(), right);
        }
    }
    // A table is listed once.
    assert!(matches!(added(Table::Dates as u32, FOR_READERS), Err(Error::Corrupt { .. })));
    let table = TableRef { kind: 99, needed: FOR_NOBODY, offset: 0, byte_len: 8, checksum: 1 };
    put_catalog(&place, &with_header(&good, header, &[&listed[..], &[table]].concat()));
    let damages = verify(&Store::open(place.store()).unwrap()).damages;
    assert!(damages[0].contains("table of kind 99"), "{damages:?}");
}

#[test]
fn what_is_wrong_with_one_segment_hides_nothing_that_is_wrong_with_another() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240105"]));
    place.add("new", &batch(&[("date", dates)]));
    assert!(Update::new(place.store()).run().unwrap().published);
    let segment = |name: &str| named(&place.store(), name);
    let (first, second) = (segment("segment/1-0000.arrow"), segment("segment/2-0000.arrow"));
    let store = Store::open(place.store()).unwrap();
    assert_eq!(store.info().unwrap().segments, 2);
    let mut bytes = fs::read(&first).unwrap();
    bytes[0] ^= 1;
    fs::write(&first, bytes).unwrap();
    fs::remove_file(&second).unwrap();
    let damages = verify(&Store::open(place.store()).unwrap()).damages;
    for path in [first, second] {
        let path = path.display().to_string();
        assert!(damages.iter().any(|damage| damage.contains(&path)), "{path} is not among {damages:?}");
    }
}

#[test]
fn all_that_is_damaged_is_named_with_its_place() {
    let (place, _) = small_store();
    let (segment, catalog) = (segment_path(&place.store()), catalog_path(&place));
    let records = value_records(&place);
    let mut damaged = fs::read(&segment).unwrap();
    for record in &records {
        damaged[record.body_offset as usize..][..record.body_len as usize].iter_mut().for_each(|byte| *byte ^= 0x40);
    }
    damaged[8] ^= 1;
    fs::write(&segment, damaged).unwrap();
    for (path, magic, which) in [(catalog, MAGIC, Table::Settings), (tables_path(&place), SOURCE_MAGIC, Table::Files)] {
        let mut bytes = fs::read(&path).unwrap();
        let header = parse_header(&bytes, magic).unwrap();
        bytes[header.place(which).offset as usize] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let damages = verify(&Store::open(place.store()).unwrap()).damages;
    for what in ["table Settings", "table Files", "schema, dictionaries, batch headers and footer"] {
        let named = damages.iter().filter(|damage| damage.contains(what)).count();
        assert_eq!(named, 1, "{what} in {damages:?}");
    }
    // Nine columns on each of three dates.
    let columns = damages.iter().filter(|damage| damage.contains("checksum of column")).count();
    assert_eq!((columns, damages.len()), (27, 30), "{damages:?}");
}

/// For disks that others write to: nothing is mapped, what was read stays, and what is read is compared each time.
#[test]
fn what_is_read_and_not_mapped_is_right_or_an_error_whatever_becomes_of_the_file() {
    let (place, answers) = small_store();
    let path = segment_path(&place.store());
    let good = fs::read(&path).unwrap();
    let store = Store::open_with(place.store(), Access::Read).unwrap();
    answers.compare(&store, "whole");
    assert_eq!(sections(&store), answers.sections);
    assert_eq!(verify(&store).damages, Vec::<String>::new());
    // So small a section is read at once, when the first of it is asked for.
    let section = store.section(answers.dates[0]).unwrap();
    section.codes().unwrap();
    for len in (0..good.len()).step_by(97) {
        fs::write(&path, &good[..len]).unwrap();
        match store.series("000001.SZ") {
            Err(Error::Corrupt { damage: Damage::Length { expected, got }, .. }) => {
                assert_eq!((expected, got), (good.len() as u64, len as u64));
            }
            other => panic!("{len} bytes: {other:?}"),
        }
        answers.compare(&store, &format!("{len} bytes"));
    }
    fs::write(&path, vec![0; good.len()]).unwrap();
    answers.compare(&store, "zeros");
    assert!(store.series("000001.SZ").is_err() && store.section(answers.dates[0]).unwrap().batch().is_err());
    assert_eq!(contents(&section.batch().unwrap()), answers.sections[0].1);
    fs::remove_file(&path).unwrap();
    answers.compare(&store, "gone");
    assert!(store.section(answers.dates[0]).unwrap().batch().is_err());
}

/// Whoever opens a FIFO waits for its writer; a store has none.
#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let files = files_of(&place.store());
    for file in [&files[..], &[tables_path(&place)]].concat() {
        let name = file.strip_prefix(place.store()).unwrap();
        if name == Path::new("LOCK") {
            continue;
        }
        let copy = place.path("copy");
        copy_dir(&place.store(), &copy);
        let path = copy.join(name);
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let read = Store::open(&copy).and_then(|store| store.section(store.dates()?[0])?.batch());
        assert!(matches!(read, Err(Error::Io { path: named, .. }) if named == path), "{}", name.display());
        fs::remove_dir_all(&copy).unwrap();
    }
}
