//! Bytes of every kind that the crate reads, changed at random by a seed, for each of the `targets`; and random sequences
//! of `operations`. libFuzzer is handed the same targets by `tools/fuzz`.
//!
//! Each round tries 200,000 texts, 50,000 records of a store, 100 files of a store, 100 ledgers, 1,000 inputs and
//! 10 sequences; TRANSECT_ROUNDS and TRANSECT_SEED choose.

use std::fs;
use std::path::{Path, PathBuf};

use transect::sink::Format;
use transect::source::InputFormat;
use transect::{Shape, Store, Transpose};

use super::operations::operations;
use super::panels::{Place, named, paths_in, small_panel};
use super::scene::{Random, rounds as whole_rounds};
use super::targets;

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
            targets::texts(&String::from_utf8_lossy(&mutant(&mut random, &corpus)));
        }
    }
}

#[test]
fn the_records_of_a_store_are_read_or_refused() {
    let place = Place::in_memory();
    small_panel(&place, 0);
    place.build();
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
            targets::records(&mutant(&mut random, &corpus));
        }
    }
}

#[test]
fn a_golden_store_of_which_a_file_is_damaged_gives_answers_or_errors() {
    let corpus = targets::golden_files();
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        for _ in 0..10 {
            targets::stores(&mutant(&mut random, &corpus));
        }
    }
}

#[test]
fn a_ledger_of_any_bytes_is_believed_or_refused() {
    let corpus = [targets::golden_ledger()];
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        for _ in 0..10 {
            targets::ledgers(&mutant(&mut random, &corpus));
        }
    }
}

#[test]
fn inputs_are_read_or_skipped_and_stop_no_other() {
    let place = Place::in_memory();
    targets::write(&place.source().join("good.parquet"), &targets::good());
    place.build();
    let store = Store::open(place.store()).unwrap();
    let mut by_date = Vec::new();
    for format in [Format::Arrow, Format::Parquet] {
        let out = place.path(&format!("{format:?}"));
        Transpose::new(&store, &out).shape(Shape { format, ..Shape::default() }).run().unwrap();
        let files = paths_in(&out).into_iter().filter(|path| !is_hidden(path));
        by_date.extend(files.map(|path| fs::read(path).unwrap()));
    }
    let by_stock = [fs::read(place.source().join("good.parquet")).unwrap()];
    let mut read = 0;
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        let mut drawn = |corpus: &[Vec<u8>]| (0..50).map(|_| mutant(&mut random, corpus)).collect::<Vec<_>>();
        read += targets::inputs(InputFormat::Parquet, &drawn(&by_stock), &drawn(&by_date));
    }
    assert!(read > 0 && read < 25 * rounds(), "{read} of {} read", 50 * rounds());
}

#[test]
fn inputs_of_other_formats_are_read_or_skipped_and_stop_no_other() {
    let csv_of_date = b"ts_code,date,x,s\ngood,20240201,1.5,\"a, b\"\nsame,20240201,,\n".to_vec();
    let arrow = [targets::good_as(InputFormat::Arrow)];
    let cases = [
        (InputFormat::Arrow, &arrow[..], &arrow[..]),
        (InputFormat::Csv, &[targets::good_as(InputFormat::Csv)][..], &[csv_of_date][..]),
    ];
    for (input, by_stock, by_date) in cases {
        let mut read = 0;
        for round in 0..whole_rounds() {
            let mut random = Random::new(round as u64);
            let mut drawn = |corpus: &[Vec<u8>]| (0..50).map(|_| mutant(&mut random, corpus)).collect::<Vec<_>>();
            read += targets::inputs(input, &drawn(by_stock), &drawn(by_date));
        }
        assert!(read > 0 && read < 50 * whole_rounds(), "{read} of {} read, {input}", 50 * whole_rounds());
    }
}

#[test]
fn a_store_holds_what_random_operations_on_disks_that_fail_have_left_in_it() {
    for round in 0..rounds() {
        let mut random = Random::new(round as u64);
        let bytes: Vec<u8> = (0..20 + random.below(60)).map(|_| random.below(256) as u8).collect();
        operations(&bytes);
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}
