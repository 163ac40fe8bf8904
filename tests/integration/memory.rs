//! A file that is small on disk and large in memory: what fits is read, in as few columns at a time as it takes, and
//! what does not is refused by name.

use std::fs;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BooleanArray, DictionaryArray, Int64Array, RecordBatch, StringArray};
use transect::progress::Silent;
use transect::remedy::{Remedy, Setting};
use transect::sink::Partition;
use transect::source::{FilesBy, InputFormat, Pattern, SourceOptions};
use transect::storage::Access;
use transect::{Append, Build, Error, Shape, Store, Transpose, Update, verify_source};

use super::panels::{Place, batch, workers, write_parquet};

const MEMORY: u64 = 64 << 20;

/// `count` columns that each say one text of 4 KiB in `rows` rows, beside `keys`: a few KiB as a file.
fn repetitive(keys: (&str, Vec<String>), count: usize, rows: usize) -> RecordBatch {
    let names: Vec<String> = (0..count).map(|n| format!("s{n}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![(keys.0, Arc::new(StringArray::from(keys.1)))];
    for name in &names {
        let text = name.repeat(2048);
        columns.push((name, Arc::new(StringArray::from(vec![text.as_str(); rows]))));
    }
    batch(&columns)
}

fn dates(rows: usize) -> Vec<String> {
    (0..rows).map(|row| format!("{}{:02}{:02}", 2000 + row / 336, 1 + row / 28 % 12, 1 + row % 28)).collect()
}

/// The bytes of memory that a refusal names.
fn advised(refusal: &str) -> u64 {
    let mib = refusal.split("; memory of ").nth(1).and_then(|end| end.split(" MiB allows it").next());
    mib.and_then(|mib| mib.parse::<u64>().ok()).unwrap_or_else(|| panic!("{refusal}")) << 20
}

#[test]
fn columns_that_are_too_many_at_once_are_read_one_at_a_time() {
    let place = Place::new();
    // 8 MiB a column: two are a quarter of the memory, and more than that with their rows.
    write_parquet(&place.source().join("A.parquet"), &repetitive(("date", dates(2000)), 6, 2000));
    write_parquet(&place.source().join("B.parquet"), &repetitive(("date", dates(3)), 6, 3));
    let report = Build::new(place.source(), place.store()).memory(MEMORY).workers(1).run().unwrap();
    assert_eq!((report.skipped.len(), report.rows), (0, 2003));
    let store = Store::open(place.store()).unwrap();
    let report = verify_source(&store, &place.source(), &workers(1).within(MEMORY), &Silent).unwrap();
    assert_eq!((report.skipped.len(), report.differences.len(), report.rows), (0, 0, 2003));
}

#[test]
fn a_column_that_is_too_large_alone_is_refused_with_the_memory_that_holds_it() {
    let place = Place::new();
    write_parquet(&place.source().join("A.parquet"), &repetitive(("date", dates(5000)), 1, 5000));
    write_parquet(&place.source().join("B.parquet"), &repetitive(("date", dates(3)), 1, 3));
    let build = |memory| Build::new(place.source(), place.store()).memory(memory).workers(1).run().unwrap();
    let refused = build(MEMORY);
    let reason = refused.skipped[0].reason.to_string();
    let expected = "decoded, it would take 20 MiB, more than a quarter of the memory, which is 64 MiB; memory of ";
    assert!(reason.starts_with(expected), "{reason}");
    let place = Place::new();
    write_parquet(&place.source().join("A.parquet"), &repetitive(("date", dates(5000)), 1, 5000));
    let enough = advised(&reason);
    assert!(Build::new(place.source(), place.store()).memory(enough).workers(1).run().unwrap().skipped.is_empty());
}

#[test]
fn the_memory_that_is_advised_for_dates_and_keys_holds_the_columns_that_are_read_after_them() {
    const ROWS: i64 = 720_000;
    let place = Place::new();
    // 17 MiB with their places; the texts take three times as much.
    let columns: [(&str, ArrayRef); 3] = [
        ("date", Arc::new(Int64Array::from(vec![20240102; ROWS as usize]))),
        ("k", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("text", Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| format!("{:050}", n % 7))))),
    ];
    write_parquet(&place.source().join("A.parquet"), &batch(&columns));
    let options = || SourceOptions { key: vec!["k".to_owned()], ..SourceOptions::default() };
    let build = |memory| Build::new(place.source(), place.store()).options(options()).memory(memory).workers(1).run();
    let refused = build(MEMORY).unwrap_err().to_string();
    assert!(refused.contains("decoded, it would take 17 MiB, more than a quarter of the memory"), "{refused}");
    assert_eq!(build(advised(&refused)).unwrap().rows, ROWS as u64, "{refused}");
}

