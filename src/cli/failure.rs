//! How an error is told: in a line on stderr, as an object where scripts read, and by the exit code.

use std::ffi::OsString;
use std::io;

use crate::Error;
use crate::error::{NAMES_TOLD, Wanted};
use crate::skipped::{Skipped, usual};
use clap::CommandFactory;
use clap::error::{ContextKind, ErrorKind};
use serde::Serialize;

use super::advice::Speaker;
use super::args::Cli;
use super::exit::{Exit, is_task};
use super::output::{self, SCHEMA_VERSION, escape, say};
use super::skips;
use super::words::NoList;

/// An error as scripts read it.
#[derive(Debug, Serialize)]
pub struct Failure {
    kind: &'static str,
    /// The file or directory that it is about; `None` where what was typed is not understood.
    path: Option<String>,
    message: String,
    /// The way out.
    hint: Option<String>,
    /// All names that are not there, where several were asked for.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    names: Box<[String]>,
}

impl Failure {
    /// What stopped a change of the store at `path`.
    pub fn stopped(path: &str, message: String, hint: Option<String>) -> Failure {
        Failure { kind: "stopped", path: Some(path.to_owned()), message, hint, names: Box::default() }
    }

    /// `error` of a command about `path`; `ours` is what the library said.
    fn new(error: &anyhow::Error, ours: Option<&Error>, path: &str, speaker: &Speaker) -> Failure {
        if let Some(Error::Cancelled) = ours {
            return Failure {
                kind: Error::Cancelled.kind(),
                path: Some(path.to_owned()),
                message: "interrupted; nothing half-written stands under a final name".to_owned(),
                hint: None,
                names: Box::default(),
            };
        }
        let what = escape(&chain(error, speaker));
        let has_io = || error.chain().any(|cause| cause.is::<io::Error>());
        let Some(ours) = ours else {
            let list = error.downcast_ref::<NoList>();
            let kind = match list {
                Some(_) => "invalid",
                None if has_io() => "io",
                None => "refused",
            };
            let path = list.map_or_else(|| path.to_owned(), |list| output::path(&list.path));
            let hint = what.rsplit_once("; ").map(|(_, hint)| hint.to_owned());
            return Failure { kind, path: Some(path), message: what, hint, names: Box::default() };
        };
        let hint = speaker.told(&ours.remedies()).map(|hint| escape(&hint));
        let message = match (ours, &hint) {
            (Error::Inputs { what, skipped, .. }, _) => {
                escape(&format!("{what}: {}", usual(skipped, |group| skips::told(group, speaker))))
            }
            (_, Some(hint)) => format!("{what}; {hint}"),
            (_, None) => what,
        };
        let path = ours.path().map_or_else(|| path.to_owned(), output::path);
        let names = if let Error::NotFound { names, .. } = ours { names.clone() } else { Box::default() };
        Failure { kind: ours.kind(), path: Some(path), message, hint, names }
    }

    /// What clap says of what was typed to `command`: what is wrong up to the first empty line, and what it offers instead.
    fn usage(error: &clap::Error, command: &str) -> Failure {
        let text = output::escape_lines(&error.render().to_string());
        let mut lines = text.lines().map(str::trim);
        let what: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let message = what.join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
        let rest: Vec<&str> = lines.collect();
        let after = |mark: &str| rest.iter().find_map(|line| line.strip_prefix(mark));
        let own = || Some(message.rsplit_once("; ")?.1.to_owned());
        let usage = || Some(format!("it is used like `{}`", after("Usage: ")?));
        let help = || format!("`{} --help` says what it takes", ["transect", command].join(" ").trim_end());
        let hint = after("tip: ").map(str::to_owned).or_else(own).or_else(usage).unwrap_or_else(help);
        Failure { kind: "usage", path: None, message, hint: Some(hint), names: Box::default() }
    }
}

/// Tells of arguments that are not understood, or what `--help` and `--version` ask for; the exit code.
pub fn not_understood(mut error: clap::Error, arguments: &[OsString]) -> u8 {
    if error.kind() == ErrorKind::UnknownArgument {
        // That an unknown option may be meant as a name helps nobody.
        error.remove(ContextKind::Suggested);
    }
    if error.use_stderr() && arguments.iter().skip(1).take_while(|&word| word != "--").any(|word| word == "--json") {
        let command = command_of(arguments);
        print_failed(&Failure::usage(&error, &command), &command, Exit::Usage, &[], None);
    }
    print_usage(&error);
    error.exit_code() as u8
}

