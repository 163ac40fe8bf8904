//! Reads one file of a stock: its dates, in order and one row a key, and its columns in the panel's types.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Date64Type;
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::apart::{Compared, Differing, differing};
use super::codes::{CodeReader, NamedCodes, mapped, one_file_each};
use crate::compare::KeyOrder;
use crate::key::Date;
use crate::panel::{DateForm, SeriesColumn, can_be_key, first_unwritable, written_out};
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting, taking_for_null};
use crate::source::allowance::Meter;
use crate::source::content::{Content, Stamp, changed, guarded};
use crate::source::convert::{convert, shown_value, widen};
use crate::source::date::column::DateReader;
use crate::source::date::times::seconds_of;
use crate::source::date::trading::Trading;
use crate::source::input::schema::{Decoder, EightBytes, KeyColumn, Value};
use crate::source::options::Duplicates;
use crate::source::order::{NO_DAY, Order, order};
use crate::source::outcome::FileOutcome;
use crate::source::path::period::Period;
use crate::source::survey::{InputFile, Layout, Survey, Target};
use crate::source::time_text::holding;
use crate::source::types::{is_text, logical};

/// One file, opened: dates at hand, columns on demand.
pub(in crate::source) struct FileReader {
    layout: Arc<Layout>,
    /// `None` for a file without rows.
    decoder: Option<Box<dyn Decoder>>,
    order: Order,
    date_form: Option<DateForm>,
    other_form: Option<String>,
    named_codes: Vec<(String, Vec<String>)>,
    file_rows: usize,
    dropped: u64,
    waiting: u64,
    /// The codes of the rows of the file, where those of its unit have several.
    codes: Option<ArrayRef>,
    /// The date column, where it has times that are left out.
    timed: Option<KeyColumn>,
    content_hash: u128,
}

impl FileReader {
    /// Opens `file` of `unit`: reads its dates, and reads or checks its codes. Reads the file's bytes once if it has no
    /// more than `whole_len`; holds them until the reader is dropped.
    ///
    /// # Errors
    /// The reason for leaving the file out.
    pub(in crate::source) fn open(
        survey: &Survey,
        unit: &str,
        file: &InputFile,
        whole_len: u64,
    ) -> Result<FileReader, Reason> {
        let stamp = Stamp { byte_len: file.byte_len, modified_ns: file.modified_ns };
        let content = Content::load(&survey.root.join(&file.path), stamp, whole_len)?;
        let content_hash = content.hash()?;
        let mut reader = FileReader::new(file, content_hash);
        if file.row_count == 0 {
            return Ok(reader);
        }
        let Scanned { decoder, mut dates, codes, named_codes, date, is_named } =
            Scanned::new(survey, unit, file, content)?;
        reader.file_rows = dates.days.len();
        reader.codes = codes.finish(reader.file_rows)?;
        reader.decoder = Some(decoder);
        let key = guarded(|| reader.key(&dates.days))?;
        if let Some(trading) = survey.trading().filter(|_| !is_named) {
            let seconds = reader.seconds(survey, &dates, date, &key)?;
            reader.waiting = trading.roll(&mut dates.days, &seconds)?;
        }
        let key = reader.map_codes(survey, (unit, file), &mut dates.days, key)?;
        if let Some(period) = survey.options.period_of(unit) {
            check_period(&dates.days, period, unit)?;
        }
        let key = KeyOrder::new(&key, &key).map_err(Reason::undecodable)?;
        reader.order = order(&dates.days, &key, survey.options.duplicates);
        if let Some(form) = survey.date_form()
            && let Some(date) = form.first_without(&reader.order.dates)
        {
            let cast = CastTo { column: survey.date_name.clone(), to: "date32".to_owned() };
            return Err(Reason::new(Kind::BadDate, format!("its date {date} has no place in {form}"))
                .or(Remedy::set(Setting::Cast(vec![cast]), "instead holds it")));
        }
        reader.date_form = dates.form();
        reader.other_form = dates.other_form();
        reader.named_codes = named_codes.finish();
        reader.dropped = dates.dropped;
        let is_kept = |date: &&KeyColumn| survey.options.key_of(&date.name).is_some();
        reader.timed = date.filter(|date| dates.has_time && !is_kept(date)).cloned();
        Ok(reader)
    }

