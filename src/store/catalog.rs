//! A file of tables, opened: the catalog of a version, the tables of one of its sources, or a change file. Its header is checked at once,
//! each table at its first use.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use arrow_buffer::Buffer;
use bytemuck::Pod;

use crate::error::{Damage, Error, Result};
use crate::format::{
    Directory, FORMAT_VERSION, Header, MAGIC, NotACatalog, StrRef, TABLE_COUNT, Table, TableRef, checksum,
    parse_header, parse_start, records, start_len,
};
use crate::storage;
use crate::storage::FileLock;
use crate::storage::{Access, load, read_at};

/// The bytes of one file, trusted table by table.
#[derive(Debug)]
pub(crate) struct Catalog {
    bytes: Bytes,
    directory: Directory,
    path: PathBuf,
    /// Those that were used, whose checksums were compared.
    tables: [OnceLock<Buffer>; TABLE_COUNT],
    /// Keeps garbage collection away; the others are kept by their catalog's. And when the file was last written to.
    lock: Option<(FileLock, SystemTime)>,
}

/// Where the bytes of a file of tables are.
#[derive(Debug)]
enum Bytes {
    /// Here: the file is mapped, or not yet written.
    Here(Buffer),
    /// On the disk: [`Access::Read`]. A copy is made of the tables that are used, once of each.
    OnDisk,
}

impl Catalog {
    /// Opens the catalog at `path`. The cost does not depend on its size.
    ///
    /// # Errors
    /// When it is missing, damaged or of another format version.
    pub(super) fn open(path: &Path, access: Access) -> Result<Catalog> {
        let file = storage::open_below(path).map_err(Error::io("open", path))?;
        // A writer holds its lock for as long as it takes to see that no reader has one, and to remove the catalog.
        let lock = FileLock::shared(file, path)?;
        // It may have done so, and removed the segments, between opening and locking.
        let metadata = lock.file().metadata().map_err(Error::io("read", path))?;
        if metadata.nlink() == 0 {
            return Err(Error::io("open", path)(ErrorKind::NotFound.into()));
        }
        let written = metadata.modified().map_err(Error::io("read", path))?;
        let catalog = Catalog::of_file(lock.file(), path, MAGIC, access)?;
        Ok(Catalog { lock: Some((lock, written)), ..catalog })
    }

    /// Opens the file at `path` that begins with `magic`, of which the catalog says that its header has this checksum.
    ///
    /// # Errors
    /// When it is missing, damaged or another.
    pub(super) fn open_named(path: &Path, magic: [u8; 8], header_checksum: u64, access: Access) -> Result<Catalog> {
        let tables = Catalog::of_file(&open_named(path)?, path, magic, access)?;
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
        let directory = parse_header(bytes, MAGIC).map_err(refused(path))?;
        Ok(Catalog::of_parts(Bytes::Here(Buffer::from(bytes)), directory, path))
    }

    fn of_file(file: &File, path: &Path, magic: [u8; 8], access: Access) -> Result<Catalog> {
        if access == Access::Map {
            let bytes = load(file, path, access)?;
            let directory = parse_header(&bytes, magic).map_err(refused(path))?;
            return Ok(Catalog::of_parts(Bytes::Here(bytes), directory, path));
        }
        let len = file.metadata().map_err(Error::io("read", path))?.len();
        let first = |count: usize| read_at(file, path, 0, len.min(count as u64) as usize);
        let start = first(start_len(&first(start_len(&[]))?))?;
        let directory = parse_start(&start, len, magic).map_err(refused(path))?;
        Ok(Catalog::of_parts(Bytes::OnDisk, directory, path))
    }

    fn of_parts(bytes: Bytes, directory: Directory, path: &Path) -> Catalog {
        Catalog { bytes, directory, path: path.to_owned(), tables: Default::default(), lock: None }
    }

