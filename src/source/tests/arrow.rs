//! Arrow files, whole and broken.

use std::sync::Arc;

use arrow_array::types::{Int8Type, Int64Type};
use arrow_array::{
    Date32Array, Decimal32Array, Decimal128Array, DictionaryArray, Int8Array, ListArray, StringViewArray,
};
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_ipc::{
    Block, FieldBuilder, FloatingPointBuilder, FooterBuilder, MessageBuilder, MessageHeader, MetadataVersion,
    Precision, SchemaBuilder, Type, root_as_footer_with_opts,
};
use arrow_schema::DataType;
use flatbuffers::{FlatBufferBuilder, VerifierOptions};

use super::*;
use crate::source::InputFormat;
use crate::source::arrow::messages::COPIES;

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn rows() -> RecordBatch {
    batch(&[("trade_date", texts(&["20240102", "20240103"])), ("close", floats(&[1.5, 2.5]))])
}

fn file(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn stream(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn source(bytes: &[u8]) -> Source {
    let mut source = Source::new();
    source.options(|options| {
        options.input = InputFormat::Arrow;
        options.pattern = "{code}.arrow".parse().unwrap();
    });
    source.write("A.arrow", bytes);
    source
}

#[test]
fn files_and_streams_of_several_batches_are_one_series() {
    let later = batch(&[("trade_date", texts(&["20240101"])), ("close", floats(&[0.5]))]);
    for bytes in [file(&[rows(), later.clone()]), stream(&[rows(), later], IpcWriteOptions::default())] {
        let source = source(&bytes);
        let survey = source.survey();
        let (reader, _) = read_all(&survey, 0).unwrap();
        assert_eq!(days(&reader), ["20240101", "20240102", "20240103"]);
        assert_eq!(*column(&survey, 0, "close"), *floats(&[0.5, 1.5, 2.5]));
    }
}

#[test]
fn a_dictionary_that_a_stream_replaces_counts_from_then_on() {
    let coded = |text: &str, day: &str| {
        let keys = Int8Array::from(vec![0]);
        let coded: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, texts(&[text])));
        batch(&[("trade_date", texts(&[day])), ("name", coded)])
    };
    let source = source(&stream(&[coded("a", "20240102"), coded("b", "20240103")], IpcWriteOptions::default()));
    let survey = source.survey();
    let names = arrow_cast::cast(&column(&survey, 0, "name"), &DataType::Utf8).unwrap();
    assert_eq!(*names, *texts(&["a", "b"]));
}

#[test]
fn a_dictionary_in_pieces_is_refused_by_name() {
    let coded = |values: &[&str], day: &str| {
        let keys = Int8Array::from(vec![values.len() as i8 - 1]);
        let coded: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, texts(values)));
        batch(&[("trade_date", texts(&[day])), ("name", coded)])
    };
    let options = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    let source = source(&stream(&[coded(&["a"], "20240102"), coded(&["a", "b"], "20240103")], options));
    assert_eq!(
        source.reason(),
        "has a dictionary in several pieces, which is not read; write each dictionary whole, or the file as Parquet"
    );
}

#[test]
fn what_is_no_whole_arrow_file_is_told_by_name() {
    let (file, stream) = (file(&[rows()]), stream(&[rows()], IpcWriteOptions::default()));
    let cut = "is truncated or damaged: it does not end as an Arrow file does";
    let open = "is truncated: it begins as a stream of Arrow but does not end as one; write it anew, and close it";
    for (bytes, reason) in [
        (&file[..file.len() - 1], cut),
        (&file[..20], cut),
        // The end of a stream, which many writers leave out where they were stopped.
        (&stream[..stream.len() - 8], open),
        (&stream[..stream.len() - 20], open),
        (
            b"FEA1 and so on",
            "is Feather of version 1, which is not read; write it as Feather of version 2, or as Parquet",
        ),
        (b"trade_date,close\n20240102,1\n", "is not an Arrow file; input csv reads it"),
        (&encoded(&[("trade_date", texts(&["20240102"]))]), "is not an Arrow file; input parquet reads it"),
        (b"\0\0\0\0", "is not an Arrow file"),
    ] {
        assert_eq!(source(bytes).reason(), reason);
    }
    let longer = [&stream[..], b"more"].concat();
    assert_eq!(source(&longer).reason(), "is damaged: it goes on after its end");
}

