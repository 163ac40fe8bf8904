//! What the names of files say, by convention, before any is opened.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::key::Date;
use crate::storage;

/// What Spark and its kin, Delta Lake and desktops leave beside data.
const NOTES_OF_OTHERS: [&str; 9] = [
    "_SUCCESS",
    "_metadata",
    "_common_metadata",
    "_temporary",
    "_spark_metadata",
    "_delta_log",
    "__MACOSX",
    "Thumbs.db",
    "desktop.ini",
];

/// The absolute path of a file, which a store remembers.
pub(crate) fn absolute(path: &str) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string()
}

/// Whether a file or a directory of this name is no data, by a convention that other readers of such folders keep, too:
/// a leading dot, a checksum, the lock of an open document, another program's notes.
pub(in crate::source) fn is_hidden(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let begins = |prefix: &str| bytes.starts_with(prefix.as_bytes());
    begins(".")
        || begins("~$")
        || bytes.ends_with(b".crc")
        || (begins("_committed_") || begins("_started_"))
        || NOTES_OF_OTHERS.iter().any(|other| name == *other)
}

/// Whether `text` names a date.
pub(in crate::source) fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok()
}

/// Whether `text` names a date, a month, a quarter or a year, and hardly a stock.
pub(in crate::source) fn is_time(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | '_' | 'Q' | 'q')).collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let starts_in = |years: std::ops::Range<u32>| digits[..4].parse().is_ok_and(|year| years.contains(&year));
    is_date(text) || (is_number && (4..=6).contains(&digits.len()) && starts_in(1900..2100))
}

/// The date in a file's name or in the directory it lies in, `key=` before it or not.
pub(in crate::source) fn date_of_name(path: &Path) -> Option<Date> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let parent = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let date = |name: &str| name.rsplit('=').next()?.parse().ok();
    stem.and_then(date).or_else(|| parent.and_then(date))
}

/// `text` with its percent escapes decoded, as Hive, Spark, DuckDB and pyarrow write the values of `key=value`
/// directories. What is no escape stands for itself, as Spark reads it.
pub(in crate::source) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// The code that `code` is most likely a copy of: `AAPL` for `AAPL (1)` and `AAPL - Copy`.
pub(in crate::source) fn copied(code: &str) -> Option<&str> {
    let numbered = || {
        let (original, number) = code.strip_suffix(')')?.rsplit_once(" (")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(original)
    };
    code.strip_suffix(" - Copy").or_else(|| code.strip_suffix(" copy")).or_else(numbered)
}

/// Whether `code` is how Spark, Dask and DuckDB name the parts of one data set: `part-00000-...`, `part.0`, `data_0`, or
/// `data` alone.
pub(in crate::source) fn is_part(code: &str) -> bool {
    let number = ["part-", "part.", "data_"].iter().find_map(|prefix| code.strip_prefix(prefix));
    code == "data" || number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

/// `text` with everything escaped that a terminal might take for a command or cannot show.
pub(crate) fn shown(text: &OsStr) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                c if c.is_control() => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// The names in a directory that are not hidden, ascending.
pub(in crate::source) fn names_in(directory: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names: Vec<OsString> = storage::list(directory)?.collect::<std::io::Result<_>>()?;
    names.retain(|name| !is_hidden(name));
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_programs_leave_is_no_data() {
        for name in [".A.parquet", "._A.parquet", ".DS_Store", "~$A.parquet", "A.parquet.crc", "_SUCCESS", "_delta_log"]
        {
            assert!(is_hidden(OsStr::new(name)), "{name}");
        }
        for name in ["A.parquet", "_A.parquet", "SUCCESS", "_metadata.parquet", "A.", "~A", "A.crc.parquet"] {
            assert!(!is_hidden(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn escapes_are_decoded_and_what_is_none_stays() {
        let decoded = |text: &str| String::from_utf8(percent_decoded(text.as_bytes())).unwrap();
        assert_eq!(decoded("BTC%2FUSDT"), "BTC/USDT");
        assert_eq!(decoded("%2f%2F"), "//");
        assert_eq!(decoded("100%25"), "100%");
        assert_eq!(decoded("%2525"), "%25");
        assert_eq!(decoded("%E5%B9%B3"), "平");
        for text in ["", "100%", "50%2", "%zz", "%+1", "a+b", "平"] {
            assert_eq!(decoded(text), text);
        }
    }

    #[test]
    fn a_date_is_found_in_names_as_transpose_makes_them() {
        let date = |path: &str| date_of_name(Path::new(path)).map(|date| date.to_string());
        for path in
            ["20240102.parquet", "out/2024-01-02.arrow", "trade_date=20240102/data.parquet", "20240102/x.parquet"]
        {
            assert_eq!(date(path).as_deref(), Some("20240102"), "{path}");
        }
        for path in ["data.parquet", "x/data.parquet", "202401.parquet", "20240102/deeper/data.parquet"] {
            assert_eq!(date(path), None, "{path}");
        }
    }

    #[test]
    fn times_are_told_from_codes() {
        for text in ["2024", "1999", "202401", "2024-01", "20240102", "2024-01-02", "2024Q1"] {
            assert!(is_time(text), "{text}");
        }
        for text in ["AAPL", "600519", "000001", "0700", "5", "", "9988", "2330.TW", "平安银行", "2024-13-45"] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn copies_and_parts_have_names_of_their_own() {
        assert_eq!(copied("AAPL (1)"), Some("AAPL"));
        assert_eq!(copied("AAPL - Copy"), Some("AAPL"));
        assert_eq!([copied("AAPL"), copied("BRK(B)"), copied("A (x)")], [None, None, None]);
        assert!(is_part("part-00000-8f2c.snappy") && is_part("part.0") && is_part("data_12") && is_part("data"));
        assert!(!is_part("part-time") && !is_part("PART") && !is_part("apart-0") && !is_part("data_x"));
    }
}
