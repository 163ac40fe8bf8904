//! Where types that differ between files meet, and who is refused where they do not.

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{
    BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
    Float32Array, Int8Array, Int32Array, LargeBinaryArray, LargeStringArray, StringViewArray, Time32MillisecondArray,
    Time32SecondArray, Time64NanosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampSecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, TimeUnit};

use super::*;
use crate::source::convert::fits_double;
use crate::source::parse_type;

/// Files `0`, `1`, ... whose column `x` has one row each of these.
fn source_of(arrays: &[ArrayRef]) -> Source {
    let source = Source::new();
    for (n, array) in arrays.iter().enumerate() {
        source.add(&n.to_string(), &[("date", texts(&["20240102"])), ("x", array.clone())]);
    }
    source
}

fn one<A: Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

#[track_caller]
fn assert_meet(arrays: &[ArrayRef], expected: &DataType) {
    for order in [false, true] {
        let mut arrays = arrays.to_vec();
        if order {
            arrays.reverse();
        }
        let source = source_of(&arrays);
        let survey = source.survey();
        assert!(survey.skipped.is_empty(), "{:?}", survey.skipped);
        assert_eq!(&survey.columns[0].data_type, expected);
        for (n, array) in arrays.iter().enumerate() {
            let back = arrow_cast::cast(&column(&survey, n, "x"), array.data_type()).unwrap();
            assert_eq!(&back, array);
        }
    }
}

/// The skipped files, each with its reason.
fn skipped(source: &Source) -> Vec<(String, String)> {
    source.survey().skipped.into_iter().map(|skipped| (skipped.path, skipped.reason.to_string())).collect()
}

#[test]
fn what_no_output_holds_is_refused_by_its_row() {
    use crate::panel::first_unwritable;
    let (most, day) = (i64::MAX / 1000, 86_400_000);
    for (array, told) in [
        (one(TimestampSecondArray::from(vec![most, most + 1])), "9223372036854776 as Timestamp(s)"),
        (one(TimestampSecondArray::from(vec![0, -1 << 62])), "-4611686018427387904 as Timestamp(s)"),
        (one(Time32SecondArray::from(vec![i32::MAX / 1000, i32::MAX])), "2147483647 as Time32(s)"),
        (one(Date64Array::from(vec![i64::from(i32::MAX) * day, day << 31])), "185542587187200000 as Date64"),
    ] {
        assert_eq!(first_unwritable(&array), Some(1), "{told}");
        assert_eq!(first_unwritable(&array.slice(0, 1)), None, "{told}");
        let source = source_of(&[array.slice(1, 1)]);
        let told = format!("row 1: {told} is more than a Parquet file can hold; cast x=int64 keeps the number");
        assert_mentions(&source.reason(), &[&told]);
    }
    assert_eq!(first_unwritable(&TimestampMillisecondArray::from(vec![Some(i64::MAX), None])), None);
}

