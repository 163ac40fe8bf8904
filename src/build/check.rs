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
use crate::panel::Column;
use crate::progress::Observer;
use crate::source::{Skipped, Survey, survey};
use crate::store::{Store, first_differing_row, show};
use crate::workers::Workers;

/// Bytes of decoded series that are compared at a time, by all workers together.
const BATCH_LEN: u64 = 192 << 20;

/// Differences reported in full; more are only counted.
const EXAMPLES: usize = 100;

/// What [`verify_source`] read and found.
#[derive(Debug, Default, Serialize)]
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
/// bit for bit, in both directions.
///
/// # Errors
/// When the source cannot be surveyed, the store cannot be read, or the observer cancels; what differs is in the report.
pub fn verify_source(store: &Store, source: &Path, workers: &Workers, observer: &dyn Observer) -> Result<SourceReport> {
    let settings = Settings::of(store)?;
    let survey = survey(source, &settings.options, workers, observer)?;
    let mut report = SourceReport { skipped: survey.skipped.clone(), ..SourceReport::default() };
    let columns = match_columns(store, &survey, &mut report)?;
    let decoded_lens: Vec<u64> = survey.inputs.iter().map(|input| input.decoded_len).collect();
    let batch_len = (BATCH_LEN / workers.count() as u64).max(1);
    let tasks = plan::tasks(&decoded_lens, (plan::total(&decoded_lens) / batch_len) as usize + 1);
    observer.begin("verify source", "files", survey.inputs.len() as u64);
    let parts = workers.try_map(tasks.len(), |task| {
        // Each task answers for all of the store's stocks from its first code up to the next task's first.
        let first = (task > 0).then(|| survey.inputs[tasks[task].start].code.as_str());
        let end = tasks.get(task + 1).map(|next| survey.inputs[next.start].code.as_str());
        compare(store, &survey, &columns, tasks[task].clone(), (first, end), observer)
    })?;
    observer.end();
    for part in parts {
        report.files += part.files;
        report.rows += part.rows;
        report.difference_count += part.difference_count;
        report.differences.extend(part.differences);
        report.skipped.extend(part.skipped);
    }
    report.differences.truncate(EXAMPLES);
    let sources = store.sources()?;
    let skipped_before =
        |path: &str| sources.iter().any(|source| source.status == SourceStatus::Skipped && source.path == path);
    report.skipped.retain(|skipped| !skipped_before(&skipped.path));
    Ok(report)
}

impl SourceReport {
    fn add(&mut self, difference: String) {
        self.difference_count += 1;
        if self.differences.len() < EXAMPLES {
            self.differences.push(difference);
        }
    }
}

