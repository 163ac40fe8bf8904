//! Where the files of an output directory lie, and its ledger, so that no reader of the directory stumbles.
//!
//! Readers take a directory `column=value` for a column, and its values for whatever they look like. Polars reads every
//! file below a directory, hidden or not, and dask and DuckDB all of an ending; each must have the ending of the others
//! and the directories that they have as columns. pyarrow, pandas and Spark skip names that begin with a dot.

use crate::key::Date;
use crate::panel::{PanelSchema, Spelling};
use crate::sink::{Format, NamePattern};

/// The ledger's file name without its ending.
pub(super) const LEDGER_STEM: &str = ".transect";

/// Where the ledger lies that cannot lie beside the output directory's files.
pub(super) const LEDGER_DIR: &str = ".transect.ledger";

/// Paths of files below an output directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pattern: NamePattern,
    /// Whether dates in paths are spelt `2024-01-02`.
    dashes: bool,
}

impl Names {
    /// The names that `pattern` makes, with dates spelt so.
    pub(super) fn new(pattern: NamePattern, dashes: bool) -> Names {
        Names { pattern, dashes }
    }

    /// The names that `pattern` makes of the dates of `panel`. Where the path stands for the date column, readers must find in it what
    /// the column would be: a date where it is one, a number or digits where it is such.
    pub(super) fn of(pattern: NamePattern, panel: &PanelSchema) -> Names {
        let dashes = carries(&pattern, &panel.date_name) && panel.date_form.spelling != Spelling::Digits;
        Names { pattern, dashes }
    }

    /// Whether dates in paths are spelt `2024-01-02`.
    pub(super) fn dashes(&self) -> bool {
        self.dashes
    }

    /// The path of the file of `date`.
    pub(super) fn path(&self, date: Date) -> String {
        let (year, month, day) = date.ymd();
        match self.dashes {
            true => self.pattern.path(&format!("{year:04}-{month:02}-{day:02}")),
            false => self.pattern.path(&date.to_string()),
        }
    }

    /// The path of the ledger: beside files of one directory; else in one of its own, below directories of the same
    /// columns, as if it were of one more date.
    pub(super) fn ledger(&self, format: Format) -> String {
        let pattern = self.pattern.to_string();
        let file = pattern.rsplit('/').next().unwrap_or_default();
        let ending = file.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| !ending.contains('{'));
        let name = ending.map_or(LEDGER_STEM.to_owned(), |ending| format!("{LEDGER_STEM}.{ending}"));
        let dated = self.path(Date::EPOCH);
        let columns: Vec<&str> = dirs(&dated).filter(|dir| dir.contains('=')).collect();
        match columns.is_empty() && ending == Some(format.extension()) {
            true => name,
            false => std::iter::once(LEDGER_DIR).chain(columns).chain([name.as_str()]).collect::<Vec<_>>().join("/"),
        }
    }
}

/// Whether a directory of `pattern` stands for the date column `name`, as readers understand it.
pub(super) fn carries(pattern: &NamePattern, name: &str) -> bool {
    columns(&pattern.to_string()).any(|(key, value)| value == "{date}" && key.eq_ignore_ascii_case(name))
}

/// The columns that readers find in a path, each with its value.
pub(super) fn columns(path: &str) -> impl Iterator<Item = (&str, &str)> {
    dirs(path).filter_map(|dir| dir.split_once('='))
}

fn dirs(path: &str) -> impl Iterator<Item = &str> {
    let (dirs, _) = path.rsplit_once('/').unwrap_or_default();
    dirs.split('/').filter(|dir| !dir.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, dashes: bool) -> Names {
        Names::new(pattern.parse().unwrap(), dashes)
    }

    #[test]
    fn the_ledger_has_the_ending_and_the_columns_of_the_files() {
        for (pattern, ledger) in [
            ("{date}.parquet", ".transect.parquet"),
            ("daily/{date}.parquet", ".transect.parquet"),
            ("{date}/data.parquet", ".transect.parquet"),
            ("{date}.pq", ".transect.ledger/.transect.pq"),
            ("{date}", ".transect.ledger/.transect"),
            ("x.{date}", ".transect.ledger/.transect"),
            ("{date}.parquet.zst", ".transect.ledger/.transect.zst"),
            ("d={date}/x.parquet", ".transect.ledger/d=19700101/.transect.parquet"),
            ("d={date}.parquet", ".transect.parquet"),
            ("lake/m=cn/d={date}/x.parquet", ".transect.ledger/m=cn/d=19700101/.transect.parquet"),
        ] {
            assert_eq!(names(pattern, false).ledger(Format::Parquet), ledger, "{pattern}");
        }
        let arrow = names("d={date}/x.arrow", true).ledger(Format::Arrow);
        assert_eq!(arrow, ".transect.ledger/d=1970-01-01/.transect.arrow");
    }

    #[test]
    fn a_path_carries_the_date_where_a_directory_is_its_column_and_nothing_else() {
        for (pattern, does) in [
            ("trade_date={date}/x.parquet", true),
            ("a/Trade_Date={date}/b/x.parquet", true),
            ("trade_date=d{date}/x.parquet", false),
            ("trade_date={date}.parquet", false),
            ("date={date}/x.parquet", false),
            ("trade_date=x/{date}.parquet", false),
        ] {
            assert_eq!(carries(&pattern.parse().unwrap(), "trade_date"), does, "{pattern}");
        }
    }
}