    fn new(file: &InputFile, content_hash: u128) -> FileReader {
        FileReader {
            layout: Arc::clone(&file.layout),
            decoder: None,
            order: Order::default(),
            date_form: None,
            other_form: None,
            named_codes: Vec::new(),
            file_rows: 0,
            dropped: 0,
            waiting: 0,
            codes: None,
            timed: None,
            content_hash,
        }
    }

    /// The offset of clocks on which all times of `file` of `unit`, which are left out, are midnight.
    ///
    /// # Errors
    /// The reason for leaving the file out.
    pub(super) fn clocks_of_midnights(survey: &Survey, unit: &str, file: &InputFile) -> Result<Option<String>, Reason> {
        let stamp = Stamp { byte_len: file.byte_len, modified_ns: file.modified_ns };
        let content = Content::load(&survey.root.join(&file.path), stamp, 0)?;
        Ok(Scanned::new(survey, unit, file, content)?.dates.clocks_of_midnights())
    }

    /// The days on which `file` of `unit` makes a trading date, and the last second of each that does.
    ///
    /// # Errors
    /// The reason for leaving the file out.
    pub(in crate::source) fn days_by_day(
        survey: &Survey,
        unit: &str,
        file: &InputFile,
        trading: &Trading,
    ) -> Result<Vec<(i32, u32)>, Reason> {
        if let Some(date) = survey.options.period_of(unit).and_then(Period::only) {
            return Ok(vec![(date.days(), u32::MAX)]);
        }
        if file.row_count == 0 {
            return Ok(Vec::new());
        }
        let stamp = Stamp { byte_len: file.byte_len, modified_ns: file.modified_ns };
        let content = Content::load(&survey.root.join(&file.path), stamp, 0)?;
        let Scanned { decoder, dates, date, .. } = Scanned::new(survey, unit, file, content)?;
        let mut reader = FileReader::new(file, 0);
        reader.file_rows = dates.days.len();
        reader.decoder = Some(decoder);
        let key = guarded(|| reader.key(&dates.days))?;
        let seconds = reader.seconds(survey, &dates, date, &key)?;
        let rows = dates.days.iter().copied().zip(seconds);
        let mut days: Vec<(i32, u32)> =
            rows.filter(|(day, second)| *day != NO_DAY && trading.is_by_day(*second)).collect();
        days.sort_unstable_by_key(|&(day, second)| (day, Reverse(second)));
        days.dedup_by_key(|(day, _)| *day);
        Ok(days)
    }

    /// Gives rows of these days the codes that the panel has for theirs, in their `key`, or leaves out those of other stocks
    /// than `unit`.
    fn map_codes(
        &mut self,
        survey: &Survey,
        (unit, file): (&str, &InputFile),
        days: &mut [i32],
        mut key: Vec<ArrayRef>,
    ) -> Result<Vec<ArrayRef>, Reason> {
        let Some(map) = &survey.options.code_map else { return Ok(key) };
        if let Some(codes) = &mut self.codes {
            *codes = mapped(codes, days, map, &Meter::new(&survey.allowance))?;
            key[0] = Arc::clone(codes);
        } else if let Some(code) = survey.options.named_by(&file.path) {
            days.iter_mut().filter(|day| map.code_on(&code, **day) != unit).for_each(|day| *day = NO_DAY);
        }
        Ok(key)
    }

    /// At which second of its day each row is: by `dates`, which `date` has, or by a column of `key`.
    fn seconds(
        &self,
        survey: &Survey,
        dates: &DateReader,
        date: Option<&KeyColumn>,
        key: &[ArrayRef],
    ) -> Result<Vec<u32>, Reason> {
        if dates.has_time {
            return Ok(dates.seconds.clone());
        }
        let own = date.map(|date| survey.options.name_of(&date.name));
        let names = self.layout.key.iter().map(|&column| &self.layout.targets[column].name);
        let columns = names.zip(&key[usize::from(self.codes.is_some())..]);
        for (name, array) in columns.filter(|(name, _)| Some(*name) != own.as_ref()) {
            let array = written_out(array).map_err(Reason::undecodable)?;
            if let Some(seconds) = seconds_of(name, &array, survey.dates.clocks())? {
                return Ok(seconds);
            }
        }
        match dates.tells_times() {
            true => Ok(dates.seconds.clone()),
            false => {
                let name = Remedy::set(Setting::Key(Vec::new()), "names a column of times, too");
                Err(Reason::new(Kind::TimeOfDay, "nothing in its key says at what time of the day its rows are")
                    .or(name))
            }
        }
    }

