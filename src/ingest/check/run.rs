//! Compares a store with the files it was built from, row by row.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use arrow_select::take::take;

use super::join::Brought;
use super::lined::{Lined, Matched, Owner};
use super::origins::{Origins, refused_then};
use super::place::source_of;
use super::report::{DifferingRow, Differs, Kept, KeptRows, Part, SourceDifference, SourceReport};
use super::tasks::{Answered, Task, byte_len};
use super::units::{Series, Units};
use crate::compare::KeyOrder;
use crate::error::{Error, Result};
use crate::format::FileStatus;
use crate::ingest::build_report::known_file;
use crate::ingest::gather::stages::too_little;
use crate::ingest::rolled::days_of;
use crate::ingest::settings::Settings;
use crate::ingest::stored_values::{all_in_store, exact_in_store, has_value_in_store};
use crate::key::Date;
use crate::panel::{Column, PanelSchema};
use crate::progress::Observer;
use crate::reason::Reason;
use crate::shuffle::Frame;
use crate::source::{
    BadFile, FilesBy, Known, KnownFile, Prior, SeriesReader, Survey, Surveyor, Trust, check_machine, scan,
};
use crate::store::{FileEntry, Section, Store, differing_rows};
use crate::workers::{LEAST_MEMORY, Workers};

/// What a run takes whatever its memory: the program, the list of files, the catalog.
const FIXED_MEMORY: u64 = 16 << 20;

/// Reads every file of `source`, which is the name of one or its directory, again, with the options that the store
/// remembers and into the types of its columns, as an update does that reads all of them; and compares each row with
/// `store`, bit for bit, in both directions. Keeps to about the memory of `workers`: of a file that is larger than its
/// worker's share, some columns are compared at a time.
///
/// Rows that the store keeps although no file of the source has them are no differences; the report names their stocks.
///
/// # Errors
/// When the source cannot be surveyed, the store cannot be read, the memory is too little, or the observer cancels; what
/// differs is in the report.
pub fn verify_source(store: &Store, source: &Path, workers: &Workers, observer: &dyn Observer) -> Result<SourceReport> {
    if workers.memory() < LEAST_MEMORY {
        return Err(too_little(workers.memory()));
    }
    let readers = store.readers(workers, None, LEAST_MEMORY)?;
    let workers = readers.as_ref().unwrap_or(workers);
    let memory = workers.memory();
    // Of the rest, a third is decoded, a third is the same put in order, and a third is left to decoding.
    let share = (memory - FIXED_MEMORY) / 3 / workers.count() as u64;
    let whole_len = memory / 8 / workers.count() as u64;
    let (place, directory) = source_of(store, source)?;
    let names = store.source_names()?;
    let name = (names.len() > 1).then(|| names[place]);
    let compared = compare_in_batches((store, place), &directory, workers, observer, (share, whole_len));
    let mut report = compared.map_err(|error| match name {
        Some(name) => error.of_source(name),
        None => error,
    })?;
    if let Some(name) = name {
        let skipped = report.skipped.iter_mut().chain(&mut report.skipped_before);
        skipped.for_each(|input| input.be_of_source(name));
    }
    Ok(report)
}

