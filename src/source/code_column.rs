//! Which column holds codes, by its name.

use arrow_schema::DataType;

use super::input::fields::Fields;
use super::input::schema::FileColumn;
use super::options::{CODE_NAME, DATE_NAMES, SourceOptions};
use super::types::{is_binary, is_text};
use crate::error::{Error, Result};
use crate::hint::listed;
use crate::remedy::{Remedy, Setting};

/// Names of code columns, the likelier ones first.
pub(super) const OWN_CODE_NAMES: [&str; 8] =
    ["code", "symbol", "ticker", "stock_code", "sec_code", "instrument", "secid", "name"];

/// More of them, which are no other column of a file of one stock.
const SECTION_CODE_NAMES: [&str; 18] = [
    "stock_id",
    "order_book_id",
    "s_info_windcode",
    "wind_code",
    "asset",
    "sid",
    "permno",
    "isin",
    "stkcd",
    "secucode",
    "innercode",
    "cusip",
    "gvkey",
    "figi",
    "ric",
    "证券代码",
    "股票代码",
    "代码",
];

/// One that is of codes where it has texts; of numbers it may be a stock of goods.
const TEXT_CODE_NAME: &str = "stock";

/// Names of columns that hold the codes of several stocks, as texts or not, the likelier ones first; a `name` may be that
/// of anything.
fn usual_names(are_texts: bool) -> impl Iterator<Item = &'static str> {
    let all = [CODE_NAME].into_iter().chain(OWN_CODE_NAMES).chain(SECTION_CODE_NAMES);
    all.chain(are_texts.then_some(TEXT_CODE_NAME)).filter(|name| *name != "name")
}

/// Whether a column of this type holds codes by its name.
pub(super) fn is_of_codes(name: &str, data_type: &DataType) -> bool {
    let are_texts = is_text(data_type);
    (are_texts || data_type.is_integer()) && usual_names(are_texts).any(|usual| usual.eq_ignore_ascii_case(name))
}

/// The column of codes among `columns`, which are those of `whose`, by its name.
///
/// # Errors
/// Where none has a usual one.
pub(super) fn usual_codes(options: &SourceOptions, columns: &[FileColumn], whose: &str) -> Result<String> {
    let is_free = |name: &str| !options.excludes(name) && !options.key.iter().any(|key| key == name);
    let find = |are_texts: bool, holds: &dyn Fn(&FileColumn, &DataType) -> bool| {
        let is = |column: &FileColumn| is_free(&column.name) && column.raw.as_ref().is_ok_and(|raw| holds(column, raw));
        usual_names(are_texts)
            .find_map(|usual| columns.iter().find(|column| column.name.eq_ignore_ascii_case(usual) && is(column)))
    };
    // Of numbers the reason of each file says how they are read as codes; those of csv are texts, if nothing likelier
    // has such a name.
    let found = find(true, &|_, raw| is_text(raw))
        .or_else(|| find(true, &|_, raw| is_binary(raw)))
        .or_else(|| find(false, &|_, raw| raw.is_integer()))
        .or_else(|| find(false, &|column, _| column.fields.is_some_and(Fields::may_be_codes)));
    if let Some(column) = found {
        return Ok(column.name.clone());
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let what = format!(
        "no column of {whose} has a usual name of codes (ts_code, code, symbol, ticker); its columns are {}",
        listed(&names)
    );
    let remedy = match &texts(options, columns)[..] {
        [only] => Remedy::set(Setting::CodeColumn((*only).to_owned()), "reads it, if that column holds the codes"),
        _ => Remedy::set(Setting::CodeColumn(String::new()), "says which one holds them"),
    };
    Err(Error::refused_unless(what, [remedy]))
}

/// The names of those of `columns` that have texts, and no name of dates: one that is named otherwise than usual may hold
/// the codes.
pub(super) fn texts<'c>(options: &SourceOptions, columns: &'c [FileColumn]) -> Vec<&'c str> {
    let is_date = |name: &str| {
        let usual = DATE_NAMES.iter().any(|usual| usual.eq_ignore_ascii_case(name));
        usual || options.date_columns.iter().any(|column| column == name)
    };
    let texts = columns.iter().filter(|column| column.raw.as_ref().is_ok_and(is_text));
    texts.map(|column| column.name.as_str()).filter(|name| !options.excludes(name) && !is_date(name)).collect()
}
