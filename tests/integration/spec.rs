//! The format is described in prose in one place, `formats/store.md`, and a page that nobody compares with the code is
//! wrong within a year. Here its tables are read and compared with the records: a field that moved, grew or is missing
//! from the page fails.

use std::collections::BTreeMap;
use std::fs;
use std::mem::offset_of;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_ipc::reader::FileReader;
use arrow_schema::{DataType, TimeUnit};
use serde_json::json;
use transect::Store;
use transect::format::{
    ALIGNMENT, BatchRecord, ChangedColumnRecord, ChangedDateRecord, ChangedStocksRecord, ChunkFileHeader,
    ChunkIdentity, ChunkRecord, ColumnRecord, DictionaryRecord, FORMAT_VERSION, FileRecord, FileStatus, Header,
    HistoryRecord, MAGIC, PartRecord, PieceRecord, RowCounts, SOURCE_MAGIC, SectionRecord, SegmentColumnRecord,
    SegmentRecord, SourceRecord, Stored, StrRef, TABLE_COUNT, Table, TableRef, TypeRecord, checksum, parse_header,
    table,
};

use super::panels::{Place, bare_ledger, batch, named, small_panel};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("formats/store.md");
    fs::read_to_string(path).unwrap()
}

/// Cells of the table whose header row starts with these cells, in order; the text before tells which one.
fn tables(page: &str, header: &[&str]) -> Vec<(String, Vec<Vec<String>>)> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let lines: Vec<&str> = page.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !line.starts_with('|')
            || !cells(line).iter().map(String::as_str).take(header.len()).eq(header.iter().copied())
        {
            continue;
        }
        let title = lines[..at].iter().rev().find(|line| !line.is_empty()).unwrap();
        let rows = lines[at + 2..].iter().take_while(|line| line.starts_with('|')).map(|line| cells(line)).collect();
        found.push(((*title).to_owned(), rows));
    }
    found
}

/// One field as code or page have it: name, offset, size, type.
type FieldPlace = (String, usize, usize, String);

/// Name, size and fields of a record as the code has it. The destructuring fails to compile when a field is left out.
macro_rules! record {
    ($record:ident { $($field:ident: $kind:ty),+ $(,)? }) => {{
        let none: Option<$record> = None;
        if let Some($record { $($field),+ }) = none {
            $(let _: $kind = $field;)+
        }
        let fields = vec![$((
            stringify!($field).to_owned(),
            offset_of!($record, $field),
            size_of::<$kind>(),
            stringify!($kind).to_owned(),
        )),+];
        (stringify!($record).to_owned(), (size_of::<$record>(), fields))
    }};
}