    /// What tells the rows of a date apart, in the panel's types, texts maybe as codes: their codes, where there are several, and the further key
    /// columns; with the rows of the file, which are of these days.
    fn key(&self, days: &[i32]) -> Result<Vec<ArrayRef>, Reason> {
        let column = |&n: &usize| {
            let target = &self.layout.targets[n];
            let value = self.layout.value(n).ok_or_else(|| {
                Reason::new(Kind::OtherColumns, format!("lacks the key column {:?}", target.name))
                    .or(Remedy::Do("write the file with it".to_owned()))
            })?;
            let array = match self.decode(&[value])?.pop().flatten() {
                Some(SeriesColumn::Coded(array)) if target.takes_codes_of(&value.raw) => array,
                Some(column) => {
                    let array = column.into_array(self.file_rows).map_err(Reason::undecodable)?;
                    target.convert(&value.own_name, &array)?
                }
                None => new_null_array(&target.data_type, self.file_rows),
            };
            let is_missing = |row: &usize| days[*row] != NO_DAY && array.is_null(*row);
            let missing = (array.null_count() > 0).then(|| (0..days.len()).find(is_missing));
            match missing.flatten() {
                None => Ok(array),
                Some(row) => Err(no_key(row, &target.name)),
            }
        };
        self.codes.iter().cloned().map(Ok).chain(self.layout.key.iter().map(column)).collect()
    }

    /// The dates of the rows, ascending; strictly, where the key has no further columns.
    pub(in crate::source) fn dates(&self) -> &[Date] {
        &self.order.dates
    }

    /// What became of the file.
    pub(in crate::source) fn outcome(&self) -> FileOutcome {
        FileOutcome {
            rows: self.order.dates.len() as u64,
            merged: self.order.merged,
            dropped: self.dropped,
            waiting: self.waiting,
            content_hash: self.content_hash,
            date_form: self.date_form.clone(),
            other_form: self.other_form.clone(),
            named_codes: self.named_codes.clone(),
        }
    }

    /// The row of the file that the row `place` of the series is, counted from 1.
    pub(in crate::source) fn row_number(&self, place: usize) -> usize {
        self.order.rows.as_ref().map_or(place, |rows| rows.value(place) as usize) + 1
    }

    /// The codes in the order of the dates, where there are several.
    ///
    /// # Errors
    /// The reason for leaving the file out.
    pub(super) fn sorted_codes(&self) -> Result<Option<ArrayRef>, Reason> {
        self.codes.clone().map(|codes| self.sorted(codes)).transpose()
    }

    /// The codes, where there are several, and the further key columns in the panel's types, in the order of the dates.
    ///
    /// # Errors
    /// The reason for leaving the file out.
    pub(super) fn sorted_key(&self) -> Result<Vec<ArrayRef>, Reason> {
        let sorted = |column| self.sorted(written_out(&column).map_err(Reason::undecodable)?);
        guarded(|| self.key(&[])?.into_iter().map(sorted).collect())
    }

    /// A column of the file in the order of the dates.
    fn sorted(&self, column: ArrayRef) -> Result<ArrayRef, Reason> {
        match &self.order.rows {
            None => Ok(column),
            Some(rows) => take(&column, rows, None).map_err(Reason::undecodable),
        }
    }

    /// Decodes the survey's columns of this range, in the order of the dates, each as long as
    /// [`dates`](Self::dates) and of the survey's type; `None` for a column that the file lacks. Costs the decoding of
    /// these columns; called for all at once it reads the file's pages once.
    ///
    /// # Errors
    /// The reason for skipping the file: pages that cannot be decoded, a value that the column's type does not hold
    /// exactly, differing rows of one key.
    ///
    /// # Panics
    /// When the range reaches beyond the survey's columns.
    pub(in crate::source) fn read(&self, columns: Range<usize>) -> Result<Vec<Option<SeriesColumn>>, Reason> {
        let wanted: Vec<(&Target, Option<&Value>)> =
            columns.map(|n| (&self.layout.targets[n], self.layout.value(n))).collect();
        guarded(|| {
            let present: Vec<&Value> = wanted.iter().filter_map(|(_, value)| *value).collect();
            let decoded = self.decode(&present)?;
            if let Some(decoder) = &self.decoder {
                decoder.check_unchanged()?;
            }
            self.check_claims(&present, &decoded)?;
            let mut decoded = decoded.into_iter();
            let turn = |(target, value): &(&Target, Option<&Value>)| match value {
                None => Ok(None),
                Some(value) => self.turn(target, value, decoded.next().flatten()).map(Some),
            };
            wanted.iter().map(turn).collect()
        })
    }

