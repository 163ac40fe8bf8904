//! Dates: every type and spelling, what is restored, and what refuses a file.

use arrow_array::types::Int8Type;
use arrow_array::{
    BinaryArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Int32Array, LargeStringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow_schema::DataType;

use super::*;
use crate::panel::{DateForm, Spelling};
use crate::source::{BadDates, Duplicates, Epoch};

const DAY: i64 = 86_400_000_000;

/// A file whose only date column is this one.
fn source_of(dates: ArrayRef) -> Source {
    let source = Source::new();
    let numbers: Vec<i64> = (0..dates.len() as i64).collect();
    source.add("a", &[("date", dates), ("x", ints(&numbers))]);
    source
}

#[test]
fn every_type_and_spelling_reads_and_is_restored() {
    let expected = ["20240229", "20240301"];
    let (a, b) = (19_782, 19_783);
    let arrays: Vec<(ArrayRef, Spelling)> = vec![
        (texts(&["20240229", "20240301"]), Spelling::Digits),
        (texts(&["2024-02-29", "2024-03-01"]), Spelling::Dashes),
        (texts(&["2024/02/29", "2024/03/01"]), Spelling::Slashes),
        (Arc::new(LargeStringArray::from(vec!["20240229", "20240301"])), Spelling::Digits),
        (Arc::new(StringViewArray::from(vec!["20240229", "20240301"])), Spelling::Digits),
        (Arc::new(Int32Array::from(vec![20_240_229, 20_240_301])), Spelling::Digits),
        (ints(&[20_240_229, 20_240_301]), Spelling::Digits),
        (Arc::new(arrow_array::UInt64Array::from(vec![20_240_229, 20_240_301])), Spelling::Digits),
        (Arc::new(Date32Array::from(vec![a, b])), Spelling::Day),
        (Arc::new(Date64Array::from(vec![i64::from(a) * DAY / 1000, i64::from(b) * DAY / 1000])), Spelling::Day),
        (Arc::new(TimestampSecondArray::from(vec![i64::from(a) * 86_400, i64::from(b) * 86_400])), Spelling::Day),
        (
            Arc::new(TimestampNanosecondArray::from(vec![i64::from(a) * DAY * 1000, i64::from(b) * DAY * 1000])),
            Spelling::Day,
        ),
        (
            Arc::new(
                TimestampMicrosecondArray::from(vec![i64::from(a) * DAY, i64::from(b) * DAY]).with_timezone("UTC"),
            ),
            Spelling::Day,
        ),
        (
            // Midnight in China is 16:00 of the day before in UTC.
            Arc::new(
                TimestampMicrosecondArray::from(vec![i64::from(a) * DAY - DAY / 3, i64::from(b) * DAY - DAY / 3])
                    .with_timezone("+08:00"),
            ),
            Spelling::Day,
        ),
    ];
    for (array, spelling) in arrays {
        let source = source_of(array.clone());
        let survey = source.survey();
        let reader = survey.open(&survey.inputs[0]).map(|reader| {
            let form = reader.files()[0].date_form.as_ref().unwrap().clone();
            (days(&reader), form.spelling.clone(), form.array(reader.dates()).unwrap())
        });
        let (read, spelt, restored) = reader.unwrap_or_else(|reason| panic!("{}: {reason}", array.data_type()));
        assert_eq!((&read[..], spelt), (&expected.map(str::to_owned)[..], spelling), "{}", array.data_type());
        assert_eq!(&restored, &array);
    }
}

#[test]
fn dictionaries_of_text_read_as_text() {
    let dates: DictionaryArray<Int8Type> = vec!["20240301", "20240229"].into_iter().collect();
    let source = source_of(Arc::new(dates));
    let survey = source.survey();
    let (reader, columns) = read_all(&survey, 0).unwrap();
    assert_eq!(days(&reader), ["20240229", "20240301"]);
    assert_eq!(columns[0].as_ref().unwrap(), &ints(&[1, 0]));
    assert!(reader.files()[0].date_form.as_ref().unwrap().array(reader.dates()).is_ok());
}

#[test]
fn a_time_of_day_refuses_the_file_even_where_bad_dates_are_dropped() {
    let mut source = source_of(Arc::new(TimestampMicrosecondArray::from(vec![0, DAY + 34_200_000_000])));
    assert_mentions(&source.reason(), &["row 2 of \"date\"", "1970-01-02T09:30:00", "time of day"]);
    source.options(|options| options.bad_dates = BadDates::Drop);
    assert_mentions(&source.reason(), &["time of day"]);
    let source = source_of(Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("+08:00")));
    assert_mentions(&source.reason(), &["row 1", "08:00:00", "time of day"]);
    let source = source_of(Arc::new(Date64Array::from(vec![1])));
    assert_mentions(&source.reason(), &["row 1", "time of day"]);
}

