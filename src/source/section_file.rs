//! Reads one per-date file, of the shape that a transpose writes: its date, its codes, and its columns in the types of
//! a panel that is there already.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::take::take;

use super::allowance::{Allowance, Meter, ROW_LEN};
use super::content::{self, Content, WHOLE, guarded};
use super::convert::{convert, widen};
use super::date::column::{DateReader, DateRules};
use super::input::formats::survey_by_hand;
use super::input::interner::Interner;
use super::input::parts::{cast_parts, lost_of_field};
use super::input::schema::{FileColumn, FileSchema, Footer, KeyColumn, Value};
use super::losses::Losses;
use super::options::{BadDates, Cast, SourceOptions};
use super::read::codes::{no_code, no_codes};
use super::read::file::no_key;
use super::types::{is_text, shown_type};
use super::weight::written_out;
use crate::compare::KeyOrder;
use crate::error::Error;
use crate::hint::listed;
use crate::key::Date;
use crate::panel::{Column, PanelSchema, show};
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting, excluding};

/// Why a file without rows is refused: whether its date is to go is not for an empty file to say.
fn no_rows() -> Reason {
    Reason::new(Kind::NoRows, "has no rows")
}

/// One per-date file, read.
#[derive(Debug)]
pub struct SectionFile {
    /// The date of all rows.
    pub date: Date,
    /// The rows' codes, ascending; those of one code are in the order of their further key columns.
    pub codes: Vec<String>,
    /// The panel's columns in its types, in the order of the codes.
    pub columns: Vec<ArrayRef>,
    /// What it says of itself that outputs do not carry.
    pub losses: Losses,
    /// What it takes of the memory, for as long as it is there.
    _meter: Arc<Meter>,
}

/// Reads the Parquet, Arrow or csv file at `path` as a section of `panel`, which was made with `options`. The date comes
/// from the date column or from the file's name (`20240102.parquet`, `trade_date=20240102/data.parquet`); where both
/// say it, they must agree. The file must have every column of the panel and no other. Holds its columns in memory, and
/// the file, as far as `allowance` lets it.
///
/// # Errors
/// The reason why the file cannot be used.
pub fn read_section(
    path: &Path,
    options: &SourceOptions,
    panel: &PanelSchema,
    allowance: &Arc<Allowance>,
) -> Result<SectionFile, Reason> {
    let options = section_options(options, panel);
    section_at(path, &options, panel, allowance).map_err(|reason| of_store(reason, &options, panel))
}

/// `reason` with those of its ways out that keep to a store which is there: its columns stay, and have their types.
fn of_store(reason: Reason, options: &SourceOptions, panel: &PanelSchema) -> Reason {
    let is_ours = |name: &String| {
        let name = options.name_of(name);
        name == panel.code.name || name == panel.date_name || panel.index_of(&name).is_some()
    };
    let helps = |setting: &Setting| match setting {
        Setting::Exclude(names) => !names.iter().any(is_ours),
        Setting::Memory(_) => true,
        _ => false,
    };
    let helps = |remedy: &Remedy| match remedy {
        Remedy::Set { settings, .. } => settings.iter().all(helps),
        _ => true,
    };
    reason.keep_ways(helps, AS_THE_STORE)
}

/// What helps a file of other types.
const AS_THE_STORE: &str = "write the file with the types that the store has";

fn section_at(
    path: &Path,
    options: &SourceOptions,
    panel: &PanelSchema,
    allowance: &Arc<Allowance>,
) -> Result<SectionFile, Reason> {
    let (_, stamp) = content::open(path)?;
    let content = Content::load(path, stamp, allowance.free().min(WHOLE))?;
    // What is read piece by piece is compared with this afterwards.
    content.hash()?;
    let meter = Meter::new(allowance);
    let interner = Interner::new(options, allowance);
    let Footer { schema, has_attrs, row_count, .. } = survey_by_hand(path, &content, &interner)?;
    let schema = in_types_of(panel, schema, options);
    if row_count == 0 {
        return Err(no_rows());
    }
    let mut leaves: Vec<usize> = schema.values.iter().map(|value| value.leaf).collect();
    leaves.extend(schema.date.iter().chain(&schema.code).map(|key| key.leaf));
    let columns = guarded(|| read_leaves(content, &schema, leaves, allowance))?;
    let mut section = guarded(|| section(path, &schema, columns, options, panel, meter))?;
    section.losses.count_attrs(usize::from(has_attrs));
    Ok(section)
}