    /// Whether [`read`](Self::read) failed because the columns together take more memory than one file may; fewer of
    /// them may do.
    pub(in crate::source) fn was_too_large(&self) -> bool {
        self.decoder.as_ref().is_some_and(|decoder| decoder.was_too_large())
    }

    /// One decoded column in its panel type and in the order of the dates.
    fn turn(&self, target: &Target, value: &Value, decoded: Option<SeriesColumn>) -> Result<SeriesColumn, Reason> {
        let schema = &self.layout.schema;
        let convert = |array: &ArrayRef| {
            let way_out = || (target.is_decided && schema.is_of_fields()).then(taking_for_null);
            target.convert(&value.own_name, array).map_err(|reason| reason.or(way_out()))
        };
        Ok(match decoded {
            None => SeriesColumn::Rows(new_null_array(&target.data_type, self.order.dates.len())),
            Some(SeriesColumn::Constant(one)) => SeriesColumn::Constant(convert(&one)?),
            Some(SeriesColumn::Coded(array)) if target.takes_codes_of(&value.raw) => {
                SeriesColumn::Coded(self.sorted(array)?)
            }
            Some(column) => {
                let array = column.into_array(self.file_rows).map_err(Reason::undecodable)?;
                SeriesColumn::Rows(self.sorted(convert(&array)?)?)
            }
        })
    }

    /// These columns as the file has them, whole; `None` in files without rows.
    fn decode(&self, values: &[&Value]) -> Result<Vec<Option<SeriesColumn>>, Reason> {
        let Some(decoder) = &self.decoder else { return Ok(vec![None; values.len()]) };
        let undecoded = |value: &&Value| match value.raw {
            DataType::Null => decoder.nulls(value, self.file_rows).map(SeriesColumn::Rows),
            _ => decoder.constant(value, self.file_rows).map(SeriesColumn::Constant),
        };
        let mut columns: Vec<Option<SeriesColumn>> = values.iter().map(undecoded).collect();
        let wanted = values.iter().zip(&columns).filter(|(_, column)| column.is_none());
        let mut leaves: Vec<usize> = wanted.map(|(value, _)| value.leaf).collect();
        leaves.sort_unstable();
        let arrays = decoder.coded_columns(&leaves, self.file_rows)?;
        for (value, column) in values.iter().zip(&mut columns) {
            if let Ok(place) = leaves.binary_search(&value.leaf) {
                let array = Arc::clone(&arrays[place]);
                *column = Some(match *array.data_type() == value.raw {
                    true => SeriesColumn::Rows(array),
                    false => SeriesColumn::Coded(array),
                });
            }
        }
        Ok(columns)
    }

    /// Refuses rows that have the same key and are not the same in all of `values`, which were decoded.
    fn check_claims<'v>(&self, values: &[&'v Value], decoded: &'v [Option<SeriesColumn>]) -> Result<(), Reason> {
        let claims = &self.order.claims;
        if claims.is_empty() {
            return Ok(());
        }
        let rows = |(value, column): (&&'v Value, &'v Option<SeriesColumn>)| match column {
            Some(SeriesColumn::Rows(array) | SeriesColumn::Coded(array)) => {
                Some(Compared { name: &value.name, logical: &value.logical, array })
            }
            _ => None,
        };
        let columns: Vec<Compared> = values.iter().zip(decoded).filter_map(rows).collect();
        let Some(Differing { claim: (a, b), what, telling, codes }) = differing(&columns, claims)? else {
            return Ok(());
        };
        let date = self.order.rows.as_ref().and_then(|rows| {
            let place = rows.values().iter().position(|&row| row as usize == a)?;
            self.order.dates.get(place)
        });
        let (at, there) = (format!("row {}", a + 1), format!("row {}", b + 1));
        let reason = what.told(date, &self.key(&[])?, (a, &at), (b, &there));
        if let (Some(name), None) = (codes, &self.codes) {
            return Err(reason.of_column(name).or(one_file_each()));
        }
        if let Some(column) = telling {
            let known = self.layout.key.iter().map(|&column| self.layout.targets[column].name.clone());
            return Err(reason.of_column(column.name).or(in_key(known, &column, self.codes.is_none())));
        }
        Err(reason
            .or(self.keeping_times()?)
            .or(Remedy::set(Setting::Duplicates(Duplicates::First.to_string()), "keeps the one"))
            .or(Remedy::set(Setting::Duplicates(Duplicates::Last.to_string()), "the other")))
    }
}

