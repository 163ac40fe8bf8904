//! What a transpose writes, decided from the store's metadata alone.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use arrow_array::{Array, ArrayRef, StringArray, cast::AsArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::names::Names;
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::key::NULL_PARTITION;
use crate::panel::{DateForm, PanelSchema, Share, check_columns_len};
use crate::remedy::{Remedy, Setting, excluding};
use crate::sink::{Carried, Format, NamePattern, Partition};
use crate::store::{Answer, Request, Store, Universe, one_value};
use crate::workers::Workers;

/// What a worker takes more for each column of files of several dates, whose rows wait for a row group of a thousand and
/// more. Measured with 18,000 columns of texts, of 60 files, by month.
const WAITING_LEN: u64 = 10 << 10;

/// Bytes that the columns of files may take whatever the memory.
pub(super) const LEAST_LEN: u64 = 16 << 20;

/// A shape, resolved against one store.
pub(super) struct Plan {
    /// What each file is of.
    pub(super) by: Partition,
    pub(super) format: Format,
    /// The rows and columns of all files.
    pub(super) answer: Answer,
    /// The codes that were asked for; `None` is all.
    pub(super) stocks: Option<Arc<[String]>>,
    /// The dates whose rows files have, as places among the store's.
    pub(super) places: Vec<usize>,
    /// Whether these were chosen.
    pub(super) chooses_dates: bool,
    /// The panel columns to write, as indices, in panel order.
    pub(super) columns: Vec<usize>,
    /// Schema of every file.
    pub(super) schema: SchemaRef,
    /// Name and type of every column, as the ledger spells them; the date's with the spelling of its values.
    pub(super) fields: Vec<(String, String)>,
    /// Whether files have the code column.
    pub(super) code: bool,
    /// Whether files have the date column.
    pub(super) date: bool,
    /// How dates are spelt.
    pub(super) date_form: DateForm,
    /// Whether no code stands in a file twice: files have one date, and the key has no further columns. Of a month that has
    /// one date it is not asked, as texts are written alike in all files of a directory.
    pub(super) is_code_unique: bool,
    /// Where each file lies.
    pub(super) names: Names,
    /// The dates that were asked for, spelt.
    spelt: OnceLock<ArrayRef>,
}

impl Plan {
    /// Resolves `shape`, for the rows of `universe`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a column, a date or a stock that the store lacks, and [`Error::Invalid`] where the code or
    /// the date is to be left out, or files cannot be called so.
    pub(super) fn new(store: &Store, shape: &Shape, universe: Option<&Universe>) -> Result<Plan> {
        let panel = store.schema()?;
        refuse_without_key(shape, panel)?;
        refuse_matrix(shape, panel)?;
        panel.find_all(shape.columns.iter().flatten().chain(&shape.exclude).map(String::as_str))?;
        let name = shape.file_name();
        if let Some((why, way_out)) = name.trouble(shape.by) {
            return Err(Error::invalid(Setting::Name(name.to_string()), why, [Remedy::Do(way_out)]));
        }
        refuse_ending(&name, shape.format)?;
        let asked: Option<HashSet<&String>> = shape.columns.as_ref().map(|columns| columns.iter().collect());
        let left_out: HashSet<&String> = shape.exclude.iter().collect();
        let keeps = |name: &String| asked.as_ref().is_none_or(|asked| asked.contains(name)) && !left_out.contains(name);
        let columns: Vec<usize> = (0..panel.columns.len()).filter(|&index| keeps(&panel.columns[index].name)).collect();
        let request = Request {
            columns: Some(columns.iter().map(|&index| panel.columns[index].name.clone()).collect()),
            dates: shape.dates.clone().unwrap_or_default(),
            stocks: shape.stocks.clone(),
            ignore_unknown: shape.ignore_unknown,
            universe: universe.cloned(),
            at: shape.at.clone().into_iter().collect(),
            ..Request::default()
        };
        let answer = store.answer(&request)?;
        refuse_no_code(shape, &answer)?;
        refuse_numbers(shape, panel, &answer)?;
        let places = request.dates.resolve(store)?;
        // Comma-separated values have no type for a day: it is spelt out.
        let is_spelt = shape.format == Format::Csv && !panel.date_form.data_type.is_integer();
        let date_form = match is_spelt {
            true => panel.date_form.cast_to(&DataType::Utf8),
            false => panel.date_form.clone(),
        };
        let all = PanelSchema { date_form: date_form.clone(), ..panel.clone() }.arrow();
        let (code, date) = (shape.has_code(panel), shape.has_date(panel));
        let kept = code.then_some(0).into_iter().chain(date.then_some(1)).chain(columns.iter().map(|index| index + 2));
        let schema = Schema::new(kept.map(|index| all.field(index).clone()).collect::<Vec<Field>>());
        refuse_twice(shape, panel, &schema)?;
        let spelt = |(place, field): (usize, &FieldRef)| {
            let is_date = date && place == usize::from(code);
            let kind = if is_date { date_form.to_string() } else { field.data_type().to_string() };
            (field.name().clone(), kind)
        };
        let fields = schema.fields().iter().enumerate().map(spelt).collect();
        Ok(Plan {
            by: shape.by,
            format: shape.format,
            stocks: shape.stocks.as_ref().map(|_| answer.matrix_stocks()).transpose()?,
            answer,
            places,
            chooses_dates: shape.dates.is_some(),
            columns,
            schema: Arc::new(schema),
            fields,
            code,
            date,
            date_form,
            is_code_unique: shape.by == Partition::Date && panel.key.is_empty(),
            names: Names::of(name, shape.by, panel),
            spelt: OnceLock::new(),
        })
    }

