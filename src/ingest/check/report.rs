//! What a comparison of a store with its source tells: what differs, and what could not be compared.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::DataType;
use serde::Serialize;

use crate::hint::visible;
use crate::ingest::limit::Limit;
use crate::key::Date;
use crate::panel::show;
use crate::skipped::Skipped;
use crate::source::BadFile;

/// Differences told one by one; more are only counted.
const TOLD: usize = 1000;

/// Characters of a value that are told.
const SHOWN: usize = 200;

/// What [`verify_source`](crate::verify_source) read and found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct SourceReport {
    /// Files compared.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Values compared: those of the rows that both sides have.
    pub values: u64,
    /// How many differences there are: values, rows that one side lacks, and columns of another type.
    pub difference_count: u64,
    /// Values that differ, in rows that both sides have.
    pub differing_values: u64,
    /// Rows that only the store has.
    pub only_in_store: u64,
    /// Rows that only the source has.
    pub only_in_source: u64,
    /// Dates on which a row or a value differs.
    pub differing_dates: u64,
    /// Stocks of which a row or a value differs.
    pub differing_stocks: u64,
    /// For each column with values that differ, how many.
    pub differing_columns: BTreeMap<String, u64>,
    /// The first differences, by code, date and column.
    pub differences: Vec<SourceDifference>,
    /// How many differences are not listed.
    pub not_listed: u64,
    /// Values of rows that `append` restated, as the store and the file have them, the first of them. They are no
    /// differences: the store keeps its own until the file changes.
    pub restated: Vec<SourceDifference>,
    /// Rows that the store leaves out by rule, since the source joins left and no other has their key. They are no
    /// differences.
    pub left_out: u64,
    /// Rows of the source that are left out because another row of the stock has their key.
    pub merged_rows: u64,
    /// Rows of the source that are left out because their date cannot be read.
    pub dropped_rows: u64,
    /// Rows of the source that are left out until their trading date is known. They are no differences.
    pub waiting_rows: u64,
    /// Rows that are not as the source has them, by stock or date, because the store keeps to what it has whatever the
    /// source says.
    pub kept: Vec<KeptRows>,
    /// Files that could not be used, other than those that were skipped when the store was made as well.
    pub skipped: Vec<Skipped>,
    /// Files that could not be used, as when the store was made.
    pub skipped_before: Vec<Skipped>,
    /// How many skipped files are usual, if somebody has said so.
    pub max_skipped: Option<Limit>,
    /// What else a user should know.
    pub notes: Vec<String>,
}

impl SourceReport {
    /// Whether the store is what the source says: nothing differs, nothing was left out that the store knew how to read,
    /// and no more files were skipped all along than is usual.
    pub fn is_complete(&self) -> bool {
        let count = self.skipped_before.len() as u64;
        let usual = self.max_skipped.unwrap_or(Limit::Count(0));
        let are_usual = usual.allows(count, self.files + count);
        self.difference_count == 0 && self.kept.is_empty() && self.skipped.is_empty() && are_usual
    }
}

/// One difference between a store and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceDifference {
    /// What differs.
    pub what: Differs,
    /// The stock's code; `None` for a column's type.
    #[serde(rename = "stock")]
    pub code: Option<String>,
    /// The date; `None` for a column's type.
    pub date: Option<Date>,
    /// The values of the further key columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The column; `None` for a whole row.
    pub column: Option<String>,
    /// The value or type in the store; `None` for a row or column that it lacks.
    pub store: Option<String>,
    /// The value or type in the source; `None` for a row or column that it lacks.
    pub source: Option<String>,
}

/// See [`SourceDifference::what`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Differs {
    /// A column's type, or whether there is such a column.
    Type,
    /// A row that only one side has.
    Row,
    /// A value of a row that both sides have.
    Value,
}

