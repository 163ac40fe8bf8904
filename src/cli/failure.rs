//! How an error is told: in a line on stderr, as an object where scripts read, and by the exit code.

use std::io;

use crate::Error;
use crate::error::Wanted;
use crate::skipped::{Skipped, usual};
use serde::Serialize;

use super::advice::Speaker;
use super::exit::Exit;
use super::output::{self, SCHEMA_VERSION, escape, say};
use super::skips;

/// An error as scripts read it.
#[derive(Debug, Serialize)]
pub struct Failure {
    kind: &'static str,
    /// The file or directory that it is about.
    path: String,
    message: String,
    /// The way out.
    hint: Option<String>,
}

impl Failure {
    /// What stopped a change of the store at `path`.
    pub fn stopped(path: &str, message: String, hint: Option<String>) -> Failure {
        Failure { kind: "stopped", path: path.to_owned(), message, hint }
    }

    /// `error` of a command about `path`; `ours` is what the library said.
    fn new(error: &anyhow::Error, ours: Option<&Error>, path: &str, speaker: &Speaker) -> Failure {
        if let Some(Error::Cancelled) = ours {
            return Failure {
                kind: Error::Cancelled.kind(),
                path: path.to_owned(),
                message: "interrupted; nothing half-written stands under a final name".to_owned(),
                hint: None,
            };
        }
        let what = escape(&chain(error, speaker));
        let has_io = || error.chain().any(|cause| cause.is::<io::Error>());
        let Some(ours) = ours else {
            let kind = if has_io() { "io" } else { "refused" };
            let hint = what.rsplit_once("; ").map(|(_, hint)| hint.to_owned());
            return Failure { kind, path: path.to_owned(), message: what, hint };
        };
        let hint = speaker.told(&ours.remedies()).map(|hint| escape(&hint));
        let message = match (ours, &hint) {
            (Error::Inputs { what, skipped }, _) => {
                escape(&format!("{what}: {}", usual(skipped, |group| skips::told(group, speaker))))
            }
            (_, Some(hint)) => format!("{what}; {hint}"),
            (_, None) => what,
        };
        let path = ours.path().map_or_else(|| path.to_owned(), output::path);
        Failure { kind: ours.kind(), path, message, hint }
    }
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

fn exit(error: Option<&Error>) -> Exit {
    match error {
        Some(Error::Cancelled) => Exit::Interrupted,
        Some(Error::Locked { .. }) => Exit::Busy,
        Some(Error::Corrupt { .. }) => Exit::Damaged,
        // What the command line alone shows to be wrong, and names that nothing has.
        Some(
            Error::Invalid { .. } | Error::NotFound { wanted: Wanted::Column | Wanted::Stock | Wanted::Source, .. },
        ) => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// Tells of an error of a command about `path`, once, and how the run ends.
pub fn fail(error: &anyhow::Error, path: &str, json: bool, speaker: &Speaker) -> Exit {
    let ours = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    let exit = exit(ours);
    let failure = Failure::new(error, ours, path, speaker);
    let skipped = match ours {
        Some(Error::Inputs { skipped, .. }) => skipped.as_slice(),
        _ => &[],
    };
    if json {
        #[derive(Serialize)]
        struct Failed<'a> {
            schema_version: u32,
            command: &'static str,
            exit_code: u8,
            error: &'a Failure,
            #[serde(skip_serializing_if = "<[Skipped]>::is_empty")]
            skipped: &'a [Skipped],
        }
        let failed = Failed {
            schema_version: SCHEMA_VERSION,
            command: speaker.command(),
            exit_code: exit as u8,
            error: &failure,
            skipped,
        };
        let mut failed = serde_json::to_value(failed).unwrap_or_default();
        speaker.put_into_words(&mut failed, &["skipped"]);
        // That stdout is gone must not hide the error itself, which is printed below.
        let _ = output::print(&format!("{failed}\n"));
    }
    match ours {
        Some(Error::Cancelled) => say(format_args!("transect: {}", failure.message)),
        Some(Error::Inputs { what, skipped }) => {
            say(format_args!("transect: {} {}:", output::red("error:"), escape(what)));
            skips::say_grouped(skipped, speaker, "--json lists all");
        }
        _ => say(format_args!("transect: {} {}", output::red("error:"), failure.message)),
    }
    exit
}