#[test]
fn a_file_of_too_many_dates_is_refused_with_the_memory_that_holds_them_and_stays_out_of_the_comparison() {
    const DATES: usize = 3000;
    let place = Place::new();
    let names: Vec<String> = (0..466).map(|n| format!("x{n}")).collect();
    let values: ArrayRef = Arc::new(BooleanArray::from(vec![true; DATES]));
    let mut columns: Vec<(&str, ArrayRef)> = vec![("date", Arc::new(StringArray::from(dates(DATES))))];
    columns.extend(names.iter().map(|name| (name.as_str(), Arc::clone(&values))));
    write_parquet(&place.source().join("A.parquet"), &batch(&columns));
    write_parquet(&place.source().join("B.parquet"), &batch(&columns).slice(0, 2));
    let report = Build::new(place.source(), place.store()).memory(MEMORY).workers(1).run().unwrap();
    assert_eq!((report.rows, report.skipped.len()), (2, 1));
    assert_eq!(
        report.skipped[0].reason.to_string(),
        "has 3000 dates; the list of where 468 columns lie on 3000 dates would take 65 MiB, more than the memory, \
         which is 64 MiB; memory of 65 MiB allows it"
    );

    // With more memory the file can be read, and nobody would expect its rows in the store.
    let store = Store::open(place.store()).unwrap();
    let verify = || verify_source(&store, &place.source(), &workers(1).within(1 << 30), &Silent).unwrap();
    let report = verify();
    assert_eq!((report.files, report.difference_count, report.skipped.len()), (1, 0, 0));
    assert_eq!(report.skipped_before[0].path, "A.parquet");
    // Another file by that name is compared.
    write_parquet(&place.source().join("A.parquet"), &batch(&columns).slice(0, 1));
    assert_eq!((verify().files, verify().skipped_before.len()), (2, 0));
}

/// A csv file of one row that begins its columns' names with `letter`.
fn write_csv(place: &Place, letter: char, columns: usize) {
    let names: String = (0..columns).map(|n| format!(",{letter}{n}")).collect();
    let text = format!("date{names}\n20240102{}\n", ",1".repeat(columns));
    std::fs::write(place.source().join(format!("{letter}.csv")), text).unwrap();
}

fn build_csv(place: &Place, memory: u64) -> transect::Result<transect::BuildReport> {
    let pattern = Pattern::usual(FilesBy::Stock, InputFormat::Csv);
    let options = SourceOptions { input: InputFormat::Csv, pattern, ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).memory(memory).workers(2).run()
}

#[test]
fn columns_that_are_too_many_are_refused_by_each_command_with_the_memory_that_holds_them() {
    let place = Place::new();
    "ab".chars().for_each(|letter| write_csv(&place, letter, 9000));
    let refused = build_csv(&place, MEMORY).unwrap_err().to_string();
    let told =
        "18002 columns take 37 MiB of the memory whatever their rows, more than half of the memory, which is 64 MiB; ";
    assert!(refused.starts_with(told), "{refused}");
    let enough = advised(&refused);
    assert_eq!(build_csv(&place, enough).unwrap().columns, 18_002);

    let store = Store::open(place.store()).unwrap();
    let transpose = |format: &str, memory| {
        let shape = Shape { format: format.parse().unwrap(), ..Shape::default() };
        Transpose::new(&store, place.path(format)).shape(shape).memory(memory).workers(2).run()
    };
    let refused = transpose("parquet", MEMORY).unwrap_err().to_string();
    assert!(refused.starts_with("18002 columns take 106 MiB of the memory"), "{refused}");
    assert_eq!(transpose("parquet", advised(&refused)).unwrap().rows, 2);
    assert_eq!(transpose("csv", MEMORY).unwrap().rows, 2);
    let verify = |memory| verify_source(&store, &place.source(), &workers(2).within(memory), &Silent);
    let update = |memory| Update::new(place.store()).memory(memory).reread(true).run();
    assert!(verify(MEMORY).unwrap_err().to_string().starts_with(told));
    assert!(update(MEMORY).unwrap_err().to_string().starts_with(told));
    assert_eq!((verify(enough).unwrap().rows, update(enough).unwrap().restated), (2, 0));
}