fn compare_in_batches(
    (whole, place): (&Store, usize),
    source: &Path,
    workers: &Workers,
    observer: &dyn Observer,
    (share, whole_len): (u64, u64),
) -> Result<SourceReport> {
    let store = &whole.of_source(place);
    let settings = Settings::of(store)?;
    let brought = Brought::new(whole, place, &settings)?;
    let panel = store.schema()?;
    let sources = store.files()?;
    let known = sources.iter().filter_map(|entry| Some((entry.path.clone(), known_file(entry)?)));
    let known: HashMap<String, KnownFile> = known.collect();
    let is_empty = |entry: &&FileEntry| entry.status == FileStatus::Empty;
    let empty: HashSet<&str> = sources.iter().filter(is_empty).map(|entry| entry.path.as_str()).collect();
    let known = Known { files: &known, goes: &|path| empty.contains(path), again: &|_| false, trust: Trust::Nothing };
    let mut options = settings.options.clone();
    options.read_code_map(workers.memory())?;
    let mut scan = scan(source, &options, &known, workers, observer)?;
    let missing = std::mem::take(&mut scan.missing);
    let exact = |name: &str, to: &DataType| exact_in_store(store, name, to, workers, observer);
    let prior = Prior {
        code: &panel.code,
        date_name: &panel.date_name,
        date_form: &panel.date_form,
        columns: &panel.columns,
        key: &panel.key,
        trading_days: &days_of(store, &settings.options, None)?,
        is_new: false,
        rolled: None,
        shares_options: false,
        exact: &exact,
        renamed: &[],
        changes: None,
        has_value: &|name| has_value_in_store(store, name),
        all: &|name, holds| all_in_store(store, name, holds),
    };
    let mut surveyor = Surveyor::again(source, &mut scan, &prior, &options, workers, observer);
    let mut survey = surveyor.survey()?;
    let refused = refused_then(&survey, &sources);
    if !refused.is_empty() {
        survey = surveyor.without(&survey, refused)?;
    }
    let (survey, mut report) = surveyor.read(survey, |survey| {
        survey.whole_file_limit(whole_len);
        let survey = &*survey;
        let mut report = SourceReport { max_skipped: settings.max_skipped, ..SourceReport::default() };
        compare_types(panel, survey, &mut report);
        let origins = Origins::new(store, survey, (&sources, &missing), &settings)?;
        let tasks = Task::all(store, survey, share)?;
        observer.begin("verify source", "files", survey.files().count() as u64);
        let fewer = workers.for_columns(survey.columns.len())?;
        let parts = fewer.as_ref().unwrap_or(workers).try_map(tasks.len(), |task| {
            let Task { inputs, answered } = &tasks[task];
            let lens = survey.inputs[inputs.clone()].iter().map(|input| byte_len(input, survey.columns.len()));
            let largest = lens.max().unwrap_or(0).max(share);
            let columns_at_once = ((survey.columns.len() as u64).saturating_mul(share) / largest).max(1) as usize;
            let brought = brought.as_ref();
            let comparison = Comparison { store, survey, origins: &origins, brought, columns_at_once };
            comparison.run(inputs.clone(), answered, observer)
        })?;
        observer.end();
        let bad = report.join(parts);
        Ok((report, bad))
    })?;
    let skipped_then: HashSet<&str> = sources
        .iter()
        .filter(|source| source.status == FileStatus::Skipped)
        .map(|source| source.path.as_str())
        .collect();
    report.notes = survey.notes;
    (report.skipped_before, report.skipped) =
        survey.skipped.into_iter().partition(|skipped| skipped_then.contains(skipped.path.as_str()));
    Ok(report)
}

/// Adds the columns whose types an update from these files would change, and those that it would bring.
fn compare_types(panel: &PanelSchema, survey: &Survey, report: &mut SourceReport) {
    let places = panel.places();
    let ours = |name: &str| places.get(name).map(|&place| &panel.columns[place].data_type);
    let columns = survey.columns.iter().map(|column| (column, ours(&column.name)));
    for (column, ours) in columns.chain([(&survey.code, Some(&panel.code.data_type))]) {
        if ours != Some(&column.data_type) {
            report.add(|| SourceDifference {
                what: Differs::Type,
                code: None,
                date: None,
                key: Vec::new(),
                column: Some(column.name.clone()),
                store: ours.map(DataType::to_string),
                source: Some(column.data_type.to_string()),
            });
        }
    }
}

/// What is compared with what.
struct Comparison<'a> {
    store: &'a Store,
    survey: &'a Survey,
    origins: &'a Origins<'a>,
    /// What rows may be of, where the source joins left.
    brought: Option<&'a Brought<'a>>,
    /// How many columns are in memory at once; fewer than all only where there is one input.
    columns_at_once: usize,
}

/// The rows of one task's files, in the order of dates and codes.
struct Rows {
    /// The number of each row's code.
    stocks: Vec<u32>,
    /// The codes by number.
    codes: Vec<String>,
    order: UInt32Array,
    /// The further key columns.
    key: Vec<ArrayRef>,
    matched: Vec<Matched>,
}

/// The rows of one task's files, while they are laid beside the store's.
struct Ours<'o> {
    units: &'o Units,
    stocks: &'o [u32],
    key: &'o [ArrayRef],
    key_columns: &'o [&'o Column],
}

