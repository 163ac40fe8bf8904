//! Where the files of an output directory lie, and its ledger, so that no reader of the directory stumbles.
//!
//! Readers take a directory `column=value` for a column, and its values for whatever they look like. Polars reads every
//! file below a directory, hidden or not, and dask and DuckDB all of an ending; each must have the ending of the others
//! and the directories that they have as columns. pyarrow, pandas and Spark skip names that begin with a dot.

use super::key::Key;
use crate::key::Date;
use crate::panel::{PanelSchema, Spelling};
use crate::sink::{Carried, Format, NamePattern, Partition};

/// The ledger's file name without its ending.
pub(super) const LEDGER_STEM: &str = ".transect";

/// Where the ledger lies that cannot lie beside the output directory's files.
pub(super) const LEDGER_DIR: &str = ".transect.ledger";

/// What stands for a code in the path of a ledger.
const NO_CODE: &str = "0";

/// Paths of files below an output directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pattern: NamePattern,
    by: Partition,
    /// Whether dates in paths are spelt `2024-01-02`.
    dashes: bool,
}

impl Names {
    /// The names that `pattern` makes of such files, with dates spelt so.
    pub(super) fn new(pattern: NamePattern, by: Partition, dashes: bool) -> Names {
        Names { pattern, by, dashes }
    }

    /// The names that `pattern` makes of the files of `panel`. Where the path stands for the date column, readers must
    /// find in it what the column would be: a date where it is one, a number or digits where it is such.
    pub(super) fn of(pattern: NamePattern, by: Partition, panel: &PanelSchema) -> Names {
        let is_spelt = by == Partition::Date && panel.date_form.spelling != Spelling::Digits;
        let dashes = is_spelt && pattern.carries(&panel.date_name, Carried::Date);
        Names { pattern, by, dashes }
    }

    /// Whether dates in paths are spelt `2024-01-02`.
    pub(super) fn dashes(&self) -> bool {
        self.dashes
    }

    /// The path of the file of `key`.
    pub(super) fn path(&self, key: &Key) -> String {
        let spelt = match key {
            Key::Days(Partition::Date, date) if self.dashes => {
                let (year, month, day) = date.ymd();
                format!("{year:04}-{month:02}-{day:02}")
            }
            key => key.to_string(),
        };
        self.pattern.path(key.named(&spelt))
    }

    /// The path of the file that is listed as `key`; `None` where that is no key.
    pub(super) fn path_of(&self, key: &str) -> Option<String> {
        Key::parse(self.by, key).map(|key| self.path(&key))
    }

    /// The path of some file, for who asks where files lie.
    pub(super) fn some_path(&self) -> String {
        self.path(&match self.by {
            Partition::Stock => Key::Stock(NO_CODE.to_owned()),
            Partition::Matrix => Key::Column(NO_CODE.to_owned()),
            by => Key::of_date(by, Date::EPOCH),
        })
    }

    /// The path of the ledger: beside files of one directory; else in one of its own, below directories of the same
    /// columns, as if it were one more file.
    pub(super) fn ledger(&self, format: Format) -> String {
        let pattern = self.pattern.to_string();
        let file = pattern.rsplit('/').next().unwrap_or_default();
        let ending = file.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| !ending.contains(['{', '}']));
        let name = ending.map_or(LEDGER_STEM.to_owned(), |ending| format!("{LEDGER_STEM}.{ending}"));
        if format == Format::Csv {
            return format!("{LEDGER_STEM}.json");
        }
        let path = self.some_path();
        let (dirs, _) = path.rsplit_once('/').unwrap_or_default();
        let columns: Vec<&str> = dirs.split('/').filter(|dir| dir.contains('=')).collect();
        match columns.is_empty() && ending == Some(format.extension()) {
            true => name,
            false => std::iter::once(LEDGER_DIR).chain(columns).chain([name.as_str()]).collect::<Vec<_>>().join("/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, by: Partition, dashes: bool) -> Names {
        Names::new(pattern.parse().unwrap(), by, dashes)
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
            ("{date:%d.%m}", ".transect.ledger/.transect"),
            ("{date}.parquet.zst", ".transect.ledger/.transect.zst"),
            ("d={date}/x.parquet", ".transect.ledger/d=19700101/.transect.parquet"),
            ("d={date}.parquet", ".transect.parquet"),
            ("lake/m=cn/d={date}/x.parquet", ".transect.ledger/m=cn/d=19700101/.transect.parquet"),
            ("year={year}/month={month}/{date}.parquet", ".transect.ledger/year=1970/month=01/.transect.parquet"),
        ] {
            assert_eq!(names(pattern, Partition::Date, false).ledger(Format::Parquet), ledger, "{pattern}");
        }
        let arrow = names("d={date}/x.arrow", Partition::Date, true).ledger(Format::Arrow);
        assert_eq!(arrow, ".transect.ledger/d=1970-01-01/.transect.arrow");
        let stock = names("ts_code={code}/x.parquet", Partition::Stock, false).ledger(Format::Parquet);
        assert_eq!(stock, ".transect.ledger/ts_code=0/.transect.parquet");
        assert_eq!(names("{date}.parquet", Partition::Month, false).ledger(Format::Parquet), ".transect.parquet");
    }

    #[test]
    fn a_path_carries_the_date_where_a_directory_is_its_column_and_nothing_else() {
        for (pattern, does) in [
            ("trade_date={date}/x.parquet", true),
            ("trade_date={date:%Y-%m-%d}/x.parquet", true),
            ("a/trade_date={date}/b/x.parquet", true),
            ("Trade_Date={date}/x.parquet", false),
            ("trade_date=d{date}/x.parquet", false),
            ("trade_date={date}.parquet", false),
            ("date={date}/x.parquet", false),
            ("trade_date=x/{date}.parquet", false),
        ] {
            let pattern: NamePattern = pattern.parse().unwrap();
            assert_eq!(pattern.carries("trade_date", Carried::Date), does, "{pattern}");
        }
    }
}