/// For each column of the survey, its place among the store's; `None` where there is none of its name and type, which is
/// a difference, as is a column that only the store has.
fn match_columns(store: &Store, survey: &Survey, report: &mut SourceReport) -> Result<Vec<Option<usize>>> {
    let panel = store.schema()?;
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

/// Compares the files of `range` with the store's rows of all stocks whose codes lie in `codes`, start included.
fn compare(
    store: &Store,
    survey: &Survey,
    columns: &[Option<usize>],
    range: Range<usize>,
    codes: (Option<&str>, Option<&str>),
    observer: &dyn Observer,
) -> Result<SourceReport> {
    let mut report = SourceReport::default();
    let mut series: Vec<(u32, Vec<Date>)> = Vec::new();
    let mut arrays: Vec<Vec<ArrayRef>> = vec![Vec::new(); survey.columns.len()];
    for index in range {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let input = &survey.inputs[index];
        let read = survey.open(input).and_then(|reader| {
            let dates = reader.dates().to_vec();
            let columns = reader.read(0..survey.columns.len())?.into_iter();
            let columns = columns.map(|column| column.map(|column| column.into_array(dates.len())).transpose());
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            Ok((dates, columns))
        });
        observer.advance(1);
        match read {
            Ok((dates, found)) => {
                for ((all, array), column) in arrays.iter_mut().zip(found).zip(&survey.columns) {
                    all.push(array.unwrap_or_else(|| new_null_array(&column.data_type, dates.len())));
                }
                report.files += 1;
                report.rows += dates.len() as u64;
                series.push((index as u32, dates));
            }
            Err(reason) => report.skipped.push(Skipped { path: input.path.display().to_string(), reason }),
        }
    }
    let batch = Batch::new(survey, series, arrays)?;
    let stocks = store.stocks()?;
    let rank = |code: Option<&str>, absent: usize| {
        code.map_or(absent, |code| stocks.partition_point(|stock| *stock < code)) as u32
    };
    let ranks = rank(codes.0, 0)..rank(codes.1, stocks.len());

    let mut next = 0;
    for (index, &date) in store.dates()?.iter().enumerate() {
        while batch.dates.get(next).is_some_and(|&ours| ours < date) {
            report.add(format!("{}: the store has no section, the source has rows", batch.dates[next]));
            next += 1;
        }
        let ours = if batch.dates.get(next) == Some(&date) {
            next += 1;
            batch.rows(next - 1)
        } else {
            0..0
        };
        let section = store.section_at(index)?;
        let theirs = section.rows_between(ranks.clone())?;
        let their_codes = &section.codes_at(theirs.clone())?;
        let our_codes: Vec<&str> =
            batch.codes[ours.clone()].iter().map(|&i| survey.inputs[i as usize].code.as_str()).collect();
        if *their_codes != our_codes {
            let odd = |a: &[&str], b: &[&str]| a.iter().find(|code| !b.contains(code)).map(|code| (*code).to_owned());
            match (odd(their_codes, &our_codes), odd(&our_codes, their_codes)) {
                (Some(code), _) => report.add(format!("{code} {date}: the store has a row, the source has none")),
                (None, Some(code)) => report.add(format!("{code} {date}: the source has a row, the store has none")),
                (None, None) => report.add(format!("{date}: the store's rows are in another order")),
            }
            continue;
        }
        for ((column, place), found) in survey.columns.iter().zip(columns).zip(&batch.columns) {
            let Some(place) = *place else { continue };
            let stored = section.rows_of(place, theirs.start, theirs.end)?;
            let found = found.slice(ours.start, ours.len());
            match first_differing_row(&stored, &found) {
                Ok(None) => {}
                Ok(Some(row)) => report.add(format!(
                    "{} {date} {:?}: {} in the store, {} in the source",
                    our_codes[row],
                    column.name,
                    show(&stored, row),
                    show(&found, row)
                )),
                Err(why) => report.add(format!("{date} {:?}: {why}", column.name)),
            }
        }
    }
    for date in &batch.dates[next..] {
        report.add(format!("{date}: the store has no section, the source has rows"));
    }
    Ok(report)
}

/// Several series in logical types, ordered by (date, stock).
struct Batch {
    dates: Vec<Date>,
    row_starts: Vec<u32>,
    /// For each row, the number of its input.
    codes: Vec<u32>,
    columns: Vec<ArrayRef>,
}

impl Batch {
    fn new(survey: &Survey, series: Vec<(u32, Vec<Date>)>, arrays: Vec<Vec<ArrayRef>>) -> Result<Batch> {
        let frame = Frame::new(&series);
        let order = UInt32Array::from(frame.order());
        let mut columns = Vec::with_capacity(arrays.len());
        for (parts, column) in arrays.into_iter().zip(&survey.columns) {
            let parts: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
            let failed = || Error::arrow(format!("join column {:?}", column.name));
            columns.push(match parts.as_slice() {
                [] => new_null_array(&column.data_type, 0),
                parts => take(&concat(parts).map_err(failed())?, &order, None).map_err(failed())?,
            });
        }
        let codes = frame.inputs();
        let (dates, row_starts) = frame.into_dates();
        Ok(Batch { dates, row_starts, codes, columns })
    }

    fn rows(&self, date: usize) -> Range<usize> {
        self.row_starts[date] as usize..self.row_starts[date + 1] as usize
    }
}
