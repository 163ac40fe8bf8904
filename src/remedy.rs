//! Ways out, as values: a setting that helps and what it does, or what no setting mends. Who speaks to a person spells
//! the setting: a command line as an option of the command that is run, Python as an argument.

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
    /// What helps where no setting does, as a sentence of its own: `write the file without it`.
    Do(String),
}

/// A setting of a build, an update or another request, and its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Setting {
    /// Which files are inputs: where the code stands in their paths.
    Pattern(String),
    /// How codes are made of the pattern's placeholders.
    CodeTemplate(String),
    /// What of the files is left out, as a glob.
    Ignore(String),
    /// Whether the rows of files that are gone go, too.
    Prune,
    /// The name of the code's column.
    CodeColumn,
    /// The columns that may hold the date, the first one in a file wins.
    DateColumn(Vec<String>),
    /// How dates in text are spelt, as a strftime format.
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
    /// Whether outputs leave the date column out.
    NoDate,
    /// Whether files are compared by their bytes.
    CheckContent,
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

    /// The remedy in words, the settings as `spell` has them; `None` where that has no word for them.
    pub fn told(&self, spell: impl Fn(&[Setting]) -> Option<String>) -> Option<String> {
        match self {
            Remedy::Set { settings, effect } => Some(format!("{} {effect}", spell(settings)?)),
            Remedy::Do(text) => Some(text.clone()),
        }
    }
}

/// Bytes of a list of names that a setting is told with.
const LONGEST_LIST: usize = 1000;

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

/// `remedies` as the end of a sentence, after a semicolon; the settings as `spell` has them. Nothing without remedies.
pub fn told(remedies: &[Remedy], spell: impl Fn(&[Setting]) -> Option<String>) -> Option<String> {
    let told: Vec<String> = remedies.iter().filter_map(|remedy| remedy.told(&spell)).collect();
    (!told.is_empty()).then(|| told.join(", or "))
}

/// A sentence and the ways out, as a message has them; the settings by their names.
pub(crate) fn sentence(f: &mut fmt::Formatter<'_>, what: &str, remedies: &[Remedy]) -> fmt::Result {
    match told(remedies, |settings| Some(named(settings))) {
        Some(way_out) => write!(f, "{what}; {way_out}"),
        None => f.write_str(what),
    }
}

/// Settings by their names and values, for nobody in particular.
fn named(settings: &[Setting]) -> String {
    settings.iter().map(Setting::to_string).collect::<Vec<_>>().join(" with ")
}

impl Setting {
    /// Its name, in words joined by hyphens.
    pub fn name(&self) -> &'static str {
        match self {
            Setting::Pattern(_) => "pattern",
            Setting::CodeTemplate(_) => "code-template",
            Setting::Ignore(_) => "ignore",
            Setting::Prune => "prune",
            Setting::CodeColumn => "code-column",
            Setting::DateColumn(_) => "date-column",
            Setting::DateFormat(_) => "date-format",
            Setting::DateName => "date-name",
            Setting::Epoch(_) => "epoch",
            Setting::Zone => "zone",
            Setting::NaiveZone => "naive-zone",
            Setting::DropTime => "drop-time",
            Setting::Duplicates(_) => "duplicates",
            Setting::BadDates(_) => "bad-dates",
            Setting::Key(_) => "key",
            Setting::Columns(_) => "columns",
            Setting::Exclude(_) => "exclude",
            Setting::Cast(_) => "cast",
            Setting::Rename(_) => "rename",
            Setting::Prefix(_) => "prefix",
            Setting::Strict => "strict",
            Setting::Memory(_) => "memory",
            Setting::Force => "force",
            Setting::Wait => "wait",
            Setting::NoDate => "no-date",
            Setting::CheckContent => "check-content",
            Setting::Live(_) => "live",
        }
    }
}

impl fmt::Display for Setting {
    /// Its name and its value, for nobody in particular: `exclude a, b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().replace('-', " ");
        match self {
            Setting::Pattern(value)
            | Setting::CodeTemplate(value)
            | Setting::Ignore(value)
            | Setting::DateFormat(value)
            | Setting::Epoch(value)
            | Setting::Duplicates(value)
            | Setting::BadDates(value)
            | Setting::Prefix(value)
                if !value.is_empty() =>
            {
                write!(f, "{name} {value}")
            }
            Setting::DateColumn(values)
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
        let told = |names: &[&str]| told(&[excluding(names)], |settings| Some(named(settings))).unwrap();
        assert_eq!(told(&["a"]), "exclude a leaves it out");
        assert_eq!(told(&["a b", "c"]), "exclude a b, c leaves them out");
        assert_eq!(told(&["a\nb"]), "write the file without it");
        assert_eq!(told(&[&"x".repeat(501), &"y".repeat(501)]), "write the file without them");
    }

    #[test]
    fn a_setting_that_the_speaker_lacks_is_not_told() {
        let force = Remedy::set(Setting::Force, "replaces it");
        let other = Remedy::Do("name another directory".to_owned());
        let flag = |settings: &[Setting]| (settings == [Setting::Force]).then(|| "--force".to_owned());
        assert_eq!(
            told(&[force.clone(), other.clone()], flag).unwrap(),
            "--force replaces it, or name another directory"
        );
        assert_eq!(told(&[force.clone(), other], |_| None).unwrap(), "name another directory");
        assert_eq!(told(&[force], |_| None), None);
    }
}
