//! What the values of a column are: exactly what its file says, or the column is refused by name.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int8Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType,
    UInt8Type, UInt32Type,
};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::data_type as physical;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::source::allowance::Allowance;
use crate::source::content::Content;
use crate::source::input::formats::survey_file;
use crate::source::input::interner::Interner;
use crate::source::input::schema::FileSchema;

/// A file of one date a row and a column `x` that is declared so; `hint` is what the Arrow schema says of `x`.
fn add<T: physical::DataType>(source: &Source, code: &str, declared: &str, values: &[T::T], hint: Option<DataType>) {
    let message = format!("message m {{ REQUIRED INT32 date (DATE); REQUIRED {declared}; }}");
    let schema = Arc::new(parse_message_type(&message).unwrap());
    let mut properties = WriterProperties::builder();
    if let Some(hint) = hint {
        let fields = [("date", DataType::Date32), ("x", hint)].map(|(name, kind)| Field::new(name, kind, false));
        let encoded = encode_arrow_schema(&Schema::new(fields.to_vec()));
        properties =
            properties.set_key_value_metadata(Some(vec![KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encoded)]));
    }
    let file = File::create(source.path().join(format!("{code}.parquet"))).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let dates: Vec<i32> = (0..values.len() as i32).map(|n| 19_724 + n).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<physical::Int32Type>().write_batch(&dates, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

/// The column `x` of a file, and its type in the panel.
fn read<T: physical::DataType>(declared: &str, values: &[T::T], hint: Option<DataType>) -> (DataType, ArrayRef) {
    let source = Source::new();
    add::<T>(&source, "a", declared, values, hint);
    let survey = source.survey();
    assert!(survey.skipped.is_empty(), "{:?}", survey.skipped);
    (survey.columns[0].data_type.clone(), column(&survey, 0, "x"))
}

/// Why a file is refused for its column `x`.
fn reason<T: physical::DataType>(declared: &str, values: &[T::T], hint: Option<DataType>) -> String {
    let source = Source::new();
    add::<T>(&source, "a", declared, values, hint);
    source.reason()
}

fn instant(days: i64, nanoseconds: i64) -> physical::Int96 {
    let nanoseconds = nanoseconds as u64;
    let day = (days + 2_440_588) as u32;
    vec![nanoseconds as u32, (nanoseconds >> 32) as u32, day].into()
}

fn fixed(bytes: &[u8]) -> physical::FixedLenByteArray {
    physical::ByteArray::from(bytes.to_vec()).into()
}

const NS: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);
const US: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

#[test]
fn instants_of_96_bits_are_in_the_first_unit_that_holds_all_of_them() {
    let read = |values: &[physical::Int96], hint| read::<physical::Int96Type>("INT96 x", values, hint);
    let (kind, array) = read(&[instant(19_724, 123_456_789), instant(-1, 0)], None);
    assert_eq!(kind, NS);
    let day = 86_400_000_000_000;
    assert_eq!(array.as_primitive::<TimestampNanosecondType>().values(), &[19_724 * day + 123_456_789, -day]);
    // 9999-12-31 and 1600-01-01.
    let (kind, array) = read(&[instant(2_932_896, 1_000), instant(-135_140, 0)], None);
    assert_eq!(kind, US);
    assert_eq!(
        array.as_primitive::<TimestampMicrosecondType>().values(),
        &[2_932_896 * 86_400_000_000 + 1, -135_140 * 86_400_000_000]
    );
    // The unit that the writer's own type had, where it holds all.
    let ms = DataType::Timestamp(TimeUnit::Millisecond, Some("Asia/Shanghai".into()));
    assert_eq!(read(&[instant(1, 5_000_000)], Some(ms.clone())).0, ms);
    let (kind, array) = read(&[instant(1, 5_000_001)], Some(ms));
    assert_eq!(kind, DataType::Timestamp(TimeUnit::Nanosecond, Some("Asia/Shanghai".into())));
    assert_eq!(array.as_primitive::<TimestampNanosecondType>().values(), &[day + 5_000_001]);
    // A time before its day or after it is the instant that it adds up to.
    let (_, array) = read(&[instant(1, -1), instant(0, 2 * day + 7)], None);
    assert_eq!(array.as_primitive::<TimestampNanosecondType>().values(), &[day - 1, 2 * day + 7]);
    assert_eq!(
        read(&[instant(i64::from(i32::MAX) - 2_440_588, 0)], None).0,
        DataType::Timestamp(TimeUnit::Millisecond, None)
    );
}

