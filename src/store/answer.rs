//! The answer to a request: its columns, dates and stocks found in one version, and its rows, section by section.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::take::{take, take_record_batch};

use super::at::At;
use super::column::StoredColumn;
use super::request::{CodeType, DateType, Request, Types, ValueTypes, unknown_names};
use super::section::Section;
use super::universe::Members;
use super::version::Version;
use super::view::Store;
use crate::error::{Error, Result, Wanted};
use crate::hint::slip;
use crate::key::Date;
use crate::panel::restore;

/// What a [`Request`] asks for, found in one version. Holds no rows, and is cheap to clone.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) store: Store,
    /// Places among the panel's columns.
    pub(super) columns: Arc<[usize]>,
    /// Places among the store's dates, ascending.
    pub(super) places: Arc<[usize]>,
    pub(super) stocks: Option<Stocks>,
    /// The key columns whose value was named.
    pub(super) at: Arc<[At]>,
    pub(super) members: Option<Members>,
    pub(super) types: Types,
    schema: SchemaRef,
}

/// The stocks that were asked for.
#[derive(Debug, Clone)]
pub(super) struct Stocks {
    /// In the order in which they were named, each once.
    pub(super) codes: Arc<[String]>,
    /// For each place in code order where the stock stands among them; `u32::MAX` for one that was not named.
    pub(super) columns: Arc<[u32]>,
    /// For each stock number, whether it was named.
    is_named: Arc<[bool]>,
}

impl Store {
    /// The value of the key column `name` that is written `text`, as rows show it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that is none of a key column, [`Error::Refused`] for a text that is no value of it.
    pub(crate) fn key_value(&self, name: &str, text: &str) -> Result<String> {
        Ok(At::find(self, name, text)?.shown())
    }

    /// Finds what `request` asks for. Costs a look at each date and stock that it names; no row is read.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a column, a date or a stock that the store lacks, naming the nearest ones.
    pub fn answer(&self, request: &Request) -> Result<Answer> {
        let panel = self.schema()?;
        let columns: Vec<usize> = match &request.columns {
            Some(names) => {
                // Code and date come first in any case.
                let is_value = |name: &&str| **name != panel.code.name && **name != panel.date_name;
                let mut columns = panel.find_all(names.iter().map(String::as_str).filter(is_value))?;
                let mut known = HashSet::new();
                columns.retain(|&index| known.insert(index));
                columns
            }
            None => (0..panel.columns.len()).collect(),
        };
        let places: Vec<usize> = request.dates.resolve(self)?;
        let stocks =
            request.stocks.as_ref().map(|codes| Stocks::find(self, codes, request.ignore_unknown)).transpose()?;
        let at = request.at.iter().map(|(name, text)| At::find(self, name, text)).collect::<Result<_>>()?;
        let members = request.universe.as_ref().map(|universe| Members::find(self, universe)).transpose()?;
        let schema = schema(self, &columns, request.types)?;
        let (columns, places) = (columns.into(), places.into());
        Ok(Answer { store: self.clone(), columns, places, stocks, at, members, types: request.types, schema })
    }
}

/// Code and date, then these of the panel's columns.
fn schema(store: &Store, columns: &[usize], types: Types) -> Result<SchemaRef> {
    let panel = store.schema()?;
    let mut fields = key_fields(store, types)?;
    let column = |&index: &usize| {
        let column = &panel.columns[index];
        Arc::new(Field::new(&column.name, column.data_type.clone(), true))
    };
    fields.extend(columns.iter().map(column));
    Ok(Arc::new(Schema::new(fields)))
}

