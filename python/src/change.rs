//! What changes a store, or is written from one.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::json;
use transect::sink::Partition;
use transect::store::Collect;
use transect::synth::{Preset, SynthOptions};
use transect::workers::Workers;
use transect::{
    AddSource, Append, Build, ChangeSource, Limit, Page, Restore, Selection, Shape, Transpose, Update, Write, quantity,
};

use super::fault::Call;
use super::frames::rows;
use super::options::Options;
use super::report::{told, told_by};
use super::store::{Store, members};
use super::watch::{watched, watched_by};

/// Sets what the builders of a change have in common, each where it was given.
macro_rules! common {
    ($builder:ident, $options:ident) => {
        $builder = $builder.allow($options.allowed()?).wait($options.wait()?);
        running!($builder, $options);
    };
}

/// As [`common`], of what meets no guard.
macro_rules! running {
    ($builder:ident, $options:ident) => {
        if let Some(bytes) = $options.parsed("memory", quantity::byte_len)? {
            $builder = $builder.memory(bytes);
        }
        if let Some(count) = $options.number("threads") {
            $builder = $builder.workers(count as usize);
        }
        if let Some(versions) = $options.keep() {
            $builder = $builder.keep(versions);
        }
        if let Some(age) = $options.age("keep_for")? {
            $builder = $builder.keep_for(age);
        }
    };
}

#[pyfunction]
pub fn build(
    py: Python<'_>,
    source: PathBuf,
    store: PathBuf,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let build = building(source, store, &Options::parse(options)?)?;
    Ok(told(watched(py, progress.as_ref(), |observer| build.observer(observer).run())?))
}

/// The build that these options say.
pub fn building<'a>(source: PathBuf, store: PathBuf, options: &Options) -> PyResult<Build<'a>> {
    let mut build = Build::new(source, store).options(options.source()?).force(options.flag("force"));
    common!(build, options);
    if let Some(name) = options.text("name")? {
        build = build.source_name(name);
    }
    if let Some(most) = options.read::<Limit>("max_skipped")? {
        build = build.max_skipped(most);
    }
    Ok(build)
}

#[pyfunction]
pub fn update(py: Python<'_>, store: PathBuf, options: &str, progress: Option<Py<PyAny>>) -> PyResult<String> {
    let update = updating(store, &Options::parse(options)?)?;
    Ok(told(watched(py, progress.as_ref(), |observer| update.observer(observer).run())?))
}

pub fn updating<'a>(store: PathBuf, options: &Options) -> PyResult<Update<'a>> {
    let mut update = Update::new(store)
        .options(options.changes()?)
        .prune(options.flag("prune"))
        .check_content(options.flag("check_content"))
        .reread(options.flag("reread"))
        .sources(options.texts("sources"))
        .dry_run(options.flag("dry_run"))
        .access(options.access()?);
    common!(update, options);
    if let Some(date) = options.read("expect")? {
        update = update.expect(date, options.read("min_codes")?.unwrap_or(Limit::Percent(90.0)));
    }
    if let Some(most) = options.read::<Limit>("max_restated")? {
        update = update.max_restated(most);
    }
    if let Some(most) = options.read::<Limit>("max_skipped")? {
        update = update.max_skipped(most);
    }
    Ok(update)
}

#[pyfunction]
pub fn set_source(
    py: Python<'_>,
    store: PathBuf,
    name: &str,
    assignments: Vec<String>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options = Options::parse(options)?;
    let mut update = Update::new(store).sources([name]).dry_run(options.flag("dry_run")).access(options.access()?);
    common!(update, options);
    for assignment in assignments {
        update = update.set(name, assignment.parse().map_err(PyValueError::new_err)?);
    }
    if let Some(most) = options.read::<Limit>("max_restated")? {
        update = update.max_restated(most);
    }
    let report = watched_by(py, Call::SetSource, progress.as_ref(), |observer| update.observer(observer).run())?;
    Ok(told_by(Call::SetSource, report))
}

#[pyfunction]
pub fn drop_source(
    py: Python<'_>,
    store: PathBuf,
    name: &str,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    changed(py, ChangeSource::drop(store, name), &Options::parse(options)?, progress)
}

