//! The catalog, and beside it a file for each source and one of what the version changed: a header, a directory of tables,
//! and the tables. Assembled here, and taken apart again.

use bytemuck::{Pod, Zeroable};

use super::{ALIGNMENT, FORMAT_VERSION, checksum};
use crate::error::Damage;

/// The kinds of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Table {
    /// UTF-8 text that records refer to.
    Strings = 0,
    /// What is remembered of the store, or of how a source is read: JSON.
    Settings = 1,
    /// [`ColumnRecord`](super::ColumnRecord)s.
    Columns = 2,
    /// [`DictionaryRecord`](super::DictionaryRecord)s.
    Dictionaries = 3,
    /// `i32` offsets into a dictionary's bytes.
    DictionaryOffsets = 4,
    /// Bytes of the dictionaries' values.
    DictionaryBytes = 5,
    /// `u32` stock numbers by ascending code.
    StockOrder = 6,
    /// `u32` place of each stock in that order, by stock number.
    StockRanks = 7,
    /// [`SegmentRecord`](super::SegmentRecord)s.
    Segments = 8,
    /// [`SegmentColumnRecord`](super::SegmentColumnRecord)s.
    SegmentColumns = 9,
    /// `i32` days since 1970-01-01, ascending.
    Dates = 10,
    /// [`SectionRecord`](super::SectionRecord)s, one for each date.
    Sections = 11,
    /// [`SourceRecord`](super::SourceRecord)s.
    Sources = 12,
    /// [`HistoryRecord`](super::HistoryRecord)s.
    History = 13,
    /// [`PieceRecord`](super::PieceRecord)s, those of each section in the order of their rows.
    Pieces = 14,
    /// [`FileRecord`](super::FileRecord)s of a source.
    Files = 15,
    /// [`PartRecord`](super::PartRecord)s of a source, by date and piece.
    Parts = 16,
    /// `u64` versions by stock number: the one in which rows of the stock last changed, the panel's or the source's.
    StockChanges = 17,
    /// [`ChangedDateRecord`](super::ChangedDateRecord)s of a change file, by date.
    ChangedDates = 18,
    /// [`ChangedStocksRecord`](super::ChangedStocksRecord)s, by stock number.
    ChangedStocks = 19,
    /// [`ChangedColumnRecord`](super::ChangedColumnRecord)s.
    ChangedColumns = 20,
}

impl Table {
    /// All of them, by number.
    pub const ALL: [Table; TABLE_COUNT] = [
        Table::Strings,
        Table::Settings,
        Table::Columns,
        Table::Dictionaries,
        Table::DictionaryOffsets,
        Table::DictionaryBytes,
        Table::StockOrder,
        Table::StockRanks,
        Table::Segments,
        Table::SegmentColumns,
        Table::Dates,
        Table::Sections,
        Table::Sources,
        Table::History,
        Table::Pieces,
        Table::Files,
        Table::Parts,
        Table::StockChanges,
        Table::ChangedDates,
        Table::ChangedStocks,
        Table::ChangedColumns,
    ];
}

/// How many kinds there are.
pub const TABLE_COUNT: usize = 21;

/// Who must know a table's kind: nobody, which passes it over.
pub const FOR_NOBODY: u32 = 0;
/// Who must know a table's kind: whoever reads the file.
pub const FOR_READERS: u32 = 1;

/// Where a table lies, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TableRef {
    /// Its kind, see [`Table`].
    pub kind: u32,
    /// Who must know the kind: [`FOR_NOBODY`], or anybody who reads the file.
    pub needed: u32,
    /// Byte offset in the file, a multiple of 64.
    pub offset: u64,
    /// Length in bytes.
    pub byte_len: u64,
    /// XXH3 of those bytes, seeded with nothing.
    pub checksum: u64,
}