impl Answer {
    /// The store that it is found in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The dates, ascending.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn dates(&self) -> Result<Vec<Date>> {
        let all = self.store.dates()?;
        Ok(self.places.iter().map(|&place| all[place]).collect())
    }

    /// Names and types of the columns of all batches, code and date first. Where values are asked for as they are
    /// stored, each batch may have narrower ones.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The section of the `index`-th date, whole.
    ///
    /// # Errors
    /// When there are not so many dates, or the store is damaged.
    pub fn section(&self, index: usize) -> Result<Section> {
        let place = self.places.get(index).ok_or_else(|| {
            Error::not_found(Wanted::Date, format!("section {index}"), format!("there are {}", self.places.len()))
        })?;
        self.store.section_at(*place)
    }

    /// How many rows are asked for. Where some are chosen, reads the codes of each section, and what else tells.
    ///
    /// # Errors
    /// As [`batch`](Answer::batch).
    pub fn row_count(&self) -> Result<usize> {
        (0..self.places.len()).try_fold(0, |sum, index| {
            let section = self.section(index)?;
            let chosen = self.rows(&section)?;
            Ok(sum + chosen.map_or(section.row_count(), |rows| rows.count_set_bits()))
        })
    }

    /// The rows of the `index`-th date, by code. Columns that are asked for as they are stored are not copied, unless
    /// stocks are chosen.
    ///
    /// # Errors
    /// As [`section`](Answer::section); also when a checksum does not match.
    pub fn batch(&self, index: usize) -> Result<RecordBatch> {
        self.batch_of(&self.section(index)?)
    }

    /// The rows of all dates, by date and code, a batch for each date; holds one at a time.
    pub fn batches(&self) -> impl Iterator<Item = Result<RecordBatch>> {
        (0..self.places.len()).map(|index| self.batch(index))
    }

    /// The same of all key columns' values, with these columns too, the last of which are those whose value was named.
    pub(super) fn whole(&self) -> Result<Answer> {
        let mut columns = self.columns.to_vec();
        columns.extend(self.at.iter().map(|at| at.column));
        let schema = schema(&self.store, &columns, self.types)?;
        Ok(Answer { columns: columns.into(), at: Arc::default(), schema, ..self.clone() })
    }

    /// The rows of the `index`-th date as they lie in the map, whose checksums were compared; the types that were asked for
    /// are made when they are wanted. `None` where some rows are chosen.
    ///
    /// # Errors
    /// As [`batch`](Answer::batch).
    pub fn stored(&self, index: usize) -> Result<Option<StoredRows>> {
        let chooses = self.stocks.is_some() || self.members.is_some() || !self.at.is_empty();
        if chooses {
            return Ok(None);
        }
        self.stored_rows(self.section(index)?).map(Some)
    }

    fn stored_rows(&self, section: Section) -> Result<StoredRows> {
        let columns = self.columns.iter().map(|&index| section.column_at(index)).collect::<Result<_>>()?;
        let (code, date) = (section.code_array()?, section.date());
        let day = (self.types.date == DateType::Day).then(|| section.day_array()).transpose()?;
        let row_count = section.row_count();
        let (version, is_joined) = (section.version().clone(), section.only_piece()?.is_none());
        let (types, schema) = (self.types, self.schema.clone());
        Ok(StoredRows { version, date, row_count, is_joined, code, day, columns, types, schema })
    }

    /// What is asked for of `section`, which is one of this version.
    fn batch_of(&self, section: &Section) -> Result<RecordBatch> {
        let batch = self.stored_rows(section.clone())?.batch()?;
        match self.rows(section)? {
            Some(rows) if rows.count_set_bits() < rows.len() => {
                let rows: UInt32Array = rows.set_indices().map(|row| row as u32).collect();
                take_record_batch(&batch, &rows).map_err(Error::failed("choose rows"))
            }
            _ => Ok(batch),
        }
    }

    /// What says which stocks belong on `date`, as a checksum; `None` where the rows themselves say it, or all belong.
    pub(crate) fn members_on(&self, date: Date) -> Option<u64> {
        self.members.as_ref()?.checksum_on(date)
    }

    /// Which rows of `section` are asked for; `None` where all are.
    pub(crate) fn rows(&self, section: &Section) -> Result<Option<BooleanBuffer>> {
        let mut chosen = self.stocks.as_ref().map(|stocks| stocks.rows(section)).transpose()?;
        let found = self.at.iter().map(|at| at.rows(section));
        for rows in found.chain(self.members.as_ref().map(|members| members.rows(section))) {
            let rows = rows?;
            chosen = Some(chosen.map_or_else(|| rows.clone(), |chosen| &chosen & &rows));
        }
        Ok(chosen)
    }
}

/// All rows of one date, as they lie in the map: see [`Answer::stored`]. Takes no memory for them.
#[derive(Debug, Clone)]
pub struct StoredRows {
    version: Arc<Version>,
    date: Date,
    row_count: usize,
    /// Whether its pieces were joined, so that nothing lies in the map.
    is_joined: bool,
    /// A dictionary of stock numbers.
    code: ArrayRef,
    /// Where dates are asked for as they are stored.
    day: Option<ArrayRef>,
    columns: Arc<[StoredColumn]>,
    types: Types,
    schema: SchemaRef,
}

impl StoredRows {
    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// Names and types of the columns, as [`Answer::schema`].
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The column at this place of the schema, in the type that was asked for. Not copied where it is stored so.
    ///
    /// # Errors
    /// When there are not so many columns, or the section is damaged.
    pub fn column(&self, place: usize) -> Result<ArrayRef> {
        let key_count = self.schema.fields().len() - self.columns.len();
        match place {
            0 => self.codes(),
            1 if key_count == 2 => match &self.day {
                Some(day) => Ok(day.clone()),
                None => self.version.schema()?.date_form.repeated(self.date, self.row_count),
            },
            _ => {
                let column = place.checked_sub(key_count).and_then(|place| self.columns.get(place));
                let column = column.ok_or_else(|| {
                    let there_are = format!("there are {}", self.schema.fields().len());
                    Error::not_found(Wanted::Column, format!("column {place}"), there_are)
                })?;
                match self.types.values {
                    ValueTypes::Logical => column.logical(),
                    ValueTypes::Stored => Ok(column.stored().clone()),
                }
            }
        }
    }

