//! Columns of every stored kind come back from Parquet files as they were.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray, UInt8Array, UInt32Array, UInt64Array, cast::AsArray,
};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use proptest::prelude::*;

use super::{Compression, Encoder, Format, OutputColumn, Scratch};

/// The columns of a file that holds `groups`, one after the other, and the file's footer.
fn written(groups: &[Vec<OutputColumn>], row_count: usize) -> (Vec<ArrayRef>, ParquetMetaData) {
    let field = |(index, column): (usize, &OutputColumn)| {
        let data_type = column.logical(row_count).unwrap().data_type().clone();
        Field::new(format!("c{index}"), data_type, true)
    };
    let schema: SchemaRef = Arc::new(Schema::new(groups[0].iter().enumerate().map(field).collect::<Vec<_>>()));
    let encoder = Encoder::new(schema.clone(), Format::Parquet, Compression::Snappy).unwrap();
    let (mut scratch, mut bytes) = (Scratch::default(), Vec::new());
    let mut put = |some: &[u8]| {
        bytes.extend_from_slice(some);
        Ok(())
    };
    let mut file = encoder.begin(&mut scratch).unwrap();
    groups.iter().for_each(|columns| file.write(columns, row_count, &mut put).unwrap());
    file.finish(&mut put).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let footer = reader.metadata().as_ref().clone();
    let batches: Vec<_> = reader.with_batch_size(1 << 20).build().unwrap().map(Result::unwrap).collect();
    let column = |index: usize| {
        let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
        cast(&concat(&parts).unwrap(), schema.field(index).data_type()).unwrap()
    };
    ((0..groups[0].len()).map(column).collect(), footer)
}

/// A column that is stored as `array`.
fn stored(array: impl Array + 'static, logical: DataType) -> OutputColumn {
    OutputColumn::Stored { array: Arc::new(array), logical, distinct: false }
}

