//! What a version holds and lacks, as plain facts: stocks over time, holes, nulls, how numbers are distributed, and
//! what its versions changed. For those who want to see a panel before they trust it.

mod columns;
mod facts;
mod lives;
mod moments;
mod months;
mod numbers;
mod pass;
mod room;
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
    /// Holds no more than the memory of `workers`: a few MiB each; of each column the sketches of the years in hand, at
    /// most 128 KiB each, and some bytes for each date and each month; and what it returns: some bytes for each date, for
    /// each month of each stock, and for each month of each column. Columns that are too many for that at once are looked
    /// at one after the other.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) where the memory does not hold what is returned; when the store is
    /// damaged, or the observer cancels.
    pub fn of(store: &Store, workers: &Workers, observer: &dyn Observer) -> Result<Coverage> {
        Coverage::held(store, workers, observer, 1)
    }

    /// As [`of`](Coverage::of), for one that is held so many `times` over in the end.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn held(store: &Store, workers: &Workers, observer: &dyn Observer, times: u64) -> Result<Coverage> {
        let months = months::months(store.dates()?);
        let walks = room::walks(store, &months, workers, times)?;
        observer.begin("look", "sections", (store.dates()?.len() * walks.len()) as u64);
        let (mut columns, mut of_rows) = (Vec::new(), None);
        for walk in walks {
            let years = Years::new(&months);
            let seen = pass::run(store, &months, &years, walk.clone(), workers, observer)?;
            if of_rows.is_none() {
                of_rows = Some((lives::lives(store, &months, &seen)?, lives::months(&months, &seen)));
            }
            columns.extend(columns::columns(store, walk, seen, years)?);
        }
        observer.end();
        let ((dates, stocks), months) = of_rows.unwrap_or_default();
        Ok(Coverage {
            version: store.version(),
            created_ns: store.created_ns(),
            rows: store.row_count(),
            dates,
            months,
            stocks,
            columns,
            versions: versions::versions(store)?,
            sources: store.sources()?,
        })
    }
}
