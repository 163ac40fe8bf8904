//! Receipts that say what they should not, with the checksum of what they say: from a program that is wrong, or a disk
//! that is worse than its checksums. Nobody's words are taken for what would not fit, and none makes a task panic.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use transect::Store;

use super::panels::{copy_dir, entries};
use super::scene::Random;
use super::several_tasks::two_sources;
use super::tasks::{go_on, staged, tasks};
use super::update_tasks::{self, all_but_commit};

#[test]
fn receipts_of_a_build_of_any_words_give_an_answer_or_an_error() {
    let (place, path, files) = staged();
    let staging = place.path("own.staging");
    let names: Vec<&String> = files.keys().filter(|name| !name.contains('.')).collect();
    let mut random = Random::new(7);
    for round in 0..400 {
        let name = names[random.below(names.len())];
        let mut bytes = files[name].clone();
        for _ in 0..=random.below(2) {
            let at = 64 + random.below((bytes.len() - 64) / 4) * 4;
            let odd = [0, 1, u32::MAX, i32::MAX as u32, 1 << 16, bytes[at].into()][random.below(6)];
            match random.below(3) {
                0 => bytes[at] ^= 1 << random.below(8),
                _ => bytes[at..at + 4].copy_from_slice(&odd.to_le_bytes()),
            }
        }
        for (other, whole) in &files {
            // What comes later is made of it.
            let is_later = name.starts_with("part") && other == "assembly" || other.starts_with("band");
            match is_later && round % 2 == 0 && other != name {
                true => _ = fs::remove_file(staging.join(other)),
                false => fs::write(staging.join(other), whole).unwrap(),
            }
        }
        forge(&staging.join(name), bytes);
        let own = tasks(&path);
        let _ = (0..2).try_for_each(|part| own.gather(part).map(drop));
        let _ = own.assemble();
        let _ = (0..2).try_for_each(|band| own.seal(band).map(drop));
        let _ = own.commit();
        let _ = fs::remove_dir_all(place.path("own.store"));
    }
}

#[test]
fn receipts_of_an_update_of_any_words_give_an_answer_or_an_error() {
    let (world, path) = two_sources();
    let (staging, own) = (world.place.path("own.staging"), world.place.path("own.store"));
    copy_dir(&own, &world.place.path("before.store"));
    all_but_commit(&update_tasks::tasks(&path)).unwrap();
    let files: BTreeMap<String, Vec<u8>> =
        entries(&staging).into_iter().map(|name| (name.clone(), fs::read(staging.join(&name)).unwrap())).collect();
    let names: Vec<&String> = files.keys().filter(|name| !name.contains('.')).collect();
    let mut random = Random::new(8);
    for round in 0..400 {
        let name = names[random.below(names.len())];
        for (other, whole) in &files {
            // What comes later is made of it.
            let is_later = other.starts_with("band") || name.starts_with("part") && other.starts_with("changes");
            match is_later && round % 4 > 0 && other != name {
                true => _ = fs::remove_file(staging.join(other)),
                false => fs::write(staging.join(other), whole).unwrap(),
            }
        }
        forge(&staging.join(name), reworded(&files[name], &mut random));
        let done = all_but_commit(&update_tasks::tasks(&path));
        let committed = update_tasks::tasks(&path).commit();
        if done.is_ok() && committed.is_ok_and(|report| report.published) {
            Store::open(&own).unwrap();
            fs::remove_dir_all(&own).unwrap();
            copy_dir(&world.place.path("before.store"), &own);
        }
    }
}