#[test]
fn types_meet_at_the_smallest_that_holds_every_value() {
    use DataType::*;
    let (us, ms) = (TimeUnit::Microsecond, TimeUnit::Millisecond);
    assert_meet(&[one(Int8Array::from(vec![-1])), one(Int32Array::from(vec![1]))], &Int32);
    assert_meet(&[one(UInt8Array::from(vec![200])), one(Int8Array::from(vec![-1]))], &Int16);
    assert_meet(&[one(UInt32Array::from(vec![u32::MAX])), one(Int8Array::from(vec![-1]))], &Int64);
    assert_meet(&[one(UInt8Array::from(vec![200])), one(UInt32Array::from(vec![1]))], &UInt32);
    assert_meet(&[one(UInt64Array::from(vec![7])), ints(&[-1])], &Int64);
    assert_meet(&[ints(&[1 << 53]), floats(&[0.5])], &Float64);
    assert_meet(&[ints(&[(1 << 60) + (1 << 20)]), floats(&[0.5])], &Float64);
    assert_meet(&[one(Int8Array::from(vec![1])), one(Float32Array::from(vec![0.5]))], &Float32);
    assert_meet(&[one(Int32Array::from(vec![1])), one(Float32Array::from(vec![0.5]))], &Float64);
    assert_meet(&[one(Float32Array::from(vec![0.1])), floats(&[0.1])], &Float64);
    let decimal = |value, precision, scale| {
        one(Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap())
    };
    assert_meet(&[decimal(12_345, 10, 2), decimal(12_345, 8, 4)], &Decimal128(12, 4));
    assert_meet(&[decimal(12_345, 10, 2), ints(&[7])], &Decimal128(21, 2));
    assert_meet(&[one(Date32Array::from(vec![1])), one(Date64Array::from(vec![86_400_000]))], &Date64);
    assert_meet(
        &[one(Date32Array::from(vec![1])), one(TimestampMicrosecondArray::from(vec![5]))],
        &Timestamp(us, None),
    );
    assert_meet(
        &[one(TimestampMillisecondArray::from(vec![1])), one(TimestampMicrosecondArray::from(vec![5]))],
        &Timestamp(us, None),
    );
    assert_meet(
        &[
            one(TimestampMillisecondArray::from(vec![1]).with_timezone("UTC")),
            one(TimestampMicrosecondArray::from(vec![5]).with_timezone("UTC")),
        ],
        &Timestamp(us, Some("UTC".into())),
    );
    assert_meet(&[one(Time32SecondArray::from(vec![1])), one(Time32MillisecondArray::from(vec![1]))], &Time32(ms));
    assert_meet(
        &[one(Time32SecondArray::from(vec![1])), one(Time64NanosecondArray::from(vec![1]))],
        &Time64(TimeUnit::Nanosecond),
    );
    assert_meet(&[texts(&["a"]), one(LargeStringArray::from(vec!["b"]))], &LargeUtf8);
    assert_meet(&[texts(&["a"]), one(StringViewArray::from(vec!["b"]))], &Utf8View);
    let dictionary: DictionaryArray<Int8Type> = vec!["a"].into_iter().collect();
    assert_meet(&[texts(&["a"]), one(dictionary.clone())], &Utf8);
    assert_meet(&[one(dictionary)], &Dictionary(Box::new(Int32), Box::new(Utf8)));
    assert_meet(&[one(BinaryArray::from(vec![&b"a"[..]])), one(LargeBinaryArray::from(vec![&b"b"[..]]))], &LargeBinary);
    assert_meet(&[one(BinaryArray::from(vec![&b"a"[..]])), one(BinaryViewArray::from(vec![&b"b"[..]]))], &BinaryView);
    assert_meet(&[one(BooleanArray::from(vec![true]))], &Boolean);
}

#[test]
fn integers_that_a_double_cannot_hold_refuse_the_rarer_type() {
    let wide = ints(&[(1 << 53) + 1]);
    let source = source_of(&[floats(&[0.5]), ints(&[1]), floats(&[0.5]), wide.clone()]);
    let refused = skipped(&source);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, "3.parquet");
    assert_mentions(
        &refused[0].1,
        &["\"x\" is Int64", "Float64 in 2 files", "row 1: 9007199254740993", "cast x=Float64"],
    );
    let source = source_of(&[floats(&[0.5]), ints(&[1]), wide]);
    let refused = skipped(&source);
    assert_eq!(refused[0].0, "0.parquet");
    assert_mentions(&refused[0].1, &["\"x\" is Float64", "Int64 in 2 files", "9007199254740993"]);
    assert_eq!(source.survey().columns[0].data_type, DataType::Int64);
}

#[test]
fn integers_are_exact_as_doubles_up_to_53_significant_bits() {
    let wide = 1 << 53;
    let signed = [(0, true), (-1, true), (i64::MIN, true), (i64::MAX, false), (wide, true), (wide + 1, false)];
    let mut cases: Vec<(ArrayRef, u64, bool)> =
        signed.iter().map(|&(n, exact)| (ints(&[n]), n.unsigned_abs(), exact)).collect();
    cases.push((one(UInt64Array::from(vec![0])), 0, true));
    cases.push((one(UInt64Array::from(vec![u64::MAX])), u64::MAX, false));
    for (array, magnitude, exact) in cases {
        assert_eq!(fits_double(magnitude), exact, "{magnitude}");
        let source = source_of(&[floats(&[0.5]), floats(&[0.5]), array.clone()]);
        let survey = source.survey();
        assert_eq!(survey.skipped.is_empty(), exact, "{array:?}: {:?}", survey.skipped);
        if exact {
            let back = arrow_cast::cast(&column(&survey, 2, "x"), array.data_type()).unwrap();
            assert_eq!(&back, &array);
        }
    }
}

