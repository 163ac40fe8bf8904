//! Ways out, as values: a setting that helps or an operation to run, and what it does, or what neither mends. Who speaks
//! to a person has words for both: a command line has options and commands, Python has arguments and functions.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A way out of what a reason or an error tells of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// Settings that help, all of them together.
    Set {
        /// The settings, with their values.
        settings: Vec<Setting>,
        /// What they do, as the end of a sentence that begins with them: `leaves it out`.
        effect: String,
    },
    /// An operation that helps.
    Run {
        /// The operation, and what it is about.
        operation: Operation,
        /// What it does, as the end of a sentence that begins with it: `makes a store of it`.
        effect: String,
    },
    /// What helps where neither does, as a sentence of its own: `write the file without it`.
    Do(String),
}

/// An operation that somebody is to run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Operation {
    /// Makes a store of a folder. What is `None` only the reader knows.
    Build {
        /// The folder.
        source: Option<String>,
        /// The store.
        store: Option<String>,
    },
    /// Brings the store of this path up to date.
    Update(String),
    /// Changes settings of a source of a store.
    SetSource {
        /// The store.
        store: String,
        /// The source, and what of it is changed; names of a list come beside those that it has.
        settings: Box<[Setting]>,
    },
    /// Tells what the store is that the request was about.
    Info,
}

/// What helps where a store has lost its CURRENT, which is all that it has lost then.
pub(crate) fn lost_current() -> [Remedy; 2] {
    let back = "put a copy of CURRENT back, of whatever version: whoever writes next is told how the newest goes live";
    let anew = "build another store from the files, which has neither the older versions nor appended rows";
    [back, anew].map(|text| Remedy::Do(text.to_owned()))
}

/// The words of who speaks to a person.
pub trait Words {
    /// Settings, all of them together; `None` where there is no word for one.
    fn settings(&self, settings: &[Setting]) -> Option<String>;
    /// An operation.
    fn operation(&self, operation: &Operation) -> String;
}

/// A setting of a build, an update or another request, and its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Setting {
    /// The source whose settings those beside it are.
    Source(String),
    /// The folder of a source.
    Folder,
    /// The format of the files.
    Input(String),
    /// What each file is of.
    FilesBy(String),
    /// Which files are inputs: where the code stands in their paths.
    Pattern(String),
    /// How codes are made of the pattern's placeholders.
    CodeTemplate(String),
    /// The file that says which codes stand for which others.
    CodeMap,
    /// What of the files is left out, as a glob.
    Ignore(String),
    /// Whether the rows of files that are gone go, too.
    Prune,
    /// The name of the code's column; empty where only the reader knows it.
    CodeColumn(String),
    /// The columns that may hold the date, the first one in a file wins.
    DateColumn(Vec<String>),
    /// How dates in text are spelt, as a strftime format; empty where only the reader knows it.
    DateFormat(String),
    /// The name of the output's date column.
    DateName,
    /// What numbers in the date column count since 1970.
    Epoch(String),
    /// On whose clocks an instant is a date.
    Zone,
    /// The zone of stamps that name none.
    NaiveZone,
    /// Whether a time of day in the date column is left out.
    DropTime,
    /// From which time of the day on rows belong to the next trading date.
    Roll,
    /// The file that has the trading dates.
    Calendar,
    /// Which of differing rows for one date is kept.
    Duplicates(String),
    /// Whether rows without a date are left out.
    BadDates(String),
    /// Further columns of the key.
    Key(Vec<String>),
    /// The columns to keep.
    Columns(Vec<String>),
    /// Columns to leave out.
    Exclude(Vec<String>),
    /// Types decided by hand.
    Cast(Vec<CastTo>),
    /// Other names for columns, as `OLD=NEW`.
    Rename(Vec<String>),
    /// Words that stand for a null.
    Null,
    /// What the names of a source's columns begin with.
    Prefix(String),
    /// Whether one bad input stops the run.
    Strict,
    /// Bytes of memory.
    Memory(u64),
    /// Whether what is there may be replaced.
    Force,
    /// For how long to wait for another writer.
    Wait,
    /// Where the files of an output lie.
    Name(String),
    /// Whether names that are not there are passed over.
    IgnoreUnknown,
    /// Of which value of these key columns a matrix is.
    At(Vec<String>),
    /// The columns of which matrices are made.
    Matrix,
    /// Whether outputs leave the date column out.
    NoDate,
    /// Whether files are compared by their bytes.
    CheckContent,
    /// Which rows belong, by a file or a column.
    Universe,
    /// The version to make live.
    Live(u64),
}

/// The type that a column is to have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CastTo {
    /// The column.
    pub column: String,
    /// The type's name, as [`parse_type`](crate::source::parse_type) reads it.
    pub to: String,
}

impl fmt::Display for CastTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.to)
    }
}

impl Remedy {
    /// The remedy that `setting` is, which does what `effect` says.
    pub(crate) fn set(setting: Setting, effect: impl Into<String>) -> Remedy {
        Remedy::Set { settings: vec![setting], effect: effect.into() }
    }

