//! A source that joins left has rows of the others' keys alone, whatever becomes of these: a row that is left out tonight
//! must come once its key does, and go with it. Random sources come, change, join otherwise and go back here, beside a map
//! by whole key for each.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, StringArray};
use proptest::prelude::*;
use transect::progress::Silent;
use transect::source::{CodeMap, SourceOptions};
use transect::{AddSource, Append, Build, ChangeSource, Join, Restore, Store, Update, verify_source};

use super::panels::{Place, batch, cases, workers, write_parquet};
use super::sources::{ALL, Key, Model, NAMES, World, date, model, narrowed};

#[derive(Debug, Clone)]
enum Step {
    /// Files of some sources change.
    Files([Option<Model>; 3]),
    /// A source joins left from now on, or outer.
    Join(usize, bool),
    /// Rows are appended to a source whose files have them the night after.
    Append(usize, Model),
    Restore(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let files = || prop::option::of(model());
    prop_oneof![
        4 => [files(), files(), files()].prop_map(Step::Files),
        2 => (0..3_usize, any::<bool>()).prop_map(|(source, left)| Step::Join(source, left)),
        2 => (0..3_usize, model()).prop_map(|(source, model)| Step::Append(source, model)),
        1 => any::<prop::sample::Index>().prop_map(Step::Restore),
    ]
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn a_source_that_joins_left_has_rows_of_the_others_keys_alone(
        is_keyed in any::<bool>(),
        by_date in any::<[bool; 3]>(),
        first in [model(), model(), model()],
        left in any::<[bool; 2]>(),
        steps in prop::collection::vec(step(), 1..6),
        dropped in 0..3_usize,
    ) {
        let mut world = World::new(is_keyed);
        world.by_date = by_date;
        for (source, model) in first.into_iter().enumerate() {
            world.put(source, narrowed(model, is_keyed));
        }
        let later = world.models.split_off(1);
        world.build();
        for (source, model) in (1..).zip(later) {
            world.models.push(model);
            world.left[source] = left[source - 1];
            let report = world.add(source..source + 1, if left[source - 1] { Join::Left } else { Join::Outer });
            let held = world.there()[source].1.len();
            prop_assert_eq!(report.left_out, (world.models[source].len() - held) as u64);
        }
        world.update(1);
        world.assert_holds(&world.live(), "added");
        let mut then = vec![(world.live(), world.left, world.models.clone())];
        for (n, step) in steps.into_iter().enumerate() {
            let context = format!("step {n}");
            match step {
                Step::Files(models) => {
                    for (source, model) in models.into_iter().enumerate() {
                        if let Some(model) = model {
                            world.put(source, narrowed(model, is_keyed));
                        }
                    }
                    world.update(1);
                }
                Step::Join(source, left) => {
                    let others_left = (0..3).filter(|other| *other != source).all(|other| world.left[other]);
                    let set = format!("join={}", if left { Join::Left } else { Join::Outer });
                    let update = Update::new(world.place.store()).set(NAMES[source], set.parse().unwrap());
                    let report = update.allow(ALL).workers(1).run();
                    let is_refused = left && others_left && !world.left[source];
                    prop_assert_eq!(report.is_err(), is_refused, "{}: {:?}", &context, report);
                    world.left[source] = left && !is_refused;
                    // What it brings now, others that join left have rows of.
                    world.update(1);
                }
                Step::Append(to, model) => {
                    let model = narrowed(model, is_keyed);
                    // What the files have by then anyway would stay when they no longer do.
                    let new = |key: &Key| !world.models[to].contains_key(key);
                    let Some(day) = model.keys().find(|key| new(key)).map(|key| key.0) else { continue };
                    let rows: Vec<(Key, Option<u64>)> =
                        model.into_iter().filter(|(key, _)| key.0 == day && new(key)).collect();
                    let file = world.place.path("day.parquet");
                    write_parquet(&file, &world.batch(to, &rows, true));
                    let append = Append::new(world.place.store(), [&file]).source_name(NAMES[to]);
                    append.allow(ALL).workers(1).run().unwrap();
                    let mut all = world.models[to].clone();
                    all.extend(rows);
                    world.put(to, all);
                    world.update(2);
                }
                Step::Restore(which) => {
                    let (store, left, models) = which.get(&then);
                    let files = std::mem::replace(&mut world.models, models.clone());
                    world.left = *left;
                    Restore::new(world.place.store(), store.version()).allow(ALL).workers(1).run().unwrap();
                    world.assert_holds(&world.live(), &format!("{context}, at once"));
                    world.models = files;
                    Update::new(world.place.store()).reread(true).prune(true).allow(ALL).workers(1).run().unwrap();
                }
            }
            world.assert_holds(&world.live(), &context);
            then.push((world.live(), world.left, world.models.clone()));
            let again = world.update(1);
            prop_assert!(!again.published, "{}: {:?}", context, again);
            for (source, held) in world.there() {
                let checked = verify_source(&world.live(), &world.directory(source), &workers(1), &Silent).unwrap();
                let left_out = (world.models[source].len() - held.len()) as u64;
                prop_assert_eq!((checked.difference_count, checked.left_out), (0, left_out), "{}: {:?}", context, checked);
            }
        }
        let others_left = (0..3).filter(|other| *other != dropped).all(|other| world.left[other]);
        let report = ChangeSource::drop(world.place.store(), NAMES[dropped]).workers(1).run();
        if others_left {
            let message = report.unwrap_err().to_string();
            let refusal = "no source would join outer, and the store would have no row; let another join outer first";
            prop_assert_eq!(message, refusal);
        } else {
            prop_assert!(report.is_ok(), "{:?}", report);
            world.gone = Some(dropped);
            world.assert_holds(&world.live(), "dropped");
            prop_assert!(!world.update(1).published);
        }
    }
}

#[test]
fn rows_that_were_left_out_come_when_their_source_joins_outer_again() {
    let mut world = World::new(false);
    world.put(0, Model::from([((0, 3, 0), Some(1))]));
    world.put(1, Model::from([((0, 0, 0), Some(2)), ((1, 3, 0), Some(3))]));
    world.build();
    world.add(1..2, Join::Outer);
    let set = |join: &str| {
        let update = Update::new(world.place.store()).set(NAMES[0], format!("join={join}").parse().unwrap());
        update.allow(ALL).workers(1).run().unwrap()
    };
    let left = set("left");
    assert_eq!((left.removed, left.dirty_dates, left.read_files), (1, 1, 0));
    let outer = set("outer");
    assert_eq!((outer.added, outer.dirty_dates, outer.read_files), (1, 1, 1));
    world.assert_holds(&world.live(), "again");
}

#[test]
fn a_version_with_the_same_rows_gives_back_how_its_sources_joined_and_what_they_were_called() {
    let mut world = World::new(false);
    let rows = Model::from([((0, 0, 0), Some(1))]);
    world.put(0, rows.clone());
    world.build();
    world.put(1, rows);
    world.add(1..2, Join::Left);
    let version = world.live().version();
    let update = Update::new(world.place.store()).set(NAMES[1], "join=outer".parse().unwrap());
    update.workers(1).run().unwrap();
    ChangeSource::rename(world.place.store(), NAMES[1], "other").workers(1).run().unwrap();
    let store = world.place.store();
    let restore = || Restore::new(&store, version).workers(1);
    let told = restore().dry_run(true).run().unwrap();
    assert!(told.changes_anything() && !told.published, "{told:?}");
    assert_eq!(told.notes, ["the source \"other\" is called \"value\" again", "the source \"value\" joins left again"]);
    let report = restore().run().unwrap();
    assert_eq!((report.published, report.dirty_dates, report.notes), (true, 0, told.notes));
    assert_eq!(world.live().source_names().unwrap(), ["prices", "value"]);
    // As they join now, the source brings no row of its own.
    world.put(1, Model::from([((0, 0, 0), Some(1)), ((1, 0, 0), Some(2))]));
    let update = Update::new(world.place.store()).workers(1).run().unwrap();
    assert_eq!((update.added, update.left_out), (0, 1));
    assert!(!restore().run().unwrap().published);
}

#[test]
fn a_dry_run_says_that_it_does_not_follow_what_joins_left() {
    let mut world = World::new(false);
    let rows = Model::from([((0, 0, 0), Some(1)), ((1, 0, 0), Some(2))]);
    world.put(0, rows.clone());
    world.build();
    world.put(1, rows.clone());
    world.add(1..2, Join::Left);
    let store = world.place.store();
    let update = |dry_run: bool| Update::new(&store).dry_run(dry_run).workers(1).run().unwrap();
    assert!(update(true).notes.is_empty());
    world.put(0, Model::from([((0, 0, 0), Some(1))]));
    let told = update(true);
    assert!(told.notes.iter().any(|note| note.starts_with("rows of sources that join left come and go")), "{told:?}");
    let report = update(false);
    assert_eq!((report.removed, report.notes.len()), (1, 0), "{report:?}");
    // A key that comes brings theirs with it.
    world.put(0, rows);
    assert_eq!(update(true).notes, told.notes);
}

#[test]
fn codes_that_a_map_gives_join_left_and_a_changed_map_brings_other_rows_or_none() {
    let place = Place::in_memory();
    let (prices, value, map) = (place.path("prices"), place.path("value"), place.path("map.csv"));
    for directory in [&prices, &value] {
        fs::create_dir(directory).unwrap();
    }
    let put = |path: PathBuf, name: &str, days: &[i32]| {
        let dates = StringArray::from_iter_values(days.iter().map(|day| date(*day).to_string()));
        let values = Int64Array::from_iter_values(days.iter().map(|day| i64::from(*day)));
        write_parquet(&path, &batch(&[("trade_date", Arc::new(dates)), (name, Arc::new(values))]));
    };
    let stands_for = |to: &str| fs::write(&map, format!("from,to\nOLD,{to}\n")).unwrap();
    put(prices.join("A.parquet"), "p", &[1, 2]);
    put(value.join("OLD.parquet"), "v", &[1, 2, 3]);
    stands_for("A");
    Build::new(&prices, place.store()).workers(1).run().unwrap();
    let options = SourceOptions { code_map: Some(CodeMap::at(map.to_str().unwrap())), ..SourceOptions::default() };
    let add = AddSource::new(place.store(), [&value]).options(options).join(Join::Left).allow(ALL).workers(1);
    let added = add.run().unwrap();
    assert_eq!((added.added, added.filled, added.left_out), (0, 2, 1));
    let has = |code: &str| -> Vec<i32> {
        let store = Store::open(place.store()).unwrap();
        let series = store.series(code).unwrap();
        let values = series.column_by_name("v").unwrap().as_primitive::<Int64Type>();
        values.iter().map(|value| value.map_or(0, |value| i32::try_from(value).unwrap())).collect()
    };
    let night = || {
        let report = Update::new(place.store()).prune(true).allow(ALL).workers(1).run().unwrap();
        assert!(!Update::new(place.store()).prune(true).workers(1).run().unwrap().published);
        report.read_files
    };
    assert_eq!(has("A"), [1, 2]);
    // A key that comes brings the row that waited for it, and one that goes takes it along.
    put(prices.join("A.parquet"), "p", &[2, 3]);
    assert_eq!((night(), has("A")), (2, vec![2, 3]));
    // By another map they are of a stock that the panel lacks, until it comes.
    stands_for("B");
    assert_eq!((night(), has("A")), (1, vec![0, 0]));
    put(prices.join("B.parquet"), "p", &[1, 3, 4]);
    assert_eq!((night(), has("A"), has("B")), (2, vec![0, 0], vec![1, 3, 0]));
    let checked = verify_source(&Store::open(place.store()).unwrap(), &value, &workers(1), &Silent).unwrap();
    assert_eq!((checked.difference_count, checked.left_out), (0, 1), "{checked:?}");
}
