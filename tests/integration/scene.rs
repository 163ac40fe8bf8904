//! Stores that a command is about to change, and what must hold of them whatever comes in between: the other modules
//! stop the command, fail it and cut the power.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use transect::storage::Disk;
use transect::store::Collect;
use transect::{
    AddSource, Append, Build, ChangeSource, Date, Error, Guard, Restore, Store, TaskSplit, Tasks, Update, UpdateTasks,
};

use super::machine::{Machine, Recorder};
use super::panels::{
    Contents, Place, assert_no_leftovers, assert_whole, batch, copy_dir, sections, setting, small_panel, verify,
    write_parquet,
};

/// How many random cases are tried of each kind; `tools/torture` asks for more.
pub fn rounds() -> usize {
    setting("TRANSECT_ROUNDS", 3) as usize
}

/// Where random numbers begin.
pub fn seed() -> u64 {
    setting("TRANSECT_SEED", 1)
}

/// Numbers that look random (xorshift64*), the same for the same seed.
pub struct Random(u64);

impl Random {
    /// Those of one round under the seed.
    pub fn new(round: u64) -> Random {
        Random(((seed() << 32) | (round + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One from 0 on, below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % limit.max(1)
    }
}

/// All rows of one version.
pub type Panel = Vec<(Date, Contents)>;

/// Something that writes to the store at a path.
pub type Command = fn(&Place, &Path, Disk) -> Result<(), Error>;

pub fn build(place: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    let force = store.join("CURRENT").exists();
    Build::new(place.source(), store).workers(1).force(force).disk(disk).run().map(drop)
}

fn build_by_two(place: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    Build::new(place.source(), store).workers(2).force(true).disk(disk).run().map(drop)
}

pub fn update(_: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    Update::new(store).workers(1).disk(disk).run().map(drop)
}

/// A build by tasks that are all run here, with what an earlier run left.
fn build_by_tasks(place: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    let split = split(store);
    by_tasks(
        &split.staging,
        || Build::new(place.source(), store).disk(disk.clone()).plan_tasks(&split).map(|report| Some(report.plan)),
        |plan| Tasks::open_on(plan, disk.clone())?.run(1).map(drop),
    )
}

/// Likewise an update.
fn update_by_tasks(_: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    let split = split(store);
    by_tasks(
        &split.staging,
        || Update::new(store).disk(disk.clone()).plan_tasks(&split).map(|report| report.plan),
        |plan| UpdateTasks::open_on(plan, disk.clone())?.run(1).map(drop),
    )
}

/// Likewise the addition of a source.
fn add_by_tasks(place: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    if Store::open(store)?.source_names()?.len() > 1 {
        return Ok(());
    }
    let split = split(store);
    let add = || AddSource::new(store, [place.path("more")]).prefix("m_").allow(Guard::ALL).disk(disk.clone());
    by_tasks(
        &split.staging,
        || add().plan_tasks(&split).map(|report| report.plan),
        |plan| UpdateTasks::open_on(plan, disk.clone())?.run(1).map(drop),
    )
}

fn split(store: &Path) -> TaskSplit {
    TaskSplit { staging: store.with_file_name("staging"), parts: 2, bands: 2 }
}

/// Plans and runs tasks, or those whose plan is in `staging`.
pub fn by_tasks(
    staging: &Path,
    plan: impl Fn() -> Result<Option<String>, Error>,
    run: impl Fn(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = staging.join("plan.json");
    if !path.exists() && plan()?.is_none() {
        return Ok(());
    }
    match run(&path) {
        // The power failed meanwhile: rows were lost, which are not synced.
        Err(Error::Corrupt { .. }) => {
            fs::remove_dir_all(staging).unwrap();
            plan()?.map_or(Ok(()), |plan| run(Path::new(&plan)))
        }
        done => done,
    }
}

fn update_setting(_: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    Update::new(store).keep(9).workers(1).disk(disk).run().map(drop)
}

fn append(place: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    let report = Append::new(store, APPENDED.map(|name| place.path(name))).workers(1).disk(disk).run()?;
    assert_eq!(report.skipped, []);
    Ok(())
}

fn restore(_: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    Restore::new(store, 1).allow(Guard::ALL).workers(1).disk(disk).run().map(drop)
}

/// Reads all files of one source again, without one column and with another under another name; and those of a second.
fn set(_: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    let assigned = |text: &str| text.parse().unwrap();
    Update::new(store)
        .set("source", assigned("exclude+=raw"))
        .set("source", assigned("rename+=volume:vol"))
        .set("more", assigned("duplicates=first"))
        .set("more", assigned("prefix=n_"))
        .workers(1)
        .disk(disk)
        .run()
        .map(drop)
}

fn drop_first(_: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    match ChangeSource::drop(store, "source").workers(1).disk(disk).run() {
        // It was dropped before.
        Err(Error::NotFound { .. }) => Ok(()),
        dropped => dropped.map(drop),
    }
}

pub fn collect(_: &Place, store: &Path, disk: Disk) -> Result<(), Error> {
    Collect::new(store).keep(1).disk(disk).run().map(drop)
}

/// A store, and a command that is about to run on it.
pub struct Scene {
    pub name: &'static str,
    pub place: Place,
    pub command: Command,
    /// The directory around the store, as the command finds it.
    world: PathBuf,
    /// What each version holds before.
    before: BTreeMap<u64, Panel>,
    /// What the live version holds afterwards.
    pub after: Panel,
}

/// Where the store is in the directory around it.
pub fn store_in(world: &Path) -> PathBuf {
    world.join("panels/panel.store")
}

impl Scene {
    fn new(name: &'static str, prepare: fn(&Place, &Path), command: Command) -> Scene {
        let place = Place::in_memory();
        let world = place.path("before");
        let store = store_in(&world);
        fs::create_dir(&world).unwrap();
        prepare(&place, &store);
        let kept = Store::open(&store).map_or(Vec::new(), |live| live.kept_versions().unwrap());
        let panel = |version| sections(&Store::open_version(&store, version).unwrap());
        let before = kept.into_iter().map(|version| (version, panel(version))).collect();
        let undisturbed = place.path("undisturbed");
        copy_dir(&world, &undisturbed);
        command(&place, &store_in(&undisturbed), Disk::default()).unwrap();
        let after = sections(&Store::open(store_in(&undisturbed)).unwrap());
        Scene { name, place, command, world, before, after }
    }

    /// A build where nothing is, not even the directory around it.
    pub fn first_build() -> Scene {
        Scene::new("first build", |place, _| small_panel(place, 0), build)
    }

    /// The same by tasks.
    pub fn first_build_by_tasks() -> Scene {
        Scene::new("first build by tasks", |place, _| small_panel(place, 0), build_by_tasks)
    }

    /// A build over two versions.
    pub fn forced_build() -> Scene {
        Scene::new("forced build", one_changed_date, build)
    }

    /// The same by two workers, for whom another thread syncs.
    pub fn forced_build_by_two() -> Scene {
        Scene::new("forced build by two", one_changed_date, build_by_two)
    }

    /// An update that changes one date of three and drops the oldest version.
    pub fn update() -> Scene {
        Scene::new("update", one_changed_date, update)
    }

    /// The same by tasks.
    pub fn update_by_tasks() -> Scene {
        Scene::new("update by tasks", one_changed_date, update_by_tasks)
    }

    /// A second source, by tasks.
    pub fn add_by_tasks() -> Scene {
        Scene::new("add by tasks", one_source, add_by_tasks)
    }

    /// A new date and one in place of another.
    pub fn append() -> Scene {
        Scene::new("append", two_dates, append)
    }

    /// An update that makes one segment of sixteen.
    pub fn merge() -> Scene {
        Scene::new("merge", fifteen_segments, update)
    }

    /// An update that changes how many versions stay, and nothing else.
    pub fn setting() -> Scene {
        Scene::new("setting", two_versions, update_setting)
    }

    /// The rows of the first of two versions come back.
    pub fn restore() -> Scene {
        let prepare = |place: &Place, store: &Path| {
            two_versions(place, store);
            one_stock(place, "new", &[(20240102, 1.0)]);
            Update::new(store).keep(9).workers(1).run().unwrap();
        };
        Scene::new("restore", prepare, restore)
    }

    /// Options of two sources change, in one version.
    pub fn set() -> Scene {
        Scene::new("set", two_sources, set)
    }

    /// The first of two sources goes, with its rows.
    pub fn drop_first() -> Scene {
        Scene::new("drop", two_sources, drop_first)
    }

    /// A collection of six versions.
    pub fn collection() -> Scene {
        Scene::new("collection", seven_versions, collect)
    }

    /// The live version before; `None` where there is none.
    pub fn live(&self) -> Option<&Panel> {
        self.before.last_key_value().map(|(_, panel)| panel)
    }

    /// A copy of the world to work on, as a machine and a recorder of what is done to it.
    pub fn begin(&self) -> (PathBuf, Machine, Recorder) {
        let world = self.empty("now");
        copy_dir(&self.world, &world);
        let (recorder, machine) = (Recorder::new(&store_in(&world)), Machine::of(&world));
        (world, machine, recorder)
    }

    /// A path at which nothing is.
    pub fn empty(&self, name: &str) -> PathBuf {
        let path = self.place.path(name);
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        path
    }

    /// Asserts that the live version in `world` holds one of `allowed` (where that is `None`, there may be none), and
    /// the versions before it what they held; then, that the command runs, does what it is for and leaves nothing
    /// behind.
    pub fn assert_goes_on(&self, world: &Path, allowed: &[Option<&Panel>], context: impl Fn() -> String) {
        let store = store_in(world);
        let fail = |what: &str, error: Error| -> ! { panic!("{}: {what}: {error}: {}", self.name, context()) };
        let found = match Store::open(&store) {
            Err(Error::NotAStore { .. } | Error::Unfinished { .. }) if allowed.contains(&None) => None,
            Err(error) => fail("opening", error),
            Ok(live) => {
                self.assert_versions(&live, allowed, &context);
                Some(live.version())
            }
        };
        (self.command)(&self.place, &store, Disk::default()).unwrap_or_else(|error| fail("the next run", error));
        let live = Store::open(&store).unwrap_or_else(|error| fail("opening after the next run", error));
        assert_whole(&live);
        assert!(sections(&live) == self.after, "{}: after the next run: {}", self.name, context());
        assert_no_leftovers(&store);
        if found == Some(live.version()) {
            drop(live);
            // A run that finds nothing to do takes nothing away.
            Collect::new(&store).run().unwrap();
        }
        let garbage = Collect::new(&store).dry_run(true).run().unwrap();
        assert_eq!(garbage.files, 0, "{}: left behind: {}", self.name, context());
    }

    fn assert_versions(&self, live: &Store, allowed: &[Option<&Panel>], context: &impl Fn() -> String) {
        for version in live.kept_versions().unwrap() {
            let context = || format!("{}: version {version}: {}", self.name, context());
            let store = Store::open_version(live.path(), version).unwrap_or_else(|e| panic!("{e}: {}", context()));
            assert_eq!(verify(&store).damages, Vec::<String>::new(), "{}", context());
            let found = sections(&store);
            let is_right = match self.before.get(&version) {
                Some(panel) if version != live.version() => *panel == found,
                _ => allowed.contains(&Some(&found)),
            };
            assert!(is_right, "holds something else: {}", context());
        }
    }
}

/// Two versions of four stocks, of which the second differs on every date.
fn two_versions(place: &Place, store: &Path) {
    small_panel(place, 0);
    Build::new(place.source(), store).keep(2).workers(1).run().unwrap();
    small_panel(place, 1);
    update(place, store, Disk::default()).unwrap();
}

fn one_changed_date(place: &Place, store: &Path) {
    two_versions(place, store);
    one_stock(place, "平安", &[(20240102, 2e300)]);
    one_stock(place, "new", &[(20240102, 1.0)]);
}

/// Two sources, of which each has rows that the other lacks.
fn two_sources(place: &Place, store: &Path) {
    one_source(place, store);
    AddSource::new(store, [place.path("more")]).prefix("m_").allow(Guard::ALL).workers(1).run().unwrap();
}

/// The first of them, and the files of the second.
fn one_source(place: &Place, store: &Path) {
    small_panel(place, 0);
    Build::new(place.source(), store).keep(2).workers(1).run().unwrap();
    let more = place.path("more");
    fs::create_dir_all(&more).unwrap();
    for code in ["平安", "new"] {
        one_stock(place, code, &[(20240102, 1.5), (20240105, 2.5)]);
        fs::rename(place.source().join(format!("{code}.parquet")), more.join(format!("{code}.parquet"))).unwrap();
    }
    small_panel(place, 0);
}

/// The files of [`append`].
const APPENDED: [&str; 2] = ["20240103.parquet", "20240104.parquet"];

fn two_dates(place: &Place, store: &Path) {
    two_versions(place, store);
    // The rows of one date, as those of two others.
    let live = Store::open(store).unwrap();
    let rows = live.section_at(1).unwrap().batch().unwrap();
    let fields = rows.schema().fields().clone();
    let undated: Vec<usize> = (0..fields.len()).filter(|&column| fields[column].name() != "trade_date").collect();
    for name in APPENDED {
        write_parquet(&place.path(name), &rows.project(&undated).unwrap());
    }
}

fn fifteen_segments(place: &Place, store: &Path) {
    let rows: Vec<(i64, f64)> = (20240101..=20240116).map(|date| (date, date as f64)).collect();
    one_stock(place, "A", &rows[..1]);
    Build::new(place.source(), store).keep(2).workers(1).run().unwrap();
    for dates in 2..=15 {
        one_stock(place, "A", &rows[..dates]);
        update(place, store, Disk::default()).unwrap();
    }
    one_stock(place, "A", &rows);
}

fn seven_versions(place: &Place, store: &Path) {
    two_versions(place, store);
    for salt in 0..5 {
        one_stock(place, "平安", &[(20240102, f64::from(salt))]);
        Update::new(store).keep(7).workers(1).run().unwrap();
    }
}

/// Writes the file of a stock with these dates and values.
fn one_stock(place: &Place, code: &str, rows: &[(i64, f64)]) {
    let dates: ArrayRef = Arc::new(rows.iter().map(|(date, _)| Some(date.to_string())).collect::<StringArray>());
    let sizes: ArrayRef = Arc::new(rows.iter().map(|&(_, size)| size).collect::<Float64Array>());
    place.add(code, &batch(&[("trade_date", dates), ("size", sizes)]));
}
