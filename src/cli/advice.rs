//! Ways out in the words of the command line: as options of the command that is run, or of the one that has them.

use std::path::{Path, PathBuf};

use crate::hint::quoted;
use crate::list;
use crate::remedy::{Operation, Remedy, Setting, Words, told};
use crate::storage::Access;
use crate::{OutputTasks, Store, Tasks, UpdateTasks};
use clap::{Command, CommandFactory};
use serde_json::Value;

use super::args::Cli;
use super::exit::is_task;
use super::output;

/// The command that takes options as assignments.
const SET: &str = "source set";

/// How a long wait is asked for, in a message.
const PATIENCE: &str = "10m";

/// The command that speaks.
pub struct Speaker {
    command: &'static str,
    /// What it is about: a store, or the plan of a task.
    subject: PathBuf,
    cli: Command,
}

impl Speaker {
    /// Of `command`, about the store or the plan at `subject`.
    pub fn new(command: &'static str, subject: &Path) -> Speaker {
        Speaker { command, subject: subject.to_owned(), cli: Cli::command() }
    }

    /// Of no command, since the one that was run has done what it does: ways out are told in full.
    pub fn afterwards(store: &Path) -> Speaker {
        Speaker::new("", store)
    }

    /// The command's name.
    pub fn command(&self) -> &'static str {
        self.command
    }

    /// `what` is wrong, and the ways out that there are.
    pub fn sentence(&self, what: &str, remedies: &[Remedy]) -> String {
        match self.told(remedies) {
            Some(way_out) => format!("{what}; {way_out}"),
            None => what.to_owned(),
        }
    }

    /// The ways out.
    pub fn told(&self, remedies: &[Remedy]) -> Option<String> {
        told(remedies, self)
    }

    /// Puts the ways out of skipped inputs into words, in the lists `keys` of a report.
    pub fn put_into_words(&self, report: &mut Value, keys: &[&str]) {
        for key in keys {
            let inputs = report.get_mut(key).and_then(Value::as_array_mut);
            for input in inputs.into_iter().flatten().filter_map(Value::as_object_mut) {
                let remedies = input.remove("remedies").unwrap_or_default();
                let remedies: Vec<Remedy> = serde_json::from_value(remedies).unwrap_or_default();
                if let (Some(hint), Some(Value::String(reason))) = (self.told(&remedies), input.get_mut("reason")) {
                    *reason += &format!("; {hint}");
                    input.insert("hint".to_owned(), hint.into());
                }
            }
        }
    }

    /// What a setting is called, without its value: an option only where the command has it.
    pub fn option(&self, setting: &Setting) -> String {
        if self.has(self.command, setting) { option(setting) } else { setting.name().to_owned() }
    }

    /// Whether a command has the option that a setting is.
    fn has(&self, command: &str, setting: &Setting) -> bool {
        self.knows(command, setting.name())
    }

    /// Whether the command has this option.
    pub fn takes(&self, option: &str) -> bool {
        self.knows(self.command, option)
    }

    fn knows(&self, command: &str, option: &str) -> bool {
        let mut words = command.split(' ');
        let command = words.try_fold(&self.cli, |command, word| command.find_subcommand(word));
        command.is_some_and(|found| found.get_arguments().any(|known| known.get_long() == Some(option)))
    }

    /// The store that it is about, also by way of a plan.
    fn store(&self) -> PathBuf {
        let planned = || {
            let of_store = Tasks::open(&self.subject).map(|tasks| tasks.store().to_owned());
            of_store.or_else(|_| OutputTasks::open(&self.subject).map(|tasks| tasks.store().to_owned())).ok()
        };
        is_task(self.command).then(planned).flatten().unwrap_or_else(|| self.subject.clone())
    }

    /// The store, as a word of a command.
    fn named_store(&self) -> String {
        quoted(&output::path(&self.store()))
    }

    /// Whether the tasks of the plan that it is about append files.
    fn appends(&self) -> bool {
        UpdateTasks::open(&self.subject).is_ok_and(|tasks| tasks.appends())
    }

    /// `settings` as `source set` takes them.
    fn assignments(&self, settings: &[Setting]) -> Option<String> {
        let source = self.source_of(settings)?;
        let word = |setting: &Setting| match setting.is_of_source() {
            true => Some(quoted(&format!("{source}.{}", assigned(setting)?))),
            false => spelt(setting).filter(|_| self.has(SET, setting)),
        };
        let wanted = settings.iter().filter(|setting| !matches!(setting, Setting::Source(_)));
        Some(wanted.map(word).collect::<Option<Vec<String>>>()?.join(" "))
    }

    /// The source that settings are for: the one that they name, or the only one of the store.
    fn source_of(&self, settings: &[Setting]) -> Option<String> {
        let named = settings.iter().find_map(|setting| match setting {
            Setting::Source(name) => Some(name.clone()),
            _ => None,
        });
        named.or_else(|| {
            let store = Store::open_with(self.store(), Access::Read).ok()?;
            match store.source_names().ok()?[..] {
                [only] => Some(only.to_owned()),
                _ => None,
            }
        })
    }
}

