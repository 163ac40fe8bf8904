//! Options of a call, which come as JSON, in the library's own words.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Map, Value};
use transect::source::{Cast, CodeMap, Ignore, OptionChanges, Pattern, Rename, SourceOptions};
use transect::storage::Access;
use transect::workers::Workers;
use transect::{Guard, quantity};

/// Options by name.
pub struct Options(Map<String, Value>);

impl Options {
    pub fn parse(json: &str) -> PyResult<Options> {
        serde_json::from_str(json).map(Options).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.choice(name).unwrap_or(false)
    }

    /// Yes or no, where either was said.
    pub fn choice(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// As [`texts`](Self::texts), `None` where there is no such option.
    pub fn given(&self, name: &str) -> Option<Vec<String>> {
        self.0.get(name).filter(|values| !values.is_null()).map(|_| self.texts(name))
    }

    pub fn texts_by_name(&self, name: &str) -> BTreeMap<String, String> {
        let values = self.0.get(name).and_then(Value::as_object).into_iter().flatten();
        values.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// What `parse` makes of a text.
    pub fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> PyResult<Option<T>> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.map(parse).transpose().map_err(|why| PyValueError::new_err(format!("{name}: {why}")))
    }

    pub fn text(&self, name: &str) -> PyResult<Option<String>> {
        self.parsed(name, |text| Ok(text.to_owned()))
    }

    pub fn read<T: FromStr<Err = String>>(&self, name: &str) -> PyResult<Option<T>> {
        self.parsed(name, str::parse)
    }

    pub fn allowed(&self) -> PyResult<Vec<Guard>> {
        let guards = self.texts("allow").into_iter().map(|word| word.parse::<Guard>());
        guards.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("allow: {why}")))
    }

    pub fn wait(&self) -> PyResult<Duration> {
        Ok(self.span("wait", quantity::duration)?.unwrap_or_default())
    }

    /// How many versions are kept; more than can be counted are all.
    pub fn keep(&self) -> Option<u32> {
        self.number("keep").map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// How the bytes of a store that is there reach memory.
    pub fn access(&self) -> PyResult<Access> {
        let access = self.parsed("io", |way| match way {
            "map" => Ok(Access::Map),
            "read" => Ok(Access::Read),
            other => Err(format!("is 'map' or 'read', not {other:?}")),
        });
        Ok(access?.unwrap_or_default())
    }

    pub fn age(&self, name: &str) -> PyResult<Option<Duration>> {
        self.span(name, quantity::age)
    }

    /// A time in words, which `parse` reads, or in seconds.
    fn span(&self, name: &str, parse: impl Fn(&str) -> Result<Duration, String>) -> PyResult<Option<Duration>> {
        let seconds = self.number(name).map(Duration::from_secs);
        Ok(self.parsed(name, parse)?.or(seconds))
    }

    pub fn casts(&self) -> PyResult<Vec<Cast>> {
        let casts = self.texts("casts").into_iter().map(|cast| cast.parse::<Cast>());
        casts.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("casts: {why}")))
    }

    pub fn renames(&self) -> PyResult<Vec<Rename>> {
        let renames = self.texts("rename").into_iter().map(|rename| rename.parse::<Rename>());
        renames.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("rename: {why}")))
    }

    pub fn ignore(&self) -> PyResult<Vec<Ignore>> {
        let globs = self.texts("ignore").into_iter().map(|glob| glob.parse::<Ignore>());
        globs.collect::<Result<_, _>>().map_err(|why| PyValueError::new_err(format!("ignore: {why}")))
    }

    pub fn source(&self) -> PyResult<SourceOptions> {
        let mut options = SourceOptions {
            casts: self.casts()?,
            strict: self.flag("strict"),
            date_columns: self.texts("date_column"),
            key: self.texts("key"),
            exclude: self.texts("exclude"),
            columns: self.given("columns"),
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

    pub fn changes(&self) -> PyResult<OptionChanges> {
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