#[test]
fn midnights_of_a_zone_with_a_history_are_days_and_restored() {
    // On 10 March 2024 New York went from five to four hours behind; Shanghai had summer time until 1991.
    for (zone, seconds, days) in [
        ("America/New_York", [1_710_046_800, 1_710_129_600], ["20240310", "20240311"]),
        ("Asia/Shanghai", [641_314_800, 1_704_124_800], ["19900429", "20240102"]),
    ] {
        let micros: Vec<i64> = seconds.iter().map(|second| second * 1_000_000).collect();
        let dates: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros).with_timezone(zone));
        let source = source_of(Arc::clone(&dates));
        let survey = source.survey();
        let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
        assert_eq!(reader.dates().iter().map(ToString::to_string).collect::<Vec<_>>(), days, "{zone}");
        assert_eq!(&reader.files()[0].date_form.as_ref().unwrap().array(reader.dates()).unwrap(), &dates);
    }
    let source = source_of(Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("Asia/Shanghai")));
    assert_mentions(&source.reason(), &["row 1", "08:00:00", "time of day"]);
}

#[test]
fn a_zone_that_is_unknown_is_named_and_another_column_is_a_way_out() {
    for zone in ["UTC+8", "CST", "tzlocal()", "China Standard Time", "+8"] {
        let stamps = TimestampMicrosecondArray::from(vec![1_704_124_800_000_000]).with_timezone(zone);
        let mut source = Source::new();
        source.add("a", &[("date", Arc::new(stamps)), ("day", texts(&["20240102"]))]);
        assert_mentions(&source.reason(), &[&format!("in the time zone {zone}, which is unknown"), "+08:00"]);
        source.options(|options| options.date_columns = vec!["day".into()]);
        let survey = source.survey();
        assert_eq!(survey.open(&survey.inputs[0]).unwrap().dates().len(), 1, "{zone}");
    }
}

#[test]
fn other_text_needs_a_format_and_is_restored_if_it_reads_back() {
    let mut source = source_of(texts(&["02-Jan-2024", "03-Jan-2024"]));
    assert_mentions(&source.reason(), &["row 1 of \"date\"", "\"02-Jan-2024\"", "date format"]);
    source.options(|options| options.date_format = Some("%d-%b-%Y".into()));
    let survey = source.survey();
    let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
    let form = reader.files()[0].date_form.as_ref().unwrap();
    assert_eq!(form.spelling, Spelling::Custom("%d-%b-%Y".into()));
    assert_eq!(&form.array(reader.dates()).unwrap(), &texts(&["02-Jan-2024", "03-Jan-2024"]));
    // A day without its zero is read, but would not be written so.
    source.add("a", &[("date", texts(&["2-Jan-2024", "03-Jan-2024"]))]);
    let survey = source.survey();
    let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
    assert_eq!(
        (days(&reader).len(), reader.files()[0].date_form.as_ref(), reader.files()[0].other_form.as_deref()),
        (2, None, Some("Utf8 %d-%b-%Y"))
    );
}