/// First bytes of a catalog, of the tables of a source, or of a change file. The directory follows: [`TableRef`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`](super::MAGIC), [`SOURCE_MAGIC`](super::SOURCE_MAGIC) or [`CHANGES_MAGIC`](super::CHANGES_MAGIC).
    pub magic: [u8; 8],
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Length of this header in bytes.
    pub header_len: u32,
    /// The version that it was written for, from 1.
    pub version: u64,
    /// The commit that wrote it; in its name.
    pub commit: u64,
    /// Length of the file in bytes.
    pub file_len: u64,
    /// When it was made: nanoseconds since 1970.
    pub created_ns: i64,
    /// Random, the same in every version of one store.
    pub store_id: [u8; 16],
    /// Rows of the panel, or of the source.
    pub row_count: u64,
    /// For how many nanoseconds the store keeps a version after another has replaced it; 0 of a source.
    pub keep_ns: u64,
    /// How many versions the store keeps; 0 of a source.
    pub keep_count: u32,
    /// The id of the next new column; 0 of a source.
    pub next_column: u32,
    /// The id of the next new source; 0 of a source.
    pub next_source: u32,
    /// How many tables the directory lists.
    pub table_count: u32,
    /// Zero.
    pub reserved: [u8; 24],
    /// XXH3 of the header before this field, and of the directory.
    pub checksum: u64,
}

const HEADER_LEN: usize = size_of::<Header>();
const REF_LEN: usize = size_of::<TableRef>();
const _: () = assert!(HEADER_LEN == 128 && REF_LEN == 32);

/// The bytes of a catalog, or of the tables of a source, being assembled.
#[derive(Debug)]
pub struct CatalogBytes {
    bytes: Vec<u8>,
    header: Header,
    directory: Vec<TableRef>,
}

impl CatalogBytes {
    /// A file without tables. Magic, version, id, times, counts and ids are those of `about`; all else in it is filled in
    /// here.
    pub fn new(about: Header) -> CatalogBytes {
        let header = Header { format_version: FORMAT_VERSION, header_len: HEADER_LEN as u32, ..about };
        // Room for a directory of all tables.
        CatalogBytes { bytes: vec![0; HEADER_LEN + TABLE_COUNT * REF_LEN], header, directory: Vec::new() }
    }

    /// Appends the contents of `table`. One that stays empty is not listed.
    pub fn put<T: Pod>(&mut self, table: Table, records: &[T]) {
        self.put_all(table, &[bytemuck::cast_slice(records)]);
    }

    /// As [`put`](CatalogBytes::put), of contents that lie in several places.
    pub fn put_all(&mut self, table: Table, parts: &[&[u8]]) {
        if parts.iter().all(|part| part.is_empty()) {
            return;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
        let offset = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        let bytes = &self.bytes[offset..];
        self.directory.push(TableRef {
            kind: table as u32,
            needed: FOR_READERS,
            offset: offset as u64,
            byte_len: bytes.len() as u64,
            checksum: checksum(bytes),
        });
    }

    /// The whole file, and the checksum in its header.
    pub fn finish(mut self) -> (Vec<u8>, u64) {
        self.header.file_len = self.bytes.len() as u64;
        self.header.table_count = self.directory.len() as u32;
        let directory: &[u8] = bytemuck::cast_slice(&self.directory);
        self.header.checksum = header_checksum(&self.header, directory);
        self.bytes[..HEADER_LEN].copy_from_slice(bytemuck::bytes_of(&self.header));
        self.bytes[HEADER_LEN..HEADER_LEN + directory.len()].copy_from_slice(directory);
        (self.bytes, self.header.checksum)
    }
}

fn header_checksum(header: &Header, directory: &[u8]) -> u64 {
    let header = &bytemuck::bytes_of(header)[..HEADER_LEN - size_of::<u64>()];
    checksum(&[header, directory].concat())
}

/// Why bytes are no catalog of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotACatalog {
    /// Another format version.
    Version(u32),
    /// A table of a kind that is unknown here and that whoever reads the file must know.
    Table(u32),
    /// Damage.
    Damage(Damage),
}

/// The header of a file of tables, and where its tables lie.
#[derive(Debug, Clone)]
pub struct Directory {
    /// The header.
    pub header: Header,
    /// All tables that are listed, those of unknown kinds too.
    pub listed: Vec<TableRef>,
    /// By kind; of a table that is not listed, an empty one.
    tables: [TableRef; TABLE_COUNT],
}

impl Directory {
    /// Where `table` lies.
    pub fn place(&self, table: Table) -> TableRef {
        self.tables[table as usize]
    }

    /// Where the header and the directory end.
    pub fn end(&self) -> u64 {
        (HEADER_LEN + self.listed.len() * REF_LEN) as u64
    }
}