/// All that the encoder has ways of its own for, from numbers and what is null of them.
fn columns(numbers: &[u64], nulls: &[bool], texts: &StringArray) -> Vec<OutputColumn> {
    let some = || numbers.iter().zip(nulls).map(|(&number, &null)| (!null).then_some(number));
    let codes: Int32Array = some().map(|n| n.map(|n| (n % texts.len() as u64) as i32)).collect();
    let zone = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("Asia/Shanghai".into()));
    let times =
        TimestampMicrosecondArray::from_iter(some().map(|n| n.map(|n| n as i64))).with_timezone("Asia/Shanghai");
    let values = cast(texts, &DataType::Binary).unwrap();
    let values = values.as_binary::<i32>().clone();
    vec![
        stored(some().map(|n| n.map(f64::from_bits)).collect::<Float64Array>(), DataType::Float64),
        stored(some().map(|n| n.map(|n| f32::from_bits(n as u32))).collect::<Float32Array>(), DataType::Float32),
        stored(some().map(|n| n.map(|n| n as i64)).collect::<Int64Array>(), DataType::Int64),
        stored(some().map(|n| n.map(|n| n as i8)).collect::<Int8Array>(), DataType::Int64),
        stored(some().map(|n| n.map(|n| n as i8)).collect::<Int8Array>(), DataType::Int16),
        stored(some().map(|n| n.map(|n| n as u8)).collect::<UInt8Array>(), DataType::UInt32),
        stored(some().collect::<UInt64Array>(), DataType::UInt64),
        stored(some().map(|n| n.map(|n| n & 1 == 1)).collect::<BooleanArray>(), DataType::Int32),
        stored(numbers.iter().map(|n| Some(n & 1 == 1)).collect::<BooleanArray>(), DataType::Int64),
        stored(some().map(|n| n.map(|n| n & 1 == 1)).collect::<BooleanArray>(), DataType::Boolean),
        stored(times, zone),
        stored(DictionaryArray::<Int32Type>::new(codes.clone(), Arc::new(texts.clone())), DataType::LargeUtf8),
        stored(DictionaryArray::<Int32Type>::new(codes, Arc::new(values)), DataType::Binary),
        stored(some().map(|n| n.map(|n| (n >> 32) as u32)).collect::<UInt32Array>(), DataType::UInt32),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn columns_come_back_bit_for_bit_whether_values_repeat_or_not(
        pool in prop::collection::vec(
            prop_oneof![any::<u64>(), Just(0), Just(1 << 63), Just(0x7ff8_0000_0000_0001), Just(1)], 1..400),
        picks in prop::collection::vec((any::<u16>(), prop::bool::weighted(0.2)), 1..900),
        texts in prop::collection::vec("[a-c]{0,3}|\\PC{60,70}", 1..60),
        skip in 0..9_usize,
    ) {
        let numbers: Vec<u64> = picks.iter().map(|(pick, _)| pool[*pick as usize % pool.len()]).collect();
        let nulls: Vec<bool> = picks.iter().map(|(_, null)| *null).collect();
        let texts = StringArray::from(texts);
        // As a part of longer arrays: their bits begin in the middle of a byte.
        let skip = skip.min(numbers.len() - 1);
        let mut group = columns(&numbers, &nulls, &texts);
        for column in &mut group {
            if let OutputColumn::Stored { array, .. } = column {
                *array = array.slice(skip, numbers.len() - skip);
            }
        }
        let row_count = numbers.len() - skip;
        let expected: Vec<ArrayRef> = group.iter().map(|column| column.logical(row_count).unwrap()).collect();
        let (found, footer) = written(&[group], row_count);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // Arrow compares floats by their bits.
            prop_assert!(found == expected, "column {}", index);
            let chunk = footer.row_group(0).column(index);
            prop_assert_eq!(chunk.statistics().and_then(Statistics::null_count_opt), Some(expected.null_count() as u64));
        }
        let valid = || numbers.iter().zip(&nulls).skip(skip).filter(|(_, null)| !**null).map(|(number, _)| *number);
        let Some(Statistics::Int64(signed)) = footer.row_group(0).column(2).statistics() else { panic!("no integers") };
        prop_assert_eq!(signed.min_opt().copied(), valid().map(|n| n as i64).min());
        prop_assert_eq!(signed.max_opt().copied(), valid().map(|n| n as i64).max());
        let Some(Statistics::Int64(unsigned)) = footer.row_group(0).column(6).statistics() else { panic!("no integers") };
        prop_assert_eq!(unsigned.min_opt().map(|n| *n as u64), valid().min());
        prop_assert_eq!(unsigned.max_opt().map(|n| *n as u64), valid().max());
        let Some(Statistics::Int32(short)) = footer.row_group(0).column(13).statistics() else { panic!("no integers") };
        prop_assert_eq!(short.min_opt().map(|n| *n as u32), valid().map(|n| (n >> 32) as u32).min());
        prop_assert_eq!(short.max_opt().map(|n| *n as u32), valid().map(|n| (n >> 32) as u32).max());
    }
}

#[test]
fn a_constant_is_one_value_of_a_dictionary() {
    let one = OutputColumn::Constant(Arc::new(StringArray::from(vec!["20240102"])));
    let day = OutputColumn::Constant(Arc::new(Int32Array::from(vec![20_240_102])));
    let (found, footer) = written(&[vec![one, day]], 70_000);
    assert_eq!(found[0].as_string::<i32>().iter().flatten().filter(|text| *text == "20240102").count(), 70_000);
    assert_eq!(found[1].as_primitive::<Int32Type>().values()[..], [20_240_102; 70_000]);
    assert!(footer.row_group(0).columns().iter().all(|chunk| chunk.compressed_size() < 100));
}

#[test]
fn texts_too_long_for_one_page_take_several() {
    let texts: Vec<String> = (0..64).map(|n| format!("{n}").repeat(300_000)).collect();
    let codes = Int32Array::from_iter_values((0..200).map(|n| if n < 64 { n } else { n % 3 }));
    let coded = || DictionaryArray::<Int32Type>::new(codes.clone(), Arc::new(StringArray::from(texts.clone())));
    let (found, _) = written(&[vec![stored(coded(), DataType::Utf8)], vec![stored(coded(), DataType::Utf8)]], 200);
    let found: Vec<&str> = found[0].as_string::<i32>().iter().flatten().collect();
    assert_eq!(found.len(), 400);
    assert!(found.iter().enumerate().all(|(row, text)| *text == texts[codes.value(row % 200) as usize]));
}

