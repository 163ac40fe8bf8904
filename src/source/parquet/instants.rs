//! Instants of 96 bits, which Spark, Hive and Impala write: a day and nanoseconds within it, millions of years from now
//! or ago. No timestamp of 64 bits holds all of them.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, PrimitiveArray, make_array};
use arrow_schema::{DataType, TimeUnit};

use crate::reason::{Kind, Reason};
use crate::source::types::per_tick;

/// Bytes of an instant.
pub(in crate::source) const INSTANT: i32 = 12;

/// Nanoseconds since 1970: the day is a Julian one, and the time within it may be of any sign and length.
pub(super) fn nanoseconds(bytes: &[u8]) -> Option<i128> {
    const EPOCH: i32 = 2_440_588;
    let (time, day) = bytes.split_first_chunk::<8>()?;
    let (time, day) = (i64::from_le_bytes(*time), i32::from_le_bytes(day.try_into().ok()?));
    Some((i128::from(day) - i128::from(EPOCH)) * 86_400_000_000_000 + i128::from(time))
}

/// The ticks of a unit; `None` beyond its range. What is left of a tick is cut.
pub(super) fn ticks(nanoseconds: i128, unit: TimeUnit) -> Option<i64> {
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
) -> Result<ArrayRef, Reason> {
    let DataType::Timestamp(unit, _) = to else {
        return Err(Reason::new(Kind::Damaged, format!("marked as {to}, holds instants")));
    };
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
            let what = format!("row {}: {shown} has no exact value in {to}", before + row + 1);
            Reason::new(Kind::InexactValue, what)
        })?);
    }
    let numbers = PrimitiveArray::<Int64Type>::new(numbers.into(), instants.nulls().cloned());
    let data = numbers.to_data().into_builder().data_type(to.clone()).build().map_err(Reason::undecodable)?;
    Ok(make_array(data))
}

/// An instant for a message.
fn shown(nanoseconds: i128) -> String {
    let (seconds, fraction) = (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    let instant =
        i64::try_from(seconds).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, fraction as u32));
    instant.map_or_else(|| format!("{seconds} seconds since 1970"), |instant| instant.naive_utc().to_string())
}
