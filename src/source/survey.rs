//! What a look at every input finds: the files that take part, where the panel's columns stand in them, and what is left
//! out.

use std::collections::{BTreeSet, HashSet};
use std::mem::take;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::DataType;

use super::allowance::Allowance;
use super::date::rules::DateRules;
use super::date::trading::Trading;
use super::input::schema::{FileSchema, Value};
use super::options::SourceOptions;
use crate::panel::{Column, DateForm};
use crate::reason::Reason;
use crate::remedy::Remedy;
use crate::skipped::Skipped;

/// What the source holds: the agreed columns, the files to read and those left out.
#[derive(Debug)]
pub struct Survey {
    /// The source directory.
    pub root: PathBuf,
    /// The code's column; its type is that of the files that have the column, else text.
    pub code: Column,
    /// Name of the date column.
    pub date_name: String,
    /// The other columns, in first-seen order.
    pub columns: Vec<Column>,
    /// The places of the further key columns among them, the most significant first.
    pub key: Vec<usize>,
    /// The files to read, by unit: a stock, by code in the byte order of UTF-8, or a date, ascending.
    pub inputs: Vec<Input>,
    /// Inputs that turned out to be unusable when they were read; what is wrong is among `skipped`.
    pub unread: Vec<Input>,
    /// The files left out.
    pub skipped: Vec<Skipped>,
    /// What else a user should know.
    pub notes: Vec<String>,
    pub(super) options: SourceOptions,
    pub(super) dates: DateRules,
    pub(super) date_cast: Option<DataType>,
    pub(super) date_form: Option<DateForm>,
    /// The trading dates, where rows are of those.
    pub(super) trading: Option<Trading>,
    /// Files up to this size are read whole.
    pub(super) whole_len: u64,
    pub(super) allowance: Arc<Allowance>,
}

/// The files of one stock, or of one date, that take part.
#[derive(Debug)]
pub struct Input {
    /// What their paths say they are of: the code of a stock, or a date, month or year.
    pub unit: String,
    /// In the order of their paths; at least one, unless the input is left out.
    pub files: Vec<InputFile>,
    /// Rows by the footers' account; 0 makes an empty series.
    pub row_count: u64,
    /// Upper estimate of the bytes that the columns take once decoded, all at once.
    pub decoded_len: u64,
}

/// One file of an input.
#[derive(Debug)]
pub struct InputFile {
    /// Relative to the source directory.
    pub path: PathBuf,
    /// Size of the file.
    pub byte_len: u64,
    /// Its modification time, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Rows by the footer's account.
    pub row_count: u64,
    pub(super) layout: Arc<Layout>,
}

/// Where the panel's columns stand in the files of one schema.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) schema: Arc<FileSchema>,
    /// The panel columns that the files have, ascending, each with its place in the schema's `values`.
    pub(super) slots: Vec<(u32, u32)>,
    pub(super) targets: Arc<[Target]>,
    /// The places of the further key columns among the panel's.
    pub(super) key: Arc<[usize]>,
}

impl Layout {
    /// The files' column that the panel's column of this number is.
    pub(super) fn value(&self, column: usize) -> Option<&Value> {
        // Most often they have all of them.
        let slot = match self.slots.get(column) {
            Some((own, slot)) if *own as usize == column => *slot,
            _ => self.slots[self.slots.binary_search_by_key(&column, |(own, _)| *own as usize).ok()?].1,
        };
        self.schema.values.get(slot as usize)
    }
}

/// What a file's column becomes.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) data_type: DataType,
    /// Whether a user decided the type.
    pub(super) is_decided: bool,
}

impl Survey {
    /// `reason` with those of its ways out that a source has once it is there: its columns stay, and become at most wider.
    pub(crate) fn once_built(&self, reason: &Reason) -> Reason {
        let helps = |remedy: &Remedy| match remedy {
            Remedy::Set { settings, .. } => self.options.may_become(settings, &self.columns),
            _ => true,
        };
        reason.clone().keep_ways(helps, "write the file anew, as the others are")
    }

    /// What its files call the column of this number, each name once.
    pub fn own_names(&self, column: usize) -> Vec<String> {
        let files = self.inputs.iter().flat_map(|input| &input.files);
        let names = files.filter_map(|file| Some(file.layout.value(column)?.own_name.clone()));
        names.collect::<BTreeSet<String>>().into_iter().collect()
    }
}

impl Input {
    /// Of what it is, and which files it has.
    fn names(&self) -> (&str, Vec<(&Path, u64, i64)>) {
        let files = self.files.iter().map(|file| (file.path.as_path(), file.byte_len, file.modified_ns));
        (&self.unit, files.collect())
    }

