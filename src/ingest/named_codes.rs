//! Tells of stocks whose rows have several codes, by a column that is named after codes: a file of the rows of several
//! stocks, each on dates of its own, reads as one of one stock.

use std::path::Path;

use super::gather::intake::Read;
use crate::hint::counted;
use crate::source::Survey;

/// What to tell of stocks whose rows have several codes in all columns that are named after codes.
pub(super) fn codes_note(survey: &Survey, read: &[Read]) -> Option<String> {
    let told: Vec<(&Path, String)> = read.iter().filter_map(|read| several(survey, read)).collect();
    let (path, codes) = told.first()?;
    let stocks = counted(told.len(), "stock has", "stocks have");
    Some(format!(
        "{stocks} rows with several codes, such as {} with {codes}; if these are stocks of their own, write one file \
         for each code, or for each date",
        path.display()
    ))
}

/// The first file of an input whose rows have several codes in each column that is named after codes, and two of them.
fn several<'s>(survey: &'s Survey, read: &Read) -> Option<(&'s Path, String)> {
    let mut columns: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, codes) in read.files.iter().flat_map(|file| &file.named_codes) {
        let at = columns.iter().position(|(known, _)| known == name).unwrap_or(columns.len());
        if at == columns.len() {
            columns.push((name, Vec::new()));
        }
        let all = &mut columns[at].1;
        codes.iter().for_each(|code| {
            if !all.contains(&code.as_str()) {
                all.push(code)
            }
        });
    }
    let (name, codes) = columns.first().filter(|_| columns.iter().all(|(_, codes)| codes.len() > 1))?;
    let file = survey.inputs[read.input].files.first()?;
    Some((&file.path, format!("{} and {} in its column {name:?}", codes[0], codes[1])))
}
