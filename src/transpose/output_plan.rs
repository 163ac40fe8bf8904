//! The plan of an output that tasks write: pure data, and all that a task depends on.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::Transpose;
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::remedy::Remedy;
use crate::staging::{Kind, MOST, PlanOf, Planned, TASKS, Whose, check_count, check_staging, hex, put_plan, unhex};
use crate::store::{Selection, Store, Universe};
use crate::workers::DEFAULT_MEMORY;

/// How an output is cut into tasks, and where what they make lies until it is moved to its place.
#[derive(Debug, Clone)]
pub struct OutputSplit {
    /// The directory that the plan and what tasks make go to; on the output's file system, and for this plan alone.
    pub staging: PathBuf,
    /// How many tasks write.
    pub parts: usize,
}

/// What was planned.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct OutputPlanReport {
    /// Where the plan is.
    pub plan: String,
    /// How many tasks write.
    pub parts: u64,
    /// Files to write.
    pub files: u64,
    /// Files that are current.
    pub unchanged_files: u64,
    /// The store's version that is written.
    pub version: u64,
}

/// What a plan says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OutputPlan {
    /// The version of the program that made it, which alone goes on with it.
    transect: String,
    tasks: u32,
    of: PlanOf,
    /// How many tasks write, for who runs them.
    parts: usize,
    /// Absolute, both.
    pub(super) store: String,
    pub(super) out: String,
    store_id: String,
    pub(super) version: u64,
    /// What a task may take.
    memory: u64,
    /// The files of each part end here.
    part_ends: Vec<usize>,
    /// As they were given.
    shape: Shape,
    selection: Selection,
    /// Whether stocks, and dates, are passed over that the store lacks.
    passes_over: (bool, bool),
    /// The column that says which rows belong.
    universe: Option<String>,
    force: bool,
    check_content: bool,
    /// What each file is of, ascending, as ledgers list it.
    pub(super) keys: Vec<String>,
}

impl Planned for OutputPlan {
    fn is_whole(&self) -> bool {
        let ends = &self.part_ends;
        self.parts == ends.len()
            && (1..=MOST).contains(&ends.len())
            && ends.is_sorted()
            && ends.last() == Some(&self.keys.len())
            && self.keys.is_sorted()
            && unhex::<16>(&self.store_id).is_some()
    }
}

impl OutputPlan {
    pub(super) fn part_count(&self) -> usize {
        self.part_ends.len()
    }

    /// The places of the files of a part.
    pub(super) fn part(&self, part: usize) -> Range<usize> {
        let start = part.checked_sub(1).map_or(0, |before| self.part_ends[before]);
        start..self.part_ends[part]
    }

    /// Which receipt is that of part `part` of the plan with this checksum.
    pub(super) fn whose(plan: u64, part: usize) -> Whose {
        Whose { kind: Kind::Files, plan, number: part }
    }

    /// The version that is written.
    ///
    /// # Errors
    /// When it is gone, or another store is there.
    pub(super) fn open_store(&self) -> Result<Store> {
        let store = Store::open_version(&self.store, self.version)?;
        if hex(&store.id().to_be_bytes()) == self.store_id {
            return Ok(store);
        }
        Err(Error::refused(format!("{} is another store than was planned for", self.store), "plan again"))
    }

    /// The transpose of `store` that was planned, by one thread.
    pub(super) fn transpose<'a>(&self, store: &'a Store) -> Transpose<'a> {
        let transpose = Transpose::new(store, &self.out)
            .shape(Shape { ignore_unknown: self.passes_over.0, ..self.shape.clone() })
            .selection(Selection { ignore_unknown: self.passes_over.1, ..self.selection.clone() })
            .force(self.force)
            .check_content(self.check_content)
            .memory(self.memory)
            .workers(1);
        match &self.universe {
            Some(column) => transpose.universe(Universe::Column(column.clone())),
            None => transpose,
        }
    }
}

impl Transpose<'_> {
    /// Plans the files that are not current as tasks, and writes nothing but the plan. What tasks may take is its
    /// [`memory`](Transpose::memory), each of them.
    ///
    /// # Errors
    /// When [`run`](Transpose::run) would refuse, a universe is one of rows, or the plan cannot be written.
    pub fn plan_tasks(mut self, split: &OutputSplit) -> Result<OutputPlanReport> {
        check_count(split.parts)?;
        let universe = match &self.universe {
            None => None,
            Some(Universe::Column(name)) => Some(name.clone()),
            Some(Universe::Rows(_)) => {
                let way_out = [Remedy::Do("name a column that says it".to_owned())];
                return Err(Error::refused_unless("no plan holds the rows of a universe", way_out));
            }
        };
        let (shape, selection) = (self.shape.clone(), self.selection.clone());
        let passes_over = (shape.ignore_unknown, selection.ignore_unknown);
        let prepared = self.prepare()?;
        let out = self.output(&prepared)?;
        check_staging(&split.staging, &self.out, "files")?;
        let work = self.decide(&prepared, &out)?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("find", path));
        let count = work.write.len();
        let plan = OutputPlan {
            transect: env!("CARGO_PKG_VERSION").to_owned(),
            tasks: TASKS,
            of: PlanOf::Output,
            parts: split.parts,
            store: absolute(self.store.path())?.display().to_string(),
            out: absolute(&self.out)?.display().to_string(),
            store_id: hex(&self.store.id().to_be_bytes()),
            version: self.store.version(),
            memory: self.memory.unwrap_or(DEFAULT_MEMORY),
            part_ends: (1..=split.parts).map(|part| part * count / split.parts).collect(),
            shape,
            selection,
            passes_over,
            universe,
            force: self.force,
            check_content: self.check_content,
            keys: work.write.iter().map(|&place| prepared.units[place].key.clone()).collect(),
        };
        Ok(OutputPlanReport {
            plan: put_plan(&self.disk, &split.staging, &plan)?,
            parts: plan.parts as u64,
            files: count as u64,
            unchanged_files: work.unchanged,
            version: plan.version,
        })
    }
}