impl<'o> Ours<'o> {
    fn code_of(&self, row: usize) -> &'o str {
        self.units.codes[self.stocks[row] as usize].as_str()
    }
}

impl Comparison<'_> {
    /// Compares the files of `range` with the store's rows that are `answered` for.
    fn run(&self, range: Range<usize>, answered: &Answered, observer: &dyn Observer) -> Result<Part> {
        let count = self.survey.columns.len();
        let group = |start: usize| start..(start + self.columns_at_once).min(count);
        let mut part = Part::default();
        let mut series = Vec::new();
        let mut arrays: Vec<Vec<ArrayRef>> = vec![Vec::new(); group(0).len()];
        let mut keys: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.survey.key.len()];
        let mut readers = Vec::new();
        for index in range.clone() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let input = &self.survey.inputs[index];
            let read = self.survey.open(input).and_then(|reader| Ok((reader.codes()?, reader)));
            let read = read.map(|(codes, reader)| (self.read_with_key(&reader, group(0)), codes, reader));
            observer.advance(input.files.len() as u64);
            match read {
                Ok((Err(_), _, reader)) if self.may_do_with_fewer(&reader) => {
                    drop((reader, readers, arrays));
                    return self.one_at_a_time().run(range, answered, observer);
                }
                Ok((Ok((found, key)), codes, reader)) => {
                    keys.iter_mut().zip(key).for_each(|(all, array)| all.push(array));
                    arrays.iter_mut().zip(found).for_each(|(all, array)| all.push(array));
                    part.report.files += reader.files().len() as u64;
                    part.report.merged_rows += reader.files().iter().map(|file| file.merged).sum::<u64>();
                    part.report.dropped_rows += reader.files().iter().map(|file| file.dropped).sum::<u64>();
                    part.report.waiting_rows += reader.files().iter().map(|file| file.waiting).sum::<u64>();
                    part.report.rows += reader.dates().len() as u64;
                    series.push(Series {
                        input,
                        dates: reader.dates().to_vec(),
                        codes,
                        stands_since: self.origins.stands_since(input, reader.files()),
                    });
                    if group(0).len() < count {
                        readers.push((index, reader));
                    }
                }
                Ok((Err(bad), ..)) | Err(bad) => part.bad.push((index, self.of_file(index, bad)?)),
            }
        }
        let rows = self.line_up(series, keys, answered, &mut part)?;
        let mut restated = vec![false; rows.order.len()];
        self.compare(group(0), arrays, &rows, &mut restated, &mut part)?;
        for start in (group(0).end..count).step_by(self.columns_at_once) {
            let mut arrays: Vec<Vec<ArrayRef>> = vec![Vec::new(); group(start).len()];
            for (index, reader) in &readers {
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                match self.read(reader, group(start)) {
                    Ok(found) => arrays.iter_mut().zip(found).for_each(|(all, array)| all.push(array)),
                    Err(_) if self.may_do_with_fewer(reader) => {
                        drop((readers, arrays));
                        return self.one_at_a_time().run(range, answered, observer);
                    }
                    Err(bad) => {
                        // What its first columns said is not to be told either.
                        let mut part = Part::default();
                        part.bad.push((*index, self.of_file(*index, bad)?));
                        self.line_up(Vec::new(), Vec::new(), answered, &mut part)?;
                        return Ok(part);
                    }
                }
            }
            self.compare(group(start), arrays, &rows, &mut restated, &mut part)?;
        }
        let mut kept = BTreeMap::new();
        for Matched { date, ours, is_appended, .. } in &rows.matched {
            let of_date = ours.clone().filter(|row| *is_appended && restated[*row]);
            for row in of_date {
                let unit = self.unit(&rows.codes[rows.stocks[row] as usize], self.store.dates()?[*date]);
                *kept.entry(unit).or_default() += 1;
            }
        }
        for ((code, date), count) in kept {
            part.add_kept(self.kept((code, date), Some(Kept::Appended), count));
        }
        Ok(part)
    }

    /// Whether a file could not be read because its columns were too many to be read at once, by more than one.
    fn may_do_with_fewer(&self, reader: &SeriesReader) -> bool {
        self.columns_at_once > 1 && reader.was_too_large()
    }

    fn one_at_a_time(&self) -> Comparison<'_> {
        Comparison { columns_at_once: 1, ..*self }
    }

    /// `bad`, which is a file of the input at this place, unless the machine is to blame.
    fn of_file(&self, index: usize, bad: BadFile) -> Result<BadFile> {
        check_machine(&self.survey.root.join(&self.survey.inputs[index].files[bad.file].path))?;
        Ok(bad)
    }

    /// Columns of one input, and its further key columns.
    fn read_with_key(
        &self,
        reader: &SeriesReader,
        columns: Range<usize>,
    ) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>), BadFile> {
        let found = self.read(reader, columns.clone())?;
        let key = self.survey.key.iter().map(|&column| match columns.contains(&column) {
            true => Ok(vec![found[column - columns.start].clone()]),
            false => self.read(reader, column..column + 1),
        });
        let key = key.collect::<Result<Vec<_>, BadFile>>()?.concat();
        Ok((found, key))
    }

    /// Columns of one input, of nulls where it has none.
    fn read(&self, reader: &SeriesReader, columns: Range<usize>) -> Result<Vec<ArrayRef>, BadFile> {
        let row_count = reader.dates().len();
        let undecodable = |why| BadFile { file: 0, reason: Reason::undecodable(why) };
        let found = reader.read(columns.clone())?.into_iter().zip(&self.survey.columns[columns]);
        // Of many columns, files may lack most.
        let mut nulls: HashMap<&DataType, ArrayRef> = HashMap::new();
        let mut none = |column| nulls.entry(column).or_insert_with_key(|kind| new_null_array(kind, row_count)).clone();
        found
            .map(|(values, column)| match values {
                Some(values) => values.into_array(row_count).map_err(undecodable),
                None => Ok(none(&column.data_type)),
            })
            .collect()
    }

    /// What a row that is not compared is of.
    fn unit<'c>(&self, code: &'c str, date: Date) -> Owner<'c> {
        match self.survey.options().files_by {
            FilesBy::Stock => (code, None),
            FilesBy::Date => ("", Some(date)),
        }
    }

    /// Lays the rows of `series`, whose further key columns are `keys`, beside those of the store that are `answered` for.
    /// Rows that only one side has are differences, unless they stay by rule.
    fn line_up(
        &self,
        series: Vec<Series>,
        keys: Vec<Vec<ArrayRef>>,
        Answered { dates: our_dates, ranks }: &Answered,
        part: &mut Part,
    ) -> Result<Rows> {
        let (units, series) = Units::new(self.survey, self.origins, series)?;
        let frame = Frame::new(series);
        let (stocks, order) = (frame.inputs(), UInt32Array::from(frame.order()));
        let (dates, row_starts) = frame.into_dates();
        let key_columns: Vec<&Column> = self.survey.key.iter().map(|&column| &self.survey.columns[column]).collect();
        let joined = keys.into_iter().zip(&key_columns).map(|(parts, column)| joined(&parts, column, &order));
        let key: Vec<ArrayRef> = joined.collect::<Result<_>>()?;
        let ours = Ours { units: &units, stocks: &stocks, key: &key, key_columns: &key_columns };
        let mut lined = Lined::default();
        let rows_of = |date: usize| row_starts[date] as usize..row_starts[date + 1] as usize;
        let mut next = 0;
        for (index, &date) in self.store.dates()?.iter().enumerate().take(our_dates.end).skip(our_dates.start) {
            while dates.get(next).is_some_and(|&ours| ours < date) {
                self.only_ours(&ours, dates[next], rows_of(next).collect(), part)?;
                next += 1;
            }
            let rows = if dates.get(next) == Some(&date) {
                next += 1;
                rows_of(next - 1)
            } else {
                0..0
            };
            self.line_up_date((index, date), &ours, rows, ranks, (&mut lined, part))?;
        }
        for (index, &date) in dates.iter().enumerate().skip(next) {
            self.only_ours(&ours, date, rows_of(index).collect(), part)?;
        }
        let kept = lined.kept.into_iter().map(|((unit, why), rows)| self.kept(unit, why, rows));
        part.report.kept.extend(kept);
        let matched = lined.matched;
        Ok(Rows { stocks, codes: units.codes, order, key, matched })
    }

    /// Lays `rows` of ours beside the store's rows on this date, of stocks of these `ranks`.
    fn line_up_date<'o>(
        &'o self,
        (index, date): (usize, Date),
        ours: &Ours<'o>,
        rows: Range<usize>,
        ranks: &Range<u32>,
        (lined, part): (&mut Lined<'o>, &mut Part),
    ) -> Result<()> {
        let section = self.store.section_at(index)?;
        let theirs = section.rows_between(ranks.clone())?;
        let their_ranks = section.ranks_at(theirs.clone())?;
        let marks = self.origins.appended.marks(date, section.row_count());
        let panel = self.store.schema()?;
        let their_key = ours
            .key_columns
            .iter()
            .map(|c| self.stored(&section, panel.index_of(&c.name), &c.data_type, theirs.clone()));
        let their_key: Vec<ArrayRef> = their_key.collect::<Result<_>>()?;
        let (order, on_date) = (KeyOrder::new(ours.key, &their_key)?, ours.units.on(date));
        let place_of = |row: usize| ours.units.places[ours.stocks[row] as usize];
        let stands = |row: usize, version| on_date.stands_since(place_of(row)).is_some_and(|since| version >= since);
        let (mut i, mut j) = (rows.start, 0);
        let mut alone = Vec::new();
        loop {
            let our_place = (i < rows.end).then(|| place_of(i));
            let their_place = their_ranks.get(j).map(|&rank| 2 * u64::from(rank) + 1);
            let order = match (our_place, their_place) {
                (None, None) => break,
                (Some(a), Some(b)) => a.cmp(&b).then_with(|| order.compare(i, j)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
            };
            match order {
                Ordering::Equal => {
                    lined.push_matched(index, i, theirs.start + j, stands(i, marks.of_row(theirs.start + j)));
                    (i, j) = (i + 1, j + 1);
                }
                Ordering::Less => {
                    match stands(i, marks.replaced) {
                        true => lined.count(self.unit(ours.code_of(i), date), Some(Kept::Removed)),
                        false => alone.push(i),
                    }
                    i += 1;
                }
                Ordering::Greater => {
                    let code = self.origins.codes[their_ranks[j] as usize];
                    let row = DifferingRow { code, date, key: &their_key, row: j };
                    let unit = self.unit(code, date);
                    match on_date.stands_since(2 * u64::from(their_ranks[j]) + 1) {
                        Some(_) if marks.of_row(theirs.start + j) == 0 => part.add_row(&row, true),
                        Some(_) => lined.count(unit, Some(Kept::Appended)),
                        None => lined.count(unit, None),
                    }
                    j += 1;
                }
            }
        }
        self.only_ours(ours, date, alone, part)
    }

    /// Tells of `rows` that the store lacks on `date`, unless they wait for a key of another source.
    fn only_ours(&self, ours: &Ours, date: Date, rows: Vec<usize>, part: &mut Part) -> Result<()> {
        let named: Vec<(&str, usize)> = rows.into_iter().map(|row| (ours.code_of(row), row)).collect();
        let may_be =
            self.brought.map(|brought| brought.have(date, &named, (ours.key, ours.key_columns))).transpose()?;
        for (n, (code, row)) in named.into_iter().enumerate() {
            match may_be.as_ref().is_none_or(|may_be| may_be[n]) {
                true => part.add_row(&DifferingRow { code, date, key: ours.key, row }, false),
                false => part.report.left_out += 1,
            }
        }
        Ok(())
    }

    /// So many rows of a stock or a date that were not compared; without a reason, because its files were not read.
    fn kept(&self, (code, date): Owner<'_>, why: Option<Kept>, rows: u64) -> KeptRows {
        let (why, path) = self.origins.kept(code, date, why);
        KeptRows { code: Some(code.to_owned()).filter(|_| date.is_none()), date, path, why, rows }
    }

    /// Compares the values of `columns`, of which `arrays` has one part an input.
    /// Marks the rows that append `restated` to other values.
    fn compare(
        &self,
        columns: Range<usize>,
        arrays: Vec<Vec<ArrayRef>>,
        rows: &Rows,
        restated: &mut [bool],
        part: &mut Part,
    ) -> Result<()> {
        let mut found = Vec::with_capacity(arrays.len());
        for (parts, column) in arrays.into_iter().zip(&self.survey.columns[columns.clone()]) {
            found.push(joined(&parts, column, &rows.order)?);
        }
        let known = self.store.schema()?.places();
        let places: Vec<Option<usize>> = self.survey.columns[columns.clone()]
            .iter()
            .map(|column| known.get(column.name.as_str()).copied())
            .collect();
        for Matched { date: index, ours, theirs, is_appended } in &rows.matched {
            let section = self.store.section_at(*index)?;
            part.report.values += (ours.len() * columns.len()) as u64;
            for ((column, found), place) in self.survey.columns[columns.clone()].iter().zip(&found).zip(&places) {
                let stored = self.stored(&section, *place, &column.data_type, theirs.clone())?;
                let found = found.slice(ours.start, ours.len());
                let failed = |why: String| Error::failed(format!("compare column {:?}", column.name))(why);
                let differing = differing_rows(&stored, &found).map_err(failed)?;
                let count = differing.count_set_bits();
                if count == 0 {
                    continue;
                }
                if !is_appended {
                    *part.report.differing_columns.entry(column.name.clone()).or_default() += count as u64;
                }
                for row in differing.set_indices() {
                    let (place, date) = (ours.start + row, section.date());
                    let code = rows.codes[rows.stocks[place] as usize].as_str();
                    let differing = DifferingRow { code, date, key: &rows.key, row: place };
                    match is_appended {
                        true => {
                            restated[place] = true;
                            part.add_restated(&differing, &column.name, row, [&stored, &found]);
                        }
                        false => part.add_value(&differing, &column.name, row, [&stored, &found]),
                    }
                }
            }
        }
        Ok(())
    }

    /// What the store has in these rows of a section, in the type that a column would have with the source's files.
    fn stored(
        &self,
        section: &Section,
        place: Option<usize>,
        data_type: &DataType,
        rows: Range<usize>,
    ) -> Result<ArrayRef> {
        match place {
            Some(place) => section.checked_column_as(place, data_type, rows),
            None => Ok(new_null_array(data_type, rows.len())),
        }
    }
}

