//! Reads one per-date file, of the shape that a transpose writes, as rows of a panel that is there already.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};

use super::allowance::{Allowance, Meter, QUARTER, whole};
use super::content::{Content, guarded};
use super::input::formats::survey_by_hand;
use super::input::interner::Interner;
use super::input::parts::{cast_parts, lost_of_field};
use super::input::schema::{FileColumn, FileSchema, Footer};
use super::options::{BadDates, Cast, SourceOptions};
use super::path::naming::date_of_name;
use super::section_rows::{AS_THE_STORE, Columns, SectionRows, days_of, no_rows, values};
use super::types::shown_type;
use crate::key::Date;
use crate::panel::PanelSchema;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting, excluding};

/// Reads the Parquet, Arrow or csv file at `path` as a section of `panel`, which was made with `options`. The date comes
/// from the date column or from the file's name (`20240102.parquet`, `trade_date=20240102/data.parquet`); where both
/// say it, they must agree. The file must have every column of the panel and no other. `whole` has the columns of other
/// sources, too. Holds its columns in memory, and the file, as far as `allowance` lets it.
///
/// # Errors
/// The reason why the file cannot be used.
pub(crate) fn read_section<'p>(
    path: &Path,
    options: &SourceOptions,
    (panel, whole): (&'p PanelSchema, &PanelSchema),
    allowance: &Arc<Allowance>,
) -> Result<SectionRows<'p>, Reason> {
    let mut options = section_options(options, panel);
    section_at(path, &mut options, (panel, whole), allowance).map_err(|reason| of_store(reason, &options, panel))
}

/// The date that the name of the file at `path` says, or else its first row; `None` where it is not found so. What is wrong
/// with the file is told when it is read.
pub(crate) fn section_date(
    path: &Path,
    options: &SourceOptions,
    panel: &PanelSchema,
    allowance: &Arc<Allowance>,
) -> Option<Date> {
    let first = || {
        let options = section_options(options, panel);
        let (content, footer) = open(path, &options, allowance)?;
        let schema = in_types_of(panel, footer.schema, &options);
        let date = schema.date.clone()?;
        let columns = schema.open(content, allowance)?.columns(&[date.leaf], None)?;
        let days = columns.first().map(|column| days_of(&date, &column.slice(0, column.len().min(1)), &options));
        Ok(days.transpose()?.and_then(|days| Date::from_days(*days.first()?)))
    };
    date_of_name(path).or_else(|| guarded(first).ok().flatten())
}

/// What the Parquet, Arrow or csv file at `path` calls its columns; `None` where it does not say.
pub(crate) fn column_names(path: &Path, options: &SourceOptions, allowance: &Arc<Allowance>) -> Option<Vec<String>> {
    let (_, footer) = open(path, options, allowance).ok()?;
    Some(footer.schema.columns.iter().map(|column| column.name.clone()).collect())
}

/// The file at `path`, and what it says of itself.
fn open(path: &Path, options: &SourceOptions, allowance: &Arc<Allowance>) -> Result<(Content, Footer), Reason> {
    let content = Content::named(path, allowance.free())?;
    let footer = survey_by_hand(path, &content, &Interner::new(options, allowance))?;
    Ok((content, footer))
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

/// Takes the columns by the names that files of the source give them; where that does not fit, and some have the names that
/// an output gives them, by these, and changes `options` to that.
fn section_at<'p>(
    path: &Path,
    options: &mut SourceOptions,
    (panel, whole): (&'p PanelSchema, &PanelSchema),
    allowance: &Arc<Allowance>,
) -> Result<SectionRows<'p>, Reason> {
    let (content, Footer { mut schema, has_attrs, row_count, .. }) = open(path, options, allowance)?;
    let meter = Meter::new(allowance);
    let is_of_output = |name: &str| panel.index_of(name).is_some() && options.name_of(name) != name;
    if values(&schema, panel).is_err() && schema.columns.iter().any(|column| is_of_output(&column.name)) {
        options.take_panel_names();
        schema = survey_by_hand(path, &content, &Interner::new(options, allowance))?.schema;
    }
    let schema = in_types_of(panel, schema, options);
    // What is read piece by piece is compared with this afterwards. Not before it is known to be such a file: it may be
    // endless zeros.
    content.hash()?;
    let is_key = |name: &str| {
        let key = [schema.date.as_ref().ok(), schema.code.as_ref()];
        key.into_iter().flatten().any(|column| column.name == name)
    };
    let names = schema.columns.iter().map(|column| column.name.as_str());
    let names: Vec<&str> = names.filter(|name| !is_key(name)).collect();
    if let Some(reason) = of_two_meanings(&names, options, (panel, whole)) {
        options.take_panel_names();
        return Err(reason);
    }
    if row_count == 0 {
        return Err(no_rows());
    }
    let mut leaves: Vec<usize> = schema.values.iter().map(|value| value.leaf).collect();
    leaves.extend(schema.date.iter().chain(&schema.code).map(|key| key.leaf));
    let columns = guarded(|| read_leaves(content, &schema, leaves, allowance));
    let columns = columns.map_err(|reason| also_in_order(reason, row_count))?;
    let mut section = guarded(|| SectionRows::new(path, schema, columns, (options, false), panel, meter))?;
    section.losses.count_attrs(usize::from(has_attrs));
    Ok(section)
}