#[test]
fn instants_that_no_unit_holds_refuse_their_file_unless_cast() {
    let mut source = Source::new();
    add::<physical::Int96Type>(&source, "a", "INT96 x", &[instant(1, 0), instant(2_932_896, 1)], None);
    assert_mentions(
        &source.reason(),
        &["its column \"x\", row 2: 9999-12-31 00:00:00.000000001 has no exact value", "cast x=timestamp[us]"],
    );
    for (cast, expected) in [("x=timestamp[us]", US), ("x=date32", DataType::Date32)] {
        source.options(|options| options.casts = vec![cast.parse().unwrap()]);
        let survey = source.survey();
        assert_eq!(survey.columns[0].data_type, expected);
        let back = arrow_cast::cast(&column(&survey, 0, "x"), &DataType::Date32).unwrap();
        assert_eq!(back.as_primitive::<Date32Type>().values(), &[1, 2_932_896]);
    }
    source.options(|options| options.casts = vec!["x=timestamp[ns]".parse().unwrap()]);
    assert_mentions(&source.reason(), &["its column \"x\"", "9999-12-31"]);
}

#[test]
fn files_whose_instants_need_different_units_meet_where_all_are_exact() {
    let source = Source::new();
    add::<physical::Int96Type>(&source, "a", "INT96 x", &[instant(1, 1_000)], None);
    add::<physical::Int96Type>(&source, "b", "INT96 x", &[instant(2_932_896, 0)], None);
    add::<physical::Int64Type>(&source, "c", "INT64 x (TIMESTAMP(MILLIS, false))", &[253_402_214_400_000], None);
    let survey = source.survey();
    assert_eq!((survey.skipped.len(), &survey.columns[0].data_type), (0, &US));
    let value = |n| column(&survey, n, "x").as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!([0, 1, 2].map(value), [86_400_000_001, 253_402_214_400_000_000, 253_402_214_400_000_000]);
    // A nanosecond in one file and the year 9999 in another: one of them has to go, by name.
    add::<physical::Int96Type>(&source, "a", "INT96 x", &[instant(1, 1)], None);
    let survey = source.survey();
    assert_eq!(survey.columns[0].data_type, NS);
    let skipped: Vec<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!(skipped, ["b.parquet", "c.parquet"]);
}

#[test]
fn integers_beyond_their_mark_refuse_the_file() {
    type Number = physical::Int32Type;
    let (kind, array) = read::<Number>("INT32 x (INTEGER(8, true))", &[-128, 127], None);
    assert_eq!((kind, array.as_primitive::<Int8Type>().values().to_vec()), (DataType::Int8, vec![-128, 127]));
    let (_, array) = read::<Number>("INT32 x (UINT_8)", &[255, 0], None);
    assert_eq!(array.as_primitive::<UInt8Type>().values(), &[255, 0]);
    let (_, array) = read::<Number>("INT32 x (UINT_32)", &[-1], None);
    assert_eq!(array.as_primitive::<UInt32Type>().values(), &[u32::MAX]);
    for (mark, value) in [("INT_8", 128), ("INT_8", 300), ("UINT_8", -1), ("INT_16", 32_768), ("UINT_16", 65_536)] {
        let reason = reason::<Number>(&format!("INT32 x ({mark})"), &[7, value], None);
        assert_mentions(&reason, &["its column \"x\", row 2:", &value.to_string(), "is stored, which is beyond"]);
    }
}

