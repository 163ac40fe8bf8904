//! Which files are found, what becomes of their names, and what is said of the others.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::progress::Observer;
use crate::source::Pattern;

fn day() -> Vec<(&'static str, ArrayRef)> {
    vec![("trade_date", texts(&["20240102"])), ("x", ints(&[1]))]
}

fn codes(survey: &Survey) -> Vec<&str> {
    survey.inputs.iter().map(|input| input.code.as_str()).collect()
}

#[test]
fn codes_come_from_names_in_byte_order() {
    let source = Source::new();
    let names = ["b", "B", "平安银行", "ARE&M", "ABR_A", "BRK.B", "a b", "x\ny", "..x", "{code}"];
    for name in names {
        source.add(name, &day());
    }
    let mut sorted = names;
    sorted.sort_unstable();
    let survey = source.survey();
    assert_eq!(codes(&survey), sorted);
    assert!((0..names.len()).all(|n| read_all(&survey, n).is_ok()));
}

#[test]
fn names_that_give_no_code_are_skipped_by_name() {
    let source = Source::new();
    source.add("a", &day()).add("", &day());
    let odd = source.path().join(OsStr::from_bytes(b"\xff\x1b.parquet"));
    if fs::write(odd, encoded(&day())).is_err() {
        eprintln!("skipped in part: this file system takes UTF-8 names only");
        return;
    }
    let survey = source.survey();
    assert_eq!(codes(&survey), ["a"]);
    let paths: Vec<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!(paths, [".parquet", "\\xff\\u{1b}.parquet"]);
    assert_mentions(&survey.skipped[1].reason, &["UTF-8"]);
}

#[test]
fn other_entries_are_counted_in_a_note() {
    let source = Source::new();
    source.add("a", &day()).write("README.md", b"hello").write("notes/x.txt", b"");
    assert_eq!(source.survey().notes, ["2 entries do not match the pattern {code}.parquet, such as README.md"]);
}

#[test]
fn patterns_reach_into_directories() {
    let mut source = Source::new();
    source.add_at("daily/code=a/data.parquet", &day()).add_at("daily/code=b/data.parquet", &day());
    source.write("daily/code=c/other.parquet", b"").write("daily/d/data.parquet", b"");
    source.options(|options| options.pattern = "daily/code={code}/data.parquet".parse().unwrap());
    let survey = source.survey();
    assert_eq!(codes(&survey), ["a", "b"]);
    assert_eq!(survey.inputs[0].path, Path::new("daily/code=a/data.parquet"));
    assert_eq!(survey.notes.len(), 1);
    assert!(read_all(&survey, 1).is_ok());
}

#[test]
fn patterns_that_could_leave_the_source_are_refused() {
    let bad =
        ["x.parquet", "{code}/{code}.parquet", "/{code}", "../{code}", "a//{code}", "{code}/", "./{code}", "{code"];
    for text in bad {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
    for text in ["{code}", "{code}.parquet", "code={code}/data.parquet", "..{code}/x"] {
        let pattern: Pattern = text.parse().unwrap();
        assert_eq!(pattern.to_string(), text);
        let json = serde_json::to_string(&pattern).unwrap();
        assert_eq!(serde_json::from_str::<Pattern>(&json).unwrap(), pattern);
    }
    assert!(serde_json::from_str::<Pattern>("\"../{code}\"").is_err());
}

#[test]
fn options_survive_json() {
    let options = SourceOptions {
        date_columns: vec!["d".into()],
        columns: Some(vec!["x".into()]),
        casts: vec!["a=b=timestamp[us, UTC]".parse().unwrap(), "y=decimal128(18,4)".parse().unwrap()],
        duplicates: "first".parse().unwrap(),
        bad_dates: "drop".parse().unwrap(),
        ..SourceOptions::default()
    };
    assert_eq!(options.casts[0].column, "a=b");
    let json = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<SourceOptions>(&json).unwrap(), options);
    assert_eq!(serde_json::from_str::<SourceOptions>("{}").unwrap(), SourceOptions::default());
}

#[test]
fn where_nothing_matches_the_message_says_what_is_there() {
    let source = Source::new();
    assert_mentions(&source.refused(), &["no file", "{code}.parquet", "is empty"]);
    source.write("trade_date=20240102/part.parquet", b"");
    assert_mentions(&source.refused(), &["1 entry: trade_date=20240102", "--pattern 'trade_date={code}/part.parquet'"]);
    let source = Source::new();
    source.write("daily/a.parquet", b"").write("daily/b.parquet", b"");
    assert_mentions(&source.refused(), &["--pattern 'daily/{code}.parquet'"]);
    let source = Source::new();
    source.write("a.pq", b"");
    assert_mentions(&source.refused(), &["--pattern '{code}.pq'"]);
}

