//! What a version holds and lacks, as plain facts: stocks over time, holes, nulls, how numbers are distributed, and
//! what its versions changed. For those who want to see a panel before they trust it.

mod columns;
mod facts;
mod lives;
mod moments;
mod months;
mod numbers;
mod pass;
mod sketch;
mod tally;
mod versions;
mod years;

pub use facts::{
    ColumnCoverage, Coverage, DateCoverage, Distribution, Jump, JumpKind, MonthCoverage, MonthMissing, StockCoverage,
    StockMonth, StockState,
};
pub use versions::{ColumnTally, Untold, VersionChange, VersionCoverage};

use years::Years;

use crate::error::Result;
use crate::progress::Observer;
use crate::store::Store;
use crate::workers::Workers;

impl Coverage {
    /// The facts of `store`'s version. Costs one pass over it, checksums included.
    ///
    /// Holds a few MiB a worker; the sketches of the years in hand, mostly one or two, of at most 128 KiB for each
    /// column of numbers; and what it returns: some bytes for each date, for each month of each stock, and for each
    /// month of each column.
    ///
    /// # Errors
    /// When the store is damaged, or the observer cancels.
    pub fn of(store: &Store, workers: &Workers, observer: &dyn Observer) -> Result<Coverage> {
        let months = months::months(store.dates()?);
        let years = Years::new(&months);
        let seen = pass::run(store, &months, &years, workers, observer)?;
        let (dates, stocks) = lives::lives(store, &months, &seen)?;
        Ok(Coverage {
            version: store.version(),
            created_ns: store.created_ns(),
            rows: store.row_count(),
            dates,
            months: lives::months(&months, &seen),
            stocks,
            columns: columns::columns(store, seen, years)?,
            versions: versions::versions(store)?,
            sources: store.sources()?,
        })
    }
}
