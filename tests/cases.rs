//! Small inputs that went wrong once, and their siblings: `tests/cases/NAME.trycmd` has the commands and their answers,
//! `NAME.in/` the files that they run on, and `NAME.out/` files that they must leave (at least `.keep`, which makes
//! each case run on a copy). To add a case is to add those. `TRYCMD=overwrite` writes the answers as they are now;
//! read them before you believe them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use transect::storage::list;

#[test]
fn cases_get_the_right_answers() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("transect", Path::new(env!("CARGO_BIN_EXE_transect")));
    for tool in ["cat", "chmod", "cp", "find", "ln", "ls", "mkdir", "mv", "rm", "touch"] {
        let directories = ["/bin", "/usr/bin"].map(|directory| Path::new(directory).join(tool));
        if let Some(path) = directories.into_iter().find(|path| path.exists()) {
            cases.register_bin(tool, path);
        }
    }
    cases.case("tests/cases/*.trycmd");
}

/// The help of a command, by its words: `source add`.
fn help(command: &str) -> String {
    let mut run = Command::new(env!("CARGO_BIN_EXE_transect"));
    let output = run.args(command.split_whitespace()).arg("--help").output().unwrap();
    assert!(output.status.success(), "there is no command {command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words of the command that a line calls, without the program's name.
fn command(line: &str) -> String {
    let mut words = line.split_whitespace().skip(1);
    let first = words.next().unwrap_or_default();
    let is_group = matches!(first, "source" | "generate" | "task");
    [Some(first), words.next().filter(|_| is_group)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The options that a text names.
fn options(text: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let begins =
        text.match_indices("--").filter(move |(at, _)| !text[..*at].ends_with(is_of_name)).map(|(at, _)| &text[at..]);
    begins.map(move |rest| &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())]).filter(|name| name.len() > 2)
}

#[test]
fn every_option_that_an_answer_names_is_one_of_the_command_that_gives_it_or_of_the_one_that_it_names() {
    let (mut helps, mut named) = (BTreeMap::new(), 0);
    let mut has = |command: String, option: &str, context: &str| {
        let help = helps.entry(command.clone()).or_insert_with(|| help(&command));
        let is_there = help.split(|c: char| !c.is_ascii_lowercase() && c != '-').any(|word| word == option);
        assert!(is_there, "{context}: transect {command} has no {option}");
        named += 1;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let cases = list(&folder).unwrap().map(|name| folder.join(name.unwrap()));
    let cases = cases.filter(|path| path.extension().is_some_and(|e| e == "trycmd"));
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let mut called = None;
        // Reports for programs have the options' names in other words, and `info` shows those that a source was given.
        for line in text.lines().filter(|line| !line.starts_with('{') && !line.starts_with("options ")) {
            let context = format!("{}: {line}", case.display());
            if let Some(call) = line.strip_prefix("$ ") {
                called = call.starts_with("transect ").then(|| command(call));
                continue;
            }
            let Some(called) = called.as_deref().filter(|_| !line.starts_with("```")) else {
                called = None;
                continue;
            };
            // Between backquotes stands a whole command.
            for (place, part) in line.split('`').enumerate() {
                let of =
                    if place % 2 == 1 && part.starts_with("transect ") { command(part) } else { called.to_owned() };
                options(part).for_each(|option| has(of.clone(), option, &context));
            }
        }
    }
    assert!(named > 100, "{named}");
}
