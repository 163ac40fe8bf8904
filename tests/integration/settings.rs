//! Options of sources change, one by one and mixed with everything else: columns get other names, go and come back,
//! folders move, older versions are restored. What the store has is compared with a model after each step, and no row may
//! be another than the files, or the version that was restored, have it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, StringArray, TimestampSecondArray};
use proptest::prelude::*;
use transect::progress::Silent;
use transect::source::SourceOptions;
use transect::{
    AddSource, Assignment, Build, Error, Guard, Restore, Store, Transpose, Update, UpdateReport, verify_output,
    verify_source,
};

use super::panels::{
    Place, assert_whole, batch, cases, read_parquet, segment_path, small_panel, verify, workers, write_parquet,
};

const DAYS: [&str; 2] = ["20240102", "20240103"];
const STOCKS: [&str; 2] = ["A", "B"];
const COLUMNS: [&str; 2] = ["a", "b"];
const SOURCES: [&str; 2] = ["prices", "v.x"];
const PREFIXES: [&str; 3] = ["", "p_", "q_"];

/// By column as files call it, the values of each stock, day after day.
type Values = BTreeMap<&'static str, [[Option<i64>; 2]; 2]>;

/// How a source is read, and what the store has of it.
#[derive(Debug, Clone, PartialEq)]
struct Source {
    renames: BTreeMap<&'static str, String>,
    excluded: BTreeSet<&'static str>,
    prefix: &'static str,
    held: Values,
}

impl Source {
    fn name_of(&self, column: &str) -> String {
        self.renames.get(column).cloned().unwrap_or_else(|| format!("{}{column}", self.prefix))
    }

    /// Whether files that call a column as another is renamed would no longer be taken together with it.
    fn is_torn_by(&self, now: &Source) -> bool {
        self.renames.iter().filter(|(column, _)| self.held.contains_key(*column)).any(|(column, name)| {
            let renamed = (!now.excluded.contains(column)).then(|| now.name_of(column));
            self.prefix.is_empty() && renamed != Some(format!("{}{name}", now.prefix))
        })
    }

    fn names(&self) -> Vec<String> {
        self.held.keys().map(|column| self.name_of(column)).collect()
    }
}

struct World {
    place: Place,
    /// Where the files of each source are, and what they have.
    folders: [PathBuf; 2],
    files: [Values; 2],
    sources: [Source; 2],
    moves: usize,
}

