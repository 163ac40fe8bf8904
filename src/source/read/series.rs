//! Reads the files of a unit, a stock or a date: its dates, in order and one row a key, and its columns in the panel's
//! types.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use arrow_select::take::take;
use serde::{Deserialize, Serialize};

use super::apart::{Compared, Differing, differing};
use super::codes::one_file_each;
use super::file::{FileReader, in_key};
use crate::compare::KeyOrder;
use crate::key::Date;
use crate::panel::SeriesColumn;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::allowance::{Meter, ROW_LEN};
use crate::source::content::{changed, guarded};
use crate::source::options::Duplicates;
use crate::source::order::{Order, order};
use crate::source::outcome::FileOutcome;
use crate::source::path::files_by::FilesBy;
use crate::source::survey::{Input, Survey};

/// The files of one stock, or of one date, opened: dates at hand, columns on demand.
pub struct SeriesReader<'s> {
    survey: &'s Survey,
    input: &'s Input,
    /// Files that stay open until the reader is dropped; of many, those that fit the memory for whole files.
    open: Vec<Option<FileReader>>,
    outcomes: Vec<FileOutcome>,
    /// How the rows of several files, one file after the other, make the series; `None` where there is one file.
    joined: Option<Joined>,
    /// What the columns of several files take.
    meter: Arc<Meter>,
    /// Whether a file that was opened again was too large.
    was_too_large: Cell<bool>,
}

/// The rows of several files as one series.
struct Joined {
    order: Order,
    /// The codes, where there are several, and the further key columns of the rows in the order of the files.
    key: Vec<ArrayRef>,
    /// Where the rows of each file begin, and the end of all.
    starts: Vec<usize>,
}

/// A file that cannot be used, so that the stock or the date that it is of is left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BadFile {
    /// Its place among the files of the input.
    pub file: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Survey {
    /// Opens the files of one stock, or of one date: reads their dates, and reads or checks their codes. Reads the bytes
    /// of files once that together have no more than the [`whole_file_limit`](Self::whole_file_limit); holds them until
    /// the reader is dropped.
    ///
    /// # Errors
    /// The file for which the unit is left out.
    pub fn open<'s>(&'s self, input: &'s Input) -> Result<SeriesReader<'s>, BadFile> {
        SeriesReader::open(self, input)
    }

    /// Whether all files of one stock, or of one date, can be used; reads them for that.
    pub(crate) fn can_read(&self, input: &Input) -> bool {
        self.read_all(input).is_ok()
    }

    /// Reads all files of one stock, or of one date.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub(in crate::source) fn read_all(&self, input: &Input) -> Result<(), BadFile> {
        let reader = self.open(input)?;
        reader.codes()?;
        reader.read_values()
    }

    /// Reads the keys in all files of one stock, or of one date.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub(in crate::source) fn read_key(&self, input: &Input) -> Result<(), BadFile> {
        self.open(input)?.codes().map(drop)
    }

    /// Reads the keys in all files of one stock, or of one date, and the values where several rows have one key.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub(in crate::source) fn read_claims(&self, input: &Input) -> Result<(), BadFile> {
        let reader = self.open(input)?;
        reader.codes()?;
        if reader.files().iter().all(|file| file.merged == 0) { Ok(()) } else { reader.read_values() }
    }

    /// The offset of clocks on which all times of the one file of `input`, which are left out, are midnight.
    pub(in crate::source) fn clocks_of_midnights(&self, input: &Input) -> Option<String> {
        let [file] = &input.files[..] else { return None };
        FileReader::clocks_of_midnights(self, &input.unit, file).ok()?
    }
}

/// What is wrong with the file `file`.
fn of(file: usize) -> impl Fn(Reason) -> BadFile {
    move |reason| BadFile { file, reason }
}

