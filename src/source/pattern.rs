//! The path of a stock's file below the source directory, with the code left open.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::naming::{is_hidden, percent_decoded};

const CODE: &str = "{code}";

/// A relative path with `{code}` in it once, such as `{code}.parquet` or `code={code}/data.parquet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    /// Components before the one that holds the code.
    before: PathBuf,
    prefix: String,
    suffix: String,
    /// Components after the one that holds the code.
    after: PathBuf,
}

impl Pattern {
    /// The directory whose entries carry the code, relative to the source directory.
    pub(super) fn before(&self) -> &PathBuf {
        &self.before
    }

    /// What follows the entry that carries the code; empty where that entry is the file itself.
    pub(super) fn after(&self) -> &PathBuf {
        &self.after
    }

    /// The code that an entry's name gives, in bytes; `None` if the name has another shape. It is what stands between
    /// prefix and suffix, decoded where that is the value of a `key=value` directory.
    pub(super) fn code<'n>(&self, name: &'n [u8]) -> Option<Cow<'n, [u8]>> {
        let code = name.strip_prefix(self.prefix.as_bytes())?.strip_suffix(self.suffix.as_bytes())?;
        Some(if self.is_encoded() { percent_decoded(code).into() } else { code.into() })
    }

    /// Whether the code is the value of a `key=value` directory. Those who write such directories escape what a name
    /// cannot hold, as in `symbol=BTC%2FUSDT`; nobody does so in the names of files.
    pub(super) fn is_encoded(&self) -> bool {
        let is_key = self.prefix.strip_suffix('=').is_some_and(|key| !key.is_empty());
        is_key && self.suffix.is_empty() && !self.after.as_os_str().is_empty()
    }

    /// Whether the pattern itself asks for names that would not be looked at.
    pub(super) fn asks_for_hidden(&self) -> bool {
        is_hidden(OsStr::new(&format!("{}x{}", self.prefix, self.suffix)))
    }

    /// The code that the pattern takes from this path, in bytes.
    pub(crate) fn code_of(&self, path: &Path) -> Option<Vec<u8>> {
        let rest = path.strip_prefix(&self.before).ok()?;
        let name = rest.components().next()?.as_os_str();
        let fits = rest.components().skip(1).eq(self.after.components());
        self.code(name.as_bytes()).filter(|_| fits).map(Cow::into_owned)
    }
}

impl Default for Pattern {
    fn default() -> Pattern {
        Pattern {
            text: "{code}.parquet".to_owned(),
            before: PathBuf::new(),
            prefix: String::new(),
            suffix: ".parquet".to_owned(),
            after: PathBuf::new(),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        let refuse = |why: &str| Err(format!("pattern {text:?} {why}; write it like {CODE}.parquet"));
        if text.matches(CODE).count() != 1 {
            return refuse("must have {code} in it exactly once");
        }
        if text.starts_with('/') {
            return refuse("must be relative to the source directory");
        }
        let components: Vec<&str> = text.split('/').collect();
        if components.contains(&"") {
            return refuse("has an empty component");
        }
        if components.iter().any(|component| matches!(*component, "." | "..")) {
            return refuse("must not have . or .. as a component");
        }
        if text.contains('\0') {
            return refuse("has a zero byte");
        }
        let Some(at) = components.iter().position(|component| component.contains(CODE)) else {
            return refuse("must have {code} within one component");
        };
        let Some((prefix, suffix)) = components[at].split_once(CODE) else {
            return refuse("must have {code} within one component");
        };
        Ok(Pattern {
            text: text.to_owned(),
            before: components[..at].iter().collect(),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            after: components[at + 1..].iter().collect(),
        })
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Pattern, String> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.text
    }
}
