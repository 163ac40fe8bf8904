//! What changes a store, or is written from one. Options come as JSON, in the library's own words.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};
use transect::remedy::Remedy;
use transect::sink::Partition;
use transect::source::{Cast, CodeMap, Ignore, OptionChanges, Pattern, Rename, SourceOptions};
use transect::storage::Access;
use transect::store::Collect;
use transect::synth::{Preset, SynthOptions};
use transect::workers::Workers;
use transect::{
    AddSource, Append, Build, ChangeSource, Guard, Limit, Page, Restore, Selection, Shape, Transpose, Update, Write,
    quantity,
};

use super::fault::{Call, way_out};
use super::frames::rows;
use super::store::{Store, members};
use super::watch::{watched, watched_by};

/// Says of each input that was left out what helps, as Python has it; of those of each source, too.
fn put_into_words(report: &mut Value, call: Call) {
    let sources = report.get_mut("sources").and_then(Value::as_array_mut).into_iter().flatten();
    sources.for_each(|source| put_into_words(source, call));
    for list in ["skipped", "skipped_before"] {
        let entries = report.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for entry in entries.filter_map(Value::as_object_mut) {
            let remedies = entry.remove("remedies").unwrap_or_default();
            let remedies: Vec<Remedy> = serde_json::from_value(remedies).unwrap_or_default();
            entry.insert("way_out".to_owned(), json!(way_out(&remedies, call)));
        }
    }
}

/// `report` as JSON, in the words of Python.
pub fn told(report: impl Serialize) -> String {
    told_by(Call::Other, report)
}

/// The report of that function.
fn told_by(call: Call, report: impl Serialize) -> String {
    let mut report = json!(report);
    put_into_words(&mut report, call);
    report.to_string()
}

/// The threads of a check, and the memory that it may take.
pub fn workers(options: &str) -> PyResult<impl Fn() -> transect::Result<Workers> + Send + Sync> {
    let options = Options::parse(options)?;
    let (count, memory) = (options.number("threads"), options.parsed("memory", quantity::byte_len)?);
    Ok(move || {
        let workers = Workers::new(count.map(|count| count as usize))?;
        Ok(match memory {
            Some(bytes) => workers.within(bytes),
            None => workers,
        })
    })
}

/// Options by name.
pub struct Options(Map<String, Value>);