/// Why columns of these `names`, beside date and code, cannot be taken by the names that files of the source give them:
/// one that is called as another source's is in the store would be taken for one of this source, which is there by its
/// own name, too.
pub(super) fn of_two_meanings(
    names: &[&str],
    options: &SourceOptions,
    (panel, whole): (&PanelSchema, &PanelSchema),
) -> Option<Reason> {
    let of_another = |name: &str| whole.index_of(name).is_some() && panel.index_of(name).is_none();
    let is_both = |name: &&str| {
        let ours = options.name_of(name);
        ours != **name && panel.index_of(&ours).is_some() && names.contains(&ours.as_str())
    };
    let name = names.iter().copied().find(|name| of_another(name) && options.wants(name) && is_both(name))?;
    let ours = options.name_of(name);
    let what = format!(
        "has the columns {name:?} and {ours:?}, and the first, which is a column of another source, would be taken for \
         the second"
    );
    let reason = Reason::new(Kind::OtherColumns, what);
    let others: Vec<&str> = names.iter().copied().filter(|name| panel.index_of(name).is_none()).collect();
    Some(match panel.columns.iter().all(|column| names.contains(&column.name.as_str())) {
        true => reason.or(excluding(&others)),
        false => reason.or(Remedy::Do("write it with the columns of the source alone".to_owned())),
    })
}

/// `reason`, with a figure of memory that is enough for putting the rows in order, too, once they are decoded: for
/// codes and keys twice over, and three times a piece of a column, each of which is at most all that is decoded; and what
/// a row takes beside.
fn also_in_order(mut reason: Reason, row_count: u64) -> Reason {
    const ROW: u64 = 64;
    if let Some(memory) = reason.memory() {
        reason.raise_memory(whole(memory.saturating_mul(6).saturating_add(row_count.saturating_mul(ROW * QUARTER))));
    }
    reason
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

/// `schema` with the date column of `panel`, and of a file of text its columns cast to those of `panel`.
fn in_types_of(panel: &PanelSchema, mut schema: Arc<FileSchema>, options: &SourceOptions) -> Arc<FileSchema> {
    let mut options = options.clone();
    if schema.columns.iter().any(|column| column.fields.is_some()) {
        options.casts = Vec::new();
        for column in &schema.columns {
            if let Some(place) = panel.index_of(&options.name_of(&column.name)) {
                let to = panel.columns[place].data_type.clone();
                options.casts.push(Cast { column: column.name.clone(), to });
            }
        }
        schema = Arc::new(cast_parts(schema.format.clone(), schema.columns.clone(), &options));
    }
    // The store knows which column has the dates: then doubles may be some, as pandas makes them of integers beside a
    // null.
    if schema.date.is_err() && options.date_columns.is_empty() && schema.has(&panel.date_name) {
        options.date_columns = vec![panel.date_name.clone()];
        schema = Arc::new(cast_parts(schema.format.clone(), schema.columns.clone(), &options));
    }
    schema
}

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
    Ok(Columns::read(leaves.iter().copied().zip(columns).collect()))
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

/// As [`read_section`], of the rows of `batches`, which lie in a map; the date comes from the date column. `are_first`: the
/// source has no others yet.
///
/// # Errors
/// The reason why they cannot be used.
pub(crate) fn take_frame<'p>(
    batches: &[RecordBatch],
    schema: &Schema,
    (options, are_first): (&SourceOptions, bool),
    panel: &'p PanelSchema,
    allowance: &Arc<Allowance>,
) -> Result<SectionRows<'p>, Reason> {
    let schema = roles(schema, options);
    let columns = Columns::mapped(batches);
    guarded(|| SectionRows::new(Path::new(""), schema, columns, (options, are_first), panel, Meter::new(allowance)))
}
