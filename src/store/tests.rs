//! Look-ups across segments that differ: a build writes alike ones, updates do not, and small panels have but one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::DataType;

use super::*;
use crate::error::{Error, Result};
use crate::format::{BatchRecord, NONE, PartRecord, PieceRecord, Stored};
use crate::key::Date;
use crate::panel::Spelling;
use crate::progress::Silent;
use crate::segment::{BatchBody, Room, SegmentColumn, SegmentId, SegmentWriter};
use crate::storage::{Access, Disk, Syncs};
use crate::workers::Workers;

const CODES: [&str; 5] = ["E", "C", "A", "D", "B"];
const CODES_IN_ORDER: [&str; 5] = ["A", "B", "C", "D", "E"];
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
    publish_with(root, model, None).unwrap()
}

/// The same, where the column with this id is called a part of the key.
fn publish_with(root: &Path, model: &Model, key: Option<u32>) -> Result<Store> {
    let disk = Disk::default();
    let writer = StoreWriter::begin(root, &disk, Access::Map, Opening::Create).unwrap();
    let codes: ArrayRef = Arc::new(StringArray::from(CODES.to_vec()));
    let column = |column, name: &str, logical, stored| SegmentColumn {
        column,
        name: name.to_owned(),
        logical,
        stored,
        dictionary: (column == 0).then(|| codes.clone()),
    };
    let name = |id, name: &str, logical, dictionary, source| SnapshotColumn {
        id,
        name: name.to_owned(),
        logical,
        dictionary,
        key: u8::from(key == Some(id)),
        source,
    };
    let mut snapshot = Snapshot {
        version: writer.version(),
        commit: writer.commit(),
        store_id: writer.store_id(),
        keep: Keep::ONE,
        settings: String::new(),
        columns: vec![
            name(0, "code", DataType::Utf8, Some(0), NONE),
            name(1, "date", DataType::Date32, None, NONE),
            name(2, "x", DataType::Int64, None, 0),
            name(3, "y", DataType::Float64, None, 0),
        ],
        date_spelling: Spelling::Day,
        dictionaries: vec![codes.clone()],
        key_segments: SegmentList::default(),
        pieces: Vec::new(),
        chunks: ChunkFile::new(writer.commit()),
        sources: Vec::new(),
        history: Vec::new(),
        changes: None,
        stock_changes: StockChanges::default(),
        next_column: 4,
        next_source: 1,
    };
    let mut contents = SourceContents::default();
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
        let id = SegmentId {
            store_id: writer.store_id(),
            commit: writer.commit(),
            ordinal: ordinal as u32,
            source: Some(0),
        };
        let mut segment = SegmentWriter::create(writer.segment_dir().unwrap(), id, columns.into()).unwrap();
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
            let body = BatchBody::filled(rows.len() as u32, layout, &Room::Heap, |column, mut chunk| {
                let width = stored[column].byte_len(1) as usize;
                for (row, cells) in cells.iter().enumerate() {
                    let Some(bytes) = &cells[column] else { continue };
                    chunk.values()[row * width..][..width].copy_from_slice(bytes);
                    if let Some(validity) = chunk.validity() {
                        validity[row / 8] |= 1 << (row % 8);
                    }
                }
            });
            let body = body.unwrap();
            segment.write(date(d), 0, rows.len() as u32, body).unwrap();
        }
        let sealed = Syncs::run(0, |syncs| segment.finish(syncs)).unwrap();
        let records = contents.segments.add_sealed(vec![sealed], &mut snapshot.chunks);
        for (values, d) in records.into_iter().zip((0..DATES.len()).filter(|&d| SEGMENTS[d] == ordinal)) {
            let (date, piece, row_count) = (date(d), 0, values.row_count);
            let part = PartRecord { date: date.days(), piece, changed: 1, values, present: BatchRecord::NONE };
            contents.parts.push(part);
            let record = PieceRecord { keys: BatchRecord::NONE, number: piece, row_count };
            snapshot.pieces.push(SnapshotPiece { date, place: 0, changed: 1, record });
        }
    }
    let tables = SnapshotTables::New(contents);
    snapshot.sources.push(SnapshotSource { id: 0, name: "only".to_owned(), tables });
    writer.publish(&snapshot)?;
    Store::open(root)
}