/// Prints what clap says, in its colours unless it repeats what has to be cut. Where nobody reads it, nothing is to be
/// done.
fn print_usage(error: &clap::Error) {
    let text = error.render().to_string();
    let shown = output::escape_lines(&text);
    match error.use_stderr() && shown.trim_end() != text.trim_end() {
        true => say(shown.trim_end()),
        false => drop(error.print()),
    }
}

/// The command that the arguments begin with, as far as there is one of that name.
fn command_of(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str()).filter(|word| !word.starts_with('-'));
    let (mut command, mut names) = (Cli::command(), Vec::new());
    for word in words {
        let Some(found) = command.find_subcommand(word) else { break };
        names.push(word);
        command = found.clone();
    }
    names.join(" ")
}

/// An error and its causes, each said once, without the ways out.
fn chain(error: &anyhow::Error, speaker: &Speaker) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = match cause.downcast_ref::<Error>() {
            Some(ours) => ours.what(|setting| speaker.option(setting)),
            None => cause.to_string(),
        };
        // What the parquet crate says of a cause that is not its own, before it names the cause.
        let text = text.strip_prefix("External: ").unwrap_or(&text);
        if told.last().is_none_or(|last| !last.ends_with(text)) {
            told.push(text.to_owned());
        }
    }
    told.join(": ")
}

fn exit(error: Option<&Error>, command: &str) -> Exit {
    match error {
        Some(
            Error::Refused { .. }
            | Error::Inputs { .. }
            | Error::NotAStore { .. }
            | Error::NotFound { .. }
            | Error::WrongVersion { .. },
        ) if is_task(command) => Exit::Usage,
        Some(Error::Cancelled) => Exit::Interrupted,
        Some(Error::Locked { .. }) => Exit::Busy,
        Some(Error::Corrupt { .. }) => Exit::Damaged,
        // What the command line alone shows to be wrong, and names that nothing has.
        Some(
            Error::Invalid { .. }
            | Error::NotFound {
                wanted: Wanted::Column | Wanted::Stock | Wanted::Date | Wanted::Source | Wanted::Value | Wanted::Version,
                ..
            },
        ) => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// Tells of an error of a command about `path`, once, and how the run ends.
pub fn fail(error: &anyhow::Error, path: &str, json: bool, speaker: &Speaker) -> Exit {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        if json {
            let command = speaker.command();
            print_failed(&Failure::usage(usage, command), command, Exit::Usage, &[], None);
        }
        print_usage(usage);
        return Exit::Usage;
    }
    let ours = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    // As of files that other options name.
    let exit = if error.is::<NoList>() { Exit::Usage } else { exit(ours, speaker.command()) };
    let failure = Failure::new(error, ours, path, speaker);
    let skipped = match ours {
        Some(Error::Inputs { skipped, .. }) => skipped.as_slice(),
        _ => &[],
    };
    if json {
        print_failed(&failure, speaker.command(), exit, skipped, Some(speaker));
    }
    match ours {
        Some(Error::Cancelled) => say(format_args!("transect: {}", failure.message)),
        Some(Error::Inputs { what, skipped, .. }) => {
            say(format_args!("transect: {} {}:", output::red("error:"), escape(what)));
            skips::say_grouped(skipped, speaker, "--json lists all");
        }
        _ => {
            say(format_args!("transect: {} {}", output::red("error:"), failure.message));
            if failure.names.len() > NAMES_TOLD && speaker.takes("json") {
                say(format_args!("  --json lists all {}", output::count(failure.names.len() as u64)));
            }
        }
    }
    exit
}

/// Prints the one JSON object of a run that failed.
fn print_failed(failure: &Failure, command: &str, exit: Exit, skipped: &[Skipped], speaker: Option<&Speaker>) {
    #[derive(Serialize)]
    struct Failed<'a> {
        schema_version: u32,
        command: &'a str,
        exit_code: u8,
        error: &'a Failure,
        #[serde(skip_serializing_if = "<[Skipped]>::is_empty")]
        skipped: &'a [Skipped],
    }
    let failed = Failed { schema_version: SCHEMA_VERSION, command, exit_code: exit as u8, error: failure, skipped };
    let mut failed = serde_json::to_value(failed).unwrap_or_default();
    if let Some(speaker) = speaker {
        speaker.put_into_words(&mut failed, &["skipped"]);
    }
    // That stdout is gone must not hide the error itself, which is printed on stderr.
    let _ = output::print(&format!("{failed}\n"));
}
