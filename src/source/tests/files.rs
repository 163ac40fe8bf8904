//! Which files are found, what becomes of their names, and what is said of the others.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::progress::Observer;
use crate::remedy::{Remedy, Setting};
use crate::source::{Known, KnownFile, Pattern, Trust, scan};

fn day() -> Vec<(&'static str, ArrayRef)> {
    vec![("trade_date", texts(&["20240102"])), ("x", ints(&[1]))]
}

fn codes(survey: &Survey) -> Vec<&str> {
    survey.inputs.iter().map(|input| input.unit.as_str()).collect()
}

/// A row of the time in a path, if one is there.
fn day_of(path: &str) -> Vec<(&'static str, ArrayRef)> {
    let times = [("2024-02", "20240202"), ("2022", "20220103"), ("2023", "20230103")];
    let date = times.iter().find(|(time, _)| path.contains(time)).map_or("20240102", |(_, date)| date);
    vec![("trade_date", texts(&[date])), ("x", ints(&[1]))]
}

#[test]
fn codes_come_from_names_in_byte_order() {
    let source = Source::new();
    let names = ["b", "B", "平安银行", "ARE&M", "ABR_A", "BRK.B", "a b", "x\ny", "{code}"];
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
    source.add("a", &day());
    let odd = source.path().join(OsStr::from_bytes(b"\xff\x1b.parquet"));
    if fs::write(odd, encoded(&day())).is_err() {
        eprintln!("skipped in part: this file system takes UTF-8 names only");
        return;
    }
    let survey = source.survey();
    assert_eq!(codes(&survey), ["a"]);
    let paths: Vec<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!(paths, ["\\xff\\u{1b}.parquet"]);
    assert_mentions(&survey.skipped[0].reason, &["UTF-8"]);
}

#[test]
fn names_that_are_hidden_by_convention_are_not_looked_at() {
    let mut source = Source::new();
    source.add("a", &day()).add("", &day()).add(".b", &day()).add("._a", &day()).add("~$a", &day()).add("_c", &day());
    source.write("_SUCCESS", b"").write("a.parquet.crc", b"").write(".git/x.parquet", b"");
    let survey = source.survey();
    assert_eq!(codes(&survey), ["_c", "a"]);
    assert_eq!((survey.skipped.len(), survey.notes.len()), (0, 0));
    source.options(|options| options.pattern = ".{code}.parquet".parse().unwrap());
    assert_eq!(codes(&source.survey()), ["_a", "b"], "they are asked for");
}

#[test]
fn a_hidden_file_that_is_known_is_told_of() {
    let source = Source::new();
    source.add("a", &day()).add(".b", &day());
    let known = KnownFile { byte_len: 1, modified_ns: 1, content_hash: 1 };
    let known = HashMap::from([(".b.parquet".to_owned(), known)]);
    let workers = Workers::new(Some(1)).unwrap();
    let known = Known { files: &known, goes: &|_| false, again: &|_| false, trust: Trust::Stamp };
    let scan = scan(source.path(), &SourceOptions::default(), &known, &workers, &Silent).unwrap();
    assert_eq!(scan.missing, [".b.parquet"]);
    assert_eq!(scan.notes, ["1 file that the store knows is hidden by its name, and counts as missing: .b.parquet"]);
}

#[test]
fn a_directory_of_rows_without_a_key_has_no_say_in_the_pattern_that_is_advised() {
    for (names, pattern, reads) in [
        (["s=A/x", "s=B/x", "s=NULL/x"], "s={code}/x.parquet", "reads 2 of the 3 Parquet files there"),
        (["s=a/x", "s=NULL/x", "s=b/x"], "s={code}/x.parquet", "reads 2 of the 3 Parquet files there"),
        (["year=2022/A", "year=NULL/B", "year=2023/A"], "year={year}/{code}.parquet", "reads the Parquet files there"),
    ] {
        let mut source = Source::new();
        for name in names {
            let path = format!("{}.parquet", name.replace("NULL", "__HIVE_DEFAULT_PARTITION__"));
            source.add_at(&path, &day_of(&path));
        }
        assert_mentions(&source.refused(), &[pattern, reads]);
        source.options(|options| options.pattern = pattern.parse().unwrap());
        source.survey();
    }
}

