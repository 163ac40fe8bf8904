//! Nothing in a bad file may panic, abort or hang the run: it is skipped by name and with a reason of its own.

use std::os::unix::fs::{FileExt, PermissionsExt};

use arrow_array::StructArray;
use arrow_schema::Field;
use parquet::file::metadata::ParquetMetaDataReader;

use super::*;
use crate::source::content::{Content, WHOLE};
use crate::source::parquet::pages::{PageKind, page_header};

fn good() -> Vec<(&'static str, ArrayRef)> {
    let dates: Vec<String> = (0..60).map(|n| format!("2024{:02}{:02}", 1 + n / 28, 1 + n % 28)).collect();
    let dates: Vec<&str> = dates.iter().map(String::as_str).collect();
    let numbers: Vec<i64> = (0..60).collect();
    let names: Vec<&str> = numbers.iter().map(|n| if n % 3 == 0 { "bank" } else { "steel" }).collect();
    let values: Vec<f64> = numbers.iter().map(|n| *n as f64 / 7.0).collect();
    vec![("trade_date", texts(&dates)), ("x", ints(&numbers)), ("y", floats(&values)), ("industry", texts(&names))]
}

/// The reason for one bad file among good ones, which must go on.
fn reason_among_good(make: impl FnOnce(&Source)) -> String {
    let source = Source::new();
    source.add("good", &good());
    make(&source);
    let survey = source.survey();
    assert_eq!(survey.inputs.len(), 1);
    assert!(read_all(&survey, 0).is_ok());
    assert_eq!(survey.skipped.len(), 1);
    assert_eq!(survey.skipped[0].path, "bad.parquet");
    survey.skipped[0].reason.to_string()
}