#[pyfunction]
pub fn rename_source(
    py: Python<'_>,
    store: PathBuf,
    name: &str,
    other: &str,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    if other.is_empty() {
        return Err(PyValueError::new_err("a source has a name; give it one"));
    }
    changed(py, ChangeSource::rename(store, name, other), &Options::parse(options)?, progress)
}

fn changed(py: Python<'_>, change: ChangeSource, options: &Options, progress: Option<Py<PyAny>>) -> PyResult<String> {
    let mut change = change.dry_run(options.flag("dry_run")).wait(options.wait()?).access(options.access()?);
    if let Some(count) = options.number("threads") {
        change = change.workers(count as usize);
    }
    Ok(told(watched(py, progress.as_ref(), |observer| change.observer(observer).run())?))
}

#[pyfunction]
pub fn append(
    py: Python<'_>,
    store: PathBuf,
    files: Vec<PathBuf>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options = Options::parse(options)?;
    let append = match files.is_empty() {
        true => Append::of_rows(store, rows(frame)?),
        false => Append::new(store, files),
    };
    let append = appending(append, &options)?;
    let report = watched_by(py, Call::Append, progress.as_ref(), |observer| append.observer(observer).run())?;
    Ok(told_by(Call::Append, report))
}

pub fn appending<'a>(append: Append<'a>, options: &Options) -> PyResult<Append<'a>> {
    let mut append = append
        .replace(options.flag("replace"))
        .exclude(options.texts("exclude"))
        .dry_run(options.flag("dry_run"))
        .access(options.access()?);
    common!(append, options);
    if let Some(name) = options.text("source")? {
        append = append.source_name(name);
    }
    if let Some(most) = options.read::<Limit>("max_restated")? {
        append = append.max_restated(most);
    }
    Ok(append)
}

#[pyfunction]
pub fn restore(
    py: Python<'_>,
    store: PathBuf,
    version: u64,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options = Options::parse(options)?;
    let mut restore = Restore::new(store, version)
        .allow(options.allowed()?)
        .wait(options.wait()?)
        .dry_run(options.flag("dry_run"))
        .access(options.access()?);
    if let Some(count) = options.number("threads") {
        restore = restore.workers(count as usize);
    }
    if let Some(versions) = options.keep() {
        restore = restore.keep(versions);
    }
    if let Some(age) = options.age("keep_for")? {
        restore = restore.keep_for(age);
    }
    if let Some(most) = options.read::<Limit>("max_restated")? {
        restore = restore.max_restated(most);
    }
    Ok(told(watched(py, progress.as_ref(), |observer| restore.observer(observer).run())?))
}

#[pyfunction]
pub fn write(
    py: Python<'_>,
    store: PathBuf,
    frame: &Bound<'_, PyAny>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options = Options::parse(options)?;
    let mut write =
        Write::new(store, rows(frame)?).options(options.source()?).force(options.flag("force")).wait(options.wait()?);
    running!(write, options);
    if let Some(name) = options.text("name")? {
        write = write.source_name(name);
    }
    let report = watched_by(py, Call::Write, progress.as_ref(), |observer| write.observer(observer).run())?;
    Ok(told_by(Call::Write, report))
}

/// Of `folder`, or of the rows of `frame`.
#[pyfunction]
pub fn add_source(
    py: Python<'_>,
    store: PathBuf,
    folder: Option<PathBuf>,
    frame: &Bound<'_, PyAny>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options = Options::parse(options)?;
    let add = match folder {
        None => AddSource::of_rows(store, options.text("name")?.unwrap_or_default(), rows(frame)?),
        Some(_) => AddSource::new(store, folder),
    };
    let add = adding(add, &options)?;
    Ok(told(watched(py, progress.as_ref(), |observer| add.observer(observer).run())?))
}

/// The addition that these options say.
pub(super) fn adding<'a>(add: AddSource<'a>, options: &Options) -> PyResult<AddSource<'a>> {
    let mut add = add.options(options.source()?).dry_run(options.flag("dry_run")).access(options.access()?);
    common!(add, options);
    if let Some(name) = options.text("name")? {
        add = add.source_name(name);
    }
    if let Some(join) = options.read("join")? {
        add = add.join(join);
    }
    if let Some(most) = options.read::<Limit>("max_skipped")? {
        add = add.max_skipped(most);
    }
    Ok(add)
}

