//! The same of a store of bars from two sources, one of which has some of the rows alone: keys, and the bits that say
//! which rows a source has, lie in files and tables that a plain store does not have.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use transect::source::SourceOptions;
use transect::{AddSource, Build, Guard, Join, Store};

use super::super::panels::{Place, assert_whole, batch, paths_in, setting, verify, write_parquet};
use super::answers::Answers;
use super::cases;

fn store_of_two_sources() -> Place {
    let place = Place::in_memory();
    let write = |dir: PathBuf, code: &str, name: &str, is_kept: fn(i64) -> bool| {
        fs::create_dir_all(&dir).unwrap();
        let rows: Vec<i64> = (0..24).filter(|&row| is_kept(row)).collect();
        let columns: [(&str, ArrayRef); 4] = [
            ("date", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("2024010{}", 2 + row / 8))))),
            ("bar", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row % 8)))),
            (name, Arc::new(Int64Array::from_iter(rows.iter().map(|row| (row % 5 > 0).then_some(row * 1000))))),
            (
                if name == "volume" { "kind" } else { "note" },
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("{code} {}", row % 3)))),
            ),
        ];
        write_parquet(&dir.join(format!("{code}.parquet")), &batch(&columns));
    };
    for code in ["A", "B", "C"] {
        write(place.source(), code, "volume", |row| row % 4 > 0);
    }
    let other = place.path("other");
    for code in ["B", "C", "D"] {
        write(other.clone(), code, "turnover", |row| row % 3 > 0);
    }
    let options = SourceOptions { key: vec!["bar".to_owned()], ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).workers(1).keep(1).run().unwrap();
    let add = AddSource::new(place.store(), [other]).join(Join::Outer);
    assert!(add.allow(Guard::ALL).workers(1).run().unwrap().published);
    place
}

#[test]
fn flipped_bits_of_a_keyed_store_of_two_sources_give_the_right_answer_or_an_error() {
    let place = store_of_two_sources();
    let store = Store::open(place.store()).unwrap();
    assert_eq!((store.source_names().unwrap().len(), store.row_count()), (2, 78));
    assert_whole(&store);
    let answers = Answers::of(&store);
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for dir in ["", "catalog", "segment"] {
        let paths = paths_in(&place.store().join(dir));
        files.extend(paths.iter().filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())));
    }
    files.sort();
    // CURRENT and LOCK; a catalog and the tables of each source; segments of keys and of each source, and their chunks.
    assert!(files.len() >= 8, "{files:?}");
    let bits: Vec<(usize, usize)> = files
        .iter()
        .enumerate()
        .flat_map(|(file, (_, bytes))| (0..8 * bytes.len()).map(move |bit| (file, bit)))
        .collect();
    let step = (bits.len() * 3 / cases()).max(1);
    let mut seen = 0;
    for &(file, bit) in bits.iter().skip(setting("TRANSECT_SEED", 11) as usize % step).step_by(step) {
        let (path, good) = &files[file];
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, bad).unwrap();
        if let Ok(store) = Store::open(place.store()) {
            let context = format!("{}, bit {bit}", path.display());
            answers.compare(&store, &context);
            assert_eq!(verify(&store).damages.is_empty(), path.ends_with("LOCK"), "{context}: verify");
            seen += 1;
        }
        fs::write(path, good).unwrap();
    }
    assert!(seen > cases() / 6, "{seen} stores could be opened");
}