#[test]
fn decimals_are_exact_whatever_holds_them() {
    let one = |array: ArrayRef| array.as_primitive::<Decimal128Type>().value(0);
    let decimal = |precision, scale| DataType::Decimal128(precision, scale);
    let (kind, array) = read::<physical::Int32Type>("INT32 x (DECIMAL(9, 2))", &[-999_999_999], None);
    assert_eq!((kind, one(array)), (decimal(9, 2), -999_999_999));
    let (kind, array) = read::<physical::Int64Type>("INT64 x (DECIMAL(18, 4))", &[12_345], None);
    assert_eq!((kind, one(array)), (decimal(18, 4), 12_345));
    // More bytes than a decimal needs, and as few as it needs.
    for (bytes, expected) in [(vec![0xff; 20], -1), (vec![0; 17], 0), (vec![0x80], -128), (vec![0, 0x80], 128)] {
        let bytes: physical::ByteArray = bytes.into();
        let (kind, array) = read::<physical::ByteArrayType>("BYTE_ARRAY x (DECIMAL(20, 3))", &[bytes], None);
        assert_eq!((kind, one(array)), (decimal(20, 3), expected));
    }
    let (kind, array) = read::<physical::FixedLenByteArrayType>(
        "FIXED_LEN_BYTE_ARRAY(20) x (DECIMAL(38, 0))",
        &[fixed(&[[0xff; 18].as_slice(), &[0xfe, 0]].concat())],
        None,
    );
    assert_eq!((kind, one(array)), (decimal(38, 0), -512));
    // Digits that the type does not have, in numbers and bytes, and no bytes at all.
    let beyond = reason::<physical::Int32Type>("INT32 x (DECIMAL(3, 1))", &[1, 1_000], None);
    assert_mentions(&beyond, &["its column \"x\", row 2: 1000 is stored, which is beyond Decimal128(3, 1)"]);
    let beyond = reason::<physical::Int64Type>("INT64 x (DECIMAL(3, 1))", &[-1_000], None);
    assert_mentions(&beyond, &["row 1: -1000 is stored"]);
    for bytes in [vec![], vec![4, 0], vec![1; 17]] {
        let bytes: physical::ByteArray = bytes.into();
        let beyond = reason::<physical::ByteArrayType>("BYTE_ARRAY x (DECIMAL(3, 1))", &[bytes], None);
        assert_mentions(&beyond, &["its column \"x\", row 1:", "beyond Decimal128(3, 1)"]);
    }
}

#[test]
fn wide_decimals_are_refused_by_name_and_the_cast_that_is_named_reads_them() {
    let mut source = Source::new();
    let bytes = fixed(&[[0xff; 31].as_slice(), &[0xfe]].concat());
    let wide = Some(DataType::Decimal256(30, 2));
    let declared = "FIXED_LEN_BYTE_ARRAY(32) x (DECIMAL(30, 2))";
    add::<physical::FixedLenByteArrayType>(&source, "a", declared, &[bytes], wide);
    assert_eq!(
        source.reason(),
        "its column \"x\" is Decimal256(30, 2), which a panel cannot hold; cast x=decimal128(30,2) keeps its values, \
         or exclude x leaves it out"
    );
    source.options(|options| options.casts = vec!["x=decimal128(30,2)".parse().unwrap()]);
    let survey = source.survey();
    assert_eq!(column(&survey, 0, "x").as_primitive::<Decimal128Type>().value(0), -2);
}

#[test]
fn a_decimal_declared_wider_than_any_is_cast_where_its_values_have_room() {
    let declared = "FIXED_LEN_BYTE_ARRAY(32) x (DECIMAL(50, 2))";
    for (bytes, cast) in
        [([[0xff; 31].as_slice(), &[0xfe]].concat(), true), ([[0; 14].as_slice(), &[1], &[0; 17]].concat(), false)]
    {
        let mut source = Source::new();
        add::<physical::FixedLenByteArrayType>(&source, "a", declared, &[fixed(&bytes)], None);
        let way_out = if cast { "cast x=decimal128(38,2) keeps its values, or exclude x" } else { "hold; exclude x" };
        assert_mentions(&source.reason(), &["Decimal256(50, 2)", way_out]);
        source.options(|options| options.casts = vec!["x=decimal128(38,2)".parse().unwrap()]);
        match cast {
            true => assert_eq!(column(&source.survey(), 0, "x").as_primitive::<Decimal128Type>().value(0), -2),
            false => assert_mentions(&source.reason(), &["cannot be read as Decimal128(38, 2)"]),
        }
    }
}

