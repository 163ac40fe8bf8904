//! The records of a csv file, one at a time and never more of it in memory: each with as many fields as the first has,
//! and all of them text.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use parquet::file::reader::{ChunkReader, Length};

use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::allowance::{Allowance, QUARTER, whole};
use crate::source::content::{Content, unreadable};
use crate::source::path::naming::is_date;

/// What is read after the last byte of a file: a record of its own, unless a quote was left open.
const END: &[u8] = b"\n\x03end of file\x03\n";
/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;
/// Of what may be held of one file, the part that one record may take.
const RECORD: u64 = 16;
/// Bytes of a file that may be one record: none of more is a text that a store holds.
const LONGEST: u64 = 2 << 30;

/// The mark that UTF-8 may begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";
const NAMELESS: &str = "has no line with the names of its columns";

/// First bytes of files that are no text, and what those are.
const OTHERS: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "is packed by gzip"),
    (b"PK\x03\x04", "is a zip archive, or a workbook"),
    (b"\x28\xb5\x2f\xfd", "is packed by zstd"),
    (b"\xfd7zXZ", "is packed by xz"),
    (b"\xff\xfe", "is in UTF-16"),
    (b"\xfe\xff", "is in UTF-16"),
];

/// The records of one file after the one of its names.
pub(super) struct Records<R> {
    reader: Reader<Limited<io::Chain<R, &'static [u8]>>>,
    limit: Rc<Limit>,
    most: u64,
    byte_len: u64,
    record: ByteRecord,
    /// Which row the record is, from 1 on; 0 is that of the names.
    pub(super) row: u64,
    /// The names of the columns.
    pub(super) names: Vec<String>,
}

/// Begins to read `content`.
///
/// # Errors
/// The reason to skip the file.
pub(super) fn records(content: &Content, allowance: &Allowance) -> Result<Records<impl Read>, Reason> {
    let head = content.range(0, content.len().min(8) as usize).map_err(unreadable)?;
    if let Some((_, what)) = OTHERS.iter().find(|(begins, _)| head.starts_with(begins)) {
        return Err(Reason::new(Kind::Other, *what).or(Remedy::Do("write it as plain text in UTF-8".to_owned())));
    }
    // The reader would take the end for a part of the mark.
    if *head == *MARK {
        return Err(Reason::new(Kind::Other, NAMELESS));
    }
    if head.contains(&0) {
        return Err(Reason::damaged("its first line has bytes of zero"));
    }
    if head.starts_with(b"PAR1") || head.starts_with(b"ARROW1") {
        return Err(Reason::new(Kind::OtherFormat, "is not a csv file"));
    }
    let bytes = content.get_read(0).map_err(|error| unreadable(io::Error::other(error)))?;
    let most = (allowance.most() / RECORD).max(4 * BUFFER as u64);
    let limit = Rc::new(Limit { left: Cell::new(most), has_zeros: Cell::new(false) });
    let limited = Limited { inner: bytes.chain(END), limit: Rc::clone(&limit) };
    let mut builder = ReaderBuilder::new();
    let reader = builder.has_headers(false).flexible(true).buffer_capacity(BUFFER).from_reader(limited);
    let mut records =
        Records { reader, limit, most, byte_len: content.len(), record: ByteRecord::new(), row: 0, names: Vec::new() };
    records.read_names()?;
    Ok(records)
}

impl<R: Read> Records<R> {
    fn read_names(&mut self) -> Result<(), Reason> {
        if !self.advance()? {
            return Err(Reason::new(Kind::Other, NAMELESS));
        }
        let names: Vec<&str> = self.texts().collect::<Result<_, _>>()?;
        if let [only] = names[..]
            && let Some(other) = [';', '\t', '|'].into_iter().find(|other| only.contains(*other))
        {
            let what = format!("has its fields apart by {other:?}, and not by commas");
            return Err(Reason::new(Kind::Other, what).or(Remedy::Do("write it with commas".to_owned())));
        }
        // Taken for names, the first row would be lost.
        if let Some(date) = names.iter().find(|name| is_date(name)) {
            let what = format!("{NAMELESS}: its first line has {date:?}");
            let way_out = "write the names into its first line".to_owned();
            return Err(Reason::new(Kind::Other, what).or(Remedy::Do(way_out)));
        }
        self.names = names.into_iter().map(str::to_owned).collect();
        Ok(())
    }

