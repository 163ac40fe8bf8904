//! The codes of a file's rows: that of its path, which a column of codes must have, too, or those of a column.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use arrow_select::concat::concat;

use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;
use crate::source::allowance::Meter;
use crate::source::code_column::is_of_codes;
use crate::source::code_map::CodeMap;
use crate::source::convert::{identity, shown_value};
use crate::source::input::schema::{FileSchema, Value};
use crate::source::options::SourceOptions;
use crate::source::path::files_by::FilesBy;
use crate::source::path::pattern::CODE;
use crate::source::path::when::{Around, Inside, times_inside};
use crate::source::survey::{InputFile, Survey};
use crate::source::weight::written_out;

/// A text that is no code, as a message has it.
const NO_TEXT: &str = "\"\"";

/// What helps a file of one stock that has the codes of several.
pub(super) fn one_file_each() -> Remedy {
    Remedy::Do("write one file for each code, or for each date".to_owned())
}

/// Reads the codes of one file, batch by batch.
pub(super) struct CodeReader<'a> {
    /// The name of the column of codes.
    name: &'a str,
    /// The code of each row, where the file's path says so.
    expected: Option<String>,
    /// What the rows are of.
    unit: &'a str,
    options: &'a SourceOptions,
    /// The codes so far, where the rows of a unit have several.
    parts: Option<Vec<ArrayRef>>,
    row_count: usize,
    /// What they take.
    meter: Arc<Meter>,
}

impl<'a> CodeReader<'a> {
    /// Of `file`, which is of `unit`.
    ///
    /// # Errors
    /// When nothing says what its codes are.
    pub(in crate::source) fn new(
        survey: &'a Survey,
        unit: &'a str,
        file: &InputFile,
    ) -> Result<CodeReader<'a>, Reason> {
        let name = survey.code.name.as_str();
        let options = &survey.options;
        let is_by_date = options.files_by == FilesBy::Date;
        let expected = if is_by_date { options.code_in(&file.path) } else { options.named_by(&file.path) };
        if expected.is_none() && file.layout.schema.code.is_none() {
            return Err(no_codes(name));
        }
        let parts = is_by_date.then(Vec::new);
        let meter = Meter::new(&survey.allowance);
        Ok(CodeReader { name, expected, unit, options, parts, row_count: 0, meter })
    }

    /// Takes the codes of the next rows.
    ///
    /// # Errors
    /// When one is not that of the file's path, or there is none.
    pub(in crate::source) fn push(&mut self, codes: &ArrayRef) -> Result<(), Reason> {
        if let Some(expected) = &self.expected {
            let unit = if self.parts.is_some() { expected } else { self.unit };
            let is_code = |code: Option<&str>| {
                code == Some(expected) || code.is_some_and(|code| self.options.is_code(code, expected, unit))
            };
            check_codes(codes, expected, is_code, self.name, self.row_count)?;
        } else if let Some(parts) = &mut self.parts {
            take(&self.meter, written_out(codes, &DataType::Utf8))?;
            let texts = cast(codes, &DataType::Utf8).map_err(Reason::undecodable)?;
            let texts = texts.as_string::<i32>();
            let is_missing = |row: &usize| texts.is_null(*row) || texts.value(*row).is_empty();
            if let Some(row) = (0..texts.len()).find(is_missing) {
                return Err(no_code(self.row_count + row));
            }
            parts.push(Arc::new(texts.clone()));
        }
        self.row_count += codes.len();
        Ok(())
    }

    /// The codes of so many rows, where a unit has several.
    ///
    /// # Errors
    /// When they take too much memory.
    pub(in crate::source) fn finish(self, row_count: usize) -> Result<Option<ArrayRef>, Reason> {
        let Some(parts) = self.parts else { return Ok(None) };
        if let Some(code) = self.expected {
            take(&self.meter, (row_count * (code.len() + size_of::<i32>())) as u64)?;
            return Ok(Some(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(code, row_count)))));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        concat(&parts).map(Some).map_err(Reason::undecodable)
    }
}

/// The codes in columns that are named after them, of a file of one stock that has no column of its code: rows of several
/// stocks are not one stock's, and only such a column may tell.
pub(super) struct NamedCodes<'a> {
    /// Of each such column, up to two codes.
    columns: Vec<(&'a Value, Vec<String>)>,
}

impl<'a> NamedCodes<'a> {
    pub(super) fn new(survey: &Survey, schema: &'a FileSchema) -> NamedCodes<'a> {
        let is_of_stock = survey.options.files_by == FilesBy::Stock && schema.code.is_none();
        let is_key = |name: &String| survey.options.key.contains(name);
        let may_be = |value: &&Value| is_of_codes(&value.own_name, &value.logical) && !is_key(&value.own_name);
        let columns = schema.values.iter().filter(|_| is_of_stock).filter(may_be);
        NamedCodes { columns: columns.map(|value| (value, Vec::new())).collect() }
    }

    pub(super) fn leaves(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|(value, _)| value.leaf)
    }

