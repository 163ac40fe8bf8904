//! The fixed-size records that a catalog's tables consist of. Read in place with bytemuck, so every bit pattern is a
//! valid record and meaning is checked at use.

use bytemuck::{Pod, Zeroable};

/// In a `u32` reference: refers to nothing.
pub const NONE: u32 = u32::MAX;

/// In place of a column's id: the bits that say which rows of a piece a source has.
pub const PRESENT: u32 = u32::MAX;

/// A piece of the catalog's string table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StrRef {
    /// Byte offset into the string table.
    pub offset: u32,
    /// Length in bytes.
    pub byte_len: u32,
}

/// A logical type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TypeRecord {
    /// Which type; the numbers are listed in `formats/store.md`.
    pub kind: u8,
    /// Time unit: 0 second, 1 millisecond, 2 microsecond, 3 nanosecond; else 0.
    pub unit: u8,
    /// Decimal digits; else 0.
    pub precision: u8,
    /// Decimal digits after the point; else 0.
    pub scale: i8,
    /// For a dictionary, the kind of its keys; else 0.
    pub key_kind: u8,
    /// For a timestamp, 1 when it has a time zone; else 0.
    pub zoned: u8,
    /// For a dictionary, the kind of its values; else 0.
    pub value_kind: u8,
    /// Zero.
    pub reserved: u8,
    /// The time zone's name; else empty.
    pub zone: StrRef,
}

/// One column of the panel. Column 0 is the code, column 1 the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ColumnRecord {
    /// The column's name.
    pub name: StrRef,
    /// Its logical type.
    pub logical: TypeRecord,
    /// Index of its dictionary, or [`NONE`].
    pub dictionary: u32,
    /// Date column: 0 the type itself, 1 digits, 2 dashes, 3 slashes, 4 `spelling_format`; other columns 0.
    pub spelling: u8,
    /// Its place in the key beside date and code, from 1; 0 for columns that are no part of it.
    pub key: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// A strftime format when `spelling` is 4; else empty.
    pub spelling_format: StrRef,
    /// Its id, by which segments name it; never used for another column of the store.
    pub id: u32,
    /// The id of the source whose column it is; [`NONE`] for code, date and key columns, which are every source's.
    pub source: u32,
}

/// One append-only dictionary. Dictionary 0 holds the stocks' codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct DictionaryRecord {
    /// Index of its first offset in the offsets table; it has `count + 1` of them, the first is 0.
    pub offsets_start: u64,
    /// Where its bytes start in the bytes table.
    pub bytes_start: u64,
    /// How many bytes it has.
    pub byte_len: u64,
    /// How many values it has.
    pub count: u32,
    /// 0 UTF-8 text, 1 bytes.
    pub kind: u32,
}

/// One segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SegmentRecord {
    /// The commit that wrote it; part of its name.
    pub commit: u64,
    /// Its number within that commit; part of its name.
    pub ordinal: u32,
    /// How many columns it has.
    pub column_count: u32,
    /// Index of its first column in the segment-column table.
    pub column_start: u64,
    /// Length of the file in bytes.
    pub file_len: u64,
    /// XXH3 of the file without the bodies of its record batches.
    pub frame_checksum: u64,
    /// Index of its first chunk in the chunk file of the commit that wrote it.
    pub chunk_start: u64,
    /// How many chunks it has.
    pub chunk_count: u64,
    /// XXH3 of their records.
    pub chunk_checksum: u64,
}

/// One column of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SegmentColumnRecord {
    /// The column's id, or [`PRESENT`].
    pub column: u32,
    /// Stored type, see [`Stored`](super::Stored).
    pub stored: u8,
    /// Zero.
    pub reserved: [u8; 3],
    /// The column's logical type when the segment was written. The panel's may have become wider since.
    pub logical: TypeRecord,
}

