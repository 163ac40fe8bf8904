//! Which stocks count on which dates: the members of an index, say, as they were known on each date.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};

use super::section::Section;
use super::view::Store;
use crate::error::{Error, Result};
use crate::format::checksum;
use crate::hint::{counted, listed};
use crate::key::Date;

/// Names of a date column, beside the store's own.
const DATES: [&str; 3] = ["date", "trade_date", "datetime"];
/// Names of a code column, beside the store's own.
const CODES: [&str; 5] = ["code", "stock", "symbol", "ticker", "ts_code"];

/// Which rows belong to a universe; all others are as if the panel lacked them.
#[derive(Debug, Clone)]
pub enum Universe {
    /// The rows in which this column is true, or another number than 0. A null or a NaN is neither.
    Column(String),
    /// Those of these dates and codes, a row each. Dates and codes that the store lacks are no members. A column of booleans,
    /// or of 1 and 0, beside them must be true in all rows.
    Rows(Vec<RecordBatch>),
}

impl Universe {
    /// What to tell of its dates and codes that `store` lacks, which are passed over. Looks at each of its rows.
    ///
    /// # Errors
    /// When its rows have none, or the catalog is damaged.
    pub fn notes(&self, store: &Store) -> Result<Vec<String>> {
        let (dates, codes) = self.unknown(store)?;
        let dates = (dates.iter().map(Date::to_string).collect(), "date", "dates");
        let unknown: [(Vec<String>, &str, &str); 2] = [dates, (codes.into_iter().collect(), "code", "codes")];
        let some = unknown.iter().filter(|(names, ..)| !names.is_empty());
        let note = |(names, one, many): &(Vec<String>, &str, &str)| {
            let count = counted(names.len(), one, many);
            format!("the universe names {count} that the store lacks: {}", listed(names))
        };
        Ok(some.map(note).collect())
    }

    /// The dates and the codes of its rows that `store` lacks.
    fn unknown(&self, store: &Store) -> Result<(BTreeSet<Date>, BTreeSet<String>)> {
        let (mut dates, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        let Universe::Rows(batches) = self else { return Ok((dates, unknown)) };
        let known: HashSet<&str> = store.version.codes()?.iter().flatten().collect();
        for batch in batches {
            let (days, codes) = columns_of(store, batch)?;
            dates.extend(as_days(&days)?.into_iter().flatten().filter(|day| store.place_of(*day).is_err()));
            let codes = as_texts(&codes)?;
            let strange = codes.as_string::<i32>().iter().flatten().filter(|code| !known.contains(code));
            for code in strange {
                if !unknown.contains(code) {
                    unknown.insert(code.to_owned());
                }
            }
        }
        Ok((dates, unknown))
    }
}

/// A universe found in one version.
#[derive(Debug, Clone)]
pub(super) enum Members {
    /// Place among the panel's columns.
    Column(usize),
    /// Numbers of the stocks, ascending, by date.
    Stocks(Arc<HashMap<Date, Vec<u32>>>),
}

impl Members {
    /// Finds `universe` in `store`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a column that is not there, [`Error::Refused`] for one that says neither yes nor no, and
    /// for rows that have no dates and codes, or none of the store's.
    pub(super) fn find(store: &Store, universe: &Universe) -> Result<Members> {
        match universe {
            Universe::Column(name) => {
                let panel = store.schema()?;
                let column = panel.find(name)?;
                let data_type = &panel.columns[column].data_type;
                if *data_type != DataType::Boolean && !data_type.is_numeric() {
                    let what = format!("column {name:?} is {data_type} and says of no row whether it is a member");
                    return Err(Error::refused(what, "name a column of booleans"));
                }
                Ok(Members::Column(column))
            }
            Universe::Rows(batches) => of_rows(store, batches),
        }
    }

    /// What says which stocks are members on `date`, as a checksum; `None` where the rows themselves say it.
    pub(super) fn checksum_on(&self, date: Date) -> Option<u64> {
        let Members::Stocks(dates) = self else { return None };
        Some(checksum(bytemuck::cast_slice(dates.get(&date).map_or(&[][..], Vec::as_slice))))
    }