#[test]
fn columns_of_files_of_several_dates_are_refused_with_the_memory_that_holds_their_rows_that_wait() {
    let place = Place::new();
    write_csv(&place, 'a', 1500);
    build_csv(&place, MEMORY).unwrap();
    let store = Store::open(place.store()).unwrap();
    let transpose = |by, memory| {
        let shape = Shape { by, ..Shape::default() };
        Transpose::new(&store, place.path(&format!("{by:?}"))).shape(shape).memory(memory).workers(1).run()
    };
    let refused = transpose(Partition::Month, 16 << 20).unwrap_err().to_string();
    assert!(refused.starts_with("1502 columns take 24 MiB of the memory"), "{refused}");
    assert_eq!(transpose(Partition::Month, advised(&refused)).unwrap().rows, 1);
    assert_eq!(transpose(Partition::Date, 16 << 20).unwrap().rows, 1);
}

#[test]
fn row_groups_that_are_too_many_for_the_end_of_a_file_are_refused_with_the_memory_that_holds_it() {
    let place = Place::new();
    let rows = 9300;
    let names: Vec<String> = (0..1050).map(|n| format!("t{n}")).collect();
    let text: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(vec!["text"; rows]));
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("date", Arc::new(StringArray::from(vec!["20240102"; rows]))),
        ("k", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
    ];
    columns.extend(names.iter().map(|name| (name.as_str(), text.clone())));
    write_parquet(&place.source().join("A.parquet"), &batch(&columns));
    let options = SourceOptions { key: vec!["k".to_owned()], ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).run().unwrap();

    let store = Store::open(place.store()).unwrap();
    let shape = |by, format: &str| Shape { by, format: format.parse().unwrap(), ..Shape::default() };
    let transpose = |shape: Shape, memory| {
        let out = place.path(&format!("{:?} {}", shape.by, shape.format));
        Transpose::new(&store, out).shape(shape).memory(memory).workers(2).run()
    };
    let small = 17 << 20;
    for by in [Partition::All, Partition::Stock] {
        let refused = transpose(shape(by, "parquet"), small).unwrap_err().to_string();
        let told = "a file of 9300 rows and 1053 columns has 10 row groups, which take 11 MiB of the memory until it is \
                    whole, more than half of it, which is 17 MiB; ";
        assert!(refused.starts_with(told), "{refused}");
        assert_eq!(transpose(shape(by, "parquet"), advised(&refused)).unwrap().rows, 9300);
    }
    let written = place.path("All parquet");
    let verify = |memory| transect::verify_output(&store, &written, &workers(1).within(memory), &Silent);
    assert!(verify(25 << 20).is_ok_and(|report| report.differences.is_empty()));
    // Of one date, or without an end, there is nothing to hold.
    assert_eq!(transpose(shape(Partition::Date, "parquet"), small).unwrap().rows, 9300);
    assert_eq!(transpose(shape(Partition::All, "csv"), small).unwrap().rows, 9300);
}

