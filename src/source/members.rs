//! Reads dates, codes and what may be yes or no of a file, and nothing else of it: the members of a universe.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, RecordBatch};
use arrow_schema::DataType;

use super::allowance::Allowance;
use super::content::{Content, guarded};
use super::input::formats::survey_by_hand;
use super::input::interner::Interner;
use super::input::schema::Footer;
use super::options::{CODE_NAMES, DATE_NAMES, SourceOptions};
use super::read::codes::no_codes;
use super::section_file::read_leaves;
use super::section_rows::{days_of, no_rows};
use super::table::unusable;
use crate::panel::PanelSchema;
use crate::reason::Reason;
use crate::remedy::Setting;

/// The dates and codes of the rows of the Parquet, Arrow or csv file at `path`, under the names that `panel` gives them; its
/// own are those, or usual ones. Also its columns of booleans and integers. Holds no more than `memory` bytes of it.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) where the file cannot be used.
pub fn read_members(path: &Path, panel: &PanelSchema, memory: u64) -> crate::error::Result<RecordBatch> {
    let otherwise = "give a Parquet, Arrow or csv file with a column of dates and one of codes";
    read(path, panel, memory).map_err(|reason| unusable(Setting::Universe, path, &reason, otherwise))
}

fn read(path: &Path, panel: &PanelSchema, memory: u64) -> Result<RecordBatch, Reason> {
    let allowance = Allowance::new(memory, 1);
    let content = Content::named(path, allowance.free())?;
    let mut date_columns = vec![panel.date_name.clone()];
    date_columns.extend(DATE_NAMES.map(str::to_owned).into_iter().filter(|name| *name != panel.date_name));
    let options =
        |code_column| SourceOptions { code_column, date_columns: date_columns.clone(), ..SourceOptions::by_date() };
    // The panel's own name for the code, or else a usual one.
    let names = [panel.code.name.as_str()].into_iter().chain(CODE_NAMES);
    let mut found = None;
    for options in names.map(|name| options(Some(name.to_owned()))) {
        let interner = Interner::new(&options, &allowance);
        let Footer { schema, row_count, .. } = survey_by_hand(path, &content, &interner)?;
        if schema.code.is_some() {
            found = Some((options.clone(), schema, row_count));
            break;
        }
    }
    let (options, schema, row_count) = found.ok_or_else(|| no_codes(&panel.code.name))?;
    // Not before it is known to be such a file: it may be endless zeros.
    content.hash()?;
    let (date, code) = (schema.date.clone()?, schema.code.clone().ok_or_else(|| no_codes(&panel.code.name))?);
    if row_count == 0 {
        return Err(no_rows());
    }
    let may_say = |kind: &DataType| *kind == DataType::Boolean || kind.is_integer();
    let says: Vec<_> = schema.values.iter().filter(|value| may_say(&value.logical)).collect();
    let leaves = [date.leaf, code.leaf].into_iter().chain(says.iter().map(|value| value.leaf)).collect();
    let columns = guarded(|| read_leaves(content, &schema, leaves, &allowance))?;
    guarded(|| {
        let days = columns.parts(date.leaf).first().map(|column| days_of(&date, column, &options)).transpose()?;
        let days = Date32Array::from(days.ok_or_else(|| Reason::damaged("its date column is not there"))?);
        let codes = columns.parts(code.leaf).first().ok_or_else(|| no_codes(&panel.code.name))?;
        let said =
            says.iter().flat_map(|value| Some((value.name.as_str(), columns.parts(value.leaf).first()?.clone())));
        let key: [(&str, ArrayRef); 2] = [(&panel.date_name, Arc::new(days)), (&panel.code.name, codes.clone())];
        let columns = key.into_iter().chain(said);
        RecordBatch::try_from_iter(columns).map_err(Reason::undecodable)
    })
}