impl fmt::Display for SourceDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date.map(|date| date.to_string());
        for key in [&self.code, &date].into_iter().flatten().chain(&self.key) {
            write!(f, "{key} ")?;
        }
        let [store, source] = [&self.store, &self.source].map(|side| side.as_deref().map(visible).unwrap_or_default());
        match (self.what, &self.column) {
            (Differs::Row, _) if self.store.is_some() => write!(f, "the store has a row, the source has none"),
            (Differs::Row, _) => write!(f, "the source has a row, the store has none"),
            (Differs::Type, Some(column)) if self.store.is_none() => {
                write!(f, "column {column:?} ({source}) is in the source and not in the store")
            }
            (Differs::Type, Some(column)) => {
                write!(f, "column {column:?} is {store} in the store, and with the files of the source {source}")
            }
            (_, column) => {
                write!(f, "{:?}: {store} in the store, {source} in the source", column.as_deref().unwrap_or_default())
            }
        }
    }
}

/// Rows of one stock, or of one date where files are by date, that were not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeptRows {
    /// The stock's code.
    #[serde(rename = "stock", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
    /// The file that they came from; `None` where no file brought them.
    pub path: Option<String>,
    /// Why they stay although the source does not have them.
    pub why: Kept,
    /// How many there are.
    pub rows: u64,
}

/// Why rows stay in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kept {
    /// Their file is gone; `update --prune` removes them.
    Missing,
    /// Their file cannot be read now.
    Skipped,
    /// `append` brought or restated them, and their file has not changed since.
    Appended,
    /// `append --replace` removed them, and their file has not changed since. These are not in the store.
    Removed,
}

/// What one part of the comparison found: its stocks, or its dates, are no other part's.
#[derive(Default)]
pub(in crate::ingest) struct Part {
    pub(in crate::ingest) report: SourceReport,
    /// Inputs that could not be used.
    pub(in crate::ingest) bad: Vec<(usize, BadFile)>,
    pub(in crate::ingest) dates: BTreeSet<Date>,
    /// Codes that differ.
    stocks: HashSet<String>,
}

/// A row that differs.
pub(super) struct DifferingRow<'a> {
    pub(in crate::ingest) code: &'a str,
    pub(in crate::ingest) date: Date,
    /// The further key columns, and the row in them.
    pub(in crate::ingest) key: &'a [ArrayRef],
    pub(in crate::ingest) row: usize,
}

impl DifferingRow<'_> {
    fn difference(
        &self,
        what: Differs,
        column: Option<String>,
        [store, source]: [Option<String>; 2],
    ) -> SourceDifference {
        let key = self.key.iter().map(|column| show(column, self.row)).collect();
        let (code, date) = (Some(self.code.to_owned()), Some(self.date));
        SourceDifference { what, code, date, key, column, store, source }
    }
}

impl Part {
    /// Adds a row that only one side has.
    pub(super) fn add_row(&mut self, row: &DifferingRow<'_>, in_store: bool) {
        let side = if in_store { &mut self.report.only_in_store } else { &mut self.report.only_in_source };
        *side += 1;
        let has = |has: bool| has.then(|| "a row".to_owned());
        self.add(row, || row.difference(Differs::Row, None, [has(in_store), has(!in_store)]));
    }

    /// Adds a value that differs: the one at `place` in both arrays.
    pub(super) fn add_value(&mut self, row: &DifferingRow<'_>, column: &str, place: usize, sides: [&ArrayRef; 2]) {
        self.report.differing_values += 1;
        self.add(row, || row.difference(Differs::Value, Some(column.to_owned()), shown(sides, place).map(Some)));
    }

    /// Adds a value that append restated.
    pub(super) fn add_restated(&mut self, row: &DifferingRow<'_>, column: &str, place: usize, sides: [&ArrayRef; 2]) {
        if self.report.restated.len() < TOLD {
            let values = shown(sides, place).map(Some);
            self.report.restated.push(row.difference(Differs::Value, Some(column.to_owned()), values));
        }
    }