    /// The panel's columns that are read: those of the files, and of matrices those by whose values rows are chosen.
    pub(super) fn read(&self, store: &Store) -> Result<Vec<usize>> {
        let chosen_by: &[usize] = if self.by == Partition::Matrix { &store.schema()?.key } else { &[] };
        Ok(self.columns.iter().chain(chosen_by).copied().collect())
    }

    /// Refuses values of key columns that no row of the dates has.
    ///
    /// # Errors
    /// When there is one, or the store is damaged.
    pub(super) fn check_values(&self) -> Result<()> {
        self.answer.check_values()
    }

    /// Columns of each file.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(super) fn column_count(&self) -> Result<usize> {
        match self.by {
            Partition::Matrix => Ok(1 + self.answer.matrix_stocks()?.len()),
            _ => Ok(self.schema.fields().len()),
        }
    }

    /// Fewer than these workers, where those would take more than the memory for the columns of their files, of which
    /// each takes `column_len` bytes whatever its rows; `None` where all may work.
    ///
    /// # Errors
    /// When one takes more; or the catalog is damaged, or the system refuses a thread.
    pub(super) fn workers(&self, workers: &Workers, column_len: u64) -> Result<Option<Workers>> {
        let count = self.column_count()?;
        let waiting = match self.by {
            Partition::Date | Partition::Stock | Partition::Matrix => 0,
            Partition::Month | Partition::Year | Partition::All => WAITING_LEN,
        };
        let len = (column_len + waiting).saturating_mul(count as u64);
        // One worker works, however little memory there is.
        check_columns_len(count, len, (workers.memory().max(LEAST_LEN), Share::All))?;
        workers.fewer(len)
    }

    /// The schema of the file of the column at `index` of the panel: the date, and a column a stock.
    ///
    /// # Errors
    /// When a stock is called like the date, or the catalog is damaged.
    pub(super) fn schema_across(&self, index: usize) -> Result<SchemaRef> {
        let panel = self.answer.store().schema()?;
        let stocks = self.answer.matrix_stocks()?;
        if stocks.contains(&panel.date_name) {
            let what = format!("stock {:?} is called like the date column", panel.date_name);
            return Err(Error::refused(what, "leave it out"));
        }
        let date = Field::new(&panel.date_name, self.date_form.data_type.clone(), true);
        let stock = |code: &String| Field::new(code, panel.columns[index].data_type.clone(), true);
        Ok(Arc::new(Schema::new(std::iter::once(date).chain(stocks.iter().map(stock)).collect::<Vec<Field>>())))
    }

    /// The files' code column, of one row, for the stock of this number.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(super) fn code_of(&self, stock: u32) -> Result<ArrayRef> {
        let store = self.answer.store();
        let codes = store.dictionary(0)?.and_then(|codes| codes.as_string_opt::<i32>());
        let code = codes.filter(|codes| (stock as usize) < codes.len()).map(|codes| codes.value(stock as usize));
        let code: ArrayRef = Arc::new(StringArray::from(vec![code]));
        cast(&code, &store.schema()?.code.data_type).map_err(Error::failed("repeat a code"))
    }

    /// The dates that were asked for, as the files spell them; texts as plain ones.
    ///
    /// # Errors
    /// When their type cannot hold one.
    pub(super) fn spelt_dates(&self) -> Result<&ArrayRef> {
        if let Some(spelt) = self.spelt.get() {
            return Ok(spelt);
        }
        let spelt = as_values(&self.date_form.array(&self.answer.dates()?)?)?;
        Ok(self.spelt.get_or_init(|| spelt))
    }
}