    /// Whether nobody wrote over the file while it was mapped: what was read of it since its checksums were compared may be
    /// anything else.
    ///
    /// # Errors
    /// When somebody did.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let (Bytes::Here(_), Some((lock, written))) = (&self.bytes, &self.lock) else { return Ok(()) };
        let now = lock.file().metadata().and_then(|metadata| metadata.modified());
        match now.map_err(Error::io("read", &self.path))? == *written {
            true => Ok(()),
            false => Err(self.structure("it was written to while it was used")),
        }
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
    /// When the table is damaged, or cannot be read.
    pub(super) fn table<T: Pod>(&self, which: Table) -> Result<&[T]> {
        records(self.table_bytes(which)?, which).map_err(|damage| self.damaged(damage))
    }

    fn table_bytes(&self, which: Table) -> Result<&Buffer> {
        let known = &self.tables[which as usize];
        if let Some(bytes) = known.get() {
            return Ok(bytes);
        }
        let bytes = self.checked(&self.place(which), || format!("table {which:?}"))?;
        Ok(known.get_or_init(|| bytes))
    }

    /// The bytes of a table, whose checksum is compared.
    fn checked(&self, table: &TableRef, what: impl Fn() -> String) -> Result<Buffer> {
        let bytes = self.bytes(table.offset..table.offset + table.byte_len)?;
        if checksum(&bytes) == table.checksum {
            Ok(bytes)
        } else {
            Err(self.damaged(Damage::Checksum { what: what() }))
        }
    }

    /// Bytes of the file, which has that many.
    fn bytes(&self, range: Range<u64>) -> Result<Buffer> {
        let len = (range.end - range.start) as usize;
        let read = |file| read_at(file, &self.path, range.start, len);
        match (&self.bytes, &self.lock) {
            (Bytes::Here(bytes), _) => Ok(bytes.slice_with_length(range.start as usize, len)),
            (Bytes::OnDisk, Some((lock, _))) => read(lock.file()),
            // Not kept open: a store may have hundreds of sources.
            (Bytes::OnDisk, None) => read(&open_named(&self.path)?),
        }
    }

    /// What is wrong with its tables, each by itself, and with the bytes between them, which are written as zeros.
    pub(super) fn damages(&self) -> Vec<Error> {
        let mut damages: Vec<Error> =
            Table::ALL.into_iter().filter_map(|which| self.table_bytes(which).err()).collect();
        // Of a table that is not known here, its checksum is.
        for table in self.directory.listed.iter().filter(|table| table.kind as usize >= TABLE_COUNT) {
            damages.extend(self.checked(table, || format!("the table of kind {}", table.kind)).err());
        }
        damages.extend(self.padding().err());
        damages
    }

    /// Looks whether the bytes that belong neither to the header nor to a table are zeros.
    fn padding(&self) -> Result<()> {
        let mut covered: Vec<(u64, u64)> =
            self.directory.listed.iter().map(|table| (table.offset, table.offset + table.byte_len)).collect();
        covered.push((0, self.directory.end()));
        covered.push((self.byte_len(), self.byte_len()));
        covered.sort_unstable();
        let mut at = 0;
        for (start, end) in covered {
            if start > at && self.bytes(at..start)?.iter().any(|&byte| byte != 0) {
                return Err(self.structure("the bytes between its tables are not zero"));
            }
            at = at.max(end);
        }
        Ok(())
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
        let table = self.table_bytes(which)?;
        if offset.checked_add(len).is_none_or(|end| end > table.len() as u64) {
            return Err(self.structure(format!("bytes {offset} to {offset}+{len} lie outside table {which:?}")));
        }
        Ok(table.slice_with_length(offset as usize, len as usize))
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

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        Error::Corrupt { path: self.path.clone(), damage }
    }

    pub(super) fn structure(&self, why: impl Into<String>) -> Error {
        Error::structure(&self.path, why)
    }
}

fn open_named(path: &Path) -> Result<File> {
    storage::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::structure(path, "the catalog names it, and it is not there"),
        _ => Error::io("open", path)(error),
    })
}

/// What is wrong with the file at `path`.
fn refused(path: &Path) -> impl FnOnce(NotACatalog) -> Error {
    |why| match why {
        NotACatalog::Version(found) => Error::WrongVersion { path: path.to_owned(), found, supported: FORMAT_VERSION },
        NotACatalog::Table(kind) => Error::UnknownTable { path: path.to_owned(), kind },
        NotACatalog::Damage(damage) => Error::Corrupt { path: path.to_owned(), damage },
    }
}