    /// Whether `array`, which [`column`](Self::column) gave for this place, has other values than those that lie in the
    /// map, made of them. Of codes and dates it says nothing, nor of a column that has nulls for rows that its source
    /// lacks.
    pub fn is_made(&self, place: usize, array: &ArrayRef) -> bool {
        let key_count = self.schema.fields().len() - self.columns.len();
        let stored = place.checked_sub(key_count).and_then(|place| self.columns.get(place));
        let first = |array: &ArrayRef| array.to_data().buffers().first().map(|values| values.as_ptr());
        self.is_joined || stored.is_some_and(|column| first(column.stored()) != first(array))
    }

    /// The codes of all rows.
    fn codes(&self) -> Result<ArrayRef> {
        match self.types.code {
            CodeType::Logical => restore(&self.code, &self.version.schema()?.code.data_type),
            CodeType::Dictionary => Ok(self.code.clone()),
            CodeType::View => {
                let not_codes = || self.version.catalog.structure("the first column of a segment is not the code");
                let keys = self.code.as_dictionary_opt::<Int32Type>().ok_or_else(not_codes)?.keys().values().clone();
                let keys = UInt32Array::new(keys.into_inner().into(), None);
                take(self.version.code_views()?, &keys, None).map_err(Error::failed("choose codes"))
            }
        }
    }

    /// All columns.
    ///
    /// # Errors
    /// When the section is damaged.
    pub fn batch(&self) -> Result<RecordBatch> {
        let arrays: Vec<ArrayRef> =
            (0..self.schema.fields().len()).map(|place| self.column(place)).collect::<Result<_>>()?;
        let schema = match self.types.values {
            ValueTypes::Logical => self.schema.clone(),
            ValueTypes::Stored => {
                let field = |(field, array): (&FieldRef, &ArrayRef)| {
                    Arc::new(field.as_ref().clone().with_data_type(array.data_type().clone()))
                };
                let fields: Vec<FieldRef> = self.schema.fields().iter().zip(&arrays).map(field).collect();
                Arc::new(Schema::new(fields))
            }
        };
        RecordBatch::try_new(schema, arrays).map_err(Error::failed(format!("make a record batch of {}", self.date)))
    }
}

impl Section {
    /// All rows and columns in their logical types: code, date, then the rest. Columns that are stored in their logical
    /// type are not copied.
    ///
    /// # Errors
    /// When the section is damaged.
    pub fn batch(&self) -> Result<RecordBatch> {
        Store { version: self.version().clone() }.answer(&Request::default())?.batch_of(self)
    }
}

/// The fields of code and date.
fn key_fields(store: &Store, types: Types) -> Result<Vec<FieldRef>> {
    let panel = store.schema()?;
    let code = match types.code {
        CodeType::Logical => panel.code.data_type.clone(),
        CodeType::View => DataType::Utf8View,
        CodeType::Dictionary => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    };
    let date = match types.date {
        DateType::Logical => Some(panel.date_form.data_type.clone()),
        DateType::Day => Some(DataType::Date32),
        DateType::Omitted => None,
    };
    let mut fields = vec![Arc::new(Field::new(&panel.code.name, code, true))];
    fields.extend(date.map(|date| Arc::new(Field::new(&panel.date_name, date, true))));
    Ok(fields)
}

impl Stocks {
    fn find(store: &Store, codes: &[String], ignore_unknown: bool) -> Result<Stocks> {
        let known: HashSet<&str> = store.version.codes()?.iter().flatten().collect();
        let unknown: Vec<&str> = codes.iter().map(String::as_str).filter(|code| !known.contains(code)).collect();
        // Of one code, which are near; of one among others, also that those can do without it.
        if !unknown.is_empty() && codes.len() > 1 && !ignore_unknown {
            let spell = |code: &&str| slip(code, known.iter().copied());
            return Err(unknown_names(Wanted::Stock, ["stock", "stocks"], &unknown, spell, store));
        }
        let ranks = store.ranks()?;
        let unknown = || store.version.catalog.structure("its stock order names unknown stocks");
        let mut columns = vec![u32::MAX; ranks.len()];
        let mut is_named = vec![false; ranks.len()];
        let mut named: Vec<String> = Vec::with_capacity(codes.len());
        for code in codes.iter().filter(|code| !ignore_unknown || known.contains(code.as_str())) {
            let stock = store.stock(code)?.0 as usize;
            let rank = ranks.get(stock).map(|&rank| rank as usize);
            let column = rank.and_then(|rank| columns.get_mut(rank)).ok_or_else(unknown)?;
            if *column == u32::MAX {
                *column = named.len() as u32;
                named.push(code.clone());
                is_named[stock] = true;
            }
        }
        Ok(Stocks { codes: named.into(), columns: columns.into(), is_named: is_named.into() })
    }

    /// Which rows of `section` are of these stocks.
    fn rows(&self, section: &Section) -> Result<BooleanBuffer> {
        let numbers = section.stock_numbers()?;
        let is_named = |number: &u32| self.is_named.get(*number as usize).copied().unwrap_or(false);
        Ok(numbers.iter().map(is_named).collect())
    }
}
