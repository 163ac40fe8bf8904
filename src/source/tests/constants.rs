//! A column of one value is told by its pages: never where the decoder would find anything else.

use std::sync::Arc;

use arrow_array::{
    BooleanArray, Float32Array, Int8Array, Int16Array, Int32Array, TimestampMillisecondArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array,
};
use arrow_schema::DataType;
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::*;
use crate::source::allowance::Allowance;
use crate::source::content::{Content, guarded};
use crate::source::input::formats::survey_file;
use crate::source::input::interner::Interner;

const ROWS: usize = 1000;

/// A file of one column, `x`.
fn file(array: &ArrayRef, is_optional: bool, properties: WriterProperties) -> Vec<u8> {
    let field = Field::new("x", array.data_type().clone(), is_optional);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array.clone()]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// What the pages tell without decoding, and what decoding gives.
fn found(bytes: Vec<u8>, data_type: &DataType) -> Result<(Option<ArrayRef>, Result<ArrayRef, Reason>), Reason> {
    let content = Content::Memory(bytes.into());
    let allowance = Allowance::new(512 << 20, 1);
    let options = SourceOptions { date_columns: vec!["none".to_owned()], ..SourceOptions::default() };
    let schema = survey_file(&content, &Interner::new(&options, &allowance))?.schema;
    if schema.values.first().is_none_or(|value| value.raw != *data_type) {
        return Err(Reason::damaged("of another type"));
    }
    let parquet = guarded(|| schema.open(content, &allowance))?;
    let rows = parquet.row_count().unwrap() as usize;
    let decoded = guarded(|| Ok(parquet.columns(&[0], Some(rows))?.remove(0)));
    Ok((guarded(|| Ok(parquet.constant(&schema.values[0], rows)))?, decoded))
}

#[test]
fn equal_numbers_of_every_type_are_found() {
    let nan = f64::from_bits(0x7ff8_0000_0000_1234);
    let columns: [ArrayRef; 12] = [
        Arc::new(Int8Array::from(vec![-7; ROWS])),
        Arc::new(Int16Array::from(vec![i16::MIN; ROWS])),
        Arc::new(Int32Array::from(vec![i32::MIN; ROWS])),
        Arc::new(Int64Array::from(vec![i64::MIN; ROWS])),
        Arc::new(UInt8Array::from(vec![u8::MAX; ROWS])),
        Arc::new(UInt16Array::from(vec![u16::MAX; ROWS])),
        Arc::new(UInt32Array::from(vec![u32::MAX; ROWS])),
        Arc::new(UInt64Array::from(vec![u64::MAX; ROWS])),
        Arc::new(Float32Array::from(vec![-0.0; ROWS])),
        Arc::new(Float64Array::from(vec![-0.0; ROWS])),
        Arc::new(Float64Array::from(vec![nan; ROWS])),
        Arc::new(Int64Array::from(vec![1])),
    ];
    for array in columns {
        for is_optional in [true, false] {
            for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
                let properties = WriterProperties::builder().set_compression(codec);
                // Pages and groups of 100 rows.
                let small =
                    properties.clone().set_max_row_group_row_count(Some(300)).set_data_page_row_count_limit(100);
                for properties in [properties.build(), small.set_write_batch_size(10).build()] {
                    let bytes = file(&array, is_optional, properties);
                    let (one, decoded) = found(bytes, array.data_type()).unwrap();
                    assert_eq!(one, Some(array.slice(0, 1)), "{}", array.data_type());
                    assert_eq!(decoded.unwrap().to_data(), array.to_data());
                }
            }
        }
    }
}

#[test]
fn whatever_is_not_surely_one_number_is_left_to_the_decoder() {
    let mut last_differs = vec![1; ROWS];
    last_differs[ROWS - 1] = 2;
    let nullable = |null: usize| Int64Array::from_iter((0..ROWS).map(|row| (row != null).then_some(1)));
    for array in [
        Arc::new(Int64Array::from(last_differs.clone())) as ArrayRef,
        Arc::new(Int64Array::from_iter_values((0..ROWS as i64).map(|row| row / 300))),
        Arc::new(nullable(0)),
        Arc::new(nullable(ROWS - 1)),
        Arc::new(Int64Array::from(vec![None; ROWS])),
        Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| if row == 0 { 0.0 } else { -0.0 }))),
        Arc::new(BooleanArray::from(vec![true; ROWS])),
        Arc::new(TimestampMillisecondArray::from(vec![1; ROWS])),
        texts(&["a"; ROWS]),
    ] {
        for rows_in_group in [300, ROWS] {
            let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows_in_group)).build();
            let (one, decoded) = found(file(&array, true, properties), array.data_type()).unwrap();
            assert_eq!(one, None, "{array:?}");
            assert_eq!(decoded.unwrap().to_data(), array.to_data());
        }
    }
    let ones: ArrayRef = Arc::new(Int64Array::from(vec![1; ROWS]));
    for properties in [
        WriterProperties::builder().set_dictionary_enabled(false),
        WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0),
    ] {
        let (one, decoded) = found(file(&ones, true, properties.build()), &DataType::Int64).unwrap();
        assert_eq!(one, None);
        assert_eq!(decoded.unwrap().to_data(), ones.to_data());
    }
}

/// The pages are read by two programs, ours and the decoder: damage must not make them differ.
#[test]
fn in_a_damaged_file_a_constant_is_what_the_decoder_finds() {
    let array: ArrayRef = Arc::new(Int64Array::from(vec![1; ROWS]));
    let (mut agreed, mut left) = (0, 0);
    for (codec, is_optional) in [
        (Compression::UNCOMPRESSED, true),
        (Compression::UNCOMPRESSED, false),
        (Compression::SNAPPY, true),
        (Compression::SNAPPY, false),
    ] {
        let bytes = file(&array, is_optional, WriterProperties::builder().set_compression(codec).build());
        for at in 0..bytes.len() {
            for flip in [0x01, 0x02, 0x10, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                let Ok((Some(one), decoded)) = found(damaged, &DataType::Int64) else {
                    left += 1;
                    continue;
                };
                let decoded = decoded.unwrap_or_else(|why| panic!("{codec:?} {is_optional} {at} {flip}: {why}"));
                let repeated = SeriesColumn::Constant(one).into_array(decoded.len()).unwrap();
                assert_eq!(repeated.to_data(), decoded.to_data(), "{codec:?} {is_optional} {at} {flip}");
                agreed += 1;
            }
        }
    }
    assert!(agreed > 100 && left > 100, "{agreed} as the decoder, {left} left to it");
}
