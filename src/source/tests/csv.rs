//! csv files, by what their fields look like in all of them.

use std::sync::Arc;

use arrow_array::{BooleanArray, Float32Array};
use arrow_schema::DataType;

use super::*;
use crate::source::{Epoch, InputFormat};

fn source(files: &[(&str, &str)]) -> Source {
    let mut source = Source::new();
    source.options(|options| {
        options.input = InputFormat::Csv;
        options.pattern = "{code}.csv".parse().unwrap();
    });
    for (code, text) in files {
        source.write(&format!("{code}.csv"), text.as_bytes());
    }
    source
}

fn types(survey: &Survey) -> Vec<(&str, &DataType)> {
    survey.columns.iter().map(|column| (column.name.as_str(), &column.data_type)).collect()
}

#[test]
fn a_column_has_the_type_that_holds_the_fields_of_all_files() {
    let source = source(&[
        ("A", "date,i,f,b,t,mixed,e,big\n2024-01-02,1,1,true,x,7,,9007199254740993\n"),
        ("B", "date,i,f,b,t,mixed,e,big\n2024-01-02,-2,0.5,False,,007,,1.5\n2024-01-03,,,,\"a,\"\"b\"\"\",,,\n"),
    ]);
    let survey = source.survey();
    let (int, float, text) = (&DataType::Int64, &DataType::Float64, &DataType::Utf8);
    assert_eq!(
        types(&survey),
        [
            ("i", int),
            ("f", float),
            ("b", &DataType::Boolean),
            ("t", text),
            ("mixed", text),
            ("e", &DataType::Null),
            ("big", text)
        ]
    );
    let whole = |n, name| column(&survey, n, name);
    assert_eq!(*whole(0, "f"), *floats(&[1.0]));
    assert_eq!(*whole(0, "mixed"), *texts(&["7"]));
    assert_eq!(*whole(1, "i"), *(Arc::new(Int64Array::from(vec![Some(-2), None])) as ArrayRef));
    assert_eq!(*whole(1, "b"), *(Arc::new(BooleanArray::from(vec![Some(false), None])) as ArrayRef));
    assert_eq!(*whole(1, "t"), *(Arc::new(StringArray::from(vec![None, Some("a,\"b\"")])) as ArrayRef));
    assert_eq!(
        survey.notes,
        [
            "the column \"big\" is text, since no other type holds what is in all files",
            "the column \"mixed\" is text, since B.csv has \"007\" in row 1, and 1 file has none"
        ]
    );
}

#[test]
fn one_odd_field_makes_a_column_text_and_is_named() {
    let source = source(&[("A", "date,close\n20240102,1.5\n20240103,-\n"), ("B", "date,close\n20240102,2.5\n")]);
    let survey = source.survey();
    let note = "the column \"close\" is text, since A.csv has \"-\" in row 2, and 1 file has none; such a word is read as a null where it is named as one";
    assert_eq!(survey.notes, [note]);
    assert_eq!(*column(&survey, 1, "close"), *texts(&["2.5"]));
}

#[test]
fn a_word_before_the_numbers_of_every_file_is_named_and_may_be_a_null() {
    let rows = |word: &str| format!("date,ma5,name\n20240102,{word},x\n20240103,1.5,{word}\n");
    let mut source = source(&[("A", "date,ma5,name\n20240102,NA,y\n"), ("B", &rows("NA")), ("C", &rows(" NA"))]);
    let note = "the column \"ma5\" is text, since B.csv has \"NA\" in row 1; such a word is read as a null where it is named as one";
    assert_eq!(source.survey().notes, [note]);
    source.options(|options| options.nulls = vec!["NA".to_owned()]);
    let survey = source.survey();
    assert_eq!(survey.notes, Vec::<String>::new());
    assert_eq!(types(&survey), [("ma5", &DataType::Float64), ("name", &DataType::Utf8)]);
    let ma5: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(1.5)]));
    let name: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    for n in [1, 2] {
        assert_eq!((column(&survey, n, "ma5"), column(&survey, n, "name")), (ma5.clone(), name.clone()));
    }
}

#[test]
fn a_number_that_no_type_holds_with_those_above_it_is_no_text() {
    let source = source(&[
        ("A", "date,big,flag\n20240102,9007199254740993,2\n20240103,1.5,true\n20240104,x,-\n"),
        ("B", "date,big,flag\n20240102,2.5,1\n"),
    ]);
    let notes = [("big", "1.5"), ("flag", "true")].map(|(name, text)| {
        format!(
            "the column {name:?} is text, since A.csv has {text:?} in row 2, which no other type holds with what is above \
             it"
        )
    });
    assert_eq!(source.survey().notes, notes);
}

