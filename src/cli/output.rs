//! What the commands print: reports for people and for scripts on stdout, everything else on stderr.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;

pub use crate::hint::quoted;
use crate::remedy::shortened;
use anyhow::Context;
use serde::Serialize;

use super::exit::Exit;

/// How many reasons or differences are listed on stderr.
pub const LISTED: usize = 20;

/// Standard output. Whether writing to it failed is remembered, since most errors on the way to it have other causes;
/// and whether its reader went away, because that is no failure.
pub struct Out {
    inner: BufWriter<io::Stdout>,
    has_failed: bool,
    is_closed: bool,
}

impl Out {
    pub fn new() -> Out {
        Out { inner: BufWriter::with_capacity(1 << 16, io::stdout()), has_failed: false, is_closed: false }
    }

    /// `result` of writing to this, once everything is written; a reader that went away has seen enough.
    pub fn finish<E: Into<anyhow::Error>>(mut self, result: Result<(), E>) -> anyhow::Result<()> {
        let result = result.map_err(Into::into).and_then(|()| self.flush().map_err(Into::into));
        match result {
            Err(_) if self.is_closed => Ok(()),
            Err(error) if self.has_failed => Err(error.context("cannot write to standard output")),
            result => result,
        }
    }

    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.has_failed |= result.is_err();
        self.is_closed |= result.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        result
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}

/// Prints `text` on stdout.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = Out::new();
    let result = out.write_all(text.as_bytes());
    out.finish(result)
}

/// What stands, where the report of a change cannot be printed.
pub fn untold(store: &str, live: Option<u64>) -> String {
    match live {
        Some(version) => format!("version {version} of {store} is live, but the report could not be printed"),
        None => format!("nothing was published in {store}, and the report could not be printed"),
    }
}

/// Prints a line on stderr. Where nobody reads it, nothing is to be done.
pub fn say(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether the terminal can do nothing but print.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether text on `stream` may have colour.
pub fn has_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && !is_dumb() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How many cells a line of the terminal `stream` has.
pub fn terminal_width(stream: impl AsFd) -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let told = rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    asked.or(told).filter(|&width| width > 0).unwrap_or(80)
}

/// The version of what `--json` prints, as formats/report.md has it: another where a name or a meaning changes.
pub const SCHEMA_VERSION: u32 = 1;

/// A report as scripts read it.
#[derive(Serialize)]
struct Envelope<'a, T> {
    schema_version: u32,
    command: &'static str,
    exit_code: u8,
    #[serde(flatten)]
    report: &'a T,
}

/// Prints the one JSON object of a run.
pub fn print_json(command: &'static str, exit: Exit, report: &impl Serialize) -> anyhow::Result<()> {
    let envelope = Envelope { schema_version: SCHEMA_VERSION, command, exit_code: exit as u8, report };
    print(&(serde_json::to_string(&envelope).context("cannot write the report as JSON")? + "\n"))
}

/// `text` as errors begin, in colour where there may be some.
pub fn red(text: &str) -> String {
    if has_colour(&io::stderr()) { format!("\x1b[1;31m{text}\x1b[0m") } else { text.to_owned() }
}

/// Lists what is wrong, under one heading. `rest` says where to find what is not listed.
pub fn say_wrong(heading: impl std::fmt::Display, lines: &[String], rest: &str) {
    if !lines.is_empty() {
        say(format_args!("transect: {} {heading}:", red("error:")));
        say_listed(lines.iter().cloned(), rest);
    }
}

/// Lists these lines, indented, as far as a person wants to read.
pub fn say_listed(lines: impl ExactSizeIterator<Item = String>, rest: &str) {
    let more = lines.len().saturating_sub(LISTED);
    for line in lines.take(LISTED) {
        say(format_args!("  {}", escape(&line)));
    }
    if more > 0 {
        say(format_args!("  and {} more; {rest}", count(more as u64)));
    }
}