#[pyfunction]
#[pyo3(signature = (store, out, universe, options, progress))]
pub fn transpose(
    py: Python<'_>,
    store: &Store,
    out: PathBuf,
    universe: Option<&Bound<'_, PyAny>>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let run = transposing(store, out, universe, &Options::parse(options)?)?;
    Ok(told(watched(py, progress.as_ref(), |observer| run.observer(observer).run())?))
}

/// The transpose that these options say.
pub fn transposing<'s>(
    store: &'s Store,
    out: PathBuf,
    universe: Option<&Bound<'_, PyAny>>,
    options: &Options,
) -> PyResult<Transpose<'s>> {
    let matrix = options.given("matrix");
    let shape = Shape {
        by: if matrix.is_some() { Partition::Matrix } else { options.read("by")?.unwrap_or_default() },
        format: options.read("format")?.unwrap_or_default(),
        compression: options.read("compression")?.unwrap_or_default(),
        name: options.read("name")?,
        columns: matrix.or_else(|| options.given("columns")),
        exclude: options.texts("exclude"),
        date: options.choice("date"),
        at: options.texts_by_name("at"),
        stocks: options.given("stocks"),
        ignore_unknown: options.flag("ignore_unknown"),
        ..Shape::default()
    };
    let dates =
        options.given("dates").map(|dates| dates.iter().map(|date| date.parse()).collect::<Result<_, String>>());
    let selection = Selection {
        from: options.read("start")?,
        to: options.read("end")?,
        dates: dates.transpose().map_err(PyValueError::new_err)?,
        last: options.number("last").map(|last| last as usize),
        ignore_unknown: options.flag("ignore_unknown"),
    };
    let store = &store.0;
    let mut run = Transpose::new(store, out)
        .shape(shape)
        .selection(selection)
        .force(options.flag("force"))
        .check_content(options.flag("check_content"))
        .wait(options.wait()?);
    if let Some(universe) = universe {
        run = run.universe(members(store, universe)?);
    }
    if let Some(count) = options.number("threads") {
        run = run.workers(count as usize);
    }
    if let Some(bytes) = options.parsed("memory", quantity::byte_len)? {
        run = run.memory(bytes);
    }
    Ok(run)
}

#[pyfunction]
pub fn report(py: Python<'_>, store: &Store, out: PathBuf, options: &str, progress: Option<Py<PyAny>>) -> PyResult<()> {
    let options = Options::parse(options)?;
    let mut page = Page::new(&store.0, out).force(options.flag("force"));
    if let Some(count) = options.number("threads") {
        page = page.workers(count as usize);
    }
    if let Some(bytes) = options.parsed("memory", quantity::byte_len)? {
        page = page.memory(bytes);
    }
    watched(py, progress.as_ref(), |observer| page.observer(observer).run()).map(drop)
}

#[pyfunction]
pub fn gc(py: Python<'_>, store: PathBuf, options: &str) -> PyResult<String> {
    let options = Options::parse(options)?;
    let mut collect =
        Collect::new(store).dry_run(options.flag("dry_run")).wait(options.wait()?).access(options.access()?);
    if let Some(versions) = options.keep() {
        collect = collect.keep(versions);
    }
    if let Some(age) = options.age("older_than")? {
        collect = collect.keep_for(age);
    }
    if let Some(version) = options.number("live") {
        collect = collect.live(version);
    }
    Ok(json!(watched(py, None, |observer| collect.observer(observer).run())?).to_string())
}

#[pyfunction]
pub fn synth(py: Python<'_>, out: PathBuf, preset: &str, stocks: usize, dates: usize, seed: u64) -> PyResult<String> {
    let preset = preset.parse::<Preset>().map_err(PyValueError::new_err)?;
    let options = SynthOptions { stocks, dates, seed, preset };
    let report = watched(py, None, |observer| transect::synth::synth(&out, &options, &Workers::new(None)?, observer))?;
    Ok(json!(report).to_string())
}

/// Nanoseconds since 1970 of an instant in words; a date is its end.
#[pyfunction]
pub fn instant(text: &str) -> PyResult<i64> {
    quantity::instant(text).map_err(PyValueError::new_err)
}