#[test]
fn a_key_that_means_codes_says_whose_the_files_below_are() {
    for (names, told) in [
        (&["symbol=A/data_0", "symbol=A/data_1", "symbol=B/data_0"][..], "symbol={code}/{*}.parquet reads"),
        (&["symbol=A/8f2c-0", "symbol=A/77aa-0", "symbol=B/91de-0"], "symbol={code}/{*}.parquet reads"),
        (&["Ticker=A/00000000", "Ticker=A/00000001", "Ticker=B/00000000"], "Ticker={code}/{*}.parquet reads"),
        (&["id=A/data_0", "id=A/data_1", "id=B/data_0"], "id={code}/{*}.parquet reads"),
        (
            &["market=X/A", "market=X/B", "market=Y/A", "market=Y/B"],
            "market={folder}/{code}.parquet with code template {code}.{folder} reads",
        ),
        // A market is no stock, with as many names in each as there are markets, too.
        (&["SSE/600519", "SSE/000001", "SZSE/600519", "SZSE/000001"], "with code template {code}.{folder} reads"),
    ] {
        let source = Source::new();
        for name in names {
            source.add_at(&format!("{name}.parquet"), &day());
        }
        let why = source.refused();
        assert_mentions(&why, &[told]);
    }
}

#[test]
fn keys_of_directories_are_decoded_and_names_of_files_are_not() {
    let mut source = Source::new();
    source.options(|options| options.pattern = "symbol={code}/x.parquet".parse().unwrap());
    for name in ["BTC%2FUSDT", "100%", "A%20B", "%E5%B9%B3", "%FF", "__HIVE_DEFAULT_PARTITION__", "T%25", "T%"] {
        source.add_at(&format!("symbol={name}/x.parquet"), &day());
    }
    let survey = source.survey();
    assert_eq!(codes(&survey), ["100%", "A B", "BTC/USDT", "平"]);
    let skipped = |name: &str| {
        let path = format!("symbol={name}/x.parquet");
        survey.skipped.iter().find(|skipped| skipped.path == path).unwrap().reason.to_string()
    };
    assert_eq!(survey.skipped.len(), 4);
    assert_mentions(&skipped("%FF"), &["not UTF-8"]);
    let null = skipped("__HIVE_DEFAULT_PARTITION__");
    assert_mentions(&null, &["gives no code", "rename the directory after its code", "*=__HIVE_DEFAULT_PARTITION__"]);
    let twin = "gives the code \"T%\", as symbol=T%25/x.parquet does; rename one of them";
    assert_eq!(skipped("T%"), twin);
    assert_eq!(skipped("T%25"), twin.replace("T%25/", "T%/"));

    let source = Source::new();
    // Names of files are decoded where they escape what a name cannot hold, and nothing else.
    for name in ["BTC%2FUSDT", "A%20B", "%2E"] {
        source.add(name, &day());
    }
    let survey = source.survey();
    assert_eq!(codes(&survey), [".", "A%20B", "BTC/USDT"]);
    assert_eq!(
        survey.notes,
        ["1 code has a percent sign in it, which is decoded in key=value directories only: A%20B"]
    );
}

#[test]
fn what_looks_like_more_of_the_same_is_named() {
    let mut source = Source::new();
    for path in ["s=A/0.parquet", "s=A/1.parquet", "s=B/0.parquet", "s=B/old/0.parquet", "s=C/2.parquet"] {
        source.add_at(path, &day());
    }
    source.write("s=B/README", b"");
    source.options(|options| options.pattern = "s={code}/0.parquet".parse().unwrap());
    let survey = source.survey();
    assert_eq!(codes(&survey), ["A", "B"]);
    assert_eq!(
        survey.notes,
        [
            "the pattern s={code}/0.parquet reads one file a stock and leaves out 2 that lie beside: s=A/1.parquet and \
             s=B/old",
            "1 folder with Parquet files does not match the pattern s={code}/0.parquet: s=C",
            "1 entry does not match the pattern s={code}/0.parquet: s=B/README",
        ]
    );
    let source = Source::new();
    for name in ["A", "A (1)", "part-0001"] {
        source.add(name, &day());
    }
    source.add_at("B.PARQUET", &day()).add_at("C.pq", &day()).add_at("2023/A.parquet", &day());
    source.write("D.parquet.gz", b"").write("a.csv", b"");
    assert_eq!(
        source.survey().notes,
        [
            "3 Parquet files by their names do not match the pattern {code}.parquet: B.PARQUET, C.pq and D.parquet.gz",
            "1 folder with Parquet files does not match the pattern {code}.parquet: 2023",
            "1 entry does not match the pattern {code}.parquet: a.csv",
            "1 stock looks like a copy of another: A (1)",
            "1 stock looks like a part of one data set: part-0001",
        ]
    );
}

