//! How an error is told: in a line on stderr, as an object where scripts read, and by the exit code.

use std::io;

use serde::Serialize;
use transect::Error;
use transect::skipped::Skipped;

use super::exit::Exit;
use super::output::{self, escape, say};

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
    fn new(error: &anyhow::Error, ours: Option<&Error>, path: &str) -> Failure {
        let message = escape(&format!("{error:#}"));
        let has_io = || error.chain().any(|cause| cause.is::<io::Error>());
        let path = ours.and_then(Error::path).map_or_else(|| path.to_owned(), output::path);
        match ours {
            Some(Error::Cancelled) => Failure {
                kind: Error::Cancelled.kind(),
                path,
                message: "interrupted; nothing half-written stands under a final name".to_owned(),
                hint: None,
            },
            Some(ours) => Failure { kind: ours.kind(), path, message, hint: ours.hint().map(|hint| escape(&hint)) },
            None => Failure {
                kind: if has_io() { "io" } else { "refused" },
                path,
                hint: message.rsplit_once("; ").map(|(_, hint)| hint.to_owned()),
                message,
            },
        }
    }
}

fn exit(error: Option<&Error>) -> Exit {
    match error {
        Some(Error::Cancelled) => Exit::Interrupted,
        Some(Error::Locked { .. }) => Exit::Busy,
        Some(Error::Corrupt { .. }) => Exit::Damaged,
        _ => Exit::Failed,
    }
}

/// Tells of an error of a command about `path`, once, and how the run ends.
pub fn fail(error: &anyhow::Error, path: &str, json: bool) -> Exit {
    let ours = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    let exit = exit(ours);
    let failure = Failure::new(error, ours, path);
    let skipped = match ours {
        Some(Error::Inputs { skipped, .. }) => skipped.as_slice(),
        _ => &[],
    };
    if json {
        #[derive(Serialize)]
        struct Failed<'a> {
            error: &'a Failure,
            exit_code: u8,
            #[serde(skip_serializing_if = "<[Skipped]>::is_empty")]
            skipped: &'a [Skipped],
        }
        let failed = Failed { error: &failure, exit_code: exit as u8, skipped };
        let text = serde_json::to_string(&failed).unwrap_or_default();
        // That stdout is gone must not hide the error itself, which is printed below.
        let _ = output::print(&(text + "\n"));
    }
    match ours {
        Some(Error::Cancelled) => say(format_args!("transect: {}", failure.message)),
        Some(Error::Inputs { what, skipped }) => {
            say(format_args!("transect: {} {}:", output::red("error:"), escape(what)));
            output::say_grouped(skipped, "--json lists all");
        }
        _ => say(format_args!("transect: {} {}", output::red("error:"), failure.message)),
    }
    exit
}