#[test]
fn each_kind_of_bad_file_has_its_reason() {
    let bad = |bytes: Vec<u8>| reason_among_good(move |source| _ = source.write("bad.parquet", &bytes));
    let whole = encoded(&good());
    assert_eq!(bad(Vec::new()), "has zero bytes");
    assert_eq!(bad(b"trade_date,x\n20240102,1\n".to_vec()), "is not a Parquet file");
    assert_eq!(bad(b"P".to_vec()), "is not a Parquet file");
    assert_mentions(&bad(whole[..whole.len() / 2].to_vec()), &["is truncated"]);
    assert_mentions(&bad(b"PAR1PAR1".to_vec()), &["is truncated"]);
    let mut lying = whole.clone();
    let at = lying.len() - 8;
    lying[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_mentions(&bad(lying), &["is truncated or damaged", "4294967295"]);
    let mut encrypted = whole.clone();
    let at = encrypted.len() - 4;
    encrypted[at..].copy_from_slice(b"PARE");
    assert_eq!(bad(encrypted), "is encrypted");
}

/// Whoever reads all of such a file is busy for hours, and it takes no room on a disk.
#[test]
fn a_hole_of_a_terabyte_before_the_footer_is_refused_and_gaps_that_writers_leave_are_not() {
    let whole = encoded(&good());
    let footer_len = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let (data, footer) = whole.split_at(whole.len() - footer_len - 8);
    let write = |source: &Source, name: &str, hole: u64| {
        let file = fs::File::create(source.path().join(name)).unwrap();
        file.write_all_at(data, 0).unwrap();
        file.write_all_at(footer, data.len() as u64 + hole).unwrap();
    };
    assert_eq!(
        reason_among_good(|source| write(source, "bad.parquet", 1 << 40)),
        "is damaged: its footer accounts for 1 MiB of its 1024 GiB; write the file anew"
    );
    let source = Source::new();
    write(&source, "good.parquet", 100 << 20);
    assert!(read_all(&source.survey(), 0).is_ok());
}

#[test]
fn types_that_are_nested_too_deeply_are_no_damage() {
    let write = |depth: usize| {
        let mut column = ints(&[1]);
        for _ in 0..depth {
            let field = Arc::new(Field::new("f", column.data_type().clone(), true));
            column = Arc::new(StructArray::new(vec![field].into(), vec![column], None));
        }
        encoded(&[("trade_date", texts(&["20240102"])), ("x", column)])
    };
    let nested = |depth: usize| {
        // The crate's writer takes much of the stack for each type.
        let writer = std::thread::Builder::new().stack_size(64 << 20).spawn(move || write(depth));
        let bytes = writer.unwrap().join().unwrap();
        reason_among_good(move |source| _ = source.write("bad.parquet", &bytes))
    };
    assert_mentions(&nested(20), &["its column \"x\" is a struct"]);
    assert_eq!(nested(70), "has a column of types nested too deeply to be read; write the file without it");
}

#[test]
fn directories_and_fifos_with_a_files_name_are_skipped_at_once() {
    let directory = reason_among_good(|source| fs::create_dir(source.path().join("bad.parquet")).unwrap());
    assert_eq!(directory, "is a directory, not a file");
    let fifo = reason_among_good(|source| {
        let path = source.path().join("bad.parquet");
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    });
    assert_eq!(fifo, "is a pipe, a socket or a device, not a file");
    let socket = reason_among_good(|source| {
        drop(std::os::unix::net::UnixListener::bind(source.path().join("bad.parquet")).unwrap());
    });
    assert_eq!(socket, "is a pipe, a socket or a device, not a file");
    let nowhere = reason_among_good(|source| {
        std::os::unix::fs::symlink("nowhere", source.path().join("bad.parquet")).unwrap();
    });
    assert_mentions(&nowhere, &["cannot be opened"]);
}

#[test]
fn unreadable_files_are_skipped() {
    let source = Source::new();
    source.add("bad", &good());
    let path = source.path().join("bad.parquet");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert_mentions(&source.reason(), &["cannot be opened", "denied"]);
}

#[test]
fn a_file_that_changes_after_the_survey_is_refused() {
    let source = Source::new();
    source.add("a", &good());
    let survey = source.survey();
    fs::OpenOptions::new().append(true).open(source.path().join("a.parquet")).unwrap().set_len(10_000).unwrap();
    assert_mentions(&survey.open(&survey.inputs[0]).err().unwrap(), &["changed since it was surveyed"]);
}

/// A file that is not held in memory is read twice, for its dates and for its columns.
#[test]
fn a_file_on_disk_that_changes_while_it_is_read_is_refused() {
    let source = Source::new();
    source.add("a", &good());
    let mut survey = source.survey();
    survey.whole_file_limit(0);
    let reader = survey.open(&survey.inputs[0]).unwrap();
    reader.read(0..1).unwrap();
    let bytes = fs::read(source.path().join("a.parquet")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    source.write("a.parquet", &bytes);
    assert_mentions(&reader.read(0..1).err().unwrap(), &["changed since it was surveyed"]);
}

#[test]
fn truncated_files_never_panic() {
    let whole = encoded(&good());
    for len in 0..whole.len() {
        let source = Source::new();
        source.write("a.parquet", &whole[..len]);
        let survey = source.survey();
        assert!(survey.inputs.is_empty(), "{len} of {} bytes", whole.len());
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let whole = encoded(&good());
    let source = Source::new();
    let (mut wrong, mut right) = (0, 0);
    for at in 0..whole.len() {
        // Each place is flipped in one way of three, and the end of the file, which leads to all else, in every way.
        let ways = [0x01, 0x80, 0xff];
        let end = whole.len() - 64;
        for &flip in if at < end { &ways[at % 3..at % 3 + 1] } else { &ways[..] } {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            source.write("a.parquet", &bytes);
            let survey = source.survey();
            match survey.inputs.first() {
                Some(_) if read_all(&survey, 0).is_ok() => right += 1,
                _ => wrong += 1,
            }
        }
    }
    // Some bytes are padding, names or values, which carry no checksum; most are structure.
    assert!(wrong > 0 && right > 0, "{wrong} refused, {right} read");
}

#[test]
fn a_file_on_disk_reads_as_one_in_memory() {
    let source = Source::new();
    source.add("a", &good());
    let mut survey = source.survey();
    assert_eq!(survey.whole_len, WHOLE);
    let whole = source.survey();
    let (in_memory, expected) = read_all(&whole, 0).unwrap();
    survey.whole_file_limit(0);
    let (on_disk, columns) = read_all(&survey, 0).unwrap();
    assert_eq!((on_disk.dates(), &columns), (in_memory.dates(), &expected));
    assert_eq!(on_disk.files()[0].content_hash, in_memory.files()[0].content_hash);
    for n in 0..survey.columns.len() {
        assert_eq!(arrays(&on_disk, on_disk.read(n..n + 1).unwrap()), expected[n..n + 1]);
    }
    let bytes = fs::read(source.path().join("a.parquet")).unwrap();
    assert_eq!(on_disk.files()[0].content_hash, twox_hash::XxHash3_128::oneshot(&bytes));
}

#[test]
fn files_of_several_row_groups_and_many_batches_are_whole() {
    let days = 100_000;
    let dates: ArrayRef = Arc::new(arrow_array::Date32Array::from_iter_values(-50_000..days - 50_000));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::from(days)));
    let source = Source::new();
    source.add("a", &[("date", dates), ("x", numbers.clone())]);
    assert_eq!(&column(&source.survey(), 0, "x"), &numbers);
}

#[test]
fn decoded_len_is_no_less_than_the_decoded_columns() {
    let source = Source::new();
    source.add("a", &good());
    let survey = source.survey();
    let (_, columns) = read_all(&survey, 0).unwrap();
    let taken: usize = columns.iter().flatten().map(|array| array.to_data().get_slice_memory_size().unwrap()).sum();
    let estimate = survey.inputs[0].decoded_len;
    assert!(estimate as usize >= taken && estimate < 4 * taken as u64, "{estimate} for {taken}");
}

#[test]
fn a_page_that_claims_more_than_its_bytes_can_hold_is_refused_before_it_is_decoded() {
    let dates: ArrayRef = Arc::new(arrow_array::Date32Array::from_iter_values(0..20_000));
    let values: Vec<f64> = (0..20_000).map(|n| f64::from(n) / 7.0).collect();
    let mut whole = encoded(&[("date", dates), ("x", floats(&values))]);
    // A header begins with the kind of page, then the unpacked size as a zigzag varint: 160,000 for the dictionary.
    let header = [0x15, 0x04, 0x15, 0x80, 0xc4, 0x13, 0x15];
    let at = whole.windows(header.len()).position(|window| window == header).unwrap();
    whole[at + 3..at + 6].copy_from_slice(&[0xfe, 0xff, 0x7f]);
    let source = Source::new();
    source.write("a.parquet", &whole);
    assert_mentions(&source.reason(), &["its column \"x\" has a page that claims a size that it cannot have"]);
}

#[test]
fn lists_within_lists_without_end_are_no_page_header() {
    // Each byte is a list of one list, the first one a field that no page header has.
    let content = Content::Memory(vec![0x19; 16 << 20].into());
    assert!(page_header(&content, 0, 16 << 20).is_none());
}

/// A file without rows whose column `a` is nested this deep; the innermost group claims `children`.
fn nested(depth: usize, children: &[u8]) -> Vec<u8> {
    let mut footer = vec![0x15, 0x02, 0x19, 0xfc];
    let mut count = depth + 2;
    while count > 0x7f {
        footer.push(count as u8 | 0x80);
        count >>= 7;
    }
    footer.push(count as u8);
    footer.extend(b"\x48\x01s\x15\x02\x00");
    for _ in 1..depth {
        footer.extend(b"\x35\x02\x18\x01a\x15\x02\x00");
    }
    footer.extend(b"\x35\x02\x18\x01a\x15");
    footer.extend(children);
    footer.extend(b"\x00\x15\x02\x25\x02\x18\x01x\x00\x16\x00\x19\x0c\x00");
    let mut bytes = b"PAR1".to_vec();
    bytes.extend(&footer);
    bytes.extend((footer.len() as u32).to_le_bytes());
    bytes.extend(b"PAR1");
    bytes
}

#[test]
fn a_column_that_nests_however_deep_is_named() {
    let bad = |bytes: Vec<u8>| reason_among_good(move |source| _ = source.write("bad.parquet", &bytes));
    for depth in [62, 64, 5_000, 200_000] {
        assert_eq!(
            bad(nested(depth, &[2])),
            "its column \"a\" is a struct, which a panel cannot hold; exclude a leaves it out"
        );
    }
    // As many children as an integer of 32 bits can count.
    assert_eq!(bad(nested(2, &[0xfe, 0xff, 0xff, 0xff, 0x0f])), "is damaged: its schema cannot be read");
}

#[test]
fn page_headers_lead_from_the_first_page_of_a_column_to_its_end() {
    let check = |bytes: Vec<u8>| {
        let content = Content::Memory(bytes.into());
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&content).unwrap();
        for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
            let (mut at, len) = chunk.byte_range();
            let (end, mut values) = (at + len, 0);
            while at < end {
                let page = page_header(&content, at, end).unwrap();
                at += page.header_len + u64::from(page.compressed);
                values += match page.kind {
                    PageKind::Data { values, .. } | PageKind::DataV2 { values, .. } => i64::from(values),
                    PageKind::Dictionary { .. } | PageKind::Other => 0,
                };
            }
            assert_eq!((at, values), (end, chunk.num_values()));
        }
    };
    check(encoded(&good()));
    for set in ["cn_tushare", "us_sp500_5y", "cn_mixed_headers", "cn_csi800", "cn_decimal_mit"] {
        let Some(path) = super::real::data(set) else { continue };
        let names = crate::storage::list(&path).unwrap();
        names.for_each(|name| check(fs::read(path.join(name.unwrap())).unwrap()));
    }
}