/// No reader could tell the rows of such segments apart.
#[test]
fn segments_that_lack_a_key_column_or_its_value_are_not_published() {
    let (dir, model) = (tempfile::tempdir().unwrap(), model());
    for (id, name, segment) in [(2, "x", 0), (3, "y", 0)] {
        let root = dir.path().join(name);
        let why = publish_with(&root, &model, Some(id)).unwrap_err();
        let source = std::error::Error::source(&why).unwrap().to_string();
        assert_eq!(why.to_string(), "cannot publish version 1");
        assert_eq!(source, format!("rows of segment {segment} have no {name:?}, which is part of the key"));
        assert!(matches!(Store::open(&root), Err(Error::Unfinished { .. })));
    }
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
            let series = store.answer(&Request::default()).unwrap();
            let series = series.series(code, &Workers::new(Some(workers)).unwrap(), &Silent).unwrap();
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
    let of = |name: &str, dates| store.answer(&Request { dates, ..Request::of([name]) }).unwrap();
    for workers in [1, 3] {
        let workers = Workers::new(Some(workers)).unwrap();
        let x = of("x", Selection::default()).matrix(&Fill::of::<Int64Type>(-7), &workers, &Silent).unwrap();
        let y =
            of("y", Selection::default()).matrix(&Fill::of::<Float64Type>(f64::INFINITY), &workers, &Silent).unwrap();
        assert_eq!((x.dates(), x.stocks()), (store.dates().unwrap(), &CODES_IN_ORDER.map(str::to_owned)[..]));
        for (d, &day) in x.dates().iter().enumerate() {
            for (s, &code) in CODES_IN_ORDER.iter().enumerate() {
                let row = model.get(&(day, code));
                let expected = row.copied().unwrap_or_default();
                assert_eq!((x.has_row(d, s), y.has_row(d, s)), (row.is_some(), row.is_some()));
                assert_eq!(
                    (x.value::<Int64Type>(d, s), bits(y.value::<Float64Type>(d, s))),
                    (expected.0, bits(expected.1))
                );
                assert_eq!(x.date_values::<Int64Type>(d).unwrap()[s], expected.0.unwrap_or(-7));
                let y = y.values::<Float64Type>().unwrap()[d * CODES.len() + s];
                assert_eq!(y.to_bits(), expected.1.unwrap_or(f64::INFINITY).to_bits());
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
    let x = |from, to| {
        let dates = Selection { from, to, ..Selection::default() };
        let matrix = store.answer(&Request { dates, ..Request::of(["x"]) }).unwrap();
        matrix.matrix(&Fill::of::<Int64Type>(0), &one, &Silent).unwrap()
    };
    let all = x(None, None);
    let whole = all.values::<Int64Type>().unwrap();
    for from in 0..DATES.len() {
        for to in 0..DATES.len() {
            let part = x(Some(date(from)), Some(date(to)));
            let end = (to + 1).max(from);
            assert_eq!(part.dates(), &all.dates()[from..end]);
            let cells = from * CODES.len()..end * CODES.len();
            assert_eq!(part.values::<Int64Type>().unwrap(), &whole[cells.clone()]);
            assert_eq!(
                part.cells().valid().iter().collect::<Vec<_>>(),
                all.cells().valid().slice(cells.start, cells.len()).iter().collect::<Vec<_>>()
            );
        }
    }
    assert!(x(None, Date::from_days(0)).dates().is_empty());
}

#[test]
fn a_matrix_of_chosen_stocks_has_them_in_the_order_in_which_they_were_named() {
    let (dir, model) = (tempfile::tempdir().unwrap(), model());
    let store = publish(&dir.path().join("panel.store"), &model);
    let named = ["D", "A", "D", "E"].map(str::to_owned).to_vec();
    let request = Request { stocks: Some(named), ..Request::of(["y"]) };
    let answer = store.answer(&request).unwrap();
    let matrix = answer.matrix(&Fill::of::<Float64Type>(9.0), &Workers::new(Some(2)).unwrap(), &Silent).unwrap();
    assert_eq!(matrix.stocks(), ["D", "A", "E"]);
    for (d, &day) in matrix.dates().iter().enumerate() {
        for (s, code) in ["D", "A", "E"].into_iter().enumerate() {
            let row = model.get(&(day, code));
            assert_eq!(matrix.has_row(d, s), row.is_some());
            assert_eq!(bits(matrix.value::<Float64Type>(d, s)), bits(row.copied().unwrap_or_default().1));
        }
        let batch = answer.batch(d).unwrap();
        let codes: Vec<_> = ["A", "D", "E"].into_iter().filter(|code| model.contains_key(&(day, code))).collect();
        assert_eq!(batch.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), codes);
    }
}

/// A narrower or another type is a promise that nothing is rounded.
#[test]
fn a_matrix_of_another_type_holds_every_value_exactly_or_is_refused() {
    let (dir, model) = (tempfile::tempdir().unwrap(), model());
    let store = publish(&dir.path().join("panel.store"), &model);
    let one = Workers::new(Some(1)).unwrap();
    let x = store.answer(&Request::of(["x"])).unwrap();
    let (own, wide) =
        (x.matrix(&Fill::of::<Int64Type>(-1), &one, &Silent), x.matrix(&Fill::of::<Float64Type>(-1.0), &one, &Silent));
    let (own, wide) = (own.unwrap(), wide.unwrap());
    let same = own.values::<Int64Type>().unwrap().iter().map(|&value| value as f64);
    assert!(same.eq(wide.values::<Float64Type>().unwrap().iter().copied()));
    let why = x.matrix(&Fill::of::<Int32Type>(0), &one, &Silent).unwrap_err().to_string();
    let way_out = "a matrix of Int64 holds it, and so do the rows themselves";
    let what = "column \"x\" has -13194139533312 on 20240103, which a matrix of Int32 cannot hold exactly";
    assert_eq!(why, format!("{what}; {way_out}"));
    let both = store.answer(&Request::default()).unwrap().matrix(&Fill::of::<Float64Type>(0.0), &one, &Silent);
    assert_eq!(both.unwrap_err().to_string(), "a matrix is of one column, and 2 were asked for; name one");
}

/// What is asked for as it is stored must be the very bytes of the map: text of codes and dates costs more than a small
/// section's values.
#[test]
fn stored_types_are_slices_of_the_map_and_say_what_logical_ones_say() {
    let (dir, model) = (tempfile::tempdir().unwrap(), model());
    let store = publish(&dir.path().join("panel.store"), &model);
    let batches = |types| -> Vec<RecordBatch> {
        let answer = store.answer(&Request { types, ..Request::default() }).unwrap();
        answer.batches().collect::<Result<_, _>>().unwrap()
    };
    let logical = batches(Types::LOGICAL);
    let stored = batches(Types::STORED);
    let views = batches(Types { code: CodeType::View, date: DateType::Omitted, ..Types::LOGICAL });
    for (d, (logical, stored)) in logical.iter().zip(&stored).enumerate() {
        let section = store.section_at(d).unwrap();
        let piece = section.only_piece().unwrap().unwrap();
        let batches = piece.batches().unwrap();
        let chunks =
            (0..batches[0].columns().len()).map(|position| batches[0].chunk_bytes(position).unwrap().as_ptr_range());
        for (chunk, column) in chunks.zip(stored.columns()) {
            assert!(chunk.contains(&column.to_data().buffers()[0].as_ptr()), "{}", column.data_type());
        }
        let narrow = if SEGMENTS[d] == 0 { DataType::Int8 } else { DataType::Int64 };
        assert_eq!((stored.column(2).data_type(), views[d].num_columns()), (&narrow, 3));
        for (stored, logical) in stored.columns().iter().zip(logical.columns()) {
            assert_eq!(&arrow_cast::cast(stored, logical.data_type()).unwrap(), logical);
        }
        assert_eq!(&arrow_cast::cast(views[d].column(0), &DataType::Utf8).unwrap(), logical.column(0));
        assert_eq!((views[d].column(1), views[d].column(2)), (logical.column(2), logical.column(3)));
    }
    for code in CODES {
        let series = |types| {
            let answer = store.answer(&Request { types, ..Request::default() }).unwrap();
            answer.series(code, &Workers::new(Some(1)).unwrap(), &Silent).unwrap()
        };
        let (logical, stored) = (series(Types::LOGICAL), series(Types::STORED));
        assert!(matches!(stored.column(0).data_type(), DataType::Dictionary(..)));
        for (stored, logical) in stored.columns().iter().zip(logical.columns()) {
            assert_eq!(&arrow_cast::cast(stored, logical.data_type()).unwrap(), logical);
        }
    }
}

#[test]
fn readers_have_what_the_texts_leave_and_each_of_them_room_for_two_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("panel.store");
    let mapped = publish(&root, &model());
    let store = Store::open_with(&root, Access::Read).unwrap();
    let readers = |store: &Store, count, memory, least| {
        let readers = store.readers(&Workers::new(Some(count)).unwrap().within(memory), None, least);
        readers.map(|readers| readers.map(|readers| (readers.count(), readers.memory()))).map_err(drop)
    };
    let sections = (0..DATES.len()).map(|index| store.outline_at(index).unwrap());
    let pieces =
        sections.flat_map(|section| section.pieces().map(|piece| piece.unwrap().byte_len(None).unwrap()).max());
    let (texts, piece) = (store.version.texts_len(), pieces.max().unwrap());
    assert!(texts > 0 && piece > 0);
    assert_eq!(readers(&store, 3, texts + 2 * piece - 1, 0), Err(()));
    assert_eq!(readers(&store, 3, texts + 2 * piece, 0), Ok(Some((1, 2 * piece))));
    assert_eq!(readers(&store, 3, texts + 5 * piece, 0), Ok(Some((2, 5 * piece))));
    assert_eq!(readers(&store, 3, texts + 9 * piece, 9 * piece), Ok(Some((3, 9 * piece))));
    assert_eq!(readers(&store, 3, texts + 9 * piece - 1, 9 * piece), Err(()));
    assert_eq!(readers(&mapped, 3, 0, piece), Ok(None));
}