    /// Takes the next rows, which have these columns.
    ///
    /// # Errors
    /// When values cannot be compared.
    pub(super) fn push<'b>(&mut self, column_at: impl Fn(usize) -> &'b ArrayRef) -> Result<(), Reason> {
        for (value, codes) in self.columns.iter_mut().filter(|(_, codes)| codes.len() < 2) {
            let array = column_at(value.leaf);
            let same = identity(array, array).map_err(Reason::undecodable)?;
            let mut last = None;
            for row in (0..array.len()).filter(|&row| array.is_valid(row)) {
                if last.replace(row).is_some_and(|last| same(last, row)) {
                    continue;
                }
                let code = shown_value(array, row);
                if code != NO_TEXT && !codes.contains(&code) {
                    codes.push(code);
                }
                if codes.len() == 2 {
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<(String, Vec<String>)> {
        let found = self.columns.into_iter().filter(|(_, codes)| !codes.is_empty());
        found.map(|(value, codes)| (value.own_name.clone(), codes)).collect()
    }
}

/// `codes` of rows that are of these days, as the panel has them.
///
/// # Errors
/// When they take too much memory.
pub(in crate::source) fn mapped(
    codes: &ArrayRef,
    days: &[i32],
    map: &CodeMap,
    meter: &Meter,
) -> Result<ArrayRef, Reason> {
    let texts = codes.as_string::<i32>();
    let code = |(text, day): (Option<&'_ str>, &i32)| text.map(|text| map.code_on(text, *day).to_owned());
    let len = |(text, day): (Option<&str>, &i32)| text.map_or(0, |text| map.code_on(text, *day).len());
    let bytes: usize = texts.iter().zip(days).map(len).sum();
    take(meter, (bytes + size_of_val(days)) as u64)?;
    Ok(Arc::new(StringArray::from_iter(texts.iter().zip(days).map(code))))
}

fn take(meter: &Meter, bytes: u64) -> Result<(), Reason> {
    // They are there twice while they are put together.
    match meter.take(bytes, bytes) {
        true => Ok(()),
        false => Err(meter.allowance.refusal("its column of codes", meter.used().saturating_add(bytes))),
    }
}

/// Why a file is refused that lacks the column of codes.
pub(in crate::source) fn no_codes(name: &str) -> Reason {
    let way_out = format!("write the file with the codes of its rows in a column {name:?}");
    Reason::new(Kind::NoCode, format!("has no column {name:?}, which holds the codes")).or(Remedy::Do(way_out))
}

/// Why a file is refused for a row without a code.
pub(in crate::source) fn no_code(row: usize) -> Reason {
    Reason::new(Kind::NoCode, format!("row {} has no code", row + 1)).or(without_such_rows())
}

fn without_such_rows() -> Remedy {
    Remedy::Do("write the file without such rows".to_owned())
}

/// What helps a file that is named `expected`, and whose rows have another code; the files of several times cannot all
/// have the name of their stock.
fn own_name(expected: &str, codes: &ArrayRef) -> String {
    let own = cast(codes, &DataType::Utf8).ok();
    let own = own.as_ref().and_then(|own| own.as_string::<i32>().iter().next().flatten()).unwrap_or_default();
    let pattern = |timed: &Inside| {
        format!("give a pattern that takes {} for no part of it, {}", timed.times(), timed.pattern(CODE))
    };
    let mut times = times_inside(expected, Around::default()).into_iter();
    match times.find(|timed| timed.stem().is_some_and(|stem| own.contains(stem))) {
        Some(timed) if timed.stem() == Some(own) => pattern(&timed),
        Some(timed) => format!("rename the file after its code and {}", pattern(&timed)),
        None => "rename the file after its code, unless another has that name, or write the code anew".to_owned(),
    }
}

/// Refuses a file whose own code column names another stock than its path. `before` rows came earlier.
fn check_codes(
    codes: &ArrayRef,
    expected: &str,
    is_code: impl Fn(Option<&str>) -> bool,
    name: &str,
    before: usize,
) -> Result<(), Reason> {
    let differs = match codes.data_type() {
        DataType::Utf8 => codes.as_string::<i32>().iter().position(|code| !is_code(code)),
        DataType::LargeUtf8 => codes.as_string::<i64>().iter().position(|code| !is_code(code)),
        DataType::Dictionary(..) if codes.as_dictionary_opt::<Int32Type>().is_some() => {
            let coded = codes.as_dictionary::<Int32Type>();
            let values = cast(coded.values(), &DataType::Utf8).map_err(Reason::undecodable)?;
            let fits: Vec<bool> = values.as_string::<i32>().iter().map(&is_code).collect();
            coded.keys().iter().position(|key| !key.map_or_else(|| is_code(None), |key| fits[key as usize]))
        }
        _ => {
            let texts = cast(codes, &DataType::Utf8).map_err(Reason::undecodable)?;
            texts.as_string::<i32>().iter().position(|code| !is_code(code))
        }
    };
    match differs {
        None => Ok(()),
        Some(row) => {
            let (row_number, value) = (before + row + 1, shown_value(codes, row));
            let is_other = |&other: &usize| shown_value(codes, other) != value;
            let (beside, way_out) = match (0..codes.len()).find(is_other) {
                Some(_) if codes.is_null(row) => (String::new(), without_such_rows()),
                // No name would do.
                Some(other) => {
                    (format!(" and {} in row {}", shown_value(codes, other), before + other + 1), one_file_each())
                }
                None => (String::new(), Remedy::Do(own_name(expected, codes))),
            };
            let what = format!(
                "row {row_number} of {name:?}: the code is {value} there{beside}, but {expected:?} by the file's name"
            );
            Err(Reason::new(Kind::OtherCode, what).of_column(name).or(way_out))
        }
    }
}