/// A short report: a label and a text on each line, aligned.
#[derive(Debug, Default)]
pub struct Lines(Vec<(&'static str, String)>);

impl Lines {
    pub fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.0.push((label, text.into()));
    }

    /// Adds a line unless `number` is zero.
    pub fn add_some(&mut self, label: &'static str, number: u64, text: impl FnOnce(String) -> String) {
        if number > 0 {
            self.add(label, text(count(number)));
        }
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.0.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        self.0.iter().try_for_each(|(label, text)| writeln!(f, "{label:width$}  {}", escape(text)))
    }
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `1,234 files`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// What to tell of rows that gave way to another row of their key, identical or not.
pub fn merged(number: u64) -> String {
    counted(number, "row whose key another row of the stock has", "rows whose key another row of the stock has")
}

/// What to tell of rows that were dropped because their date says nothing.
pub fn dateless(number: u64) -> String {
    counted(number, "row without a readable date", "rows without a readable date")
}

/// What to tell of rows that are left out until their trading date is known.
pub fn waiting(number: u64) -> String {
    counted(number, "row whose trading date is not known yet", "rows whose trading dates are not known yet")
}

/// What to tell of rows that are left out since their source joins left.
pub fn lone(number: u64) -> String {
    format!("{} whose key no other source has (join left)", counted(number, "row", "rows"))
}

/// A rate to three digits: `1,850,000`, `12.3`.
pub fn rounded(number: f64) -> String {
    if !number.is_finite() {
        return "-".to_owned();
    }
    if number >= 100.0 {
        let unit = 10f64.powi(number.log10() as i32 - 2);
        return count(((number / unit).round() * unit) as u64);
    }
    if number >= 10.0 { format!("{number:.1}") } else { format!("{number:.2}") }
}

/// `1.4 GiB`.
pub fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if value < 1000.0 || unit == "TiB" {
            return match unit {
                "B" => format!("{number} B"),
                _ if value < 10.0 => format!("{value:.2} {unit}"),
                _ if value < 100.0 => format!("{value:.1} {unit}"),
                _ => format!("{value:.0} {unit}"),
            };
        }
        value /= 1024.0;
    }
    number.to_string()
}

/// `0.42 s`, `12.3 s`, `3 min 5 s`, `2 h 10 min`.
pub fn seconds(number: f64) -> String {
    let whole = number.round() as u64;
    match whole {
        0..10 => format!("{number:.2} s"),
        10..60 => format!("{number:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// `9.2 s, 1,850,000 rows/s`.
pub fn pace(number: f64, rows: u64) -> String {
    format!("{}, {} rows/s", seconds(number), rounded(rows as f64 / number.max(1e-9)))
}

/// `version 7`, `versions 1, 2 and 7`, `no version`.
pub fn versions(versions: &[u64]) -> String {
    let texts: Vec<String> = versions.iter().map(u64::to_string).collect();
    match texts.as_slice() {
        [] => "no version".to_owned(),
        [one] => format!("version {one}"),
        [rest @ .., last] => format!("versions {} and {last}", rest.join(", ")),
    }
}

/// Bytes of a text that is told to people: more than a path may have.
const LONGEST: usize = 5000;

/// `text` without what a terminal might take for a command, and without its middle where it is longer than anybody reads.
pub fn escape(text: &str) -> String {
    let text = shortened(text, LONGEST);
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // Marks that turn the direction of writing can make a name look like another.
        if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// As [`escape`], of each line.
pub fn escape_lines(text: &str) -> String {
    text.lines().map(|line| escape(line) + "\n").collect()
}

/// A path as it is printed.
pub fn path(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        assert_eq!([0, 999, 1000, 17_012_345].map(count), ["0", "999", "1,000", "17,012,345"]);
        assert_eq!([0, 999, 1 << 10, 1_500_000_000].map(bytes), ["0 B", "999 B", "1.00 KiB", "1.40 GiB"]);
        assert_eq!([1000, 1 << 20, 150 << 20].map(bytes), ["0.98 KiB", "1.00 MiB", "150 MiB"]);
        assert_eq!(
            [0.0, 9.994, 59.2, 185.0, 7800.0].map(seconds),
            ["0.00 s", "10.0 s", "59.2 s", "3 min 5 s", "2 h 10 min"]
        );
        assert_eq!([0.5, 12.34, 1_849_321.0, f64::INFINITY].map(rounded), ["0.50", "12.3", "1,850,000", "-"]);
    }

    #[test]
    fn versions_are_a_list_in_words() {
        assert_eq!(versions(&[]), "no version");
        assert_eq!(versions(&[7]), "version 7");
        assert_eq!(versions(&[1, 2, 7]), "versions 1, 2 and 7");
    }

    #[test]
    fn text_from_data_cannot_command_a_terminal() {
        assert_eq!(escape("a\x1b[31m\nb\u{202e}中"), "a\\u{1b}[31m\\nb\\u{202e}中");
        let long = escape(&format!("begins, {}中{}, ends", "x".repeat(1 << 20), "y".repeat(1 << 20)));
        assert!(long.len() < 6000 && long.starts_with("begins, xxx") && long.ends_with("yyy, ends"), "{}", long.len());
        assert!(escape(&"中".repeat(1 << 20)).chars().all(|c| c == '中' || c == '.'));
    }
}