/// One section: its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SectionRecord {
    /// Index of its first piece.
    pub piece_start: u64,
    /// The version in which its rows last changed.
    pub changed: u64,
    /// Rows of all pieces.
    pub row_count: u64,
    /// How many pieces it has, at least one.
    pub piece_count: u32,
    /// Zero.
    pub reserved: u32,
}

/// One record batch of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BatchRecord {
    /// Byte offset of the body in its segment.
    pub body_offset: u64,
    /// Length of the body in bytes.
    pub body_len: u64,
    /// Index of its first chunk among its segment's; it has one for each column of the segment.
    pub chunk_start: u64,
    /// Index of its segment in the same file's table, or [`NONE`] where there is no such batch.
    pub segment: u32,
    /// Rows.
    pub row_count: u32,
}

impl BatchRecord {
    /// No batch.
    pub const NONE: BatchRecord =
        BatchRecord { body_offset: 0, body_len: 0, chunk_start: 0, segment: NONE, row_count: 0 };
}

/// One piece of a section: neighbouring rows, and where their keys lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PieceRecord {
    /// Code, date and key columns of its rows; no batch where the first source's part has every row, and with it these
    /// columns.
    pub keys: BatchRecord,
    /// Its number, by which parts name it; no other piece of the date has it.
    pub number: u32,
    /// Rows.
    pub row_count: u32,
}

/// What one source has of one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PartRecord {
    /// Days since 1970-01-01.
    pub date: i32,
    /// The piece's number.
    pub piece: u32,
    /// The version in which it last changed.
    pub changed: u64,
    /// The source's own rows, in the order of the piece's.
    pub values: BatchRecord,
    /// One bit for each row of the piece: whether the source has it; no batch where it has all.
    pub present: BatchRecord,
}

/// One source of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SourceRecord {
    /// Its name.
    pub name: StrRef,
    /// The commit that wrote its tables; part of their file's name.
    pub commit: u64,
    /// Length of that file in bytes.
    pub file_len: u64,
    /// The checksum in that file's header.
    pub header_checksum: u64,
    /// The file's number within its commit; part of its name.
    pub ordinal: u32,
    /// The source's id; never used for another source of the store.
    pub id: u32,
}

/// First bytes of a chunk file, as long as one of the [`ChunkRecord`]s that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ChunkFileHeader {
    /// `TRANSECT`.
    pub magic: [u8; 8],
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    pub format_version: u32,
    /// Zero.
    pub reserved: u32,
    /// The commit that wrote it: its name.
    pub commit: u64,
}

/// One column of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ChunkRecord {
    /// XXH3 of the chunk's bytes, padding included, seeded with its identity.
    pub checksum: u64,
    /// Length of the chunk in bytes.
    pub byte_len: u64,
    /// Nulls among its rows.
    pub null_count: u32,
    /// Zero.
    pub reserved: u32,
}

/// One file of a source, read or skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct FileRecord {
    /// Path below the source directory.
    pub path: StrRef,
    /// Why it was skipped; else empty.
    pub reason: StrRef,
    /// Length in bytes.
    pub byte_len: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified_ns: i64,
    /// XXH3-128 of its bytes, low half first; 0 when it was skipped.
    pub content_hash: [u64; 2],
    /// Rows it contributed.
    pub row_count: u64,
    /// Rows left out because an identical or preferred row has the same key.
    pub merged_count: u64,
    /// Rows left out because their date cannot be read.
    pub dropped_count: u64,
    /// The stock, or [`NONE`].
    pub stock: u32,
    /// See [`FileStatus`].
    pub status: u32,
}