    /// Whether a file has the survey's column of this number.
    pub fn has_column(&self, column: usize) -> bool {
        self.files.iter().any(|file| file.has_column(column))
    }
}

impl InputFile {
    /// Whether the file has the survey's column of this number.
    pub fn has_column(&self, column: usize) -> bool {
        self.layout.value(column).is_some()
    }

    /// How many of the survey's columns the file has.
    pub fn column_count(&self) -> u64 {
        self.layout.schema.values.len() as u64
    }
}

impl Survey {
    /// The trading dates, where rows are of those.
    pub(crate) fn trading(&self) -> Option<&Trading> {
        self.trading.as_ref()
    }

    /// Whether the inputs of `again` are those of this survey but those at the places `left_out`, and are read the same
    /// way.
    pub(super) fn is_read_as(&self, again: &Survey, left_out: &HashSet<usize>) -> bool {
        let Survey { code, date_name, columns, key, options, date_cast, date_form, trading, .. } = self;
        let agreed = (code, date_name, columns, key, options, date_cast, date_form, trading);
        let Survey { code, date_name, columns, key, options, date_cast, date_form, trading, .. } = again;
        let kept = self.inputs.iter().enumerate().filter(|(place, _)| !left_out.contains(place));
        agreed == (code, date_name, columns, key, options, date_cast, date_form, trading)
            && kept.map(|(_, input)| input.names()).eq(again.inputs.iter().map(Input::names))
    }

    /// Takes out the inputs at these places, so that the places of the others stay.
    pub(super) fn take_out(&mut self, places: &HashSet<usize>) -> Vec<Input> {
        let taken = |&place: &usize| {
            let Input { unit, files, row_count, decoded_len } = &mut self.inputs[place];
            let (files, row_count, decoded_len) = (take(files), take(row_count), take(decoded_len));
            Input { unit: unit.clone(), files, row_count, decoded_len }
        };
        places.iter().map(taken).collect()
    }

    /// This survey without the inputs at the places `unread`, as it was told of after they were read.
    pub(crate) fn without(mut self, skipped: Vec<Skipped>, notes: Vec<String>, unread: &HashSet<usize>) -> Survey {
        self.unread = self.take_out(unread);
        Survey { skipped, notes, ..self }
    }

    /// Sets the size up to which a file is read whole, 64 MiB unless set; longer ones are read piece by piece, which
    /// takes two passes over their bytes. An open reader holds up to this much.
    pub fn whole_file_limit(&mut self, bytes: u64) {
        self.whole_len = bytes;
    }

    /// The type that a user decided on for the dates.
    pub fn date_cast(&self) -> Option<&DataType> {
        self.date_cast.as_ref()
    }

    /// The form that the dates must have, where it does not depend on the files: that of the panel that was there
    /// before, or one of a type that a user decided on.
    pub fn date_form(&self) -> Option<&DateForm> {
        self.date_form.as_ref()
    }

    /// Whether the key keeps a date column of the files, beside which the panel's dates are a column of their own.
    pub(crate) fn keeps_file_dates(&self) -> bool {
        let is_kept = |file: &InputFile| {
            file.layout.schema.date.as_ref().is_ok_and(|date| self.options.key_of(&date.name).is_some())
        };
        self.files().any(is_kept)
    }

    /// All files to read, in the order of the inputs.
    pub fn files(&self) -> impl Iterator<Item = &InputFile> {
        self.inputs.iter().flat_map(|input| &input.files)
    }

    /// For each column, how many of the files have it.
    pub fn file_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.columns.len()];
        for (column, _) in self.files().flat_map(|file| &file.layout.slots) {
            counts[*column as usize] += 1;
        }
        counts
    }

    /// For each file how many values the columns from the place `first` on can have of it.
    pub fn cell_counts(&self, first: usize) -> impl Iterator<Item = u64> {
        self.files().map(move |file| {
            let slots = &file.layout.slots;
            let before = slots.partition_point(|(column, _)| (*column as usize) < first);
            file.row_count.saturating_mul((slots.len() - before) as u64)
        })
    }

    /// Upper estimate of the bytes of all inputs once decoded, by what their footers claim.
    pub fn decoded_len(&self) -> u64 {
        self.inputs.iter().fold(0, |sum: u64, input| sum.saturating_add(input.decoded_len))
    }

    /// How the files were found and read: the options that were given, with what they left open.
    pub fn options(&self) -> &SourceOptions {
        &self.options
    }
}