    /// Goes on to the next row; `false` after the last.
    ///
    /// # Errors
    /// The reason to skip the file.
    pub(super) fn next(&mut self) -> Result<bool, Reason> {
        if !self.advance()? {
            return Ok(false);
        }
        self.row += 1;
        let (fields, names) = (self.record.len(), self.names.len());
        if fields != names {
            let what = format!("is damaged: row {} has {fields} fields, and the line of names has {names}", self.row);
            let way_out = "write it anew, with quotes around a field that has a comma in it".to_owned();
            return Err(Reason::new(Kind::Damaged, what).or(Remedy::Do(way_out)));
        }
        Ok(true)
    }

    /// The fields of this record.
    ///
    /// # Errors
    /// Where one is no text.
    pub(super) fn texts(&self) -> impl Iterator<Item = Result<&str, Reason>> {
        self.record.iter().map(|field| self.checked(field))
    }

    fn checked<'f>(&self, field: &'f [u8]) -> Result<&'f str, Reason> {
        match std::str::from_utf8(field) {
            Ok(text) if !text.contains('\0') => Ok(text),
            Ok(_) => Err(self.has_zeros(self.row)),
            Err(_) => {
                let what = match self.row {
                    0 => "has a name that is not UTF-8".to_owned(),
                    row => format!("has a text in row {row} that is not UTF-8"),
                };
                let way_out = "write it in UTF-8, if it is in GBK or another encoding".to_owned();
                Err(Reason::new(Kind::Other, what).or(Remedy::Do(way_out)))
            }
        }
    }

    /// Why a row is refused that is as long as no row may be.
    fn too_long(&self) -> Reason {
        let row = if self.names.is_empty() { 0 } else { self.row + 1 };
        // What was never written, or is no text.
        if self.limit.has_zeros.get() {
            return self.has_zeros(row);
        }
        let place = if row == 0 { "its first line".to_owned() } else { format!("row {row}") };
        let what = format!("has more than {} KiB in {place}, or a quote that is left open", self.most >> 10);
        let reason = Reason::new(Kind::TooLarge, what);
        if self.byte_len > LONGEST {
            return reason.or(Remedy::Do("look for a quote that none ends".to_owned()));
        }
        let memory = Setting::Memory(whole(self.byte_len.saturating_mul(QUARTER * RECORD)));
        reason.or(Remedy::set(memory, "allows it"))
    }

    fn has_zeros(&self, row: u64) -> Reason {
        match row {
            0 => Reason::damaged("its first line has bytes of zero"),
            row => Reason::damaged(format_args!("row {row} has bytes of zero")),
        }
    }

    /// The field of this record at this place.
    pub(super) fn text(&self, place: usize) -> Result<&str, Reason> {
        self.record.get(place).map_or(Ok(""), |field| self.checked(field))
    }

    /// Reads the next record, if it is not what stands behind the last.
    fn advance(&mut self) -> Result<bool, Reason> {
        self.limit.left.set(self.most);
        self.limit.has_zeros.set(false);
        match self.reader.read_byte_record(&mut self.record) {
            // A row of the file may say the same.
            Ok(true) if self.reader.position().byte() <= self.byte_len + 1 => Ok(true),
            Ok(true) => Ok(self.record.len() != 1 || self.record[0] != END[1..END.len() - 1]),
            Ok(false) => {
                let what = "is truncated or damaged: it ends within a field that a quote begins";
                Err(Reason::new(Kind::Truncated, what))
            }
            Err(error) => Err(match error.into_kind() {
                ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => self.too_long(),
                ErrorKind::Io(error) => unreadable(error),
                other => Reason::damaged(format_args!("{other:?}")),
            }),
        }
    }
}

/// A reader that stops amid a record that is too long.
struct Limited<R> {
    inner: R,
    limit: Rc<Limit>,
}

/// What the record at hand is told by.
struct Limit {
    /// Bytes that may still come before it has to end.
    left: Cell<u64>,
    /// Whether bytes of zero came since it began.
    has_zeros: Cell<bool>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.limit.left.get() == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.inner.read(buffer)?;
        self.limit.left.set(self.limit.left.get().saturating_sub(count as u64));
        if buffer[..count].contains(&0) {
            self.limit.has_zeros.set(true);
        }
        Ok(count)
    }
}