impl Words for Speaker {
    /// `settings` as this command's options, or in full as another's.
    fn settings(&self, settings: &[Setting]) -> Option<String> {
        let has_all = |command: &str| settings.iter().all(|setting| self.has(command, setting));
        let options = || Some(settings.iter().map(spelt).collect::<Option<Vec<String>>>()?.join(" "));
        let is_of_source = settings.iter().any(Setting::is_of_source);
        if self.command == SET && is_of_source {
            if let Some(words) = self.assignments(settings) {
                return Some(words);
            }
        } else if has_all(self.command) {
            return options();
        }
        if is_task(self.command) && self.appends() && has_all("task append") {
            return Some(format!("`transect task append STORE FILE... --staging DIR {}`", options()?));
        }
        if is_task(self.command) && has_all("task plan") {
            return Some(format!("`transect task plan SRC STORE --staging DIR {}`", options()?));
        }
        if let Some(command) = ["update", "gc"].into_iter().find(|command| has_all(command)) {
            return Some(format!("`transect {command} {} {}`", self.named_store(), options()?));
        }
        match self.assignments(settings).filter(|_| is_of_source) {
            Some(words) => Some(format!("`transect {SET} {} {words}`", self.named_store())),
            // Of one of several sources another store would not help.
            None if settings.iter().any(|setting| matches!(setting, Setting::Source(_))) => None,
            None if has_all("build") => {
                let replaces = settings.contains(&Setting::Force) && !is_task(self.command);
                let store = if replaces { self.named_store() } else { "STORE".to_owned() };
                Some(format!("`transect build SRC {store} {}`", options()?))
            }
            None => None,
        }
    }

    fn operation(&self, operation: &Operation) -> String {
        let word = |known: &Option<String>, unknown: &str| known.as_deref().map_or_else(|| unknown.to_owned(), quoted);
        match operation {
            Operation::Build { source, store } => {
                format!("`transect build {} {}`", word(source, "SRC"), word(store, "STORE"))
            }
            Operation::Update(store) => format!("`transect update {}`", quoted(store)),
            Operation::SetSource { store, settings } => {
                format!("`transect {SET} {} {}`", quoted(store), self.assignments(settings).unwrap_or_default())
            }
            Operation::Info => format!("`transect info {}`", self.named_store()),
        }
    }
}

/// The option that a setting is, without its value.
fn option(setting: &Setting) -> String {
    format!("--{}", setting.name())
}

/// An option with a value, which is told from an option where it begins as one.
fn with_value(setting: &Setting, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{}{between}{}", option(setting), quoted(value))
}

