//! Rows that lie in memory: the parts that their columns play, their dates, and the panel that they make.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Schema};

use super::agreement::prior::All;
use super::code_column::usual_codes;
use super::date::column::DateReader;
use super::date::rules::DateRules;
use super::input::schema::{FileSchema, KeyColumn, Value};
use super::look::roles::{check_names, check_unique, code_column, date_cast, date_name, key_columns};
use super::look::settle::{check_days, date_name_beside};
use super::losses::Losses;
use super::options::{BadDates, SourceOptions};
use super::read::codes::no_codes;
use super::section_file::{of_two_meanings, roles, section_options};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::{Column, DateForm, PanelSchema};
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};

/// What the columns of a frame are.
#[derive(Debug)]
pub(crate) struct FrameSchema {
    options: SourceOptions,
    schema: Arc<FileSchema>,
    date: KeyColumn,
    rules: DateRules,
    /// Whether its rows join others of their source, which have settled how they are read.
    joins: bool,
}

/// Reads the dates of a frame, batch by batch.
pub(crate) struct FrameDates<'a> {
    reader: DateReader<'a>,
    place: usize,
    /// Rows of the batches before.
    row_count: usize,
    joins: bool,
}

impl FrameSchema {
    /// The parts that the columns of `schema` play under `options`; a column of codes that these do not name is known
    /// by its name.
    ///
    /// # Errors
    /// [`Error::Refused`] where nothing tells code or date, or a column cannot be held.
    pub(crate) fn new(schema: &Schema, options: &SourceOptions) -> Result<FrameSchema> {
        let mut options = SourceOptions { bad_dates: BadDates::Error, ..options.clone() };
        if options.code_column.is_none() {
            let roles = roles(schema, &options);
            options.code_column = Some(usual_codes(&options, &roles.columns, "the frame")?);
        }
        let schema = roles(schema, &options);
        if let Some(refusal) = &schema.refusal {
            return Err(of_frame(refusal, "the frame"));
        }
        if schema.code.is_none() {
            return Err(of_frame(&no_codes(options.code_name()), "the frame"));
        }
        let date = schema.date.clone().map_err(|reason| {
            let is_unknown = matches!(reason.kind(), Kind::NoDateColumn | Kind::SeveralDateColumns);
            let named = is_unknown.then(|| Remedy::set(Setting::DateColumn(Vec::new()), "says which one holds them"));
            of_frame(&reason.or(named), "the frame")
        })?;
        let rules = DateRules::new(&options)?;
        Ok(FrameSchema { options, schema, date, rules, joins: false })
    }

    /// As [`new`](Self::new) for a frame whose rows join `panel`: its columns are named as those of the source's
    /// inputs, or as the panel's. `whole` has the columns of other sources, too.
    pub(crate) fn joining(
        schema: &Schema,
        options: &SourceOptions,
        (panel, whole): (&PanelSchema, &PanelSchema),
    ) -> Result<FrameSchema> {
        let names: HashSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let has = |name: &str| names.contains(name);
        let mut options = if has(&panel.date_name) { section_options(options, panel) } else { options.clone() };
        if options.date_columns.is_empty() && has(&panel.date_name) {
            options.date_columns = vec![panel.date_name.clone()];
        }
        if !options.code_column.as_deref().is_some_and(has) {
            options.code_column = Some(panel.code.name.clone());
        }
        if panel.columns.iter().all(|column| has(&column.name)) {
            options.take_panel_names();
        }
        let frame = FrameSchema { joins: true, ..FrameSchema::new(schema, &options)? };
        let is_key =
            |name: &str| frame.date.name == name || frame.schema.code.as_ref().is_some_and(|code| code.name == name);
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let names: Vec<&str> = names.filter(|name| !is_key(name)).collect();
        match of_two_meanings(&names, &options, (panel, whole)) {
            Some(reason) => Err(Error::refused_unless(reason.what(), reason.remedies().to_vec())),
            None => Ok(frame),
        }
    }

    /// As [`new`](Self::new) for a frame of a new source beside those that `panel` is of: what `options` leave open is
    /// as the panel has it, where the frame has such columns.
    pub(crate) fn beside(schema: &Schema, options: &SourceOptions, panel: &PanelSchema) -> Result<FrameSchema> {
        let has = |name: &str| schema.fields().iter().any(|field| field.name() == name);
        let mut options = options.clone();
        if options.date_columns.is_empty() && has(&panel.date_name) {
            options.date_columns = vec![panel.date_name.clone()];
        }
        if options.code_column.is_none() && has(&panel.code.name) {
            options.code_column = Some(panel.code.name.clone());
        }
        let mut frame = FrameSchema::new(schema, &options)?;
        if frame.kept_date().is_some() {
            frame.options.date_name = Some(panel.date_name.clone());
        }
        Ok(frame)
    }

    /// Its date column where that is part of the key, and what it is called there.
    pub(crate) fn kept_date(&self) -> Option<(&str, &str)> {
        Some((self.date.name.as_str(), self.options.key_of(&self.date.name)?.as_str()))
    }

    /// Refuses its dates, none of which says a time of day, where they are a part of the key that does; `all` is of the
    /// panel that has that key.
    pub(crate) fn check_days(&self, all: &All) -> Result<()> {
        self.kept_date().map_or(Ok(()), |names| check_days(names, &self.rules, all))
    }

    /// How its rows are read: the options that were given, with what they left open.
    pub(crate) fn options(&self) -> &SourceOptions {
        &self.options
    }

    /// Whether its rows join others of their source.
    pub(crate) fn joins(&self) -> bool {
        self.joins
    }

    /// What its columns say of themselves that a store does not keep.
    pub(crate) fn losses(&self) -> Losses {
        Losses::of(&self.schema, &self.options)
    }