#[test]
fn unsigned_values_beyond_the_signed_refuse() {
    let source = source_of(&[ints(&[-1]), ints(&[1]), one(UInt64Array::from(vec![u64::MAX]))]);
    assert_mentions(&skipped(&source)[0].1, &["UInt64", "18446744073709551615"]);
}

#[test]
fn a_null_slot_does_not_make_integers_inexact() {
    let source = Source::new();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(3), None]));
    source.add("a", &[("date", ints(&[20_240_102, 20_240_103, 20_240_104])), ("x", numbers)]);
    source.add("b", &[("date", ints(&[20_240_102])), ("x", floats(&[0.5]))]);
    let survey = source.survey();
    let x = column(&survey, 0, "x");
    assert_eq!((x.null_count(), x.as_primitive::<arrow_array::types::Float64Type>().value(1)), (2, 3.0));
}

#[test]
fn where_no_type_holds_both_the_rarer_files_are_refused_and_the_later_of_a_tie() {
    let source = source_of(&[texts(&["1.5"]), floats(&[1.0]), floats(&[2.0])]);
    let refused = skipped(&source);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, "0.parquet");
    assert_mentions(&refused[0].1, &["\"x\" is Utf8", "Float64 in 2 files", "cast x=Float64"]);
    let source = source_of(&[texts(&["1.5"]), floats(&[1.0])]);
    assert_eq!(skipped(&source)[0].0, "1.parquet");
    for (a, b) in [
        (floats(&[1.0]), one(BooleanArray::from(vec![true]))),
        (texts(&["a"]), one(BinaryArray::from(vec![&b"a"[..]]))),
        (
            one(TimestampMicrosecondArray::from(vec![1])),
            one(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC")),
        ),
        (one(Date32Array::from(vec![1])), one(Time32SecondArray::from(vec![1]))),
        (floats(&[1.0]), one(Decimal128Array::from(vec![1]))),
    ] {
        assert_eq!(skipped(&source_of(&[a, b])).len(), 1);
    }
}

#[test]
fn a_refused_file_takes_its_other_columns_with_it() {
    let source = source_of(&[floats(&[1.0]), floats(&[1.0])]);
    source.add("z", &[("date", texts(&["20240102"])), ("only", ints(&[1])), ("x", texts(&["a"]))]);
    let survey = source.survey();
    assert_eq!((names(&survey), survey.inputs.len()), (vec!["x"], 2));
}

#[test]
fn strict_refuses_where_types_do_not_meet() {
    let mut source = source_of(&[texts(&["1.5"]), floats(&[1.0])]);
    source.options(|options| options.strict = true);
    assert_mentions(&source.refused(), &["1.parquet", "\"x\" is Float64", "cast"]);
}

#[test]
fn a_cast_by_hand_decides_and_refuses_what_it_cannot_read() {
    let mut source = source_of(&[texts(&["1.5"]), floats(&[1.0]), texts(&["n/a"])]);
    source.options(|options| options.casts = vec!["x=float64".parse().unwrap()]);
    let survey = source.survey();
    assert!(survey.skipped.is_empty());
    assert_eq!(&column(&survey, 0, "x"), &floats(&[1.5]));
    let reason = read_all(&survey, 2).err().unwrap();
    assert_mentions(&reason, &["\"x\"", "row 1", "\"n/a\"", "Float64"]);
    let mut source = source_of(&[floats(&[-2.0]), floats(&[1.5])]);
    source.options(|options| options.casts = vec!["x=int8".parse().unwrap()]);
    let survey = source.survey();
    assert!(read_all(&survey, 0).is_ok());
    assert_mentions(&read_all(&survey, 1).err().unwrap(), &["row 1: 1.5 cannot be read as Int8"]);
    let mut source = source_of(&[one(BooleanArray::from(vec![true]))]);
    source.options(|options| options.casts = vec!["x=time32[s]".parse().unwrap()]);
    assert_mentions(&source.reason(), &["\"x\" is Boolean", "cannot be cast to Time32"]);
}