#[test]
fn a_file_of_more_columns_than_a_run_may_have_is_left_out_with_the_memory_that_holds_it() {
    let place = Place::new();
    write_csv(&place, 'a', 10);
    write_csv(&place, 'w', 20_000);
    let report = build_csv(&place, MEMORY).unwrap();
    let reason = report.skipped[0].reason.to_string();
    let told = "has 20001 columns, which take 41 MiB, more than half of the memory, which is 64 MiB; memory of ";
    assert!(reason.starts_with(told) && report.rows == 1, "{reason}");
    fs::remove_dir_all(place.store()).unwrap();
    assert_eq!(build_csv(&place, advised(&reason) + (1 << 20)).unwrap().rows, 2);
    fs::remove_dir_all(place.store()).unwrap();
    let pattern = Pattern::usual(FilesBy::Stock, InputFormat::Csv);
    let columns = Some(vec!["w7".to_owned()]);
    let some = SourceOptions { input: InputFormat::Csv, pattern, columns, ..SourceOptions::default() };
    assert_eq!(Build::new(place.source(), place.store()).options(some).memory(MEMORY).run().unwrap().rows, 2);

    let long: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let names: Vec<String> = (0..20_000).map(|n| format!("p{n}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![("date", Arc::new(StringArray::from(vec!["20240102"])))];
    columns.extend(names.iter().map(|name| (name.as_str(), long.clone())));
    let place = Place::new();
    write_parquet(&place.source().join("W.parquet"), &batch(&columns));
    write_parquet(&place.source().join("A.parquet"), &batch(&columns[..2]));
    let report = Build::new(place.source(), place.store()).memory(MEMORY).run().unwrap();
    // It is its footer that is too long.
    let reason = report.skipped[0].reason.to_string();
    assert!(report.rows == 1 && reason.contains("of the memory, which is 64 MiB; memory of "), "{reason}");
}

#[test]
fn files_of_which_each_has_other_columns_are_refused_before_all_are_looked_at() {
    let place = Place::new();
    ('a'..='l').for_each(|letter| write_csv(&place, letter, 8000));
    let refused = build_csv(&place, MEMORY).unwrap_err().to_string();
    assert!(refused.contains(" of 12 files say of their columns takes "), "{refused}");
    assert!((64 << 20..128 << 20).contains(&advised(&refused)), "{refused}");
}

#[test]
fn an_appended_file_is_refused_with_the_memory_that_holds_it() {
    let place = Place::new();
    write_parquet(&place.source().join("A.parquet"), &repetitive(("date", dates(3)), 1, 3));
    Build::new(place.source(), place.store()).run().unwrap();
    let codes = |rows| ("ts_code", (0..rows).map(|row| format!("{row:06}")).collect());
    let (large, small) = (place.source().join("20240103.parquet"), place.source().join("20240104.parquet"));
    write_parquet(&large, &repetitive(codes(3000), 1, 3000));
    write_parquet(&small, &repetitive(codes(2), 1, 2));
    let append = |memory| Append::new(place.store(), [&large, &small]).memory(memory).workers(1).run().unwrap();
    let report = append(MEMORY);
    assert_eq!((report.added, report.skipped.len()), (2, 1));
    let reason = report.skipped[0].reason.to_string();
    assert!(reason.contains("more than a quarter of the memory, which is 64 MiB; memory of "), "{reason}");
    let report = append(advised(&reason));
    assert_eq!((report.added, report.skipped.len()), (3000, 0), "{reason}");
}

#[test]
fn texts_that_differ_in_all_appended_files_are_counted_together() {
    let place = Place::new();
    write_parquet(&place.source().join("A.parquet"), &repetitive(("date", dates(3)), 1, 3));
    Build::new(place.source(), place.store()).run().unwrap();
    // 3 MiB a file, all different.
    let files: Vec<_> = (0..8)
        .map(|day| {
            let path = place.source().join(format!("2024020{}.parquet", day + 1));
            let texts: Vec<String> =
                (0..750).map(|row| format!("{day} {row} ").repeat(1024)[..4096].to_owned()).collect();
            let codes: Vec<String> = (0..750).map(|row| format!("{row:06}")).collect();
            write_parquet(
                &path,
                &batch(&[
                    ("ts_code", Arc::new(StringArray::from(codes)) as ArrayRef),
                    ("s0", Arc::new(StringArray::from(texts)) as ArrayRef),
                ]),
            );
            path
        })
        .collect();
    let append = |memory| Append::new(place.store(), files.clone()).memory(memory).workers(1).run();
    let Err(why @ Error::Refused { .. }) = append(MEMORY) else { panic!("24 MiB of texts within 16") };
    assert_eq!(
        why.to_string(),
        "the distinct texts of \"s0\" (23 MiB) take more than a quarter of the memory (16 MiB); memory of 118 MiB \
         allows it"
    );
    assert_eq!(append(2 * MEMORY).unwrap().added, 6000);

    // Those that the store has are held beside new ones.
    let path = place.source().join("20240301.parquet");
    write_parquet(&path, &repetitive(("ts_code", vec!["000001".to_owned()]), 1, 1));
    let append = |memory| Append::new(place.store(), [&path]).memory(memory).workers(1).run();
    let why = append(MEMORY).unwrap_err().to_string();
    let told = "the distinct texts of many columns, beside 23 MiB that the store has, take more than a quarter of the memory \
                (16 MiB); memory of ";
    assert!(why.starts_with(told), "{why}");
    assert_eq!(append(advised(&why)).unwrap().added, 1);
}

#[test]
fn as_many_columns_of_texts_are_told_as_must_be_left_out() {
    let place = Place::new();
    // 36 MiB and more, in a quarter of 64; the columns of the key cannot go.
    let texts = |stock: usize, column: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..3000).map(|row| format!("{stock} {column} {row:0500}"))))
    };
    for stock in 0..2 {
        let names: Vec<String> = (0..12).map(|column| format!("t{column}")).collect();
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("date", Arc::new(Int64Array::from(vec![20240102; 3000]))),
            ("k", Arc::new(StringArray::from_iter_values((0..3000).map(|row| format!("{stock} {row:0700}"))))),
        ];
        columns.extend(names.iter().enumerate().map(|(column, name)| (name.as_str(), texts(stock, column))));
        write_parquet(&place.source().join(format!("{stock}.parquet")), &batch(&columns));
    }
    let build = |exclude: Vec<String>| {
        let options = SourceOptions { key: vec!["k".to_owned()], exclude, ..SourceOptions::default() };
        Build::new(place.source(), place.store()).options(options).memory(MEMORY).workers(2).run()
    };
    let why = build(Vec::new()).unwrap_err();
    let excluded = why.remedies().into_iter().find_map(|remedy| match remedy {
        Remedy::Set { settings, .. } => settings.into_iter().find_map(|setting| match setting {
            Setting::Exclude(names) => Some(names),
            _ => None,
        }),
        _ => None,
    });
    let excluded = excluded.unwrap_or_else(|| panic!("{why}"));
    assert!((7..10).contains(&excluded.len()), "{why}");
    let report = build(excluded.clone()).unwrap();
    assert_eq!((report.rows, report.columns), (6000, 3 + 12 - excluded.len() as u64));
}