    /// Says that its settings are for the source `name`, where they are a source's.
    pub(crate) fn be_of_source(&mut self, name: &str) {
        if let Remedy::Set { settings, .. } = self
            && settings.iter().any(Setting::is_of_source)
        {
            settings.insert(0, Setting::Source(name.to_owned()));
        }
    }

    /// The remedy that running `operation` is, which does what `effect` says.
    pub(crate) fn run(operation: Operation, effect: impl Into<String>) -> Remedy {
        Remedy::Run { operation, effect: effect.into() }
    }

    /// The remedy in `words`; `None` where they have none for a setting.
    pub fn told(&self, words: &impl Words) -> Option<String> {
        match self {
            Remedy::Set { settings, effect } => Some(format!("{} {effect}", words.settings(settings)?)),
            Remedy::Run { operation, effect } => Some(format!("{} {effect}", words.operation(operation))),
            Remedy::Do(text) => Some(text.clone()),
        }
    }
}

impl From<String> for Remedy {
    fn from(text: String) -> Remedy {
        Remedy::Do(text)
    }
}

impl From<&str> for Remedy {
    fn from(text: &str) -> Remedy {
        Remedy::Do(text.to_owned())
    }
}

impl fmt::Display for Remedy {
    /// In words for nobody in particular.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&ForNobody).unwrap_or_default())
    }
}

/// Bytes of a list of names that a setting is told with.
pub(crate) const LONGEST_LIST: usize = 1000;

/// How columns are left out, or the file mended where that cannot be told in a line.
pub(crate) fn excluding(names: &[&str]) -> Remedy {
    let it = if names.len() == 1 { "it" } else { "them" };
    let can_be_told = |name: &&str| !name.is_empty() && !name.contains(char::is_control);
    match names.iter().map(|name| name.len() + 1).sum::<usize>() <= LONGEST_LIST && names.iter().all(can_be_told) {
        true => Remedy::set(
            Setting::Exclude(names.iter().map(|name| (*name).to_owned()).collect()),
            format!("leaves {it} out"),
        ),
        false => Remedy::Do(format!("write the file without {it}")),
    }
}

/// How a word of a file of text becomes a null; whoever follows it knows which.
pub(crate) fn taking_for_null() -> Remedy {
    Remedy::set(Setting::Null, "takes that word for a null")
}

/// `remedies` in `words`, as the end of a sentence, after a semicolon. Nothing without remedies.
pub fn told(remedies: &[Remedy], words: &impl Words) -> Option<String> {
    let told: Vec<String> = remedies.iter().filter_map(|remedy| remedy.told(words)).collect();
    (!told.is_empty()).then(|| told.join(", or "))
}

/// Bytes that a message says what is wrong with, and which ways out there are; longer than any path, and what names of
/// thousands of letters leave of either.
const LONGEST: usize = 5000;

/// `text` for a message, where it is longer than so many bytes without its middle: it begins with what is wrong and ends
/// with what helps, and a name of a million letters stands between.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let is_between = |at: &usize| text.is_char_boundary(*at);
    let start = (0..=most / 2).rev().find(is_between).unwrap_or(0);
    let end = (text.len() - most / 2..text.len()).find(is_between).unwrap_or(text.len());
    Cow::Owned(format!("{}...{}", &text[..start], &text[end..]))
}

/// A sentence and the ways out, as a message has them.
pub(crate) fn sentence(f: &mut fmt::Formatter<'_>, what: &str, remedies: &[Remedy]) -> fmt::Result {
    match told(remedies, &ForNobody) {
        Some(way_out) => write!(f, "{}; {}", shortened(what, LONGEST), shortened(&way_out, LONGEST)),
        None => f.write_str(&shortened(what, LONGEST)),
    }
}

/// Words for nobody in particular: settings by their names and values, operations by theirs.
struct ForNobody;

impl Words for ForNobody {
    fn settings(&self, settings: &[Setting]) -> Option<String> {
        Some(settings.iter().map(Setting::to_string).collect::<Vec<_>>().join(" with "))
    }

    fn operation(&self, operation: &Operation) -> String {
        match operation {
            Operation::Build { source, store } => {
                let of = source.as_ref().map_or_else(String::new, |source| format!(" of {source}"));
                let into = store.as_ref().map_or_else(String::new, |store| format!(" into {store}"));
                format!("a build{of}{into}")
            }
            Operation::Update(store) => format!("an update of {store}"),
            Operation::SetSource { store, settings } => {
                format!("{} of {store}", self.settings(settings).unwrap_or_default())
            }
            Operation::Info => "the store's information".to_owned(),
        }
    }
}

impl Setting {
    /// Whether it says how a source is found or read.
    pub fn is_of_source(&self) -> bool {
        let others = matches!(
            self,
            Setting::Source(_)
                | Setting::Memory(_)
                | Setting::Force
                | Setting::Wait
                | Setting::Name(_)
                | Setting::IgnoreUnknown
                | Setting::At(_)
                | Setting::Matrix
                | Setting::NoDate
                | Setting::CheckContent
                | Setting::Universe
                | Setting::Live(_)
        );
        !others
    }