#[test]
fn a_list_is_refused_with_its_name_and_left_out() {
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)]), None]));
    let columns = [("trade_date", texts(&["20240102", "20240103"])), ("l", list), ("close", floats(&[1.5, 2.5]))];
    let mut source = source(&file(&[batch(&columns)]));
    assert_mentions(&source.reason(), &["its column \"l\" is List(", "exclude l leaves it out"]);
    source.options(|options| options.exclude.push("l".to_owned()));
    assert_eq!(*column(&source.survey(), 0, "close"), *floats(&[1.5, 2.5]));
}

/// A footer, or a message, whose schema names one column so many times; and blocks.
fn same_column(count: usize, blocks: &[Block], is_file: bool) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let name = builder.create_string(&"n".repeat(1000));
    let mut kind = FloatingPointBuilder::new(&mut builder);
    kind.add_precision(Precision::DOUBLE);
    let kind = kind.finish().as_union_value();
    let mut field = FieldBuilder::new(&mut builder);
    field.add_name(name);
    field.add_type_type(Type::FloatingPoint);
    field.add_type_(kind);
    let field = field.finish();
    let fields = builder.create_vector(&vec![field; count]);
    let mut schema = SchemaBuilder::new(&mut builder);
    schema.add_fields(fields);
    let schema = schema.finish();
    if is_file {
        let blocks = builder.create_vector(blocks);
        let mut footer = FooterBuilder::new(&mut builder);
        footer.add_version(MetadataVersion::V5);
        footer.add_schema(schema);
        footer.add_recordBatches(blocks);
        let footer = footer.finish();
        builder.finish(footer, None);
    } else {
        let mut message = MessageBuilder::new(&mut builder);
        message.add_version(MetadataVersion::V5);
        message.add_header_type(MessageHeader::Schema);
        message.add_header(schema.as_union_value());
        let message = message.finish();
        builder.finish(message, None);
    }
    let mut bytes = builder.finished_data().to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let len = (bytes.len() as i32).to_le_bytes();
    match is_file {
        true => [&b"ARROW1\0\0"[..], &[0; 64], &bytes, &len, b"ARROW1"].concat(),
        false => [&[0xff; 4][..], &len, &bytes, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat(),
    }
}

/// 20,000 columns of one name of 1,000 letters lie in 80 KB, and would be copies of 20 MB.
#[test]
fn a_schema_that_says_the_same_again_and_again_is_refused_before_it_is_copied() {
    for (is_file, what) in [(true, "its footer cannot be read"), (false, "its schema cannot be read")] {
        assert_eq!(source(&same_column(20_000, &[], is_file)).reason(), format!("is damaged: {what}"));
        // As often as a writer may have said it, it is not what is wrong.
        assert_mentions(&source(&same_column(2, &[], is_file)).reason(), &["two columns named"]);
    }
}

#[test]
fn what_writers_say_of_many_columns_is_read_with_room_to_spare() {
    let notes = |n: usize| [("comment".to_owned(), format!("column {n}")), ("unit".to_owned(), "USD".to_owned())];
    let coded = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let types = [DataType::Float64, DataType::Utf8, coded, DataType::Decimal128(10, 2)];
    let field = |n: usize| Field::new(format!("c{n}"), types[n % 4].clone(), true).with_metadata(notes(n));
    let schema = Schema::new((0..1000).map(field).collect::<Vec<_>>());
    let bytes = FileWriter::try_new(Vec::new(), &schema).unwrap().into_inner().unwrap();
    let end = bytes.len() - 10;
    let len = i32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    let half = VerifierOptions { max_apparent_size: COPIES / 2 * len, ..VerifierOptions::default() };
    assert!(root_as_footer_with_opts(&half, &bytes[end - len..end]).is_ok());
}

