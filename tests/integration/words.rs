//! The library has no word for an option: who speaks to a person spells it. A flag in a message of the library would be
//! wrong in Python, and in every command that does not have it.

use std::fs;
use std::path::{Path, PathBuf};

/// The library's files, without those of the command line.
fn library(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
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

#[test]
fn no_message_of_the_library_names_an_option() {
    let mut files = Vec::new();
    library(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 100, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (n, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            assert_eq!(flag(line), None, "{}:{}", path.display(), n + 1);
        }
    }
}
