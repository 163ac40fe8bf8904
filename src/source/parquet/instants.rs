//! Instants of 96 bits, which Spark, Hive and Impala write: a day and nanoseconds within it, millions of years from now
//! or ago. No timestamp of 64 bits holds all of them, and which unit does is not in the footer. So each file's are
//! looked at: the column is in the first unit that holds every one of them exactly.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, PrimitiveArray, make_array};
use arrow_schema::{DataType, TimeUnit};
use parquet::file::metadata::ParquetStatisticsPolicy;

use super::decode::Parquet;
use super::footer::{Footer, Interner};
use crate::source::content::{Content, guarded};
use crate::source::types::per_tick;

/// Bytes of an instant.
pub(in crate::source) const INSTANT: i32 = 12;

/// The units, in the order in which they are tried.
const UNITS: [TimeUnit; 4] = [TimeUnit::Nanosecond, TimeUnit::Microsecond, TimeUnit::Millisecond, TimeUnit::Second];

/// Nanoseconds since 1970: the day is a Julian one, and the time within it may be of any sign and length.
fn nanoseconds(bytes: &[u8]) -> Option<i128> {
    const EPOCH: i32 = 2_440_588;
    let (time, day) = bytes.split_first_chunk::<8>()?;
    let (time, day) = (i64::from_le_bytes(*time), i32::from_le_bytes(day.try_into().ok()?));
    Some((i128::from(day) - i128::from(EPOCH)) * 86_400_000_000_000 + i128::from(time))
}

/// The ticks of a unit; `None` beyond its range. What is left of a tick is cut.
fn ticks(nanoseconds: i128, unit: TimeUnit) -> Option<i64> {
    i64::try_from(nanoseconds.div_euclid(per_tick(unit))).ok()
}

/// Instants as timestamps of the type `to`; `before` rows of the file come before them.
///
/// # Errors
/// The first row (from 1) that is beyond that type, or finer than its unit unless it `may_round`.
pub(in crate::source) fn take_instants(
    array: &ArrayRef,
    to: &DataType,
    before: usize,
    may_round: bool,
) -> Result<ArrayRef, String> {
    let DataType::Timestamp(unit, _) = to else { return Err(format!("is damaged: {to} is no timestamp")) };
    let instants = array.as_fixed_size_binary();
    let mut numbers = Vec::with_capacity(instants.len());
    for row in 0..instants.len() {
        let exact = |nanoseconds: &i128| may_round || nanoseconds.rem_euclid(per_tick(*unit)) == 0;
        let number = match instants.is_null(row) {
            true => Some(0),
            false => nanoseconds(instants.value(row)).filter(exact).and_then(|found| ticks(found, *unit)),
        };
        numbers.push(number.ok_or_else(|| {
            let shown = nanoseconds(instants.value(row)).map_or_else(|| "a value".to_owned(), shown);
            format!("row {}: {shown} has no exact value in {to}", before + row + 1)
        })?);
    }
    let numbers = PrimitiveArray::<Int64Type>::new(numbers.into(), instants.nulls().cloned());
    let data = numbers.to_data().into_builder().data_type(to.clone()).build().map_err(|error| error.to_string())?;
    Ok(make_array(data))
}

/// An instant for a message.
fn shown(nanoseconds: i128) -> String {
    let (seconds, fraction) = (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    let instant =
        i64::try_from(seconds).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, fraction as u32));
    instant.map_or_else(|| format!("{seconds} seconds since 1970"), |instant| instant.naive_utc().to_string())
}

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

/// The footer with the units of its columns of instants settled by their values.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn settle_instants(
    content: &Content,
    footer: Footer,
    interner: &Interner,
) -> Result<Footer, String> {
    let leaves: Vec<usize> = footer.schema.instants().collect();
    if leaves.is_empty() || footer.row_count == 0 {
        return Ok(footer);
    }
    guarded(|| {
        let parquet =
            Parquet::new(content.clone(), &footer.schema, ParquetStatisticsPolicy::SkipAll, &interner.allowance)?;
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
        let schema = interner.intern(&footer.schema.leaves, columns);
        Ok(Footer { schema, ..footer })
    })
}