/// The `parts` of a column one after the other, then in this order.
fn joined(parts: &[ArrayRef], column: &Column, order: &UInt32Array) -> Result<ArrayRef> {
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let failed = || Error::failed(format!("join column {:?}", column.name));
    match parts.as_slice() {
        [] => Ok(new_null_array(&column.data_type, 0)),
        parts => take(&concat(parts).map_err(failed())?, order, None).map_err(failed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Build;
    use crate::progress::Silent;
    use crate::synth::{Preset, SynthOptions, synth};

    #[test]
    fn a_file_larger_than_a_share_is_compared_some_columns_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (source, path) = (dir.path().join("source"), dir.path().join("store"));
        let one_worker = Workers::new(Some(1)).unwrap();
        let make = |seed| {
            let _ = std::fs::remove_dir_all(&source);
            let options = SynthOptions { stocks: 1, dates: 60, seed, preset: Preset::Barra };
            synth(&source, &options, &one_worker, &Silent).unwrap();
        };
        let compare = |share| {
            let store = Store::open(&path).unwrap();
            compare_in_batches((&store, 0), &source, &one_worker, &Silent, (share, 1 << 20)).unwrap()
        };
        make(1);
        Build::new(&source, &path).workers(1).run().unwrap();
        for share in [1, 10_000, 1 << 30] {
            let report = compare(share);
            assert_eq!((report.files, report.rows, report.values), (1, 60, 2400), "{report:?}");
            assert!(report.is_complete(), "{report:?}");
        }

        // Other measurements in the first columns, another industry in two of the last.
        make(2);
        let whole = compare(1 << 30);
        assert_eq!((whole.differing_stocks, whole.differing_dates), (1, 60));
        assert_eq!(whole.differing_values, whole.differing_columns.values().sum::<u64>());
        for share in [1, 10_000] {
            let apart = compare(share);
            assert_eq!(apart.difference_count, whole.difference_count);
            assert_eq!((apart.differing_columns, apart.differing_dates), (whole.differing_columns.clone(), 60));
            assert_eq!(apart.differences.len(), whole.differences.len());
        }
    }
}
