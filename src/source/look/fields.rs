//! Joins what the columns of all files of text look like: what is text in one of them is text in all.

use std::collections::HashMap;

use arrow_schema::DataType;

use super::candidate::Candidate;
use crate::hint::counted;
use crate::panel::Column;
use crate::source::agreement::prior::Prior;
use crate::source::input::fields::{Fields, Guess};
use crate::source::input::interner::Interner;
use crate::source::input::schema::{FileColumn, FileSchema, Odd};
use crate::source::path::naming::shown;
use crate::source::types::is_text;

/// Words by which programs and people write that there is no value.
const MISSING: [&str; 15] =
    ["NA", "N/A", "n/a", "#N/A", "NULL", "Null", "null", "None", "none", "nil", "NaT", "\\N", "-", "--", "."];

/// What all files have in a column.
struct Joined {
    fields: Fields,
    /// Files that have numbers there, or true and false, and nothing else.
    with_values: usize,
    /// The first file with text there, and the first text in it; where there is one, a file with numbers as well.
    text: Option<(usize, Option<Odd>)>,
    /// Whether that has numbers as well.
    is_mixed: bool,
}

/// Gives the columns of all `candidates` the types that hold the fields of each; a column that the panel before has keeps
/// its type, and each file is for itself. Gives the columns that are text for the sake of some fields, and what to tell of
/// them.
pub(super) fn join_fields(
    candidates: &mut [Candidate],
    prior: Option<&Prior>,
    interner: &Interner,
) -> Vec<(String, String)> {
    let known = prior.map_or(&[][..], |prior| prior.columns).iter();
    let known: HashMap<&str, &Column> = known
        .filter(|column| column.data_type != DataType::Null)
        .map(|column| (column.name.as_str(), column))
        .collect();
    let before = |name: &str| known.get(interner.options.name_of(name).as_str()).copied();
    let mut joined: HashMap<String, Joined> = HashMap::new();
    // Who is left out has no say; and where a user has decided, each file is for itself, too.
    let usable = candidates.iter().enumerate().filter(|(_, candidate)| candidate.refusal().is_none());
    for (n, candidate) in usable {
        let mut odd: HashMap<usize, &Odd> = HashMap::new();
        candidate.footer.odd.iter().for_each(|first| {
            odd.entry(first.leaf).or_insert(first);
        });
        let open =
            candidate.footer.schema.columns.iter().filter(|column| interner.options.cast(&column.name).is_none());
        for column in open {
            let Some(fields) = column.fields else { continue };
            let all = joined.entry(column.name.clone()).or_insert(Joined {
                fields: Fields::NONE,
                with_values: 0,
                text: None,
                is_mixed: false,
            });
            all.fields = all.fields.join(fields);
            match fields.guess {
                Guess::Nothing => {}
                Guess::Text => {
                    let odd = odd.get(&column.leaf).copied();
                    let is_mixed = odd.is_some_and(|odd| odd.has_values);
                    if all.text.is_none() || (is_mixed && !all.is_mixed) {
                        all.text = Some((n, odd.cloned()));
                        all.is_mixed = is_mixed;
                    }
                }
                _ => all.with_values += 1,
            }
        }
    }
    if joined.is_empty() {
        return Vec::new();
    }
    for (name, all) in &mut joined {
        if before(name).is_some_and(|column| is_text(&column.data_type)) {
            all.fields.guess = Guess::Text;
        }
    }
    let told = told(candidates, &joined, |name| before(name).is_none());
    let joins = |column: &FileColumn| match before(&column.name) {
        // What is odd tonight is refused alone, and changes nothing for the others.
        Some(before) if !is_text(&before.data_type) => None,
        _ => joined.get(&column.name),
    };
    for candidate in candidates {
        let FileSchema { columns, format, .. } = candidate.footer.schema.as_ref();
        let mut columns = columns.clone();
        for column in &mut columns {
            if let (Some(_), Some(all)) = (column.fields, joins(column)) {
                column.fields = Some(all.fields);
            }
        }
        if let Some(format) = format {
            candidate.footer.schema = interner.intern(format.clone(), columns);
        }
        let has_texts = candidate.footer.schema.values.iter().any(|value| is_text(&value.raw));
        candidate.footer.text_len = if has_texts { candidate.footer.text_len } else { 0 };
    }
    told
}

/// What is to be told of columns that are text for the sake of some fields.
fn told(
    candidates: &[Candidate],
    joined: &HashMap<String, Joined>,
    is_open: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for (name, Joined { fields, text, with_values, is_mixed }) in joined.iter().filter(|(name, _)| is_open(name)) {
        let why = match text {
            _ if fields.guess != Guess::Text => continue,
            None => "no other type holds what is in all files".to_owned(),
            Some(_) if *with_values == 0 && !is_mixed => continue,
            Some((file, odd)) => {
                let path = shown(candidates[*file].path.as_os_str());
                let has = odd.as_ref().map_or("text".to_owned(), |odd| format!("{:?} in row {}", odd.text, odd.row));
                let is_missing = odd.as_ref().is_some_and(|odd| MISSING.contains(&odd.text.as_str()));
                let way_out = if is_missing { "; such a word is read as a null where it is named as one" } else { "" };
                let others = match with_values {
                    _ if odd.as_ref().is_some_and(|odd| odd.is_value) => {
                        ", which no other type holds with what is above it".to_owned()
                    }
                    0 => String::new(),
                    count => format!(", and {} none", counted(*count, "file has", "files have")),
                };
                format!("{path} has {has}{others}{way_out}")
            }
        };
        told.push((name.clone(), format!("the column {name:?} is text, since {why}")));
    }
    told.sort_unstable();
    told
}
