//! A file of tables, opened: the catalog of a version, the tables of one of its sources, or a change file. Its header is checked at once,
//! each table at its first use.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arrow_buffer::Buffer;
use bytemuck::Pod;

use crate::error::{Damage, Error, Result};
use crate::format::{
    Directory, FORMAT_VERSION, Header, MAGIC, NotACatalog, StrRef, TABLE_COUNT, Table, TableRef, checksum,
    parse_header, table,
};
use crate::storage;
use crate::storage::FileLock;
use crate::storage::{Access, load};

/// The bytes of one file, trusted table by table.
#[derive(Debug)]
pub(crate) struct Catalog {
    bytes: Buffer,
    directory: Directory,
    path: PathBuf,
    verified: [OnceLock<()>; TABLE_COUNT],
    /// Keeps garbage collection away; the others are kept by their catalog's.
    _lock: Option<FileLock>,
}

impl Catalog {
    /// Opens the catalog at `path`. The cost does not depend on its size.
    ///
    /// # Errors
    /// When it is missing, damaged or of another format version.
    pub(super) fn open(path: &Path, access: Access) -> Result<Catalog> {
        let file = storage::open_below(path).map_err(Error::io("open", path))?;
        // A writer holds its lock for as long as it takes to see that no reader has one, and to remove the catalog.
        let lock = FileLock::shared(file).map_err(Error::io("lock", path))?;
        // It may have done so, and removed the segments, between opening and locking.
        if lock.file().metadata().map_err(Error::io("read", path))?.nlink() == 0 {
            return Err(Error::io("open", path)(ErrorKind::NotFound.into()));
        }
        let bytes = load(lock.file(), path, access)?;
        Catalog::of_bytes(bytes, path, MAGIC, Some(lock))
    }

