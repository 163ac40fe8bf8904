//! Errors of the library as exceptions, in the words of Python: settings are arguments, and operations are calls.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use transect::Error;
use transect::remedy::{Operation, Remedy, Setting, Words, told};
use transect::skipped::usual;

/// The function that was called, where its arguments have names of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Write,
    Append,
    SetSource,
    Other,
}

/// `error` as the exception that it is; see `transect._errors`.
pub fn raised(py: Python<'_>, error: &Error) -> PyErr {
    raised_by(py, error, Call::Other)
}

/// `error` of that function.
pub fn raised_by(py: Python<'_>, error: &Error, call: Call) -> PyErr {
    let result = exception(py, error, call);
    result.unwrap_or_else(|_| PyRuntimeError::new_err(error.to_string()))
}

/// A refusal of what Python gave.
pub fn refused(py: Python<'_>, message: String) -> PyErr {
    let made = py.import("transect._errors").and_then(|errors| errors.getattr("Refused")?.call1((message.as_str(),)));
    made.map_or_else(|_| PyRuntimeError::new_err(message), PyErr::from_value)
}

fn exception(py: Python<'_>, error: &Error, call: Call) -> PyResult<PyErr> {
    // What Python raised while its rows were read is raised as it is.
    if let Error::Failed { source, .. } = error
        && let Some(own) = source.downcast_ref::<PyErr>()
    {
        return Ok(own.clone_ref(py));
    }
    let fields = PyDict::new(py);
    if let Some(path) = error.path() {
        fields.set_item("path", path)?;
    }
    match error {
        Error::NotFound { wanted, names, hint, .. } => {
            fields.set_item("names", names.to_vec())?;
            fields.set_item("kind", format!("{wanted:?}").to_lowercase())?;
            fields.set_item("nearest", hint.told(&InPython(call)))?;
        }
        Error::Locked { holder, .. } => fields.set_item("holder", holder)?,
        Error::Corrupt { damage, .. } => fields.set_item("place", damage.to_string())?,
        Error::Io { source, .. } => fields.set_item("errno", source.raw_os_error())?,
        Error::Live { version, .. } => fields.set_item("version", version)?,
        _ => {}
    }
    let errors = py.import("transect._errors")?;
    let made = errors.call_method1("made", (error.kind(), message(error, call), fields))?;
    Ok(PyErr::from_value(made))
}

/// What is wrong, why, and the way out.
fn message(error: &Error, call: Call) -> String {
    if let Error::Inputs { what, skipped, .. } = error {
        // Each reason has its own.
        let told = usual(skipped, |group| match way_out(&group.remedies, call) {
            Some(way_out) => format!("{}; {way_out}", group.what()),
            None => group.what(),
        });
        return format!("{what}: {told}");
    }
    let mut text = error.what(|setting| argument(setting, call).split('=').next().unwrap_or_default().to_owned());
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    match way_out(&error.remedies(), call) {
        Some(way_out) => format!("{text}; {way_out}"),
        None => text,
    }
}

/// What helps.
pub fn way_out(remedies: &[Remedy], call: Call) -> Option<String> {
    told(remedies, &InPython(call))
}

struct InPython(Call);

impl Words for InPython {
    fn settings(&self, settings: &[Setting]) -> Option<String> {
        // Only one function has it, and others name stocks, too.
        let has_words = !settings.contains(&Setting::IgnoreUnknown);
        // It is the one that is set.
        let is_named = |setting: &&Setting| self.0 != Call::SetSource || !matches!(setting, Setting::Source(_));
        let named = settings.iter().filter(is_named).map(|setting| argument(setting, self.0));
        has_words.then(|| named.collect::<Vec<_>>().join(", "))
    }

    fn operation(&self, operation: &Operation) -> String {
        // Capitals stand for what the reader knows.
        let known = |path: &Option<String>, unknown: &str| match path {
            Some(path) => format!("{path:?}"),
            None => unknown.to_owned(),
        };
        match operation {
            Operation::Build { source, store } => {
                format!("transect.build({}, {})", known(source, "SRC"), known(store, "STORE"))
            }
            // Such a store has no files.
            Operation::Update(store) if self.0 == Call::Write => format!("transect.append({store:?}, frame)"),
            Operation::Update(store) => format!("transect.update({store:?})"),
            Operation::SetSource { store, settings } => {
                let more = |setting: &Setting| match setting {
                    Setting::Source(name) => Some(format!("{name:?}")),
                    Setting::Exclude(_) | Setting::Cast(_) | Setting::Rename(_) | Setting::Null => {
                        argument(setting, Call::Other)
                            .split_once('=')
                            .map(|(name, value)| format!("add={{{name:?}: {value}}}"))
                    }
                    _ => None,
                };
                let arguments: Vec<String> = settings
                    .iter()
                    .map(|setting| more(setting).unwrap_or_else(|| argument(setting, Call::Other)))
                    .collect();
                format!("transect.set_source({store:?}, {})", arguments.join(", "))
            }
            _ => "Store.info".to_owned(),
        }
    }
}

