//! At which second of its day a row is, by a column of times beside that of its date.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

use super::clock::{Clocks, Reading};
use super::text;
use crate::panel::ticks_per_day;
use crate::reason::{Kind, Reason};
use crate::source::convert::shown_value;

const DAY: i64 = 86_400;

/// The seconds of `array`, which is the column `name`; `None` where it has no times of day. 0 for a null.
///
/// # Errors
/// When one value is a time of day, and another is not.
pub(in crate::source) fn seconds_of(name: &str, array: &ArrayRef, clocks: &Clocks) -> Result<Option<Vec<u32>>, Reason> {
    let numbers = || cast(array, &DataType::Int64).map_err(Reason::undecodable);
    let of_numbers = |second: &dyn Fn(i64) -> Option<i64>| -> Result<Option<Vec<u32>>, Reason> {
        let numbers = numbers()?;
        let numbers = numbers.as_primitive::<Int64Type>();
        let all = (0..numbers.len()).map(|row| match numbers.is_null(row) {
            true => Ok(0),
            false => second(numbers.value(row)).map(|second| second as u32).ok_or_else(|| no_time(name, array, row)),
        });
        all.collect::<Result<_, _>>().map(Some)
    };
    let per_second = |unit: &TimeUnit| ticks_per_day(*unit) / DAY;
    match array.data_type() {
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let per_second = per_second(unit);
            of_numbers(&|ticks| Some(ticks.div_euclid(per_second)).filter(|second| (0..DAY).contains(second)))
        }
        DataType::Timestamp(unit, zone) => {
            let per_second = per_second(unit);
            let zone = zone.as_ref().and_then(|zone| clocks.zone_of(zone));
            of_numbers(&|ticks| {
                let (seconds, has_fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second) != 0);
                let moment = match &zone {
                    Some(zone) => clocks.on(zone, seconds, has_fraction),
                    None => clocks.read(Reading { seconds, has_fraction, offset: None }),
                };
                moment.map(|moment| moment.second)
            })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            let Ok(texts) = cast(array, &DataType::Utf8) else { return Ok(None) };
            of_texts(name, texts.as_string::<i32>(), array, clocks)
        }
        _ => Ok(None),
    }
}

fn of_texts(name: &str, texts: &StringArray, array: &ArrayRef, clocks: &Clocks) -> Result<Option<Vec<u32>>, Reason> {
    let mut seconds = Vec::with_capacity(texts.len());
    let mut is_of_times = false;
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else {
            seconds.push(0);
            continue;
        };
        let second = text::read_time(text).or_else(|| {
            let spelt = text::read(text).filter(|spelt| !spelt.tail.is_empty())?;
            clocks.read(spelt.reading).map(|moment| moment.second)
        });
        match second {
            Some(second) => seconds.push(second as u32),
            None if is_of_times => return Err(no_time(name, array, row)),
            None => return Ok(None),
        }
        is_of_times = true;
    }
    Ok(is_of_times.then_some(seconds))
}

fn no_time(name: &str, array: &ArrayRef, row: usize) -> Reason {
    let what = format!("row {} of {name:?}: {} is no time of day", row + 1, shown_value(array, row));
    Reason::new(Kind::TimeOfDay, what).of_column(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        DictionaryArray, Int64Array, Time32SecondArray, Time64NanosecondArray, TimestampMillisecondArray,
    };

    use super::*;
    use crate::source::options::SourceOptions;

    fn seconds(array: ArrayRef) -> Result<Option<Vec<u32>>, String> {
        let clocks = Clocks::new(&SourceOptions::default()).unwrap();
        seconds_of("t", &array, &clocks).map_err(|reason| reason.to_string())
    }

    #[test]
    fn times_are_read_in_every_type_that_has_them() {
        let evening = 21 * 3600 + 5 * 60;
        let texts = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
        let coded: DictionaryArray<arrow_array::types::Int32Type> = ["21:05:00", "21:05:00"].into_iter().collect();
        let stamp = 1_704_153_600_000 + i64::from(evening) * 1000;
        for array in [
            texts(&["21:05", "21:05:00"]),
            texts(&["21:05:00.000", "2024-01-02 21:05:00"]),
            Arc::new(coded),
            Arc::new(Time32SecondArray::from(vec![evening as i32; 2])),
            Arc::new(Time64NanosecondArray::from(vec![i64::from(evening) * 1_000_000_000 + 5; 2])),
            Arc::new(TimestampMillisecondArray::from(vec![stamp, stamp + 999])),
            // Shown on the clocks of their zone.
            Arc::new(TimestampMillisecondArray::from(vec![stamp - 28_800_000; 2]).with_timezone("Asia/Shanghai")),
        ] {
            assert_eq!(seconds(array.clone()), Ok(Some(vec![evening; 2])), "{:?}", array.data_type());
        }
    }

    #[test]
    fn columns_without_times_are_none_and_one_bad_time_is_named() {
        assert_eq!(seconds(Arc::new(Int64Array::from(vec![2105]))), Ok(None));
        assert_eq!(seconds(Arc::new(StringArray::from(vec!["2024-01-02", "21:05"]))), Ok(None));
        assert_eq!(seconds(Arc::new(StringArray::from(vec![None::<&str>]))), Ok(None));
        let bad = seconds(Arc::new(StringArray::from(vec!["21:05", "25:00"])));
        assert_eq!(bad, Err("row 2 of \"t\": \"25:00\" is no time of day".to_owned()));
    }
}
