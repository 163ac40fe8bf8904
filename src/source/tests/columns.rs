//! The panel's columns: their union, their choice, and names that do not go.

use arrow_array::{ListArray, NullArray, types::Int32Type};
use arrow_schema::DataType;

use super::*;

fn day() -> ArrayRef {
    texts(&["20240102"])
}

fn list() -> ArrayRef {
    Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]))
}

#[test]
fn columns_are_the_union_in_first_seen_order_of_the_codes() {
    let source = Source::new();
    source.add("b", &[("date", day()), ("z", ints(&[1])), ("x", ints(&[2]))]);
    source.add("a", &[("x", ints(&[3])), ("date", day()), ("y", ints(&[4]))]);
    let survey = source.survey();
    assert_eq!(names(&survey), ["x", "y", "z"]);
    let (_, columns) = read_all(&survey, 0).unwrap();
    assert_eq!(columns, [Some(ints(&[3])), Some(ints(&[4])), None]);
    let (reader, columns) = read_all(&survey, 1).unwrap();
    assert_eq!(columns, [Some(ints(&[2])), None, Some(ints(&[1]))]);
    assert_eq!(arrays(&reader, reader.read(1..3).unwrap()), [None, Some(ints(&[1]))]);
    assert_eq!(reader.read(0..0).unwrap(), []);
}

#[test]
fn columns_and_exclude_choose() {
    let mut source = Source::new();
    source.add("a", &[("date", day()), ("x", ints(&[1])), ("X", ints(&[2])), ("y", ints(&[3]))]);
    source.options(|options| options.columns = Some(vec!["y".into(), "x".into()]));
    assert_eq!(names(&source.survey()), ["x", "y"]);
    source.options(|options| options.exclude = vec!["x".into()]);
    assert_eq!(names(&source.survey()), ["y"]);
}

#[test]
fn unknown_names_are_refused_with_the_nearest_column() {
    for change in [
        |options: &mut SourceOptions| options.columns = Some(vec!["Y".into()]),
        |options: &mut SourceOptions| options.exclude = vec!["Y".into()],
        |options: &mut SourceOptions| options.casts = vec!["Y=int64".parse().unwrap()],
        |options: &mut SourceOptions| options.renames = vec!["Y=z".parse().unwrap()],
    ] {
        let mut source = Source::new();
        source.add("a", &[("date", day()), ("x", ints(&[1])), ("y", ints(&[3]))]);
        source.options(change);
        assert_mentions(&source.refused(), &["\"Y\"", "did you mean y?"]);
    }
}

#[test]
fn an_option_for_a_column_that_may_stand_in_an_unreadable_file_is_a_note() {
    for (change, expected) in [
        (
            (|options| options.exclude = vec!["Y".into()]) as fn(&mut SourceOptions),
            "\"Y\", which is to be left out, is in no file that can be read",
        ),
        (
            |options| options.casts = vec!["Y=int64".parse().unwrap()],
            "\"Y\", which is to be cast, is in no file that can be read",
        ),
    ] {
        let mut source = Source::new();
        source.add("a", &[("date", day()), ("x", ints(&[1]))]);
        let torn = encoded(&[("date", day()), ("Y", ints(&[1]))]);
        source.write("b.parquet", &torn[..torn.len() - 5]);
        source.options(change);
        let survey = source.survey();
        assert_eq!(names(&survey), ["x"]);
        assert!(survey.notes.iter().any(|note| note == expected), "{:?}", survey.notes);
        // What is to be kept must be there.
        source.options(|options| options.columns = Some(vec!["Y".into()]));
        assert_mentions(&source.refused(), &["columns names \"Y\", which no file has"]);
    }
}

#[test]
fn columns_that_a_panel_cannot_hold_refuse_the_file_unless_excluded() {
    let mut source = Source::new();
    source.add("a", &[("date", day()), ("tags", list()), ("x", ints(&[1]))]);
    assert_mentions(&source.reason(), &["\"tags\"", "is a list", "exclude tags"]);
    source.options(|options| options.exclude = vec!["tags".into()]);
    let survey = source.survey();
    assert_eq!(names(&survey), ["x"]);
    assert_eq!(&column(&survey, 0, "x"), &ints(&[1]));
    source.options(|options| {
        options.exclude.clear();
        options.columns = Some(vec!["x".into()]);
    });
    assert_eq!(names(&source.survey()), ["x"]);
}

#[test]
fn two_columns_of_one_name_refuse_the_file() {
    let mut source = Source::new();
    source.add("a", &[("date", day()), ("x", ints(&[1])), ("x", ints(&[2]))]);
    assert_mentions(&source.reason(), &["two columns named \"x\""]);
    source.options(|options| options.exclude = vec!["x".into()]);
    assert!(read_all(&source.survey(), 0).is_ok());
}

#[test]
fn one_name_for_two_columns_of_the_output_is_refused() {
    let mut source = Source::new();
    source.add("a", &[("date", day()), ("x", ints(&[1]))]);
    source.options(|options| {
        options.code_column = Some("day".into());
        options.date_columns = vec!["day".into(), "date".into()];
    });
    assert_mentions(&source.refused(), &["\"day\"", "code"]);
}