    /// The columns of `batch` that take part.
    pub(crate) fn chosen(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut places: Vec<usize> = self.schema.values.iter().map(|value| value.leaf).collect();
        places.extend(self.schema.code.iter().chain([&self.date]).map(|key| key.leaf));
        places.sort_unstable();
        places.dedup();
        batch.project(&places).map_err(unreadable)
    }

    /// What reads its dates, which are in a column of that name in batches of `schema`.
    pub(crate) fn dates(&self, schema: &Schema) -> Result<FrameDates<'_>> {
        let place = schema.index_of(&self.date.name).map_err(unreadable)?;
        let reader = DateReader::new(&self.date.name, &self.date.raw, &self.rules);
        Ok(FrameDates { reader, place, row_count: 0, joins: self.joins })
    }

    /// Settles what a date column is that is part of the key: it stays a column where it says more than the date.
    ///
    /// # Errors
    /// Where no name is left for the date.
    pub(crate) fn settle(self, schema: &Schema, says_more: bool) -> Result<FrameSchema> {
        let mut options = self.options;
        match options.key_of(&self.date.name).cloned() {
            Some(_) if says_more => options.date_name = Some(date_name_beside(&options, &[&*self.schema])?),
            Some(key) => options.key.retain(|name| *name != key),
            None => {}
        }
        options.key.retain(|name| Some(name) != options.code_column.as_ref());
        FrameSchema::new(schema, &options)
    }

    /// The panel that its rows make, whose dates are spelt as `form` says; `None`: in several ways.
    ///
    /// # Errors
    /// Where its names contradict the options, or one another.
    pub(crate) fn panel(&self, form: Option<DateForm>) -> Result<PanelSchema> {
        let (options, schemas) = (&self.options, [&*self.schema]);
        check_names(options, &schemas, false, &mut Vec::new())?;
        let code = code_column(options, None, &schemas)?;
        let date_name = date_name(options, &schemas, &mut Vec::new());
        let form = form.unwrap_or(DateForm::COMMON);
        let date_form = match date_cast(options, None, &date_name, &schemas)? {
            Some(cast) => form.cast_to(&cast),
            None => form,
        };
        let columns = self.columns();
        check_unique(&code.name, &date_name, &columns)?;
        let key = key_columns(options, &code.name, &date_name, &columns)?;
        Ok(PanelSchema { code, date_name, date_form, columns, key })
    }

    /// Its columns but code and date.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let column = |value: &Value| Column { name: value.name.clone(), data_type: value.logical.clone() };
        self.schema.values.iter().map(column).collect()
    }

    /// `panel` with the frame's types for columns that had no value yet.
    pub(crate) fn typed(&self, mut panel: PanelSchema) -> PanelSchema {
        let values = self.schema.values.iter().rev();
        let types: HashMap<&str, &DataType> = values.map(|value| (value.name.as_str(), &value.logical)).collect();
        for column in panel.columns.iter_mut().filter(|column| column.data_type == DataType::Null) {
            if let Some(data_type) = types.get(column.name.as_str()) {
                column.data_type = (*data_type).clone();
            }
        }
        panel
    }
}

impl FrameDates<'_> {
    /// The day of each row of the next batch.
    ///
    /// # Errors
    /// [`Error::Refused`] where a row has no date.
    pub(crate) fn read(&mut self, batch: &RecordBatch) -> Result<Vec<i32>> {
        self.reader.push(batch.column(self.place)).map_err(|reason| {
            let whose = match self.row_count {
                0 => "the frame".to_owned(),
                count => format!("the frame after {count} rows"),
            };
            // A row without a date is not left out: of a frame all rows are used.
            let helps = |remedy: &&Remedy| {
                !matches!(remedy, Remedy::Set { settings, .. }
                if self.joins || settings.iter().any(|setting| matches!(setting, Setting::BadDates(_))))
            };
            let mut remedies: Vec<Remedy> = reason.remedies().iter().filter(helps).cloned().collect();
            if self.joins && remedies.is_empty() {
                remedies.push(Remedy::Do("make the frame with its dates as the store has them".to_owned()));
            }
            of_frame(&remedies.into_iter().fold(reason.alone(), Reason::or), &whose)
        })?;
        self.row_count += batch.num_rows();
        Ok(std::mem::take(&mut self.reader.days))
    }

    /// How all dates so far are spelt; `None` where in several ways. And whether one says more than a day.
    pub(crate) fn finish(self) -> (Option<DateForm>, bool) {
        (self.reader.form(), !self.reader.is_plain())
    }
}

/// The error for a frame that cannot be used; what is wrong is wrong with `whose` rows.
fn of_frame(reason: &Reason, whose: &str) -> Error {
    if reason.kind() == Kind::CodeType {
        return Error::refused(format!("{whose}: {}", reason.what()), "make the frame with its codes as text");
    }
    let remedies = reason.remedies().iter().map(|remedy| match remedy {
        Remedy::Do(text) => Remedy::Do(text.replace("write the file", "make the frame")),
        other => other.clone(),
    });
    Error::refused_unless(format!("{whose}: {}", reason.what()), remedies.collect::<Vec<_>>())
}

/// As [`of_frame`], of its rows on `date`.
pub(crate) fn of_frame_on(date: Date, reason: &Reason) -> Error {
    of_frame(reason, &format!("the frame on {date}"))
}

/// The error for a frame with a column that has values which its type does not have.
pub(crate) fn odd_values(name: &str, what: &str) -> Error {
    Error::refused(format!("the frame: its column {name:?}: {what}"), "make the frame anew")
}

/// The error for a frame whose batches cannot be had.
pub(crate) fn unreadable(error: ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => Error::Failed { action: "read the frame".to_owned(), source },
        other => Error::failed("read the frame")(other),
    }
}
