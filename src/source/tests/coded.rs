//! Texts that lie as a dictionary in their file are read as such, and are the same as if each were read for itself.

use arrow_array::LargeStringArray;
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, Int32Array};
use arrow_cast::cast;
use arrow_schema::DataType;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use proptest::prelude::*;

use super::*;
use crate::source::allowance::Allowance;
use crate::source::content::{Content, guarded};
use crate::source::date::column::DateReader;
use crate::source::date::rules::DateRules;
use crate::source::input::formats::survey_file;
use crate::source::input::interner::Interner;

/// Rows enough for a second batch of the decoder.
const MANY: usize = 70_000;

/// A file of one column of texts, `x`, in row groups of so many rows.
fn file(array: &ArrayRef, group_len: usize, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let fields = vec![Field::new("x", array.data_type().clone(), true)];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::clone(array)]).unwrap();
    let properties = properties.set_statistics_enabled(EnabledStatistics::None);
    let properties = properties.set_max_row_group_row_count(Some(group_len)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// The column as it is read where texts may be coded, and where each is read for itself.
fn both(bytes: Vec<u8>) -> (ArrayRef, ArrayRef) {
    let content = Content::Memory(bytes.into());
    let allowance = Allowance::new(512 << 20, 1);
    let options = SourceOptions { date_columns: vec!["none".to_owned()], ..SourceOptions::default() };
    let schema = survey_file(&content, &Interner::new(&options, &allowance)).unwrap().schema;
    let parquet = guarded(|| schema.open(content, &allowance)).unwrap();
    let rows = parquet.row_count().unwrap() as usize;
    let coded = guarded(|| parquet.coded_columns(&[0], rows)).unwrap().remove(0);
    (coded, guarded(|| parquet.columns(&[0], Some(rows))).unwrap().remove(0))
}

fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_dictionary_enabled(false)
}

#[test]
fn a_dictionary_says_what_its_rows_say() {
    let text = |row: usize| (!row.is_multiple_of(5)).then(|| format!("text {}", row * row % 97));
    let mixed: ArrayRef = Arc::new(StringArray::from_iter((0..MANY).map(text)));
    let all_different: ArrayRef = Arc::new(StringArray::from_iter_values((0..MANY).map(|row| format!("{row:06}"))));
    let columns: [(&str, ArrayRef); 6] = [
        ("mixed", Arc::clone(&mixed)),
        ("large", cast(&mixed, &DataType::LargeUtf8).unwrap()),
        ("views", cast(&mixed, &DataType::Utf8View).unwrap()),
        ("different", all_different),
        ("nulls", Arc::new(StringArray::new_null(MANY))),
        ("empty", Arc::new(StringArray::from_iter((0..MANY).map(|row| (row % 2 > 0).then_some(""))))),
    ];
    for (name, array) in columns {
        for (how, group_len, properties) in [
            ("one dictionary", usize::MAX >> 1, WriterProperties::builder()),
            ("one for each group", 1_000, WriterProperties::builder()),
            ("groups of whole batches", 65_536, WriterProperties::builder()),
            // The first page has codes, those that follow have texts.
            ("given up", usize::MAX >> 1, WriterProperties::builder().set_dictionary_page_size_limit(700)),
            ("none", usize::MAX >> 1, plain()),
        ] {
            let (coded, read) = both(file(&array, group_len, properties));
            assert_eq!(read.data_type(), array.data_type(), "{name}, {how}");
            assert_eq!(&read, &array, "{name}, {how}");
            let is_coded =
                matches!(coded.data_type(), DataType::Dictionary(_, text) if *text.as_ref() == *array.data_type());
            assert_eq!(is_coded, how != "none", "{name}, {how}");
            assert_eq!(&cast(&coded, array.data_type()).unwrap(), &array, "{name}, {how}");
        }
    }
}