#[test]
fn texts_that_are_read_count_as_memory() {
    // 40 MiB of texts in 10,240 rows.
    let place = Place::in_memory();
    let texts: Vec<String> = (0..10_240).map(|n| format!("{n:04096}")).collect();
    for (code, texts) in texts.chunks(1024).enumerate() {
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        place.add(&format!("A{code}"), &batch(&[("date", Arc::new(StringArray::from(dates(1024)))), ("t", texts)]));
    }
    Build::new(place.source(), place.store()).memory(1 << 30).workers(1).run().unwrap();
    let transpose = |access, memory| {
        let store = Store::open_with(place.store(), access).unwrap();
        Transpose::new(&store, place.path(&format!("{access:?}"))).memory(memory).workers(2).run()
    };
    let refused = transpose(Access::Read, 32 << 20).unwrap_err().to_string();
    assert!(refused.contains("the store's texts take 41 MiB of the memory, which is 32 MiB"), "{refused}");
    let enough = advised(&refused);
    assert!((40 << 20..48 << 20).contains(&enough), "{refused}");
    assert_eq!(transpose(Access::Read, enough).unwrap().rows, 10_240);
    // The kernel's pages are no memory of ours.
    assert_eq!(transpose(Access::Map, 32 << 20).unwrap().rows, 10_240);
}

/// A store with one piece of 66 columns of eight bytes in 65,536 rows: 34 MiB with its key.
fn one_large_piece() -> Place {
    const ROWS: i64 = 1 << 16;
    let place = Place::in_memory();
    let names: Vec<String> = (0..66).map(|n| format!("x{n}")).collect();
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40; ROWS as usize]));
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("date", Arc::new(StringArray::from(vec!["20240102"; ROWS as usize]))),
        ("k", Arc::new(Int64Array::from_iter_values(0..ROWS))),
    ];
    columns.extend(names.iter().map(|name| (name.as_str(), Arc::clone(&values))));
    place.add("A", &batch(&columns));
    let options = SourceOptions { key: vec!["k".to_owned()], ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap();
    place
}

#[test]
fn a_piece_that_is_read_must_fit_half_of_the_memory_and_else_is_refused_with_the_memory_that_holds_it() {
    let place = one_large_piece();
    let store = Store::open_with(place.store(), Access::Read).unwrap();
    let expected = |left| {
        format!(
            "files that are not mapped are read: the store's texts take 1 MiB of the memory, which is 64 MiB; {left} MiB \
             are to be left, for pieces of sections of which the largest takes 34 MiB; memory of 68 MiB allows it"
        )
    };
    let transpose = |columns: Option<Vec<String>>, memory| {
        let shape = Shape { columns, ..Shape::default() };
        Transpose::new(&store, place.path("out")).shape(shape).memory(memory).workers(2).run()
    };
    assert_eq!(transpose(None, MEMORY).unwrap_err().to_string(), expected(67));
    let update = |memory| Update::new(place.store()).access(Access::Read).memory(memory).reread(true).run();
    assert_eq!(update(MEMORY).unwrap_err().to_string(), expected(68));
    let verify = |memory| verify_source(&store, &place.source(), &workers(2).within(memory), &Silent);
    assert_eq!(verify(MEMORY).unwrap_err().to_string(), expected(68));
    // What was advised is enough, and so is less of it, and a map.
    let enough = 68 << 20;
    assert_eq!(update(enough).unwrap().restated, 0);
    assert_eq!(verify(enough).unwrap().difference_count, 0);
    assert_eq!(transpose(Some(vec!["x7".to_owned()]), MEMORY).unwrap().rows, 1 << 16);
    assert_eq!(Update::new(place.store()).memory(MEMORY).reread(true).run().unwrap().restated, 0);
}