/// Tables that a file lists at most: bounds what is read of one before its checksum is compared.
pub const MOST_TABLES: u32 = 1024;

/// How many bytes header and directory take of a file that begins with `bytes`; of one that is too short for a header,
/// those of a header.
pub fn start_len(bytes: &[u8]) -> usize {
    let header = bytes.get(..HEADER_LEN).map(bytemuck::pod_read_unaligned::<Header>);
    HEADER_LEN + header.map_or(0, |header| header.table_count.min(MOST_TABLES) as usize * REF_LEN)
}

/// Reads and checks the header, which is to begin with `magic`, and the directory, of a whole file. The cost does not
/// depend on its size: tables are only located.
///
/// # Errors
/// When they are damaged, of another format version, or point outside the file.
pub fn parse_header(bytes: &[u8], magic: [u8; 8]) -> Result<Directory, NotACatalog> {
    parse_start(bytes, bytes.len() as u64, magic)
}

/// As [`parse_header`], of a file of `file_len` bytes of which `bytes` are the first [`start_len`] at least.
///
/// # Errors
/// As [`parse_header`].
pub fn parse_start(bytes: &[u8], file_len: u64, magic: [u8; 8]) -> Result<Directory, NotACatalog> {
    let damage = |damage| Err(NotACatalog::Damage(damage));
    let structure = |why: &str| Err(NotACatalog::Damage(Damage::Structure(why.to_owned())));
    let Some((start, rest)) = bytes.split_at_checked(HEADER_LEN) else {
        return damage(Damage::Length { expected: HEADER_LEN as u64, got: file_len });
    };
    let header: Header = bytemuck::pod_read_unaligned(start);
    if header.magic != magic {
        return structure(&format!("it does not start with {}", String::from_utf8_lossy(&magic)));
    }
    if header.format_version != FORMAT_VERSION {
        return Err(NotACatalog::Version(header.format_version));
    }
    if header.table_count > MOST_TABLES {
        return structure("it lists more tables than a file has");
    }
    let directory_len = header.table_count as usize * REF_LEN;
    let Some(directory) = rest.get(..directory_len) else {
        return damage(Damage::Length { expected: (HEADER_LEN + directory_len) as u64, got: file_len });
    };
    if header.checksum != header_checksum(&header, directory) {
        return damage(Damage::Checksum { what: "the header".to_owned() });
    }
    if header.header_len != HEADER_LEN as u32 {
        return structure("its header has another length");
    }
    if header.file_len != file_len {
        return damage(Damage::Length { expected: header.file_len, got: file_len });
    }
    let listed: Vec<TableRef> = directory.chunks_exact(REF_LEN).map(bytemuck::pod_read_unaligned).collect();
    let absent = TableRef { checksum: checksum(&[]), ..TableRef::zeroed() };
    let mut found = Directory { header, listed, tables: [absent; TABLE_COUNT] };
    for table in &found.listed {
        let end = table.offset.checked_add(table.byte_len);
        if table.offset % ALIGNMENT != 0 || end.is_none_or(|end| end > header.file_len) {
            return structure("a table lies outside the file");
        }
        match found.tables.get_mut(table.kind as usize) {
            Some(known) if *known == absent => *known = *table,
            Some(_) => return structure("it has two tables of one kind"),
            None if table.needed == FOR_NOBODY => {}
            None => return Err(NotACatalog::Table(table.kind)),
        }
    }
    Ok(found)
}

/// The records of one table of a whole file, in place.
///
/// # Errors
/// When the bytes are no whole number of records.
pub fn table<'a, T: Pod>(bytes: &'a [u8], directory: &Directory, table: Table) -> Result<&'a [T], Damage> {
    let TableRef { offset, byte_len, .. } = directory.place(table);
    let end = offset.checked_add(byte_len).filter(|&end| end <= bytes.len() as u64);
    let end = end.ok_or_else(|| Damage::Structure(format!("table {table:?} lies outside the file")))?;
    records(&bytes[offset as usize..end as usize], table)
}

/// The records that the bytes of a table are, in place.
///
/// # Errors
/// When they are no whole number of records.
pub fn records<T: Pod>(bytes: &[u8], table: Table) -> Result<&[T], Damage> {
    bytemuck::try_cast_slice(bytes)
        .map_err(|_| Damage::Structure(format!("table {table:?} is not a list of its records")))
}