fn records() -> BTreeMap<String, (usize, Vec<FieldPlace>)> {
    BTreeMap::from([
        record!(Header {
            magic: [u8; 8],
            format_version: u32,
            header_len: u32,
            version: u64,
            commit: u64,
            file_len: u64,
            created_ns: i64,
            store_id: [u8; 16],
            row_count: u64,
            keep_ns: u64,
            keep_count: u32,
            next_column: u32,
            next_source: u32,
            table_count: u32,
            reserved: [u8; 24],
            checksum: u64,
        }),
        record!(TableRef { kind: u32, needed: u32, offset: u64, byte_len: u64, checksum: u64 }),
        record!(StrRef { offset: u32, byte_len: u32 }),
        record!(TypeRecord {
            kind: u8,
            unit: u8,
            precision: u8,
            scale: i8,
            key_kind: u8,
            zoned: u8,
            value_kind: u8,
            reserved: u8,
            zone: StrRef,
        }),
        record!(ColumnRecord {
            name: StrRef,
            logical: TypeRecord,
            dictionary: u32,
            spelling: u8,
            key: u8,
            reserved: [u8; 2],
            spelling_format: StrRef,
            id: u32,
            source: u32,
        }),
        record!(DictionaryRecord { offsets_start: u64, bytes_start: u64, byte_len: u64, count: u32, kind: u32 }),
        record!(SegmentRecord {
            commit: u64,
            ordinal: u32,
            column_count: u32,
            column_start: u64,
            file_len: u64,
            frame_checksum: u64,
            chunk_start: u64,
            chunk_count: u64,
            chunk_checksum: u64,
        }),
        record!(SegmentColumnRecord { column: u32, stored: u8, reserved: [u8; 3], logical: TypeRecord }),
        record!(SectionRecord { piece_start: u64, changed: u64, row_count: u64, piece_count: u32, reserved: u32 }),
        record!(BatchRecord { body_offset: u64, body_len: u64, chunk_start: u64, segment: u32, row_count: u32 }),
        record!(PieceRecord { keys: BatchRecord, number: u32, row_count: u32 }),
        record!(PartRecord { date: i32, piece: u32, changed: u64, values: BatchRecord, present: BatchRecord }),
        record!(SourceRecord { name: StrRef, commit: u64, file_len: u64, header_checksum: u64, ordinal: u32, id: u32 }),
        record!(ChunkFileHeader { magic: [u8; 8], format_version: u32, reserved: u32, commit: u64 }),
        record!(HistoryRecord {
            version: u64,
            commit: u64,
            created_ns: i64,
            command: StrRef,
            row_count: u64,
            added_count: u64,
            restated_count: u64,
            filled_count: u64,
            removed_count: u64,
            date_count: u32,
            dirty_count: u32,
            stock_count: u32,
            column_count: u32,
            changes_len: u64,
            changes_checksum: u64,
        }),
        record!(RowCounts { added: u64, restated: u64, filled: u64, removed: u64 }),
        record!(ChangedDateRecord { date: i32, reserved: u32, rows: RowCounts }),
        record!(ChangedStocksRecord { stock_start: u32, stock_count: u32, rows: RowCounts }),
        record!(ChangedColumnRecord {
            name: StrRef,
            older: TypeRecord,
            newer: TypeRecord,
            restated_count: u64,
            filled_count: u64,
            versions: u32,
            reserved: u32,
        }),
        record!(ChunkRecord { checksum: u64, byte_len: u64, null_count: u32, reserved: u32 }),
        record!(FileRecord {
            path: StrRef,
            reason: StrRef,
            byte_len: u64,
            modified_ns: i64,
            content_hash: [u64; 2],
            row_count: u64,
            merged_count: u64,
            dropped_count: u64,
            stock: u32,
            status: u32,
        }),
        record!(ChunkIdentity {
            store_id: [u8; 16],
            commit: u64,
            ordinal: u32,
            date: i32,
            row_count: u32,
            column: u32,
            null_count: u32,
            stored: u32,
            chunk: u64,
        }),
    ])
}

#[test]
fn every_record_is_on_the_page_as_the_code_has_it() {
    let page = page();
    let mut described = BTreeMap::new();
    for (title, rows) in tables(&page, &["offset", "size", "field", "type", "meaning"]) {
        // "`ColumnRecord`, 40 bytes, a column of the panel:"
        let (name, rest) = title.strip_prefix('`').and_then(|title| title.split_once("`, ")).expect(&title);
        let size: usize = rest.split(' ').next().unwrap().parse().expect(&title);
        let field = |row: &Vec<String>| -> FieldPlace {
            assert!(!row[4].is_empty(), "{name}.{} has no meaning", row[2]);
            (row[2].clone(), row[0].parse().unwrap(), row[1].parse().unwrap(), row[3].clone())
        };
        let fields: Vec<FieldPlace> = rows.iter().map(field).collect();
        assert!(described.insert(name.to_owned(), (size, fields)).is_none(), "{name} is described twice");
    }
    let records = records();
    assert_eq!(described.keys().collect::<Vec<_>>(), records.keys().collect::<Vec<_>>());
    for (name, record) in &records {
        assert_eq!(&described[name], record, "{name}: left the page, right the code");
    }
}