    /// Its name, in words joined by hyphens.
    pub fn name(&self) -> &'static str {
        match self {
            Setting::Source(_) => "source",
            Setting::Folder => "path",
            Setting::Input(_) => "input",
            Setting::FilesBy(_) => "files-by",
            Setting::Pattern(_) => "pattern",
            Setting::CodeTemplate(_) => "code-template",
            Setting::CodeMap => "code-map",
            Setting::Ignore(_) => "ignore",
            Setting::Prune => "prune",
            Setting::CodeColumn(_) => "code-column",
            Setting::DateColumn(_) => "date-column",
            Setting::DateFormat(_) => "date-format",
            Setting::DateName => "date-name",
            Setting::Epoch(_) => "epoch",
            Setting::Zone => "zone",
            Setting::NaiveZone => "naive-zone",
            Setting::DropTime => "drop-time",
            Setting::Roll => "roll",
            Setting::Calendar => "calendar",
            Setting::Duplicates(_) => "duplicates",
            Setting::BadDates(_) => "bad-dates",
            Setting::Key(_) => "key",
            Setting::Columns(_) => "columns",
            Setting::Exclude(_) => "exclude",
            Setting::Cast(_) => "cast",
            Setting::Rename(_) => "rename",
            Setting::Null => "null",
            Setting::Prefix(_) => "prefix",
            Setting::Strict => "strict",
            Setting::Memory(_) => "memory",
            Setting::Force => "force",
            Setting::Wait => "wait",
            Setting::Name(_) => "name",
            Setting::IgnoreUnknown => "ignore-unknown",
            Setting::At(_) => "at",
            Setting::Matrix => "matrix",
            Setting::NoDate => "no-date",
            Setting::CheckContent => "check-content",
            Setting::Universe => "universe",
            Setting::Live(_) => "live",
        }
    }
}

impl fmt::Display for Setting {
    /// Its name and its value, for nobody in particular: `exclude a, b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().replace('-', " ");
        match self {
            Setting::Source(value)
            | Setting::Input(value)
            | Setting::FilesBy(value)
            | Setting::Pattern(value)
            | Setting::CodeTemplate(value)
            | Setting::CodeColumn(value)
            | Setting::Ignore(value)
            | Setting::DateFormat(value)
            | Setting::Epoch(value)
            | Setting::Duplicates(value)
            | Setting::BadDates(value)
            | Setting::Prefix(value)
            | Setting::Name(value)
                if !value.is_empty() =>
            {
                write!(f, "{name} {value}")
            }
            Setting::At(values)
            | Setting::DateColumn(values)
            | Setting::Key(values)
            | Setting::Columns(values)
            | Setting::Exclude(values)
            | Setting::Rename(values)
                if !values.is_empty() =>
            {
                write!(f, "{name} {}", values.join(", "))
            }
            Setting::Cast(casts) if !casts.is_empty() => {
                let casts: Vec<String> = casts.iter().map(CastTo::to_string).collect();
                write!(f, "{name} {}", casts.join(", "))
            }
            Setting::Memory(bytes) if *bytes > 0 => write!(f, "{name} of {} MiB", bytes.div_ceil(1 << 20)),
            Setting::Live(version) => write!(f, "{name} {version}"),
            _ => f.write_str(&name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_a_line_cannot_name_are_for_the_file_to_leave_out() {
        let told = |names: &[&str]| told(&[excluding(names)], &ForNobody).unwrap();
        assert_eq!(told(&["a"]), "exclude a leaves it out");
        assert_eq!(told(&["a b", "c"]), "exclude a b, c leaves them out");
        assert_eq!(told(&["a\nb"]), "write the file without it");
        assert_eq!(told(&[&"x".repeat(501), &"y".repeat(501)]), "write the file without them");
    }

    #[test]
    fn a_setting_that_the_speaker_lacks_is_not_told() {
        let force = Remedy::set(Setting::Force, "replaces it");
        let other = Remedy::Do("name another directory".to_owned());
        assert_eq!(
            told(&[force.clone(), other.clone()], &ForNobody).unwrap(),
            "force replaces it, or name another directory"
        );
        assert_eq!(told(&[force.clone(), other], &Speechless).unwrap(), "name another directory");
        assert_eq!(told(&[force], &Speechless), None);
    }

    struct Speechless;

    impl Words for Speechless {
        fn settings(&self, _: &[Setting]) -> Option<String> {
            None
        }

        fn operation(&self, _: &Operation) -> String {
            String::new()
        }
    }

    #[test]
    fn operations_are_told_by_name_to_nobody_in_particular() {
        let told = |operation| told(&[Remedy::run(operation, "helps")], &ForNobody).unwrap();
        let build = |source: Option<&str>, store: Option<&str>| Operation::Build {
            source: source.map(str::to_owned),
            store: store.map(str::to_owned),
        };
        assert_eq!(told(build(None, None)), "a build helps");
        assert_eq!(told(build(Some("src"), Some("s"))), "a build of src into s helps");
        assert_eq!(told(Operation::Update("s".to_owned())), "an update of s helps");
        assert_eq!(told(Operation::Info), "the store's information helps");
    }
}
