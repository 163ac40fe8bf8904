//! Compares a store with the files it was built from, row by row.

use std::ops::Range;
use std::path::Path;

use arrow_array::{ArrayRef, UInt32Array, new_null_array};
use arrow_select::concat::concat;
use arrow_select::take::take;
use serde::Serialize;

use super::gather::Frame;
use super::plan;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::format::SourceStatus;
use crate::key::Date;
use crate::panel::{Column, DateForm, show};
use crate::progress::Observer;
use crate::skipped::Skipped;
use crate::source::{SeriesReader, Survey, join_date_forms, survey};
use crate::store::{Store, first_differing_row};
use crate::workers::Workers;

/// Bytes of decoded series that are compared at a time, by all workers together.
const BATCH_LEN: u64 = 192 << 20;

/// Columns of a file larger than a batch that are compared at once.
const COLUMNS_AT_ONCE: usize = 4;

/// Differences reported in full; more are only counted.
const EXAMPLES: usize = 100;

/// What [`verify_source`] read and found.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SourceReport {
    /// Files compared.
    pub files: u64,
    /// Rows compared.
    pub rows: u64,
    /// How many dates of how many batches of stocks, or columns, differ.
    pub difference_count: u64,
    /// The first differences, one message each.
    pub differences: Vec<String>,
    /// Files that could not be used, other than those that the build skipped as well.
    pub skipped: Vec<Skipped>,
}

/// Reads every file of `source` again, with the options the store was built with, and compares each row with `store`,
/// bit for bit, in both directions; and the columns' names and types, and how dates are spelt. Holds some 192 MiB of
/// decoded files, and of a file that is larger for its worker a few columns at a time.
///
/// # Errors
/// When the source cannot be surveyed, the store cannot be read, or the observer cancels; what differs is in the
/// report.
pub fn verify_source(store: &Store, source: &Path, workers: &Workers, observer: &dyn Observer) -> Result<SourceReport> {
    compare_in_batches(store, source, workers, observer, BATCH_LEN)
}

fn compare_in_batches(
    store: &Store,
    source: &Path,
    workers: &Workers,
    observer: &dyn Observer,
    all_batches_len: u64,
) -> Result<SourceReport> {
    let settings = Settings::of(store)?;
    let survey = survey(source, &settings.options, workers, observer)?;
    let mut report = SourceReport { skipped: survey.skipped.clone(), ..SourceReport::default() };
    let columns = match_columns(store, &survey, &mut report)?;
    let decoded_lens: Vec<u64> = survey.inputs.iter().map(|input| input.decoded_len).collect();
    let batch_len = (all_batches_len / workers.count() as u64).max(1);
    let tasks = plan::tasks(&decoded_lens, (survey.decoded_len() / batch_len) as usize + 1);
    let tasks: Vec<Range<usize>> =
        tasks.into_iter().flat_map(|task| large_apart(task, &decoded_lens, batch_len)).collect();
    observer.begin("verify source", "files", survey.inputs.len() as u64);
    let parts = workers.try_map(tasks.len(), |task| {
        // Each task answers for all of the store's stocks from its first code up to the next task's first.
        let first = (task > 0).then(|| survey.inputs[tasks[task].start].code.as_str());
        let end = tasks.get(task + 1).map(|next| survey.inputs[next.start].code.as_str());
        let is_large = decoded_lens[tasks[task].clone()].iter().any(|&len| len > batch_len);
        let columns_at_once = if is_large { COLUMNS_AT_ONCE } else { columns.len() };
        let comparison = Comparison { store, survey: &survey, columns: &columns, columns_at_once };
        comparison.run(tasks[task].clone(), (first, end), observer)
    })?;
    observer.end();
    let mut date_form = store.schema()?.date_form.clone();
    for (part, form) in parts {
        report.files += part.files;
        report.rows += part.rows;
        report.difference_count += part.difference_count;
        report.differences.extend(part.differences);
        report.skipped.extend(part.skipped);
        // A version keeps the form in which the dates of all before it could be written, too.
        date_form = form.map_or(date_form.clone(), |form| join_date_forms(&date_form, &form));
    }
    if date_form != store.schema()?.date_form {
        let ours = &store.schema()?.date_form;
        report.add(format!("dates are {ours} in the store, and with those in the source {date_form}"));
    }
    report.differences.truncate(EXAMPLES);
    let sources = store.sources()?;
    let skipped_before =
        |path: &str| sources.iter().any(|source| source.status == SourceStatus::Skipped && source.path == path);
    report.skipped.retain(|skipped| !skipped_before(&skipped.path));
    Ok(report)
}