/// A setting as options with values; `None` where no shell's word can say them.
fn spelt(setting: &Setting) -> Option<String> {
    let with = |value: &str| Some(with_value(setting, value));
    match setting {
        Setting::Source(value) | Setting::CodeColumn(value) if value.is_empty() => with("NAME"),
        Setting::DateFormat(value) if value.is_empty() => with("FORMAT"),
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
        | Setting::Name(value) => with(value),
        Setting::Rename(names) => {
            let names: Vec<String> = names.iter().map(|name| with_value(setting, name)).collect();
            Some(names.join(" "))
        }
        Setting::DateColumn(names) | Setting::Key(names) | Setting::Columns(names) | Setting::Exclude(names)
            if names.is_empty() =>
        {
            with("NAME")
        }
        Setting::DateColumn(names) | Setting::Key(names) | Setting::Columns(names) | Setting::Exclude(names) => {
            if names.iter().all(|name| is_clear(name)) { with(&list::written(names)) } else { None }
        }
        Setting::Null => with("WORD"),
        Setting::DateName => with("NAME"),
        Setting::Folder => with("DIR"),
        Setting::Zone | Setting::NaiveZone => with("ZONE"),
        Setting::Roll => with("HH:MM"),
        Setting::Calendar | Setting::CodeMap => with("FILE"),
        Setting::Cast(casts) => {
            let casts: Vec<String> = casts.iter().map(|cast| with_value(setting, &cast.to_string())).collect();
            Some(casts.join(" "))
        }
        Setting::At(names) => {
            let values: Vec<String> = names.iter().map(|name| with_value(setting, &format!("{name}=VALUE"))).collect();
            Some(values.join(" "))
        }
        Setting::Memory(bytes) => with(&memory(*bytes)),
        Setting::Wait => with(PATIENCE),
        Setting::Live(version) => with(&version.to_string()),
        _ => Some(option(setting)),
    }
}

/// Whether a name can be told in a list.
fn is_clear(name: &str) -> bool {
    !name.contains(char::is_control)
}

/// A setting as `source set` takes it, behind the source's name; `None` where it does not.
fn assigned(setting: &Setting) -> Option<String> {
    let name = setting.name();
    let pairs = |pairs: Vec<(&str, &str)>| {
        let pair = |(column, value): (&str, &str)| {
            let is_plain = is_clear(column) && !column.contains('=');
            let colon = if column.contains(':') { '=' } else { ':' };
            is_plain.then(|| format!("{}{colon}{value}", list::one(column)))
        };
        let pairs = pairs.into_iter().map(pair).collect::<Option<Vec<String>>>()?;
        Some(format!("{name}+={}", pairs.join(",")))
    };
    match setting {
        Setting::DateFormat(value) if value.is_empty() => Some(format!("{name}=FORMAT")),
        Setting::Input(value)
        | Setting::Pattern(value)
        | Setting::CodeTemplate(value)
        | Setting::DateFormat(value)
        | Setting::Epoch(value)
        | Setting::Duplicates(value)
        | Setting::BadDates(value)
        | Setting::Prefix(value) => Some(format!("{name}={value}")),
        Setting::Ignore(value) => Some(format!("{name}+={}", list::one(value))),
        Setting::DateColumn(names) | Setting::Columns(names) if names.is_empty() => Some(format!("{name}=NAME")),
        Setting::DateColumn(names) | Setting::Columns(names) if names.iter().all(|name| is_clear(name)) => {
            Some(format!("{name}={}", list::written(names)))
        }
        Setting::Exclude(names) if names.is_empty() => Some(format!("{name}+=NAME")),
        Setting::Exclude(names) if names.iter().all(|name| is_clear(name)) => {
            Some(format!("{name}+={}", list::written(names)))
        }
        Setting::Folder => Some(format!("{name}=DIR")),
        Setting::Null => Some(format!("{name}+=WORD")),
        Setting::Zone | Setting::NaiveZone => Some(format!("{name}=ZONE")),
        Setting::DropTime => Some(format!("{name}=true")),
        Setting::Roll => Some(format!("{name}=HH:MM")),
        Setting::Calendar | Setting::CodeMap => Some(format!("{name}=FILE")),
        Setting::Cast(casts) => pairs(casts.iter().map(|cast| (&*cast.column, &*cast.to)).collect()),
        Setting::Rename(names) => pairs(names.iter().map(|name| name.split_once('=')).collect::<Option<Vec<_>>>()?),
        _ => None,
    }
}