impl FileReader {
    /// The key that keeps the times which were dropped, where these tell all rows of one date apart.
    fn keeping_times(&self) -> Result<Option<Remedy>, Reason> {
        let (Some(date), Some(decoder)) = (&self.timed, &self.decoder) else { return Ok(None) };
        let times = decoder.columns(&[date.leaf], Some(self.file_rows))?;
        let order = KeyOrder::new(&times, &times).map_err(Reason::undecodable)?;
        let rows: BTreeSet<u32> = self.order.claims.iter().flat_map(|&(first, other)| [first, other]).collect();
        let mut rows: Vec<usize> = rows.into_iter().map(|row| row as usize).collect();
        rows.sort_by(|&a, &b| order.compare(a, b));
        let are_apart = can_be_key(&date.raw) && rows.is_sorted_by(|&a, &b| order.compare(a, b).is_lt());
        let key = || Remedy::set(Setting::Key(vec![date.name.clone()]), "keeps the times, which tell them apart");
        Ok(are_apart.then(key))
    }
}

impl Target {
    /// Whether the texts of a column of type `raw` may stay codes: they are the panel's as they are.
    fn takes_codes_of(&self, raw: &DataType) -> bool {
        *raw == self.data_type
    }

    /// `array`, the column `name` of a file, in the panel's type.
    fn convert(&self, name: &str, array: &ArrayRef) -> Result<ArrayRef, Reason> {
        let inexact = |why: String| Reason::new(Kind::InexactValue, why);
        let cast = |to: DataType| {
            let cast = CastTo { column: name.to_owned(), to: to.to_string() };
            Remedy::set(Setting::Cast(vec![cast]), "reads it")
        };
        // A finer time or an instant elsewhere has a type of its kind, and what is of none stays what it is.
        let way_out = || holding(array, &self.data_type).or_else(|| logical(array.data_type())).map(cast);
        let turned = match self.is_decided {
            true => convert(array, &self.data_type, 0).map_err(|why| inexact(why).or(way_out())),
            false => widen(array, &self.data_type, 0).map_err(inexact),
        };
        let turned = turned.and_then(|turned| check_midnight(array, turned, name));
        let turned = turned.and_then(|turned| check_written(turned, name));
        turned.map_err(|reason| reason.within(format_args!("its column {name:?}, ")).of_column(name))
    }
}

/// A key of these `known` columns and one that tells rows apart. Texts and whole numbers may be codes by a name that
/// nobody knows: then rows are `of_one` stock only if somebody wants them to be.
pub(super) fn in_key(known: impl Iterator<Item = String>, column: &Compared, of_one: bool) -> Remedy {
    let may_be_codes = of_one && (is_text(column.logical) || column.logical.is_integer());
    let effect = match may_be_codes {
        true => "tells them apart, as rows of one stock; if these are codes, write one file for each",
        false => "tells them apart",
    };
    Remedy::set(Setting::Key(known.chain([column.name.to_owned()]).collect()), effect)
}

/// Refuses a file for a row without a part of its key.
pub(in crate::source) fn no_key(row: usize, name: &str) -> Reason {
    let what = format!("row {} has no {name:?}, which is part of the key", row + 1);
    Reason::new(Kind::NoKey, what).of_column(name).or(Remedy::Do("write the file without such rows".to_owned()))
}

/// Passes `turned`, which was made of `array`, unless it is a date64 with a time of day. Date64 counts milliseconds but
/// means days, and Parquet has no type but a day for it: the time of day would be lost there.
fn check_midnight(array: &ArrayRef, turned: ArrayRef, name: &str) -> Result<ArrayRef, Reason> {
    let Some(times) = turned.as_primitive_opt::<Date64Type>() else { return Ok(turned) };
    let late = |row: &usize| times.is_valid(*row) && times.value(*row).rem_euclid(86_400_000) != 0;
    match (0..times.len()).find(late) {
        None => Ok(turned),
        Some(row) => {
            let value = shown_value(array, row);
            let what = format!("row {}: {value} has a time of day, which Date64 does not hold", row + 1);
            let cast = CastTo { column: name.to_owned(), to: "timestamp[ms]".to_owned() };
            Err(Reason::new(Kind::InexactValue, what).or(Remedy::set(Setting::Cast(vec![cast]), "keeps it")))
        }
    }
}

