//! The bytes of a store: magic numbers, fixed-size records, file names and checksums.
//!
//! Pure: no I/O, no Arrow, no unsafe. `formats/store.md` is the contract these modules implement, and a test compares
//! that page's tables with the records here.

#[cfg(target_endian = "big")]
compile_error!("a transect store is little-endian and is read in place; big-endian machines are not supported");
#[cfg(not(target_pointer_width = "64"))]
compile_error!("transect maps whole files and needs 64-bit addresses");

mod catalog;
mod checksum;
mod chunk;
mod current;
mod lock;
mod names;
mod record;

pub use catalog::{
    CatalogBytes, Directory, FOR_NOBODY, FOR_READERS, Header, NotACatalog, TABLE_COUNT, Table, TableRef, parse_header,
    parse_start, records, start_len, table,
};
pub(crate) use checksum::RunningChecksum;
pub use checksum::{ChunkIdentity, checksum};
pub use chunk::{ALIGNMENT, ChunkLayout, Stored};
pub use current::Current;
pub use lock::LockNote;
pub use names::{
    CATALOG_DIR, CURRENT_NAME, LOCK_NAME, SEGMENT_DIR, SPILL_PREFIX, TEMP_PREFIX, catalog_name, changes_name,
    chunks_name, parse_catalog_name, parse_changes_name, parse_chunks_name, parse_segment_name, parse_tables_name,
    segment_name, tables_name,
};
pub use record::{
    BatchRecord, ChangedColumnRecord, ChangedDateRecord, ChangedStocksRecord, ChunkFileHeader, ChunkRecord,
    ColumnRecord, DictionaryRecord, FileRecord, FileStatus, HistoryRecord, NONE, PRESENT, PartRecord, PieceRecord,
    RowCounts, SectionRecord, SegmentColumnRecord, SegmentRecord, SourceRecord, StrRef, TypeRecord,
};

/// First eight bytes of a catalog.
pub const MAGIC: [u8; 8] = *b"TRANSECT";

/// First eight bytes of the tables of a source.
pub const SOURCE_MAGIC: [u8; 8] = *b"TRANSRCE";

/// First eight bytes of a change file.
pub const CHANGES_MAGIC: [u8; 8] = *b"TRANCHNG";

/// Version of the format this library writes and reads.
pub const FORMAT_VERSION: u32 = 1;
