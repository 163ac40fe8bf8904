//! Bytes of every kind that the crate reads, changed at random by a seed: each is read or refused, and never a panic.
//!
//! Each round tries 200,000 texts, 50,000 records of a store, 600 files beside it and 1,000 inputs; TRANSECT_ROUNDS and
//! TRANSECT_SEED choose.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use transect::format::{
    Current, LockNote, MAGIC, SOURCE_MAGIC, TABLE_COUNT, Table, parse_catalog_name, parse_chunks_name, parse_header,
    parse_segment_name, table,
};
use transect::sink::{Compression, Format, NamePattern};
use transect::source::{Cast, Pattern, parse_type};
use transect::{Append, Build, Date, Guard, Limit, Shape, Store, Transpose, Update};

use super::panels::{Place, assert_whole, batch, contents, named, small_panel, write_parquet};
use super::scene::{Random, rounds as whole_rounds};

/// How often each test begins anew.
fn rounds() -> usize {
    10 * whole_rounds()
}

/// One of `corpus`, changed in one to three places.
fn mutant(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    const ODD: [u64; 6] = [0, 1, u64::MAX, i64::MAX as u64, u32::MAX as u64, i32::MAX as u64];
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(3) {
        let (at, way) = (random.below(bytes.len()), random.below(6));
        let end = (at + [1, 2, 4, 8][random.below(4)]).min(bytes.len());
        match way {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                bytes.splice(at..at, other[from..(from + 8).min(other.len())].iter().copied());
            }
            _ => {
                let odd = ODD[random.below(ODD.len())].to_le_bytes();
                bytes[at..end].copy_from_slice(&odd[..end - at]);
            }
        }
    }
    bytes
}

/// Reads a text; what was read must say so again, in words that mean the same.
fn comes_back<T: FromStr + ToString + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let said = value.to_string();
        assert!(said.parse::<T>().is_ok_and(|again| again == value), "{text:?} is {said:?}, which is something else");
    }
}

#[test]
fn texts_are_read_or_refused() {
    let corpus = [
        "20240102",
        "2024-01-02",
        "2024/01/02",
        "trade_date={date}/data.parquet",
        "{date}.arrow",
        "{code}.parquet",
        "**/{code}_daily.parquet",
        "a=float64",
        "a b=timestamp[us,Asia/Shanghai]",
        "decimal128(18,4)",
        "0.5%",
        "1000",
        "missing-files",
        "zstd:3",
        "parquet",
        "00000000000000ab",
        "00000000000000ab-0000.arrow",
        "00000000000000ab.chunks",
        "平安",
    ];
    let corpus = corpus.map(|text| text.as_bytes().to_vec());
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        for _ in 0..20_000 {
            let text = String::from_utf8_lossy(&mutant(&mut random, &corpus)).into_owned();
            comes_back::<Date>(&text);
            comes_back::<Limit>(&text);
            let _ = (text.parse::<Guard>().is_ok(), text.parse::<Pattern>().is_ok(), text.parse::<Cast>().is_ok());
            let _ = (text.parse::<NamePattern>().is_ok(), text.parse::<Format>().is_ok(), parse_type(&text).is_ok());
            let _ = (text.parse::<Compression>().is_ok(), parse_catalog_name(&text), parse_segment_name(&text));
            let _ = parse_chunks_name(&text);
        }
    }
}

/// The store and the output of a small panel.
fn world() -> Place {
    let place = Place::in_memory();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    Transpose::new(&store, place.path("out")).run().unwrap();
    place
}

#[test]
fn the_records_of_a_store_are_read_or_refused() {
    let place = world();
    let read = |path: PathBuf| fs::read(path).unwrap();
    let store = place.store();
    let corpus = [
        read(store.join("CURRENT")),
        read(store.join("LOCK")),
        read(named(&store, "catalog/1")),
        read(named(&store, "catalog/1-0000")),
        read(named(&store, "segment/1.chunks")),
    ];
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        for _ in 0..5_000 {
            let bytes = mutant(&mut random, &corpus);
            let _ = (Current::parse(&bytes).is_ok(), LockNote::parse(&bytes).is_some());
            for magic in [MAGIC, SOURCE_MAGIC] {
                let Ok(header) = parse_header(&bytes, magic) else { continue };
                for number in 0..TABLE_COUNT {
                    let _ = Table::ALL.get(number).map(|kind| table::<u8>(&bytes, &header, *kind).is_ok());
                }
            }
        }
    }
}

#[test]
fn the_files_beside_a_store_stop_no_command_in_its_midst() {
    let place = world();
    let (lock, ledger) = (place.store().join("LOCK"), place.path("out").join(".transect.parquet"));
    let (lock_bytes, ledger_bytes) = (fs::read(&lock).unwrap(), fs::read(&ledger).unwrap());
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        for _ in 0..30 {
            fs::write(&lock, mutant(&mut random, std::slice::from_ref(&lock_bytes))).unwrap();
            let _ = Update::new(place.store()).dry_run(true).run().is_ok();
            fs::write(&lock, &lock_bytes).unwrap();
            fs::write(&ledger, mutant(&mut random, std::slice::from_ref(&ledger_bytes))).unwrap();
            let store = Store::open(place.store()).unwrap();
            let _ = Transpose::new(&store, place.path("out")).run().is_ok();
            assert_whole(&store);
        }
    }
}

#[test]
fn inputs_are_read_or_skipped_and_stop_no_other() {
    let numbers = |rows: usize| Arc::new(Float64Array::from_iter_values((0..rows).map(|n| n as f64))) as ArrayRef;
    let texts = |texts: &[&str]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let dates = ["20240102", "20240103", "20240104"];
    let good = batch(&[("date", texts(&dates)), ("x", numbers(3)), ("s", texts(&["a", "", "b"]))]);
    let place = Place::in_memory();
    write_parquet(&place.source().join("good.parquet"), &good);
    place.build();
    let store = Store::open(place.store()).unwrap();
    let expected = contents(&store.series("good").unwrap());
    let mut by_date = Vec::new();
    for format in [Format::Arrow, Format::Parquet] {
        let out = place.path(&format!("{format:?}"));
        Transpose::new(&store, &out).shape(Shape { format, ..Shape::default() }).run().unwrap();
        let files = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
        by_date.extend(files.filter(|path| !is_hidden(path)).map(|path| fs::read(path).unwrap()));
    }
    let (mut read, mut skipped) = (0, 0);
    let by_stock = [fs::read(place.source().join("good.parquet")).unwrap()];
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        let world = Place::in_memory();
        write_parquet(&world.source().join("good.parquet"), &good);
        for n in 0..50 {
            fs::write(world.source().join(format!("m{n}.parquet")), mutant(&mut random, &by_stock)).unwrap();
        }
        let report = Build::new(world.source(), world.store()).memory(64 << 20).allow(Guard::ALL).run().unwrap();
        (read, skipped) = (read + 50 - report.skipped.len(), skipped + report.skipped.len());
        assert_eq!(contents(&Store::open(world.store()).unwrap().series("good").unwrap()), expected);
        let files: Vec<_> = (0..50).map(|n| world.path(&format!("20240{}{:02}", 1 + n / 28, 1 + n % 28))).collect();
        for file in &files {
            fs::write(file, mutant(&mut random, &by_date)).unwrap();
        }
        Append::new(world.store(), files).memory(64 << 20).allow(Guard::ALL).run().unwrap();
        assert_whole(&Store::open(world.store()).unwrap());
    }
    assert!(read > 0 && skipped > read, "{read} read, {skipped} skipped");
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}
