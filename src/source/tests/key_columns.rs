//! Which column has the dates, and which the codes.

use arrow_array::Date32Array;

use super::*;

#[test]
fn the_automatic_date_column_is_the_only_candidate_in_any_case() {
    let source = Source::new();
    source.add("a", &[("DateTime", texts(&["20240102"]))]).add("b", &[("Date", texts(&["20240102"]))]);
    assert_eq!(source.survey().date_name, "Date");
    source.add("c", &[("TRADE_DATE", texts(&["20240102"])), ("x", ints(&[1]))]);
    let survey = source.survey();
    assert_eq!((survey.date_name.as_str(), names(&survey)), ("TRADE_DATE", vec!["x"]));
    assert!((0..3).all(|n| read_all(&survey, n).is_ok()));
}

#[test]
fn several_candidates_or_none_list_the_columns() {
    let mut source = Source::new();
    source.add("a", &[("date", texts(&["20240102"])), ("trade_date", texts(&["20240102"]))]);
    assert_mentions(&source.reason(), &["several", "\"date\" and \"trade_date\"", "date column"]);
    source.options(|options| options.exclude = vec!["date".into()]);
    assert!(read_all(&source.survey(), 0).is_ok());
    let source = Source::new();
    source.add("a", &[("when", texts(&["20240102"])), ("x", ints(&[1]))]);
    assert_mentions(&source.reason(), &["no date column", "\"when\" and \"x\""]);
    let source = Source::new();
    source.add("a", &[("date", floats(&[1.0]))]);
    assert_mentions(&source.reason(), &["\"date\" is Float64"]);
}

#[test]
fn named_date_columns_are_alternatives_of_which_the_first_present_wins() {
    let mut source = Source::new();
    let one = texts(&["20240102"]);
    source.add("a", &[("day", one.clone()), ("x", ints(&[1]))]);
    source.add("b", &[("date", texts(&["none"])), ("cal_date", one.clone()), ("x", ints(&[1]))]);
    source.add("c", &[("x", ints(&[1]))]);
    source.options(|options| options.date_columns = vec!["cal_date".into(), "day".into()]);
    let survey = source.survey();
    assert_eq!((survey.date_name.as_str(), names(&survey)), ("cal_date", vec!["x", "date"]));
    assert!(read_all(&survey, 0).is_ok() && read_all(&survey, 1).is_ok());
    assert_mentions(&survey.skipped[0].reason, &["cal_date, day", "\"x\""]);
}

#[test]
fn an_unnamed_index_is_the_date_only_where_nothing_else_is() {
    let source = Source::new();
    source.add("a", &[("x", ints(&[1])), ("__index_level_0__", Arc::new(Date32Array::from(vec![19_000])))]);
    let survey = source.survey();
    assert_eq!((survey.date_name.as_str(), names(&survey)), ("date", vec!["x"]));
    assert_mentions(&survey.notes[0], &["__index_level_0__"]);
    assert!(read_all(&survey, 0).is_ok());
    let source = Source::new();
    source.add("a", &[("date", texts(&["20240102"])), ("x", ints(&[1])), ("__index_level_0__", ints(&[7]))]);
    let survey = source.survey();
    assert_eq!(names(&survey), ["x"]);
    assert_mentions(&survey.notes[0], &["__index_level_0__", "left out"]);
}

#[test]
fn an_unnamed_index_of_integers_is_the_date_only_by_hand() {
    let mut source = Source::new();
    source.add("a", &[("x", ints(&[1])), ("__index_level_0__", ints(&[20_240_102]))]);
    assert_mentions(&source.reason(), &["has no date column", "its columns are \"x\" and \"__index_level_0__\""]);
    source.options(|options| options.date_columns = vec!["__index_level_0__".into()]);
    assert_eq!(days(&read_all(&source.survey(), 0).unwrap().0), ["20240102"]);
}

#[test]
fn a_file_without_rows_needs_no_date_column() {
    let source = Source::new();
    let none: ArrayRef = Arc::new(arrow_array::NullArray::new(0));
    source.add("a", &[("x", ints(&[]))]).add("b", &[("date", texts(&["20240102"])), ("x", ints(&[1]))]);
    source.add("c", &[("date", none.clone()), ("x", none)]);
    let survey = source.survey();
    assert!(survey.skipped.is_empty(), "{:?}", survey.skipped);
    assert_eq!(survey.inputs.iter().map(|input| input.row_count).collect::<Vec<_>>(), [0, 1, 0]);
    assert!((0..3).all(|n| read_all(&survey, n).is_ok()));
}

#[test]
fn the_code_column_is_the_files_own_where_each_row_has_the_code() {
    let day = || texts(&["20240102"]);
    let add = |source: &Source, code: &str, symbol: &str| {
        source.add(code, &[("name", texts(&[code])), ("symbol", texts(&[symbol])), ("date", day()), ("x", ints(&[1]))]);
    };
    let mut source = Source::new();
    add(&source, "A", "A");
    add(&source, "B", "B");
    let survey = source.survey();
    assert_eq!((survey.code.name.as_str(), names(&survey)), ("symbol", vec!["name", "x"]));
    assert_eq!(survey.notes, ["the code column is symbol, which has the code of each file"]);
    // One that contradicts stays as it is.
    add(&source, "B", "C");
    assert_eq!(source.survey().code.name, "name");
    source.add("C", &[("date", day()), ("x", ints(&[1]))]);
    assert_eq!((source.survey().code.name.as_str(), source.survey().options().code_name()), ("ts_code", "ts_code"));
    source.options(|options| options.code_column = Some("code".into()));
    assert_eq!(source.survey().code.name, "code");
}

#[test]
fn the_code_column_is_found_among_many_of_texts() {
    let (own, usual) = ("c150", "symbol");
    let others: Vec<String> = (0..200).map(|n| format!("c{n}")).collect();
    let source = |codes: [&str; 2]| {
        let source = Source::new();
        for code in ["A", "B"] {
            let mut columns = vec![("date", texts(&["20240102", "20240103"]))];
            let text = |name: &str| texts(&if codes.contains(&name) { [code, code] } else { [code, "x"] });
            columns.extend(others.iter().map(|name| (name.as_str(), text(name))));
            columns.push((usual, text(usual)));
            source.add(code, &columns);
        }
        source
    };
    assert_eq!(source([own, own]).survey().code.name, own);
    assert_eq!(source([own, usual]).survey().code.name, usual, "the likelier by its name");
    assert_eq!(source(["", ""]).survey().code.name, "ts_code");
}

#[test]
fn the_advice_names_the_date_on_which_rows_were_known_and_not_what_they_are_about() {
    let source = Source::new();
    source.add(
        "a",
        &[
            ("period_end", texts(&["2023-12-31", "2023-12-31"])),
            ("available_date", texts(&["2024-02-01", "2024-02-02"])),
            ("x", ints(&[1, 2])),
        ],
    );
    assert_mentions(&source.reason(), &["date column available_date reads it"]);
}
