//! Two ways lead to the same rows: ours through the catalog, everyone else's through the IPC footer of a segment. If
//! they disagreed, what people see in their own tools would not be what transect reports. And both are worth it only
//! while nothing is copied: a decoder that meets a buffer it finds misaligned copies it in silence.

use std::fs::{self, File};
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef};
use arrow_ipc::reader::FileReader;
use transect::storage::Access;
use transect::{Date, Store};

use super::panels::{cell, named, segment_path, small_store};

#[test]
fn the_footer_and_the_catalog_lead_to_the_same_rows() {
    let (place, store) = small_store();
    let reader = FileReader::try_new(File::open(segment_path(&place.store())).unwrap(), None).unwrap();
    let panel = store.schema().unwrap();
    let mut names = vec![panel.code.name.clone(), panel.date_name.clone()];
    names.extend(panel.columns.iter().map(|column| column.name.clone()));
    let fields: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(fields, names);
    assert!(reader.schema().fields().iter().all(|field| field.is_nullable()));

    let mut dates = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let days = batch.column(1).as_primitive::<Date32Type>();
        let date = Date::from_days(days.value(0)).unwrap();
        assert!(days.values().iter().all(|&day| day == date.days()));
        dates.push(date);

        let section = store.section(date).unwrap();
        assert_eq!(batch.num_rows(), section.row_count());
        let codes: Vec<_> = (0..batch.num_rows()).map(|row| cell(batch.column(0), row)).collect();
        let expected = section.codes().unwrap().into_iter().map(|code| super::panels::Cell::Text(code.to_owned()));
        assert_eq!(codes, expected.collect::<Vec<_>>());
        for (index, column) in panel.columns.iter().enumerate() {
            let (theirs, ours) = (batch.column(index + 2), section.column_at(index).unwrap());
            assert_eq!(theirs.data_type(), ours.stored().data_type(), "{}", column.name);
            assert_eq!(theirs, ours.stored(), "{} on {date}", column.name);
            // Equality of floats is not equality of bits.
            for row in 0..batch.num_rows() {
                assert_eq!(cell(theirs, row), cell(ours.stored(), row), "{} on {date}, row {row}", column.name);
            }
        }
    }
    assert_eq!(dates, store.dates().unwrap());
}

/// Where each buffer of `array`'s rows lies. A dictionary's values belong to the catalog.
fn buffers(array: &ArrayRef) -> Vec<Range<usize>> {
    let data = array.to_data();
    let nulls = data.nulls().map(|nulls| nulls.buffer().clone());
    data.buffers()
        .iter()
        .cloned()
        .chain(nulls)
        .map(|buffer| buffer.as_ptr() as usize..buffer.as_ptr() as usize + buffer.len())
        .collect()
}

#[test]
fn buffers_of_a_section_are_aligned_and_each_read_gives_the_same_ones() {
    for access in [Access::Map, Access::Read] {
        let (place, _) = small_store();
        let store = Store::open_with(place.store(), access).unwrap();
        let columns = store.schema().unwrap().columns.clone();
        for &date in store.dates().unwrap() {
            for column in &columns {
                let read = || buffers(store.section(date).unwrap().column(&column.name).unwrap().stored());
                let first = read();
                assert!(!first.is_empty());
                assert!(first.iter().all(|buffer| buffer.start % 64 == 0), "{} on {date}: {first:x?}", column.name);
                assert_eq!(first, read(), "{} on {date} was copied", column.name);
            }
        }
    }
}

#[test]
fn columns_that_are_stored_in_their_logical_type_are_not_copied_into_a_batch() {
    let (_place, store) = small_store();
    for &date in store.dates().unwrap() {
        let section = store.section(date).unwrap();
        let batch = section.batch().unwrap();
        for name in ["size", "price", "halted"] {
            let stored = section.column(name).unwrap();
            assert_eq!(buffers(batch.column_by_name(name).unwrap()), buffers(stored.stored()), "{name}");
        }
    }
}

/// The ranges of this process's memory in which the kernel shows the file.
#[cfg(target_os = "linux")]
fn mapped_ranges(path: &std::path::Path) -> Vec<Range<usize>> {
    let path = fs::canonicalize(path).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let range = |line: &str| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        usize::from_str_radix(start, 16).unwrap()..usize::from_str_radix(end, 16).unwrap()
    };
    maps.lines().filter(|line| line.ends_with(path.to_str().unwrap())).map(range).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn sections_and_dictionaries_lie_in_the_mapped_files() {
    let (place, store) = small_store();
    let inside = |ranges: &[Range<usize>], buffer: &Range<usize>| {
        ranges.iter().any(|range| range.start <= buffer.start && buffer.end <= range.end)
    };
    for &date in store.dates().unwrap() {
        let section = store.section(date).unwrap();
        for column in &store.schema().unwrap().columns {
            let stored = section.column(&column.name).unwrap();
            let segment = mapped_ranges(&segment_path(&place.store()));
            assert!(!segment.is_empty(), "the segment is not mapped");
            for buffer in buffers(stored.stored()) {
                assert!(inside(&segment, &buffer), "{} on {date}: {buffer:x?} not in {segment:x?}", column.name);
            }
            if let Some(coded) = stored.stored().as_any_dictionary_opt() {
                let catalog = mapped_ranges(&named(&place.store(), "catalog/1"));
                for buffer in buffers(coded.values()).iter().filter(|buffer| !buffer.is_empty()) {
                    assert!(inside(&catalog, buffer), "dictionary of {}: {buffer:x?} not in {catalog:x?}", column.name);
                }
            }
        }
    }
}

#[test]
fn a_segment_carries_each_dictionary_once() {
    let (place, store) = small_store();
    let bytes = fs::read(segment_path(&place.store())).unwrap();
    let trailer: [u8; 10] = bytes[bytes.len() - 10..].try_into().unwrap();
    let footer_len = arrow_ipc::reader::read_footer_length(trailer).unwrap();
    let footer = arrow_ipc::root_as_footer(&bytes[bytes.len() - 10 - footer_len..bytes.len() - 10]).unwrap();
    assert_eq!(footer.version(), arrow_ipc::MetadataVersion::V5);
    // The code, `name` and `raw`.
    assert_eq!(footer.dictionaries().unwrap().len(), 3);
    assert_eq!(footer.recordBatches().unwrap().len(), store.dates().unwrap().len());
}