/// Sums of them would be beyond any number.
#[test]
fn counts_of_more_rows_than_there_can_be_are_refused() {
    let (world, path) = two_sources();
    all_but_commit(&update_tasks::tasks(&path)).unwrap();
    let staging = world.place.path("own.staging");
    let names = ["changes-0000", "changes-0001"];
    let whole = names.map(|name| fs::read(staging.join(name)).unwrap());
    for key in ["added", "restated", "filled", "removed", "turned_null", "rows_before", "count", "left_out", "parted"] {
        for (name, whole) in names.iter().zip(&whole) {
            let mut arrays: Vec<Vec<u8>> = arrays_of(whole).into_iter().map(|own| whole[own].to_vec()).collect();
            let text = String::from_utf8(arrays[0].clone()).unwrap();
            let key = format!("\"{key}\":");
            let mut parts = text.split(&key);
            let mut other = parts.next().unwrap().to_owned();
            for part in parts {
                let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
                let number = if rest.len() < part.len() { u64::MAX.to_string() } else { String::new() };
                other += &format!("{key}{number}{rest}");
            }
            assert_ne!(text, other);
            arrays[0] = other.into_bytes();
            forge(&staging.join(name), of_arrays(whole, &arrays));
        }
        let why = update_tasks::tasks(&path).commit().unwrap_err().to_string();
        assert!(why.contains("changes-0000 is damaged: what differs is not of this store"), "{key}: {why}");
        names.iter().zip(&whole).for_each(|(name, whole)| fs::write(staging.join(name), whole).unwrap());
    }
    assert!(update_tasks::tasks(&path).commit().unwrap().published);
}

#[test]
fn receipts_of_bands_that_place_columns_where_they_cannot_be_are_refused() {
    let (place, build, _) = staged();
    let (world, night) = two_sources();
    all_but_commit(&update_tasks::tasks(&night)).unwrap();
    let commit_build = || tasks(&build).commit().map(|report| report.published);
    let commit_night = || update_tasks::tasks(&night).commit().map(|report| report.published);
    type Commit<'c> = &'c dyn Fn() -> Result<bool, transect::Error>;
    // Of each entry of an array of so many numbers, this one is wrong in such bits. Where a batch begins is not known
    // but for being in the file, and aligned.
    let (offset, length) = ([1, 1 << 40, 1 << 63], [1, 64, 1 << 63]);
    for (staging, commit, arrays) in [
        (place.path("own.staging"), &commit_build as Commit, [(1, 2, 0, offset), (1, 2, 1, length), (2, 3, 1, length)]),
        (world.place.path("own.staging"), &commit_night, [(1, 3, 1, offset), (1, 3, 2, length), (2, 3, 1, length)]),
    ] {
        let names: Vec<String> = entries(&staging).into_iter().filter(|name| name.starts_with("band-")).collect();
        let mut tried = 0;
        for name in names {
            let whole = fs::read(staging.join(&name)).unwrap();
            for (array, width, number, bits) in arrays {
                for start in arrays_of(&whole)[array].clone().step_by(8 * width).step_by(7) {
                    for bit in bits {
                        let mut bytes = whole.clone();
                        let at = start + 8 * number;
                        let value = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) ^ bit;
                        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
                        forge(&staging.join(&name), bytes);
                        let why = commit().expect_err(&format!("{name} {array} {number} {bit}"));
                        assert!(matches!(why, transect::Error::Corrupt { .. }), "{why}");
                        tried += 1;
                    }
                }
            }
            fs::write(staging.join(&name), whole).unwrap();
        }
        assert!(tried > 20, "{tried}");
        assert!(commit().unwrap());
    }
}

/// A receipt in which one number says something else, where it has any.
fn reworded(receipt: &[u8], random: &mut Random) -> Vec<u8> {
    let mut arrays: Vec<Vec<u8>> = arrays_of(receipt).into_iter().map(|own| receipt[own].to_vec()).collect();
    let odd = [0, 1, 2, 7, u64::MAX, i64::MAX as u64, 1 << 32, (1 << 32) - 1, 1 << 20][random.below(9)];
    let filled: Vec<usize> = (0..arrays.len()).filter(|array| arrays[*array].len() >= 4).collect();
    // The first has most of what is said.
    let place = if random.below(3) > 0 { 0 } else { random.below(filled.len()) };
    let Some(own) = filled.get(place).map(|array| &mut arrays[*array]) else { return receipt.to_vec() };
    if own.first() == Some(&b'{') {
        let is_digit = |at: &usize| own.get(*at).is_some_and(u8::is_ascii_digit);
        let starts: Vec<usize> = (1..own.len()).filter(|at| is_digit(at) && !is_digit(&(at - 1))).collect();
        let Some(&start) = starts.get(random.below(starts.len())) else { return receipt.to_vec() };
        let end = (start..).find(|at| !is_digit(at)).unwrap();
        own.splice(start..end, odd.to_string().into_bytes());
    } else {
        let at = random.below(own.len() / 4) * 4;
        own[at..at + 4].copy_from_slice(&odd.to_le_bytes()[..4]);
    }
    of_arrays(receipt, &arrays)
}

