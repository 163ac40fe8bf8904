//! Rows of an older version that was restored stand while their files are as they were, also where such a file is read
//! again for a row that a source which joins left has left out. Random worlds are restored here, and go on, beside a map
//! by whole key of what each source has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use transect::{Append, ChangeSource, Join, Restore, Update, UpdateReport};

use super::panels::{cases, write_parquet};
use super::sources::{ALL, CODES, Key, Model, NAMES, World, model, narrowed};

/// What the files of a unit hold, and what the source has of it.
#[derive(Debug, Clone, Default)]
struct Unit {
    known: Model,
    held: Model,
    /// Whether `held` is what an older version had, and not what the files say.
    stands: bool,
    /// What was appended, and no file has had since.
    appended: Model,
}

/// All sources, by unit: a stock or a date.
#[derive(Debug, Clone, Default)]
struct State {
    sources: Vec<BTreeMap<usize, Unit>>,
    /// The keys of those that join outer, when the others were laid beside them last.
    laid: BTreeSet<Key>,
}

struct Life {
    world: World,
    is_keyed: bool,
    left: [bool; 3],
    state: State,
}

impl Life {
    fn unit_of(&self, source: usize, key: &Key) -> usize {
        if self.world.by_date[source] { key.0 as usize } else { key.1 }
    }

    fn by_unit(&self, source: usize, model: &Model) -> BTreeMap<usize, Model> {
        let mut units: BTreeMap<usize, Model> = BTreeMap::new();
        for (key, bits) in model {
            units.entry(self.unit_of(source, key)).or_default().insert(*key, *bits);
        }
        units
    }

    /// Some rows of a source's files change, come or go, and one in any case: where no row differs, nothing is published,
    /// and the store does not remember which files were read.
    fn edit(&mut self, source: usize, edits: &Edits, step: usize) {
        let mut model: Model = self.state.sources[source].values().flat_map(|unit| unit.known.clone()).collect();
        for ((day, code, k), bits) in edits {
            let key = (*day, *code, if self.is_keyed { *k } else { 0 });
            match bits {
                Some(bits) => _ = model.insert(key, *bits),
                None => _ = model.remove(&key),
            }
        }
        model.insert((0, 3, 0), Some(step as u64));
        self.put(source, model);
    }

    fn put(&mut self, source: usize, model: Model) {
        // Every file stays: what becomes of rows whose file is gone is another matter.
        let always = (0..4_i32).flat_map(|day| (0..CODES.len()).map(move |code| (day, code, 0)));
        let always = always.filter(|(day, code, _)| *day == 0 || *code < 2).map(|key| (key, Some(1)));
        let model: Model = always.chain(model).collect();
        for (unit, known) in self.by_unit(source, &model) {
            let unit = self.state.sources[source].entry(unit).or_default();
            if unit.known != known {
                unit.appended.retain(|key, _| !known.contains_key(key));
                unit.stands = false;
            }
            unit.known = known;
        }
        self.world.put(source, model);
    }

    fn outer_keys(&self) -> BTreeSet<Key> {
        let outer = self.state.sources.iter().zip(self.left).filter(|(_, left)| !left);
        outer.flat_map(|(units, _)| units.values()).flat_map(|unit| unit.held.keys().copied()).collect()
    }

    /// What an update makes of it.
    fn follow(&mut self) {
        for source in (0..3).filter(|source| !self.left[*source]) {
            for unit in self.state.sources[source].values_mut().filter(|unit| !unit.stands) {
                unit.held = unit.known.clone();
                unit.held.extend(unit.appended.clone());
            }
        }
        let (now, laid) = (self.outer_keys(), self.state.laid.clone());
        for source in (0..3).filter(|source| self.left[*source]) {
            for unit in self.state.sources[source].values_mut() {
                let comes = |key: &Key| now.contains(key) && !(unit.stands && laid.contains(key));
                let mut held: Model =
                    unit.known.iter().filter(|(key, _)| comes(key)).map(|(key, bits)| (*key, *bits)).collect();
                if unit.stands {
                    held.extend(unit.held.iter().filter(|(key, _)| now.contains(key)));
                }
                unit.held = held;
            }
        }
        self.state.laid = now;
    }