#[test]
fn one_way_is_told_by_its_name_also_where_writing_would_not_give_it_back() {
    for (dates, format, other) in [
        (&["2024-1-2", "2024-10-12"][..], None, Some("Utf8 YYYY-M-D")),
        (&["2024/10/12", "2024/1/2"], None, Some("Utf8 YYYY/M/D")),
        (&["2024/1/2", "2024-1-2"], None, Some("several ways at once")),
        (&["2024-1-2", "20240103"], None, Some("several ways at once")),
        (&["2024/1/2 星期二", "2024/1/3 星期三"], Some("%Y/%m/%d %A"), Some("Utf8 %Y/%m/%d %A")),
        (&["2024/01/02 Tuesday", "2024/1/3 星期三"], Some("%Y/%m/%d %A"), Some("Utf8 %Y/%m/%d %A")),
        (&["2024/01/02 Tuesday", "20240103"], Some("%Y/%m/%d %A"), Some("several ways at once")),
        (&["2024/01/02 Tuesday", "2024/01/03 Wednesday"], Some("%Y/%m/%d %A"), None),
    ] {
        let mut source = source_of(texts(dates));
        source.options(|options| options.date_format = format.map(str::to_owned));
        let survey = source.survey();
        let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
        assert_eq!(reader.files()[0].other_form.as_deref(), other, "{dates:?}");
    }
}

#[test]
fn formats_that_make_no_date_are_refused() {
    let mut source = source_of(texts(&["x"]));
    for format in ["%Y-%m", "%H:%M", "%Q", "", "%A"] {
        source.options(|options| options.date_format = Some(format.into()));
        assert_mentions(&source.refused(), &["date format"]);
    }
    source.add("a", &[("date", texts(&["2024-01-02 00:00:00"]))]);
    source.options(|options| options.date_format = Some("%Y-%m-%d 00:00:00".into()));
    assert!(read_all(&source.survey(), 0).is_ok());
}

#[test]
fn two_spellings_in_one_file_are_mixed_and_an_empty_file_is_not() {
    let source = source_of(texts(&["20240102", "2024-01-03"]));
    let survey = source.survey();
    let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
    let several = Some("several ways at once");
    assert_eq!((reader.files()[0].date_form.as_ref(), reader.files()[0].other_form.as_deref()), (None, several));
    let source = source_of(texts(&[]));
    let survey = source.survey();
    assert_eq!(survey.inputs[0].row_count, 0);
    let (reader, columns) = read_all(&survey, 0).unwrap();
    assert_eq!(
        (reader.files()[0].date_form.as_ref(), &reader.files()[0].other_form, reader.dates().len()),
        (None, &None, 0)
    );
    assert_eq!(columns[0].as_ref().unwrap().len(), 0);
}

#[test]
fn a_format_that_a_usual_date_needs_not_leaves_it_its_spelling() {
    let blanks = |options: &mut SourceOptions| options.date_format = Some("%Y%m%d ".into());
    for (spelt, form) in [
        (["20240102", "20240103"], Some("Utf8 YYYYMMDD")),
        (["20240102 ", "20240103 "], Some("Utf8 %Y%m%d ")),
        (["20240102", "20240103 "], None),
        (["20240102", " 20240103"], None),
    ] {
        let mut source = source_of(texts(&spelt));
        source.options(blanks);
        let survey = source.survey();
        let (reader, _) = read_all(&survey, 0).unwrap();
        let file = &reader.files()[0];
        assert_eq!(days(&reader).join(" "), "20240102 20240103", "{spelt:?}");
        assert_eq!(file.date_form.as_ref().map(ToString::to_string).as_deref(), form, "{spelt:?}");
    }
    // Digits that a format reads its own way are read so without its blank, too.
    let mut source = source_of(texts(&["20240102", "20240203 "]));
    source.options(|options| options.date_format = Some("%Y%d%m ".into()));
    let survey = source.survey();
    assert_eq!(days(&read_all(&survey, 0).unwrap().0).join(" "), "20240201 20240302");
}

