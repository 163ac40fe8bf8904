//! Generated panels have the habits of whoever wrote the generator. These are files as people have them: a few that the
//! project carries, and five larger sets where they are at hand, each all the way from files to files.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use transect::progress::Silent;
use transect::sink::Format;
use transect::source::SourceOptions;
use transect::{Build, BuildReport, Shape, Store, Transpose, verify_output, verify_source};

use super::panels::{Place, assert_no_leftovers, assert_whole, date, read_parquet, workers};

/// Builds a store of `source`, transposes it, and verifies it against its source and its output.
fn end_to_end(place: &Place, source: &Path, options: SourceOptions) -> (Store, BuildReport) {
    let report = Build::new(source, place.store()).options(options).workers(2).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_whole(&store);
    assert_no_leftovers(&place.store());
    let compared = verify_source(&store, source, &workers(2).within(64 << 20), &Silent).unwrap();
    assert_eq!(compared.differences, []);
    assert_eq!(compared.rows, report.rows);
    for format in [Format::Parquet, Format::Arrow] {
        let out = place.path(format.extension());
        let shape = Shape { format, ..Shape::default() };
        let written = Transpose::new(&store, &out).shape(shape).workers(2).run().unwrap();
        assert_eq!((written.written, written.rows), (report.dates, report.rows));
        let compared = verify_output(&store, &out, &workers(2), &Silent).unwrap();
        assert_eq!(compared.differences, Vec::<String>::new());
        assert_eq!((compared.files, compared.rows), (report.dates, report.rows));
        assert_no_leftovers(&out);
    }
    (store, report)
}

fn extract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/decimal")
}

fn decimal(batch: &RecordBatch, column: &str, row: usize) -> Option<i128> {
    let column = batch.column_by_name(column).unwrap().as_primitive::<Decimal128Type>();
    column.is_valid(row).then(|| column.value(row))
}

/// The expected numbers were computed from the files with pyarrow.
#[test]
fn decimal_files_come_out_as_they_went_in() {
    let place = Place::new();
    let (store, report) = end_to_end(&place, &extract(), SourceOptions::default());
    assert_eq!((report.rows, report.stocks, report.dates), (1636, 5, 388));
    assert_eq!(report.skipped, []);
    assert_eq!(store.schema().unwrap().date_form.data_type, DataType::Date32);
    assert_eq!(store.stocks().unwrap(), ["000001", "000793", "600998", "688795", "920808"]);
    let last = *store.dates().unwrap().last().unwrap();
    for batch in [
        store.section(last).unwrap().batch().unwrap(),
        read_parquet(&place.path("parquet").join(format!("{last}.parquet"))),
    ] {
        assert_eq!(batch.num_rows(), 5);
        assert_eq!(batch.column_by_name("close").unwrap().data_type(), &DataType::Decimal128(20, 4));
        assert_eq!(batch.column_by_name("turnover_rate").unwrap().data_type(), &DataType::Decimal128(12, 6));
        let closes: Vec<Option<i128>> = (0..5).map(|row| decimal(&batch, "close", row)).collect();
        assert_eq!(closes, [114_900, 27_300, 51_700, 7_157_000, 787_300].map(Some));
        let turnovers: Vec<Option<i128>> = (0..5).map(|row| decimal(&batch, "turnover_rate", row)).collect();
        assert_eq!(turnovers, [5_871, 12_866, 5_497, 167_882, 14_803].map(Some));
    }
    let late = store.series("688795").unwrap();
    assert_eq!(late.num_rows(), 96);
    let averages: Vec<Option<i128>> = (0..6).map(|row| decimal(&late, "ma5", row)).collect();
    assert_eq!(averages, [None, None, None, None, Some(6_998_280), Some(7_427_040)]);
}

/// One of the sets that the project cannot carry.
fn set(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRANSECT_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = root.join(name);
    if !path.is_dir() {
        eprintln!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn tushare_bars_newest_first_come_out_by_date() {
    let Some(source) = set("cn_tushare") else { return };
    let (store, report) = end_to_end(&Place::new(), &source, SourceOptions::default());
    assert_eq!((report.files, report.skipped.len()), (256, 0));
    assert_eq!(store.schema().unwrap().date_form.to_string(), "LargeUtf8 YYYYMMDD");
}

#[test]
fn us_bars_keep_dashed_dates_and_dotted_tickers() {
    let Some(source) = set("us_sp500_5y") else { return };
    let (store, report) = end_to_end(&Place::new(), &source, SourceOptions::default());
    assert_eq!((report.files, report.skipped.len()), (255, 0));
    assert_eq!(store.schema().unwrap().date_form.to_string(), "LargeUtf8 YYYY-MM-DD");
}

#[test]
fn four_schemas_in_one_folder_make_one_panel() {
    let Some(source) = set("cn_mixed_headers") else { return };
    let date_columns = ["cal_date", "trade_date", "date"].map(str::to_owned).to_vec();
    let options = SourceOptions { date_columns, ..SourceOptions::default() };
    let (store, report) = end_to_end(&Place::new(), &source, options);
    assert_eq!(report.files, 123);
    assert!(report.skipped.len() < 3, "{:?}", report.skipped);
    assert_eq!(store.schema().unwrap().date_name, "cal_date");
}

#[test]
fn chinese_names_and_timestamps_survive() {
    let Some(source) = set("cn_csi800") else { return };
    let (store, report) = end_to_end(&Place::new(), &source, SourceOptions::default());
    assert_eq!((report.files, report.skipped.len()), (267, 0));
    assert!(matches!(store.schema().unwrap().date_form.data_type, DataType::Timestamp(..)));
}

#[test]
fn all_decimal_files_make_one_panel() {
    let Some(source) = set("cn_decimal_mit") else { return };
    let (store, report) = end_to_end(&Place::new(), &source, SourceOptions::default());
    assert_eq!((report.files, report.skipped.len()), (40, 0));
    assert!(store.section(date(20250102)).is_ok_and(|section| section.row_count() > 30));
}