impl Options {
    pub fn parse(json: &str) -> PyResult<Options> {
        serde_json::from_str(json).map(Options).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn texts_by_name(&self, name: &str) -> BTreeMap<String, String> {
        let values = self.0.get(name).and_then(Value::as_object).into_iter().flatten();
        values.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// What `parse` makes of a text.
    fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> PyResult<Option<T>> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.map(parse).transpose().map_err(|why| PyValueError::new_err(format!("{name}: {why}")))
    }

    fn text(&self, name: &str) -> PyResult<Option<String>> {
        self.parsed(name, |text| Ok(text.to_owned()))
    }

    fn read<T: FromStr<Err = String>>(&self, name: &str) -> PyResult<Option<T>> {
        self.parsed(name, str::parse)
    }

    fn allowed(&self) -> PyResult<Vec<Guard>> {
        let guards = self.texts("allow").into_iter().map(|word| word.parse::<Guard>());
        guards.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("allow: {why}")))
    }

    pub fn wait(&self) -> PyResult<Duration> {
        Ok(self.parsed("wait", quantity::duration)?.unwrap_or_default())
    }

    /// How the bytes of a store that is there reach memory.
    fn access(&self) -> PyResult<Access> {
        let access = self.parsed("io", |way| match way {
            "map" => Ok(Access::Map),
            "read" => Ok(Access::Read),
            other => Err(format!("is 'map' or 'read', not {other:?}")),
        });
        Ok(access?.unwrap_or_default())
    }

    /// An age in words, or in seconds.
    fn age(&self, name: &str) -> PyResult<Option<Duration>> {
        let seconds = self.number(name).map(Duration::from_secs);
        Ok(self.parsed(name, quantity::age)?.or(seconds))
    }

    fn casts(&self) -> PyResult<Vec<Cast>> {
        let casts = self.texts("casts").into_iter().map(|cast| cast.parse::<Cast>());
        casts.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("casts: {why}")))
    }

    fn renames(&self) -> PyResult<Vec<Rename>> {
        let renames = self.texts("rename").into_iter().map(|rename| rename.parse::<Rename>());
        renames.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("rename: {why}")))
    }

    fn ignore(&self) -> PyResult<Vec<Ignore>> {
        let globs = self.texts("ignore").into_iter().map(|glob| glob.parse::<Ignore>());
        globs.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("ignore: {why}")))
    }

    fn source(&self) -> PyResult<SourceOptions> {
        let mut options = SourceOptions {
            casts: self.casts()?,
            strict: self.flag("strict"),
            date_columns: self.texts("date_column"),
            key: self.texts("key"),
            exclude: self.texts("exclude"),
            columns: self.0.get("columns").filter(|columns| !columns.is_null()).map(|_| self.texts("columns")),
            date_format: self.text("date_format")?,
            duplicates: self.read("duplicates")?.unwrap_or_default(),
            bad_dates: self.read("bad_dates")?.unwrap_or_default(),
            code_template: self.read("code_template")?,
            code_map: self.text("code_map")?.as_deref().map(CodeMap::at),
            ignore: self.ignore()?,
            code_column: self.text("code_column")?,
            date_name: self.text("date_name")?,
            epoch: self.read("epoch")?,
            zone: self.text("zone")?,
            naive_zone: self.text("naive_zone")?,
            drop_time: self.flag("drop_time"),
            renames: self.renames()?,
            nulls: self.texts("null"),
            prefix: self.text("prefix")?.unwrap_or_default(),
            roll: self.read("roll")?,
            calendar: self.text("calendar")?,
            ..SourceOptions::default()
        };
        options.input = self.read("input")?.unwrap_or_default();
        options.files_by = self.read("files_by")?.unwrap_or_default();
        options.pattern = self.read("pattern")?.unwrap_or_else(|| Pattern::usual(options.files_by, options.input));
        Ok(options)
    }

    fn changes(&self) -> PyResult<OptionChanges> {
        Ok(OptionChanges {
            ignore: self.ignore()?,
            date_columns: self.texts("date_column"),
            date_format: self.text("date_format")?,
            epoch: self.read("epoch")?,
            zone: self.text("zone")?,
            naive_zone: self.text("naive_zone")?,
            drop_time: self.flag("drop_time"),
            calendar: self.text("calendar")?,
            code_map: self.text("code_map")?.as_deref().map(CodeMap::at),
            duplicates: self.read("duplicates")?,
            bad_dates: self.read("bad_dates")?,
            exclude: self.texts("exclude"),
            casts: self.casts()?,
        })
    }
}

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
        if let Some(versions) = $options.number("keep") {
            $builder = $builder.keep(versions as u32);
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
    if let (Some(date), Some(least)) = (options.read("expect")?, options.read("min_codes")?) {
        update = update.expect(date, least);
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
    frame: Option<&Bound<'_, PyAny>>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options = Options::parse(options)?;
    let append = match frame {
        Some(frame) => Append::of_rows(store, rows(frame)?),
        None => Append::new(store, files),
    };
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
    let report = watched_by(py, Call::Append, progress.as_ref(), |observer| append.observer(observer).run())?;
    Ok(told_by(Call::Append, report))
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
    if let Some(versions) = options.number("keep") {
        restore = restore.keep(versions as u32);
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
    frame: Option<&Bound<'_, PyAny>>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options = Options::parse(options)?;
    let name = options.text("name")?;
    let add = match frame {
        Some(frame) => AddSource::of_rows(store, name.clone().unwrap_or_default(), rows(frame)?),
        None => AddSource::new(store, folder),
    };
    let mut add = add.options(options.source()?).dry_run(options.flag("dry_run")).access(options.access()?);
    common!(add, options);
    if let Some(name) = name {
        add = add.source_name(name);
    }
    if let Some(join) = options.read("join")? {
        add = add.join(join);
    }
    if let Some(most) = options.read::<Limit>("max_skipped")? {
        add = add.max_skipped(most);
    }
    Ok(told(watched(py, progress.as_ref(), |observer| add.observer(observer).run())?))
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
    let given = |name: &str| options.0.get(name).filter(|names| !names.is_null()).map(|_| options.texts(name));
    let matrix = given("matrix");
    let shape = Shape {
        by: if matrix.is_some() { Partition::Matrix } else { options.read("by")?.unwrap_or_default() },
        format: options.read("format")?.unwrap_or_default(),
        compression: options.read("compression")?.unwrap_or_default(),
        name: options.read("name")?,
        columns: matrix.or_else(|| given("columns")),
        exclude: options.texts("exclude"),
        date: options.0.get("date").and_then(Value::as_bool),
        at: options.texts_by_name("at"),
        stocks: given("stocks"),
        ignore_unknown: options.flag("ignore_unknown"),
        ..Shape::default()
    };
    let dates = given("dates").map(|dates| dates.iter().map(|date| date.parse()).collect::<Result<_, String>>());
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
    watched(py, progress.as_ref(), |observer| page.observer(observer).run()).map(drop)
}

#[pyfunction]
pub fn gc(py: Python<'_>, store: PathBuf, options: &str) -> PyResult<String> {
    let options = Options::parse(options)?;
    let mut collect =
        Collect::new(store).dry_run(options.flag("dry_run")).wait(options.wait()?).access(options.access()?);
    if let Some(versions) = options.number("keep") {
        collect = collect.keep(versions as u32);
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
