//! The rows of one date in key order, as a file or a frame gives them: no more is held of a column in that order than a
//! piece at a time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use arrow_select::take::take;

use super::allowance::Meter;
use super::content::guarded;
use super::convert::{convert, widen};
use super::date::column::DateReader;
use super::date::rules::DateRules;
use super::from_text::exactly;
use super::input::schema::{FileSchema, KeyColumn};
use super::losses::Losses;
use super::options::SourceOptions;
use super::path::naming::date_of_name;
use super::read::codes::{no_code, no_codes};
use super::read::file::no_key;
use super::types::{is_text, shown_type};
use super::weight::{texts_len, written_out};
use crate::compare::KeyOrder;
use crate::hint::listed;
use crate::key::Date;
use crate::panel::{PanelSchema, first_unwritable, show};
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting, excluding};

/// Rows that are put in order at a time.
const WINDOW: usize = 1 << 16;

/// Bytes that a row takes beside its values once its place is known: that place, its code's number and its date, and
/// what a block makes of them.
const PLACED_LEN: u64 = 24;

/// What helps rows of other types.
pub(super) const AS_THE_STORE: &str = "write the file with the types that the store has";

/// Columns by their place in a file or a frame, each in the same parts.
pub(super) struct Columns {
    parts: HashMap<usize, Vec<ArrayRef>>,
    /// Where the rows of each part start.
    starts: Vec<usize>,
    /// Bytes of memory that they take: what lies in a map takes none.
    byte_len: u64,
}

impl Columns {
    /// Those of a file, which were read into memory.
    pub(super) fn read(columns: HashMap<usize, ArrayRef>) -> Columns {
        let len = |array: &ArrayRef| array.to_data().get_slice_memory_size().unwrap_or(0) as u64;
        let byte_len = columns.values().map(len).sum();
        let parts = columns.into_iter().map(|(leaf, array)| (leaf, vec![array])).collect();
        Columns { parts, starts: vec![0], byte_len }
    }

    /// Those of batches that lie in a map.
    pub(super) fn mapped(batches: &[RecordBatch]) -> Columns {
        let start = |end: &mut usize, batch: &RecordBatch| {
            *end += batch.num_rows();
            Some(*end - batch.num_rows())
        };
        let column = |leaf: usize| batches.iter().map(|batch| batch.column(leaf).clone()).collect();
        let count = batches.first().map_or(0, RecordBatch::num_columns);
        Columns {
            parts: (0..count).map(|leaf| (leaf, column(leaf))).collect(),
            starts: batches.iter().scan(0, start).collect(),
            byte_len: 0,
        }
    }

    /// The parts of a column; none where it is not there.
    pub(super) fn parts(&self, leaf: usize) -> &[ArrayRef] {
        self.parts.get(&leaf).map_or(&[], Vec::as_slice)
    }

    fn row_count(&self) -> usize {
        self.parts.values().map(|parts| parts.iter().map(Array::len).sum()).max().unwrap_or(0)
    }

    /// These rows of all `parts` of a column.
    fn rows(&self, parts: &[ArrayRef], rows: &[u32]) -> Result<ArrayRef, ArrowError> {
        if let [whole] = parts {
            return take(whole, &UInt32Array::from(rows.to_vec()), None);
        }
        let place = |&row: &u32| {
            let part = self.starts.partition_point(|&start| start <= row as usize) - 1;
            (part, row as usize - self.starts[part])
        };
        let places: Vec<(usize, usize)> = rows.iter().map(place).collect();
        interleave(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &places)
    }
}

