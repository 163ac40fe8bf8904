//! Files that give one code: those of one stock, or of several stocks that have one name.

use std::path::PathBuf;

use crate::error::Error;
use crate::hint::counted;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::options::SourceOptions;
use crate::source::path::naming::{is_time, shown};
use crate::source::path::pattern::{ANYTHING, CODE, Value, Values};

/// Placeholders of these names say when, and not whose.
const TIMES: [&str; 10] = ["year", "half", "quarter", "month", "week", "day", "date", "hour", "time", "period"];

/// A file whose path fits the pattern.
pub(super) struct Fitting {
    pub(in crate::source) unit: String,
    pub(in crate::source) path: PathBuf,
    pub(in crate::source) values: Values,
}

/// Where one code may mean several stocks.
#[derive(Debug, Clone)]
pub(in crate::source) struct Meeting {
    what: String,
    remedies: Vec<Remedy>,
    /// How many codes do.
    pub(in crate::source) count: usize,
}

impl Meeting {
    /// What tells the stocks apart.
    pub(in crate::source) fn apart(&self) -> &[Setting] {
        match self.remedies.first() {
            Some(Remedy::Set { settings, .. }) => settings,
            _ => &[],
        }
    }

    /// As the refusal of a new panel.
    pub(in crate::source) fn refusal(&self) -> Error {
        let more = match self.count - 1 {
            0 => String::new(),
            more => format!("; so it is with {}", counted(more, "more code", "more codes")),
        };
        Error::refused_unless(format!("{}{more}", self.what), self.remedies.clone())
    }
}

/// Why each of `files`, which all give one code, is left out, unless they are files of one stock.
pub(super) fn of_several_stocks(files: &[Fitting], options: &SourceOptions) -> Option<(Vec<Reason>, Option<Meeting>)> {
    let [first, others @ ..] = files else { return None };
    let pattern = &options.pattern;
    let text = |file: &Fitting, name: &str| file.values.get(name).map(|value| value.text.clone());
    // Values that differ and make one code, which escapes can.
    let used = |name: &&str| match &options.code_template {
        None => *name == CODE,
        Some(template) => template.uses(name),
    };
    let mut names = pattern.names().filter(used);
    if let Some(name) = names.find(|name| others.iter().any(|file| text(file, name) != text(first, name))) {
        let is_other = |file: &&Fitting| text(file, name) != text(first, name);
        let other = others.iter().find(is_other).unwrap_or(first);
        let reasons = files.iter().map(|file| {
            let other = if text(file, name) == text(first, name) { other } else { first };
            shared(first, other).or(Remedy::Do("rename one of them".to_owned()))
        });
        return Some((reasons.collect(), None));
    }
    if options.code_template.is_some() {
        return None;
    }
    let step = first.values.get(CODE)?.step;
    let says_whose = |n: &usize| {
        let values: Vec<&Value> = files.iter().filter_map(|file| file.values.all().get(*n)).collect();
        let is_of_time = |value: &&Value| std::str::from_utf8(&value.decoded()).is_ok_and(is_time);
        values.first().is_some_and(|first| {
            first.step <= step
                && first.name != CODE
                && !TIMES.contains(&first.name.as_str())
                && values.iter().any(|value| value.text != first.text)
                && !values.iter().all(is_of_time)
        })
    };
    let telling: Vec<usize> = (0..first.values.all().len()).filter(says_whose).collect();
    if telling.is_empty() {
        return None;
    }
    let value = |file: &Fitting, n: usize| file.values.all()[n].text.clone();
    let other = others.iter().find(|file| telling.iter().any(|&n| value(file, n) != value(first, n)))?;
    let remedies = remedies(first, &telling, options);
    let reasons = files.iter().map(|file| {
        let is_first = telling.iter().all(|&n| value(file, n) == value(first, n));
        remedies.iter().cloned().fold(shared(first, if is_first { other } else { first }), Reason::or)
    });
    let [this, that] = [first, other].map(|file| shown(file.path.as_os_str()));
    let what = format!("{this} and {that} both give the code {:?}, and may be of two stocks", first.unit);
    Some((reasons.collect(), Some(Meeting { what, remedies, count: 0 })))
}

/// The times that a path gives.
pub(super) fn times(values: &Values) -> Vec<&Value> {
    values.all().iter().filter(|value| TIMES.contains(&value.name.as_str())).collect()
}

fn shared(file: &Fitting, other: &Fitting) -> Reason {
    let other = shown(other.path.as_os_str());
    Reason::new(Kind::SharedCode, format!("gives the code {:?}, as {other} does", file.unit))
}

/// What tells the stocks apart by the values at `telling`, or takes their files for those of one.
fn remedies(file: &Fitting, telling: &[usize], options: &SourceOptions) -> Vec<Remedy> {
    let mut pattern = options.pattern.to_string();
    let mut template = format!("{{{CODE}}}");
    let mut is_renamed = false;
    let mut free =
        ["folder", "group", "part"].into_iter().filter(|name| options.pattern.names().all(|known| known != *name));
    for &n in telling {
        let mut name = file.values.all()[n].name.as_str();
        if name == ANYTHING {
            name = free.next().unwrap_or("other");
            pattern = pattern.replacen(&format!("{{{ANYTHING}}}"), &format!("{{{name}}}"), 1);
            is_renamed = true;
        }
        template += &format!(".{{{name}}}");
    }
    let renamed = is_renamed.then_some(Setting::Pattern(pattern));
    let settings = renamed.into_iter().chain([Setting::CodeTemplate(template)]).collect();
    let whole = Setting::CodeTemplate(format!("{{{CODE}}}"));
    vec![
        Remedy::Set { settings, effect: "tells them apart".to_owned() },
        Remedy::set(whole, "takes them for files of one stock"),
    ]
}
