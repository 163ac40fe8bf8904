//! Look-ups across segments that differ: a build writes alike ones, updates do not, and small panels have but one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::DataType;

use super::*;
use crate::format::Stored;
use crate::key::Date;
use crate::panel::Spelling;
use crate::segment::{SectionBody, SegmentColumn, SegmentId, SegmentWriter};
use crate::storage::{Disk, Syncs};
use crate::workers::Workers;

const CODES: [&str; 5] = ["E", "C", "A", "D", "B"];
const DATES: [i64; 6] = [20240102, 20240103, 20240104, 20240105, 20240108, 20240109];
/// Which segment holds each date.
const SEGMENTS: [usize; 6] = [0, 1, 1, 0, 0, 1];

fn date(index: usize) -> Date {
    Date::from_yyyymmdd(DATES[index]).unwrap()
}

/// Rows by (date, code): `x`, and `y`, a column that the first segment does not have.
type Model = BTreeMap<(Date, &'static str), (Option<i64>, Option<f64>)>;

fn model() -> Model {
    let mut model = Model::new();
    for (d, &segment) in SEGMENTS.iter().enumerate() {
        for (s, &code) in CODES.iter().enumerate() {
            if (d * 7 + s * 3) % 4 != 0 {
                let x = ((d + s) % 5 != 0).then_some((d * 10 + s) as i64 * if segment == 0 { 1 } else { -1 << 40 });
                let y = (segment == 1 && s != 1).then_some(if s == 2 { f64::NAN } else { -0.5 * d as f64 });
                model.insert((date(d), code), (x, y));
            }
        }
    }
    model
}

/// A store of the model: the first segment has `x` in one byte, the second in eight, and `y`.
fn publish(root: &Path, model: &Model) -> Store {
    let disk = Disk::default();
    let writer = StoreWriter::begin(root, &disk, Opening::Create).unwrap();
    let codes: ArrayRef = Arc::new(StringArray::from(CODES.to_vec()));
    let column = |column, name: &str, logical, stored| SegmentColumn {
        column,
        name: name.to_owned(),
        logical,
        stored,
        dictionary: (column == 0).then(|| codes.clone()),
    };
    let name = |name: &str, logical, dictionary| SnapshotColumn { name: name.to_owned(), logical, dictionary, key: 0 };
    let mut snapshot = Snapshot {
        version: writer.version(),
        store_id: writer.store_id(),
        keep: 1,
        settings: String::new(),
        columns: vec![
            name("code", DataType::Utf8, Some(0)),
            name("date", DataType::Date32, None),
            name("x", DataType::Int64, None),
            name("y", DataType::Float64, None),
        ],
        date_spelling: Spelling::Day,
        dictionaries: vec![codes.clone()],
        segments: Vec::new(),
        sections: Vec::new(),
        chunks: ChunkFile::new(),
        sources: Vec::new(),
        history: Vec::new(),
    };
    for ordinal in 0..2 {
        let x_stored = [Stored::Bytes1, Stored::Bytes8][ordinal];
        let mut columns = vec![
            column(0, "code", DataType::Utf8, Stored::Codes),
            column(1, "date", DataType::Date32, Stored::Bytes4),
            column(2, "x", DataType::Int64, x_stored),
        ];
        if ordinal == 1 {
            columns.push(column(3, "y", DataType::Float64, Stored::Bytes8));
        }
        let stored: Vec<Stored> = columns.iter().map(|column| column.stored).collect();
        let id = SegmentId { store_id: writer.store_id(), version: writer.version(), ordinal: ordinal as u32 };
        let mut segment = SegmentWriter::create(&disk, &writer.segment_dir(), id, columns.into()).unwrap();
        for d in (0..DATES.len()).filter(|&d| SEGMENTS[d] == ordinal) {
            let rows: Vec<_> = model.iter().filter(|((day, _), _)| *day == date(d)).collect();
            let number = |code: &str| CODES.iter().position(|other| *other == code).unwrap() as i32;
            let cells: Vec<[Option<Vec<u8>>; 4]> = rows
                .iter()
                .map(|((day, code), (x, y))| {
                    let x = x.map(|x| x.to_le_bytes()[..x_stored.byte_len(1) as usize].to_vec());
                    let y = y.map(|y| y.to_le_bytes().to_vec());
                    [Some(number(code).to_le_bytes().to_vec()), Some(day.days().to_le_bytes().to_vec()), x, y]
                })
                .collect();
            let nulls = |column: usize| cells.iter().filter(|row| row[column].is_none()).count() as u32;
            let layout = stored.iter().enumerate().map(|(column, &stored)| (stored, nulls(column)));
            let mut body = SectionBody::new(rows.len() as u32, layout);
            for (column, stored) in stored.iter().enumerate() {
                let width = stored.byte_len(1) as usize;
                for (row, cells) in cells.iter().enumerate() {
                    let Some(bytes) = &cells[column] else { continue };
                    body.values_mut(column)[row * width..][..width].copy_from_slice(bytes);
                    if let Some(validity) = body.validity_mut(column) {
                        validity[row / 8] |= 1 << (row % 8);
                    }
                }
            }
            segment.write(date(d), 1, rows.len() as u32, body).unwrap();
        }
        snapshot.add_sealed(Syncs::run(0, |syncs| segment.finish(syncs)).unwrap());
    }
    writer.publish(&snapshot).unwrap();
    Store::open(root).unwrap()
}

fn bits(value: Option<f64>) -> Option<u64> {
    value.map(f64::to_bits)
}

#[test]
fn a_series_joins_segments_that_differ_in_columns_and_widths() {
    let (dir, model) = (tempfile::tempdir().unwrap(), model());
    let store = publish(&dir.path().join("panel.store"), &model);
    for workers in [1, 2, 4, 9] {
        for code in CODES {
            let series = store.series_of(code, &[0, 1], &Workers::new(Some(workers)).unwrap()).unwrap();
            assert_eq!(series, store.series(code).unwrap());
            let (dates, x) = (series.column(1).as_primitive::<Date32Type>(), series.column(2));
            let (x, y) = (x.as_primitive::<Int64Type>(), series.column(3).as_primitive::<Float64Type>());
            let found: Vec<_> = dates.values().iter().zip(x.iter().zip(y.iter().map(bits))).collect();
            let expected: Vec<_> = model.iter().filter(|((_, other), _)| *other == code).collect();
            assert_eq!(found.len(), expected.len());
            for (((day, _), (x, y)), found) in expected.into_iter().zip(found) {
                assert_eq!((&day.days(), (*x, bits(*y))), found, "{code}");
            }
        }
    }
}

#[test]
fn a_matrix_joins_segments_that_differ_in_columns_and_widths() {
    let (dir, model) = (tempfile::tempdir().unwrap(), model());
    let store = publish(&dir.path().join("panel.store"), &model);
    for workers in [1, 3] {
        let workers = Workers::new(Some(workers)).unwrap();
        let x = store.matrix::<Int64Type>("x", .., -7, &workers).unwrap();
        let y = store.matrix::<Float64Type>("y", .., f64::INFINITY, &workers).unwrap();
        assert_eq!((x.dates(), x.stocks()), (store.dates().unwrap(), &["A", "B", "C", "D", "E"][..]));
        for (d, &day) in x.dates().iter().enumerate() {
            for (s, &code) in x.stocks().iter().enumerate() {
                let row = model.get(&(day, code));
                let expected = row.copied().unwrap_or_default();
                assert_eq!((x.has_row(d, s), y.has_row(d, s)), (row.is_some(), row.is_some()));
                assert_eq!((x.value(d, s), bits(y.value(d, s))), (expected.0, bits(expected.1)));
                assert_eq!(x.date_values(d)[s], expected.0.unwrap_or(-7));
                assert_eq!(y.values()[d * CODES.len() + s].to_bits(), expected.1.unwrap_or(f64::INFINITY).to_bits());
            }
        }
    }
}

/// Eight dates have whole bytes of bits; a range may begin and end anywhere.
#[test]
fn a_matrix_of_some_dates_is_that_part_of_the_whole() {
    let (dir, model) = (tempfile::tempdir().unwrap(), model());
    let store = publish(&dir.path().join("panel.store"), &model);
    let one = Workers::new(Some(1)).unwrap();
    let days = |from: usize, to: usize| store.matrix::<Int64Type>("x", date(from)..date(to), 0, &one).unwrap();
    let all = store.matrix::<Int64Type>("x", .., 0, &one).unwrap();
    for from in 0..DATES.len() {
        for to in 0..DATES.len() {
            let part = days(from, to);
            assert_eq!(part.dates(), &all.dates()[from..to.max(from)]);
            let cells = from * CODES.len()..to.max(from) * CODES.len();
            assert_eq!(part.values(), &all.values()[cells.clone()]);
            assert_eq!(
                part.valid().iter().collect::<Vec<_>>(),
                all.valid().slice(cells.start, cells.len()).iter().collect::<Vec<_>>()
            );
        }
    }
    let through = store.matrix::<Int64Type>("x", date(1)..=date(3), 0, &one).unwrap();
    assert_eq!(through.dates(), &all.dates()[1..4]);
    assert_eq!(store.matrix::<Int64Type>("x", ..Date::from_days(0).unwrap(), 0, &one).unwrap().values(), &[0i64; 0]);
}