    /// Counts rows that stay as they are.
    pub(super) fn add_kept(&mut self, rows: KeptRows) {
        let is_same = |known: &&mut KeptRows| (&known.code, known.date, known.why) == (&rows.code, rows.date, rows.why);
        let known = self.report.kept.iter_mut().find(is_same);
        match known {
            Some(known) => known.rows += rows.rows,
            None => self.report.kept.push(rows),
        }
    }

    fn add(&mut self, row: &DifferingRow<'_>, difference: impl FnOnce() -> SourceDifference) {
        self.dates.insert(row.date);
        if !self.stocks.contains(row.code) {
            self.stocks.insert(row.code.to_owned());
        }
        self.report.add(difference);
    }
}

impl SourceReport {
    /// Counts a difference, and lists it if there is room.
    pub(in crate::ingest) fn add(&mut self, difference: impl FnOnce() -> SourceDifference) {
        self.difference_count += 1;
        if self.differences.len() < TOLD {
            self.differences.push(difference());
        }
    }

    /// Adds what the parts found; the inputs that could not be used.
    pub(in crate::ingest) fn join(&mut self, parts: Vec<Part>) -> Vec<(usize, BadFile)> {
        let (mut dates, mut stocks) = (BTreeSet::new(), HashSet::new());
        let mut all_bad = Vec::new();
        for Part { report: mut part, bad, dates: differing, stocks: differing_stocks } in parts {
            all_bad.extend(bad);
            dates.extend(differing);
            stocks.extend(differing_stocks);
            self.files += part.files;
            self.rows += part.rows;
            self.values += part.values;
            self.difference_count += part.difference_count;
            self.differing_values += part.differing_values;
            self.only_in_store += part.only_in_store;
            self.only_in_source += part.only_in_source;
            self.left_out += part.left_out;
            self.merged_rows += part.merged_rows;
            self.dropped_rows += part.dropped_rows;
            self.waiting_rows += part.waiting_rows;
            for (column, count) in part.differing_columns {
                *self.differing_columns.entry(column).or_default() += count;
            }
            // Values are found date by date and, in a large file, column by column.
            part.differences.sort_by(|a, b| (&a.code, &a.date, a.what).cmp(&(&b.code, &b.date, b.what)));
            let room = TOLD - self.differences.len();
            self.differences.extend(part.differences.into_iter().take(room));
            let room = TOLD - self.restated.len();
            self.restated.extend(part.restated.into_iter().take(room));
            self.kept.extend(part.kept);
        }
        (self.differing_dates, self.differing_stocks) = (dates.len() as u64, stocks.len() as u64);
        self.not_listed = self.difference_count - self.differences.len() as u64;
        all_bad
    }
}

/// The values of one row on both sides, so that they can be told apart.
fn shown(sides: [&ArrayRef; 2], row: usize) -> [String; 2] {
    let texts = sides.map(|side| show(side, row));
    let same = texts[0] == texts[1];
    let mut sides = sides.into_iter();
    texts.map(|text| {
        let bits = sides.next().filter(|_| same).and_then(|side| float_bits(side, row));
        match (bits, text.char_indices().nth(SHOWN)) {
            (Some(bits), _) => format!("{text} ({bits})"),
            (None, Some((end, _))) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
            (None, None) => text,
        }
    })
}

/// The bits of a float, in which alone two NaNs differ.
fn float_bits(array: &ArrayRef, row: usize) -> Option<String> {
    Some(match array.data_type() {
        DataType::Float16 => format!("0x{:04x}", array.as_primitive::<Float16Type>().value(row).to_bits()),
        DataType::Float32 => format!("0x{:08x}", array.as_primitive::<Float32Type>().value(row).to_bits()),
        DataType::Float64 => format!("0x{:016x}", array.as_primitive::<Float64Type>().value(row).to_bits()),
        _ => return None,
    })
}