    /// Which rows of `section` are members.
    ///
    /// # Errors
    /// When the section is damaged.
    pub(super) fn rows(&self, section: &Section) -> Result<BooleanBuffer> {
        match self {
            Members::Column(column) => {
                let said = are_true(section.column_at(*column)?.stored()).map_err(Error::failed("read a universe"))?;
                Ok(match said.nulls() {
                    None => said.values().clone(),
                    Some(valid) => said.values() & valid.inner(),
                })
            }
            Members::Stocks(dates) => {
                let Some(members) = dates.get(&section.date()) else {
                    return Ok(BooleanBuffer::new_unset(section.row_count()));
                };
                Ok(section.stock_numbers()?.iter().map(|number| members.binary_search(number).is_ok()).collect())
            }
        }
    }
}

/// Which values are true, or numbers other than 0.
fn are_true(values: &dyn Array) -> Result<BooleanArray, ArrowError> {
    let data_type = match values.data_type() {
        DataType::Dictionary(_, of) => of,
        other => other,
    };
    if matches!(data_type, DataType::Boolean) || data_type.is_integer() {
        return Ok(cast(values, &DataType::Boolean)?.as_boolean().clone());
    }
    // Nothing but 0 becomes 0, and of a NaN nobody knows.
    let numbers = cast(values, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    Ok(BooleanArray::from_unary(numbers, |number| number != 0.0 && !number.is_nan()))
}

fn of_rows(store: &Store, batches: &[RecordBatch]) -> Result<Members> {
    let codes: HashMap<&str, u32> =
        store.version.codes()?.iter().zip(0..).filter_map(|(code, number)| Some((code?, number))).collect();
    let mut dates: HashMap<Date, Vec<u32>> = HashMap::new();
    for batch in batches {
        let (date, code) = columns_of(store, batch)?;
        check_true(batch)?;
        for (day, number) in as_days(&date)?.into_iter().zip(numbers(&code, &codes)?) {
            // Others are no rows of the store.
            if let Some((day, number)) = day.zip(number).filter(|(day, _)| store.place_of(*day).is_ok()) {
                dates.entry(day).or_default().push(number);
            }
        }
    }
    for members in dates.values_mut() {
        members.sort_unstable();
        members.dedup();
        members.shrink_to_fit();
    }
    let found = dates.len();
    if found == 0 && batches.iter().any(|batch| batch.num_rows() > 0) {
        let what = "the universe names no date and code that the store has";
        return Err(Error::refused(what, "see that both are spelt as in the store"));
    }
    Ok(Members::Stocks(dates.into()))
}

/// Refuses rows of which a column says that they are no members.
fn check_true(batch: &RecordBatch) -> Result<()> {
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if says_no(column).map_err(unread)? {
            let what = format!("all rows of a universe are its members, and {:?} is not true in some", field.name());
            return Err(Error::refused(what, "leave those rows out, or that column"));
        }
    }
    Ok(())
}

/// Whether a column says yes and no, as booleans or as 1 and 0, and no of a row.
fn says_no(column: &ArrayRef) -> Result<bool, ArrowError> {
    if let Some(said) = column.as_boolean_opt() {
        return Ok(said.true_count() < said.len());
    }
    if !column.data_type().is_integer() {
        return Ok(false);
    }
    let numbers = cast(column, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    Ok(numbers.iter().all(|number| number.is_none_or(|number| (0..=1).contains(&number)))
        && numbers.iter().any(|number| number == Some(0)))
}

/// The columns of dates and codes.
fn columns_of(store: &Store, batch: &RecordBatch) -> Result<(ArrayRef, ArrayRef)> {
    let panel = store.schema()?;
    let find = |own: &str, others: &[&str]| {
        let named = [own].into_iter().chain(others.iter().copied()).find_map(|name| batch.column_by_name(name));
        named.cloned().ok_or_else(|| {
            let what = format!("the universe has no column {own:?}");
            Error::refused(what, format!("call it that, or {}", others.join(" or ")))
        })
    };
    Ok((find(&panel.date_name, &DATES)?, find(&panel.code.name, &CODES)?))
}

/// The number of each code; `None` where it is null or not known. Of a dictionary each is looked for once.
fn numbers(values: &ArrayRef, known: &HashMap<&str, u32>) -> Result<Vec<Option<u32>>> {
    if let Some(coded) = values.as_any_dictionary_opt() {
        let own = numbers(coded.values(), known)?;
        // Arrow gives no keys where there is nothing that they could stand for.
        if own.is_empty() {
            return Ok(vec![None; coded.len()]);
        }
        let is_valid = |row: &usize| coded.keys().is_valid(*row);
        let keys = coded.normalized_keys();
        return Ok((0..coded.len()).map(|row| Some(row).filter(is_valid).and_then(|row| own[keys[row]])).collect());
    }
    let texts = as_texts(values)?;
    Ok(texts.as_string::<i32>().iter().map(|text| known.get(text?).copied()).collect())
}

/// Each date; `None` where it is null.
fn as_days(dates: &ArrayRef) -> Result<Vec<Option<Date>>> {
    if let DataType::Timestamp(..) | DataType::Date64 = dates.data_type() {
        return as_days(&cast(dates, &DataType::Date32).map_err(unread)?);
    }
    let unreadable = |why: String| Error::refused("the universe has a date that cannot be read", why);
    if let Some(days) = dates.as_primitive_opt::<Date32Type>() {
        let day = |day: i32| Date::from_days(day).ok_or_else(|| unreadable("keep to four digits of a year".to_owned()));
        return days.iter().map(|days| days.map(day).transpose()).collect();
    }
    let texts = as_texts(dates)?;
    let day = |text: &str| text.parse::<Date>().map_err(unreadable);
    texts.as_string::<i32>().iter().map(|text| text.map(day).transpose()).collect()
}

fn as_texts(values: &ArrayRef) -> Result<ArrayRef> {
    cast(values, &DataType::Utf8).map_err(unread)
}

fn unread(error: arrow_schema::ArrowError) -> Error {
    Error::failed("read the universe")(error)
}
