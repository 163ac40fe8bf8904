//! What files have in their column of codes, before there is a pattern that reads them: whoever follows the advice of one
//! must not be told next that the column says otherwise.

use std::collections::HashSet;
use std::path::PathBuf;

use super::looks::{Codes, Looks};
use crate::remedy::Setting;
use crate::source::options::SourceOptions;
use crate::source::path::code_template::{CodeTemplate, code_of};
use crate::source::path::pattern::{ANYTHING, CODE, Pattern, Values};

/// Files that are looked into; as many tell what the others are like.
const LOOKED_INTO: usize = 20;

/// The one code that each of some files has in its column of codes.
pub(super) struct OwnCodes {
    column: String,
    /// Whether the column must agree with the paths, as it is the one of the panel's codes.
    is_decisive: bool,
    codes: Vec<(PathBuf, String)>,
}

/// How the codes of paths become those of the column.
enum Agreement {
    AsTheyAre,
    By(CodeTemplate),
    /// Not by any template; with the code of a path and that of its file.
    Never(String, String),
}

impl OwnCodes {
    /// Those of some of `files`.
    pub(super) fn of(looks: &Looks, files: &[PathBuf], options: &SourceOptions) -> OwnCodes {
        let some = looks.of_some(files, LOOKED_INTO);
        let own = some.iter().filter_map(|(path, look)| match &look.codes {
            Codes::One { column, code } => Some((column, (path.to_path_buf(), code.clone()))),
            _ => None,
        });
        let (columns, codes): (Vec<&String>, Vec<_>) = own.unzip();
        let column = columns.first().map_or_else(String::new, |first| (*first).clone());
        OwnCodes { is_decisive: column == options.code_name(), column, codes }
    }

    /// Whether the codes that `options` make of paths are those of the column, which there are.
    pub(super) fn are_those_of(&self, options: &SourceOptions) -> bool {
        let agreement = self.agreement(&options.pattern, options.code_template.as_ref());
        !self.codes.is_empty() && matches!(agreement, Agreement::AsTheyAre)
    }

    /// Whether the codes that `options` make of paths are those of the column, or a template makes them of these.
    pub(super) fn agrees(&self, options: &SourceOptions) -> bool {
        !matches!(self.agreement(&options.pattern, options.code_template.as_ref()), Agreement::Never(..))
    }

    /// Whether the codes of the column are those that `options` make of paths, each with one of a few texts beside it: names
    /// of markets have another beside each.
    pub(super) fn have_names_in_them(&self, options: &SourceOptions) -> bool {
        let beside = |(path, own): &(PathBuf, String)| {
            let named = options.named_by(path)?;
            let (before, after) = own.split_once(&named)?;
            Some((named, (before.to_owned(), after.to_owned())))
        };
        let found: Option<Vec<_>> = self.codes.iter().map(beside).collect();
        let Some(found) = found else { return false };
        let (named, beside): (HashSet<String>, HashSet<(String, String)>) = found.into_iter().unzip();
        beside.len() < named.len()
    }

    /// How the codes that `pattern` and `template` give agree with the files' own, of nearly all files.
    fn agreement(&self, pattern: &Pattern, template: Option<&CodeTemplate>) -> Agreement {
        let fitting: Vec<(Values, &str)> =
            self.codes.iter().filter_map(|(path, own)| Some((pattern.values_of(path)?, own.as_str()))).collect();
        let differs = |template: Option<&CodeTemplate>| {
            let other = fitting.iter().filter(|(values, own)| code_of(template, values).as_deref() != Ok(own));
            let others: Vec<&(Values, &str)> = other.collect();
            if others.len() * 10 > fitting.len() { others } else { Vec::new() }
        };
        let others = differs(template);
        let Some((values, own)) = others.first() else { return Agreement::AsTheyAre };
        let found = others.iter().take(2).flat_map(|(values, own)| templates(values, own));
        match found.into_iter().find(|template| differs(Some(template)).is_empty()) {
            Some(template) => Agreement::By(template),
            None => Agreement::Never(code_of(template, values).unwrap_or_default(), (*own).to_owned()),
        }
    }

    /// `settings`, by which a pattern reads the files, with what they need beside the column of codes; and what is to be
    /// told of that.
    pub(super) fn beside(&self, settings: Vec<Setting>) -> (Vec<Setting>, String) {
        if !self.is_decisive {
            return (settings, String::new());
        }
        let options = SourceOptions::default().with(&settings);
        let mut settings = settings;
        match self.agreement(&options.pattern, options.code_template.as_ref()) {
            Agreement::AsTheyAre => (settings, String::new()),
            Agreement::By(template) => {
                settings.retain(|setting| !matches!(setting, Setting::CodeTemplate(_)));
                settings.push(Setting::CodeTemplate(template.to_string()));
                (settings, String::new())
            }
            Agreement::Never(named, own) => {
                settings.push(Setting::CodeColumn(String::new()));
                let column = &self.column;
                let since = format!("since {column:?} is {own:?} in the file of {named:?}");
                (settings, format!(", where NAME is the name of no column, {since}"))
            }
        }
    }
}

/// Templates that make `own` of the `values` of a path; what another part of the path says is likelier than a text that
/// all codes have.
fn templates(values: &Values, own: &str) -> Vec<CodeTemplate> {
    let decoded = |name: &str| String::from_utf8(values.get(name)?.decoded()).ok().filter(|text| !text.is_empty());
    let Some((before, after)) = decoded(CODE).and_then(|code| own.split_once(&code)) else { return Vec::new() };
    let literal = format!("{before}{{{CODE}}}{after}");
    let names = values.all().iter().map(|value| value.name.as_str()).filter(|name| ![CODE, ANYTHING].contains(name));
    let open = names.filter_map(|name| {
        let text = decoded(name)?;
        let part = |part: &str| part.replacen(&text, &format!("{{{name}}}"), 1);
        Some(format!("{}{{{CODE}}}{}", part(before), part(after)))
    });
    open.filter(|template| *template != literal)
        .chain([literal.clone()])
        .filter_map(|template| template.parse().ok())
        .collect()
}