#[test]
fn columns_of_type_null_join_anything_and_read_as_nulls() {
    let source = Source::new();
    let nulls: ArrayRef = Arc::new(NullArray::new(1));
    source.add("a", &[("date", day()), ("x", nulls.clone()), ("y", nulls)]);
    source.add("b", &[("date", day()), ("x", texts(&["bank"]))]);
    let survey = source.survey();
    let types: Vec<&DataType> = survey.columns.iter().map(|column| &column.data_type).collect();
    assert_eq!(types, [&DataType::Utf8, &DataType::Null]);
    let x = column(&survey, 0, "x");
    assert_eq!((x.len(), x.null_count()), (1, 1));
}

#[test]
fn values_come_out_bit_for_bit() {
    let odd = [f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001), -0.0, 0.0, f64::INFINITY, f64::MIN_POSITIVE / 2.0];
    let dates: Vec<i64> = (20_240_101..20_240_107).collect();
    let source = Source::new();
    source.add("a", &[("date", ints(&dates)), ("x", floats(&odd))]);
    let read = column(&source.survey(), 0, "x");
    let read: Vec<u64> = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Float64Type>(&read)
        .values()
        .iter()
        .map(|value| value.to_bits())
        .collect();
    assert_eq!(read, odd.map(f64::to_bits));
}

#[test]
fn equal_schemas_are_kept_once() {
    let source = Source::new();
    for code in ["a", "b", "c"] {
        source.add(code, &[("date", day()), ("x", ints(&[1]))]);
    }
    let survey = source.survey();
    assert!(survey.inputs.iter().all(|input| Arc::ptr_eq(&input.files[0].layout, &survey.inputs[0].files[0].layout)));
}

#[test]
fn schemas_that_differ_in_the_writers_notes_alone_are_kept_once() {
    let source = Source::new();
    for rows in 1..=3 {
        // So does pandas note the end of a RangeIndex.
        let notes = [("pandas".to_owned(), format!("{{\"index_columns\": [{{\"stop\": {rows}}}]}}"))];
        let fields = [("date", DataType::Int64), ("x", DataType::Float64)].map(|(name, data_type)| {
            Field::new(name, data_type, true).with_metadata([("rows".to_owned(), rows.to_string())])
        });
        let schema = Arc::new(Schema::new_with_metadata(fields.to_vec(), notes));
        let batch = RecordBatch::try_new(schema.clone(), vec![ints(&[20_240_102]), floats(&[0.5])]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        source.write(&format!("{rows}.parquet"), &bytes);
    }
    source.add("4", &[("date", ints(&[20_240_102])), ("x", ints(&[1]))]);
    let survey = source.survey();
    let same = |n: usize| Arc::ptr_eq(&survey.inputs[0].files[0].layout, &survey.inputs[n].files[0].layout);
    assert_eq!([1, 2, 3].map(same), [true, true, false]);
}

#[test]
fn a_file_with_rows_of_several_codes_is_not_told_to_take_the_name_of_one() {
    let source = Source::new();
    source.add(
        "all",
        &[("ts_code", texts(&["A", "B"])), ("date", texts(&["20240102", "20240102"])), ("x", ints(&[1, 2]))],
    );
    assert_mentions(
        &source.reason(),
        &["the code is \"A\" there and \"B\" in row 2, but \"all\"", "one file for each code"],
    );
    let source = Source::new();
    source.add(
        "all",
        &[("ts_code", texts(&["A", "A"])), ("date", texts(&["20240102", "20240103"])), ("x", ints(&[1, 2]))],
    );
    assert_mentions(&source.reason(), &["the code is \"A\" there, but \"all\"", "rename the file after its code"]);
}

#[test]
fn codes_of_a_column_that_is_named_after_them_are_told_as_the_file_has_them() {
    let dates = || texts(&["20240102", "20240103", "20240104"]);
    let source = Source::new();
    source.add("1", &[("permno", ints(&[1, 1, 1])), ("ticker", texts(&["", "FB", "META"])), ("date", dates())]);
    source.add("2", &[("stock", texts(&["B", "B", "A"])), ("name", texts(&["a", "b", "c"])), ("date", dates())]);
    source.add("3", &[("Stock", ints(&[3, 4, 5])), ("symbol", floats(&[1.0, 2.0, 3.0])), ("date", dates())]);
    let survey = source.survey();
    let found = |n: usize| survey.open(&survey.inputs[n]).unwrap().files()[0].named_codes.clone();
    let named =
        |name: &str, codes: &[&str]| (name.to_owned(), codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>());
    assert_eq!(found(0), [named("permno", &["1"]), named("ticker", &["\"FB\"", "\"META\""])]);
    assert_eq!(found(1), [named("stock", &["\"B\"", "\"A\""])]);
    assert_eq!(found(2), []);
}