/// A receipt with other arrays.
fn of_arrays(receipt: &[u8], arrays: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = receipt[..64].to_vec();
    arrays.iter().for_each(|array| bytes.extend((array.len() as u64).to_le_bytes()));
    for array in arrays {
        bytes.resize(bytes.len().next_multiple_of(64), 0);
        bytes.extend(array);
    }
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    let len = bytes.len() as u64;
    bytes[32..40].copy_from_slice(&len.to_le_bytes());
    bytes
}

/// Where the arrays of a receipt lie.
fn arrays_of(receipt: &[u8]) -> Vec<std::ops::Range<usize>> {
    let number = |at: usize| u64::from_le_bytes(receipt[at..at + 8].try_into().unwrap()) as usize;
    let count = number(40);
    let mut start = (64 + 8 * count).next_multiple_of(64);
    let mut next = |array: usize| {
        let own = start..start + number(64 + 8 * array);
        start = own.end.next_multiple_of(64);
        own
    };
    (0..count).map(&mut next).collect()
}

/// Puts a receipt in place with the checksum of what it says.
fn forge(path: &Path, mut bytes: Vec<u8>) {
    bytes[48..56].fill(0);
    let sum = transect::format::checksum(&bytes);
    bytes[48..56].copy_from_slice(&sum.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

/// The parts have it all: which codes and texts there are, how wide a value is, and which rows there are on each date.
#[test]
fn an_assembly_that_says_other_than_the_parts_makes_no_store_whatever_its_checksum() {
    let (place, path, files) = staged();
    let staging = place.path("own.staging");
    let whole = &files["assembly"];
    let arrays = arrays_of(whole);
    assert_eq!(arrays.len(), 12);
    let mut tried = [0; 12];
    let mut refused = |array: usize, bytes: Vec<u8>| {
        if bytes == *whole {
            return;
        }
        tried[array] += 1;
        for band in ["band-0000", "band-0001"] {
            let _ = fs::remove_file(staging.join(band));
        }
        forge(&staging.join("assembly"), bytes);
        let why = go_on(&path).expect_err(&format!("array {array}")).to_string();
        assert!(why.contains("assembly is damaged") && why.ends_with("remove it, and run assemble again"), "{why}");
        assert!(!place.path("own.store").exists());
    };
    // What is told of files that are skipped, and how rows are cut into segments, is nothing that rows depend on.
    for (array, own) in arrays.iter().enumerate().take(11).skip(1) {
        let step = if [2, 3, 6].contains(&array) { 1 } else { 4 };
        let words: Vec<usize> = own.clone().step_by(step).collect();
        for (place, &at) in words.iter().enumerate().step_by(words.len() / 50 + 1) {
            for bit in [0, 1] {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                // Whole numbers may have more room than they need.
                if array != 3 || bytes[at] < whole[at] {
                    refused(array, bytes);
                }
            }
            // Swapped, and the same twice.
            let Some(&next) = words.get(place + 1) else { continue };
            let mut bytes = whole.clone();
            (0..step).for_each(|byte| bytes.swap(at + byte, next + byte));
            if array != 3 {
                refused(array, bytes);
            }
            let mut bytes = whole.clone();
            bytes.copy_within(at..at + step, next);
            if array != 3 || bytes[next] < whole[next] {
                refused(array, bytes);
            }
        }
    }
    assert!((1..11).all(|array| tried[array] > 0), "{tried:?}");
    forge(&staging.join("assembly"), whole.clone());
    go_on(&path).unwrap();
}