/// The rows of one date, of a file or of a frame.
pub(crate) struct SectionRows<'p> {
    /// The date of all rows.
    pub(crate) date: Date,
    /// What they say of themselves that outputs do not carry.
    pub(crate) losses: Losses,
    codes: StringArray,
    /// The rows in the order of their codes, those of one code in that of their further key columns.
    order: Vec<u32>,
    schema: Arc<FileSchema>,
    panel: &'p PanelSchema,
    /// For each column of the panel, its place among the values of the schema.
    values: Vec<usize>,
    /// Whether a user decided its type.
    decided: Vec<bool>,
    /// Whether that was decided for these rows, so that it is known what lengths of time are counted in.
    are_first: bool,
    columns: Columns,
    /// What they take of the memory, for as long as they are there.
    _meter: Arc<Meter>,
}

impl<'p> SectionRows<'p> {
    /// The rows of `columns`, as a section of `panel`. Where they have no date, the file's name at `path` says it; where
    /// both do, they must agree.
    ///
    /// # Errors
    /// The reason why they cannot be used.
    pub(super) fn new(
        path: &Path,
        schema: Arc<FileSchema>,
        columns: Columns,
        (options, are_first): (&SourceOptions, bool),
        panel: &'p PanelSchema,
        meter: Arc<Meter>,
    ) -> Result<SectionRows<'p>, Reason> {
        if let Some(refusal) = &schema.refusal {
            return Err(refusal.clone());
        }
        hold(&schema, &columns, panel, &meter)?;
        let codes = codes(&schema, &columns, panel)?;
        let date = date(path, &schema, &columns, options, panel)?;
        check_code_map(options, &codes, date)?;
        let values = values(&schema, panel)?;
        let decided = values.iter().map(|&at| options.cast(&schema.values[at].own_name).is_some()).collect();
        let losses = Losses::of(&schema, options);
        let order = Vec::new();
        let rows = SectionRows {
            date,
            losses,
            codes,
            order,
            schema,
            panel,
            values,
            decided,
            are_first,
            columns,
            _meter: meter,
        };
        Ok(SectionRows { order: rows.in_order()?, ..rows })
    }

    /// Their codes, ascending.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(|&row| self.codes.value(row as usize))
    }

    /// The rows of each piece that [`column`](Self::column) gives.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = usize> {
        self.order.chunks(WINDOW).map(<[u32]>::len)
    }

    /// The panel's column at `place`, in its type and in the order of the codes, piece by piece. It can be had once.
    pub(crate) fn column(&mut self, place: usize) -> impl Iterator<Item = Result<ArrayRef, Reason>> {
        let leaf = self.schema.values[self.values[place]].leaf;
        let parts = self.columns.parts.remove(&leaf).unwrap_or_default();
        let rows = &*self;
        rows.order.chunks(WINDOW).map(move |piece| guarded(|| rows.piece(place, &parts, piece)))
    }

    fn piece(&self, place: usize, parts: &[ArrayRef], rows: &[u32]) -> Result<ArrayRef, Reason> {
        if parts.is_empty() {
            return Ok(new_null_array(&self.panel.columns[place].data_type, rows.len()));
        }
        let array = self.columns.rows(parts, rows).map_err(Reason::undecodable)?;
        self.turned(place, &array, 0).or_else(|why| {
            // A row is named by its place in the file.
            let mut before = 0;
            for part in parts {
                self.turned(place, part, before)?;
                before += part.len();
            }
            Err(why)
        })
    }

    /// `array` in the type of the panel's column at `place`: exactly, or as a user decided; `before` rows come before it.
    fn turned(&self, place: usize, array: &ArrayRef, before: usize) -> Result<ArrayRef, Reason> {
        let (value, column) = (&self.schema.values[self.values[place]], &self.panel.columns[place]);
        let (raw, panels) = (&value.raw, &column.data_type);
        // Exact as they may be: what a bare number counts nobody knows, unless it was decided to be a time.
        let loses_unit = raw.is_temporal() && panels.is_numeric() && !(self.are_first && self.decided[place]);
        let is_decided = self.decided[place] && !loses_unit;
        let lack_unit = loses_unit || (raw.is_numeric() && panels.is_temporal() && !is_decided);
        let is_of_text = self.schema.columns.iter().any(|column| column.fields.is_some());
        let turned = match lack_unit && array.logical_null_count() < array.len() {
            true => Err("a bare number does not say what it counts".to_owned()),
            false if is_of_text && !is_text(panels) => exactly(array, panels, before),
            false if is_decided => convert(array, panels, before),
            false => widen(array, panels, before),
        };
        let turned = turned.and_then(|turned| match first_unwritable(&turned) {
            Some(row) => Err(format!("row {} is more than a Parquet file can hold", before + row + 1)),
            None => Ok(turned),
        });
        turned.map_err(|why| {
            let reason = match is_decided {
                true => {
                    let way_out = format!("write the file with values that {panels} holds");
                    let reason = Reason::new(Kind::InexactValue, why).or(Remedy::Do(way_out));
                    reason.within(format_args!("its column {:?}, ", column.name))
                }
                false => {
                    let types = format!("is {}, {panels} in the store", shown_type(raw));
                    let what = format!("its column {:?} {types}: {why}", column.name);
                    Reason::new(Kind::TypesDiffer, what).or(Remedy::Do(AS_THE_STORE.to_owned()))
                }
            };
            reason.of_column(&column.name)
        })
    }

    /// The rows in key order.
    ///
    /// # Errors
    /// When two have the same key, or one has none.
    fn in_order(&self) -> Result<Vec<u32>, Reason> {
        let key = self.panel.key.iter().map(|&place| self.key_column(place)).collect::<Result<Vec<ArrayRef>, _>>()?;
        let key_order = KeyOrder::new(&key, &key).map_err(Reason::undecodable)?;
        let compare = |a: &u32, b: &u32| {
            let (a, b) = (*a as usize, *b as usize);
            self.codes.value(a).cmp(self.codes.value(b)).then_with(|| key_order.compare(a, b))
        };
        let mut order: Vec<u32> = (0..self.codes.len() as u32).collect();
        order.sort_by(compare);
        match order.windows(2).find(|rows| compare(&rows[0], &rows[1]).is_eq()) {
            Some(rows) => {
                let row = rows[0] as usize;
                let key: String = key.iter().map(|column| format!(" {}", show(column, row))).collect();
                let what = format!("has two rows for {:?}{key}", self.codes.value(row));
                Err(Reason::new(Kind::DifferingRows, what).or(without_them()))
            }
            None => Ok(order),
        }
    }

    /// The panel's key column at `place`, of all rows.
    fn key_column(&self, place: usize) -> Result<ArrayRef, Reason> {
        let (value, column) = (&self.schema.values[self.values[place]], &self.panel.columns[place]);
        let mut before = 0;
        let part = |part: &ArrayRef| {
            before += part.len();
            self.turned(place, part, before - part.len())
        };
        let parts = self.columns.parts(value.leaf).iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let array = match &parts[..] {
            [] => new_null_array(&column.data_type, self.codes.len()),
            [whole] => whole.clone(),
            parts => concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(Reason::undecodable)?,
        };
        match (0..array.len()).find(|&row| array.is_null(row)) {
            Some(row) => Err(no_key(row, &column.name)),
            None => Ok(array),
        }
    }
}

