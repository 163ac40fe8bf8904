//! How it is told that a guard or a limit stopped a change, and how to let it through.

use crate::GuardMet;

use super::failure::Failure;
use super::output::{self, Lines};

/// Why nothing was published.
#[derive(Debug)]
pub struct Stop {
    reasons: Vec<String>,
    /// The option that lets it through.
    way_out: Option<String>,
}

impl Stop {
    /// What of `guards`, and of a limit that was `refused`, stopped a change; `None` if nothing did.
    pub fn new(guards: &[GuardMet], refused: Option<&str>) -> Option<Stop> {
        let stopping = || guards.iter().filter(|met| !met.allowed);
        let mut words: Vec<&str> = guards.iter().map(|met| met.guard.word()).collect();
        words.dedup();
        let limit = if refused.is_some() { ", and a limit that lets so many through" } else { "" };
        let way_out = stopping().next().map(|_| format!("--allow {}{limit}", words.join(",")));
        let reasons: Vec<String> = stopping().map(told).chain(refused.map(str::to_owned)).collect();
        (!reasons.is_empty()).then_some(Stop { reasons, way_out })
    }

    /// As scripts read it.
    pub fn failure(&self, store: &str) -> Failure {
        Failure::stopped(store, self.reasons.join("; "), self.way_out.clone())
    }

    /// Says it on stderr, and what to do again where it is right.
    pub fn say(&self, again: &str) {
        output::say_wrong("nothing was published", &self.reasons, "");
        if let Some(way_out) = &self.way_out {
            output::say(format_args!("  if all this is right, {again} with {way_out}"));
        }
    }
}

/// Lists the guards that were met and allowed.
pub fn allowed(guards: &[GuardMet], lines: &mut Lines) {
    for met in guards.iter().filter(|met| met.allowed) {
        lines.add("allowed", told(met));
    }
}

/// `missing-files: 253 of 256 files are gone, such as A.parquet, B.parquet`; `missing-files of prices: ...`.
fn told(met: &GuardMet) -> String {
    let examples = match met.examples.as_slice() {
        [] => String::new(),
        examples => format!(", such as {}", examples.join(", ")),
    };
    format!("{}{}: {}{examples}", met.guard, of(&met.source), met.what)
}

/// ` of prices`, where a source is named.
pub fn of(source: &Option<String>) -> String {
    source.as_ref().map_or_else(String::new, |name| format!(" of {name}"))
}