#[test]
fn a_value_beyond_its_type_costs_its_file_no_more_than_its_column() {
    let cases: [(&str, Vec<i32>, &str); 3] = [
        (
            "INT32 x (INTEGER(8, true))",
            vec![1, 128],
            "row 2: 128 is stored, which is beyond Int8; exclude x leaves it out",
        ),
        ("INT32 x (DECIMAL(3, 1))", vec![1000], "row 1: 1000 is stored, which is beyond Decimal128(3, 1); exclude x"),
        ("INT32 x (UNKNOWN)", vec![1], "whose values should all be null, has others; exclude x leaves it out"),
    ];
    for (declared, values, expected) in cases {
        let mut source = Source::new();
        add::<physical::Int32Type>(&source, "a", declared, &values, None);
        assert_mentions(&source.reason(), &[expected]);
        source.options(|options| options.exclude = vec!["x".to_owned()]);
        assert!(source.survey().skipped.is_empty(), "{declared}");
    }
    let empty = reason::<physical::ByteArrayType>("BYTE_ARRAY x (DECIMAL(3, 1))", &[Vec::new().into()], None);
    assert_mentions(&empty, &["row 1: a number without a digit is stored, which is beyond Decimal128(3, 1)"]);
}

#[test]
fn types_without_a_place_in_a_panel_are_named_and_the_way_out_works() {
    type Bytes = physical::FixedLenByteArrayType;
    let mut source = Source::new();
    for (declared, bytes, kind, cast) in [
        ("FIXED_LEN_BYTE_ARRAY(2) x (FLOAT16)", &[0x00, 0x3c][..], "Float16", Some("float32")),
        ("FIXED_LEN_BYTE_ARRAY(16) x (UUID)", &[7; 16], "FixedSizeBinary(16)", Some("binary")),
        ("FIXED_LEN_BYTE_ARRAY(12) x", &[7; 12], "FixedSizeBinary(12)", Some("binary")),
        ("FIXED_LEN_BYTE_ARRAY(12) x (INTERVAL)", &[7; 12], "an interval of months, days and milliseconds", None),
    ] {
        add::<Bytes>(&source, "a", declared, &[fixed(bytes)], None);
        let kept = cast.map(|to| format!("cast x={to} keeps its values, or ")).unwrap_or_default();
        assert_eq!(
            source.reason(),
            format!("its column \"x\" is {kind}, which a panel cannot hold; {kept}exclude x leaves it out")
        );
        if let Some(to) = cast {
            source.options(|options| options.casts = vec![format!("x={to}").parse().unwrap()]);
            let array = column(&source.survey(), 0, "x");
            let shown = crate::panel::show(&array, 0);
            let expected = if to == "float32" { "1.0".to_owned() } else { "07".repeat(bytes.len()) };
            assert_eq!(shown, expected);
        }
        // Months that Arrow would drop do not become text either.
        source.options(|options| options.casts = vec!["x=string".parse().unwrap()]);
        if cast.is_none() {
            assert_mentions(&source.reason(), &["which cannot be cast to Utf8; exclude x leaves it out"]);
        }
        source.options(|options| options.casts.clear());
        source.options(|options| options.exclude = vec!["x".to_owned()]);
        assert!(read_all(&source.survey(), 0).is_ok());
        source.options(|options| options.exclude.clear());
    }
}