/// `task` in parts, so that inputs longer than `limit` are each a part of its own.
fn large_apart(task: Range<usize>, decoded_lens: &[u64], limit: u64) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let is_large = |input: usize| decoded_lens[input] > limit;
    for input in task {
        match parts.last_mut() {
            Some(part) if !is_large(input) && !is_large(input - 1) => part.end = input + 1,
            _ => parts.push(input..input + 1),
        }
    }
    parts
}

impl SourceReport {
    fn add(&mut self, difference: String) {
        self.difference_count += 1;
        if self.differences.len() < EXAMPLES {
            self.differences.push(difference);
        }
    }
}

/// For each column of the survey, its place among the store's; `None` where there is none of its name and type, which
/// is a difference, as is a column that only the store has.
fn match_columns(store: &Store, survey: &Survey, report: &mut SourceReport) -> Result<Vec<Option<usize>>> {
    let panel = store.schema()?;
    let Column { name, data_type } = &survey.code;
    if panel.code != survey.code {
        let ours = &panel.code;
        report.add(format!(
            "the code is column {:?} of type {} in the store, {name:?} of type {data_type} in the source",
            ours.name, ours.data_type
        ));
    }
    if panel.date_name != survey.date_name {
        report.add(format!(
            "the date is column {:?} in the store, {:?} in the source",
            panel.date_name, survey.date_name
        ));
    }
    for column in &panel.columns {
        if !survey.columns.iter().any(|other| other.name == column.name) {
            report.add(format!("column {:?} is in the store and not in the source", column.name));
        }
    }
    let mut places = Vec::with_capacity(survey.columns.len());
    for Column { name, data_type } in &survey.columns {
        let place = panel.index_of(name);
        match place.map(|place| &panel.columns[place].data_type) {
            None => report.add(format!("column {name:?} is in the source and not in the store")),
            Some(ours) if ours != data_type => {
                report.add(format!("column {name:?} is {ours} in the store, {data_type} in the source"));
            }
            Some(_) => {}
        }
        places.push(place.filter(|&place| panel.columns[place].data_type == *data_type));
    }
    Ok(places)
}

/// What is compared with what.
struct Comparison<'a> {
    store: &'a Store,
    survey: &'a Survey,
    /// For each column of the survey, its place among the store's.
    columns: &'a [Option<usize>],
    /// How many columns are in memory at once; fewer than all only where there is one input.
    columns_at_once: usize,
}

/// Rows of the source and of the store with the same keys.
struct Matched {
    /// Which of the store's dates.
    date: usize,
    ours: Range<usize>,
    theirs: Range<usize>,
}