#[test]
fn bad_dates_refuse_with_row_and_value_or_are_dropped_and_counted() {
    let null: ArrayRef = Arc::new(StringArray::from(vec![Some("20240103"), None, Some("20240230"), Some("20240102")]));
    let mut source = source_of(null);
    assert_mentions(&source.reason(), &["row 2 of \"date\"", "null", "bad dates drop"]);
    source.options(|options| options.bad_dates = BadDates::Drop);
    let survey = source.survey();
    let (reader, columns) = read_all(&survey, 0).unwrap();
    assert_eq!((days(&reader).join(" "), reader.files()[0].dropped), ("20240102 20240103".to_owned(), 2));
    assert_eq!(columns[0].as_ref().unwrap(), &ints(&[3, 0]));
    let source = source_of(ints(&[20_240_102, 20_241_301]));
    assert_mentions(&source.reason(), &["row 2", "20241301", "YYYYMMDD"]);
    let source = source_of(Arc::new(Date32Array::from(vec![i32::MAX])));
    assert_mentions(&source.reason(), &["row 1"]);
}

#[test]
fn rows_come_out_in_ascending_order_whatever_the_order_of_the_file() {
    for (dates, values) in [
        (["20240102", "20240103", "20240104"], [0, 1, 2]),
        (["20240104", "20240103", "20240102"], [2, 1, 0]),
        (["20240103", "20240104", "20240102"], [2, 0, 1]),
    ] {
        let source = source_of(texts(&dates));
        let survey = source.survey();
        let (reader, columns) = read_all(&survey, 0).unwrap();
        assert_eq!(days(&reader), ["20240102", "20240103", "20240104"]);
        assert_eq!(columns[0].as_ref().unwrap(), &ints(&values));
    }
}

#[test]
fn identical_duplicates_are_merged_and_differing_ones_refuse_with_an_example() {
    let dates = texts(&["20240103", "20240102", "20240103", "20240102"]);
    let source = Source::new();
    source.add("a", &[("date", dates.clone()), ("x", floats(&[f64::NAN, -0.0, f64::NAN, -0.0]))]);
    let survey = source.survey();
    let (reader, _) = read_all(&survey, 0).unwrap();
    assert_eq!((reader.dates().len(), reader.files()[0].merged), (2, 2));

    let odd = f64::from_bits(f64::NAN.to_bits() ^ 1);
    for differing in [[1.0, -0.0, 1.0, 0.0], [1.0, f64::NAN, 1.0, odd]] {
        source.add("a", &[("date", dates.clone()), ("y", ints(&[5, 5, 6, 5])), ("x", floats(&differing))]);
        let survey = source.survey();
        let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
        // The earliest date comes first, though y differs on a later one.
        let reason = reader.read(0..2).unwrap_err();
        assert_mentions(&reason, &["20240102", "\"x\"", "in row 2", "in row 4", "duplicates"]);
        // In groups the difference is found as well.
        assert_mentions(&reader.read(0..1).unwrap_err(), &["20240103", "\"y\" is 5 in row 1 and 6 in row 3"]);
        assert!(reader.read(1..2).is_err());
    }
}

#[test]
fn duplicates_first_and_last_follow_the_order_of_the_file() {
    let mut source = Source::new();
    source.add("a", &[("date", texts(&["20240103", "20240102", "20240103"])), ("x", ints(&[0, 1, 2]))]);
    for (choice, expected) in [(Duplicates::First, [1, 0]), (Duplicates::Last, [1, 2])] {
        source.options(|options| options.duplicates = choice);
        let survey = source.survey();
        let (reader, columns) = read_all(&survey, 0).unwrap();
        assert_eq!(columns[0].as_ref().unwrap(), &ints(&expected));
        assert_eq!(reader.files()[0].merged, 1);
    }
}

