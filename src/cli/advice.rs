//! Advice that a command gives about options that it does not have: they are those of `update`, which the store remembers.

use std::path::Path;

use clap::{Command, CommandFactory};
use transect::skipped::Skipped;

use super::args::Cli;
use super::output::{self, quoted};

/// Names `transect update STORE` in the reasons of `skipped`, before each option that it has and `speaker` has not.
pub fn name_update(skipped: &mut [Skipped], speaker: &str, store: &Path) {
    let cli = Cli::command();
    let has = |command: &str, option: &str| cli.find_subcommand(command).is_some_and(|found| has(found, option));
    let is_of_update = |option: &str| has("update", option) && !has(speaker, option);
    let update = format!("transect update {}", quoted(&output::path(store)));
    for skipped in skipped {
        skipped.reason = named(&skipped.reason, &update, is_of_update).into();
    }
}

fn has(command: &Command, option: &str) -> bool {
    command.get_arguments().any(|argument| argument.get_long() == Some(option))
}

/// `text` with `command` before each run of its options, outside quotes: names and values may look like options.
fn named(text: &str, command: &str, is_its: impl Fn(&str) -> bool) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    let (mut quoted, mut escaped) = (false, false);
    while let Some(c) = rest.chars().next() {
        let len = if quoted || !told.ends_with([' ', '(']) { 0 } else { options_len(rest, &is_its) };
        if len > 0 {
            told.push_str(&format!("`{command} {}`", &rest[..len]));
            rest = &rest[len..];
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        told.push(c);
        rest = &rest[c.len_utf8()..];
    }
    told
}

/// How many bytes of `text` are options, each with its value as a shell takes it.
fn options_len(text: &str, is_its: impl Fn(&str) -> bool) -> usize {
    let mut len = 0;
    loop {
        let next = &text[len..];
        let option = next.strip_prefix(if len == 0 { "--" } else { " --" });
        let Some(option) = option else { return len };
        let name = &option[..option.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(option.len())];
        if !is_its(name) {
            return len;
        }
        len = text.len() - option.len() + name.len();
        let Some(value) = text[len..].strip_prefix(' ') else { return len };
        let (mut in_quotes, mut escaped) = (false, false);
        let end = value.find(|c: char| {
            in_quotes ^= c == '\'' && !escaped;
            escaped = c == '\\' && !in_quotes;
            !in_quotes && (c.is_whitespace() || c == ';')
        });
        len += 1 + end.unwrap_or(value.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_update_are_told_with_it() {
        for (text, told) in [
            ("has zero bytes", "has zero bytes"),
            ("is a list; --exclude emb leaves it out", "is a list; `transect update s --exclude emb` leaves it out"),
            (
                "no; --cast 'a b=Utf8' --cast c=Utf8 reads them as text",
                "no; `transect update s --cast 'a b=Utf8' --cast c=Utf8` reads them as text",
            ),
            (
                "a list; --exclude 'it'\\''s; so' leaves it out",
                "a list; `transect update s --exclude 'it'\\''s; so'` leaves it out",
            ),
            (
                "\"x --cast y\"; --duplicates first keeps the one, --duplicates last the other",
                "\"x --cast y\"; `transect update s --duplicates first` keeps the one, `transect update s --duplicates \
                 last` the other",
            ),
            (
                "read, others with --date-format; --bad-dates drop leaves such rows out",
                "read, others with `transect update s --date-format`; `transect update s --bad-dates drop` leaves such \
                 rows out",
            ),
            ("more than --memory 64MiB; --memory 1GiB allows it", "more than --memory 64MiB; --memory 1GiB allows it"),
        ] {
            let mut skipped = [Skipped { path: "A".to_owned(), reason: text.into() }];
            name_update(&mut skipped, "verify", Path::new("s"));
            assert_eq!(&*skipped[0].reason, told);
        }
    }
}
