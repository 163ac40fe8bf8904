//! A disk or a copy gets whole blocks wrong: one stands in another's place, in an older state, or is full of zeros.

use std::fs;
use std::path::PathBuf;

use transect::{Build, Store};

use super::super::panels::{Place, assert_whole, named, segment_path, small_panel, verify};
use super::super::scene::Random;
use super::answers::Answers;
use super::cases;

/// A file of a store, and what it was in the version before.
struct Versions {
    path: PathBuf,
    now: Vec<u8>,
    before: Vec<u8>,
}

/// The second version of the small panel, and its files, which are as long as those of the first.
fn two_versions() -> (Place, Vec<Versions>) {
    let place = Place::in_memory();
    let mut before = Vec::new();
    for (salt, version) in [(0, 1), (1, 2)] {
        small_panel(&place, salt);
        Build::new(place.source(), place.store()).workers(1).force(true).keep(1).run().unwrap();
        let of_version = |name: &str| named(&place.store(), &name.replace('N', &version.to_string()));
        let [catalog, segment, chunks] = ["catalog/N", "segment/N-0000.arrow", "segment/N.chunks"].map(of_version);
        let files =
            [place.store().join("CURRENT"), catalog, segment, chunks].map(|path| (fs::read(&path).unwrap(), path));
        if version == 1 {
            before = files.map(|(bytes, _)| bytes).into();
            continue;
        }
        let pairs = files.into_iter().zip(std::mem::take(&mut before));
        let files = pairs.map(|((now, path), before)| Versions { path, now, before });
        return (place, files.collect());
    }
    unreachable!("two versions were built")
}

#[test]
fn blocks_out_of_place_of_another_day_or_of_zeros_give_the_right_answer_or_an_error() {
    let (place, files) = two_versions();
    assert_eq!(segment_path(&place.store()), named(&place.store(), "segment/2-0000.arrow"));
    let answers = Answers::of(&Store::open(place.store()).unwrap());
    let mut random = Random::new(0);
    let mut damaged = 0;
    for case in 0..cases() {
        let file = &files[random.below(files.len())];
        let block = [8, 64, 512, 4096][random.below(4)];
        let aligned = |random: &mut Random, len: usize| random.below(len.div_ceil(block)) * block;
        let (to, way) = (aligned(&mut random, file.now.len()), random.below(5));
        let mut bad = file.now.clone();
        let put = |bad: &mut Vec<u8>, from: &[u8], start: usize, to: usize| {
            let len = block.min(from.len().saturating_sub(start)).min(bad.len() - to);
            if len > 0 {
                bad[to..to + len].copy_from_slice(&from[start..start + len]);
            }
        };
        match way {
            0 => put(&mut bad, &vec![0; block], 0, to),
            1 => put(&mut bad, &file.before, to, to),
            2 => {
                let other = aligned(&mut random, file.now.len());
                put(&mut bad, &file.now, other, to);
                put(&mut bad, &file.now, to, other);
            }
            3 => {
                let other = &files[random.below(files.len())].now;
                let start = aligned(&mut random, other.len());
                put(&mut bad, other, start, to);
            }
            // All from here on is from before: a write of several blocks that came half-way.
            _ => {
                let end = bad.len().min(file.before.len());
                bad[to.min(end)..end].copy_from_slice(&file.before[to.min(end)..end]);
            }
        }
        if bad == file.now {
            continue;
        }
        damaged += 1;
        fs::write(&file.path, &bad).unwrap();
        if let Ok(store) = Store::open(place.store()) {
            let context = format!("case {case}: {}, way {way}, {block} bytes at {to}", file.path.display());
            answers.compare(&store, &context);
            assert!(!verify(&store).damages.is_empty(), "{context}: verify does not notice");
        }
        fs::write(&file.path, &file.now).unwrap();
    }
    assert!(damaged > cases() / 2, "{damaged} of {} were damage", cases());
    assert_whole(&Store::open(place.store()).unwrap());
}