/// Takes memory for what it takes to put the rows in order, and then for that of one column after the other.
///
/// # Errors
/// A refusal with the figure, where it is too much.
fn hold(schema: &FileSchema, columns: &Columns, panel: &PanelSchema, meter: &Meter) -> Result<(), Reason> {
    let rows = columns.row_count() as u64;
    let code = schema.code.iter().flat_map(|code| columns.parts(code.leaf));
    // One number beside each text.
    let codes: u64 = rows * 4 + code.map(|part| texts_len(part)).sum::<u64>();
    let places = panel.places();
    let (mut keys, mut widest, mut piece) = (0, 0, 0);
    for value in &schema.values {
        let Some(&place) = places.get(value.name.as_str()) else { continue };
        let to = &panel.columns[place].data_type;
        let written: u64 = columns.parts(value.leaf).iter().map(|part| written_out(part, to)).sum();
        keys += if panel.key.contains(&place) { written } else { 0 };
        // Texts become numbers.
        widest = widest.max(to.primitive_width().unwrap_or(4) as u64);
        // As it came, in the panel's type, and compared with what it was.
        piece = piece.max(3 * (written / rows.max(1)) * rows.min(WINDOW as u64));
    }
    // Parts are there beside the whole, and a sort takes half of what it sorts.
    let ordering = 2 * (codes + keys) + rows * 8;
    let placed = codes + rows.saturating_mul(PLACED_LEN + widest);
    // The bytes of the file are gone by now.
    meter.start(0);
    let kept = columns.byte_len + ordering.max(placed);
    if meter.take(kept, piece) {
        return Ok(());
    }
    let what = format!("has {rows} rows, and to put them in order");
    Err(meter.allowance.refusal(&what, kept.saturating_add(piece)))
}