#[test]
fn an_arrow_schema_that_contradicts_the_columns_is_not_heard() {
    let zoned = |unit, zone: &str| DataType::Timestamp(unit, Some(zone.into()));
    let us = TimeUnit::Microsecond;
    for (declared, hint, expected) in [
        ("INT64 x", DataType::Timestamp(TimeUnit::Second, None), DataType::Timestamp(TimeUnit::Second, None)),
        ("INT64 x", DataType::Timestamp(TimeUnit::Nanosecond, None), DataType::Int64),
        ("INT64 x", DataType::Time64(us), DataType::Int64),
        ("INT64 x", DataType::Float64, DataType::Int64),
        ("INT64 x", DataType::UInt64, DataType::Int64),
        ("INT64 x (TIMESTAMP(MICROS, true))", DataType::Timestamp(us, None), zoned(us, "UTC")),
        ("INT64 x (TIMESTAMP(MICROS, true))", zoned(TimeUnit::Nanosecond, "Asia/Tokyo"), zoned(us, "Asia/Tokyo")),
        ("INT64 x (TIMESTAMP(MICROS, false))", zoned(us, "Asia/Tokyo"), US),
        ("INT64 x (TIMESTAMP_MICROS)", zoned(us, "Asia/Tokyo"), zoned(us, "Asia/Tokyo")),
        ("INT64 x (TIMESTAMP_MICROS)", DataType::Null, zoned(us, "UTC")),
        ("INT64 x (TIMESTAMP(MICROS, false))", DataType::Timestamp(TimeUnit::Second, None), US),
        ("INT64 x (DECIMAL(10, 2))", DataType::Decimal64(10, 4), DataType::Decimal128(10, 2)),
        ("INT64 x (DECIMAL(10, 2))", DataType::Decimal256(10, 4), DataType::Decimal128(10, 2)),
        ("INT64 x (DECIMAL(10, 2))", DataType::Decimal32(9, 2), DataType::Decimal128(10, 2)),
        ("INT64 x", DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64)), DataType::Int64),
    ] {
        let (kind, array) = read::<physical::Int64Type>(declared, &[1, 2], Some(hint));
        assert_eq!(kind, expected, "{declared}");
        let number = |row| crate::panel::show(&arrow_cast::cast(&array.slice(row, 1), &DataType::Int64).unwrap(), 0);
        if !kind.is_numeric() || kind == DataType::Int64 {
            assert_eq!([number(0), number(1)], ["1", "2"]);
        } else {
            assert_eq!(array.as_primitive::<Decimal128Type>().values(), &[1, 2]);
        }
    }
    for (declared, hint, expected) in [
        ("INT32 x", DataType::Time32(TimeUnit::Second), DataType::Time32(TimeUnit::Second)),
        ("INT32 x", DataType::Time32(TimeUnit::Millisecond), DataType::Int32),
        ("INT32 x", DataType::Timestamp(TimeUnit::Second, None), DataType::Int32),
        ("INT32 x", DataType::Int8, DataType::Int32),
        ("INT32 x (DATE)", DataType::Date64, DataType::Date64),
        ("INT32 x (TIME(MILLIS, true))", DataType::Time32(TimeUnit::Second), DataType::Time32(TimeUnit::Millisecond)),
    ] {
        assert_eq!(read::<physical::Int32Type>(declared, &[1], Some(hint)).0, expected, "{declared}");
    }
    let text = |value: &str| physical::ByteArray::from(value);
    for (declared, hint, expected) in [
        ("BYTE_ARRAY x", DataType::Utf8, DataType::Binary),
        ("BYTE_ARRAY x", DataType::LargeBinary, DataType::LargeBinary),
        ("BYTE_ARRAY x", DataType::BinaryView, DataType::BinaryView),
        ("BYTE_ARRAY x (STRING)", DataType::Binary, DataType::Utf8),
        ("BYTE_ARRAY x (STRING)", DataType::Utf8View, DataType::Utf8View),
        ("BYTE_ARRAY x (ENUM)", DataType::Null, DataType::Utf8),
        ("BYTE_ARRAY x (JSON)", DataType::LargeUtf8, DataType::LargeUtf8),
        ("BYTE_ARRAY x (BSON)", DataType::Null, DataType::Binary),
    ] {
        let (kind, array) = read::<physical::ByteArrayType>(declared, &[text("abc")], Some(hint));
        assert_eq!(kind, expected, "{declared}");
        let back = arrow_cast::cast(&array, &DataType::Utf8).unwrap();
        assert_eq!(back.as_string::<i32>().value(0), "abc");
    }
}

