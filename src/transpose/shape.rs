//! What the files of an output directory are like.

use serde::{Deserialize, Serialize};

use super::names::carries;
use crate::panel::PanelSchema;
use crate::sink::{Compression, Format, NamePattern};

/// What each output file is like. All files of one output directory share it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// File format.
    pub format: Format,
    /// Compression of Parquet pages.
    pub compression: Compression,
    /// Where each file lies below the directory; `None` is `{date}` with the format's ending.
    pub name: Option<NamePattern>,
    /// The panel columns to write, besides code and date; `None` writes all.
    pub columns: Option<Vec<String>>,
    /// Panel columns to leave out.
    pub exclude: Vec<String>,
    /// Whether files have the date column; `None` is yes, unless their path carries it as `column=value`.
    pub date: Option<bool>,
    /// The stocks to write; `None` writes all.
    pub stocks: Option<Vec<String>>,
}

impl Shape {
    /// The same shape for this panel, spelt in one way: the order in which names were given says nothing.
    pub(super) fn canonical(mut self, panel: &PanelSchema) -> Shape {
        for names in self.columns.iter_mut().chain(self.stocks.iter_mut()).chain([&mut self.exclude]) {
            names.sort_unstable();
            names.dedup();
        }
        self.name = self.name.take().filter(|name| *name != self.format.default_name());
        self.date = Some(self.has_date(panel));
        self
    }

    /// In what another shape differs from this one, in words.
    pub(super) fn differences(&self, other: &Shape) -> String {
        let differs = [
            ("format", self.format != other.format),
            ("compression", self.compression != other.compression),
            ("names", self.name != other.name),
            ("columns", (&self.columns, &self.exclude) != (&other.columns, &other.exclude)),
            ("date column", self.date != other.date),
            ("stocks", self.stocks != other.stocks),
        ];
        let names: Vec<&str> = differs.iter().filter(|(_, differs)| *differs).map(|&(name, _)| name).collect();
        names.join(", ")
    }

    /// Whether files have the date column.
    pub(super) fn has_date(&self, panel: &PanelSchema) -> bool {
        self.date.unwrap_or_else(|| !carries(&self.file_name(), &panel.date_name))
    }

    /// Where each file lies below the directory.
    pub(super) fn file_name(&self) -> NamePattern {
        self.name.clone().unwrap_or_else(|| self.format.default_name())
    }
}
