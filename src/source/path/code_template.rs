//! The code that the values in a file's path give.

use crate::as_text::as_text;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::pattern::{ANYTHING, CODE, Pattern, Values, parts_of};

/// How codes are made of the placeholders of a pattern: `{code}.{exchange}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeTemplate {
    text: String,
}

impl CodeTemplate {
    /// The first placeholder that `pattern` does not have.
    pub(in crate::source) fn unknown_in(&self, pattern: &Pattern) -> Option<&str> {
        parts_of(&self.text).into_iter().flatten().find(|name| pattern.names().all(|known| known != *name))
    }

    /// Whether it has the placeholder `name`.
    pub(in crate::source) fn uses(&self, name: &str) -> bool {
        parts_of(&self.text).contains(&Ok(name))
    }
}

/// The code of a file whose path gives `values`; the error says why there is none.
pub(in crate::source) fn code_of(template: Option<&CodeTemplate>, values: &Values) -> Result<String, &'static str> {
    let text = template.map_or("{code}", |template| &template.text);
    let mut code = Vec::new();
    for part in parts_of(text) {
        match part.map(|name| values.get(name)) {
            Ok(Some(value)) if value.text.is_empty() => return Err("its name leaves nothing for the code"),
            Ok(Some(value)) if value.is_null() => {
                return Err("its name gives no code, but says that its rows have none");
            }
            Ok(value) => code.extend(value.map(|value| value.decoded()).unwrap_or_default()),
            Err(text) => code.extend_from_slice(text.as_bytes()),
        }
    }
    String::from_utf8(code).map_err(|_| "its name is not UTF-8, so it gives no code")
}

impl fmt::Display for CodeTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for CodeTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<CodeTemplate, String> {
        let names: Vec<&str> = parts_of(text).into_iter().flatten().collect();
        match () {
            () if !names.contains(&CODE) => {
                Err(format!("{text:?} must have {{code}} in it, as in {{code}}.{{exchange}}"))
            }
            () if names.contains(&ANYTHING) => {
                Err(format!("{text:?} has {{*}}, which may be several; give that a name in the pattern"))
            }
            () => Ok(CodeTemplate { text: text.to_owned() }),
        }
    }
}

as_text!(CodeTemplate);