    fn restore(&mut self, then: &State) {
        for (now, then) in self.state.sources.iter_mut().zip(&then.sources) {
            for (name, now) in now {
                let then = then.get(name).cloned().unwrap_or_default();
                let stands = then.stands || then.known != now.known;
                *now = Unit { known: now.known.clone(), stands, ..then };
            }
        }
        self.state.laid = self.outer_keys();
    }

    fn append(&mut self, model: &Model) -> Option<()> {
        let new = |key: &Key| !self.state.sources[0].values().any(|unit| unit.known.contains_key(key));
        let day = model.keys().find(|key| new(key))?.0;
        let rows: Vec<(Key, Option<u64>)> =
            model.iter().filter(|(key, _)| key.0 == day && new(key)).map(|(key, bits)| (*key, *bits)).collect();
        let file = self.world.place.path("day.parquet");
        write_parquet(&file, &self.world.batch(0, &rows, true));
        let append = Append::new(self.world.place.store(), [&file]).source_name(NAMES[0]).allow(ALL);
        append.workers(1).run().unwrap();
        for (key, bits) in rows {
            let unit = self.unit_of(0, &key);
            let unit = self.state.sources[0].entry(unit).or_default();
            unit.appended.insert(key, bits);
            unit.held.insert(key, bits);
        }
        Some(())
    }

    fn update(&self) -> UpdateReport {
        Update::new(self.world.place.store()).allow(ALL).workers(1).run().unwrap()
    }

    fn assert_holds(&mut self, context: &str) {
        let held = |units: &BTreeMap<usize, Unit>| units.values().flat_map(|unit| unit.held.clone()).collect();
        self.world.models = self.state.sources.iter().map(held).collect();
        self.world.assert_holds(&self.world.live(), context);
    }
}

/// Rows that change or come, and such as go.
type Edits = Vec<(Key, Option<Option<u64>>)>;