#[test]
fn codes_that_are_all_different_bound_their_statistics() {
    let texts: Vec<String> = (0..1000).map(|n| format!("{n:06}.SZ")).collect();
    let codes = Int32Array::from_iter_values(3..900);
    let array = Arc::new(DictionaryArray::<Int32Type>::new(codes, Arc::new(StringArray::from(texts))));
    let column = OutputColumn::Stored { array, logical: DataType::Utf8, distinct: true };
    let (_, footer) = written(&[vec![column]], 897);
    let statistics = footer.row_group(0).column(0).statistics().unwrap();
    assert_eq!(statistics.min_bytes_opt(), Some(b"000003.SZ".as_slice()));
    assert_eq!(statistics.max_bytes_opt(), Some(b"000899.SZ".as_slice()));
}

/// As where a column came later than the dates of a file, and was of another type before: readers of dictionaries take
/// a text that stands twice for two.
#[test]
fn texts_of_several_parts_stand_once_in_the_dictionary_of_a_file() {
    let logical = |value| DataType::Dictionary(Box::new(DataType::Int32), Box::new(value));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let coded = |keys: Vec<Option<i32>>, logical: &DataType| {
        stored(DictionaryArray::new(Int32Array::from(keys), texts.clone()), logical.clone())
    };
    for category in [logical(DataType::LargeUtf8), logical(DataType::Utf8), DataType::Utf8] {
        let absent = OutputColumn::Stored {
            array: arrow_array::new_null_array(&category, 2),
            logical: category.clone(),
            distinct: false,
        };
        let other = stored(StringArray::from(vec!["b", "c"]), category.clone());
        let own = coded(vec![Some(1), Some(0)], &category);
        for (last, expected) in [
            (own, [None, None, Some("a"), None, None, None, Some("b"), Some("a")]),
            (other, [None, None, Some("a"), None, None, None, Some("b"), Some("c")]),
        ] {
            let first = coded(vec![Some(0), None], &category);
            let parts = [absent.clone(), first, absent.clone(), last].map(|part| (part, 2));
            let column = OutputColumn::Joined(parts.to_vec());
            let OutputColumn::Stored { array, .. } = column.whole().unwrap() else { panic!("it is one array") };
            let mut all: Vec<&str> =
                array.as_dictionary::<Int32Type>().values().as_string::<i32>().iter().flatten().collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), array.as_dictionary::<Int32Type>().values().len(), "{category}");
            let (found, _) = written(&[vec![column]], 8);
            let found = cast(&found[0], &DataType::Utf8).unwrap();
            assert_eq!(found.as_string::<i32>().iter().collect::<Vec<_>>(), expected, "{category}");
        }
    }
}

#[test]
fn a_value_that_parquet_cannot_hold_is_refused_with_its_column() {
    let days = stored(arrow_array::Date64Array::from(vec![86_400_000 << 35]), DataType::Date64);
    let seconds = stored(
        arrow_array::TimestampSecondArray::from(vec![1 << 62]),
        DataType::Timestamp(arrow_schema::TimeUnit::Second, None),
    );
    for (column, told) in [(days, "2968681394995200000 in \"x\", as Date64"), (seconds, "in \"x\", as Timestamp(s)")] {
        let data_type = column.logical(1).unwrap().data_type().clone();
        let schema = Arc::new(Schema::new(vec![Field::new("x", data_type, true)]));
        let encoder = Encoder::new(schema, Format::Parquet, Compression::Snappy).unwrap();
        let mut scratch = Scratch::default();
        let error = encoder.begin(&mut scratch).unwrap().write(&[column], 1, &mut |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("leave the column out"), "{error}");
    }
}