#[test]
fn files_of_a_year_or_a_month_each_are_stocks_with_a_note_until_a_pattern_tells_the_time() {
    let mut source = Source::new();
    let add = |source: &Source, name: &str| {
        let date = format!("2023{:02}05", 1 + name.len());
        source.add(name, &[("trade_date", texts(&[date.as_str()])), ("x", ints(&[1]))]);
    };
    for name in ["A_2022", "A_2023", "B-2022", "B-2023", "C_2022", "D_2401", "D_2402", "sz_200012", "sz_200002", "sz_1"]
    {
        add(&source, name);
    }
    let notes = [
        "2 stocks look like years of fewer, which a pattern such as {code}-{year} reads together: B-2022 and B-2023",
        "2 stocks look like years of fewer, which a pattern such as {code}_{year} reads together: A_2022 and A_2023",
    ];
    assert_eq!(source.survey().notes, notes);
    source.options(|options| options.pattern = "{code}_{year}.parquet".parse().unwrap());
    let survey = source.survey();
    assert_eq!(codes(&survey), ["A", "C", "D", "sz"]);
    assert!(survey.notes.iter().all(|note| !note.contains("look like")), "{:?}", survey.notes);

    // Where rows are of the times in the names, nobody has to read notes.
    for (names, pattern, stocks) in [
        (["A_202201", "A_202212"], "{code}_{period}.parquet", "A"),
        (["A-2022-01", "A-2022-12"], "{code}-{year}-{month}.parquet", "A"),
        (["B.C_2022Q1", "B.C_2022Q4"], "{code}_{year}Q{quarter}.parquet", "B.C"),
    ] {
        let mut source = Source::new();
        names.iter().enumerate().for_each(|(n, name)| {
            source.add(name, &[("trade_date", texts(&[["20220105", "20221205"][n]])), ("x", ints(&[1]))]);
        });
        assert_mentions(&source.refused(), &[&format!("pattern {pattern} reads those of a stock together")]);
        source.options(|options| options.pattern = pattern.parse().unwrap());
        assert_eq!(codes(&source.survey()), [stocks]);
    }
}

#[test]
fn other_entries_are_counted_in_a_note() {
    let source = Source::new();
    source.add("a", &day()).write("README.md", b"hello").write("notes/x.txt", b"");
    assert_eq!(source.survey().notes, ["2 entries do not match the pattern {code}.parquet: README.md and notes"]);
}

#[test]
fn patterns_reach_into_directories() {
    let mut source = Source::new();
    source.add_at("daily/code=a/data.parquet", &day()).add_at("daily/code=b/data.parquet", &day());
    source.write("daily/code=c/other.parquet", b"").write("daily/d/data.parquet", b"");
    source.options(|options| options.pattern = "daily/code={code}/data.parquet".parse().unwrap());
    let survey = source.survey();
    assert_eq!(codes(&survey), ["a", "b"]);
    assert_eq!(survey.inputs[0].files[0].path, Path::new("daily/code=a/data.parquet"));
    assert_eq!(survey.notes.len(), 1);
    assert!(read_all(&survey, 1).is_ok());
}

