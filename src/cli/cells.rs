//! The values of a record batch as text: csv, JSON lines and the cells of a table.

use std::fmt::Write as _;
use std::io::Write;

use crate::store::{Texts, printable};
use anyhow::Context;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;

/// A record batch whose every value has a text.
pub struct Cells {
    columns: Vec<(String, ArrayRef)>,
    pub row_count: usize,
}

/// What a column's texts mean where text and number are written differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// Integers and decimals, which every format can hold.
    Number,
    Float,
    Text,
}

/// One column, ready to be written.
pub struct Column<'a> {
    pub name: &'a str,
    pub kind: Kind,
    texts: Texts<'a>,
}

impl Cells {
    pub fn new(batch: &RecordBatch) -> anyhow::Result<Cells> {
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, array)| Ok((field.name().clone(), printable(array)?)));
        Ok(Cells { columns: columns.collect::<anyhow::Result<_>>()?, row_count: batch.num_rows() })
    }

    pub fn columns(&self) -> anyhow::Result<Vec<Column<'_>>> {
        self.columns.iter().map(|(name, array)| Column::new(name, array)).collect()
    }

    /// Writes the line of the columns' names.
    pub fn write_csv_header(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let mut line = String::new();
        for (at, (name, _)) in self.columns.iter().enumerate() {
            line.push_str(if at > 0 { "," } else { "" });
            push_csv(&mut line, name);
        }
        Ok(writeln!(out, "{line}")?)
    }

    /// Writes a line for each row. A null is an empty field; an empty text is a quoted one.
    pub fn write_csv(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let columns = self.columns()?;
        let (mut line, mut text) = (String::new(), String::new());
        for row in 0..self.row_count {
            line.clear();
            for (at, column) in columns.iter().enumerate() {
                line.push_str(if at > 0 { "," } else { "" });
                if column.read(row, &mut text)? {
                    match column.kind {
                        Kind::Text => push_csv(&mut line, &text),
                        _ => line.push_str(&text),
                    }
                }
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Writes an object for each row. JSON has no numbers for NaN and the infinities; they are written as texts.
    pub fn write_json(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let columns = self.columns()?;
        let names = columns.iter().map(|column| serde_json::to_string(column.name)).collect::<Result<Vec<_>, _>>()?;
        let (mut line, mut text) = (String::new(), String::new());
        for row in 0..self.row_count {
            line.clear();
            for (at, (column, name)) in columns.iter().zip(&names).enumerate() {
                let _ = write!(line, "{}{name}:", if at > 0 { "," } else { "{" });
                match (column.read(row, &mut text)?, column.kind) {
                    (false, _) => line.push_str("null"),
                    (true, Kind::Float) if text == "NaN" => line.push_str("\"NaN\""),
                    (true, Kind::Float) if text == "inf" => line.push_str("\"Infinity\""),
                    (true, Kind::Float) if text == "-inf" => line.push_str("\"-Infinity\""),
                    (true, Kind::Text) => line.push_str(&serde_json::to_string(&text)?),
                    (true, _) => line.push_str(&text),
                }
            }
            writeln!(out, "{line}}}")?;
        }
        Ok(())
    }
}

impl<'a> Column<'a> {
    fn new(name: &'a str, array: &'a ArrayRef) -> anyhow::Result<Column<'a>> {
        let texts = Texts::of(array).with_context(|| format!("cannot print column {name:?}"))?;
        let kind = match array.data_type() {
            DataType::Boolean => Kind::Bool,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Kind::Float,
            number if number.is_integer() || number.is_decimal() => Kind::Number,
            _ => Kind::Text,
        };
        Ok(Column { name, kind, texts })
    }

    /// Puts the text of `row` into `text`; false where it is null.
    pub fn read(&self, row: usize, text: &mut String) -> anyhow::Result<bool> {
        self.texts.read(row, text).with_context(|| format!("cannot print column {:?}", self.name))
    }

    /// The texts of the first `row_count` rows for a table: floats to about six digits and with the same number of
    /// decimals, and marks for what would be invisible.
    pub fn table_cells(&self, row_count: usize) -> anyhow::Result<Vec<String>> {
        let mut texts = Vec::with_capacity(row_count);
        for row in 0..row_count {
            let mut text = String::new();
            texts.push(match (self.read(row, &mut text)?, self.kind) {
                (false, _) => "null".to_owned(),
                (true, Kind::Float) => short(&text),
                (true, Kind::Text) if text.is_empty() => "\"\"".to_owned(),
                _ => text,
            });
        }
        if self.kind == Kind::Float && !texts.iter().any(|text| text.contains('e')) {
            let decimals = |text: &String| text.split_once('.').map(|(_, decimals)| decimals.len());
            let most = texts.iter().filter_map(decimals).max().unwrap_or(0);
            for text in &mut texts {
                let missing = decimals(text).map_or(0, |count| most - count);
                text.extend(std::iter::repeat_n('0', missing));
            }
        }
        Ok(texts)
    }
}

fn push_csv(line: &mut String, text: &str) {
    if !text.is_empty() && !text.contains(['"', ',', '\n', '\r']) {
        return line.push_str(text);
    }
    line.push('"');
    for c in text.chars() {
        line.push_str(if c == '"' { "\"" } else { "" });
        line.push(c);
    }
    line.push('"');
}

/// An exact float's text, shortened to about six digits if it is long.
fn short(exact: &str) -> String {
    let Ok(value) = exact.parse::<f64>() else { return exact.to_owned() };
    // Counts, such as volumes, stay whole.
    if exact.len() <= 9 || exact.ends_with(".0") || !value.is_finite() {
        return exact.to_owned();
    }
    let size = value.abs();
    if !(1e-4..1e12).contains(&size) {
        return format!("{value:.5e}");
    }
    let whole_digits = if size < 1.0 { 0 } else { size.log10() as usize + 1 };
    format!("{value:.*}", 6usize.saturating_sub(whole_digits).max(2))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray};
    use arrow_array::{TimestampMicrosecondArray, record_batch};

    use super::*;

    fn cells() -> Cells {
        let zoned = |zone: &str| Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None]).with_timezone(zone));
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("f", Arc::new(Float64Array::from(vec![Some(f64::NAN), None])) as ArrayRef, true),
            ("g", Arc::new(Float64Array::from(vec![-0.0, f64::NEG_INFINITY])), true),
            ("i", Arc::new(Int64Array::from(vec![Some(i64::MAX), None])), true),
            ("b", Arc::new(BooleanArray::from(vec![Some(true), None])), true),
            ("s, t", Arc::new(StringArray::from(vec![Some(""), None])), true),
            ("u", Arc::new(StringArray::from(vec!["a\"b", "c\nd"])), true),
            ("x", Arc::new(BinaryArray::from(vec![Some(&b"\x01\xff"[..]), None])), true),
            ("d", Arc::new(Decimal128Array::from(vec![12_300, 5]).with_precision_and_scale(20, 4).unwrap()), true),
            ("z", zoned("Asia/Shanghai"), true),
            ("o", zoned("+08:00"), true),
        ]);
        Cells::new(&batch.unwrap()).unwrap()
    }

    #[test]
    fn csv_tells_null_from_nan_and_from_the_empty_text() {
        let mut out = Vec::new();
        cells().write_csv_header(&mut out).unwrap();
        cells().write_csv(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "f,g,i,b,\"s, t\",u,x,d,z,o\n\
             NaN,-0.0,9223372036854775807,true,\"\",\"a\"\"b\",01ff,1.2300,1970-01-01T00:00:00Z,1970-01-01T08:00:00+08:00\n\
             ,-inf,,,,\"c\nd\",,0.0005,,\n"
        );
    }

    #[test]
    fn json_has_one_object_a_line_and_loses_nothing() {
        let mut out = Vec::new();
        cells().write_json(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            r#"{"f":"NaN","g":-0.0,"i":9223372036854775807,"b":true,"s, t":"","u":"a\"b","x":"01ff","d":1.2300,"z":"1970-01-01T00:00:00Z","o":"1970-01-01T08:00:00+08:00"}"#
        );
        assert_eq!(
            text.lines().nth(1).unwrap(),
            r#"{"f":null,"g":"-Infinity","i":null,"b":null,"s, t":null,"u":"c\nd","x":null,"d":0.0005,"z":null,"o":null}"#
        );
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn table_cells_are_short_and_visible() {
        let batch = record_batch!(("s", Utf8, [Some(""), None]), ("f", Float64, [Some(1.5), Some(-0.25)])).unwrap();
        let cells = Cells::new(&batch).unwrap();
        let columns = cells.columns().unwrap();
        assert_eq!(columns[0].table_cells(2).unwrap(), ["\"\"", "null"]);
        assert_eq!(columns[1].table_cells(2).unwrap(), ["1.50", "-0.25"]);
    }

    #[test]
    fn long_floats_are_rounded_in_tables() {
        for (exact, expected) in [
            ("12.34", "12.34"),
            ("-0.0", "-0.0"),
            ("NaN", "NaN"),
            ("0.123456789", "0.123457"),
            ("-1.23456789012", "-1.23457"),
            ("1234567.891011", "1234567.89"),
            ("202497895.0", "202497895.0"),
            ("0.00001234567", "1.23457e-5"),
            ("1.2345678901e300", "1.23457e300"),
        ] {
            assert_eq!(short(exact), expected);
        }
    }
}