/// Refuses a value that the files made of the panel could not hold.
fn check_written(turned: ArrayRef, name: &str) -> Result<ArrayRef, Reason> {
    let Some(row) = first_unwritable(&turned) else { return Ok(turned) };
    let (value, kind) = (shown_value(&turned, row), turned.data_type());
    let what = format!("row {}: {value} as {kind} is more than a Parquet file can hold", row + 1);
    let cast = CastTo { column: name.to_owned(), to: "int64".to_owned() };
    Err(Reason::new(Kind::InexactValue, what).or(Remedy::set(Setting::Cast(vec![cast]), "keeps the number")))
}

/// The rows of one file, as far as their dates and codes are concerned.
struct Scanned<'s> {
    decoder: Box<dyn Decoder>,
    dates: DateReader<'s>,
    codes: CodeReader<'s>,
    named_codes: NamedCodes<'s>,
    /// The date column, if there is one.
    date: Option<&'s KeyColumn>,
    /// Whether the file's name says the date, and no column.
    is_named: bool,
}

impl<'s> Scanned<'s> {
    fn new(survey: &'s Survey, unit: &'s str, file: &'s InputFile, content: Content) -> Result<Scanned<'s>, Reason> {
        let schema = &file.layout.schema;
        let period = survey.options.period_of(unit);
        let (date, named) = match (&schema.date, period.and_then(Period::only)) {
            (Ok(date), _) => (Some(date), None),
            (Err(reason), Some(day)) if reason.kind() == Kind::NoDateColumn => (None, Some(day)),
            (Err(reason), _) => return Err(reason.clone()),
        };
        let mut codes = CodeReader::new(survey, unit, file)?;
        let mut named_codes = NamedCodes::new(survey, schema);
        let decoder = guarded(|| schema.open(content, &survey.allowance))?;
        if decoder.row_count().is_some_and(|rows| rows != file.row_count) {
            return Err(changed());
        }
        let (name, raw) = date.map_or(("", &DataType::Null), |date| (&date.name, &date.raw));
        let mut dates = DateReader::new(name, raw, &survey.dates);
        let is_alone = schema.code.is_none() && named_codes.leaves().next().is_none();
        guarded(|| {
            // The way of nearly all files.
            let fits = u32::try_from(file.row_count).is_ok();
            if let Some(date) = date.filter(|date| fits && is_alone && is_text(&date.raw))
                && let Some(EightBytes { entries, rows }) = decoder.eight_bytes(date.leaf)
                && dates.push_eight_bytes(&entries, &rows)
            {
                return Ok(());
            }
            let mut leaves: Vec<usize> = date.into_iter().chain(&schema.code).map(|column| column.leaf).collect();
            leaves.extend(named_codes.leaves());
            leaves.sort_unstable();
            let place = |leaf: usize| leaves.iter().position(|other| *other == leaf).unwrap_or(0);
            for batch in decoder.coded(&leaves)? {
                let batch = batch?;
                if let Some(column) = &schema.code {
                    codes.push(&batch[place(column.leaf)])?;
                }
                named_codes.push(|leaf| &batch[place(leaf)])?;
                if let Some(date) = date {
                    dates.push(&batch[place(date.leaf)])?;
                }
                if dates.days.len() as u64 > file.row_count.min(u64::from(u32::MAX)) {
                    let what = format!("it has more rows than its footer says or than fit one series ({})", u32::MAX);
                    return Err(Reason::damaged(what));
                }
            }
            Ok(())
        })?;
        if let Some(day) = named {
            dates.days = vec![day.days(); file.row_count as usize];
        }
        if dates.days.len() as u64 != file.row_count {
            let (found, stated) = (dates.days.len(), file.row_count);
            return Err(Reason::damaged(format_args!("it has {found} rows where its footer says {stated}")));
        }
        Ok(Scanned { decoder, dates, codes, named_codes, date, is_named: named.is_some() })
    }
}

/// Refuses a file with a row of another date than its name says.
fn check_period(days: &[i32], period: Period, named: &str) -> Result<(), Reason> {
    let is_other = |day: &i32| *day != NO_DAY && Date::from_days(*day).is_none_or(|date| !period.has(date));
    let Some((row, date)) = days.iter().position(is_other).and_then(|row| Some((row, Date::from_days(days[row])?)))
    else {
        return Ok(());
    };
    let what = format!("row {} is of {date}, and its name says {named}", row + 1);
    Err(Reason::new(Kind::OtherDate, what).or(Remedy::Do("rename the file, or write it anew".to_owned())))
}