/// Bytes as `--memory` takes them, in the largest unit in which they are a whole number.
fn memory(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    unit.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use crate::remedy::CastTo;

    use super::*;

    fn set(settings: Vec<Setting>, effect: &str) -> Remedy {
        Remedy::Set { settings, effect: effect.to_owned() }
    }

    #[test]
    fn options_of_another_command_are_told_with_it() {
        let exclude = || Setting::Exclude(vec!["emb".to_owned()]);
        let cast = |column: &str| CastTo { column: column.to_owned(), to: "Utf8".to_owned() };
        let casts = || Setting::Cast(vec![cast("a b"), cast("c")]);
        for (command, settings, words) in [
            ("update", vec![exclude()], "--exclude emb"),
            ("append", vec![exclude()], "--exclude emb"),
            ("verify", vec![exclude()], "`transect update s --exclude emb`"),
            ("append", vec![casts()], "`transect update s --cast 'a b=Utf8' --cast c=Utf8`"),
            ("build", vec![casts(), exclude()], "--cast 'a b=Utf8' --cast c=Utf8 --exclude emb"),
            ("append", vec![casts(), exclude()], "`transect update s --cast 'a b=Utf8' --cast c=Utf8 --exclude emb`"),
            ("info", vec![Setting::Memory(83 << 20)], "`transect update s --memory 83MiB`"),
            ("build", vec![Setting::Memory(64 << 30)], "--memory 64GiB"),
            ("build", vec![Setting::Pattern("{code}/x y".to_owned())], "--pattern '{code}/x y'"),
            (
                "update",
                vec![Setting::Pattern("{code}/x".to_owned())],
                "`transect build SRC STORE --pattern '{code}/x'`",
            ),
            ("update", vec![Setting::Source("a b".to_owned()), exclude()], "--source 'a b' --exclude emb"),
            (
                "verify",
                vec![Setting::Source("v".to_owned()), exclude()],
                "`transect update s --source v --exclude emb`",
            ),
            (
                "update",
                vec![Setting::Source("v".to_owned()), Setting::Pattern("{code}/x".to_owned())],
                "`transect source set s 'v.pattern={code}/x'`",
            ),
            (
                "source set",
                vec![Setting::Source("v".to_owned()), casts(), Setting::Memory(1 << 30)],
                "'v.cast+=a b:Utf8,c:Utf8' --memory 1GiB",
            ),
            ("source set", vec![Setting::Memory(1 << 30)], "--memory 1GiB"),
            (
                "source set",
                vec![Setting::Source("v".to_owned()), Setting::Prune],
                "`transect update s --source v --prune`",
            ),
            ("", vec![casts(), Setting::Force], "`transect build SRC s --cast 'a b=Utf8' --cast c=Utf8 --force`"),
            ("update", vec![Setting::CodeColumn(String::new())], "`transect build SRC STORE --code-column NAME`"),
            ("build", vec![Setting::CodeColumn("a b".to_owned())], "--code-column 'a b'"),
            ("update", vec![Setting::Live(3)], "`transect gc s --live 3`"),
            ("gc", vec![Setting::Live(3)], "--live 3"),
        ] {
            let told = Speaker::new(command, Path::new("s")).told(&[set(settings, "helps")]);
            assert_eq!(told, Some(format!("{words} helps")), "{command}");
        }
    }

    #[test]
    fn a_comma_in_a_name_is_told_so_that_the_option_takes_it() {
        let names = |names: &[&str]| spelt(&Setting::Exclude(names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(names(&["a,b", "c"]).unwrap(), "--exclude 'a\\,b,c'");
        assert_eq!(names(&["a\\"]).unwrap(), "--exclude 'a\\\\'");
        assert_eq!(names(&["a\nb"]), None);
        assert_eq!(names(&["--w", "c"]).unwrap(), "--exclude=--w,c");
    }

    #[test]
    fn scripts_get_the_way_out_with_the_reason_and_apart() {
        let mut report = serde_json::json!({"skipped": [
            {"path": "A", "reason": "is a list", "remedies": [{"set": {"settings": [{"exclude": ["x"]}], "effect": "leaves it out"}}]},
            {"path": "B", "reason": "has zero bytes", "remedies": []},
        ]});
        Speaker::new("build", Path::new("s")).put_into_words(&mut report, &["skipped"]);
        assert_eq!(
            report.to_string(),
            r#"{"skipped":[{"path":"A","reason":"is a list; --exclude x leaves it out","hint":"--exclude x leaves it out"},{"path":"B","reason":"has zero bytes"}]}"#
        );
    }
}