/// How a file of the shape of an output is read, whatever the files of the store's source are like: its date is that of
/// the output's column, and a column that the output has beside it is no date.
pub(super) fn section_options(options: &SourceOptions, panel: &PanelSchema) -> SourceOptions {
    let mut date_columns = options.date_columns.clone();
    if options.date_name.is_some() || !date_columns.is_empty() {
        date_columns.retain(|name| *name != panel.date_name && panel.index_of(name).is_none());
        date_columns.insert(0, panel.date_name.clone());
    }
    SourceOptions { date_columns, epoch: None, roll: None, bad_dates: BadDates::Error, ..options.clone() }
}

/// `schema` of a file of text with its columns cast to those of `panel`; any other as it is.
fn in_types_of(panel: &PanelSchema, schema: Arc<FileSchema>, options: &SourceOptions) -> Arc<FileSchema> {
    if schema.columns.iter().all(|column| column.fields.is_none()) {
        return schema;
    }
    let mut options = options.clone();
    options.casts = Vec::new();
    for column in &schema.columns {
        if let Some(place) = panel.index_of(&options.name_of(&column.name)) {
            let to = panel.columns[place].data_type.clone();
            options.casts.push(Cast { column: column.name.clone(), to });
        }
    }
    Arc::new(cast_parts(schema.format.clone(), schema.columns.clone(), &options))
}

/// The columns of a file, by their place in it.
pub(super) type Columns = HashMap<usize, ArrayRef>;

/// These columns of a file.
pub(super) fn read_leaves(
    content: Content,
    schema: &Arc<FileSchema>,
    mut leaves: Vec<usize>,
    allowance: &Arc<Allowance>,
) -> Result<Columns, Reason> {
    leaves.sort_unstable();
    leaves.dedup();
    let file = schema.open(content, allowance)?;
    let rows = file.row_count().and_then(|rows| usize::try_from(rows).ok());
    let columns = file.columns(&leaves, rows)?;
    file.check_unchanged()?;
    Ok(leaves.iter().copied().zip(columns).collect())
}

/// Which columns are code, date and values.
pub(super) fn roles(schema: &Schema, options: &SourceOptions) -> Arc<FileSchema> {
    let column = |(leaf, field): (usize, &Arc<Field>)| FileColumn {
        name: field.name().clone(),
        leaf,
        raw: if field.data_type().is_nested() {
            Err(shown_type(field.data_type()))
        } else {
            Ok(field.data_type().clone())
        },
        fields: None,
        is_instant: false,
        may_round: false,
        loss: lost_of_field(field),
    };
    let columns = schema.fields().iter().enumerate().map(column).collect();
    Arc::new(cast_parts(None, columns, options))
}

fn columns_of(batch: &RecordBatch) -> Columns {
    batch.columns().iter().cloned().enumerate().collect()
}

/// As [`read_section`], of the rows that `batch` gives, which take so many bytes; the date comes from the date column. The
/// inner error is the reason why they cannot be used.
///
/// # Errors
/// Those of `batch`.
pub fn take_frame(
    (bytes, batch): (u64, impl FnOnce() -> Result<RecordBatch, Error>),
    options: &SourceOptions,
    panel: &PanelSchema,
    allowance: &Arc<Allowance>,
) -> Result<Result<SectionFile, Reason>, Error> {
    let meter = Meter::new(allowance);
    if let Err(reason) = hold(&meter, "with its rows put together, it", bytes, bytes) {
        return Ok(Err(reason));
    }
    let batch = batch()?;
    let schema = roles(&batch.schema(), options);
    Ok(guarded(|| section(Path::new(""), &schema, columns_of(&batch), options, panel, meter)))
}

/// The day of each row.
pub(super) fn days_of(date: &KeyColumn, columns: &Columns, options: &SourceOptions) -> Result<Vec<i32>, Reason> {
    let rules = DateRules::new(options).map_err(|error| Reason::new(Kind::BadDate, error.to_string()))?;
    let mut dates = DateReader::new(&date.name, &date.raw, &rules);
    let column = columns.get(&date.leaf).ok_or_else(|| Reason::damaged("its date column is not there"))?;
    // Settings are for the stocks' files: a date is given as a whole.
    dates.push(column).map_err(|reason| reason.alone().or(without_them()))?;
    Ok(dates.days)
}

/// Takes memory for `kept` bytes, and for `passing` ones for a while.
///
/// # Errors
/// A refusal with the figure, where it is too much.
fn hold(meter: &Meter, what: &str, kept: u64, passing: u64) -> Result<(), Reason> {
    if meter.take(kept, passing) {
        return Ok(());
    }
    let bytes = meter.used().saturating_add(kept).saturating_add(passing);
    Err(meter.allowance.refusal(what, bytes))
}