#[test]
fn each_file_has_the_types_of_its_own_arrow_schema_whichever_was_read_before() {
    let source = Source::new();
    let seconds = || DataType::Timestamp(TimeUnit::Second, None);
    let hints = [Some(seconds()), None, Some(seconds()), Some(DataType::Int64), Some(seconds()), Some(seconds())];
    let (options, allowance) = (SourceOptions::default(), Allowance::new(512 << 20, 1));
    let interner = Interner::new(&options, &allowance);
    let schemas = hints.iter().enumerate().map(|(n, hint)| {
        let code = n.to_string();
        add::<physical::Int64Type>(&source, &code, "INT64 x", &[1, 2], hint.clone());
        let (content, _) = Content::open(&source.path().join(format!("{code}.parquet"))).unwrap();
        survey_file(&content, &interner).unwrap().schema
    });
    let schemas: Vec<Arc<FileSchema>> = schemas.collect();
    let types = schemas.iter().map(|schema| schema.columns[1].raw.clone().unwrap());
    let expected = [seconds(), DataType::Int64, seconds(), DataType::Int64, seconds(), seconds()];
    assert_eq!(types.collect::<Vec<_>>(), expected);
    assert!(Arc::ptr_eq(&schemas[0], &schemas[5]) && Arc::ptr_eq(&schemas[1], &schemas[3]));
}

#[test]
fn marks_that_outputs_do_not_have_are_noted() {
    let micros = DataType::Time64(TimeUnit::Microsecond);
    for (declared, hint, loss) in [
        ("INT64 x (TIME(MICROS, true))", None, Some("the mark of times of UTC")),
        ("INT64 x (TIME(MICROS, true))", Some(DataType::Int64), Some("the mark of times of UTC")),
        ("INT64 x (TIME(MICROS, true))", Some(micros), None),
        ("INT64 x (TIME(MICROS, false))", None, None),
        ("INT64 x (TIME_MICROS)", None, None),
    ] {
        let source = Source::new();
        add::<physical::Int64Type>(&source, "a", declared, &[34_200_000_000], hint);
        let notes = source.survey().notes;
        let expected: Vec<String> =
            loss.map(|loss| format!("the column x comes out without {loss}")).into_iter().collect();
        assert_eq!(notes, expected, "{declared}");
    }
}

#[test]
fn texts_that_are_no_utf8_refuse_the_file_whatever_they_are_marked_with() {
    for mark in ["STRING", "JSON", "ENUM"] {
        for hint in [None, Some(DataType::Utf8), Some(DataType::Utf8View), Some(DataType::LargeUtf8)] {
            let bytes = physical::ByteArray::from(vec![b'a', 0xff, 0xfe]);
            let reason = reason::<physical::ByteArrayType>(&format!("BYTE_ARRAY x ({mark})"), &[bytes], hint);
            assert_mentions(&reason, &["its column \"x\"", "UTF-8"]);
        }
    }
}

#[test]
fn times_and_days_beyond_the_usual_stay_what_they_are() {
    let (_, array) = read::<physical::Int32Type>("INT32 x (DATE)", &[i32::MIN, i32::MAX], None);
    assert_eq!(array.as_primitive::<Date32Type>().values(), &[i32::MIN, i32::MAX]);
    for (declared, kind) in [
        ("INT32 x (TIME(MILLIS, false))", DataType::Time32(TimeUnit::Millisecond)),
        ("INT32 x (TIME_MILLIS)", DataType::Time32(TimeUnit::Millisecond)),
    ] {
        let (found, array) = read::<physical::Int32Type>(declared, &[-1, 86_400_000], None);
        assert_eq!(found, kind);
        let numbers = arrow_cast::cast(&array, &DataType::Int32).unwrap();
        assert_eq!(numbers.as_primitive::<Int32Type>().values(), &[-1, 86_400_000]);
    }
    let (_, array) = read::<physical::Int64Type>("INT64 x (TIME(NANOS, false))", &[i64::MAX, -1], None);
    let numbers = arrow_cast::cast(&array, &DataType::Int64).unwrap();
    assert_eq!(numbers.as_primitive::<Int64Type>().values(), &[i64::MAX, -1]);
}