    /// Opens the file at `path` that begins with `magic`, of which the catalog says that its header has this checksum.
    ///
    /// # Errors
    /// When it is missing, damaged or another.
    pub(super) fn open_named(path: &Path, magic: [u8; 8], header_checksum: u64, access: Access) -> Result<Catalog> {
        let file = storage::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::structure(path, "the catalog names it, and it is not there"),
            _ => Error::io("open", path)(error),
        })?;
        let tables = Catalog::of_bytes(load(&file, path, access)?, path, magic, None)?;
        if tables.header().checksum != header_checksum {
            return Err(tables.structure("it is not the one that the catalog names"));
        }
        Ok(tables)
    }

    /// The catalog that these bytes are, which are to lie at `path`.
    ///
    /// # Errors
    /// When they are none.
    pub(super) fn of_memory(bytes: &[u8], path: &Path) -> Result<Catalog> {
        Catalog::of_bytes(Buffer::from(bytes), path, MAGIC, None)
    }

    fn of_bytes(bytes: Buffer, path: &Path, magic: [u8; 8], lock: Option<FileLock>) -> Result<Catalog> {
        let directory = parse_header(&bytes, magic).map_err(|why| match why {
            NotACatalog::Version(found) => {
                Error::WrongVersion { path: path.to_owned(), found, supported: FORMAT_VERSION }
            }
            NotACatalog::Table(kind) => Error::UnknownTable { path: path.to_owned(), kind },
            NotACatalog::Damage(damage) => Error::Corrupt { path: path.to_owned(), damage },
        })?;
        Ok(Catalog { bytes, directory, path: path.to_owned(), verified: Default::default(), _lock: lock })
    }

    pub(super) fn header(&self) -> &Header {
        &self.directory.header
    }

    /// Where a table lies.
    pub(super) fn place(&self, which: Table) -> TableRef {
        self.directory.place(which)
    }

    /// Length of the file.
    pub(super) fn byte_len(&self) -> u64 {
        self.header().file_len
    }

    /// The records of a table. Its checksum is compared at the first use.
    ///
    /// # Errors
    /// When the table is damaged.
    pub(super) fn table<T: Pod>(&self, which: Table) -> Result<&[T]> {
        let records = table(&self.bytes, &self.directory, which).map_err(|damage| self.damaged(damage))?;
        if self.verified[which as usize].get().is_none() {
            if checksum(bytemuck::cast_slice(records)) != self.place(which).checksum {
                return Err(self.damaged(Damage::Checksum { what: format!("table {which:?}") }));
            }
            self.verified[which as usize].get_or_init(|| ());
        }
        Ok(records)
    }

    /// What is wrong with its tables, each by itself.
    pub(super) fn damaged_tables(&self) -> Vec<Error> {
        let damages = Table::ALL.into_iter().map(|which| self.table::<u8>(which).map(drop));
        let mut damages: Vec<Error> = damages.filter_map(Result::err).collect();
        // Of a table that is not known here, its checksum is.
        for table in self.directory.listed.iter().filter(|table| table.kind as usize >= TABLE_COUNT) {
            if checksum(&self.bytes[table.offset as usize..][..table.byte_len as usize]) != table.checksum {
                damages.push(self.damaged(Damage::Checksum { what: format!("the table of kind {}", table.kind) }));
            }
        }
        damages
    }

    /// One record of a table.
    ///
    /// # Errors
    /// When there is no such record, or the table is damaged.
    pub(super) fn record<T: Pod>(&self, which: Table, index: usize) -> Result<T> {
        let missing = || self.damaged(Damage::Structure(format!("table {which:?} has no record {index}")));
        self.table(which)?.get(index).copied().ok_or_else(missing)
    }

    /// `count` records of a table from `start` on.
    ///
    /// # Errors
    /// When there are not so many, or the table is damaged.
    pub(super) fn records<T: Pod>(&self, which: Table, start: u64, count: usize) -> Result<&[T]> {
        let records = self.table(which)?;
        usize::try_from(start).ok().and_then(|start| records.get(start..start.checked_add(count)?)).ok_or_else(|| {
            self.damaged(Damage::Structure(format!("table {which:?} has no {count} records at {start}")))
        })
    }

    /// The bytes of a table in place, as a buffer that keeps the catalog's memory alive.
    ///
    /// # Errors
    /// When the range lies outside the table, or the table is damaged.
    pub(super) fn buffer(&self, which: Table, offset: u64, len: u64) -> Result<Buffer> {
        let table: &[u8] = self.table(which)?;
        if offset.checked_add(len).is_none_or(|end| end > table.len() as u64) {
            return Err(self.structure(format!("bytes {offset} to {offset}+{len} lie outside table {which:?}")));
        }
        let start = self.place(which).offset + offset;
        Ok(self.bytes.slice_with_length(start as usize, len as usize))
    }

    /// A piece of the string table.
    ///
    /// # Errors
    /// When it lies outside the table or is no UTF-8.
    pub(super) fn string(&self, place: StrRef) -> Result<&str> {
        let strings: &[u8] = self.table(Table::Strings)?;
        let start = place.offset as usize;
        strings
            .get(start..start + place.byte_len as usize)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| self.structure(format!("no text at {start} in the string table")))
    }

    /// Whether all bytes that belong neither to the header nor to a table are zero, as they were written.
    pub(super) fn padding_is_zero(&self) -> bool {
        let mut covered: Vec<(u64, u64)> =
            self.directory.listed.iter().map(|table| (table.offset, table.offset + table.byte_len)).collect();
        covered.push((0, self.directory.end()));
        covered.push((self.byte_len(), self.byte_len()));
        covered.sort_unstable();
        let mut at = 0;
        covered.into_iter().all(|(start, end)| {
            let gap = at..start.max(at);
            at = at.max(end);
            self.bytes[gap.start as usize..gap.end as usize].iter().all(|&byte| byte == 0)
        })
    }

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        Error::Corrupt { path: self.path.clone(), damage }
    }

    pub(super) fn structure(&self, why: impl Into<String>) -> Error {
        Error::structure(&self.path, why)
    }
}