#[test]
fn series_have_the_same_texts_however_they_lie() {
    let codes = |n: usize| format!("{:02}:{:02}", n / 60, n % 60);
    let rows = 4 * 90;
    let dates: Vec<String> = (0..rows).map(|row| format!("202401{:02}", 2 + row / 90)).collect();
    // Backwards on each date, so that rows are put in order.
    let times: Vec<String> = (0..rows).map(|row| codes(89 - row % 90)).collect();
    let word = |row: usize| (!row.is_multiple_of(3)).then(|| format!("word {}", row % 7));
    let words: Vec<Option<String>> = (0..rows).map(word).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("date", Arc::new(StringArray::from_iter_values(&dates))),
        ("time", Arc::new(StringArray::from_iter_values(&times))),
        ("word", Arc::new(LargeStringArray::from_iter(&words))),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, a)| Field::new(*name, a.data_type().clone(), true)).collect();
    let values = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), values).unwrap();
    let found = [WriterProperties::builder(), plain()].map(|properties| {
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut source = Source::new();
        source.options(|options| options.key = vec!["time".to_owned()]).write("a.parquet", &bytes);
        let survey = source.survey();
        let reader = survey.open(&survey.inputs[0]).unwrap();
        let read = reader.read(0..2).unwrap();
        let coded = read.iter().flatten().filter(|column| matches!(column, SeriesColumn::Coded(_))).count();
        (coded, days(&reader), arrays(&reader, read))
    });
    let [(coded, days, columns), (uncoded, other_days, others)] = found;
    assert_eq!((coded, uncoded), (2, 0));
    assert_eq!((&days, &columns), (&other_days, &others));
    assert_eq!(days, dates);
    let ascending: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| codes(row % 90))));
    assert_eq!(columns[0].as_ref(), Some(&ascending));
}

/// A dictionary of texts in which one may stand twice, or not be used.
fn dictionary(texts: Vec<Option<&'static str>>, keys: &[Option<usize>]) -> ArrayRef {
    let keys: Int32Array = keys.iter().map(|key| key.map(|key| (key % texts.len()) as i32)).collect();
    Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(texts))).unwrap())
}

proptest! {
    #[test]
    fn dates_are_read_from_a_dictionary_as_from_its_rows(
        texts in prop::collection::vec(
            prop::sample::select(vec![
                Some("20240102"), Some("20240102"), Some("20240103"), Some("2024-01-04"), Some("20240105 00:00:00"),
                Some("20240229"), Some("20230229"), Some("2024010"), Some(""), None,
            ]),
            1..6,
        ),
        more in prop::collection::vec(prop::sample::select(vec![Some("20240102"), Some("20240131")]), 1..3),
        keys in prop::collection::vec(prop::option::weighted(0.98, any::<usize>()), 0..20),
        drops in any::<bool>(),
    ) {
        let bad_dates = if drops { super::super::BadDates::Drop } else { super::super::BadDates::Error };
        let rules = DateRules::new(&SourceOptions { bad_dates, ..SourceOptions::default() }).unwrap();
        let coded = [dictionary(texts, &keys), dictionary(more, &keys)];
        let plain = coded.each_ref().map(|array| cast(array, &DataType::Utf8).unwrap());
        let read = |arrays: &[ArrayRef; 2]| {
            let mut reader = DateReader::new("date", &DataType::Utf8, &rules);
            let reason = arrays.iter().try_for_each(|array| reader.push(array)).err().map(|reason| reason.to_string());
            (reader.days.clone(), reader.dropped, reader.has_time, reader.form(), reader.other_form(), reason)
        };
        prop_assert_eq!(read(&coded), read(&plain));
    }
}

#[test]
fn a_code_that_is_not_the_files_is_found_in_its_row() {
    let day: ArrayRef = texts(&["20240102", "20240103", "20240104"]);
    for codes in [&["a", "b", "a"][..], &["a", "a", "c"]] {
        let source = Source::new();
        source.add("a", &[("date", day.clone()), ("ts_code", texts(codes)), ("x", ints(&[1, 2, 3]))]);
        let row = codes.iter().position(|code| *code != "a").unwrap();
        let expected = format!("row {} of \"ts_code\": the code is {:?}", row + 1, codes[row]);
        assert_mentions(&source.reason(), &[&expected]);
    }
}