#[test]
fn a_cast_decides_the_type_of_the_dates_in_the_output() {
    let mut source = source_of(ints(&[20_240_102]));
    source.options(|options| options.casts = vec!["date=string".parse().unwrap()]);
    let survey = source.survey();
    let (reader, _) = read_all(&survey, 0).unwrap();
    assert_eq!(survey.date_cast(), Some(&DataType::Utf8));
    assert_eq!(
        reader.files()[0].date_form.as_ref().unwrap(),
        &DateForm { data_type: DataType::Int64, spelling: Spelling::Digits }
    );
    source.options(|options| options.casts = vec!["date=float64".parse().unwrap()]);
    assert_mentions(&source.refused(), &["cast date=Float64"]);
}

#[test]
fn a_date_that_the_decided_type_cannot_hold_refuses_its_file() {
    let mut source = source_of(texts(&["20240102", "23000101"]));
    source.options(|options| options.casts = vec!["date=timestamp[ns]".parse().unwrap()]);
    assert_eq!(source.reason(), "its date 23000101 has no place in Timestamp(ns); cast date=date32 instead holds it");
    source.options(|options| options.casts = vec!["date=date32".parse().unwrap()]);
    assert!(read_all(&source.survey(), 0).is_ok());
}

#[test]
fn integers_of_fewer_than_eight_digits_are_no_dates() {
    for number in [240_102, 9_991_231, 101, 0] {
        assert_mentions(
            &source_of(ints(&[number])).reason(),
            &["row 1", &number.to_string(), "is no date", "YYYYMMDD"],
        );
    }
    assert!(read_all(&source_of(ints(&[10_000_101])).survey(), 0).is_ok());
}

/// Stamps of two bars on one date, and one on the next, in New York; the first is of the day before in UTC.
fn stamps() -> ArrayRef {
    let seconds = [1_704_173_400, 1_704_207_600, 1_704_259_800];
    let micros: Vec<i64> = seconds.iter().map(|second| second * 1_000_000).collect();
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}

#[test]
fn a_time_of_day_is_told_with_three_ways_out() {
    assert_eq!(
        source_of(texts(&["2024-01-02 09:30:00", "2024-01-02 09:31:00"])).reason(),
        "row 1 of \"date\": \"2024-01-02 09:30:00\" has a time of day; drop time leaves it out, or key date keeps it \
         in the key, or date column names another column of dates"
    );
}

#[test]
fn of_several_date_columns_the_one_with_times_of_day_is_advised_as_the_options_read_it() {
    let mut source = Source::new();
    let opens = texts(&["2024-01-02 09:30:00", "2024-01-03 09:30:00"]);
    source.add("a", &[("trade_date", opens), ("date", texts(&["x", "y"])), ("x", ints(&[1, 2]))]);
    // No name is free for a date beside the two.
    assert_mentions(&source.reason(), &["\"trade_date\" holds dates, but no choice of a column reads it"]);
    source.options(|options| options.drop_time = true);
    assert_mentions(&source.reason(), &["; date column trade_date reads it"]);
    source.options(|options| options.date_columns = vec!["trade_date".into()]);
    assert_eq!(source.survey().inputs.len(), 1);
}

