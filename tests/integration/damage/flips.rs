//! One bit after the other is turned, and the files of a store are cut at every length.

use std::fs;
use std::path::{Path, PathBuf};

use transect::error::Damage;
use transect::format::Header;
use transect::progress::Silent;
use transect::storage::Access;
use transect::{Error, Store};

use super::super::panels::{Place, copy_dir, named, segment_path, verify, workers};
use super::super::scene::seed;
use super::answers::Answers;
use super::{cases, catalog_path, files_of, small_store};

#[test]
fn every_flipped_byte_of_a_catalog_gives_the_right_answer_or_an_error() {
    let (place, answers) = small_store();
    let path = catalog_path(&place);
    let good = fs::read(&path).unwrap();
    for at in size_of::<Header>()..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        for access in [Access::Map, Access::Read] {
            let Ok(store) = Store::open_with(place.store(), access) else { continue };
            let context = format!("catalog byte {at}, {access:?}");
            answers.compare(&store, &context);
            assert!(!verify(&store).damages.is_empty(), "{context}: verify does not notice");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_catalogs_header_is_refused() {
    let (place, _) = small_store();
    let path = catalog_path(&place);
    let good = fs::read(&path).unwrap();
    for bit in 0..8 * size_of::<Header>() {
        fs::write(&path, flipped(&good, bit)).unwrap();
        let opened = Store::open(place.store());
        let is_refused = matches!(opened, Err(Error::Corrupt { .. } | Error::WrongVersion { .. }));
        assert!(is_refused, "bit {bit}: {:?}", opened.map(|_| "opened"));
    }
}

#[test]
fn a_catalog_cut_at_any_length_is_refused() {
    let (place, _) = small_store();
    let path = catalog_path(&place);
    let good = fs::read(&path).unwrap();
    for len in 0..good.len() {
        fs::write(&path, &good[..len]).unwrap();
        for access in [Access::Map, Access::Read] {
            match Store::open_with(place.store(), access) {
                Err(Error::Corrupt { path: named, damage: Damage::Length { .. } }) => assert_eq!(named, path),
                other => panic!("{len} bytes: {:?}", other.map(|_| "opened")),
            }
        }
    }
    fs::write(&path, [&good[..], &[0]].concat()).unwrap();
    assert!(matches!(Store::open(place.store()), Err(Error::Corrupt { damage: Damage::Length { .. }, .. })));
}

#[test]
fn every_flipped_byte_of_current_is_refused() {
    let (place, _) = small_store();
    let path = place.store().join("CURRENT");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            fs::write(&path, &bad).unwrap();
            let opened = Store::open(place.store());
            assert!(
                matches!(opened, Err(Error::Corrupt { .. } | Error::WrongVersion { .. })),
                "byte {at}, bit {bit}: {:?}",
                opened.map(|_| "opened")
            );
        }
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_chunk_file_is_an_error_and_seen_by_verify() {
    let (place, answers) = small_store();
    let path = named(&place.store(), "segment/1.chunks");
    let good = fs::read(&path).unwrap();
    let flips = (0..8 * good.len()).map(|bit| flipped(&good, bit));
    let cuts = (0..good.len()).map(|len| good[..len].to_vec());
    for (at, bad) in flips.chain(cuts).enumerate() {
        fs::write(&path, &bad).unwrap();
        let store = Store::open(place.store()).unwrap();
        for &date in &answers.dates {
            assert!(store.section(date).is_err(), "damage {at}");
        }
        assert!(!verify(&store).damages.is_empty(), "damage {at}: verify does not notice");
    }
}

#[test]
fn every_flipped_byte_of_a_segment_is_an_error_where_it_is_used_and_seen_by_verify() {
    let (place, answers) = small_store();
    let path = segment_path(&place.store());
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10 << (at % 4);
        fs::write(&path, &bad).unwrap();
        let store = Store::open(place.store()).unwrap();
        let context = format!("segment byte {at}");
        answers.compare(&store, &context);
        assert!(!verify(&store).damages.is_empty(), "{context}: verify does not notice");
    }
}

#[test]
fn a_segment_of_any_other_length_is_refused() {
    let (place, answers) = small_store();
    let path = segment_path(&place.store());
    let good = fs::read(&path).unwrap();
    let cuts = (0..good.len()).map(|len| good[..len].to_vec());
    for bytes in cuts.chain([[&good[..], &[0]].concat()]) {
        fs::write(&path, &bytes).unwrap();
        let store = Store::open(place.store()).unwrap();
        for &date in &answers.dates {
            match store.section(date) {
                Err(Error::Corrupt { path: named, damage: Damage::Length { expected, got } }) => {
                    assert_eq!((named, expected, got), (path.clone(), good.len() as u64, bytes.len() as u64));
                }
                other => panic!("{} bytes: {:?}", bytes.len(), other.map(|_| "a section")),
            }
        }
        assert!(!verify(&store).damages.is_empty());
    }
}

/// `bytes` with one bit turned.
fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// As many bits of the golden stores as there are cases, evenly apart; all of them where there are so many.
#[test]
fn flipped_bits_of_a_golden_store_give_the_right_answer_or_an_error() {
    let place = Place::in_memory();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1/panel.store");
    copy_dir(&golden, &place.store());
    let store = Store::open(place.store()).unwrap();
    let answers = Answers::of(&store);
    let files: Vec<(PathBuf, Vec<u8>)> =
        files_of(&place.store()).map(|path| (path.clone(), fs::read(path).unwrap())).into();
    let bits: Vec<(usize, usize)> = files
        .iter()
        .enumerate()
        .flat_map(|(file, (_, bytes))| (0..8 * bytes.len()).map(move |bit| (file, bit)))
        .collect();
    let step = (bits.len() / cases()).max(1);
    for &(file, bit) in bits.iter().skip(seed() as usize % step).step_by(step) {
        let (path, good) = &files[file];
        fs::write(path, flipped(good, bit)).unwrap();
        if let Ok(store) = Store::open(place.store()) {
            let context = format!("{}, bit {bit}", path.display());
            answers.compare(&store, &context);
            let damages = store.verify_all(&workers(1), &Silent).unwrap().damages;
            assert_eq!(damages.is_empty(), path.ends_with("LOCK"), "{context}: verify");
        }
        fs::write(path, good).unwrap();
    }
}
