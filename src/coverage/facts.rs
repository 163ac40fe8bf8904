//! The facts, as values.

use serde::{Serialize, Serializer};

use super::versions::VersionCoverage;
use crate::key::Date;
use crate::store::SourceInfo;

/// What one version of a store holds and lacks: see [`Coverage::of`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Coverage {
    /// The version that this is about.
    pub version: u64,
    /// When it was made, in nanoseconds since 1970.
    pub created_ns: i64,
    /// Rows.
    pub rows: u64,
    /// The dates that have a section, ascending.
    pub dates: Vec<DateCoverage>,
    /// The months that have a date, ascending.
    pub months: Vec<MonthCoverage>,
    /// The stocks that have a row, by code.
    pub stocks: Vec<StockCoverage>,
    /// The columns in panel order, code and date left out.
    pub columns: Vec<ColumnCoverage>,
    /// All versions up to this one, oldest first.
    pub versions: Vec<VersionCoverage>,
    /// Where the rows came from; one at least.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceInfo>,
}

/// One date.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DateCoverage {
    /// The date.
    pub date: Date,
    /// Rows on it.
    pub rows: u64,
    /// Stocks that have a row on it.
    pub stocks: u32,
    /// Stocks whose first date it is. On the panel's own first date that is no listing.
    pub first: u32,
    /// Stocks whose last date it is.
    pub last: u32,
    /// Stocks that have rows before and after it, and none on it.
    pub absent: u32,
    /// Whether the share of absent stocks is unusual: larger, by a twentieth of all stocks of the date at least, than
    /// the median of the 21 dates around it, and by more stocks than chance explains: three where usually none is
    /// absent, ten where usually ten are.
    pub unusual: bool,
}

/// One calendar month.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MonthCoverage {
    /// The month, as 202401.
    pub month: u32,
    /// Its dates that have a section.
    pub dates: u32,
    /// Rows in it.
    pub rows: u64,
}

/// What became of a stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StockState {
    /// It has a row on the last date.
    Current,
    /// It has none on the last date, and had one on one of the 20 dates before.
    Stale,
    /// Its last row is older.
    Left,
}

/// One stock.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StockCoverage {
    /// Its code.
    #[serde(rename = "stock")]
    pub code: String,
    /// The first date on which it has a row.
    pub first: Date,
    /// The last one.
    pub last: Date,
    /// Its rows.
    pub rows: u64,
    /// The dates on which it has a row.
    pub dates: u32,
    /// Dates of the panel between its first and its last one on which it has no row.
    pub holes: u32,
    /// What became of it.
    pub state: StockState,
    /// The months in which it has a row, ascending.
    pub months: Vec<StockMonth>,
}

/// One month of one stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StockMonth {
    /// Index among [`Coverage::months`].
    pub month: u32,
    /// Its rows.
    pub rows: u32,
    /// The dates on which it has a row.
    pub dates: u8,
}

/// As JSON has it, since there are so many: `[month, rows, dates]`.
impl Serialize for StockMonth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.month, self.rows, self.dates).serialize(serializer)
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ColumnCoverage {
    /// Its name.
    pub name: String,
    /// Its logical type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// The source whose column it is; `None` for a key column.
    pub source: Option<String>,
    /// Nulls.
    pub nulls: u64,
    /// NaNs.
    pub nans: u64,
    /// What it lacks in each of [`Coverage::months`].
    pub months: Vec<MonthMissing>,
    /// How its numbers are distributed, by year; empty for what is no number.
    pub years: Vec<Distribution>,
    /// How many jumps it has.
    pub jump_count: u64,
    /// The newest of them, at most a hundred, ascending.
    pub jumps: Vec<Jump>,
}

/// What a column lacks in a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MonthMissing {
    /// Nulls.
    pub nulls: u64,
    /// NaNs.
    pub nans: u64,
}

/// As JSON has it, since there are so many: `[nulls, nans]`.
impl Serialize for MonthMissing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.nulls, self.nans).serialize(serializer)
    }
}

/// How the numbers of a column are distributed in a year; booleans are 0 and 1.
///
/// Counts, least and greatest are exact. Quantiles lie between two values in proportion, as those of pandas, and are off
/// by 0.8 % of these at most; but where the numbers of one sign fill more than 32 powers of two, those below are told as
/// the least of these.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Distribution {
    /// The year.
    pub year: i32,
    /// Its rows.
    pub rows: u64,
    /// Nulls.
    pub nulls: u64,
    /// NaNs.
    pub nans: u64,
    /// Infinities.
    pub infinities: u64,
    /// Zeros, of either sign.
    pub zeros: u64,
    /// Finite numbers, zeros among them; all that follows is about these, and `None` where there is none.
    pub values: u64,
    /// The least.
    pub least: Option<f64>,
    /// The greatest.
    pub greatest: Option<f64>,
    /// The numbers below which 1, 5, 25, 50, 75, 95 and 99 % lie.
    pub quantiles: Option<[f64; 7]>,
}

/// What made a date jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JumpKind {
    /// The median of the absolute values is ten times what it was before, or a tenth.
    Scale,
    /// The share of zeros among the values differs by more than half.
    Zeros,
    /// The share of rows without a finite number differs by more than half.
    Missing,
}

/// A date on which a column's numbers are not as they were on the date before: a broken feed, or a broken unit.
///
/// On both sides are dates with 20 stocks at least, and for scale and zeros as many with a value; others are passed
/// over. Dates with 5 to 19 are compared with each other, and a jump between those must also be three times as far as
/// 95 % of the column's moves between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Jump {
    /// The date.
    pub date: Date,
    /// What jumped.
    pub kind: JumpKind,
    /// It on the date before: the median of the absolute values, or a share from 0 to 1.
    pub before: f64,
    /// It on the date.
    pub after: f64,
}