#[test]
fn instants_that_may_be_midnights_elsewhere_are_told_with_the_zone_alone() {
    // Midnights of Shanghai, of Paris over a change of its clocks, of London, where those of winter are UTC's.
    let midnights = [
        &["2024-01-01T16:00:00Z", "2024-01-02T16:00:00Z"],
        &["2024-03-29T23:00:00Z", "2024-03-31T22:00:00Z"],
        &["2024-03-29T00:00:00Z", "2024-03-31T23:00:00Z"],
    ];
    for texts_of in midnights {
        let seconds = texts_of.map(|text| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp());
        let stamps: ArrayRef = Arc::new(TimestampSecondArray::from(seconds.to_vec()).with_timezone("UTC"));
        for dates in [stamps, texts(texts_of), ints(&seconds)] {
            let mut source = source_of(dates);
            source.options(|options| options.epoch = Some(Epoch::Seconds));
            let reason = source.reason();
            assert_mentions(&reason, &["has a time of day; zone says on whose clocks that is midnight"]);
            assert!(!reason.contains("drop time") && !reason.contains("key"), "{reason}");

            // Whoever says that it is UTC, is told what becomes of times.
            source.options(|options| options.zone = Some("UTC".into()));
            assert_mentions(&source.reason(), &["drop time leaves it out"]);
        }
    }
    // Times that differ by more, or that no clocks are set to, are times.
    for texts_of in [["2024-01-02T09:30:00Z", "2024-01-02T09:31:00Z"], ["2024-01-02T23:59:59Z", "2024-01-03T23:59:59Z"]]
    {
        assert_mentions(&source_of(texts(&texts_of)).reason(), &["drop time leaves it out"]);
    }
}

#[test]
fn a_date_column_in_the_key_keeps_its_values_beside_the_date() {
    let mut source = source_of(stamps());
    source.options(|options| {
        options.key = vec!["date".into()];
        options.zone = Some("America/New_York".into());
    });
    let survey = source.survey();
    assert_eq!((survey.date_name.as_str(), names(&survey)), ("trade_date", vec!["date", "x"]));
    let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
    assert_eq!(days(&reader), ["20240102", "20240102", "20240103"]);
    let columns = arrays(&reader, reader.read(0..2).unwrap());
    assert_eq!(columns[0].as_ref().unwrap(), &stamps());
    assert_eq!(survey.date_cast(), Some(&DataType::Date32));
}

#[test]
fn a_key_that_also_lists_plain_dates_and_codes_has_no_second_date() {
    let mut source = Source::new();
    source.add("A", &[("ts_code", texts(&["A"])), ("date", texts(&["20240102"])), ("k", ints(&[1]))]);
    source.options(|options| options.key = vec!["ts_code".into(), "date".into(), "k".into()]);
    let survey = source.survey();
    assert_eq!((survey.date_name.as_str(), names(&survey), survey.key.clone()), ("date", vec!["k"], vec![0]));
    assert_eq!(survey.options().key, ["k"]);
}

#[test]
fn a_time_that_is_dropped_leaves_a_day_and_duplicates() {
    let mut source = source_of(stamps());
    source.options(|options| options.drop_time = true);
    let survey = source.survey();
    let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
    assert_eq!(
        (days(&reader), survey.date_cast()),
        (vec!["20240102".into(), "20240103".into()], Some(&DataType::Date32))
    );
    assert_mentions(&reader.read(0..1).unwrap_err().to_string(), &["differing rows for 20240102"]);
}

#[test]
fn counts_since_1970_are_dates_and_a_unit_is_advised_where_one_fits() {
    let mut source = source_of(ints(&[1_704_153_600_000, 1_704_240_000_000]));
    assert_mentions(&source.reason(), &["1704153600000 is no date", "epoch ms reads them as counts since 1970"]);
    source.options(|options| options.epoch = Some(Epoch::Milliseconds));
    let survey = source.survey();
    let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
    assert_eq!(
        (days(&reader).join(" "), reader.files()[0].date_form.as_ref()),
        ("20240102 20240103".into(), Some(&DateForm::COMMON))
    );
    // Days of a spreadsheet count from the end of 1899, and would be of the year 2094.
    let anew =
        "45293 is no date, nor has another row one; integers are read as YYYYMMDD; write its dates as dates, or as";
    let told = source_of(ints(&[45_293, 45_294])).reason();
    assert!(told.contains(anew) && !told.contains("epoch"), "{told}");
    let mut source = source_of(floats(&[19_724.0, -1.0]));
    source.options(|options| options.epoch = Some(Epoch::Days));
    assert_eq!(days(&read_all(&source.survey(), 0).unwrap().0), ["19691231", "20240102"]);
}

