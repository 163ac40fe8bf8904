//! Ways out in the words of the command line: as options of the command that is run, or of the one that has them.

use std::path::Path;

use crate::hint::quoted;
use crate::remedy::{Operation, Remedy, Setting, Words, told};
use clap::{Command, CommandFactory};
use serde_json::Value;

use super::args::Cli;
use super::output;

/// Commands that are named for options that the speaking one has not, and what they are about. A pattern and the like
/// are chosen when a store is built.
const OTHERS: [(&str, &str); 3] = [("update", "STORE"), ("gc", "STORE"), ("build", "SRC STORE")];

/// How a long wait is asked for, in a message.
const PATIENCE: &str = "10m";

/// The command that speaks.
pub struct Speaker {
    command: &'static str,
    /// The store that it is about.
    store: String,
    cli: Command,
}

impl Speaker {
    /// Of `command`, about the store at `store`.
    pub fn new(command: &'static str, store: &Path) -> Speaker {
        Speaker { command, store: quoted(&output::path(store)), cli: Cli::command() }
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
}

impl Words for Speaker {
    /// `settings` as this command's options, or in full as another's.
    fn settings(&self, settings: &[Setting]) -> Option<String> {
        let has = |command: &str, setting: &Setting| {
            let mut words = command.split(' ');
            let command = words.try_fold(&self.cli, |command, word| command.find_subcommand(word));
            command.is_some_and(|found| found.get_arguments().any(|known| known.get_long() == Some(setting.name())))
        };
        let has_all = |command: &str| settings.iter().all(|setting| has(command, setting));
        let options = settings.iter().map(spelt).collect::<Option<Vec<String>>>()?.join(" ");
        if has_all(self.command) {
            return Some(options);
        }
        let (command, about) = OTHERS.into_iter().find(|(command, _)| has_all(command))?;
        let about = if about == "STORE" { &self.store } else { about };
        Some(format!("`transect {command} {about} {options}`"))
    }

    fn operation(&self, operation: &Operation) -> String {
        let word = |known: &Option<String>, unknown: &str| known.as_deref().map_or_else(|| unknown.to_owned(), quoted);
        match operation {
            Operation::Build { source, store } => {
                format!("`transect build {} {}`", word(source, "SRC"), word(store, "STORE"))
            }
            Operation::Update(store) => format!("`transect update {}`", quoted(store)),
            Operation::Info => format!("`transect info {}`", self.store),
        }
    }
}

/// The option that a setting is, without its value.
pub fn option(setting: &Setting) -> String {
    format!("--{}", setting.name())
}

/// A setting as options with values; `None` where no shell's word can say them.
fn spelt(setting: &Setting) -> Option<String> {
    let with = |value: &str| Some(format!("{} {}", option(setting), quoted(value)));
    match setting {
        Setting::FilesBy(value)
        | Setting::Pattern(value)
        | Setting::CodeTemplate(value)
        | Setting::Ignore(value)
        | Setting::DateFormat(value)
        | Setting::Epoch(value)
        | Setting::Duplicates(value)
        | Setting::BadDates(value)
        | Setting::Prefix(value) => with(value),
        Setting::Rename(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("{} {}", option(setting), quoted(name))).collect();
            Some(names.join(" "))
        }
        Setting::DateColumn(names) | Setting::Key(names) | Setting::Columns(names) | Setting::Exclude(names)
            if names.is_empty() =>
        {
            with("NAME")
        }
        Setting::DateColumn(names) | Setting::Key(names) | Setting::Columns(names) | Setting::Exclude(names) => {
            let is_clear =
                |name: &String| !name.contains("\\,") && !name.ends_with('\\') && !name.contains(char::is_control);
            if names.iter().all(is_clear) { with(&joined(names)) } else { None }
        }
        Setting::CodeColumn | Setting::DateName => with("NAME"),
        Setting::Zone | Setting::NaiveZone => with("ZONE"),
        Setting::Cast(casts) => {
            let casts: Vec<String> =
                casts.iter().map(|cast| format!("{} {}", option(setting), quoted(&cast.to_string()))).collect();
            Some(casts.join(" "))
        }
        Setting::Memory(bytes) => with(&memory(*bytes)),
        Setting::Wait => with(PATIENCE),
        Setting::Live(version) => with(&version.to_string()),
        _ => Some(option(setting)),
    }
}

/// Names as an option takes them: divided by commas, one in a name behind a backslash.
pub fn joined(names: &[String]) -> String {
    names.iter().map(|name| name.replace(',', "\\,")).collect::<Vec<_>>().join(",")
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
        assert_eq!(names(&["a\\"]), None);
        assert_eq!(names(&["a\nb"]), None);
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
