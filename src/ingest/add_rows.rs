//! Adds a source of rows in memory: its columns join the panel, as those of a folder do. A source that was added so can be
//! replaced.

use super::dated::{DatedChange, Others};
use super::gather::parted::{Parted, Rows};
use super::gather::stages::Stages;
use super::guard::Guard;
use super::join::Join;
use super::joining::{check_columns, options_of, rolled_source};
use super::seams::Here;
use super::settings::Settings;
use super::steps::Step;
use super::stored_values::all_in_store;
use super::update_report::UpdateReport;
use crate::error::{Error, Result};
use crate::panel::Column;
use crate::source::{FrameSchema, SourceOptions};
use crate::store::{KeepChange, StoreWriter};

/// Rows that are to be a source.
pub(super) struct NewRows<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) name: &'a str,
    /// How they are read, where the source is new.
    pub(super) options: &'a SourceOptions,
    /// Likewise.
    pub(super) join: Join,
    pub(super) keep: KeepChange,
    pub(super) allowed: &'a [Guard],
    pub(super) dry_run: bool,
}

impl NewRows<'_> {
    /// Makes a source of them, or puts them in the place of those that it has.
    ///
    /// # Errors
    /// When the name is that of a source with a folder, a row cannot be used, there is none, the store cannot be written,
    /// or the observer cancels.
    pub(super) fn add(self, stages: &Stages, writer: &StoreWriter) -> Result<Step> {
        let (whole, name) = (writer.live()?, self.name);
        let names = whole.source_names()?;
        let place = names.iter().position(|known| *known == name).unwrap_or(names.len());
        let is_new = place == names.len();
        let before = &whole.of_source(place);
        let known = before.schema()?;
        let schema = self.rows.schema();
        let (settings, frame) = if is_new {
            let frame = FrameSchema::beside(&schema, &options_of(self.options, known, name)?, known)?;
            (Settings { join: self.join, ..Settings::without_folder(frame.options()) }, frame)
        } else {
            let settings = Settings::of(before)?;
            if settings.source.is_some() {
                let what = format!("{} has a source {name:?} already, of a folder", whole.path().display());
                return Err(Error::refused(what, "give the new one another name"));
            }
            let frame = FrameSchema::joining(&schema, &settings.options, (known, whole.schema()?))?;
            (settings, frame)
        };
        let mut panel = frame.typed(known.clone());
        if is_new {
            let places = known.places();
            let is_own = |column: &Column| !places.contains_key(column.name.as_str());
            if frame.kept_date().is_some() && rolled_source(whole)?.is_some() {
                let what = "rows of the store are of trading dates, and the frame has no column that says theirs";
                return Err(Error::refused(what, format!("make it with a column {:?} of them", known.date_name)));
            }
            let own: Vec<Column> = frame.columns().into_iter().filter(is_own).collect();
            check_columns(whole, &own, (name, frame.options()))?;
            panel.columns.extend(own);
        }
        let keep = self.keep.of(whole.kept());
        let mut report = UpdateReport::of(whole, keep);
        report.dry_run = self.dry_run;
        let spill = stages.spill(writer, 0)?;
        let parted = Parted::read(stages, writer, self.rows, &frame)?;
        if is_new && !parted.says_more {
            frame.check_days(&|name, holds| all_in_store(whole, name, holds))?;
        }
        let sections = parted.sections(stages, &frame, (&panel, Some(before)), &spill)?;
        drop(parted);
        if sections.dates.is_empty() {
            return Err(Error::refused("the frame has no rows", "give one that has some"));
        }
        let change = DatedChange {
            whole,
            place,
            name,
            panel,
            settings,
            others: if is_new { Others::Stay } else { Others::Go },
            max_restated: None,
            keep,
            allowed: self.allowed,
            dry_run: self.dry_run,
            command: "source add",
        };
        change.make((stages, &Here), writer, (sections, spill.map()?), report)
    }
}