/// How dates are written that rows refer to by their places: texts as the codes of an output column need them.
fn as_values(dates: &ArrayRef) -> Result<ArrayRef> {
    match dates.data_type() {
        text if text.is_string() || matches!(text, DataType::Dictionary(..)) => {
            cast(dates, &DataType::Utf8).map_err(Error::failed("spell dates"))
        }
        _ => Ok(dates.clone()),
    }
}

/// The code and the date are no columns to choose from.
fn refuse_without_key(shape: &Shape, panel: &PanelSchema) -> Result<()> {
    let refuse =
        |why: String, way_out: Vec<Remedy>| Err(Error::invalid(Setting::Exclude(shape.exclude.clone()), why, way_out));
    if shape.exclude.contains(&panel.code.name) {
        let why = format!("names the code column {:?}, which tells the rows of a file apart", panel.code.name);
        return refuse(why, Vec::new());
    }
    if shape.exclude.contains(&panel.date_name) {
        let why = format!("names the date column {:?}, which is no column of the panel", panel.date_name);
        let way_out = match shape.by {
            Partition::Date => vec![Remedy::set(Setting::NoDate, "leaves it out")],
            _ => Vec::new(),
        };
        return refuse(why, way_out);
    }
    if shape.by != Partition::Date && shape.date == Some(false) {
        let why = format!("leaves out what tells the rows of a {} apart", shape.by.nouns()[0]);
        return Err(Error::invalid(Setting::NoDate, why, Vec::new()));
    }
    Ok(())
}

/// Readers, and people, take a file for what its ending says.
fn refuse_ending(name: &NamePattern, format: Format) -> Result<()> {
    let ending = name.ending();
    let says = |of: &Format| ending.as_deref().is_some_and(|ending| of.endings().contains(&ending));
    match [Format::Parquet, Format::Arrow, Format::Csv].iter().find(|of| says(of)) {
        Some(other) if *other != format => {
            let why = format!("ends as files of {other} do, and these are of {format}");
            let way_out = format!("end it in .{}, or choose the format {other}", format.extension());
            Err(Error::invalid(Setting::Name(name.to_string()), why, [Remedy::Do(way_out)]))
        }
        _ => Ok(()),
    }
}

/// A matrix has one value for each date and stock, of a column that is neither.
fn refuse_matrix(shape: &Shape, panel: &PanelSchema) -> Result<()> {
    let is_key = |name: &&String| **name == panel.code.name || **name == panel.date_name;
    if let Some(key) = shape.columns.iter().flatten().find(is_key).filter(|_| shape.by == Partition::Matrix) {
        let why = format!("names {key:?}, which tells the rows or the columns apart, and has no values for a matrix");
        return Err(Error::invalid(Setting::Matrix, why, [Remedy::Do("name other columns".to_owned())]));
    }
    if shape.by != Partition::Matrix && !shape.at.is_empty() {
        let why = format!("chooses rows of a matrix, and {} have all of theirs", shape.by.nouns()[1]);
        return Err(Error::invalid(Setting::At(Vec::new()), why, Vec::new()));
    }
    let missing: Vec<&str> = panel.key_names().filter(|name| !shape.at.contains_key(*name)).collect();
    match missing.is_empty() || shape.by != Partition::Matrix {
        true => Ok(()),
        false => Err(one_value(&missing)),
    }
}

