//! Research reads the panel all day while the nightly job, and whoever mends its data, publish new versions and take
//! old ones away. A reader must never see rows of two versions, a version that has been replaced before it opened, or a
//! file that is gone; and of two writers at once, one is told that it comes second, and by whom.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, StringArray};
use transect::{Build, Error, Store, Update};

use super::panels::{Place, assert_no_leftovers, assert_whole, batch, setting};

const STOCKS: usize = 5;
const DATES: i64 = 4;

/// Makes every value of the panel `version`, so that two versions never look alike.
fn write_panel(place: &Place, version: u64) {
    for stock in 0..STOCKS {
        let dates: ArrayRef =
            Arc::new((0..DATES).map(|day| Some((20240102 + day).to_string())).collect::<StringArray>());
        let values: ArrayRef = Arc::new(Float64Array::from(vec![version as f64; DATES as usize]));
        place.add(&format!("stock {stock}"), &batch(&[("date", dates), ("x", values)]));
    }
}

/// Asserts that each row of `store` is of its version, by date and by stock.
fn assert_is_one_version(store: &Store) {
    let sections = store.dates().unwrap().iter().map(|&date| store.section(date).unwrap().batch().unwrap());
    let series = store.stocks().unwrap().into_iter().map(|code| store.series(code).unwrap());
    let mut rows = 0;
    let mut found = BTreeSet::new();
    for batch in sections.chain(series) {
        rows += batch.num_rows();
        let values = batch.column_by_name("x").unwrap().as_primitive::<Float64Type>();
        found.extend(values.values().iter().map(|&value| value as u64));
    }
    assert_eq!((rows, found), (2 * STOCKS * DATES as usize, BTreeSet::from([store.version()])));
}

#[test]
fn readers_see_one_version_each_and_never_an_older_one_than_before() {
    const READERS: usize = 8;
    let place = Place::in_memory();
    write_panel(&place, 1);
    place.build();
    let last = setting("TRANSECT_ROUNDS", 200) + 1;
    let (reported, is_over) = (AtomicU64::new(1), AtomicBool::new(false));
    let read = |reader: usize| {
        let (mut reads, mut newest) = (0_u64, 0);
        let mut held = None;
        while !is_over.load(Ordering::SeqCst) {
            let least = reported.load(Ordering::SeqCst).max(newest);
            let store = Store::open(place.store()).unwrap();
            assert!(store.version() >= least, "version {} after {least}", store.version());
            newest = store.version();
            assert_is_one_version(&store);
            match Store::open_version(place.store(), newest.saturating_sub(reader as u64)) {
                Ok(older) => assert_is_one_version(&older),
                Err(Error::NotFound { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            reads += 1;
            // Leaves the writer a core.
            thread::sleep(Duration::from_millis(2));
            // Some keep a version open for long, and read it again when many have gone by.
            if reads % (10 * (reader as u64 + 1)) == 0 {
                held.replace(store).iter().for_each(assert_is_one_version);
            }
        }
        reads
    };
    thread::scope(|scope| {
        let read = &read;
        let readers: Vec<_> = (0..READERS).map(|reader| scope.spawn(move || read(reader))).collect();
        for version in 2..=last {
            write_panel(&place, version);
            let now = if version % 10 == 0 {
                Build::new(place.source(), place.store()).force(true).workers(1).run().unwrap().version
            } else {
                Update::new(place.store()).keep(1 + version as u32 % 3).workers(1).run().unwrap().version
            };
            assert_eq!(now, version);
            reported.store(version, Ordering::SeqCst);
        }
        is_over.store(true, Ordering::SeqCst);
        for reader in readers {
            let reads = reader.join().unwrap();
            assert!(reads > 10, "{reads} reads");
        }
    });
    let live = Store::open(place.store()).unwrap();
    assert_eq!(live.version(), last);
    assert_whole(&live);
    assert_no_leftovers(&place.store());
}

#[test]
fn of_writers_that_race_one_wins_and_the_others_are_told_who_has_the_lock() {
    const WRITERS: usize = 3;
    let place = Place::in_memory();
    write_panel(&place, 1);
    place.build();
    let (mut version, mut second) = (1, 0);
    let write = |store: &Path, barrier: &Barrier| {
        barrier.wait();
        Update::new(store).workers(1).run()
    };
    for round in 0..50 {
        write_panel(&place, version + 1);
        let (store, barrier) = (place.store(), Barrier::new(WRITERS));
        let results: Vec<_> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(|| write(&store, &barrier))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let mut published = 0;
        for result in results {
            match result {
                Ok(report) => published += u32::from(report.published),
                Err(Error::Locked { path, holder }) => {
                    assert_eq!(path, store);
                    // The winner may just be writing who it is.
                    assert!(holder.is_none_or(|holder| holder == std::process::id()), "round {round}: {holder:?}");
                    second += usize::from(holder.is_some());
                }
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert_eq!(published, 1, "round {round}");
        let live = Store::open(&store).unwrap();
        version += 1;
        assert_eq!(live.version(), version);
        assert_is_one_version(&live);
    }
    assert!(second > 0, "nobody came second");
    assert_no_leftovers(&place.store());
}
