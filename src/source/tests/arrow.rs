//! Arrow files, whole and broken.

use std::sync::Arc;

use arrow_array::types::{Int8Type, Int64Type};
use arrow_array::{DictionaryArray, Int8Array, ListArray};
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::DataType;

use super::*;
use crate::source::InputFormat;

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