#[test]
fn a_path_that_cannot_be_examined_is_skipped_and_not_taken_for_no_match() {
    let mut source = Source::new();
    source.options(|options| options.pattern = "{code}/day.parquet".parse().unwrap());
    source.add_at("a/day.parquet", &day()).write("b/other", b"").write("c", b"");
    // A link to itself cannot be followed, by root neither.
    std::os::unix::fs::symlink("loop", source.path().join("loop")).unwrap();
    let survey = source.survey();
    assert_eq!((survey.inputs.len(), survey.skipped.len()), (1, 1));
    assert_eq!(survey.skipped[0].path, "loop/day.parquet");
    assert_mentions(&survey.skipped[0].reason, &["cannot be examined", "symbolic links"]);
    assert_mentions(&survey.notes[0], &["2 entries do not match", "such as b"]);
}

#[test]
fn a_source_that_is_absent_or_a_file_is_an_error() {
    let mut source = Source::new();
    source.write("x", b"");
    let survey = |path: &Path| survey(path, &SourceOptions::default(), &Workers::new(Some(1)).unwrap(), &Silent);
    assert!(matches!(survey(&source.path().join("no")), Err(Error::Io { .. })));
    assert!(matches!(survey(&source.path().join("x")), Err(Error::Refused(message)) if message.contains("is a file")));
    source.options(|options| options.pattern = "no/{code}.parquet".parse().unwrap());
    assert_mentions(&source.refused(), &["matches the pattern no/{code}.parquet"]);
}

#[test]
fn the_observer_counts_files_and_can_stop_the_survey() {
    struct Stop;
    impl Observer for Stop {
        fn begin(&self, stage: &'static str, unit: &'static str, total: u64) {
            assert_eq!((stage, unit, total), ("survey", "files", 1));
        }
        fn cancelled(&self) -> bool {
            true
        }
    }
    let source = Source::new();
    source.add("a", &day());
    let result = survey(source.path(), &source.options, &Workers::new(Some(1)).unwrap(), &Stop);
    assert!(matches!(result, Err(Error::Cancelled)));
}

#[test]
fn strict_fails_where_a_file_would_be_skipped() {
    let mut source = Source::new();
    source.add("a", &day()).write("b.parquet", b"");
    assert_eq!(source.survey().inputs.len(), 1);
    source.options(|options| options.strict = true);
    assert_mentions(&source.refused(), &["1 input cannot be used", "--strict", "b.parquet: has zero bytes"]);
}

#[test]
fn the_code_in_the_file_must_agree_with_its_name() {
    let source = Source::new();
    source.add("a", &[("ts_code", texts(&["a", "b"])), ("date", texts(&["20240102", "20240103"]))]);
    assert_mentions(&source.reason(), &["row 2 of \"ts_code\"", "\"b\"", "\"a\""]);
    let nulls: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    source.add("a", &[("ts_code", nulls), ("date", texts(&["20240102", "20240103"]))]);
    assert_mentions(&source.reason(), &["row 2", "null", "\"a\""]);
}

#[test]
fn an_agreeing_code_column_is_no_panel_column_and_gives_its_type() {
    let mut source = Source::new();
    let code: ArrayRef = Arc::new(arrow_array::LargeStringArray::from(vec!["a"]));
    source.add("a", &[("ts_code", code), ("date", texts(&["20240102"])), ("x", ints(&[1]))]);
    source.add("b", &[("date", texts(&["20240102"])), ("x", ints(&[1]))]);
    let survey = source.survey();
    assert_eq!(names(&survey), ["x"]);
    assert_eq!(survey.code.data_type, arrow_schema::DataType::LargeUtf8);
    assert!(read_all(&survey, 0).is_ok() && read_all(&survey, 1).is_ok());
    source.options(|options| options.code_column = "symbol".into());
    let survey = source.survey();
    assert_eq!(names(&survey), ["ts_code", "x"]);
    assert_eq!((survey.code.name.as_str(), &survey.code.data_type), ("symbol", &arrow_schema::DataType::Utf8));
}

#[test]
fn a_code_column_that_is_not_text_refuses_the_file_unless_excluded() {
    let mut source = Source::new();
    source.add("1", &[("ts_code", ints(&[1])), ("date", texts(&["20240102"]))]);
    assert_mentions(&source.reason(), &["ts_code", "Int64", "--exclude ts_code"]);
    source.options(|options| options.exclude = vec!["ts_code".into()]);
    assert!(read_all(&source.survey(), 0).is_ok());
}
