//! The library has no word for an option or a command: who speaks to a person spells them. A flag or a command in a
//! message of the library would be wrong in Python, and a flag in every command that does not have it.

use std::fs;
use std::path::{Path, PathBuf};

use super::panels::paths_in;

/// The library's files, without those of the command line.
fn library(dir: &Path, files: &mut Vec<PathBuf>) {
    for path in paths_in(dir) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["cli", "tests"].contains(&name) {
            library(&path, files);
        } else if name.ends_with(".rs") && !["main.rs", "tests.rs"].contains(&name) {
            files.push(path);
        }
    }
}

/// Where `code` has a flag, such as `--cast`.
fn flag(code: &str) -> Option<&str> {
    code.match_indices("--")
        .map(|(at, _)| &code[at..])
        .find(|rest| rest[2..].starts_with(|c: char| c.is_ascii_lowercase()) && !rest[2..].starts_with("-"))
}

/// What can be run, and is nothing else that a message would have in ticks or after the program's name.
const COMMANDS: [&str; 15] = [
    "build",
    "update",
    "append",
    "restore",
    "source",
    "transpose",
    "coverage",
    "show",
    "info",
    "log",
    "diff",
    "gc",
    "verify",
    "synth",
    "demo",
];

/// Where `code` has a command, such as `transect info` or one in ticks.
fn command(code: &str) -> Option<&str> {
    let begun = ["transect ", "`"].into_iter().flat_map(|begins| code.match_indices(begins));
    let rest = begun.map(|(at, begins)| &code[at + begins.len()..]);
    let mut words = rest.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap());
    words.find(|word| COMMANDS.contains(word))
}

#[test]
fn flags_and_commands_are_found() {
    assert_eq!(flag("give --cast a=b"), Some("--cast a=b"));
    assert_eq!(flag("a -- b, ---"), None);
    assert_eq!(command("`transect info` lists them"), Some("info"));
    assert_eq!(command("`gc` removes it"), Some("gc"));
    assert_eq!(command("the transect that wrote it; raise `ulimit -n`"), None);
}

#[test]
fn no_message_of_the_library_names_an_option_or_a_command() {
    let mut files = Vec::new();
    library(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 100, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (n, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            assert_eq!(flag(line).or(command(line)), None, "{}:{}", path.display(), n + 1);
        }
    }
}

#[test]
fn prose_for_people_keeps_to_its_width() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "benches", "formats", "tests", "tools/fuzz"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(|folder| paths_in(folder));
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    assert!(files.contains(&root.join("README.md")) && files.len() > 5, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        // A row of a table cannot be broken.
        let too_long = |line: &&str| line.chars().count() > 120 && !line.starts_with('|');
        assert_eq!(text.lines().find(too_long), None, "{}", path.display());
    }
}
