//! Which part each column of a file plays: the date, the code, a value of the panel, or none.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_cast::can_cast_types;
use arrow_schema::{DataType, Field};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::fields::Fields;
use super::refusals::{cast_that_keeps, tell_alike, tell_unheld};
use super::schema::{FileColumn, FileSchema, Format, KeyColumn, Value};
use crate::hint::listed;
use crate::panel::KEY_TYPES;
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting, excluding};
use crate::source::options::{DATE_NAMES, SourceOptions};
use crate::source::path::files_by::FilesBy;
use crate::source::types::{is_binary, is_text, logical, shown_type};

/// Where pandas puts an index without a name.
pub(in crate::source) const INDEX_NAME: &str = "__index_level_0__";

/// What an Arrow field says beside its type that a panel does not keep.
pub(in crate::source) fn lost_of_field(field: &Field) -> Option<String> {
    let extension = || field.extension_type_name().map(|name| format!("its extension type {name}"));
    let is_ordered = matches!(field.data_type(), DataType::Dictionary(..)) && field.dict_is_ordered() == Some(true);
    let order = || is_ordered.then(|| "the order of its categories".to_owned());
    let own = || {
        let mut keys: Vec<&str> = field.metadata().keys().map(String::as_str).collect();
        keys.retain(|key| !key.starts_with("ARROW:extension:") && *key != PARQUET_FIELD_ID_META_KEY);
        keys.sort_unstable();
        (!keys.is_empty()).then(|| format!("its metadata ({})", listed(&keys)))
    };
    extension().or_else(order).or_else(own)
}

/// Whether a note of a file is pandas' own, of attributes of the whole table. Its notes are not parsed: those of thousands of
/// files are long.
pub(in crate::source) fn tells_attrs(key: &str, value: Option<&str>) -> bool {
    match key {
        "PANDAS_ATTRS" => value.is_some_and(|attrs| attrs != "{}"),
        "pandas" => value.is_some_and(|notes| notes.contains("\"attributes\": {\"")),
        _ => false,
    }
}