fn parsed(text: &str) -> Assignment {
    text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

impl World {
    fn new() -> World {
        let place = Place::in_memory();
        let values: Values = COLUMNS.map(|column| (column, [[Some(1), None], [Some(2), Some(3)]])).into();
        let source =
            |prefix| Source { renames: BTreeMap::new(), excluded: BTreeSet::new(), prefix, held: values.clone() };
        let folders = [place.path("prices"), place.path("v.x")];
        let sources = [source(""), source("p_")];
        let mut world = World { place, folders, files: [values.clone(), values.clone()], sources, moves: 0 };
        for source in 0..2 {
            (0..2).for_each(|stock| world.write(source, stock));
        }
        Build::new(&world.folders[0], world.place.store()).keep(100).workers(1).run().unwrap();
        AddSource::new(world.place.store(), [&world.folders[1]]).prefix("p_").workers(1).run().unwrap();
        world.assert_holds();
        world
    }

    fn write(&mut self, source: usize, stock: usize) {
        fs::create_dir_all(&self.folders[source]).unwrap();
        let values =
            |column: &str| -> ArrayRef { Arc::new(Int64Array::from(self.files[source][column][stock].to_vec())) };
        let dates: ArrayRef = Arc::new(StringArray::from(DAYS.to_vec()));
        let rows = batch(&[("trade_date", dates), ("a", values("a")), ("b", values("b"))]);
        write_parquet(&self.folders[source].join(format!("{}.parquet", STOCKS[stock])), &rows);
    }

    fn live(&self) -> Store {
        Store::open(self.place.store()).unwrap()
    }

    fn set(&self, source: usize, text: &str) -> Result<UpdateReport, Error> {
        Update::new(self.place.store()).set(SOURCES[source], parsed(text)).allow(Guard::ALL).workers(1).run()
    }

    /// The store has the columns of the files that are not left out, as the files have them now.
    fn reread(&mut self, source: usize) {
        let of = &mut self.sources[source];
        let wanted = self.files[source].iter().filter(|(column, _)| !of.excluded.contains(*column));
        of.held = wanted.map(|(column, values)| (*column, *values)).collect();
    }

    fn assert_holds(&self) {
        let store = self.live();
        assert_whole(&store);
        let mut names: Vec<String> = store.schema().unwrap().columns.iter().map(|column| column.name.clone()).collect();
        let mut wanted: Vec<String> = self.sources.iter().flat_map(Source::names).collect();
        names.sort();
        wanted.sort();
        assert_eq!(names, wanted);
        let out = self.place.path("out");
        Transpose::new(&store, &out).workers(1).run().unwrap();
        assert_eq!(verify_output(&store, &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
        for (day, date) in DAYS.iter().enumerate() {
            let section = store.section(date.parse().unwrap()).unwrap().batch().unwrap();
            let file = read_parquet(&out.join(format!("{date}.parquet")));
            for source in &self.sources {
                for (column, values) in &source.held {
                    let name = source.name_of(column);
                    let right: ArrayRef = Arc::new(Int64Array::from(vec![values[0][day], values[1][day]]));
                    for found in [&section, &file] {
                        let found = found.column_by_name(&name).unwrap();
                        assert_eq!(found.to_data(), right.to_data(), "{name} on {date}");
                    }
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    File(usize, usize, [[Option<i64>; 2]; 2]),
    Exclude(usize, usize),
    Include(usize, usize),
    Rename(usize, usize, u8),
    Unrename(usize, usize),
    Prefix(usize, usize),
    Move(usize),
    Reread(usize),
    Restore(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let value = || prop::option::of(0..3_i64);
    let values = [[value(), value()], [value(), value()]];
    let (source, column) = (0..2_usize, 0..2_usize);
    prop_oneof![
        2 => (source.clone(), 0..2_usize, values).prop_map(|(s, stock, values)| Step::File(s, stock, values)),
        2 => (source.clone(), column.clone()).prop_map(|(s, c)| Step::Exclude(s, c)),
        2 => (source.clone(), column.clone()).prop_map(|(s, c)| Step::Include(s, c)),
        2 => (source.clone(), column.clone(), 0..3_u8).prop_map(|(s, c, n)| Step::Rename(s, c, n)),
        1 => (source.clone(), column).prop_map(|(s, c)| Step::Unrename(s, c)),
        2 => (source.clone(), 0..PREFIXES.len()).prop_map(|(s, p)| Step::Prefix(s, p)),
        1 => source.clone().prop_map(Step::Move),
        1 => source.prop_map(Step::Reread),
        2 => any::<prop::sample::Index>().prop_map(Step::Restore),
    ]
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_store_has_the_columns_and_names_that_its_sources_are_set_to(steps in prop::collection::vec(step(), 1..9)) {
        let mut world = World::new();
        let mut known: BTreeMap<u64, [Source; 2]> = BTreeMap::from([(2, world.sources.clone())]);
        for step in steps {
            let before = world.sources.clone();
            // How one source is to be read from now on.
            let (changed, text) = match step.clone() {
                Step::File(source, stock, values) => {
                    COLUMNS.iter().zip(values).for_each(|(column, values)| {
                        world.files[source].get_mut(column).unwrap()[stock] = values;
                    });
                    world.write(source, stock);
                    let files = world.files[source].clone();
                    world.sources[source].held.iter_mut().for_each(|(column, values)| values[stock] = files[column][stock]);
                    Update::new(world.place.store()).check_content(true).allow(Guard::ALL).workers(1).run().unwrap();
                    (source, None)
                }
                Step::Exclude(source, column) => {
                    world.sources[source].excluded.insert(COLUMNS[column]);
                    world.sources[source].held.remove(COLUMNS[column]);
                    (source, Some(format!("exclude+={}", COLUMNS[column])))
                }
                Step::Include(source, column) => {
                    if world.sources[source].excluded.remove(COLUMNS[column]) {
                        world.reread(source);
                    }
                    (source, Some(format!("exclude-={}", COLUMNS[column])))
                }
                Step::Rename(source, column, n) => {
                    world.sources[source].renames.insert(COLUMNS[column], format!("x{n}"));
                    (source, Some(format!("rename+={}:x{n}", COLUMNS[column])))
                }
                Step::Unrename(source, column) => {
                    world.sources[source].renames.remove(COLUMNS[column]);
                    (source, Some(format!("rename-={}", COLUMNS[column])))
                }
                Step::Prefix(source, prefix) => {
                    world.sources[source].prefix = PREFIXES[prefix];
                    (source, Some(format!("prefix={}", PREFIXES[prefix])))
                }
                Step::Move(source) => {
                    world.moves += 1;
                    let to = world.place.path(&format!("moved {} {}", source, world.moves));
                    fs::rename(&world.folders[source], &to).unwrap();
                    world.folders[source] = to;
                    (source, Some(format!("path={}", world.folders[source].display())))
                }
                Step::Reread(source) => {
                    world.reread(source);
                    let name = SOURCES[source];
                    Update::new(world.place.store()).sources([name]).reread(true).allow(Guard::ALL).workers(1).run().unwrap();
                    (source, None)
                }
                Step::Restore(which) => {
                    let versions: Vec<u64> = known.keys().copied().collect();
                    let version = *which.get(&versions);
                    world.sources = known[&version].clone();
                    let count_before = world.live().history().unwrap().len();
                    Restore::new(world.place.store(), version).allow(Guard::ALL).workers(1).run().unwrap();
                    let history = world.live().history().unwrap();
                    if history.len() > count_before {
                        prop_assert_eq!(&history[count_before].command, &format!("restore {version}"));
                    } else {
                        // A version with the same rows may have other options, or its columns in another order.
                        prop_assert!(world.sources == before);
                    }
                    (0, None)
                }
            };
            if let Some(text) = text {
                let names: Vec<String> = world.sources.iter().flat_map(Source::names).collect();
                let are_distinct = names.iter().collect::<BTreeSet<_>>().len() == names.len();
                // Two columns of one source that want one name are for the files to say.
                let own: BTreeSet<String> = COLUMNS.map(|column| world.sources[changed].name_of(column)).into();
                let is_refused = !are_distinct || own.len() < 2 || world.sources[changed].held.is_empty();
                if own.len() < 2 {
                    world.sources = before.clone();
                    continue;
                }
                if before[changed].is_torn_by(&world.sources[changed]) {
                    world.reread(changed);
                }
                let told = Update::new(world.place.store())
                    .set(SOURCES[changed], parsed(&text)).allow(Guard::ALL).dry_run(true).workers(1).run();
                let report = world.set(changed, &text);
                prop_assert_eq!((told.is_err(), report.is_err()), (is_refused, is_refused), "{}: {:?}", text, report);
                match report {
                    Err(_) => world.sources = before.clone(),
                    Ok(report) => {
                        let told = told.unwrap();
                        prop_assert_eq!((&told.lost_columns, &told.renamed_columns), (&report.lost_columns, &report.renamed_columns));
                        prop_assert_eq!(told.dirty_dates, report.dirty_dates, "{}", text);
                    }
                }
            }
            world.assert_holds();
            known.insert(world.live().version(), world.sources.clone());
            for update in [Update::new(world.place.store()), Update::new(world.place.store()).check_content(true)] {
                let update = update.allow(Guard::ALL).workers(1).run().unwrap();
                prop_assert!(!update.published, "after {:?}: {:?}", step, update);
            }
        }
        // Read anew, everything is as the files have it.
        Update::new(world.place.store()).reread(true).allow(Guard::ALL).workers(2).run().unwrap();
        (0..2).for_each(|source| world.reread(source));
        world.assert_holds();
        for (folder, name) in world.folders.iter().zip(SOURCES) {
            let checked = verify_source(&world.live(), folder, &workers(1), &Silent).unwrap();
            prop_assert_eq!(checked.difference_count, 0, "{}: {:?}", name, checked);
        }
        for (version, sources) in &known {
            let store = Store::open_version(world.place.store(), *version).unwrap();
            prop_assert_eq!(verify(&store).damages, Vec::<String>::new());
            let names: usize = sources.iter().map(|source| source.held.len()).sum();
            prop_assert_eq!(store.schema().unwrap().columns.len(), names);
            for (earlier, then) in known.range(..version) {
                for (number, stock) in STOCKS.iter().enumerate() {
                    let changed = store.stock_changed(store.stock(stock).unwrap()).unwrap();
                    prop_assert!(changed > *earlier || values_of(then, number) == values_of(sources, number),
                        "{}, version {}: changed in {}, not since {}", stock, version, changed, earlier);
                }
            }
        }
    }
}

/// By source and column, whatever its name, the values of a stock; what is null everywhere is as if it were not.
fn values_of(sources: &[Source; 2], stock: usize) -> BTreeMap<(usize, &'static str), [Option<i64>; 2]> {
    let of_source = |(source, of): (usize, &Source)| {
        of.held.iter().map(|(column, values)| ((source, *column), values[stock])).collect::<Vec<_>>()
    };
    let values = sources.iter().enumerate().flat_map(of_source);
    values.filter(|(_, values)| *values != [None, None]).collect()
}

#[test]
fn several_sources_are_set_in_one_version_and_the_log_says_so() {
    let world = World::new();
    let report = Update::new(world.place.store())
        .set("prices", parsed("rename+=a:close"))
        .set("v.x", parsed("exclude+=b"))
        .set("prices", parsed("max-skipped=3"))
        .workers(1)
        .run()
        .unwrap();
    assert_eq!((report.version, report.read_files, report.max_skipped), (3, 0, Some("3".parse().unwrap())));
    assert_eq!((report.renamed_columns, report.lost_columns), (vec!["a -> close".to_owned()], vec!["p_b".to_owned()]));
    let store = world.live();
    let names: Vec<&str> = store.schema().unwrap().columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["close", "b", "p_a"]);
    assert_eq!(store.history().unwrap().pop().unwrap().command, "source set");
    // A column keeps what it is under another name.
    let diff = store.diff(&Store::open_version(world.place.store(), 2).unwrap()).unwrap();
    let counts: Vec<(String, u64, u64)> = diff
        .report(&workers(1), &Silent)
        .unwrap()
        .columns
        .into_iter()
        .map(|column| (column.name, column.restated, column.filled))
        .collect();
    let right = [("close", 0, 0), ("b", 0, 0), ("p_a", 0, 0), ("p_b", 0, 0)];
    assert_eq!(counts, right.map(|(name, restated, filled)| (name.to_owned(), restated, filled)));
}

#[test]
fn files_that_were_skipped_are_tried_again_and_others_only_where_it_matters() {
    let place = Place::new();
    small_panel(&place, 0);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
    place.add("C", &batch(&[("trade_date", dates), ("size", texts)]));
    Build::new(place.source(), place.store()).workers(1).run().unwrap();
    let set = |text: &str| Update::new(place.store()).set("source", parsed(text)).workers(1).run();
    let report = set("max-skipped=5").unwrap();
    assert_eq!((report.read_files, report.skipped.len(), report.skips_are_usual()), (0, 1, true));
    let report = set("exclude+=size").unwrap();
    assert_eq!((report.read_files, report.unchanged_files, report.added), (1, 4, 1));
    assert_eq!(report.lost_columns, ["size"]);
    let report = set("exclude-=size");
    assert_eq!(report.map(|report| report.skipped.len()).unwrap(), 1);
}

#[test]
fn how_many_skipped_files_are_usual_is_said_of_each_source() {
    for (limits, spoilt, is_usual) in [
        ([None, Some("1")], vec![(1, 0)], true),
        ([None, Some("1")], vec![(1, 0), (0, 0)], false),
        ([Some("1"), Some("1")], vec![(1, 0), (0, 0)], true),
        ([Some("2"), None], vec![(1, 0), (0, 0)], false),
    ] {
        let world = World::new();
        for (source, limit) in limits.iter().enumerate() {
            world.set(source, &format!("max-skipped={}", limit.unwrap_or_default())).unwrap();
        }
        for &(source, stock) in &spoilt {
            fs::write(world.folders[source].join(format!("{}.parquet", STOCKS[stock])), "no file").unwrap();
        }
        let report = Update::new(world.place.store()).allow(Guard::ALL).workers(1).run().unwrap();
        assert_eq!(report.skips_are_usual(), is_usual, "{limits:?}, {spoilt:?}: {report:?}");
    }
}

#[test]
fn what_is_told_of_files_names_their_source_where_several_have_files_of_one_name() {
    let world = World::new();
    let names: Vec<String> = world.live().source_names().unwrap().into_iter().map(str::to_owned).collect();
    let file = |source: usize, stock: usize| world.folders[source].join(format!("{}.parquet", STOCKS[stock]));
    fs::write(file(1, 0), "no file").unwrap();
    fs::remove_file(file(1, 1)).unwrap();
    let report = Update::new(world.place.store()).allow(Guard::ALL).max_skipped("1".parse().unwrap()).workers(1);
    let report = report.run().unwrap();
    let [skipped] = &report.skipped[..] else { panic!("{:?}", report.skipped) };
    assert_eq!((skipped.source.as_ref(), &skipped.path), (Some(&names[1]), &format!("{}.parquet", STOCKS[0])));
    assert_eq!(report.missing_files, [format!("{}: {}.parquet", names[1], STOCKS[1])]);
    let near: Vec<_> = report.near.iter().map(|near| (near.guard, near.source.as_ref())).collect();
    assert_eq!(near, [("max-skipped", Some(&names[1]))]);
    // So is what the store remembers of them.
    let known = world.live().sources().unwrap();
    let known = known.iter().flat_map(|source| &source.skipped_files).map(|one| (one.source.as_ref(), &one.path));
    assert_eq!(known.collect::<Vec<_>>(), [(Some(&names[1]), &skipped.path)]);
}

#[test]
fn a_column_that_comes_with_a_file_and_that_another_source_has_is_refused_until_it_is_left_out_or_renamed() {
    let world = World::new();
    let dates: ArrayRef = Arc::new(StringArray::from(DAYS.to_vec()));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
    let rows = batch(&[("trade_date", dates), ("a", values.clone()), ("b", values.clone()), ("p_a", values)]);
    write_parquet(&world.folders[0].join("A.parquet"), &rows);
    let update = || Update::new(world.place.store()).allow(Guard::ALL).workers(1);
    for error in [update().run().unwrap_err(), update().dry_run(true).run().unwrap_err()] {
        assert_eq!(
            error.what(|setting| setting.to_string()),
            "p_a of the source \"prices\" is a column of the store already"
        );
    }
    world.assert_holds();
    world.set(0, "exclude+=p_a").unwrap();
    assert_eq!(world.live().schema().unwrap().columns.len(), 4);
    assert!(world.set(0, "exclude-=p_a").is_err());
    let renamed = update().set("prices", parsed("exclude-=p_a")).set("prices", parsed("rename+=p_a:c")).run().unwrap();
    assert_eq!((renamed.new_columns, renamed.filled), (vec!["c".to_owned()], 2));
}

#[test]
fn values_that_a_restore_turns_null_stop_it_also_where_their_column_got_another_name_since() {
    let place = Place::in_memory();
    let days: Vec<String> = (1..=15).map(|day| format!("202401{day:02}")).collect();
    let write = |value: Option<i64>| {
        let dates: ArrayRef = Arc::new(StringArray::from(days.clone()));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![value; 15]));
        let others: ArrayRef = Arc::new(Int64Array::from(vec![1; 15]));
        write_parquet(
            &place.source().join("A.parquet"),
            &batch(&[("trade_date", dates), ("a", values), ("b", others)]),
        );
    };
    write(None);
    Build::new(place.source(), place.store()).workers(1).run().unwrap();
    write(Some(7));
    let update = || Update::new(place.store()).check_content(true).workers(1);
    update().run().unwrap();
    update().set("source", parsed("rename+=a:c")).run().unwrap();
    let report = Restore::new(place.store(), 1).workers(1).run().unwrap();
    assert!(!report.published);
    assert_eq!(report.guards.iter().map(|met| met.guard).collect::<Vec<_>>(), [Guard::TurnedNull]);
    let report = Restore::new(place.store(), 1).allow([Guard::TurnedNull]).workers(1).run().unwrap();
    assert_eq!((report.published, report.renamed_columns), (true, vec!["c -> a".to_owned()]));
}

#[test]
fn what_cannot_be_set_is_refused_and_changes_nothing() {
    let world = World::new();
    let refused = |text: &str| world.set(1, text).unwrap_err().to_string();
    assert_eq!(
        refused("rename+=a:b"),
        "b is a column of the store already, and not of this source; choose another name"
    );
    assert_eq!(refused("rename+=a:trade_date"), "trade_date is the store's column of the date; choose another name");
    assert_eq!(refused("rename+=c:ts_code"), "ts_code is the store's column of the code; choose another name");
    assert!(
        refused("rename+=typo:x").starts_with("rename names \"typo\", which neither the store nor a file has; "),
        "{}",
        refused("rename+=typo:x")
    );
    assert!(refused("columns=c").contains("would have no column left"), "{}", refused("columns=c"));
    assert!(
        refused("exclude+=typo").contains("which neither the store nor a file has"),
        "{}",
        refused("exclude+=typo")
    );
    assert!(refused("cast+=a:string").contains("which an update can only make wider"), "{}", refused("cast+=a:string"));
    let unknown = Update::new(world.place.store()).set("nix", parsed("prefix=x")).run().unwrap_err().to_string();
    assert!(unknown.ends_with("not found; the sources are prices and v.x"), "{unknown}");
    let update = Update::new(world.place.store()).sources(["v.x"]);
    let excluded = transect::source::OptionChanges { exclude: vec!["a".to_owned()], ..Default::default() };
    let message = update.options(excluded).run().unwrap_err().to_string();
    let store = world.place.store();
    let way_out = format!("; source v.x with exclude a of {} does", store.display());
    assert!(message.contains("an update cannot remove it") && message.ends_with(&way_out), "{message}");
    assert_eq!(world.live().version(), 2);
    world.assert_holds();
}

#[test]
fn the_last_column_of_a_source_stays_whatever_it_is_called() {
    let mut world = World::new();
    for (text, is_refused) in [("exclude+=b", false), ("rename+=a:x", false), ("exclude+=a", true)] {
        let result = world.set(0, text);
        assert_eq!(result.is_err(), is_refused, "{text}: {result:?}");
        let message = result.err().map(|error| error.to_string());
        let refusal = "the source \"prices\" would have no column left; leave it one, or drop the source";
        assert_eq!(message.as_deref(), is_refused.then_some(refusal));
    }
    world.sources[0].renames.insert("a", "x".to_owned());
    world.sources[0].excluded.insert("b");
    world.reread(0);
    world.assert_holds();
}

#[test]
fn another_folder_with_few_of_the_codes_is_stopped() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    fs::create_dir(place.path("other")).unwrap();
    let file = place.source().join("000001.SZ.parquet");
    fs::copy(file, place.path("other").join("000001.parquet")).unwrap();
    let path = format!("path={}", place.path("other").display());
    let report = Update::new(place.store()).set("source", parsed(&path)).run().unwrap();
    assert!(!report.published && report.guards.iter().any(|met| met.guard == Guard::FewCodes), "{report:?}");
}

#[test]
fn rows_go_with_the_code_that_their_file_gives_no_longer() {
    let place = Place::new();
    for (folder, value) in [("SZ", 1), ("SH", 2)] {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        fs::create_dir_all(place.source().join(folder)).unwrap();
        let name = format!("{folder}/00000{value}.parquet");
        write_parquet(&place.source().join(name), &batch(&[("trade_date", dates), ("x", values)]));
    }
    let options =
        transect::source::SourceOptions { pattern: "{exchange}/{code}.parquet".parse().unwrap(), ..Default::default() };
    Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap();
    let set = Update::new(place.store()).set("source", parsed("code-template={code}.{exchange}"));
    let report = set.allow(Guard::ALL).workers(1).run().unwrap();
    assert_eq!((report.added, report.removed, report.rows), (2, 2, 2));
    let section = Store::open(place.store()).unwrap().section("20240102".parse().unwrap()).unwrap();
    let batch = section.batch().unwrap();
    let codes = arrow_cast::cast(batch.column(0), &arrow_schema::DataType::Utf8).unwrap();
    assert_eq!(codes.to_data(), StringArray::from(vec!["000001.SZ", "000002.SH"]).to_data());
}

#[test]
fn a_file_that_was_gone_while_an_option_changed_is_read_by_it_once_it_is_back() {
    let place = Place::new();
    // Half past four in the afternoon of UTC is the next day in Shanghai.
    let stamps: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1_704_213_000]).with_timezone("UTC"));
    for code in STOCKS {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        place.add(code, &batch(&[("date", Arc::clone(&stamps)), ("x", values)]));
    }
    let options = transect::source::SourceOptions { drop_time: true, ..Default::default() };
    Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap();
    let (file, away) = (place.source().join("B.parquet"), place.path("away"));
    fs::rename(&file, &away).unwrap();
    let set = Update::new(place.store()).set("source", parsed("zone=Asia/Shanghai")).allow(Guard::ALL);
    set.workers(1).run().unwrap();
    let rows = || {
        let store = Store::open(place.store()).unwrap();
        let count = |date: &str| store.section(date.parse().unwrap()).map_or(0, |section| section.row_count());
        ["20240102", "20240103"].map(count)
    };
    assert_eq!(rows(), [1, 1]);
    fs::rename(&away, &file).unwrap();
    Update::new(place.store()).allow(Guard::ALL).workers(1).run().unwrap();
    assert_eq!(rows(), [0, 2]);
}

#[test]
fn a_source_is_verified_by_its_name_and_by_its_directory() {
    let world = World::new();
    let verified = |source: &str| verify_source(&world.live(), source.as_ref(), &workers(1), &Silent);
    for name in SOURCES {
        assert_eq!(verified(name).unwrap().difference_count, 0, "{name}");
    }
    assert_eq!(verified(world.folders[1].to_str().unwrap()).unwrap().difference_count, 0);
    let error = verified("nix").unwrap_err().to_string();
    assert_eq!(error, "source or directory \"nix\" not found; the sources are prices and v.x");
    let store = world.place.store();
    let error = verified(store.to_str().unwrap()).unwrap_err().to_string();
    let why = "is neither name nor directory of the sources prices and v.x; give one of those names";
    assert_eq!(error, format!("{} {why}", store.display()));
    // Of two that share a directory each has its name.
    let options = SourceOptions { prefix: "w_".to_owned(), ..SourceOptions::default() };
    let folder = &world.folders[1];
    AddSource::new(world.place.store(), [folder]).source_name("again").options(options).workers(1).run().unwrap();
    assert!(["v.x", "again"].iter().all(|name| verified(name).unwrap().is_complete()));
    let error = verified(folder.to_str().unwrap()).unwrap_err().to_string();
    let refusal = "is the directory of the sources v.x and again; give one of those names";
    assert_eq!(error, format!("{} {refusal}", folder.display()));
}

#[test]
fn a_version_that_is_damaged_is_not_restored() {
    /// Eight bytes that stand nowhere else.
    const TELLING: i64 = 0x0123_4567_89ab_cdef;
    let place = Place::new();
    let write = |dates: &[&str]| {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values((0..dates.len() as i64).map(|n| n * TELLING)));
        let dates: ArrayRef = Arc::new(StringArray::from(dates.to_vec()));
        place.add("A", &batch(&[("trade_date", dates), ("x", values)]));
    };
    write(&DAYS);
    Build::new(place.source(), place.store()).workers(1).run().unwrap();
    let segment = segment_path(&place.store());
    write(&DAYS[..1]);
    Update::new(place.store()).allow(Guard::ALL).workers(1).run().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(8).rposition(|window| window == TELLING.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let error = Restore::new(place.store(), 1).workers(1).run().unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    let live = Store::open(place.store()).unwrap();
    assert_eq!((live.version(), live.row_count()), (2, 1));
    bytes[at] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    assert_eq!(Restore::new(place.store(), 1).workers(1).run().unwrap().added, 1);
}

#[test]
fn files_with_a_column_of_either_name_are_taken_together_and_told_apart_again() {
    let place = Place::new();
    let write = |code: &str, columns: &[(&str, i64)]| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        let values = columns.iter().map(|(name, value)| {
            let values: ArrayRef = Arc::new(Int64Array::from(vec![*value]));
            (*name, values)
        });
        place.add(code, &batch(&[("trade_date", dates)].into_iter().chain(values).collect::<Vec<_>>()));
    };
    write("A", &[("x", 0), ("vol", 1)]);
    write("B", &[("x", 0), ("volume", 2)]);
    Build::new(place.source(), place.store()).workers(1).run().unwrap();
    let set = |text: &str| Update::new(place.store()).set("source", parsed(text)).allow(Guard::ALL).workers(1).run();
    let values = |name: &str| {
        let store = Store::open(place.store()).unwrap();
        let section = store.section("20240102".parse().unwrap()).unwrap().batch().unwrap();
        section.column_by_name(name).map(|values| values.to_data())
    };
    let is = |values: [Option<i64>; 2]| Some(Int64Array::from(values.to_vec()).to_data());
    set("rename+=volume:vol").unwrap();
    assert_eq!((values("vol"), values("volume")), (is([Some(1), Some(2)]), None));
    set("rename-=volume").unwrap();
    assert_eq!((values("vol"), values("volume")), (is([Some(1), None]), is([None, Some(2)])));
    // A file that has both cannot give one of them.
    write("C", &[("x", 0), ("vol", 1), ("volume", 2)]);
    let report = set("rename+=volume:vol").unwrap();
    assert_eq!(
        report.skipped[0].reason.to_string(),
        "its columns \"vol\" and \"volume\" would both be called \"vol\"; write the file anew, as the others are"
    );
}