#[test]
fn every_table_of_a_catalog_is_on_the_page() {
    use Table::*;
    let all = [
        (Strings, 1),
        (Settings, 1),
        (Columns, size_of::<ColumnRecord>()),
        (Dictionaries, size_of::<DictionaryRecord>()),
        (DictionaryOffsets, 4),
        (DictionaryBytes, 1),
        (StockOrder, 4),
        (StockRanks, 4),
        (Segments, size_of::<SegmentRecord>()),
        (SegmentColumns, size_of::<SegmentColumnRecord>()),
        (Dates, 4),
        (Sections, size_of::<SectionRecord>()),
        (Sources, size_of::<SourceRecord>()),
        (History, size_of::<HistoryRecord>()),
        (Pieces, size_of::<PieceRecord>()),
        (Files, size_of::<FileRecord>()),
        (Parts, size_of::<PartRecord>()),
        (StockChanges, 8),
        (ChangedDates, size_of::<ChangedDateRecord>()),
        (ChangedStocks, size_of::<ChangedStocksRecord>()),
        (ChangedColumns, size_of::<ChangedColumnRecord>()),
    ];
    assert_eq!(all.len(), TABLE_COUNT);
    let records = records();
    let size = |record: &str| match record {
        "u8" => 1,
        "u32" | "i32" => 4,
        "u64" => 8,
        other => records[other].0,
    };
    let page = page();
    let (_, rows) = &tables(&page, &["kind", "table", "record", "holds"])[0];
    let described: Vec<(usize, String, usize)> =
        rows.iter().map(|row| (row[0].parse().unwrap(), row[1].clone(), size(&row[2]))).collect();
    let expected: Vec<(usize, String, usize)> =
        all.iter().map(|(table, size)| (*table as usize, format!("{table:?}"), *size)).collect();
    assert_eq!(described, expected);
}

/// One column of each type that an input may have, under the type's name without parameters.
fn all_types() -> Vec<(&'static str, DataType)> {
    let coded = |value| DataType::Dictionary(Box::new(DataType::Int32), Box::new(value));
    vec![
        ("Null", DataType::Null),
        ("Boolean", DataType::Boolean),
        ("Int8", DataType::Int8),
        ("Int16", DataType::Int16),
        ("Int32", DataType::Int32),
        ("Int64", DataType::Int64),
        ("UInt8", DataType::UInt8),
        ("UInt16", DataType::UInt16),
        ("UInt32", DataType::UInt32),
        ("UInt64", DataType::UInt64),
        ("Float32", DataType::Float32),
        ("Float64", DataType::Float64),
        ("Decimal128", DataType::Decimal128(20, 4)),
        ("Date32", DataType::Date32),
        ("Date64", DataType::Date64),
        ("Time32", DataType::Time32(TimeUnit::Millisecond)),
        ("Time64", DataType::Time64(TimeUnit::Nanosecond)),
        ("Timestamp", DataType::Timestamp(TimeUnit::Microsecond, Some("Asia/Shanghai".into()))),
        ("Utf8", DataType::Utf8),
        ("LargeUtf8", DataType::LargeUtf8),
        ("Utf8View", DataType::Utf8View),
        ("Binary", DataType::Binary),
        ("LargeBinary", DataType::LargeBinary),
        ("BinaryView", DataType::BinaryView),
        ("Dictionary", coded(DataType::Utf8)),
    ]
}

#[test]
fn type_kinds_are_those_of_the_page() {
    let place = Place::new();
    let dates: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["20240102"]));
    let types = all_types();
    let arrays: Vec<ArrayRef> = types.iter().map(|(_, data_type)| new_null_array(data_type, 1)).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![("date", dates)];
    columns.extend(types.iter().map(|(name, _)| *name).zip(arrays));
    let input: RecordBatch = batch(&columns);
    place.add("A", &input);
    place.build();

    let page = page();
    let (_, rows) = &tables(&page, &["kind", "type"])[0];
    let on_page: BTreeMap<&str, u8> = rows.iter().map(|row| (row[1].as_str(), row[0].parse().unwrap())).collect();
    let bytes = fs::read(named(&place.store(), "catalog/1")).unwrap();
    let header = parse_header(&bytes, MAGIC).unwrap();
    let records: &[ColumnRecord] = table(&bytes, &header, Table::Columns).unwrap();
    assert_eq!(records.len(), types.len() + 2);
    for ((name, data_type), record) in types.iter().zip(&records[2..]) {
        assert_eq!(record.logical.kind, on_page[name], "{data_type}");
    }
    // No input is read as this one.
    assert_eq!(on_page.len(), types.len() + 1);
    assert_eq!(on_page["Float16"], 10);
    let zoned = &records[2 + types.iter().position(|(name, _)| *name == "Timestamp").unwrap()];
    assert_eq!((zoned.logical.unit, zoned.logical.zoned, zoned.logical.zone.byte_len), (2, 1, 13));
}