/// Says which part each column plays.
pub(in crate::source) fn cast_parts(
    format: Option<Arc<dyn Format>>,
    mut columns: Vec<FileColumn>,
    options: &SourceOptions,
) -> FileSchema {
    for column in &mut columns {
        if let Some(fields) = column.fields {
            column.raw = Ok(fields.raw(options.cast(&column.name)));
        }
    }
    let present: Vec<usize> = (0..columns.len()).filter(|&at| !options.excludes(&columns[at].name)).collect();
    let mut known = HashSet::new();
    let twice = present.iter().find(|&&at| !known.insert(columns[at].name.as_str()));
    let mut refusal = twice.map(|&at| {
        let name = &columns[at].name;
        let reason = Reason::new(Kind::TwinColumns, format!("has two columns named {name:?}")).of_column(name);
        let renamed = Remedy::Do("write the file with another name for one of them".to_owned());
        reason.or(Remedy::set(Setting::Exclude(vec![name.clone()]), "leaves both out")).or(renamed)
    });

    let code = present.iter().copied().find(|&at| options.code_column.as_ref() == Some(&columns[at].name));
    if let Some(at) = code.filter(|&at| columns[at].fields.is_some_and(Fields::may_be_codes)) {
        columns[at].raw = Ok(DataType::Utf8);
    }
    let is_code = |name: &str, raw: &DataType| {
        // Bytes are text by writers that do not say that it is.
        is_text(raw)
            || is_binary(raw)
            || *raw == DataType::Null
            || (raw.is_integer() && options.cast(name).is_some_and(is_text))
    };
    if let Some(FileColumn { name, raw, .. }) = code.map(|at| &columns[at])
        && !raw.as_ref().is_ok_and(|raw| is_code(name, raw))
    {
        refusal.get_or_insert_with(|| {
            let what = format!("its column {name:?} is {}, but a code is text", shown_raw(raw));
            let cast = || Setting::Cast(vec![CastTo { column: name.clone(), to: "Utf8".to_owned() }]);
            let is_number = raw.as_ref().is_ok_and(DataType::is_integer);
            let numbers = is_number.then(|| Remedy::set(cast(), "takes its numbers for codes"));
            let without = (options.files_by == FilesBy::Stock).then(|| excluding(&[name]));
            Reason::new(Kind::CodeType, what).of_column(name).or(numbers).or(without)
        });
    }
    let candidates: Vec<usize> = present.iter().copied().filter(|&at| Some(at) != code).collect();
    let (chosen, apart) = choose_date(&columns, &candidates, options);
    if let Ok(at) = chosen
        && let (Some(fields), Ok(raw)) = (columns[at].fields, columns[at].raw.clone())
    {
        columns[at].raw = Ok(fields.raw_of_date(raw, options.epoch.is_some(), options.date_format.is_some()));
    }
    let key = |column: &FileColumn, raw: &DataType| KeyColumn {
        name: column.name.clone(),
        leaf: column.leaf,
        raw: raw.clone(),
    };
    let date = chosen.and_then(|at| {
        let FileColumn { name, raw, .. } = &columns[at];
        let fits = |raw: &DataType| {
            let value = match raw {
                DataType::Dictionary(_, value) => value.as_ref(),
                plain => plain,
            };
            let is_day =
                matches!(value, DataType::Null | DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
            let is_whole =
                matches!(value, DataType::Decimal32(_, 0) | DataType::Decimal64(_, 0) | DataType::Decimal128(_, 0));
            // Numbers that need not be whole are dates only where somebody says so.
            let is_named = options.epoch.is_some() || !options.date_columns.is_empty();
            let is_number = value.is_integer() || is_whole || (is_named && value.is_numeric());
            is_text(raw) || value.is_binary() || is_number || is_day
        };
        match raw {
            Ok(raw) if fits(raw) => Ok(key(&columns[at], raw)),
            _ => {
                let what = format!("its date column {name:?} is {}, which is no date", shown_raw(raw));
                Err(Reason::new(Kind::DateType, what).of_column(name))
            }
        }
    });
    let code = code.and_then(|at| Some(key(&columns[at], columns[at].raw.as_ref().ok()?)));

    let mut drops_index = false;
    let mut values = Vec::new();
    let mut unheld: Vec<(&str, String, Option<Remedy>)> = Vec::new();
    for at in candidates {
        let FileColumn { name, leaf, raw, .. } = &columns[at];
        // A date column that is part of the key stays a column, too.
        if apart.contains(&at) && options.key_of(name).is_none() {
            continue;
        }
        if name == INDEX_NAME && raw.as_ref().is_ok_and(DataType::is_integer) {
            drops_index = true;
            continue;
        }
        if !options.keeps(name) {
            continue;
        }
        let type_in_panel = match (raw, options.cast(name)) {
            (Ok(raw), Some(to)) if !raw.is_nested() && can_cast_types(raw, to) => Ok((raw, to.clone())),
            (Ok(raw), None) => match logical(raw) {
                Some(to) => Ok((raw, to)),
                None => {
                    unheld.push((name.as_str(), shown_type(raw), cast_that_keeps(name, raw)));
                    continue;
                }
            },
            (Err(kind), None) => {
                unheld.push((name.as_str(), kind.clone(), None));
                continue;
            }
            (_, Some(to)) => {
                let what = format!("its column {name:?} is {}, which cannot be cast to {to}", shown_raw(raw));
                Err(Reason::new(Kind::ColumnType, what).of_column(name).or(excluding(&[name])))
            }
        };
        match type_in_panel {
            Ok((_, logical)) if logical.is_floating() && options.key.contains(&options.name_of(name)) => {
                refusal.get_or_insert_with(|| no_key_type(name, &logical));
            }
            Ok((raw, logical)) => {
                let (name, own_name) = (options.name_of(name), name.clone());
                values.push(Value { name, own_name, leaf: *leaf, raw: raw.clone(), logical });
            }
            Err(reason) => {
                refusal.get_or_insert(reason);
            }
        }
    }
    let refusal = refusal.or_else(|| tell_unheld(&unheld)).or_else(|| {
        let names = values.iter().map(|value| (value.name.as_str(), value.own_name.as_str()));
        tell_alike(names)
    });
    let has_named_date = options.files_by == FilesBy::Date;
    FileSchema { columns, date, has_named_date, code, values, drops_index, refusal, format }
}

/// Refuses a file for the type of a key column: of floats nobody knows which are the same.
fn no_key_type(name: &str, data_type: &DataType) -> Reason {
    let what = format!("its key column {name:?} is {data_type}; a key has {KEY_TYPES}");
    let cast = |to: &str, effect| {
        Remedy::set(Setting::Cast(vec![CastTo { column: name.to_owned(), to: to.to_owned() }]), effect)
    };
    let reason = Reason::new(Kind::ColumnType, what).of_column(name);
    reason.or(cast("int64", "reads whole numbers")).or(cast("decimal128(18,4)", "rounds to four decimals"))
}

/// A column's type for a message.
fn shown_raw(raw: &Result<DataType, String>) -> String {
    match raw {
        Ok(raw) => shown_type(raw),
        Err(kind) => kind.clone(),
    }
}

/// The date column among `candidates`, and the columns that no panel column comes from because they are or may be it.
fn choose_date(
    columns: &[FileColumn],
    candidates: &[usize],
    options: &SourceOptions,
) -> (Result<usize, Reason>, Vec<usize>) {
    let columns_are = || {
        let names: Vec<String> = columns.iter().map(|column| format!("{:?}", column.name)).collect();
        if names.is_empty() { "it has no columns".to_owned() } else { format!("its columns are {}", listed(&names)) }
    };
    let position = |wanted: &String| candidates.iter().copied().find(|&root| columns[root].name == *wanted);
    if !options.date_columns.is_empty() {
        return match options.date_columns.iter().find_map(position) {
            Some(root) => (Ok(root), vec![root]),
            None => {
                let wanted = options.date_columns.join(", ");
                let what = format!("has none of the date columns {wanted}; {}", columns_are());
                (Err(Reason::new(Kind::NoDateColumn, what)), Vec::new())
            }
        };
    }
    let is_date = |name: &str| DATE_NAMES.iter().any(|date| name.eq_ignore_ascii_case(date));
    let dates: Vec<usize> = candidates.iter().copied().filter(|&root| is_date(&columns[root].name)).collect();
    match dates[..] {
        [root] => (Ok(root), dates),
        // An index of integers counts rows: it would be refused for its values, and hide that there is no date.
        [] => match position(&INDEX_NAME.to_owned())
            .filter(|&root| !columns[root].raw.as_ref().is_ok_and(DataType::is_integer))
        {
            Some(root) => (Ok(root), vec![root]),
            None => {
                let dates = DATE_NAMES.join(", ");
                let what = format!("has no date column ({dates}); {}", columns_are());
                (Err(Reason::new(Kind::NoDateColumn, what)), Vec::new())
            }
        },
        _ => {
            let names: Vec<String> = dates.iter().map(|&root| format!("{:?}", columns[root].name)).collect();
            let what = format!("has several date columns, {}", listed(&names));
            (Err(Reason::new(Kind::SeveralDateColumns, what)), dates)
        }
    }
}