/// The code of each row.
fn codes(schema: &FileSchema, columns: &Columns, panel: &PanelSchema) -> Result<StringArray, Reason> {
    let parts = schema.code.as_ref().map_or(&[][..], |code| columns.parts(code.leaf));
    let texts = parts.iter().map(|part| cast(part, &DataType::Utf8)).collect::<Result<Vec<_>, _>>();
    let texts = texts.map_err(Reason::undecodable)?;
    let codes = match &texts[..] {
        [] => return Err(no_codes(&panel.code.name)),
        [whole] => whole.clone(),
        parts => concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(Reason::undecodable)?,
    };
    let codes = codes.as_string::<i32>();
    if codes.is_empty() {
        return Err(no_rows());
    }
    match (0..codes.len()).find(|&row| codes.is_null(row) || codes.value(row).is_empty()) {
        Some(row) => Err(no_code(row)),
        None => Ok(codes.clone()),
    }
}

/// The date of all rows.
fn date(
    path: &Path,
    schema: &FileSchema,
    columns: &Columns,
    options: &SourceOptions,
    panel: &PanelSchema,
) -> Result<Date, Reason> {
    let date = match &schema.date {
        Ok(date) => {
            let (mut first, mut before) = (None, 0);
            for part in columns.parts(date.leaf) {
                let days = days_of(date, part, options)?;
                let first = *first.get_or_insert(days[0]);
                if let Some(row) = days.iter().position(|&day| day != first) {
                    let what = format!("has several dates: row {} differs from row 1", before + row + 1);
                    let way_out = Remedy::Do("write a file for each date".to_owned());
                    return Err(Reason::new(Kind::OtherDate, what).or(way_out));
                }
                before += days.len();
            }
            let first = first.ok_or_else(|| Reason::damaged("its date column is not there"))?;
            let day = Date::from_days(first).ok_or_else(|| Reason::damaged("its date is beyond all years"))?;
            if let Some(named) = date_of_name(path).filter(|named| *named != day) {
                let what = format!("its rows are of {day}, its name says {named}");
                let way_out = Remedy::Do("rename the file, or write it anew".to_owned());
                return Err(Reason::new(Kind::OtherDate, what).or(way_out));
            }
            day
        }
        Err(reason) if reason.kind() != Kind::NoDateColumn => return Err(reason.clone().alone()),
        Err(_) => date_of_name(path).ok_or_else(|| {
            let what = format!("has no date column {:?}, and no date in its name", panel.date_name);
            let rename = "name it after its date, such as 20240102.parquet".to_owned();
            Reason::new(Kind::NoDateColumn, what).or(Remedy::Do(rename))
        })?,
    };
    if !panel.date_form.holds(date) {
        let what = format!("its date {date} has no place in {}, the type of the store's dates", panel.date_form);
        return Err(Reason::new(Kind::BadDate, what));
    }
    Ok(date)
}

