//! Which stocks count on which dates: the members of an index, say, as they were known on each date.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_cast::cast;
use arrow_schema::DataType;

use super::section::Section;
use super::view::Store;
use crate::error::{Error, Result};
use crate::format::checksum;
use crate::key::Date;

/// Names of a date column, beside the store's own.
const DATES: [&str; 3] = ["date", "trade_date", "datetime"];
/// Names of a code column, beside the store's own.
const CODES: [&str; 5] = ["code", "stock", "symbol", "ticker", "ts_code"];

/// Which rows belong to a universe; all others are as if the panel lacked them.
#[derive(Debug, Clone)]
pub enum Universe {
    /// The rows in which this column is true, or another number than 0.
    Column(String),
    /// Those of these dates and codes, a row each. Dates and codes that the store lacks are no members.
    Rows(Vec<RecordBatch>),
}

/// A universe found in one version.
#[derive(Debug, Clone)]
pub(super) enum Members {
    /// Place among the panel's columns.
    Column(usize),
    /// Numbers of the stocks, by date.
    Stocks(Arc<HashMap<Date, HashSet<i32>>>),
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
        let mut numbers: Vec<i32> = dates.get(&date).into_iter().flatten().copied().collect();
        numbers.sort_unstable();
        Some(checksum(bytemuck::cast_slice(&numbers)))
    }

    /// Which rows of `section` are members.
    ///
    /// # Errors
    /// When the section is damaged.
    pub(super) fn rows(&self, section: &Section) -> Result<BooleanBuffer> {
        match self {
            Members::Column(column) => {
                let values = cast(section.column_at(*column)?.stored(), &DataType::Boolean);
                let values = values.map_err(Error::failed("read a universe"))?;
                let values = values.as_boolean();
                Ok(match values.nulls() {
                    None => values.values().clone(),
                    Some(valid) => values.values() & valid.inner(),
                })
            }
            Members::Stocks(dates) => {
                let Some(members) = dates.get(&section.date()) else {
                    return Ok(BooleanBuffer::new_unset(section.row_count()));
                };
                Ok(section.stock_numbers()?.iter().map(|number| members.contains(number)).collect())
            }
        }
    }
}

fn of_rows(store: &Store, batches: &[RecordBatch]) -> Result<Members> {
    let codes: HashMap<&str, i32> =
        store.version.codes()?.iter().zip(0..).filter_map(|(code, number)| Some((code?, number))).collect();
    let mut dates: HashMap<Date, HashSet<i32>> = HashMap::new();
    let mut found = 0;
    for batch in batches {
        let (date, code) = columns_of(store, batch)?;
        let (days, names) = (as_days(&date)?, as_texts(&code)?);
        for (day, name) in days.into_iter().zip(names.as_string::<i32>()) {
            let member = day.zip(name.and_then(|name| codes.get(name)));
            if let Some((day, &number)) = member {
                found += usize::from(store.place_of(day).is_ok());
                dates.entry(day).or_default().insert(number);
            }
        }
    }
    if found == 0 && batches.iter().any(|batch| batch.num_rows() > 0) {
        let what = "the universe names no date and code that the store has";
        return Err(Error::refused(what, "see that both are spelt as in the store"));
    }
    Ok(Members::Stocks(dates.into()))
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

/// Each date; `None` where it is null.
fn as_days(dates: &ArrayRef) -> Result<Vec<Option<Date>>> {
    let texts = match dates.data_type() {
        DataType::Timestamp(..) | DataType::Date64 => as_texts(&cast(dates, &DataType::Date32).map_err(unread)?)?,
        _ => as_texts(dates)?,
    };
    let day = |text: &str| {
        text.parse::<Date>().map_err(|why| Error::refused("the universe has a date that cannot be read", why))
    };
    texts.as_string::<i32>().iter().map(|text| text.map(day).transpose()).collect()
}

fn as_texts(values: &ArrayRef) -> Result<ArrayRef> {
    cast(values, &DataType::Utf8).map_err(unread)
}

fn unread(error: arrow_schema::ArrowError) -> Error {
    Error::failed("read the universe")(error)
}