/// What the path calls the rows that have no value is a code to nobody, files that have the column or not.
fn refuse_no_code(shape: &Shape, answer: &Answer) -> Result<()> {
    let pattern = shape.file_name();
    let Some((name, _)) = pattern.columns().find(|(_, value)| *value == Carried::Code) else { return Ok(()) };
    if !answer.matrix_stocks()?.iter().any(|code| *code == NULL_PARTITION) {
        return Ok(());
    }
    let what = format!(
        "readers of the directory {name}=... of {:?} would take the code {NULL_PARTITION:?} for no code at all",
        pattern.to_string()
    );
    Err(Error::refused(what, "give the directory a name without ="))
}

/// Where the path alone has the codes, most readers see for themselves what they are, and 000001 becomes the number 1.
fn refuse_numbers(shape: &Shape, panel: &PanelSchema, answer: &Answer) -> Result<()> {
    if shape.by != Partition::Stock || shape.has_code(panel) {
        return Ok(());
    }
    let codes = answer.matrix_stocks()?;
    let Some(code) = codes.iter().find(|code| !is_surely_text(code)) else { return Ok(()) };
    let (text, name) = (shape.file_name().to_string(), &panel.code.name);
    let what = format!(
        "most readers of the directory {name}=... of {text:?} would take the code {code:?} for a number, a date or the \
         like, and not for the text that it is"
    );
    Err(Error::refused(what, "give the directory another name, and files keep the code column"))
}

/// Whether no reader takes a part of a path for a number, a truth value, a date or a time.
fn is_surely_text(code: &str) -> bool {
    let is_word = ["true", "false", "null"].iter().any(|word| code.eq_ignore_ascii_case(word));
    let is_hexadecimal = code.starts_with("0x") || code.starts_with("0X");
    code.chars().any(char::is_alphabetic) && !is_word && !is_hexadecimal && code.parse::<f64>().is_err()
}

/// A column that is in the files and in their path would be two to some readers, and no two read the same.
fn refuse_twice(shape: &Shape, panel: &PanelSchema, schema: &Schema) -> Result<()> {
    let pattern = shape.file_name();
    // That the path carries the date is no accident; whoever wants the column too has asked for it.
    let is_asked =
        |name: &str| *name == panel.date_name && shape.by == Partition::Date && pattern.carries(name, Carried::Date);
    let names = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| !is_asked(name));
    let twice = |name| {
        let mut columns = pattern.columns().map(|(column, _)| column);
        columns.find(|column| column.eq_ignore_ascii_case(name)).map(|column| (name, column.to_owned()))
    };
    let Some((name, column)) = names.into_iter().find_map(twice) else { return Ok(()) };
    let without = match name {
        code if *code == panel.code.name => None,
        date if *date == panel.date_name => {
            let is_of_one = shape.by == Partition::Date;
            is_of_one.then(|| Remedy::set(Setting::NoDate, "leaves the date column out"))
        }
        other => Some(excluding(&[other])),
    };
    let text = pattern.to_string();
    // DuckDB and Spark tell no letters by their case.
    let readers = if column == name { "readers" } else { "some readers" };
    let what = format!(
        "{readers} take the directory {column}=... of {text:?} for the column {name:?}, which the files have too"
    );
    let rename = Remedy::Do("give the directory another name".to_owned());
    Err(Error::refused_unless(what, [rename].into_iter().chain(without).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_readers_of_paths_may_take_for_something_else_are_no_sure_texts() {
        for code in ["000001.SZ", "AAPL", "BRK.B", "BTC/USDT", "平安", "600519.SH", "3M", "E5", "NULLS"] {
            assert!(is_surely_text(code), "{code}");
        }
        for code in [
            "000001",
            "1",
            "-5",
            "+5",
            "8001.0",
            "1e5",
            "1E5",
            "0x10",
            "2024-01-02",
            "20240102",
            "12:30",
            "TRUE",
            "false",
            "NaN",
            "inf",
            "-Infinity",
            "null",
            "",
        ] {
            assert!(!is_surely_text(code), "{code}");
        }
    }
}
