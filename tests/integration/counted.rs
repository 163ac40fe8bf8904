//! What a night is told to have changed must be what it changed, source by source: first values of one source in rows that
//! another brought before restate nothing, and a row that a source has no longer is restated though the panel keeps it.
//! Two maps for each source say what the counts of an update and of a diff have to be.

use std::collections::{BTreeMap, BTreeSet};

use transect::progress::Silent;
use transect::store::DiffReport;
use transect::{Append, Limit, Store, Update, UpdateReport};

use super::panels::{workers, write_parquet};
use super::sources::{ALL, CODES, Key, Model, NAMES, World, text};

/// What the sources have that there are, by number.
pub(super) type There = Vec<(usize, Model)>;

/// Rows by what became of them, values by column, restated rows by stock.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Counts {
    added: u64,
    removed: u64,
    restated: u64,
    filled: u64,
    restated_values: BTreeMap<String, u64>,
    filled_values: BTreeMap<String, u64>,
    restated_of: BTreeMap<String, u64>,
}

fn keys(there: &There) -> BTreeSet<Key> {
    there.iter().flat_map(|(_, model)| model.keys().copied()).collect()
}

impl Counts {
    /// What has to be told of the way from one to the other.
    pub(super) fn between(before: &There, now: &There) -> Counts {
        let (old, new) = (keys(before), keys(now));
        let mut counts = Counts {
            added: new.difference(&old).count() as u64,
            removed: old.difference(&new).count() as u64,
            ..Counts::default()
        };
        for key in old.intersection(&new) {
            let (mut is_restated, mut is_filled) = (false, false);
            for (source, model) in now {
                let known = before.iter().find(|(known, _)| known == source);
                let row_before = known.and_then(|(_, model)| model.get(key));
                let (was, is) = (row_before.copied().flatten(), model.get(key).copied().flatten());
                let texts = [was, is].map(|bits| bits.map(|bits| text(key, bits)));
                for (column, differs) in [(0, was != is), (1, texts[0] != texts[1])] {
                    let name = [["p", "pt"], ["v", "vt"], ["f", "ft"]][*source][column];
                    let values = match row_before {
                        _ if !differs => continue,
                        Some(_) => &mut counts.restated_values,
                        None => &mut counts.filled_values,
                    };
                    *values.entry(name.to_owned()).or_default() += 1;
                    is_restated |= row_before.is_some();
                    is_filled |= row_before.is_none();
                }
            }
            counts.filled += u64::from(is_filled && !is_restated);
            counts.restated += u64::from(is_restated);
            if is_restated {
                *counts.restated_of.entry(CODES[key.1].to_owned()).or_default() += 1;
            }
        }
        counts
    }

    pub(super) fn of_update(report: &UpdateReport) -> Counts {
        Counts {
            added: report.added,
            removed: report.removed,
            restated: report.restated,
            filled: report.filled,
            restated_values: report.columns.iter().map(|of| (of.column.clone(), of.restated)).collect(),
            filled_values: report.filled_columns.iter().map(|of| (of.column.clone(), of.filled)).collect(),
            restated_of: report.stocks.iter().map(|of| (of.stock.clone(), of.restated)).collect(),
        }
    }

    pub(super) fn of_diff(report: &DiffReport) -> Counts {
        let columns = |count: fn(&transect::store::ColumnChange) -> u64| {
            let counted = report.columns.iter().map(|column| (column.name.clone(), count(column)));
            counted.filter(|(_, count)| *count > 0).collect()
        };
        let stocks = report.stocks.iter().filter(|of| of.restated > 0);
        Counts {
            added: report.added,
            removed: report.removed,
            restated: report.restated,
            filled: report.filled,
            restated_values: columns(|column| column.restated),
            filled_values: columns(|column| column.filled),
            restated_of: stocks.map(|of| (of.stock.clone(), of.restated)).collect(),
        }
    }
}

/// The difference of two versions in numbers; its dates, its stocks and the rows that it lists have to say the same.
pub(super) fn diff(newer: &Store, older: &Store) -> Counts {
    let diff = newer.diff(older).unwrap();
    let report = diff.report(&workers(1), &Silent).unwrap();
    let counts = Counts::of_diff(&report);
    let sums = |of: &dyn Fn(usize) -> [u64; 4], len: usize| {
        (0..len).map(of).fold([0; 4], |sums, of| std::array::from_fn(|n| sums[n] + of[n]))
    };
    let rows = [counts.added, counts.removed, counts.restated, counts.filled];
    let date = |n: usize| &report.dates[n];
    let by_date = |n| [date(n).added, date(n).removed, date(n).restated, date(n).filled];
    assert_eq!(sums(&by_date, report.dates.len()), rows);
    let stock = |n: usize| &report.stocks[n];
    let by_stock = |n| [stock(n).added, stock(n).removed, stock(n).restated, stock(n).filled];
    assert_eq!(sums(&by_stock, report.stocks.len()), rows);
    let mut listed: [BTreeMap<String, u64>; 2] = Default::default();
    for section in diff.sections() {
        for column in section.unwrap().columns {
            for change in &column.changes {
                let Some(place) = ["restated", "filled"].iter().position(|word| *word == change.as_str()) else {
                    continue;
                };
                *listed[place].entry(diff.columns()[column.column].name.clone()).or_default() += 1;
            }
        }
    }
    assert_eq!(listed, [counts.restated_values.clone(), counts.filled_values.clone()]);
    counts
}

