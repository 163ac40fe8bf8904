//! Reads columns of a small table that an option names, a csv, Parquet or Arrow file.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, new_empty_array};
use csv::StringRecord;
use parquet::file::reader::Length;

use super::allowance::Allowance;
use super::content::{Content, guarded};
use super::input::formats::{format_of, survey_file};
use super::input::interner::Interner;
use super::input::schema::FileSchema;
use super::options::SourceOptions;
use super::path::input_format::InputFormat;
use crate::error::Error;
use crate::hint::listed;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};

/// That the file at `path`, which `setting` names, cannot be used: more memory is the way out, where that is one, or else
/// what `otherwise` says.
pub(super) fn unusable(setting: Setting, path: &Path, reason: &Reason, otherwise: &str) -> Error {
    let is_memory = |remedy: &&Remedy| matches!(remedy, Remedy::Set { settings, .. } if matches!(settings[..], [Setting::Memory(_)]));
    let mut ways: Vec<Remedy> = reason.remedies().iter().filter(is_memory).cloned().collect();
    if ways.is_empty() {
        ways.push(Remedy::Do(otherwise.to_owned()));
    }
    let why = format!("{}: {}", path.display(), reason.what());
    Error::Invalid { setting, why, remedies: ways, path: Some(path.into()) }
}

/// Some columns of a table, by name.
pub(super) struct Table {
    columns: Vec<(String, ArrayRef)>,
    /// The names of all that it has.
    names: Vec<String>,
}

/// What to read of a table.
pub(super) struct Wanted<'a> {
    /// Which columns, by name; an only one is always read.
    pub(super) column: &'a dyn Fn(&str) -> bool,
    /// The name of the first column of a csv file whose first line has no names, where that is so.
    pub(super) unnamed: &'a dyn Fn(&StringRecord) -> Option<&'static str>,
}

impl Table {
    /// Reads what is `wanted` of the file at `path`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(path: &Path, allowance: &Arc<Allowance>, wanted: &Wanted) -> Result<Table, Reason> {
        let (content, _) = Content::open(path)?;
        let len = content.len();
        // Its texts are there one by one, with what each takes.
        if len.saturating_mul(8) > allowance.most() {
            return Err(allowance.refusal("read, it", len.saturating_mul(8)));
        }
        let bytes = content.range(0, usize::try_from(len).unwrap_or(usize::MAX)).map_err(Reason::undecodable)?;
        match format_of(&content) {
            Some(input @ (InputFormat::Parquet | InputFormat::Arrow)) => {
                guarded(|| of_file(content, input, allowance, wanted))
            }
            _ => of_csv(&bytes, wanted),
        }
    }

    /// The first column that has one of these names, in any case.
    pub(super) fn column(&self, names: &[&str]) -> Option<(&str, &ArrayRef)> {
        let is = |name: &str, wanted: &str| name.eq_ignore_ascii_case(wanted);
        let found = names.iter().find_map(|wanted| self.columns.iter().find(|(name, _)| is(name, wanted)));
        found.map(|(name, array)| (name.as_str(), array))
    }

    /// The column, where there is one alone.
    pub(super) fn only(&self) -> Option<(&str, &ArrayRef)> {
        match &self.columns[..] {
            [(name, array)] => Some((name, array)),
            _ => None,
        }
    }

    /// Its names, for a message.
    pub(super) fn names(&self) -> String {
        listed(&self.names)
    }
}

fn of_file(content: Content, input: InputFormat, allowance: &Arc<Allowance>, wanted: &Wanted) -> Result<Table, Reason> {
    let options = SourceOptions { input, ..SourceOptions::default() };
    let interner = Interner::new(&options, allowance);
    let footer = survey_file(&content, &interner)?;
    let file = footer.schema.open(content, allowance)?;
    let rows = usize::try_from(footer.row_count).map_err(Reason::undecodable)?;
    let columns = footer.schema.columns.iter().filter(|column| column.raw.is_ok());
    let is_alone = footer.schema.columns.len() == 1;
    let mut chosen: Vec<(usize, String)> = columns
        .filter(|column| is_alone || (wanted.column)(&column.name))
        .map(|column| (column.leaf, column.name.clone()))
        .collect();
    chosen.sort_unstable();
    let leaves: Vec<usize> = chosen.iter().map(|(leaf, _)| *leaf).collect();
    let arrays = match rows {
        0 => empty_arrays(&footer.schema, &leaves),
        _ => file.columns(&leaves, Some(rows))?,
    };
    let names = footer.schema.columns.iter().map(|column| column.name.clone()).collect();
    Ok(Table { columns: chosen.into_iter().map(|(_, name)| name).zip(arrays).collect(), names })
}

/// The columns at `leaves` where there are no rows.
fn empty_arrays(schema: &FileSchema, leaves: &[usize]) -> Vec<ArrayRef> {
    let columns = schema.columns.iter().filter(|column| leaves.binary_search(&column.leaf).is_ok());
    columns.filter_map(|column| Some(new_empty_array(column.raw.as_ref().ok()?))).collect()
}

/// The columns of a csv file; without names, the first one is all that counts.
fn of_csv(bytes: &[u8], wanted: &Wanted) -> Result<Table, Reason> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(bytes);
    let mut names: Option<Vec<String>> = None;
    let mut columns: Vec<Vec<Option<String>>> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Reason::new(Kind::Other, format!("is no csv file: {error}")))?;
        let text = |n: usize| record.get(n).filter(|text| !text.is_empty()).map(str::to_owned);
        if names.is_none() {
            let unnamed = (wanted.unnamed)(&record);
            columns = vec![Vec::new(); if unnamed.is_some() { 1 } else { record.len() }];
            names = Some(match unnamed {
                Some(name) => vec![name.to_owned()],
                None => record.iter().map(str::to_owned).collect(),
            });
            if unnamed.is_none() {
                continue;
            }
        }
        columns.iter_mut().enumerate().for_each(|(n, column)| column.push(text(n)));
    }
    let arrays = columns.into_iter().map(|texts| Arc::new(StringArray::from(texts)) as ArrayRef);
    let names = names.unwrap_or_default();
    Ok(Table { columns: names.iter().cloned().zip(arrays).collect(), names })
}