/// Each look at a message reads it: the bytes there are none.
#[test]
fn blocks_in_the_same_bytes_are_refused_before_any_is_read() {
    let blocks = [Block::new(8, 16, 8), Block::new(8, 16, 8)];
    let reason = source(&same_column(1, &blocks, true)).reason();
    assert_eq!(reason, "is damaged: two of its blocks lie in the same bytes");
    let reason = source(&same_column(1, &blocks[..1], true)).reason();
    assert_eq!(reason, "is damaged: block 0 has a message of another length than it says");
}

#[test]
fn a_decimal_beyond_the_digits_of_its_type_is_refused_and_made_no_null() {
    let short = Decimal32Array::from(vec![123, 123_456]).with_precision_and_scale(4, 1).unwrap();
    let long = Decimal128Array::from(vec![123, 123_456]).with_precision_and_scale(4, 1).unwrap();
    let coded = DictionaryArray::new(Int8Array::from(vec![0, 1]), Arc::new(long.clone()));
    for decimals in [Arc::new(short) as ArrayRef, Arc::new(long), Arc::new(coded)] {
        let rows = batch(&[("trade_date", texts(&["20240102", "20240103"])), ("d", decimals)]);
        let good = source(&file(&[rows.slice(0, 1)]));
        assert_eq!(read_all(&good.survey(), 0).unwrap().1[0].as_ref().unwrap().null_count(), 0);
        assert_mentions(&source(&file(&[rows])).reason(), &["its column \"d\": 123456 is stored, which is beyond Dec"]);
    }
}

#[test]
fn a_batch_that_says_it_has_no_rows_while_its_columns_do_is_damaged() {
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(0..151));
    let bytes = file(&[batch(&[("trade_date", days)])]);
    let count = 151_i64.to_le_bytes();
    // Of the batch and of its column, in an order that is the writer's.
    let places = bytes.windows(count.len()).enumerate().filter(|(_, found)| *found == count).map(|(at, _)| at);
    let reasons: Vec<String> =
        places.map(|at| source(&[&bytes[..at], &[0; 8], &bytes[at + 8..]].concat()).reason()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("a column of more rows than its batch")), "{reasons:?}");
}

#[test]
fn texts_in_views_are_looked_at_though_they_are_decoded_as_bytes() {
    let long = "beyond the twelve bytes of a view";
    let views: ArrayRef = Arc::new(StringViewArray::from(vec![Some(long), None, Some("ab")]));
    let dates = texts(&["20240102", "20240103", "20240104"]);
    let bytes = file(&[batch(&[("trade_date", dates), ("v", views.clone())])]);
    assert_eq!(*column(&source(&bytes).survey(), 0, "v"), *views);
    let at = bytes.windows(long.len()).position(|found| found == long.as_bytes()).unwrap();
    let damaged = [&bytes[..at + 20], &[0xff], &bytes[at + 21..]].concat();
    assert_mentions(&source(&damaged).reason(), &["its column \"v\"", "utf-8"]);
}

#[test]
fn a_changed_byte_gives_an_error_or_what_another_reader_gives() {
    let source = source(&file(&[rows(), rows().slice(0, 0)]));
    let path = source.path().join("A.arrow");
    let whole = fs::read(&path).unwrap();
    let mut read = 0;
    for at in 0..whole.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(&path, &bytes).unwrap();
            let Ok(survey) = source.try_survey() else { continue };
            if survey.inputs.is_empty() {
                continue;
            }
            if let Ok((reader, _)) = read_all(&survey, 0) {
                assert_eq!(reader.dates().len() as u64, survey.inputs[0].row_count);
                read += 1;
            }
        }
    }
    // Values and padding may be anything.
    assert!(read > 0);
}
