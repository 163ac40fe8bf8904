//! Real files, where they are at hand: `../shared/data`, or the directory that TRANSECT_DATA names.

use std::path::PathBuf;

use arrow_schema::DataType;

use super::*;
use crate::panel::Spelling;
use crate::source::FileOutcome;

pub(super) fn data(set: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRANSECT_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = root.join(set);
    if !path.is_dir() {
        eprintln!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

/// Surveys a set and reads every file of it.
fn read_set(path: &Path, options: &SourceOptions) -> (Survey, Vec<FileOutcome>, Vec<String>) {
    let survey = survey(path, options, &Workers::new(Some(2)).unwrap(), &Silent).unwrap();
    let mut readers = Vec::new();
    let mut reasons: Vec<String> = survey.skipped.iter().map(|s| format!("{}: {}", s.path, s.reason)).collect();
    for n in 0..survey.inputs.len() {
        match read_all(&survey, n) {
            Ok((reader, _)) => readers.extend_from_slice(reader.files()),
            Err(reason) => reasons.push(format!("{}: {reason}", survey.inputs[n].unit)),
        }
    }
    (survey, readers, reasons)
}

#[test]
fn tushare_files_newest_first_read_in_ascending_order() {
    let Some(path) = data("cn_tushare") else { return };
    let (survey, readers, reasons) = read_set(&path, &SourceOptions::default());
    assert!(reasons.is_empty(), "{reasons:?}");
    assert_eq!(readers.len(), 256);
    assert!(!names(&survey).contains(&"ts_code"));
    for reader in &readers {
        assert_eq!(reader.date_form.as_ref().unwrap().spelling, Spelling::Digits);
    }
}

#[test]
fn dashed_dates_of_us_shares_are_restorable() {
    let Some(path) = data("us_sp500_5y") else { return };
    let (survey, readers, reasons) = read_set(&path, &SourceOptions::default());
    assert!(reasons.is_empty(), "{reasons:?}");
    assert_eq!(survey.date_name, "date");
    assert!(readers.iter().all(|reader| reader.date_form.as_ref().unwrap().spelling == Spelling::Dashes));
    let options = SourceOptions { code_column: Some("Name".to_owned()), ..SourceOptions::default() };
    let (survey, _, reasons) = read_set(&path, &options);
    assert!(reasons.is_empty() && !names(&survey).contains(&"Name"), "{reasons:?}");
}

#[test]
fn four_schemas_in_one_folder_meet() {
    let Some(path) = data("cn_mixed_headers") else { return };
    let options = SourceOptions {
        date_columns: ["trade_date", "cal_date", "date"].map(str::to_owned).to_vec(),
        ..SourceOptions::default()
    };
    let (survey, readers, reasons) = read_set(&path, &options);
    assert_eq!((survey.date_name.as_str(), readers.len(), reasons), ("trade_date", 123, Vec::new()));
}

#[test]
fn decimals_and_timestamps_keep_their_types() {
    if let Some(path) = data("cn_decimal_mit") {
        let (survey, _, reasons) = read_set(&path, &SourceOptions::default());
        assert!(reasons.is_empty(), "{reasons:?}");
        let decimals = survey.columns.iter().filter(|c| matches!(c.data_type, DataType::Decimal128(..)));
        assert_eq!(decimals.count(), 16);
    }
    if let Some(path) = data("cn_csi800") {
        let (_, readers, reasons) = read_set(&path, &SourceOptions::default());
        assert!(reasons.is_empty(), "{reasons:?}");
        assert!(readers.iter().all(|r| matches!(r.date_form.as_ref().unwrap().data_type, DataType::Timestamp(..))));
    }
}
