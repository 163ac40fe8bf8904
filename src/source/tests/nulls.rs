//! Columns without a value, of types that no panel holds: nulls have no say in what a panel is, and keep no file out.

use std::sync::Arc;

use arrow_array::new_null_array;
use arrow_array::types::Float64Type;
use arrow_array::{Float64Array, ListArray, StructArray};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Fields, TimeUnit};
use arrow_select::concat::concat;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::*;
use crate::source::InputFormat;

/// The types, and the first of them that lie in several columns of a file.
fn types() -> Vec<DataType> {
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    let pair: Fields =
        vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::List(item.clone()), false)].into();
    let entries = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int64, true)];
    let entries = Field::new("entries", DataType::Struct(entries.into()), false);
    vec![
        DataType::List(item.clone()),
        DataType::FixedSizeList(item, 3),
        DataType::Struct(pair.clone()),
        DataType::List(Arc::new(Field::new("item", DataType::Struct(pair), true))),
        DataType::Map(Arc::new(entries), false),
        DataType::Duration(TimeUnit::Microsecond),
        DataType::Float16,
        DataType::FixedSizeBinary(5),
        DataType::Decimal256(60, 2),
    ]
}

/// Files of so many dates and a column `x`: Parquet in pages of either version, in one group or in several, each of one
/// page or of many, and Arrow.
fn files(x: &ArrayRef) -> Vec<(InputFormat, Vec<u8>)> {
    let days: ArrayRef = Arc::new(arrow_array::Date32Array::from_iter_values(0..x.len() as i32));
    let fields = vec![Field::new("date", DataType::Date32, true), Field::new("x", x.data_type().clone(), true)];
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![days, x.clone()]).unwrap();
    let mut files = Vec::new();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for (group, page) in [(7, 1 << 20), (1 << 20, 1 << 20), (1 << 20, 500)] {
            let properties = WriterProperties::builder().set_writer_version(version).set_write_batch_size(100);
            let properties = properties.set_data_page_row_count_limit(page).set_dictionary_enabled(page > 500);
            let properties = properties.set_max_row_group_row_count(Some(group)).build();
            let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
            writer.write(&rows).unwrap();
            files.push((InputFormat::Parquet, writer.into_inner().unwrap()));
        }
    }
    let mut writer = FileWriter::try_new(Vec::new(), &rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    files.push((InputFormat::Arrow, writer.into_inner().unwrap()));
    files
}

/// `A` of these bytes, beside a file whose `x` has doubles.
fn source_of((input, bytes): (InputFormat, Vec<u8>)) -> Source {
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5]));
    let (_, other) = files(&doubles).into_iter().rfind(|(format, _)| *format == input).unwrap();
    let mut source = Source::new();
    let ending = if input == InputFormat::Arrow { "arrow" } else { "parquet" };
    source.options(|options| {
        options.input = input;
        options.pattern = format!("{{code}}.{ending}").parse().unwrap();
    });
    source.write(&format!("A.{ending}"), &bytes).write(&format!("B.{ending}"), &other);
    source
}

#[test]
fn a_column_of_nulls_keeps_no_file_out_whatever_it_would_hold() {
    for data_type in types() {
        for rows in [1, 9, 3000] {
            for file in files(&new_null_array(&data_type, rows)) {
                let source = source_of(file);
                let survey = source.survey();
                assert!(survey.skipped.is_empty(), "{data_type}: {:?}", survey.skipped);
                assert_eq!(survey.columns[0].data_type, DataType::Float64);
                assert_eq!(column(&survey, 0, "x").null_count(), rows, "{data_type}");
                assert_eq!(column(&survey, 1, "x").null_count(), 0);
            }
        }
    }
}

#[test]
fn one_value_or_one_that_is_empty_is_no_null() {
    let list = |values: &[Option<f64>]| -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([Some(values.iter().copied())]))
    };
    let pair: Fields = vec![Field::new("a", DataType::Float64, true)].into();
    let holding = |value: Option<f64>| -> ArrayRef {
        Arc::new(StructArray::new(pair.clone(), vec![Arc::new(Float64Array::from(vec![value]))], None))
    };
    for last in [list(&[Some(1.5)]), list(&[None]), list(&[]), holding(Some(1.5)), holding(None)] {
        for rows in [0, 8, 3000] {
            let nulls = new_null_array(last.data_type(), rows);
            let x = concat(&[nulls.as_ref(), last.as_ref()]).unwrap();
            for file in files(&x) {
                let skipped = source_of(file).survey().skipped;
                assert_eq!(skipped.len(), 1, "{last:?} behind {rows} nulls");
                assert_mentions(&skipped[0].reason.to_string(), &["its column \"x\" is ", "exclude x leaves it out"]);
            }
        }
    }
}
