//! A build cut into tasks.

use std::path::PathBuf;

use pyo3::prelude::*;
use transect::{TaskSplit, Tasks};

use super::change::{Options, building, told};
use super::fault::raised;
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

/// How many tasks gather, and how many seal.
#[pyfunction]
pub fn count_tasks(py: Python<'_>, plan: PathBuf) -> PyResult<(usize, usize)> {
    let tasks = Tasks::open(plan).map_err(|error| raised(py, &error))?;
    Ok((tasks.parts(), tasks.bands()))
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
pub fn seal(py: Python<'_>, plan: PathBuf, band: usize) -> PyResult<String> {
    Ok(told(watched(py, None, |observer| Tasks::open(plan)?.observer(observer).seal(band))?))
}

#[pyfunction]
pub fn commit(py: Python<'_>, plan: PathBuf, options: &str) -> PyResult<String> {
    let patience = Options::parse(options)?.wait()?;
    Ok(told(watched(py, None, |observer| Tasks::open(plan)?.observer(observer).wait(patience).commit())?))
}