/// Takes memory for a section of these columns, each value of which is written out in the types of `panel`; the one that
/// is being made is there twice.
fn hold_section(schema: &FileSchema, columns: &Columns, panel: &PanelSchema, meter: &Meter) -> Result<(), Reason> {
    let rows = columns.values().map(|array| array.len() as u64).max().unwrap_or(0);
    // The bytes of the file are gone by now.
    meter.start(0);
    // Counting the texts takes memory for each row.
    hold(meter, &format!("has {rows} rows, which"), rows.saturating_mul(ROW_LEN), 0)?;
    // The codes are there as an array and one by one.
    let keys = schema.code.iter().chain(&schema.code).chain(&schema.date);
    let mut lens: Vec<u64> =
        keys.filter_map(|key| columns.get(&key.leaf)).map(|array| written_out(array, &DataType::Utf8)).collect();
    let places = panel.places();
    for value in &schema.values {
        if let Some((array, place)) = columns.get(&value.leaf).zip(places.get(value.name.as_str())) {
            lens.push(written_out(array, &panel.columns[*place].data_type));
        }
    }
    let held: u64 = columns.values().map(|array| array.to_data().get_slice_memory_size().unwrap_or(0) as u64).sum();
    hold(meter, "with its values written out, it", held + lens.iter().sum::<u64>(), lens.into_iter().max().unwrap_or(0))
}