#[test]
fn patterns_that_could_leave_the_source_are_refused() {
    let bad = [
        "x.parquet",
        "{code}{year}.parquet",
        "{code}_{code}",
        "/{code}",
        "../{code}",
        "a//{code}",
        "{code}/",
        "./{code}",
        "{code",
    ];
    for text in bad {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
    for text in ["{code}", "{code}.parquet", "code={code}/data.parquet", "..{code}/x", "{code}/{code}_{*}.{*}"] {
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
    let advice = |files: &[&str]| {
        let source = Source::new();
        for path in files {
            source.add_at(path, &day_of(path));
        }
        let error = source.try_survey().unwrap_err();
        let settings = error.remedies().into_iter().find_map(|remedy| match remedy {
            Remedy::Set { settings, .. } => Some(settings),
            _ => None,
        });
        if let Some([Setting::Pattern(pattern)]) = settings.as_deref() {
            let pattern = pattern.clone();
            let mut source = source;
            source.options(|options| options.pattern = pattern.parse().unwrap());
            return (pattern, codes(&source.survey()).join(" "));
        }
        (error.to_string(), String::new())
    };
    let fits = |files: &[&str], pattern: &str, codes: &str| {
        assert_eq!(advice(files), (pattern.to_owned(), codes.to_owned()), "{files:?}");
    };
    fits(&["daily/A.parquet", "daily/B.parquet"], "daily/{code}.parquet", "A B");
    fits(&["A.pq"], "{code}.pq", "A");
    fits(&["A.PARQUET", "B.PARQUET"], "{code}.PARQUET", "A B");
    fits(&["A/data.parquet", "B/data.parquet"], "{code}/data.parquet", "A B");
    fits(&["A/data.parquet"], "{code}/data.parquet", "A");
    fits(&["code=A/0.parquet", "code=B/0.parquet"], "code={code}/0.parquet", "A B");
    fits(&["x/code=A/y=1/0.parquet", "x/code=B/y=1/0.parquet"], "x/code={code}/y=1/0.parquet", "A B");
    fits(&["A.parquet/part-0.parquet", "B.parquet/part-0.parquet"], "{code}.parquet/part-0.parquet", "A B");
    fits(&["AAPL/2023.parquet", "AAPL/2024.parquet", "MSFT/2023.parquet"], "{code}/{year}.parquet", "AAPL MSFT");
    fits(&["AAPL/2023.parquet", "AAPL/2024.parquet"], "{code}/{year}.parquet", "AAPL");
    fits(&["AAPL/2023-01.parquet", "AAPL/2024-02.parquet"], "{code}/{period}.parquet", "AAPL");
    fits(&["2023/AAPL.parquet", "2024/AAPL.parquet"], "{year}/{code}.parquet", "AAPL");
    fits(&["2023/A.parquet", "2023/B.parquet", "2024/A.parquet"], "{year}/{code}.parquet", "A B");
    fits(&["s=A/x-1.parquet", "s=B/x-2.parquet"], "s={code}/{*}.parquet", "A B");
    fits(&["s=A/year=2023/0.parquet", "s=A/year=2024/0.parquet"], "s={code}/year={year}/0.parquet", "A");
    fits(&["SH/A.parquet", "SH/B.parquet", "SZ/C.parquet"], "{folder}/{code}.parquet", "A B C");
    fits(&["A/part-0.parquet", "A/part-1.parquet", "B/part-0.parquet"], "{code}/{*}.parquet", "A B");
    fits(&["A/A_2023.parquet", "A/A_2024.parquet", "B/B_2023.parquet"], "{code}/{code}_{year}.parquet", "A B");
    let source = Source::new();
    for date in ["20240102", "20240103"] {
        let codes = ("ts_code", texts(&["A", "B"]));
        source.add_at(&format!("trade_date={date}/0.parquet"), &[codes, ("x", ints(&[1, 2]))]);
    }
    let by_date = "files by date with pattern trade_date={date}/0.parquet reads the Parquet files";
    assert_mentions(&source.refused(), &[by_date]);
    let source = Source::new();
    source.write("a.h5", b"").write("b.h5", b"");
    let unread = "reads Parquet, Arrow and csv, and not .h5";
    assert_mentions(&source.refused(), &["there are 2 entries: a.h5 and b.h5", unread]);
    source.write("x/a.parquet", b"no");
    assert_mentions(&source.refused(), &["x/a.parquet, is not a Parquet file"]);
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
    assert_mentions(&survey.notes[0], &["2 entries do not match", ": b and c"]);
}

#[test]
fn a_source_that_is_absent_or_a_file_is_an_error() {
    let mut source = Source::new();
    source.write("x", b"");
    let survey = |path: &Path| survey(path, &SourceOptions::default(), &Workers::new(Some(1)).unwrap(), &Silent);
    assert!(matches!(survey(&source.path().join("no")), Err(Error::Io { .. })));
    assert!(matches!(survey(&source.path().join("x")), Err(Error::Refused { what, .. }) if what.contains("is a file")));
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
    assert_mentions(&source.refused(), &["1 input cannot be used", "strict", "b.parquet: has zero bytes"]);
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
    source.options(|options| options.code_column = Some("symbol".into()));
    let survey = source.survey();
    assert_eq!(names(&survey), ["ts_code", "x"]);
    assert_eq!((survey.code.name.as_str(), &survey.code.data_type), ("symbol", &arrow_schema::DataType::Utf8));
}

#[test]
fn a_code_column_that_is_not_text_refuses_the_file_unless_excluded() {
    let mut source = Source::new();
    source.add("1", &[("ts_code", ints(&[1])), ("date", texts(&["20240102"]))]);
    assert_mentions(&source.reason(), &["ts_code", "Int64", "exclude ts_code"]);
    source.options(|options| options.exclude = vec!["ts_code".into()]);
    assert!(read_all(&source.survey(), 0).is_ok());
}