/// What one version changed against the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct HistoryRecord {
    /// The version.
    pub version: u64,
    /// The commit that wrote its catalog, whose name that is.
    pub commit: u64,
    /// When it was made: nanoseconds since 1970.
    pub created_ns: i64,
    /// The command that made it.
    pub command: StrRef,
    /// Rows of the panel.
    pub row_count: u64,
    /// Rows that the version before does not have.
    pub added_count: u64,
    /// Rows that the version before has with other values.
    pub restated_count: u64,
    /// Rows that differ from the version before only in first values.
    pub filled_count: u64,
    /// Rows that only the version before has.
    pub removed_count: u64,
    /// Dates of the panel.
    pub date_count: u32,
    /// Dates whose sections differ from the version before.
    pub dirty_count: u32,
    /// Stocks of which a row differs.
    pub stock_count: u32,
    /// Columns of which a value differs in a row that both have.
    pub column_count: u32,
    /// Length of its change file; 0 where it has none.
    pub changes_len: u64,
    /// The checksum in that file's header; 0 where it has none.
    pub changes_checksum: u64,
}

/// How many rows differ between two versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct RowCounts {
    /// Those that the older one lacks.
    pub added: u64,
    /// Those with other values.
    pub restated: u64,
    /// Those that differ only in first values.
    pub filled: u64,
    /// Those that the newer one lacks.
    pub removed: u64,
}

impl RowCounts {
    /// All four.
    pub(crate) fn all(&self) -> [u64; 4] {
        [self.added, self.restated, self.filled, self.removed]
    }

    /// Adds others.
    pub(crate) fn add(&mut self, more: &RowCounts) {
        self.added += more.added;
        self.restated += more.restated;
        self.filled += more.filled;
        self.removed += more.removed;
    }
}

/// What a version changed on one date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ChangedDateRecord {
    /// The date.
    pub date: i32,
    /// Zero.
    pub reserved: u32,
    /// Its rows; all 0 where values are gone with their column alone.
    pub rows: RowCounts,
}

/// What a version changed of neighbouring stocks that have the same counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ChangedStocksRecord {
    /// The number of the first.
    pub stock_start: u32,
    /// How many there are.
    pub stock_count: u32,
    /// The rows of each.
    pub rows: RowCounts,
}

/// What a version changed in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ChangedColumnRecord {
    /// Its name.
    pub name: StrRef,
    /// Its logical type in the version before.
    pub older: TypeRecord,
    /// Its logical type in the version.
    pub newer: TypeRecord,
    /// Values that differ, first ones aside.
    pub restated_count: u64,
    /// First values in rows that both have.
    pub filled_count: u64,
    /// 1 where the version before has it, and 2 where the version has it, added.
    pub versions: u32,
    /// Zero.
    pub reserved: u32,
}

/// What became of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum FileStatus {
    /// Its rows are in the store.
    Read = 0,
    /// It has no rows.
    Empty = 1,
    /// It could not be used; the record carries the reason.
    Skipped = 2,
}

impl FileStatus {
    /// The status with this number.
    pub fn from_number(number: u32) -> Option<FileStatus> {
        [FileStatus::Read, FileStatus::Empty, FileStatus::Skipped].into_iter().find(|s| *s as u32 == number)
    }
}

// A record without implicit padding is what `Pod` demands already; these pin the sizes of format version 1.
const _: () = {
    assert!(size_of::<StrRef>() == 8);
    assert!(size_of::<TypeRecord>() == 16);
    assert!(size_of::<ColumnRecord>() == 48);
    assert!(size_of::<DictionaryRecord>() == 32);
    assert!(size_of::<SegmentRecord>() == 64);
    assert!(size_of::<SegmentColumnRecord>() == 24);
    assert!(size_of::<SectionRecord>() == 32 && size_of::<BatchRecord>() == 32);
    assert!(size_of::<PieceRecord>() == 40 && size_of::<PartRecord>() == 80);
    assert!(size_of::<ChunkFileHeader>() == 24);
    assert!(size_of::<ChunkRecord>() == 24);
    assert!(size_of::<HistoryRecord>() == 104 && size_of::<RowCounts>() == 32);
    assert!(size_of::<ChangedDateRecord>() == 40 && size_of::<ChangedStocksRecord>() == 40);
    assert!(size_of::<ChangedColumnRecord>() == 64);
    assert!(size_of::<SourceRecord>() == 40 && size_of::<FileRecord>() == 80);
};