/// Prices of A and B on two days, beside which a source has values of A alone, and no value on the second day.
fn two_sources() -> World {
    let mut world = World::new(false);
    world.put(0, [((0, 0, 0), Some(1)), ((0, 1, 0), Some(2)), ((1, 0, 0), Some(3)), ((1, 1, 0), Some(4))].into());
    world.build();
    world.put(1, [((0, 0, 0), Some(5)), ((1, 0, 0), None)].into());
    world.add(1..2, transect::Join::Outer);
    world
}

fn strict(world: &World) -> UpdateReport {
    Update::new(world.place.store()).max_restated(Limit::Count(0)).prune(true).allow(ALL).workers(1).run().unwrap()
}

#[test]
fn first_values_of_a_source_restate_nothing_and_no_limit_stops_them() {
    // B's rows of both days are there, and the source has none of them.
    let mut world = two_sources();
    let prices = world.models[0].clone();
    let values: Model = prices.iter().map(|(key, bits)| (*key, bits.map(|bits| bits + 4))).collect();
    let mut first = values.clone();
    first.extend([((0, 0, 0), Some(5)), ((1, 0, 0), None)]);
    world.put(1, first);
    let report = strict(&world);
    assert_eq!((report.published, report.restated, report.filled, report.added), (true, 0, 2, 0), "{report:?}");
    let told: Vec<_> = report.examples.iter().map(|of| (of.code.as_str(), of.change, of.before.as_deref())).collect();
    assert_eq!(told, [("B", "filled", Some("null")); 4]);

    // A new day and a new stock, of which the prices came the night before.
    let mut later = prices.clone();
    later.extend([((2, 0, 0), Some(7)), ((2, 2, 0), Some(8))]);
    world.put(0, later);
    assert_eq!((strict(&world).added, world.live().row_count()), (2, 6));
    let rows = [((2, 0, 0), Some(9)), ((2, 2, 0), Some(10))];
    let file = world.place.path("day.parquet");
    write_parquet(&file, &world.batch(1, &rows, true));
    let append = || Append::new(world.place.store(), [&file]).source_name(NAMES[1]).max_restated(Limit::Count(0));
    let dry = append().dry_run(true).run().unwrap();
    let report = append().run().unwrap();
    assert_eq!(Counts::of_update(&dry), Counts::of_update(&report));
    assert_eq!((report.published, report.restated, report.filled, report.added), (true, 0, 2, 0), "{report:?}");
    assert_eq!(world.live().history().unwrap().pop().unwrap().restated, 0);
}

#[test]
fn a_value_where_the_source_had_null_is_restated_and_so_is_a_row_that_it_has_no_longer() {
    let mut world = two_sources();
    world.put(1, [((0, 0, 0), Some(5)), ((1, 0, 0), Some(6))].into());
    let stopped = strict(&world);
    assert_eq!((stopped.published, stopped.restated, stopped.filled), (false, 1, 0), "{stopped:?}");
    assert_eq!(world.update(1).restated, 1);
    world.put(1, [((0, 0, 0), Some(5))].into());
    let stopped = strict(&world);
    assert_eq!((stopped.published, stopped.restated, stopped.removed), (false, 1, 0), "{stopped:?}");
    let told: Vec<_> = stopped.examples.iter().map(|of| (of.change, of.column.as_deref(), of.now.as_deref())).collect();
    assert_eq!(told, [("restated", Some("v"), Some("null")), ("restated", Some("vt"), Some("null"))]);
}

#[test]
fn a_source_that_loses_many_rows_is_stopped_although_the_panel_keeps_them() {
    let mut world = World::new(false);
    let all: Model = (0..4).flat_map(|day| (0..4).map(move |code| ((day, code, 0), Some(code as u64)))).collect();
    world.put(0, all.clone());
    world.build();
    world.put(1, all.clone());
    world.add(1..2, transect::Join::Outer);
    world.put(1, all.into_iter().filter(|(key, _)| key.0 == 0).collect());
    let report = Update::new(world.place.store()).workers(1).run().unwrap();
    let met: Vec<(&str, u64, u64)> = report.guards.iter().map(|met| (met.guard.word(), met.count, met.of)).collect();
    assert_eq!((met, report.published), (vec![("pruned-rows", 12, 16)], false), "{report:?}");
    assert_eq!((report.removed, report.restated), (0, 12));
}

#[test]
fn a_limit_holds_for_all_sources_together_and_a_row_that_two_restate_counts_once() {
    let mut world = World::new(false);
    let all = |bits: u64| -> Model { (0..4).map(|code| ((0, code, 0), Some(bits))).collect() };
    world.put(0, all(1));
    world.build();
    world.put(1, all(1));
    world.add(1..2, transect::Join::Outer);
    // Two rows of each source, of which one is the same.
    let changed =
        |codes: [usize; 2]| -> Model { all(1).into_iter().chain(codes.map(|code| ((0, code, 0), Some(2)))).collect() };
    world.put(0, changed([0, 1]));
    world.put(1, changed([1, 2]));
    let update = |most| Update::new(world.place.store()).max_restated(Limit::Count(most)).workers(1);
    let report = update(2).run().unwrap();
    assert_eq!((report.published, report.restated), (false, 3), "{report:?}");
    assert_eq!(report.refused.as_deref(), Some("3 of 4 rows would be restated or removed; at most 2 may be"));
    let dry = update(4).dry_run(true).run().unwrap();
    assert_eq!((dry.restated, dry.notes.len()), (4, 1), "{:?}", dry.notes);
    assert_eq!((update(3).run().unwrap().published, world.live().version()), (true, 3));
}