fn section(
    path: &Path,
    schema: &FileSchema,
    mut columns: Columns,
    options: &SourceOptions,
    panel: &PanelSchema,
    meter: Arc<Meter>,
) -> Result<SectionFile, Reason> {
    if let Some(refusal) = &schema.refusal {
        return Err(refusal.clone());
    }
    hold_section(schema, &columns, panel, &meter)?;
    let code = schema.code.as_ref().and_then(|code| columns.get(&code.leaf));
    let code = code.ok_or_else(|| no_codes(&panel.code.name))?;
    let codes = cast(code, &DataType::Utf8).map_err(Reason::undecodable)?;
    let codes = codes.as_string::<i32>();
    if codes.is_empty() {
        return Err(no_rows());
    }
    if let Some(row) = (0..codes.len()).find(|&row| codes.is_null(row) || codes.value(row).is_empty()) {
        return Err(no_code(row));
    }
    let date = match &schema.date {
        Ok(date) => {
            let days = days_of(date, &columns, options)?;
            let first = days[0];
            if let Some(row) = days.iter().position(|&day| day != first) {
                let what = format!("has several dates: row {} differs from row 1", row + 1);
                return Err(Reason::new(Kind::OtherDate, what).or(Remedy::Do("write a file for each date".to_owned())));
            }
            let day = Date::from_days(first).ok_or_else(|| Reason::damaged("its date is beyond all years"))?;
            if let Some(named) = date_of_name(path).filter(|named| *named != day) {
                let what = format!("its rows are of {day}, its name says {named}");
                return Err(
                    Reason::new(Kind::OtherDate, what).or(Remedy::Do("rename the file, or write it anew".to_owned()))
                );
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

    if let Some(map) = &options.code_map {
        let other = |row| map.other_code_of(codes.value(row), date.days()).map(|other| (row, other));
        if let Some((row, other)) = (0..codes.len()).find_map(other) {
            let what = format!("row {} has the code {:?}, which is {other:?} in the store", row + 1, codes.value(row));
            let way_out = "write the file with the codes that the store has".to_owned();
            return Err(Reason::new(Kind::OtherCode, what).or(Remedy::Do(way_out)));
        }
    }

    let places = panel.places();
    let others: Vec<&str> =
        schema.values.iter().map(|value| value.name.as_str()).filter(|name| !places.contains_key(name)).collect();
    if !others.is_empty() {
        let what = format!("has {}, which the store does not have", named(&others));
        return Err(Reason::new(Kind::OtherColumns, what).or(excluding(&others)));
    }
    let values: HashMap<&str, &Value> = schema.values.iter().rev().map(|value| (value.name.as_str(), value)).collect();
    let lacking: Vec<&str> =
        panel.columns.iter().map(|column| column.name.as_str()).filter(|name| !values.contains_key(name)).collect();
    if !lacking.is_empty() {
        let it = if lacking.len() == 1 { "it" } else { "them" };
        let way_out = format!("write the file with {it}, null where there is no value");
        return Err(Reason::new(Kind::OtherColumns, format!("lacks {}", named(&lacking))).or(Remedy::Do(way_out)));
    }
    let value_of = |column: &Column| {
        let value = values.get(column.name.as_str()).copied();
        value.ok_or_else(|| Reason::new(Kind::OtherColumns, format!("lacks the column {:?}", column.name)))
    };
    let is_of_text = schema.columns.iter().any(|column| column.fields.is_some());
    let widened = |value: &Value, column: &Column, array: Option<&ArrayRef>| match array {
        Some(array) => {
            let (raw, panels) = (&value.raw, &column.data_type);
            // Exact as they may be: what a bare number counts nobody knows.
            let lack_unit = (raw.is_temporal() && panels.is_numeric()) || (raw.is_numeric() && panels.is_temporal());
            let widened = match lack_unit && array.logical_null_count() < array.len() {
                true => Err("a bare number does not say what it counts".to_owned()),
                false if is_of_text && !is_text(panels) => convert(array, panels),
                false => widen(array, panels, 0),
            };
            widened.map_err(|why| {
                let what = format!("its column {:?} is {}, {panels} in the store: {why}", column.name, shown_type(raw));
                let reason = Reason::new(Kind::TypesDiffer, what).of_column(&column.name);
                reason.or(Remedy::Do(AS_THE_STORE.to_owned()))
            })
        }
        None => Ok(arrow_array::new_null_array(&column.data_type, codes.len())),
    };
    let key = panel.key.iter().map(|&index| {
        let (column, value) = (&panel.columns[index], value_of(&panel.columns[index])?);
        let array = widened(value, column, columns.get(&value.leaf))?;
        match (0..array.len()).find(|&row| array.is_null(row)) {
            Some(row) => Err(no_key(row, &column.name)),
            None => Ok(array),
        }
    });
    let order = order(codes, &key.collect::<Result<Vec<ArrayRef>, Reason>>()?)?;
    let mut arrays = Vec::with_capacity(panel.columns.len());
    for column in &panel.columns {
        let value = value_of(column)?;
        let array = widened(value, column, columns.remove(&value.leaf).as_ref())?;
        arrays.push(take(&array, &order, None).map_err(Reason::undecodable)?);
    }
    let codes = order.values().iter().map(|&row| codes.value(row as usize).to_owned()).collect();
    Ok(SectionFile { date, codes, columns: arrays, losses: Losses::of(schema, options), _meter: meter })
}

/// The rows in key order.
///
/// # Errors
/// When two have the same key.
fn order(codes: &StringArray, key: &[ArrayRef]) -> Result<UInt32Array, Reason> {
    let key_order = KeyOrder::new(key, key).map_err(Reason::undecodable)?;
    let compare = |a: &u32, b: &u32| {
        let (a, b) = (*a as usize, *b as usize);
        codes.value(a).cmp(codes.value(b)).then_with(|| key_order.compare(a, b))
    };
    let mut order: Vec<u32> = (0..codes.len() as u32).collect();
    order.sort_by(compare);
    match order.windows(2).find(|rows| compare(&rows[0], &rows[1]).is_eq()) {
        Some(rows) => {
            let row = rows[0] as usize;
            let key: String = key.iter().map(|column| format!(" {}", show(column, row))).collect();
            let what = format!("has two rows for {:?}{key}", codes.value(row));
            Err(Reason::new(Kind::DifferingRows, what).or(without_them()))
        }
        None => Ok(UInt32Array::from(order)),
    }
}

/// Columns in a message: `the column "a"`, `the columns "a" and "b"`.
fn named(names: &[&str]) -> String {
    let noun = if names.len() == 1 { "column" } else { "columns" };
    format!("the {noun} {}", listed(&names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>()))
}

/// The way out for rows that no setting mends.
fn without_them() -> Remedy {
    Remedy::Do("write the file without such rows".to_owned())
}

/// The date in a file's name or in the directory it lies in, `key=` before it or not.
fn date_of_name(path: &Path) -> Option<Date> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let parent = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let date = |name: &str| name.rsplit('=').next()?.parse().ok();
    stem.and_then(date).or_else(|| parent.and_then(date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_found_in_names_as_transpose_makes_them() {
        let date = |path: &str| date_of_name(Path::new(path)).map(|date| date.to_string());
        for path in
            ["20240102.parquet", "out/2024-01-02.arrow", "trade_date=20240102/data.parquet", "20240102/x.parquet"]
        {
            assert_eq!(date(path).as_deref(), Some("20240102"), "{path}");
        }
        for path in ["data.parquet", "x/data.parquet", "202401.parquet", "20240102/deeper/data.parquet"] {
            assert_eq!(date(path), None, "{path}");
        }
    }
}