/// A setting as an argument of the function.
fn argument(setting: &Setting, call: Call) -> String {
    let name = setting.name().replace('-', "_");
    match (call, setting) {
        (Call::Write, Setting::CodeColumn(column)) if column.is_empty() => return "code=NAME".to_owned(),
        (Call::Write, Setting::CodeColumn(column)) => return format!("code={column:?}"),
        (Call::Write, Setting::DateColumn(names)) => {
            return names.first().map_or_else(|| "date=NAME".to_owned(), |name| format!("date={name:?}"));
        }
        (Call::Write, Setting::Force) => return "mode=\"overwrite\"".to_owned(),
        // What is appended has the names and types of the store.
        (Call::Append, Setting::CodeColumn(_) | Setting::DateColumn(_)) => return "the store's name for it".to_owned(),
        (Call::Append, Setting::Cast(casts)) => {
            let casts: Vec<String> = casts.iter().map(|cast| format!("{:?} as {}", cast.column, cast.to)).collect();
            return format!("giving {}", casts.join(", "));
        }
        _ => {}
    }
    match setting {
        // Rows are of one source.
        Setting::Source(name) if name.is_empty() => "source=NAME".to_owned(),
        Setting::CodeColumn(column) if column.is_empty() => format!("{name}=NAME"),
        Setting::DateFormat(text) if text.is_empty() => format!("{name}=FORMAT"),
        Setting::Source(name) => format!("sources={name:?}"),
        Setting::Input(text)
        | Setting::FilesBy(text)
        | Setting::Pattern(text)
        | Setting::CodeTemplate(text)
        | Setting::CodeColumn(text)
        | Setting::Ignore(text)
        | Setting::DateFormat(text)
        | Setting::Epoch(text)
        | Setting::Duplicates(text)
        | Setting::BadDates(text)
        | Setting::Prefix(text)
        | Setting::Name(text) => {
            format!("{name}={text:?}")
        }
        Setting::DateColumn(names) if names.is_empty() => format!("{name}=NAME"),
        // Of a source that calls them otherwise.
        Setting::Key(names) if names.iter().all(|name| name.ends_with("=NAME")) && !names.is_empty() => {
            let names: Vec<String> =
                names.iter().map(|name| format!("{:?}: NAME", name.trim_end_matches("=NAME"))).collect();
            format!("{name}={{{}}}", names.join(", "))
        }
        Setting::Null => format!("{name}=[WORD]"),
        Setting::DateColumn(names) | Setting::Key(names) | Setting::Columns(names) | Setting::Exclude(names) => {
            format!("{name}={names:?}")
        }
        Setting::Cast(casts) => {
            let casts: Vec<String> = casts.iter().map(|cast| format!("{:?}: {:?}", cast.column, cast.to)).collect();
            format!("casts={{{}}}", casts.join(", "))
        }
        Setting::Rename(names) => {
            let names: Vec<String> =
                names.iter().filter_map(|name| name.split_once('=')).map(|(a, b)| format!("{a:?}: {b:?}")).collect();
            format!("rename={{{}}}", names.join(", "))
        }
        Setting::At(names) => {
            let values: Vec<String> = names.iter().map(|name| format!("{name:?}: VALUE")).collect();
            format!("at={{{}}}", values.join(", "))
        }
        Setting::Memory(bytes) => format!("memory=\"{}MiB\"", bytes.div_ceil(1 << 20)),
        Setting::Wait => "wait=\"10m\"".to_owned(),
        Setting::NoDate => "date=False".to_owned(),
        Setting::DateName => format!("{name}=NAME"),
        Setting::Folder => format!("{name}=DIR"),
        Setting::Zone | Setting::NaiveZone => format!("{name}=ZONE"),
        Setting::Roll => format!("{name}=TIME"),
        Setting::Calendar | Setting::CodeMap => format!("{name}=FILE"),
        Setting::Live(version) => format!("live={version}"),
        _ => format!("{name}=True"),
    }
}