#[derive(Debug, Clone)]
enum Step {
    Files([Edits; 3]),
    Append(Model),
    Restore(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || (0..4_i32, 0..CODES.len(), 0..3_i64);
    let row = || prop_oneof![1 => Just(None), 3 => any::<u64>().prop_map(|bits| Some(Some(bits)))];
    let edits = || prop::collection::vec((key(), row()), 0..5);
    prop_oneof![
        4 => [edits(), edits(), edits()].prop_map(Step::Files),
        1 => model().prop_map(Step::Append),
        2 => any::<prop::sample::Index>().prop_map(Step::Restore),
    ]
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn restored_rows_stand_while_their_files_are_as_they_were_whatever_comes(
        is_keyed in any::<bool>(),
        by_date in any::<[bool; 3]>(),
        last_is_left in any::<bool>(),
        first in [model(), model(), model()],
        steps in prop::collection::vec(step(), 3..10),
    ) {
        let left = [false, true, last_is_left];
        let mut world = World::new(is_keyed);
        world.by_date = by_date;
        let state = State { sources: vec![BTreeMap::new(); 3], laid: BTreeSet::new() };
        let mut life = Life { world, is_keyed, left, state };
        for (source, model) in first.into_iter().enumerate() {
            life.put(source, narrowed(model, is_keyed));
        }
        life.world.build();
        for (source, is_left) in left.into_iter().enumerate().skip(1) {
            life.world.add(source..source + 1, if is_left { Join::Left } else { Join::Outer });
        }
        life.update();
        life.follow();
        life.assert_holds("added");
        let mut then = vec![(life.world.live(), life.state.clone())];
        for (n, step) in steps.into_iter().enumerate() {
            let context = format!("step {n}");
            match step {
                Step::Files(edits) => {
                    edits.iter().enumerate().for_each(|(source, edits)| life.edit(source, edits, 10 + n));
                    life.update();
                    life.follow();
                    life.assert_holds(&context);
                    then.push((life.world.live(), life.state.clone()));
                    let again = life.update();
                    prop_assert!(!again.published, "{}: {:?}", context, again);
                }
                Step::Append(model) => {
                    life.append(&narrowed(model, is_keyed));
                    life.assert_holds(&context);
                }
                Step::Restore(which) => {
                    let (store, state) = which.get(&then);
                    let restore = Restore::new(life.world.place.store(), store.version()).allow(ALL).workers(1);
                    // Where the rows are the same, nothing is restored.
                    if restore.run().unwrap().published {
                        life.restore(state);
                    }
                    life.assert_holds(&context);
                    let again = life.update();
                    prop_assert!(!again.published, "{}: {:?}", context, again);
                }
            }
        }
    }
}

/// Rows of one stock, by day.
fn rows(days: &[(i32, u64)]) -> Model {
    days.iter().map(|(day, bits)| ((*day, 0, 0), Some(*bits))).collect()
}

/// A source that joins left has changed its row of day 0, left out that of day 1, and the first version with both is back.
fn restored() -> World {
    let mut world = World::new(false);
    world.put(0, rows(&[(0, 1)]));
    world.put(1, rows(&[(0, 1), (1, 2)]));
    world.build();
    world.add(1..2, Join::Left);
    world.put(1, rows(&[(0, 100), (1, 2)]));
    let update = Update::new(world.place.store()).allow(ALL).workers(1).run().unwrap();
    assert_eq!((update.restated, update.left_out), (1, 1));
    Restore::new(world.place.store(), 2).allow(ALL).workers(1).run().unwrap();
    world
}

#[test]
fn a_key_that_comes_brings_its_row_and_leaves_the_others_as_they_were_restored() {
    let mut world = restored();
    world.put(0, rows(&[(0, 1), (1, 9)]));
    let update = Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!((update.added, update.restated, update.filled), (1, 0, 0), "{update:?}");
    world.models[1] = rows(&[(0, 1), (1, 2)]);
    world.assert_holds(&world.live(), "a key came");
    // Until the file changes, or all are read.
    let reread = Update::new(world.place.store()).reread(true).workers(1).run().unwrap();
    assert_eq!((reread.restated, reread.published), (1, true));
    world.models[1] = rows(&[(0, 100), (1, 2)]);
    world.assert_holds(&world.live(), "read again");
}

#[test]
fn a_file_that_is_again_what_the_restored_version_read_stands_for_itself() {
    let mut world = World::new(false);
    world.put(0, rows(&[(0, 1)]));
    world.build();
    fs::copy(world.directory(0).join("A.parquet"), world.place.path("first")).unwrap();
    world.put(0, rows(&[(0, 2)]));
    let update = || Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!(update().version, 2);
    let restore = |version| Restore::new(world.place.store(), version).workers(1).run().unwrap().version;
    assert_eq!(restore(1), 3);
    fs::copy(world.place.path("first"), world.directory(0).join("A.parquet")).unwrap();
    assert_eq!(update().restated, 0);
    assert_eq!(restore(2), 5);
    assert!(!update().published);
}

#[test]
fn rows_of_a_source_that_was_dropped_since_stand_until_its_file_changes() {
    let mut world = World::new(false);
    world.put(0, rows(&[(0, 1)]));
    world.put(1, rows(&[(0, 1)]));
    world.build();
    world.add(1..2, Join::Outer);
    world.put(1, rows(&[(0, 2)]));
    let update = || Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!((update().restated, world.live().version()), (1, 3));
    ChangeSource::drop(world.place.store(), NAMES[1]).workers(1).run().unwrap();
    Restore::new(world.place.store(), 2).workers(1).run().unwrap();
    assert!(!update().published);
    world.put(1, rows(&[(0, 3)]));
    let update = Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!((update.restated, update.published), (1, true));
    world.assert_holds(&world.live(), "the file changed");
}

#[test]
fn options_that_read_all_files_again_say_that_restored_rows_do_not_stand() {
    let mut world = restored();
    let set = Update::new(world.place.store()).set(NAMES[1], "duplicates=first".parse().unwrap());
    let update = set.workers(1).run().unwrap();
    let note = "value: all files were read again: rows of 1 file are no longer as they were restored";
    assert_eq!((update.restated, &update.notes[..]), (1, &[note.to_owned()][..]), "{update:?}");
    world.models[1] = rows(&[(0, 100)]);
    world.assert_holds(&world.live(), "read again");
}

#[test]
fn a_source_that_joins_outer_again_brings_its_own_rows_and_leaves_the_others_as_they_were_restored() {
    let mut world = restored();
    let set = Update::new(world.place.store()).set(NAMES[1], "join=outer".parse().unwrap());
    let update = set.workers(1).run().unwrap();
    assert_eq!((update.added, update.restated), (1, 0), "{update:?}");
    world.models = vec![rows(&[(0, 1)]), rows(&[(0, 1), (1, 2)])];
    world.assert_holds(&world.live(), "joins outer");
}

#[test]
fn what_was_restored_stands_although_the_version_is_gone_beside_which_it_was_laid() {
    let mut world = restored();
    // The key comes, and the version that was restored goes before the row is laid beside it.
    let append = |day: i32, bits: u64| {
        let file = world.place.path("day.parquet");
        write_parquet(&file, &world.batch(0, &[((day, 0, 0), Some(bits))], true));
        Append::new(world.place.store(), [&file]).source_name(NAMES[0]).keep(1).workers(1).run().unwrap();
    };
    append(1, 3);
    append(2, 4);
    append(3, 5);
    let update = Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!((update.restated, update.filled), (0, 1), "{update:?}");
    world.models = vec![rows(&[(0, 1), (1, 3), (2, 4), (3, 5)]), rows(&[(0, 1), (1, 2)])];
    world.assert_holds(&world.live(), "laid late");
}

/// An older one that is kept knows less: what came since would come once more.
#[test]
fn what_was_restored_is_laid_beside_the_version_that_restored_it_and_no_older_one() {
    let mut world = World::new(false);
    let update = |world: &World| Update::new(world.place.store()).allow(ALL).workers(1).run().unwrap();
    world.put(0, rows(&[(0, 1)]));
    world.put(1, rows(&[(0, 1), (2, 3)]));
    world.build();
    world.add(1..2, Join::Left);
    world.put(0, rows(&[(0, 1), (1, 1)]));
    update(&world);
    let version = world.live().version();
    // Its row of day 1 comes, and goes with the version that is restored; that of day 2 waits for a key.
    world.put(1, rows(&[(0, 1), (1, 2), (2, 3)]));
    assert_eq!(update(&world).filled, 1);
    Restore::new(world.place.store(), version).allow(ALL).workers(1).run().unwrap();
    world.put(0, rows(&[(0, 1), (1, 1), (2, 1)]));
    let came = update(&world);
    assert_eq!((came.added, came.filled), (1, 0), "{came:?}");
    assert_eq!(world.live().kept_versions().unwrap()[0], 1);
    world.models[1] = rows(&[(0, 1), (2, 3)]);
    world.assert_holds(&world.live(), "a key came");
}

#[test]
fn a_file_that_is_pruned_takes_its_rows_from_beside_those_that_were_restored() {
    let mut world = World::new(false);
    world.by_date[0] = true;
    // Stocks A and B have files of their own on day 0.
    world.put(0, [((0, 0, 0), Some(1)), ((0, 1, 0), Some(5))].into());
    world.build();
    world.put(0, [((0, 0, 0), Some(2)), ((0, 1, 0), Some(5))].into());
    Update::new(world.place.store()).workers(1).run().unwrap();
    Restore::new(world.place.store(), 1).workers(1).run().unwrap();
    world.put(0, [((0, 0, 0), Some(2))].into());
    let pruned = Update::new(world.place.store()).allow(ALL).prune(true).workers(1).run().unwrap();
    assert_eq!((pruned.removed, pruned.restated), (1, 1), "{pruned:?}");
    world.assert_holds(&world.live(), "pruned");
}

#[test]
fn what_was_restored_stands_where_the_version_that_has_it_is_restored_in_its_turn() {
    let mut world = restored();
    let version = world.live().version();
    let reread = Update::new(world.place.store()).reread(true).allow(ALL).workers(1).run().unwrap();
    assert_eq!((reread.restated, reread.published), (1, true));
    Restore::new(world.place.store(), version).allow(ALL).workers(1).run().unwrap();
    world.put(0, rows(&[(0, 1), (1, 9)]));
    let update = Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!((update.added, update.restated), (1, 0), "{update:?}");
    world.models[1] = rows(&[(0, 1), (1, 2)]);
    world.assert_holds(&world.live(), "a key came");
}