impl<'s> SeriesReader<'s> {
    fn open(survey: &'s Survey, input: &'s Input) -> Result<SeriesReader<'s>, BadFile> {
        let meter = Meter::new(&survey.allowance);
        let was_too_large = Cell::new(false);
        let (open, outcomes) = (Vec::new(), Vec::new());
        let mut reader = SeriesReader { survey, input, open, outcomes, joined: None, meter, was_too_large };
        let [one] = &input.files[..] else { return reader.open_all() };
        let file = FileReader::open(survey, &input.unit, one, survey.whole_len).map_err(of(0))?;
        reader.outcomes.push(file.outcome());
        reader.open.push(Some(file));
        Ok(reader)
    }

    /// Opens several files, and puts their rows in order.
    fn open_all(mut self) -> Result<SeriesReader<'s>, BadFile> {
        let mut days: Vec<i32> = Vec::new();
        let mut keys: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.code_count() + self.survey.key.len()];
        let mut starts = vec![0];
        let mut left = self.survey.whole_len;
        for (n, file) in self.input.files.iter().enumerate() {
            let reader = FileReader::open(self.survey, &self.input.unit, file, left).map_err(of(n))?;
            let outcome = reader.outcome();
            let row_count = reader.dates().len();
            if row_count > u32::MAX as usize - days.len() {
                let by = self.survey.options.files_by;
                let what = format!("its {by}'s files have more rows than fit one series ({})", u32::MAX);
                return Err(of(n)(Reason::new(Kind::TooLarge, what)));
            }
            if row_count > 0 {
                let key = reader.sorted_key().map_err(of(n))?;
                let key_len: usize = key.iter().map(|column| column.get_array_memory_size()).sum();
                self.take(row_count as u64 * ROW_LEN + key_len as u64).map_err(of(n))?;
                keys.iter_mut().zip(key).for_each(|(all, column)| all.push(column));
                days.extend(reader.dates().iter().map(|date| date.days()));
            }
            starts.push(days.len());
            self.outcomes.push(outcome);
            // One that is read piece by piece holds a file open, and there may be thousands.
            let stays = file.byte_len <= left;
            left -= if stays { file.byte_len } else { 0 };
            self.open.push(stays.then_some(reader));
        }
        let last = self.input.files.len() - 1;
        let with_rows = keys.iter().filter(|parts| !parts.is_empty());
        let key = with_rows.map(|parts| one_after_another(parts)).collect::<Result<Vec<_>, _>>().map_err(of(last))?;
        let by_key = KeyOrder::new(&key, &key).map_err(Reason::undecodable).map_err(of(last))?;
        let order = order(&days, &by_key, self.survey.options.duplicates);
        drop(by_key);
        self.count_merged(&order, &starts);
        self.joined = Some(Joined { order, key, starts });
        Ok(self)
    }

    /// Notes for each file how many of its rows another has.
    fn count_merged(&mut self, order: &Order, starts: &[usize]) {
        if order.merged == 0 {
            return;
        }
        let mut kept = vec![0; self.outcomes.len()];
        let rows = order.rows.iter().flat_map(|rows| rows.values());
        rows.for_each(|&row| kept[file_of(starts, row as usize)] += 1);
        for (outcome, kept) in self.outcomes.iter_mut().zip(kept) {
            outcome.merged += outcome.rows - kept;
            outcome.rows = kept;
        }
    }

    /// The dates of the rows, ascending; strictly, where the key has no further columns.
    pub fn dates(&self) -> &[Date] {
        match &self.joined {
            Some(joined) => &joined.order.dates,
            None => self.open.iter().flatten().next().map_or(&[], FileReader::dates),
        }
    }

    /// How many columns of codes there are: one, where rows of a unit have several codes.
    fn code_count(&self) -> usize {
        usize::from(self.survey.options.files_by == FilesBy::Date)
    }

    /// The code of each row, in the order of [`dates`](Self::dates); `None` where that is what the input is of.
    ///
    /// # Errors
    /// The file for which the unit is left out.
    pub(crate) fn codes(&self) -> Result<Option<ArrayRef>, BadFile> {
        if self.code_count() == 0 {
            return Ok(None);
        }
        let last = self.input.files.len() - 1;
        let codes = match &self.joined {
            Some(Joined { order: Order { rows: Some(rows), .. }, key, .. }) => {
                key.first().map(|codes| take(codes, rows, None)).transpose().map_err(Reason::undecodable)
            }
            Some(joined) => Ok(joined.key.first().cloned()),
            None => self.open.iter().flatten().next().map_or(Ok(None), FileReader::sorted_codes),
        };
        codes.map_err(of(last))
    }

    /// Reads all columns: at once, or one by one where that takes too much memory.
    fn read_values(&self) -> Result<(), BadFile> {
        let count = self.survey.columns.len();
        match self.read(0..count) {
            Err(_) if self.was_too_large() => (0..count).try_for_each(|n| self.read(n..n + 1).map(drop)),
            read => read.map(drop),
        }
    }

    /// What became of each file of the input.
    pub fn files(&self) -> &[FileOutcome] {
        &self.outcomes
    }

    /// Decodes the survey's columns of this range, in the order of the dates, each as long as
    /// [`dates`](Self::dates) and of the survey's type; `None` for a column that the files lack. Costs the decoding of
    /// these columns; called for all at once it reads each file's pages once.
    ///
    /// # Errors
    /// The file for which the unit is left out: pages that cannot be decoded, a value that the column's type does not
    /// hold exactly, differing rows of one key.
    ///
    /// # Panics
    /// When the range reaches beyond the survey's columns.
    pub fn read(&self, columns: Range<usize>) -> Result<Vec<Option<SeriesColumn>>, BadFile> {
        let Some(joined) = &self.joined else {
            let Some(Some(file)) = self.open.first() else { return Ok(vec![None; columns.len()]) };
            return file.read(columns).map_err(of(0));
        };
        let start = self.meter.used();
        let read = self.read_all(joined, columns);
        self.meter.start(start);
        read
    }

    fn read_all(&self, joined: &Joined, columns: Range<usize>) -> Result<Vec<Option<SeriesColumn>>, BadFile> {
        let mut parts: Vec<Vec<Option<ArrayRef>>> = vec![Vec::new(); columns.len()];
        for (n, file) in self.input.files.iter().enumerate() {
            let row_count = joined.starts[n + 1] - joined.starts[n];
            let again;
            let reader = match &self.open[n] {
                Some(reader) => reader,
                None if row_count == 0 => continue,
                None => {
                    again = FileReader::open(self.survey, &self.input.unit, file, 0).map_err(of(n))?;
                    if again.outcome().content_hash != self.outcomes[n].content_hash {
                        return Err(of(n)(changed()));
                    }
                    &again
                }
            };
            if row_count == 0 {
                continue;
            }
            let read = reader.read(columns.clone());
            self.was_too_large.set(self.was_too_large.get() || reader.was_too_large());
            for (parts, column) in parts.iter_mut().zip(read.map_err(of(n))?) {
                let array = column.map(|column| column.into_array(row_count)).transpose();
                let array = array.map_err(|why| of(n)(Reason::undecodable(why)))?;
                self.take(array.as_ref().map_or(0, |array| array.get_array_memory_size() as u64)).map_err(of(n))?;
                parts.push(array);
            }
        }
        let last = self.input.files.len() - 1;
        let types = self.survey.columns[columns.clone()].iter().map(|column| &column.data_type);
        let parts = parts.into_iter().zip(types);
        let whole = parts.map(|(parts, data_type)| guarded(|| self.whole(parts, data_type, joined)));
        let whole: Vec<Option<ArrayRef>> = whole.collect::<Result<_, _>>().map_err(of(last))?;
        self.check_claims(joined, &whole, columns)?;
        let ordered = |array: ArrayRef| match &joined.order.rows {
            None => Ok(SeriesColumn::Rows(array)),
            Some(rows) => take(&array, rows, None).map(SeriesColumn::Rows).map_err(Reason::undecodable),
        };
        let ordered = whole.into_iter().map(|array| guarded(|| array.map(ordered).transpose()));
        ordered.collect::<Result<_, _>>().map_err(of(last))
    }

    /// A column of all files, of which `parts` has those with rows; `None` where none has it.
    fn whole(
        &self,
        parts: Vec<Option<ArrayRef>>,
        data_type: &DataType,
        joined: &Joined,
    ) -> Result<Option<ArrayRef>, Reason> {
        if parts.iter().all(Option::is_none) {
            return Ok(None);
        }
        let counts = joined.starts.windows(2).map(|ends| ends[1] - ends[0]).filter(|&count| count > 0);
        let part = |(part, count): (Option<ArrayRef>, usize)| {
            if let Some(part) = part {
                return Ok(part);
            }
            self.take((count * data_type.primitive_width().unwrap_or(size_of::<u64>())) as u64)?;
            Ok(new_null_array(data_type, count))
        };
        let parts: Vec<ArrayRef> = parts.into_iter().zip(counts).map(part).collect::<Result<_, Reason>>()?;
        one_after_another(&parts).map(Some)
    }

    /// Refuses rows of two files that have the same key and are not the same in all of `arrays`, which are `columns`.
    fn check_claims(&self, joined: &Joined, arrays: &[Option<ArrayRef>], columns: Range<usize>) -> Result<(), BadFile> {
        let Joined { order, key, starts } = joined;
        if order.claims.is_empty() {
            return Ok(());
        }
        let columns = self.survey.columns[columns].iter().zip(arrays);
        let compared = columns.filter_map(|(column, array)| {
            Some(Compared { name: &column.name, logical: &column.data_type, array: array.as_ref()? })
        });
        let compared: Vec<Compared> = compared.collect();
        let last = self.input.files.len() - 1;
        let found = guarded(|| differing(&compared, &order.claims)).map_err(of(last))?;
        let Some(Differing { claim: (a, b), what, telling, codes }) = found else { return Ok(()) };
        let (first, second) = (file_of(starts, a), file_of(starts, b));
        let date = order.rows.as_ref().and_then(|rows| rows.values().iter().position(|&row| row as usize == a));
        let date = date.and_then(|place| order.dates.get(place));
        let row = |file: usize, row: usize| {
            let number = |reader: &FileReader| format!("row {}", reader.row_number(row - starts[file]));
            self.open[file].as_ref().map_or_else(|| "a row".to_owned(), number)
        };
        let at = format!("{} of {}", row(first, a), self.input.files[first].path.display());
        let reason = what.told(date, key, (a, &at), (b, &row(second, b)));
        Err(of(second)(match telling {
            _ if codes.is_some() && self.code_count() == 0 && first == second => reason.or(one_file_each()),
            Some(column) => {
                let known = self.survey.key.iter().map(|&column| self.survey.columns[column].name.clone());
                reason.of_column(column.name).or(in_key(known, &column, self.code_count() == 0))
            }
            None => {
                let keep = |which: Duplicates, effect| Remedy::set(Setting::Duplicates(which.to_string()), effect);
                reason.or(keep(Duplicates::First, "keeps the one")).or(keep(Duplicates::Last, "the other"))
            }
        }))
    }

    /// Takes so many bytes of the memory that one stock may have.
    fn take(&self, bytes: u64) -> Result<(), Reason> {
        if self.meter.take(bytes, 0) {
            return Ok(());
        }
        let bytes = self.meter.used().saturating_add(bytes);
        let all = self.input.decoded_len.saturating_add(self.input.row_count.saturating_mul(ROW_LEN));
        let what = format!("what its {}'s files hold", self.survey.options.files_by);
        Err(self.survey.allowance.refusal_of(&what, bytes, bytes.max(all)))
    }

    /// Whether [`read`](Self::read) failed because the columns together take more memory than one stock may; fewer of
    /// them may do.
    pub fn was_too_large(&self) -> bool {
        let is_large = |reader: &FileReader| reader.was_too_large();
        self.was_too_large.get() || self.meter.was_exceeded() || self.open.iter().flatten().any(is_large)
    }
}

/// Which file the row `row` of all is of.
fn file_of(starts: &[usize], row: usize) -> usize {
    starts.partition_point(|&start| start <= row) - 1
}

/// `parts` one after the other.
fn one_after_another(parts: &[ArrayRef]) -> Result<ArrayRef, Reason> {
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    guarded(|| concat(&parts).map_err(Reason::undecodable))
}
