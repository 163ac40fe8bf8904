//! What the files of an output directory are like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::panel::PanelSchema;
use crate::sink::{Carried, Compression, Format, NamePattern, Partition};
use crate::store::Selection;

/// What a universe is called that is a column: this, and its name.
pub(super) const COLUMN: &str = "column ";
/// What a universe of rows is called.
pub(super) const ROWS: &str = "rows";

/// What each output file is like. All files of one output directory share it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// What each file is of.
    pub by: Partition,
    /// File format.
    pub format: Format,
    /// Compression of Parquet pages.
    pub compression: Compression,
    /// Where each file lies below the directory; `None` is `{date}`, `{code}` or `all` with the format's ending.
    pub name: Option<NamePattern>,
    /// The panel columns to write, besides code and date; `None` writes all.
    pub columns: Option<Vec<String>>,
    /// Panel columns to leave out.
    pub exclude: Vec<String>,
    /// Whether files have the date column; `None` is yes, unless their path carries it as `column=value`. Files of more
    /// than one date always have it.
    pub date: Option<bool>,
    /// The stocks to write; `None` writes all.
    pub stocks: Option<Vec<String>>,
    /// Whether stocks that the store lacks are passed over. Says nothing of the files, and is not remembered.
    #[serde(skip)]
    pub ignore_unknown: bool,
    /// Where the panel has further key columns, the value of each that the rows of a matrix have.
    pub at: BTreeMap<String, String>,
    /// What the universe is that rows belong to, in words; what [`Transpose::universe`](crate::Transpose::universe) says
    /// stands here.
    pub universe: Option<String>,
    /// The dates whose rows files have that are of several; `None` is all. What
    /// [`Transpose::selection`](crate::Transpose::selection) says stands here, except by date.
    pub dates: Option<Selection>,
}

impl Shape {
    /// The same shape for this panel, spelt in one way: the order in which names were given says nothing.
    pub(super) fn canonical(mut self, panel: &PanelSchema) -> Shape {
        for names in self.columns.iter_mut().chain(self.stocks.iter_mut()).chain([&mut self.exclude]) {
            names.sort_unstable();
            names.dedup();
        }
        for dates in self.dates.iter_mut().filter_map(|selection| selection.dates.as_mut()) {
            dates.sort_unstable();
            dates.dedup();
        }
        let is_all = |dates: &Selection| Selection { ignore_unknown: false, ..dates.clone() } == Selection::default();
        self.dates = self.dates.take().filter(|dates| !is_all(dates));
        self.name = self.name.take().filter(|name| *name != self.format.default_name(self.by));
        self.date = Some(self.has_date(panel));
        self
    }

    /// The same shape of files, with what the store lacks passed over or not.
    pub(super) fn passing_over(&self, unknown: bool) -> Shape {
        let dates = self.dates.clone().map(|dates| Selection { ignore_unknown: unknown, ..dates });
        Shape { ignore_unknown: unknown, dates, ..self.clone() }
    }

    /// In what another shape differs from this one, in words.
    pub(super) fn differences(&self, other: &Shape) -> String {
        let differs = [
            ("what files are of", self.by != other.by),
            ("format", self.format != other.format),
            ("compression", self.compression != other.compression),
            ("names", self.name != other.name),
            ("columns", (&self.columns, &self.exclude) != (&other.columns, &other.exclude)),
            ("date column", self.date != other.date),
            ("stocks", self.stocks != other.stocks),
            ("key values", self.at != other.at),
            ("universe", self.universe != other.universe),
            ("dates", self.dates != other.dates),
        ];
        let names: Vec<&str> = differs.iter().filter(|(_, differs)| *differs).map(|&(name, _)| name).collect();
        names.join(", ")
    }

    /// Whether files have the code column.
    pub(super) fn has_code(&self, panel: &PanelSchema) -> bool {
        self.by != Partition::Stock || !self.file_name().carries(&panel.code.name, Carried::Code)
    }

    /// Whether files have the date column.
    pub(super) fn has_date(&self, panel: &PanelSchema) -> bool {
        let is_carried = || self.by == Partition::Date && self.file_name().carries(&panel.date_name, Carried::Date);
        self.date.unwrap_or_else(|| !is_carried())
    }

    /// Where each file lies below the directory.
    pub(super) fn file_name(&self) -> NamePattern {
        self.name.clone().unwrap_or_else(|| self.format.default_name(self.by))
    }
}
