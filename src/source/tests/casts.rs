//! What `--cast` does with values that the type asked for does not hold: exact, rounded as the type asks, or refused.

use arrow_array::types::Int8Type;
use arrow_array::{
    BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Float32Array, Int8Array,
    Int32Array, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt64Array,
};

use super::*;
use crate::panel::show;
use crate::source::convert::convert;
use crate::source::types::parse_type;

fn double(value: f64) -> ArrayRef {
    Arc::new(Float64Array::from(vec![None, Some(value)]))
}

fn long(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![None, Some(value)]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![None, Some(value)]))
}

fn decimal(value: i128, precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(vec![None, Some(value)]).with_precision_and_scale(precision, scale).unwrap())
}

fn nanos(value: i64) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from(vec![None, Some(value)]))
}

fn micros(value: i64, zone: &str) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![None, Some(value)]).with_timezone(zone))
}

fn seconds(value: i64) -> ArrayRef {
    Arc::new(TimestampSecondArray::from(vec![None, Some(value)]))
}

/// The second row of `array` as `to`.
fn shown(array: &ArrayRef, to: &str) -> Result<String, String> {
    let to = parse_type(to).unwrap();
    let out = convert(array, &to, 0)?;
    assert_eq!((out.data_type(), out.len(), out.is_null(0)), (&to, 2, true));
    Ok(show(&out, 1))
}

const REFUSED: &str = "refused";