#[test]
fn a_cast_is_made_of_the_text() {
    let mut source = source(&[("A", "date,price,part,n\n20240102,12345678901234567.89,0.1,5.0\n")]);
    source.options(|options| {
        for cast in ["price=decimal128(30,2)", "part=float32", "n=int64"] {
            options.casts.push(cast.parse().unwrap());
        }
    });
    let survey = source.survey();
    assert_eq!(crate::panel::show(&column(&survey, 0, "price"), 0), "12345678901234567.89");
    assert_eq!(*column(&survey, 0, "part"), *(Arc::new(Float32Array::from(vec![0.1])) as ArrayRef));
    assert_eq!(*column(&survey, 0, "n"), *ints(&[5]));
}

#[test]
fn codes_and_dates_are_text_and_counts_are_numbers() {
    let bars = "time,symbol,close\n1704186000000,600519,1\n";
    let mut source = source(&[("600519", bars)]);
    source.options(|options| {
        options.date_columns = vec!["time".to_owned()];
        options.epoch = Some(Epoch::Milliseconds);
        options.drop_time = true;
    });
    let survey = source.survey();
    assert_eq!(survey.code.name, "symbol");
    assert_eq!(days(&read_all(&survey, 0).unwrap().0), ["20240102"]);
    let plain = self::source(&[("A", "date,close\n20240102,1\n")]);
    let survey = plain.survey();
    let (reader, _) = read_all(&survey, 0).unwrap();
    assert_eq!(reader.files()[0].date_form.as_ref().unwrap().to_string(), "Utf8 YYYYMMDD");
}

#[test]
fn an_index_of_pandas_is_left_out_and_a_mark_of_utf_8_passed_over() {
    let source = source(&[("A", "\u{feff},date,close\r\n0,20240102,1.5\r\n1,20240103,2.5\r\n")]);
    let survey = source.survey();
    assert_eq!(names(&survey), ["close"]);
    assert_eq!(*column(&survey, 0, "close"), *floats(&[1.5, 2.5]));
    let blank = self::source(&[("A", "date,close,\n20240102,1.5,\n")]);
    assert_eq!(names(&blank.survey()), ["close"]);
}

#[test]
fn what_is_no_whole_csv_file_is_told_by_name() {
    let gbk = b"date,name\n20240102,\xc6\xbd\xb0\xb2\n";
    let long = format!("date,name\n20240102,{}\n", "x".repeat(9 << 20));
    for (bytes, reason) in [
        (
            &b"date,close\n20240102,1\n20240103,1,5\n"[..],
            "is damaged: row 2 has 3 fields, and the line of names has 2; write it anew, with quotes around a field that \
             has a comma in it",
        ),
        (
            b"date,close\n20240102,1\n20240103",
            "is damaged: row 2 has 1 fields, and the line of names has 2; write it \
          anew, with quotes around a field that has a comma in it",
        ),
        (
            b"date,name\n20240102,\"open\n20240103,x\n",
            "is truncated or damaged: it ends within a field that a quote begins",
        ),
        (gbk, "has a text in row 1 that is not UTF-8; write it in UTF-8, if it is in GBK or another encoding"),
        (b"date;close\n20240102;1\n", "has its fields apart by ';', and not by commas; write it with commas"),
        (b"\x1f\x8b\x08\0", "is packed by gzip; write it as plain text in UTF-8"),
        (b"\xff\xfed\0a\0", "is in UTF-16; write it as plain text in UTF-8"),
        (b"date,close\n20240102,\0\0\0\n", "is damaged: row 1 has bytes of zero"),
        (b"date,close\0\n20240102,1\n", "is damaged: its first line has bytes of zero"),
        // No memory allows what was never written.
        (&[b"date,close\n20240102,".to_vec(), vec![0; 9 << 20]].concat(), "is damaged: row 1 has bytes of zero"),
        (&vec![0; 9 << 20], "is damaged: its first line has bytes of zero"),
        (b"date,,close\n20240102,5,1\n", "has no name for its column 2; give it one in the first line"),
        (
            b"date,close,close\n20240102,5,1\n",
            "has two columns named \"close\"; exclude close leaves both out, or write \
          the file with another name for one of them",
        ),
        (b"\n\n", "has no line with the names of its columns"),
        (b"\xef\xbb\xbf", "has no line with the names of its columns"),
        (b"\xef\xbb\xbf\n", "has no line with the names of its columns"),
        (
            b"2024-01-02,1.5\n2024-01-03,2\n",
            "has no line with the names of its columns: its first line has \"2024-01-02\"; write the names into its first \
             line",
        ),
        (long.as_bytes(), "has more than 8192 KiB in row 1, or a quote that is left open; memory of 577 MiB allows it"),
        (&encoded(&[("date", texts(&["20240102"]))]), "is not a csv file; input parquet reads it"),
    ] {
        let source = source(&[]);
        source.write("A.csv", bytes);
        assert_eq!(source.reason(), reason);
    }
}