#[test]
fn a_value_that_does_not_survive_a_widening_refuses_the_file() {
    let signalling = one(Float32Array::from(vec![f32::from_bits(0x7f80_0001)]));
    let source = source_of(&[signalling, floats(&[1.0])]);
    let reason = read_all(&source.survey(), 0).err().unwrap();
    assert_mentions(&reason, &["row 1", "no exact value in Float64"]);
    let late = one(Date32Array::from(vec![2_000_000]));
    let source = source_of(&[late, one(arrow_array::TimestampNanosecondArray::from(vec![1]))]);
    let skipped = skipped(&source);
    assert_eq!((skipped.len(), skipped[0].0.as_str()), (1, "1.parquet"));
    assert_mentions(&skipped[0].1, &["Timestamp(ns) cannot hold all values of 0.parquet: row 1: 7445-"]);
    // Where no nanosecond is lost, microseconds hold both.
    let late = one(Date32Array::from(vec![2_000_000]));
    assert_meet(
        &[late, one(arrow_array::TimestampNanosecondArray::from(vec![1_000]))],
        &DataType::Timestamp(TimeUnit::Microsecond, None),
    );
}

#[test]
fn types_of_files_without_rows_contradict_nothing() {
    let source = source_of(&[floats(&[1.0]), floats(&[2.0])]);
    source.add("a", &[("date", texts(&[])), ("x", texts(&[])), ("y", texts(&[]))]);
    let survey = source.survey();
    assert!(survey.skipped.is_empty());
    let types: Vec<&DataType> = survey.columns.iter().map(|column| &column.data_type).collect();
    assert_eq!((names(&survey), types), (vec!["x", "y"], vec![&DataType::Float64, &DataType::Utf8]));
    assert!(read_all(&survey, 2).is_ok());
}

#[test]
fn type_names_are_read_in_both_usual_ways() {
    for (text, expected) in [
        ("double", DataType::Float64),
        ("Float64", DataType::Float64),
        ("string", DataType::Utf8),
        ("LargeUtf8", DataType::LargeUtf8),
        ("decimal128(18, 4)", DataType::Decimal128(18, 4)),
        ("timestamp[ns]", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ("timestamp[us, Asia/Shanghai]", DataType::Timestamp(TimeUnit::Microsecond, Some("Asia/Shanghai".into()))),
        ("time64[us]", DataType::Time64(TimeUnit::Microsecond)),
    ] {
        assert_eq!(parse_type(text).as_ref(), Ok(&expected), "{text}");
        assert_eq!(parse_type(&expected.to_string()).as_ref(), Ok(&expected));
    }
    for text in
        ["", "list", "Null", "decimal(", "decimal128(99,1)", "timestamp[", "timestamp[é", "time32[ns]", "List(Int8)"]
    {
        assert!(parse_type(text).is_err(), "{text}");
    }
}

#[test]
fn a_date64_with_a_time_of_day_refuses_the_file_unless_cast() {
    let times = one(Date64Array::from(vec![None, Some(-86_400_000), Some(86_400_001)]));
    let mut source = Source::new();
    source.add("a", &[("date", ints(&[20_240_102, 20_240_103, 20_240_104])), ("x", times)]);
    assert_mentions(&source.reason(), &["\"x\", row 3: 1970-01-02T00:00:00.001", "time of day", "timestamp[ms]"]);
    source.options(|options| options.casts = vec!["x=timestamp[ms]".parse().unwrap()]);
    let kept = one(TimestampMillisecondArray::from(vec![None, Some(-86_400_000), Some(86_400_001)]));
    assert_eq!(&column(&source.survey(), 0, "x"), &kept);
}
