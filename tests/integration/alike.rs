//! Something that is done to a store here, and by tasks to copies of it: all must have the same bytes then, whatever
//! the number of parts and bands.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::ArrayRef;
use transect::source::SourceOptions;
use transect::storage::Disk;
use transect::{Build, Error, Guard, Store, TaskSplit, Update, UpdatePlanReport, UpdateReport, UpdateTasks};

use super::panels::{Place, assert_whole, batch, entries, write_parquet};
use super::tasks::{days, texts, timeless};

pub const SPLITS: [(usize, usize); 4] = [(1, 1), (7, 3), (64, 64), (3, 8)];

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in entries(from).into_iter().filter(|name| from.join(name).is_file()) {
        let to = to.join(&name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(name), to).unwrap();
    }
}

/// A disk whose numbers no night before has drawn. `store` is one that nothing is done to.
fn disk(store: &Path, night: usize) -> Disk {
    let disk = Disk::default().counting();
    // Each draws one.
    (0..4 * night).for_each(|_| drop(Update::new(store).dry_run(true).disk(disk.clone()).run().unwrap()));
    disk
}

pub fn update<'a>(store: &Path) -> Update<'a> {
    Update::new(store).memory(64 << 20).allow(Guard::ALL)
}

pub fn plan_of(update: Update, staging: PathBuf, (parts, bands): (usize, usize)) -> Option<PathBuf> {
    let split = TaskSplit { staging, parts, bands };
    update.plan_tasks(&split).unwrap().plan.map(PathBuf::from)
}

/// Asserts that two stores have the same bytes.
pub fn assert_same(local: &Path, own: &Path, what: &str) {
    assert_eq!(entries(local), entries(own), "{what}");
    for name in entries(local).iter().filter(|name| name.contains('/')) {
        assert!(timeless(local, name) == timeless(own, name), "{what}: {name} differs");
    }
}

/// What two updates say alike.
pub fn said(report: &UpdateReport) -> String {
    let mut said = report.clone();
    said.seconds = 0.0;
    format!("{said:?}")
}

/// What is said of `store`, wherever that is.
fn told(error: &Error, store: &Path) -> String {
    error.to_string().replace(&store.display().to_string(), "STORE")
}

/// A store, and how it is brought up to date.
pub struct World {
    pub place: Place,
    night: usize,
    pub configure: fn(Update<'static>) -> Update<'static>,
}

impl World {
    /// The store of the files that there are.
    pub fn new(place: Place, options: &SourceOptions) -> World {
        let build = Build::new(place.source(), place.path("local.store")).options(options.clone()).memory(64 << 20);
        build.allow(Guard::ALL).run().unwrap();
        let (drawn, path) = (place.path("drawn"), place.path("drawn.store"));
        fs::create_dir(&drawn).unwrap();
        write_parquet(&drawn.join("A.parquet"), &batch(&[("date", texts(days(0..1)))]));
        Build::new(drawn, path).run().unwrap();
        World { place, night: 0, configure: |update| update }
    }

    pub fn local(&self) -> PathBuf {
        self.place.path("local.store")
    }

    /// Brings the store up to date.
    pub fn night(&mut self, splits: &[(usize, usize)]) -> UpdateReport {
        let configure = self.configure;
        let here = |store: &Path, disk| configure(update(store).workers(2).disk(disk)).run();
        let plan = |store: &Path, disk, split| configure(update(store).disk(disk)).plan_tasks(&split);
        self.alike(splits, here, plan).unwrap()
    }

    /// Does something to the store here, and to copies of it by tasks.
    pub fn alike(
        &mut self,
        splits: &[(usize, usize)],
        here: impl Fn(&Path, Disk) -> Result<UpdateReport, Error>,
        plan: impl Fn(&Path, Disk, TaskSplit) -> Result<UpdatePlanReport, Error>,
    ) -> Result<UpdateReport, Error> {
        self.night += 1;
        let copies: Vec<PathBuf> = (0..splits.len()).map(|n| self.place.path(&format!("{n}.store"))).collect();
        for own in &copies {
            let _ = fs::remove_dir_all(own);
            copy(&self.local(), own);
        }
        let disk = || disk(&self.place.path("drawn.store"), self.night);
        let local = here(&self.local(), disk());
        for (own, &split) in copies.iter().zip(splits) {
            let staging = self.place.path("own.staging");
            let _ = fs::remove_dir_all(&staging);
            let split = TaskSplit { staging: staging.clone(), parts: split.0, bands: split.1 };
            let what = format!("night {} {split:?}", self.night);
            let done = plan(own, disk(), split).and_then(|report| match report.plan {
                Some(plan) => UpdateTasks::open(plan)?.run(2).map(Some),
                None => Ok(None),
            });
            match (&local, done) {
                (Ok(local), Ok(Some(done))) => assert_eq!(said(local), said(&done), "{what}"),
                (Ok(local), Ok(None)) => assert!(!local.published && !staging.exists(), "{what}"),
                (Err(why), Err(done)) => assert_eq!(told(why, &self.local()), told(&done, own), "{what}"),
                (local, done) => panic!("{what}: {local:?}, {done:?}"),
            }
            assert_same(&self.local(), own, &what);
        }
        assert_whole(&Store::open(self.local()).unwrap());
        local
    }

    /// Gives the file of a stock another time.
    pub fn touch(&self, code: &str) {
        let path = self.place.source().join(format!("{code}.parquet"));
        fs::write(&path, fs::read(&path).unwrap()).unwrap();
    }

    pub fn rewrite(&self, code: &str, columns: &[(&str, ArrayRef)]) {
        self.place.add(code, &batch(columns));
    }
}