#[test]
fn a_row_that_reads_as_the_end_of_a_file_ends_none() {
    let end = "\u{3}end of file\u{3}";
    let source = source(&[
        ("A", &format!("date\n20240102\n{end}\n20240103\n")),
        ("B", &format!("date,close\n20240102,1\n{end}\n20240103,2\n")),
    ]);
    source.write("C.csv", format!("date,{end}\n20240102,1\n20240103,{end}").as_bytes());
    let survey = source.survey();
    let read: Vec<(&str, u64)> = survey.inputs.iter().map(|input| (input.unit.as_str(), input.row_count)).collect();
    assert_eq!(read, [("A", 3), ("C", 2)]);
    assert_mentions(&survey.skipped[0].reason, &["is damaged: row 2 has 1 fields"]);
}

#[test]
fn a_line_of_text_is_no_file_without_rows() {
    // What servers write where they refuse a request.
    let source = source(&[
        ("A", "date,close\n20240102,1.5\n"),
        ("empty", "date,close\n"),
        ("limit", "Too many requests\n"),
        ("json", "{\"code\":40203,\"msg\":\"no points left\"}"),
    ]);
    let survey = source.survey();
    assert_eq!(names(&survey), ["close"]);
    let read: Vec<(&str, u64)> = survey.inputs.iter().map(|input| (input.unit.as_str(), input.row_count)).collect();
    assert_eq!(read, [("A", 1), ("empty", 0)]);
    let skipped: Vec<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!(skipped, ["json.csv", "limit.csv"]);
    for skipped in &survey.skipped {
        assert_mentions(&skipped.reason, &["has no date column"]);
    }

    // The name of a file says its date, and its columns whether it is one.
    let mut by_date = self::source(&[
        ("20240102", "code,close\nA,1.5\n"),
        ("20240103", "code,close\n"),
        ("20240104", "Too many requests\n"),
    ]);
    by_date.options(|options| {
        options.files_by = crate::source::FilesBy::Date;
        options.pattern = "{date}.csv".parse().unwrap();
    });
    let survey = by_date.survey();
    let skipped: Vec<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!((survey.inputs.len(), skipped), (2, vec!["20240104.csv"]));
}

#[test]
fn a_folder_of_csv_files_is_told_the_option() {
    let mut source = source(&[("A", "date,close\n20240102,1\n"), ("B", "date,close\n20240102,1\n")]);
    source.options(|options| options.input = InputFormat::Parquet);
    for reason in source.survey().skipped {
        assert_eq!(reason.reason.to_string(), "is not a Parquet file; input csv reads it");
    }
    source.options(|options| options.pattern = "{code}.parquet".parse().unwrap());
    assert_mentions(&source.refused(), &["; input csv reads the csv files there"]);
}

#[test]
fn a_file_that_is_left_out_has_no_say_in_the_types() {
    let source = source(&[("A", "date,close\n20240102,1.5\n"), ("index", "name,close\nA,-\n")]);
    let survey = source.survey();
    assert_eq!(types(&survey), [("close", &DataType::Float64)]);
    assert_eq!(survey.notes, Vec::<String>::new());
    assert_mentions(&survey.skipped[0].reason, &["has no date column"]);
}

#[test]
fn a_cast_leaves_out_the_file_alone_that_it_does_not_fit() {
    let mut source = source(&[("A", "date,close\n20240102,1.5\n20240103,-\n"), ("B", "date,close\n20240102, 2\n")]);
    source.options(|options| options.casts.push("close=float64".parse().unwrap()));
    let survey = source.survey();
    assert_eq!(*column(&survey, 1, "close"), *floats(&[2.0]));
    let Err(bad) = read_all(&survey, 0) else { panic!("read") };
    assert_mentions(&bad, &["its column \"close\", row 2: \"-\" cannot be read as Float64"]);
}
