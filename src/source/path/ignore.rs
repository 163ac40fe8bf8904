//! Files that a user leaves out by their names.

use crate::as_text::as_text;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use glob::{MatchOptions, Pattern as Glob};
use serde::{Deserialize, Serialize};

/// A glob, as shells have it: of names wherever they stand, or with a slash of paths below the source directory. What
/// lies in a directory that it matches is left out, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ignore {
    glob: Glob,
}

impl Ignore {
    /// Whether `path`, or a directory on its way, is matched.
    pub(in crate::source) fn matches(&self, path: &Path) -> bool {
        let options =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };
        let is_of_paths = self.glob.as_str().contains('/');
        path.ancestors().any(|path| match path.file_name() {
            None => false,
            // What is not UTF-8 is matched by its replacements.
            Some(_) if is_of_paths => self.glob.matches_with(&path.to_string_lossy(), options),
            Some(name) => self.glob.matches_with(&name.to_string_lossy(), options),
        })
    }
}

impl fmt::Display for Ignore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.glob.as_str())
    }
}

impl FromStr for Ignore {
    type Err = String;

    fn from_str(text: &str) -> Result<Ignore, String> {
        if text.is_empty() || text.starts_with('/') {
            return Err(format!("{text:?} is no glob of names below the source directory, such as '_*'"));
        }
        Glob::new(text.trim_end_matches('/')).map(|glob| Ignore { glob }).map_err(|error| format!("{text:?}: {error}"))
    }
}

as_text!(Ignore);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_names_and_with_a_slash_paths() {
        let matches = |glob: &str, path: &str| glob.parse::<Ignore>().unwrap().matches(Path::new(path));
        assert!(matches("_*", "_meta.parquet") && matches("_*", "SH/_meta.parquet") && matches("_*", "_old/A.parquet"));
        assert!(!matches("_*", "A_.parquet"));
        assert!(
            matches("SH/*", "SH/A.parquet") && !matches("SH/*", "SZ/A.parquet") && !matches("SH/*", "x/SH/A.parquet")
        );
        assert!(matches("SH/", "SH/A.parquet") && matches("SH", "x/SH/A.parquet"));
        assert!(matches("**/old/*", "x/old/A.parquet") && matches("[AB]?.parquet", "B1.parquet"));
        assert!(!matches("[AB]?.parquet", "C1.parquet"));
        for bad in ["", "/A", "a**", "[a"] {
            assert!(bad.parse::<Ignore>().is_err(), "{bad}");
        }
    }
}
