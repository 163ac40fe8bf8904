//! A build, a change of a store, or a transpose, cut into tasks.

use std::path::PathBuf;

use pyo3::prelude::*;
use transect::{AddSource, Append, OutputSplit, OutputTasks, PlanOf, TaskSplit, Tasks, UpdateTasks};

use super::change::{adding, appending, building, transposing, updating};
use super::fault::raised;
use super::options::Options;
use super::report::told;
use super::store::Store;
use super::watch::watched;

#[pyfunction]
pub fn plan_tasks(
    py: Python<'_>,
    source: PathBuf,
    store: PathBuf,
    staging: PathBuf,
    counts: (usize, usize),
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let build = building(source, store, &Options::parse(options)?)?;
    let split = TaskSplit { staging, parts: counts.0, bands: counts.1 };
    Ok(told(watched(py, progress.as_ref(), |observer| build.observer(observer).plan_tasks(&split))?))
}

#[pyfunction]
pub fn plan_update(
    py: Python<'_>,
    store: PathBuf,
    staging: PathBuf,
    counts: (usize, usize),
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let update = updating(store, &Options::parse(options)?)?;
    let split = TaskSplit { staging, parts: counts.0, bands: counts.1 };
    Ok(told(watched(py, progress.as_ref(), |observer| update.observer(observer).plan_tasks(&split))?))
}

#[pyfunction]
pub fn plan_add_source(
    py: Python<'_>,
    store: PathBuf,
    paths: (PathBuf, PathBuf),
    counts: (usize, usize),
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let (source, staging) = paths;
    let add = adding(AddSource::new(store, [source]), &Options::parse(options)?)?;
    let split = TaskSplit { staging, parts: counts.0, bands: counts.1 };
    Ok(told(watched(py, progress.as_ref(), |observer| add.observer(observer).plan_tasks(&split))?))
}

#[pyfunction]
pub fn plan_append(
    py: Python<'_>,
    store: PathBuf,
    given: (Vec<PathBuf>, PathBuf),
    counts: (usize, usize),
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let (files, staging) = given;
    let append = appending(Append::new(store, files), &Options::parse(options)?)?;
    let split = TaskSplit { staging, parts: counts.0, bands: counts.1 };
    Ok(told(watched(py, progress.as_ref(), |observer| append.observer(observer).plan_tasks(&split))?))
}

#[pyfunction]
pub fn plan_transpose(
    py: Python<'_>,
    store: &Store,
    paths: (PathBuf, PathBuf),
    parts: usize,
    universe: Option<&Bound<'_, PyAny>>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let (out, staging) = paths;
    let run = transposing(store, out, universe, &Options::parse(options)?)?;
    let split = OutputSplit { staging, parts };
    Ok(told(watched(py, progress.as_ref(), |observer| run.observer(observer).plan_tasks(&split))?))
}

/// What a plan is of, how many parts there are, and how many bands; of an output none.
#[pyfunction]
pub fn count_tasks(py: Python<'_>, plan: PathBuf) -> PyResult<(&'static str, usize, usize)> {
    let counts = || match PlanOf::at(&plan)? {
        PlanOf::Output => Ok(("output", OutputTasks::open(&plan)?.parts(), 0)),
        PlanOf::Update => UpdateTasks::open(&plan).map(|tasks| {
            let of = match (tasks.adds_source(), tasks.appends()) {
                (true, _) => "add_source",
                (_, true) => "append",
                _ => "update",
            };
            (of, tasks.parts(), tasks.bands())
        }),
        _ => Tasks::open(&plan).map(|tasks| ("store", tasks.parts(), tasks.bands())),
    };
    counts().map_err(|error| raised(py, &error))
}

#[pyfunction]
pub fn gather(py: Python<'_>, plan: PathBuf, part: usize) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| Tasks::open(plan)?.observer(observer).gather(part))?))
}

#[pyfunction]
pub fn assemble(py: Python<'_>, plan: PathBuf) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| Tasks::open(plan)?.observer(observer).assemble())?))
}

#[pyfunction]
pub fn assemble_update(py: Python<'_>, plan: PathBuf) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| UpdateTasks::open(plan)?.observer(observer).assemble())?))
}

#[pyfunction]
pub fn compare(py: Python<'_>, plan: PathBuf, band: usize) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| UpdateTasks::open(plan)?.observer(observer).compare(band))?))
}

#[pyfunction]
pub fn seal(py: Python<'_>, plan: PathBuf, band: usize) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| Tasks::open(plan)?.observer(observer).seal(band))?))
}

#[pyfunction]
pub fn seal_with_files(py: Python<'_>, plan: PathBuf, band: usize, out: PathBuf) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| Tasks::open(plan)?.output(out)?.observer(observer).seal(band))?))
}

#[pyfunction]
pub fn write_part(py: Python<'_>, plan: PathBuf, part: usize) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| OutputTasks::open(plan)?.observer(observer).write(part))?))
}

#[pyfunction]
pub fn commit(py: Python<'_>, plan: PathBuf, options: &str) -> PyResult<String> {
    let patience = Options::parse(options)?.wait()?;
    Ok(told(watched(py, None, |observer| Tasks::open(plan)?.observer(observer).wait(patience).commit())?))
}

#[pyfunction]
pub fn commit_update(py: Python<'_>, plan: PathBuf, options: &str) -> PyResult<String> {
    let patience = Options::parse(options)?.wait()?;
    Ok(told(watched(py, None, |observer| UpdateTasks::open(plan)?.observer(observer).wait(patience).commit())?))
}

#[pyfunction]
pub fn commit_output(py: Python<'_>, plan: PathBuf, options: &str) -> PyResult<String> {
    let patience = Options::parse(options)?.wait()?;
    Ok(told(watched(py, None, |observer| OutputTasks::open(plan)?.observer(observer).wait(patience).commit())?))
}
