//! How skipped inputs are told: by reason, with the ways out in the words of the command that speaks.

use crate::skipped::{Group, Skipped, grouped};
use anyhow::Context;
use serde::Serialize;

use super::advice::Speaker;
use super::exit::Exit;
use super::output;

/// Lists inputs that were skipped, by reason. `rest` says where to find those that are not listed.
pub fn say_skipped(skipped: &[Skipped], of: u64, speaker: &Speaker, rest: &str) {
    if skipped.is_empty() {
        return;
    }
    output::say(format_args!(
        "transect: skipped {} of {}:",
        output::count(skipped.len() as u64),
        output::counted(of, "input", "inputs")
    ));
    say_grouped(skipped, speaker, rest);
}

/// Lists inputs that were skipped, by reason.
pub fn say_grouped(skipped: &[Skipped], speaker: &Speaker, rest: &str) {
    let groups = grouped(skipped);
    output::say_listed(groups.iter().map(|group| told(group, speaker)), rest);
    if groups.len() < skipped.len() && groups.len() <= output::LISTED {
        output::say(format_args!("  {rest}"));
    }
}

/// Inputs with one kind of reason, and the ways out.
pub fn told(group: &Group, speaker: &Speaker) -> String {
    speaker.sentence(&group.what(), &group.remedies)
}

/// As `print_json`, with the ways out of skipped inputs, in the lists `keys`, in the words of `speaker`.
pub fn print_json_of(
    command: &'static str,
    exit: Exit,
    report: &impl Serialize,
    speaker: &Speaker,
    keys: &[&str],
) -> anyhow::Result<()> {
    let mut report = serde_json::to_value(report).context("cannot write the report as JSON")?;
    speaker.put_into_words(&mut report, keys);
    output::print_json(command, exit, &report)
}