#[test]
fn a_cast_is_exact_or_rounds_as_asked_or_is_refused_with_the_row() {
    let day = 86_400_000;
    let table: Vec<(ArrayRef, &str, &str)> = vec![
        // Floats.
        (double(0.1), "float32", "0.1"),
        (double(1e300), "float32", REFUSED),
        (double(f64::INFINITY), "float32", "inf"),
        (double(f64::NAN), "float32", "NaN"),
        (double(-0.0), "float32", "-0.0"),
        (double(1e-300), "float32", "0.0"),
        (double(f64::NAN), "int64", REFUSED),
        (double(f64::INFINITY), "int64", REFUSED),
        (double(1.5), "int64", REFUSED),
        (double(9_223_372_036_854_775_808.0), "int64", REFUSED),
        (double(-9_223_372_036_854_775_808.0), "int64", "-9223372036854775808"),
        (double(-1.0), "uint8", REFUSED),
        (double(256.0), "uint8", REFUSED),
        (double(1.239), "decimal128(10,2)", "1.24"),
        (double(1e9), "decimal128(10,2)", REFUSED),
        (double(f64::NAN), "decimal128(10,2)", REFUSED),
        (double(1.0), "bool", "true"),
        (double(0.5), "bool", REFUSED),
        (double(1.5), "timestamp[s]", REFUSED),
        (double(1.5), "string", "1.5"),
        (Arc::new(Float32Array::from(vec![None, Some(1.5)])), "int8", REFUSED),
        // Integers.
        (long(-1), "uint64", REFUSED),
        (long(300), "int8", REFUSED),
        (long((1 << 53) + 1), "float64", "9007199254740992.0"),
        (long(2), "bool", REFUSED),
        (long(1), "bool", "true"),
        (long(1), "timestamp[s]", "1970-01-01T00:00:01"),
        (long(day), "date64", "1970-01-02T00:00:00"),
        (long(86_400_000_000), "time64[us]", REFUSED),
        (long(-1), "time64[us]", REFUSED),
        (long(86_399_999_999), "time64[us]", "23:59:59.999999"),
        (long(123), "decimal128(4,2)", REFUSED),
        (Arc::new(UInt64Array::from(vec![None, Some(u64::MAX)])), "int64", REFUSED),
        (Arc::new(UInt64Array::from(vec![None, Some(u64::MAX)])), "timestamp[ns]", REFUSED),
        (Arc::new(Int32Array::from(vec![None, Some(86_400)])), "time32[s]", REFUSED),
        // Decimals.
        (decimal(150, 10, 2), "int64", REFUSED),
        (decimal(200, 10, 2), "int64", "2"),
        (decimal(199, 10, 2), "decimal128(10,1)", "2.0"),
        (decimal(99_999, 5, 0), "decimal128(4,0)", REFUSED),
        (decimal(200, 10, 2), "float64", "2.0"),
        (decimal(150, 10, 2), "timestamp[s]", REFUSED),
        (decimal(-1, 10, 0), "uint8", REFUSED),
        // Texts.
        (text("12"), "int64", "12"),
        (text("+5"), "int64", "5"),
        (text(""), "int64", REFUSED),
        (text("1e3"), "int64", REFUSED),
        (text("0x10"), "int64", REFUSED),
        (text("1_000"), "int64", REFUSED),
        (text("1,000"), "int64", REFUSED),
        (text("1.0"), "int64", REFUSED),
        (text("99999999999999999999"), "int64", REFUSED),
        (text("-1"), "uint8", REFUSED),
        (text("1e3"), "float64", "1000.0"),
        (text("1e400"), "float64", REFUSED),
        (text("-Infinity"), "float64", "-inf"),
        (text("1,5"), "float64", REFUSED),
        (text(""), "float64", REFUSED),
        (text("1.239"), "decimal128(10,2)", "1.24"),
        (text("abc"), "decimal128(10,2)", REFUSED),
        (text(""), "decimal128(10,2)", REFUSED),
        (text("true"), "bool", "true"),
        (text("maybe"), "bool", REFUSED),
        (text("2"), "bool", REFUSED),
        (text("2024-01-02"), "date32", "2024-01-02"),
        (text("2024-01-02T10:00:00"), "date32", REFUSED),
        (text("2024-01-02T00:00:00"), "date32", "2024-01-02"),
        (coded(text("2024-01-02 10:00")), "date32", REFUSED),
        (text("2024-02-30"), "date32", REFUSED),
        (text("2024-01-02 10:00:00.5"), "timestamp[ms]", "2024-01-02T10:00:00.500"),
        (text("9999-12-31"), "timestamp[ns]", REFUSED),
        (text("25:00:00"), "time32[s]", REFUSED),
        // Times.
        (nanos(1_001), "timestamp[us]", "1970-01-01T00:00:00.000001"),
        (nanos(-1), "timestamp[us]", "1969-12-31T23:59:59.999999"),
        (nanos(i64::MIN), "timestamp[us]", "1677-09-21T00:12:43.145224"),
        (nanos(-1), "timestamp[s,UTC]", "1969-12-31T23:59:59Z"),
        (seconds(253_402_214_400), "timestamp[ns]", REFUSED),
        (seconds(253_402_214_400), "timestamp[us]", "9999-12-31T00:00:00"),
        (seconds(86_400), "date32", "1970-01-02"),
        (seconds(86_401), "date32", REFUSED),
        (seconds(-86_400), "date32", "1969-12-31"),
        (seconds(i64::MAX), "date32", REFUSED),
        (seconds(86_401), "date64", REFUSED),
        (seconds(3_600), "time32[s]", REFUSED),
        (seconds(3_600), "int64", "3600"),
        (seconds(1_710_037_800), "timestamp[s,America/New_York]", REFUSED),
        (seconds(1_730_597_400), "timestamp[s,America/New_York]", REFUSED),
        (seconds(1_704_153_600), "timestamp[s,Asia/Shanghai]", "2024-01-02T00:00:00+08:00"),
        (micros(1_704_124_800_000_000, "Asia/Shanghai"), "date32", "2024-01-02"),
        (micros(1_704_153_600_000_000, "Asia/Shanghai"), "date32", REFUSED),
        (micros(1_704_124_800_000_000, "Asia/Shanghai"), "timestamp[us]", REFUSED),
        (micros(1_704_124_800_000_000, "Mars/Base"), "timestamp[us]", REFUSED),
        (micros(1_704_124_800_000_000, "Europe/London"), "timestamp[us]", "2024-01-01T16:00:00"),
        (micros(1_720_000_000_000_000, "Europe/London"), "timestamp[us]", REFUSED),
        (micros(1_704_124_800_000_000, "UTC"), "timestamp[us]", "2024-01-01T16:00:00"),
        (micros(1_704_124_800_000_000, "+00:00"), "timestamp[us]", "2024-01-01T16:00:00"),
        (micros(1_704_124_800_000_000, "Asia/Shanghai"), "timestamp[us,UTC]", "2024-01-01T16:00:00Z"),
        // Days.
        (Arc::new(Date64Array::from(vec![None, Some(day)])), "date32", "1970-01-02"),
        (Arc::new(Date64Array::from(vec![None, Some(day + 1)])), "date32", REFUSED),
        (Arc::new(Date64Array::from(vec![None, Some(day + 1)])), "timestamp[s]", REFUSED),
        (Arc::new(Date64Array::from(vec![None, Some(day + 1)])), "timestamp[ms]", "1970-01-02T00:00:00.001"),
        (Arc::new(Date32Array::from(vec![None, Some(2_932_896)])), "timestamp[ns]", REFUSED),
        (Arc::new(Date32Array::from(vec![None, Some(2_932_896)])), "timestamp[us]", "9999-12-31T00:00:00"),
        // A midnight that the clocks of São Paulo skipped.
        (Arc::new(Date32Array::from(vec![None, Some(17_839)])), "timestamp[s,America/Sao_Paulo]", REFUSED),
        // Others.
        (Arc::new(BooleanArray::from(vec![None, Some(true)])), "string", "true"),
        (Arc::new(BooleanArray::from(vec![None, Some(true)])), "int8", "1"),
        (Arc::new(BinaryArray::from(vec![None, Some(&b"\xff\xfe"[..])])), "string", REFUSED),
        (Arc::new(BinaryArray::from(vec![None, Some(&b"ab"[..])])), "string", "ab"),
        (coded(double(1e300)), "float32", REFUSED),
        (coded(double(1.5)), "int32", REFUSED),
        (coded(text("1e3")), "int64", REFUSED),
        (coded(text("7")), "int64", "7"),
        (Arc::new(TimestampMillisecondArray::from(vec![None, Some(i64::MAX)])), "string", REFUSED),
    ];
    let mut wrong = Vec::new();
    for (array, to, expected) in table {
        let (from, value) = (array.data_type().clone(), show(&array, 1));
        match shown(&array, to) {
            Ok(found) if found == expected => {}
            Err(why) if expected == REFUSED && why.starts_with("row 2: ") => {}
            other => wrong.push(format!("{value} ({from}) as {to}: {other:?}, should be {expected}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `values` as a dictionary has them.
fn coded(values: ArrayRef) -> ArrayRef {
    Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(vec![None, Some(1)]), values))
}

#[test]
fn a_cast_that_goes_by_another_type_is_told_by_the_one_that_was_asked_for() {
    let to = "timestamp[us]";
    assert_eq!(shown(&double(f64::NAN), to).unwrap_err(), "row 2: NaN cannot be read as Timestamp(µs)");
    assert_eq!(shown(&double(1.5), to).unwrap_err(), "row 2: 1.5 cannot be read as Timestamp(µs)");
}
