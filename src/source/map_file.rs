//! Reads the file of a code map, csv or Parquet.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::allowance::Allowance;
use super::code_map::Entry;
use super::convert::shown_value;
use super::date::column::DateReader;
use super::date::rules::DateRules;
use super::options::{BadDates, SourceOptions};
use super::order::NO_DAY;
use super::table::{Table, Wanted, unusable};
use super::types::is_text;
use crate::error::Result;
use crate::key::Date;
use crate::reason::{Kind, Reason};
use crate::remedy::Setting;

/// The names of the columns, the likelier ones first.
const FROM: [&str; 1] = ["from"];
const TO: [&str; 1] = ["to"];
const SINCE: [&str; 2] = ["valid_from", "valid from"];
const UNTIL: [&str; 4] = ["until", "valid_until", "valid until", "valid_to"];

/// A store keeps all entries, in each of its versions.
const MOST_ENTRIES: usize = 1_000_000;

impl SourceOptions {
    /// Reads the file of the code map, if there is one.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where it cannot be read, or is none.
    pub(crate) fn read_code_map(&mut self, memory: u64) -> Result<()> {
        let Some(map) = self.code_map.take() else { return Ok(()) };
        let path = Path::new(map.path());
        let otherwise =
            "give a csv or Parquet file with codes of the files in a column from, and those of the panel in to";
        let entries = read(path, &Allowance::new(memory, 1))
            .map_err(|reason| unusable(Setting::CodeMap, path, &reason, otherwise))?;
        self.code_map = Some(map.with(entries));
        Ok(())
    }
}

fn read(path: &Path, allowance: &Arc<Allowance>) -> Result<BTreeMap<String, Vec<Entry>>, Reason> {
    let names = || FROM.iter().chain(&TO).chain(&SINCE).chain(&UNTIL);
    let is_wanted = |name: &str| names().any(|wanted| name.eq_ignore_ascii_case(wanted));
    let table = Table::read(path, allowance, &Wanted { column: &is_wanted, unnamed: &|_| None })?;
    let (Some(from), Some(to)) = (table.column(&FROM), table.column(&TO)) else {
        let what = format!("has no columns from and to; its columns are {}", table.names());
        return Err(Reason::new(Kind::OtherColumns, what));
    };
    let (from, to) = (codes(from)?, codes(to)?);
    if from.len() > MOST_ENTRIES {
        let what = format!("has {} entries, more than {MOST_ENTRIES}", from.len());
        return Err(Reason::new(Kind::TooLarge, what));
    }
    let since = table.column(&SINCE).map(dates).transpose()?;
    let until = table.column(&UNTIL).map(dates).transpose()?;
    let date = |dates: &Option<Vec<Option<Date>>>, row: usize| dates.as_ref().and_then(|dates| dates[row]);
    let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for row in 0..from.len() {
        let (code, other) = (from.value(row), to.value(row).to_owned());
        let entry = Entry { from: date(&since, row), until: date(&until, row), to: other };
        if let Some((first, last)) = entry.from.zip(entry.until).filter(|(first, last)| last < first) {
            let what = format!("row {}: {code} has its last date, {last}, before its first one, {first}", row + 1);
            return Err(Reason::new(Kind::BadDate, what));
        }
        entries.entry(code.to_owned()).or_default().push(entry);
    }
    for (code, of) in &mut entries {
        *of = apart(code, std::mem::take(of))?;
    }
    if entries.is_empty() {
        return Err(Reason::new(Kind::NoRows, "has no entry"));
    }
    Ok(entries)
}

/// What `code` stands for, by date, each date once.
fn apart(code: &str, mut entries: Vec<Entry>) -> Result<Vec<Entry>, Reason> {
    entries.sort_unstable();
    let mut apart: Vec<Entry> = Vec::new();
    for entry in entries {
        match apart.last_mut().filter(|last| last.reaches(&entry)) {
            None => apart.push(entry),
            Some(last) if last.to == entry.to => last.extend(&entry),
            Some(last) => {
                let what = format!("{code} stands for both {} and {} on some date", last.to, entry.to);
                return Err(Reason::new(Kind::OtherCode, what));
            }
        }
    }
    Ok(apart)
}

/// The codes in a column, as text.
fn codes((name, array): (&str, &ArrayRef)) -> Result<StringArray, Reason> {
    if !is_text(array.data_type()) && !array.data_type().is_integer() {
        let what = format!("its column {name:?} has {}, and no codes", array.data_type());
        return Err(Reason::new(Kind::OtherColumns, what));
    }
    let texts = cast(array, &DataType::Utf8).map_err(Reason::undecodable)?;
    let texts = texts.as_string::<i32>().clone();
    match (0..texts.len()).find(|&row| texts.is_null(row) || texts.value(row).is_empty()) {
        Some(row) => Err(Reason::new(Kind::NoCode, format!("row {} has no {name:?}", row + 1))),
        None => Ok(texts),
    }
}

/// The dates in a column; `None` where there is none.
fn dates((name, array): (&str, &ArrayRef)) -> Result<Vec<Option<Date>>, Reason> {
    let options = SourceOptions { bad_dates: BadDates::Drop, ..SourceOptions::default() };
    let rules = DateRules::new(&options).map_err(Reason::undecodable)?;
    let mut reader = DateReader::new(name, array.data_type(), &rules);
    reader.push(array).map_err(Reason::alone)?;
    let is_bad = |row: &usize| reader.days[*row] == NO_DAY && array.is_valid(*row);
    if let Some(row) = (0..array.len()).find(is_bad) {
        let what = format!("row {} of {name:?}: {} is no date", row + 1, shown_value(array, row));
        return Err(Reason::new(Kind::BadDate, what));
    }
    Ok(reader.days.iter().map(|&day| Some(day).filter(|day| *day != NO_DAY).and_then(Date::from_days)).collect())
}