#[test]
fn stored_numbers_and_widths_are_those_of_the_page() {
    let page = page();
    let (_, rows) = &tables(&page, &["stored", "width", "logical types"])[0];
    let mut numbers: Vec<u8> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    for (row, number) in rows.iter().zip(&numbers) {
        let (count, unit) = row[1].split_once(' ').unwrap();
        let bits: u64 = count.parse::<u64>().unwrap() * if unit.starts_with("byte") { 8 } else { 1 };
        assert_eq!(Stored::from_number(*number).unwrap().byte_len(8), bits, "{row:?}");
    }
    numbers.dedup();
    let known: Vec<u8> = (0..=u8::MAX).filter(|&number| Stored::from_number(number).is_some()).collect();
    assert_eq!(numbers, known);
}

#[test]
fn statuses_of_source_files_are_those_of_the_page() {
    let all: Vec<u32> = (0..100).filter(|&number| FileStatus::from_number(number).is_some()).collect();
    assert_eq!(all, [0, 1, 2]);
    let numbers = [FileStatus::Read, FileStatus::Empty, FileStatus::Skipped].map(|status| status as u32);
    assert_eq!(numbers, [0, 1, 2]);
    assert!(page().contains("0 read, 1 empty: it has no rows, 2 skipped"));
}

#[test]
fn a_chunk_is_checksummed_as_the_page_says() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let bytes = fs::read(named(&place.store(), "catalog/1")).unwrap();
    let directory = parse_header(&bytes, MAGIC).unwrap();
    let header = directory.header;
    let segment = fs::read(named(&place.store(), "segment/1-0000.arrow")).unwrap();
    let dates: &[i32] = table(&bytes, &directory, Table::Dates).unwrap();
    let tables = fs::read(named(&place.store(), "catalog/1-0000")).unwrap();
    let of_source = parse_header(&tables, SOURCE_MAGIC).unwrap();
    // Each section has one piece, and each piece one part.
    let parts: &[PartRecord] = table(&tables, &of_source, Table::Parts).unwrap();
    let sections: Vec<BatchRecord> = parts.iter().map(|part| part.values).collect();
    let columns: &[SegmentColumnRecord] = table(&tables, &of_source, Table::SegmentColumns).unwrap();
    let chunk_file = fs::read(named(&place.store(), "segment/1.chunks")).unwrap();
    let records = chunk_file[size_of::<ChunkFileHeader>()..].chunks_exact(size_of::<ChunkRecord>());
    let chunks: Vec<ChunkRecord> = records.map(bytemuck::pod_read_unaligned).collect();
    let mut bodies = Vec::new();
    for (section, date) in sections.iter().zip(dates) {
        assert_eq!(section.body_offset % ALIGNMENT, 0);
        let mut at = section.body_offset as usize;
        for ((column, chunk), number) in
            columns.iter().zip(&chunks[section.chunk_start as usize..]).zip(section.chunk_start..)
        {
            // By hand, from the page: the layout, the identity, the seed.
            let values_len = match Stored::from_number(column.stored).unwrap() {
                Stored::Bits => section.row_count.div_ceil(8),
                Stored::Bytes1 => section.row_count,
                Stored::Bytes2 => section.row_count * 2,
                Stored::Bytes4 | Stored::Codes => section.row_count * 4,
                Stored::Bytes8 => section.row_count * 8,
                Stored::Bytes16 => section.row_count * 16,
            };
            let validity_len = if chunk.null_count == 0 { 0 } else { section.row_count.div_ceil(8) };
            let len = (validity_len.next_multiple_of(64) + values_len.next_multiple_of(64)) as usize;
            assert_eq!(chunk.byte_len, len as u64);
            let mut identity = Vec::new();
            identity.extend(header.store_id);
            identity.extend(header.commit.to_le_bytes());
            identity.extend(0u32.to_le_bytes());
            identity.extend(date.to_le_bytes());
            identity.extend(section.row_count.to_le_bytes());
            identity.extend(column.column.to_le_bytes());
            identity.extend(chunk.null_count.to_le_bytes());
            identity.extend(u32::from(column.stored).to_le_bytes());
            identity.extend(number.to_le_bytes());
            let sum = twox_hash::XxHash3_64::oneshot_with_seed(checksum(&identity), &segment[at..at + len]);
            assert_eq!(sum, chunk.checksum, "column {} of {date}", column.column);
            at += len;
        }
        assert_eq!(at as u64, section.body_offset + section.body_len);
        bodies.push(section.body_offset as usize..at);
    }

    // The frame is what is left.
    bodies.sort_by_key(|body| body.start);
    let mut frame = Vec::new();
    let mut at = 0;
    for body in bodies {
        frame.extend_from_slice(&segment[at..body.start]);
        at = body.end;
    }
    frame.extend_from_slice(&segment[at..]);
    let segments: &[SegmentRecord] = table(&tables, &of_source, Table::Segments).unwrap();
    assert_eq!(segments[0].frame_checksum, checksum(&frame));
    assert_eq!(segments[0].chunk_checksum, checksum(&chunk_file[size_of::<ChunkFileHeader>()..]));
}