#[test]
fn counts_in_doubles_are_advised_too_without_the_rows_that_have_none() {
    let advice = "date column date with epoch ms";
    let source = source_of(floats(&[1_704_153_600_000.0, 1_704_240_000_000.0]));
    assert_mentions(&source.reason(), &["is Float64, which is no date", advice]);
    // A null among integers is how pandas comes to doubles.
    let mut source = source_of(floats(&[1_704_153_600_000.0, 1_704_240_000_000.0, f64::NAN]));
    let without = "reads it without its rows that have no date, such as row 3";
    assert_mentions(&source.reason(), &["date column date with epoch ms", without]);
    source.options(|options| {
        options.date_columns = vec!["date".to_owned()];
        (options.epoch, options.bad_dates) = (Some(Epoch::Milliseconds), BadDates::Drop);
    });
    assert_eq!(days(&read_all(&source.survey(), 0).unwrap().0), ["20240102", "20240103"]);
}

#[test]
fn dates_in_decimals_are_integers_and_in_bytes_text() {
    let decimals = |numbers: &[i128], scale| -> ArrayRef {
        let decimals = Decimal128Array::from(numbers.to_vec());
        Arc::new(decimals.with_precision_and_scale(12, scale).unwrap())
    };
    let numbers = [20_240_229, 20_240_301];
    let bytes: [&[u8]; 2] = [b"2024-02-29", b"2024-03-01"];
    let read = |source: &Source| {
        let survey = source.survey();
        let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
        (days(&reader).join(" "), reader.files()[0].date_form.clone().unwrap())
    };
    for (dates, data_type, spelling) in [
        (decimals(&numbers, 0), DataType::Int64, Spelling::Digits),
        (Arc::new(BinaryArray::from(bytes.to_vec())) as ArrayRef, DataType::Utf8, Spelling::Dashes),
    ] {
        assert_eq!(read(&source_of(dates)), ("20240229 20240301".into(), DateForm { data_type, spelling }));
    }
    // Decimals that need not be whole are dates where somebody says so, and where they are.
    let mut source = source_of(decimals(&numbers.map(|number| number * 100), 2));
    assert_mentions(&source.reason(), &["is Decimal128(12, 2), which is no date", "date column date reads it"]);
    source.options(|options| options.date_columns = vec!["date".to_owned()]);
    assert_eq!(read(&source).0, "20240229 20240301");
    let mut source = source_of(decimals(&[2_024_022_950], 2));
    source.options(|options| options.date_columns = vec!["date".to_owned()]);
    assert_mentions(&source.reason(), &["20240229.5 is no date"]);
}

#[test]
fn text_at_midnight_is_a_date_and_is_restored() {
    let dates = texts(&["2024-01-02 00:00:00", "2024-01-03 00:00:00"]);
    let source = source_of(dates.clone());
    let survey = source.survey();
    let reader = survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap();
    assert_eq!(&reader.files()[0].date_form.as_ref().unwrap().array(reader.dates()).unwrap(), &dates);
    let source = source_of(texts(&["2024-01-02 00:00:00", "20240103"]));
    let survey = source.survey();
    assert!(
        survey.open(&survey.inputs[0]).map_err(|reason| panic!("{reason}")).unwrap().files()[0].other_form.is_some()
    );
}

#[test]
fn a_zone_reads_stamps_of_a_zone_that_is_unknown() {
    let mut source =
        source_of(Arc::new(TimestampMicrosecondArray::from(vec![1_704_124_800_000_000]).with_timezone("CST")));
    source.options(|options| options.zone = Some("Asia/Shanghai".into()));
    assert_eq!(days(&read_all(&source.survey(), 0).unwrap().0), ["20240102"]);
    source.options(|options| options.zone = Some("CST".into()));
    let refused = source.try_survey().map(drop).unwrap_err().to_string();
    assert_mentions(&refused, &["zone", "CST", "no time zone that is known"]);
}
