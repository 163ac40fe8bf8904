//! Settles the unit of columns of instants of 96 bits, which is not in the footer, by their values: the first unit that
//! holds every one of them exactly.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, TimeUnit};

use super::decode::Parquet;
use super::footer::survey_footer;
use super::instants::{nanoseconds, ticks};
use crate::reason::Reason;
use crate::source::content::{Content, guarded};
use crate::source::input::interner::Interner;
use crate::source::input::schema::Footer;
use crate::source::types::per_tick;

/// The units, in the order in which they are tried.
const UNITS: [TimeUnit; 4] = [TimeUnit::Nanosecond, TimeUnit::Microsecond, TimeUnit::Millisecond, TimeUnit::Second];

/// Which units hold the instants seen so far.
struct Fit {
    /// Whether none is beyond the unit.
    in_range: [bool; 4],
    /// Whether none is finer than the unit.
    whole: [bool; 4],
}

impl Fit {
    fn look(&mut self, array: &ArrayRef) {
        for nanoseconds in array.as_fixed_size_binary().iter().flatten().filter_map(nanoseconds) {
            for (n, unit) in UNITS.into_iter().enumerate() {
                self.in_range[n] &= ticks(nanoseconds, unit).is_some();
                self.whole[n] &= nanoseconds % per_tick(unit) == 0;
            }
        }
    }

    /// The unit for a column that is said to be in `stated`. Where none holds all exactly, the finest that reaches them.
    fn unit(&self, stated: TimeUnit) -> TimeUnit {
        let place = |unit: TimeUnit| UNITS.iter().position(|known| *known == unit).unwrap_or(0);
        let exact = |unit: &TimeUnit| self.in_range[place(*unit)] && self.whole[place(*unit)];
        let reaching = || UNITS.into_iter().find(|unit| self.in_range[place(*unit)]);
        [stated].into_iter().chain(UNITS).find(exact).or_else(reaching).unwrap_or(TimeUnit::Second)
    }
}

/// What a Parquet file says of itself. Reads its footer; and its columns of instants of 96 bits, if it has some.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn survey_parquet(content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    let (footer, format) = guarded(|| survey_footer(content, interner))?;
    let leaves: Vec<usize> = footer.schema.instants().collect();
    if leaves.is_empty() || footer.row_count == 0 {
        return Ok(footer);
    }
    guarded(|| {
        let parquet = Parquet::new(content.clone(), &footer.schema, &format, &interner.allowance)?;
        let mut fits: Vec<Fit> = leaves.iter().map(|_| Fit { in_range: [true; 4], whole: [true; 4] }).collect();
        for batch in parquet.stored(&leaves)? {
            let batch = batch?;
            for (fit, array) in fits.iter_mut().zip(batch.columns()) {
                fit.look(array);
            }
        }
        let mut columns = footer.schema.columns.clone();
        for (leaf, fit) in leaves.iter().zip(fits) {
            if let Some(column) = columns.iter_mut().find(|column| column.leaf == *leaf)
                && let Ok(DataType::Timestamp(unit, _)) = &mut column.raw
            {
                *unit = fit.unit(*unit);
            }
        }
        let schema = interner.intern(format, columns);
        Ok(Footer { schema, ..footer })
    })
}