#[test]
fn a_segment_says_of_itself_what_the_page_says() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let segment = fs::File::open(named(&place.store(), "segment/1-0000.arrow")).unwrap();
    let segment = FileReader::try_new(segment, None).unwrap();
    let about: serde_json::Value = serde_json::from_str(&segment.custom_metadata()["transect"]).unwrap();
    let dates = Store::open(place.store()).unwrap().dates().unwrap().to_vec();
    let batches = dates.iter().map(|date| json!([date.to_string(), 0])).collect::<Vec<_>>();
    let columns = (0..segment.schema().fields().len()).collect::<Vec<_>>();
    let expected = json!({"holds": "values", "source": 0, "keys": "here", "columns": columns, "batches": batches});
    assert_eq!(about, expected);
    assert_eq!(segment.num_batches(), dates.len());
    let page = page();
    let (_, rows) = &tables(&page, &["in transect", "type", "meaning"])[0];
    let described: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(described, expected.as_object().unwrap().keys().collect::<Vec<_>>());
}

#[test]
fn the_page_shows_the_golden_store_as_it_is() {
    let page = page();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1/panel.store");
    let bytes = fs::read(named(&golden, "catalog/1")).unwrap();
    let dump = page.split("## An annotated header").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut shown = 0;
    for line in dump.lines().filter_map(|line| line.strip_prefix("    ")) {
        let (at, rest) = line.trim_start().split_once("  ").unwrap();
        let at: usize = at.parse().unwrap();
        let hex = rest.split("  ").next().unwrap();
        let found: Vec<u8> = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(found, bytes[at..at + found.len()], "{line}");
        shown += found.len();
    }
    assert_eq!(shown, 128 + 32);
    let current = fs::read_to_string(golden.join("CURRENT")).unwrap();
    let indented: String = current.lines().map(|line| format!("    {line}\n")).collect();
    assert!(page.contains(&indented), "CURRENT is shown as\n{indented}");
    assert_eq!(Store::open(&golden).unwrap().id().to_le_bytes(), bytes[48..64]);
}

#[test]
fn the_page_is_about_the_format_version_that_is_written() {
    let page = page();
    assert!(page.starts_with(&format!("# The store's format, version {FORMAT_VERSION}\n")));
    let (_, rows) = &tables(&page, &["format version", "written from", "change"])[0];
    assert_eq!(rows.last().unwrap()[0], FORMAT_VERSION.to_string());
}

#[test]
fn the_ledger_has_the_keys_of_the_page() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    transect::Transpose::new(&store, place.path("out")).workers(1).run().unwrap();
    let ledger: serde_json::Value =
        serde_json::from_slice(&fs::read(bare_ledger(&place.path("out"))).unwrap()).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let file = ledger["files"].as_object().unwrap().values().next().unwrap();
    let page = page();
    let described: Vec<Vec<String>> = tables(&page, &["key", "type", "meaning"])
        .iter()
        .map(|(_, rows)| {
            let mut keys: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
            keys.sort_unstable();
            keys
        })
        .collect();
    let sorted = |mut keys: Vec<String>| {
        keys.sort_unstable();
        keys
    };
    assert_eq!(described, [keys(&ledger), keys(&ledger["shape"]), keys(file)].map(sorted));
    assert_eq!(ledger["store"], format!("{:032x}", store.id()));
}