impl Comparison<'_> {
    /// Compares the files of `range` with the store's rows of all stocks whose codes lie in `codes`, start included.
    /// Gives the form of the files' dates, too.
    fn run(
        &self,
        range: Range<usize>,
        codes: (Option<&str>, Option<&str>),
        observer: &dyn Observer,
    ) -> Result<(SourceReport, Option<DateForm>)> {
        let mut report = SourceReport::default();
        let count = self.columns.len();
        let group = |start: usize| start..(start + self.columns_at_once).min(count);
        let mut series: Vec<(u32, Vec<Date>)> = Vec::new();
        let mut arrays: Vec<Vec<ArrayRef>> = vec![Vec::new(); group(0).len()];
        let mut readers = Vec::new();
        let mut form: Option<DateForm> = None;
        for index in range {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let read = self.survey.open(&self.survey.inputs[index]);
            let read = read.and_then(|reader| Ok((self.read(&reader, group(0))?, reader)));
            observer.advance(1);
            match read {
                Ok((found, reader)) => {
                    arrays.iter_mut().zip(found).for_each(|(all, array)| all.push(array));
                    report.files += 1;
                    report.rows += reader.dates().len() as u64;
                    series.push((index as u32, reader.dates().to_vec()));
                    let own = if reader.is_mixed() { Some(&DateForm::COMMON) } else { reader.date_form() };
                    form = match (form, own) {
                        (Some(form), Some(own)) => Some(join_date_forms(&form, own)),
                        (form, own) => form.or(own.cloned()),
                    };
                    if group(0).len() < count {
                        readers.push((index, reader));
                    }
                }
                Err(reason) => report.skipped.push(self.skipped(index, reason)),
            }
        }
        let frame = Frame::new(&series);
        let order = UInt32Array::from(frame.order());
        let matched = self.matched(frame, codes, &mut report)?;
        self.compare(group(0), arrays, &order, &matched, &mut report)?;
        for start in (group(0).end..count).step_by(self.columns_at_once.max(1)) {
            let mut arrays: Vec<Vec<ArrayRef>> = vec![Vec::new(); group(start).len()];
            for (index, reader) in &readers {
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                match self.read(reader, group(start)) {
                    Ok(found) => arrays.iter_mut().zip(found).for_each(|(all, array)| all.push(array)),
                    Err(reason) => {
                        report.skipped.push(self.skipped(*index, reason));
                        return Ok((report, form));
                    }
                }
            }
            self.compare(group(start), arrays, &order, &matched, &mut report)?;
        }
        Ok((report, form))
    }

    fn skipped(&self, index: usize, reason: String) -> Skipped {
        Skipped { path: self.survey.inputs[index].path.display().to_string(), reason: reason.into() }
    }

    /// Columns of one input, of nulls where it has none.
    fn read(&self, reader: &SeriesReader, columns: Range<usize>) -> Result<Vec<ArrayRef>, String> {
        let row_count = reader.dates().len();
        let found = reader.read(columns.clone())?.into_iter().zip(&self.survey.columns[columns]);
        found
            .map(|(values, column)| match values {
                Some(values) => values.into_array(row_count),
                None => Ok(new_null_array(&column.data_type, row_count)),
            })
            .collect()
    }

    /// The rows to compare; dates on which the two have other keys are differences.
    fn matched(
        &self,
        frame: Frame,
        codes: (Option<&str>, Option<&str>),
        report: &mut SourceReport,
    ) -> Result<Vec<Matched>> {
        let inputs = frame.inputs();
        let (dates, row_starts) = frame.into_dates();
        let stocks = self.store.stocks()?;
        let rank = |code: Option<&str>, absent: usize| {
            code.map_or(absent, |code| stocks.partition_point(|stock| *stock < code)) as u32
        };
        let ranks = rank(codes.0, 0)..rank(codes.1, stocks.len());
        let mut matched = Vec::new();
        let mut next = 0;
        for (index, &date) in self.store.dates()?.iter().enumerate() {
            while dates.get(next).is_some_and(|&ours| ours < date) {
                report.add(format!("{}: the store has no section, the source has rows", dates[next]));
                next += 1;
            }
            let ours = if dates.get(next) == Some(&date) {
                next += 1;
                row_starts[next - 1] as usize..row_starts[next] as usize
            } else {
                0..0
            };
            let section = self.store.section_at(index)?;
            let theirs = section.rows_between(ranks.clone())?;
            let their_codes = &section.codes_at(theirs.clone())?;
            let our_codes: Vec<&str> =
                inputs[ours.clone()].iter().map(|&i| self.survey.inputs[i as usize].code.as_str()).collect();
            if *their_codes == our_codes {
                matched.push(Matched { date: index, ours, theirs });
                continue;
            }
            let odd = |a: &[&str], b: &[&str]| a.iter().find(|code| !b.contains(code)).map(|code| (*code).to_owned());
            match (odd(their_codes, &our_codes), odd(&our_codes, their_codes)) {
                (Some(code), _) => report.add(format!("{code} {date}: the store has a row, the source has none")),
                (None, Some(code)) => report.add(format!("{code} {date}: the source has a row, the store has none")),
                (None, None) => report.add(format!("{date}: the store's rows are in another order")),
            }
        }
        for date in &dates[next..] {
            report.add(format!("{date}: the store has no section, the source has rows"));
        }
        Ok(matched)
    }

    /// Compares the values of `columns`, of which `arrays` has one part an input.
    fn compare(
        &self,
        columns: Range<usize>,
        arrays: Vec<Vec<ArrayRef>>,
        order: &UInt32Array,
        matched: &[Matched],
        report: &mut SourceReport,
    ) -> Result<()> {
        let mut found = Vec::with_capacity(arrays.len());
        for (parts, column) in arrays.into_iter().zip(&self.survey.columns[columns.clone()]) {
            let parts: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
            let failed = || Error::failed(format!("join column {:?}", column.name));
            found.push(match parts.as_slice() {
                [] => new_null_array(&column.data_type, 0),
                parts => take(&concat(parts).map_err(failed())?, order, None).map_err(failed())?,
            });
        }
        for Matched { date, ours, theirs } in matched {
            let section = self.store.section_at(*date)?;
            for (index, found) in columns.clone().zip(&found) {
                let Some(place) = self.columns[index] else { continue };
                let stored = section.checked_column_as(place, &self.survey.columns[index].data_type, theirs.clone())?;
                let found = found.slice(ours.start, ours.len());
                let (date, name) = (self.store.dates()?[*date], &self.survey.columns[index].name);
                match first_differing_row(&stored, &found) {
                    Ok(None) => {}
                    Ok(Some(row)) => report.add(format!(
                        "{} {date} {name:?}: {} in the store, {} in the source",
                        section.codes_at(theirs.clone())?[row],
                        show(&stored, row),
                        show(&found, row)
                    )),
                    Err(why) => report.add(format!("{date} {name:?}: {why}")),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use arrow_array::{RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::build::Build;
    use crate::progress::Silent;
    use crate::synth::{Preset, SynthOptions, synth};

    /// A source and the store built from it.
    struct Place(tempfile::TempDir);

    impl Place {
        fn source(&self) -> PathBuf {
            self.0.path().join("source")
        }

        /// Makes the source anew, of one stock.
        fn synth(&self, seed: u64) {
            let _ = std::fs::remove_dir_all(self.source());
            let options = SynthOptions { stocks: 1, dates: 60, seed, preset: Preset::Barra };
            synth(&self.source(), &options, &one_worker(), &Silent).unwrap();
        }

        /// Makes the source anew, of one row.
        fn write(&self, date_name: &str, date: &str) {
            let column = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
            let batch = RecordBatch::try_from_iter([(date_name, column(date)), ("x", column("y"))]).unwrap();
            std::fs::create_dir_all(self.source()).unwrap();
            let file = std::fs::File::create(self.source().join("a.parquet")).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }

        fn build(&self) {
            Build::new(self.source(), self.0.path().join("store")).workers(1).run().unwrap();
        }

        /// Compares with so many bytes for the decoded files.
        fn compare(&self, len: u64) -> SourceReport {
            let store = Store::open(self.0.path().join("store")).unwrap();
            compare_in_batches(&store, &self.source(), &one_worker(), &Silent, len).unwrap()
        }
    }

    fn one_worker() -> Workers {
        Workers::new(Some(1)).unwrap()
    }

    #[test]
    fn a_file_larger_than_a_batch_is_compared_some_columns_at_a_time() {
        let place = Place(tempfile::tempdir().unwrap());
        place.synth(1);
        place.build();
        let (whole, apart) = (place.compare(BATCH_LEN), place.compare(1));
        assert_eq!((whole.files, whole.rows, whole.difference_count), (1, 60, 0), "{:?}", whole.differences);
        assert_eq!((apart.files, apart.rows, apart.difference_count), (1, 60, 0), "{:?}", apart.differences);

        // Other measurements in the first columns, another industry in two of the last.
        place.synth(2);
        let (whole, apart) = (place.compare(BATCH_LEN), place.compare(1));
        assert!(whole.difference_count > 500, "{}", whole.difference_count);
        assert_eq!(apart.difference_count, whole.difference_count);
    }

    #[test]
    fn names_and_spellings_of_dates_count() {
        let place = Place(tempfile::tempdir().unwrap());
        place.write("date", "20240102");
        place.build();
        for (name, date, expected) in [
            ("date", "20240102", None),
            ("date", "2024-01-02", Some("dates are")),
            ("trade_date", "20240102", Some("the date is column")),
        ] {
            place.write(name, date);
            let differences = place.compare(BATCH_LEN).differences;
            assert_eq!(differences.len(), usize::from(expected.is_some()), "{differences:?}");
            assert!(differences.iter().all(|difference| difference.contains(expected.unwrap())), "{differences:?}");
        }
    }

    #[test]
    fn large_inputs_stand_alone() {
        assert_eq!(large_apart(0..0, &[], 1), []);
        assert_eq!(large_apart(1..6, &[9, 1, 1, 9, 9, 1], 5), [1..3, 3..4, 4..5, 5..6]);
    }
}