/// The day of each row of `column`.
pub(super) fn days_of(date: &KeyColumn, column: &ArrayRef, options: &SourceOptions) -> Result<Vec<i32>, Reason> {
    let rules = DateRules::new(options).map_err(|error| Reason::new(Kind::BadDate, error.to_string()))?;
    let mut dates = DateReader::new(&date.name, &date.raw, &rules);
    // Settings are for the stocks' files: a date is given as a whole.
    dates.push(column).map_err(|reason| {
        let drops = |remedy: &Remedy| matches!(remedy, Remedy::Set { settings, .. } if matches!(settings[..], [Setting::BadDates(_)]));
        let anew = || Remedy::Do("write its dates as the store has them".to_owned());
        // Where no row has a date, none would be left.
        let way_out = if reason.remedies().iter().any(drops) { without_them() } else { anew() };
        reason.alone().or(way_out)
    })?;
    Ok(dates.days)
}

/// Refuses codes that are others in the store.
fn check_code_map(options: &SourceOptions, codes: &StringArray, date: Date) -> Result<(), Reason> {
    let Some(map) = &options.code_map else { return Ok(()) };
    let other = |row| map.other_code_of(codes.value(row), date.days()).map(|other| (row, other));
    let Some((row, other)) = (0..codes.len()).find_map(other) else { return Ok(()) };
    let what = format!("row {} has the code {:?}, which is {other:?} in the store", row + 1, codes.value(row));
    let way_out = "write the file with the codes that the store has".to_owned();
    Err(Reason::new(Kind::OtherCode, what).or(Remedy::Do(way_out)))
}

/// For each column of the panel, its place among the values of `schema`.
///
/// # Errors
/// When there is not one for each, or one more.
pub(super) fn values(schema: &FileSchema, panel: &PanelSchema) -> Result<Vec<usize>, Reason> {
    let places = panel.places();
    let others = schema.values.iter().filter(|value| !places.contains_key(value.name.as_str()));
    let others: Vec<&str> = others.map(|value| value.own_name.as_str()).collect();
    let values: HashMap<&str, usize> =
        schema.values.iter().enumerate().rev().map(|(at, value)| (value.name.as_str(), at)).collect();
    let lacking: Vec<&str> =
        panel.columns.iter().map(|column| column.name.as_str()).filter(|name| !values.contains_key(name)).collect();
    if let [first, ..] = others[..] {
        let what = format!("has {}, which the store does not have", named(&others));
        let reason = Reason::new(Kind::OtherColumns, what).of_column(first);
        let anew = || Remedy::Do("write it with the columns that the store has".to_owned());
        return Err(match lacking[..] {
            [] => reason.or(excluding(&others)),
            _ => reason.but(&format!("it lacks {}", named(&lacking))).or(anew()),
        });
    }
    if !lacking.is_empty() {
        let it = if lacking.len() == 1 { "it" } else { "them" };
        let is_of_key = panel.key.iter().any(|&place| lacking.contains(&panel.columns[place].name.as_str()));
        let null = if is_of_key { "" } else { ", null where there is no value" };
        let way_out = format!("write the file with {it}{null}");
        return Err(Reason::new(Kind::OtherColumns, format!("lacks {}", named(&lacking))).or(Remedy::Do(way_out)));
    }
    Ok(panel.columns.iter().filter_map(|column| values.get(column.name.as_str()).copied()).collect())
}

/// Columns in a message: `the column "a"`, `the columns "a" and "b"`.
fn named(names: &[&str]) -> String {
    let noun = if names.len() == 1 { "column" } else { "columns" };
    format!("the {noun} {}", listed(&names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>()))
}

/// Why a file without rows is refused: whether its date is to go is not for an empty file to say.
pub(super) fn no_rows() -> Reason {
    Reason::new(Kind::NoRows, "has no rows")
}

/// The way out for rows that no setting mends.
fn without_them() -> Remedy {
    Remedy::Do("write the file without such rows".to_owned())
}
