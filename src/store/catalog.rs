//! A file of tables, opened: the catalog of a version, the tables of one of its sources, or a change file. Its header is checked at once,
//! each table at its first use.

use std::fs::File;
use std::hash::Hasher;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use arrow_buffer::Buffer;
use bytemuck::Pod;
use twox_hash::XxHash3_64;

use crate::error::{Damage, Error, Result};
use crate::format::{
    Directory, FORMAT_VERSION, Header, MAGIC, NotACatalog, StrRef, TABLE_COUNT, Table, TableRef, checksum,
    parse_header, parse_start, records, start_len,
};
use crate::storage;
use crate::storage::FileLock;
use crate::storage::{Access, load, read_at};

/// Bytes between tables that are looked at at a time.
const BLOCK_LEN: u64 = 1 << 20;

/// Bytes of a table that have a checksum of their own where stretches of it are read: few, as many dictionaries are short,
/// but many for the eight bytes that are held of them.
const SHARD_LEN: u64 = 8 << 10;

/// The bytes of one file, trusted table by table.
#[derive(Debug)]
pub(crate) struct Catalog {
    bytes: Bytes,
    directory: Directory,
    path: PathBuf,
    /// Those that were used, whose checksums were compared.
    tables: [OnceLock<Buffer>; TABLE_COUNT],
    /// Of those that are on the disk and were used by stretches, the checksum of each [`SHARD_LEN`] bytes, taken while that
    /// of the whole table was compared.
    shards: [OnceLock<Box<[u64]>>; TABLE_COUNT],
    /// Keeps garbage collection away; the others are kept by their catalog's. And when the file was last written to.
    lock: Option<(FileLock, SystemTime)>,
}

/// Where the bytes of a file of tables are.
#[derive(Debug)]
enum Bytes {
    /// Here: the file is mapped, or not yet written.
    Here(Buffer),
    /// On the disk: [`Access::Read`]. A copy is made of the tables that are used, once of each, and of stretches of those
    /// that may be long.
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
        let metadata = lock.file().metadata().map_err(Error::io("examine", path))?;
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
        let len = file.metadata().map_err(Error::io("examine", path))?.len();
        let first = |count: usize| read_at(file, path, 0, len.min(count as u64) as usize);
        let start = first(start_len(&first(start_len(&[]))?))?;
        let directory = parse_start(&start, len, magic).map_err(refused(path))?;
        Ok(Catalog::of_parts(Bytes::OnDisk, directory, path))
    }

    fn of_parts(bytes: Bytes, directory: Directory, path: &Path) -> Catalog {
        Catalog {
            bytes,
            directory,
            path: path.to_owned(),
            tables: Default::default(),
            shards: Default::default(),
            lock: None,
        }
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
        let mut damages: Vec<Error> = Table::ALL.into_iter().filter_map(|which| self.check(which).err()).collect();
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
            while at < start {
                let block = at..start.min(at + BLOCK_LEN);
                at = block.end;
                if self.bytes(block)?.iter().any(|&byte| byte != 0) {
                    return Err(self.structure("the bytes between its tables are not zero"));
                }
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

    /// Some bytes of a table: in place where the file is mapped, else read, and nothing else of the table is held. The
    /// table's checksum is compared at the first use; what is read later is compared with what was read then.
    ///
    /// # Errors
    /// When the range lies outside the table, or the table is damaged.
    pub(super) fn stretch(&self, which: Table, offset: u64, len: u64) -> Result<Buffer> {
        let TableRef { offset: start, byte_len, .. } = self.place(which);
        let end = offset.checked_add(len).filter(|&end| end <= byte_len);
        let outside = || self.structure(format!("bytes {offset} to {offset}+{len} lie outside table {which:?}"));
        let end = end.ok_or_else(outside)?;
        if let Bytes::Here(_) = self.bytes {
            return Ok(self.table_bytes(which)?.slice_with_length(offset as usize, len as usize));
        }
        let shards = self.shards(which)?;
        let from = offset - offset % SHARD_LEN;
        let read = self.bytes(start + from..start + end.next_multiple_of(SHARD_LEN).min(byte_len))?;
        let known = &shards[(from / SHARD_LEN) as usize..];
        if read.chunks(SHARD_LEN as usize).zip(known).any(|(shard, known)| checksum(shard) != *known) {
            return Err(self.structure("it was written to while it was used"));
        }
        let wanted = read.slice_with_length((offset - from) as usize, len as usize);
        // Of a short one the shards around it would be most of what is held.
        Ok(if len < 16 * SHARD_LEN { Buffer::from(wanted.as_slice()) } else { wanted })
    }

    /// The checksums of a table's shards, read once for those and for the table's own.
    fn shards(&self, which: Table) -> Result<&[u64]> {
        let known = &self.shards[which as usize];
        if let Some(shards) = known.get() {
            return Ok(shards);
        }
        let table = self.place(which);
        let (mut hasher, mut shards) = (XxHash3_64::new(), Vec::new());
        let end = table.offset + table.byte_len;
        for at in (table.offset..end).step_by(BLOCK_LEN as usize) {
            let block = self.bytes(at..end.min(at + BLOCK_LEN))?;
            hasher.write(&block);
            shards.extend(block.chunks(SHARD_LEN as usize).map(checksum));
        }
        if hasher.finish() != table.checksum {
            return Err(self.damaged(Damage::Checksum { what: format!("table {which:?}") }));
        }
        Ok(known.get_or_init(|| shards.into()))
    }

    /// Compares the checksum of a table, and holds nothing of one of which stretches are read.
    fn check(&self, which: Table) -> Result<()> {
        match (&self.bytes, which) {
            (Bytes::OnDisk, Table::DictionaryOffsets | Table::DictionaryBytes) => self.shards(which).map(drop),
            _ => self.table_bytes(which).map(drop),
        }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use bytemuck::Zeroable;

    use super::*;
    use crate::format::{CatalogBytes, SOURCE_MAGIC};

    /// A file with one long table of texts, and what it holds.
    fn written(dir: &Path) -> (PathBuf, u64, Vec<u8>) {
        let texts: Vec<u8> = (0..3 * BLOCK_LEN + 5).map(|at| (at % 251) as u8).collect();
        let mut tables = CatalogBytes::new(Header { magic: SOURCE_MAGIC, ..Header::zeroed() });
        tables.put(Table::DictionaryBytes, &texts);
        let (bytes, header_checksum) = tables.finish();
        let path = dir.join("tables");
        std::fs::write(&path, bytes).unwrap();
        (path, header_checksum, texts)
    }

    #[test]
    fn stretches_of_a_table_that_is_read_are_its_bytes_and_each_is_as_it_was_when_the_whole_was_checked() {
        let dir = tempfile::tempdir().unwrap();
        let (path, header_checksum, texts) = written(dir.path());
        let open = |access| Catalog::open_named(&path, SOURCE_MAGIC, header_checksum, access).unwrap();
        let tables = open(Access::Read);
        let len = texts.len() as u64;
        for (offset, count) in [(0, 1), (1, SHARD_LEN), (SHARD_LEN, SHARD_LEN), (7, len - 7), (len, 0), (len - 1, 1)] {
            let wanted = &texts[offset as usize..(offset + count) as usize];
            assert_eq!(tables.stretch(Table::DictionaryBytes, offset, count).unwrap().as_slice(), wanted);
            assert_eq!(open(Access::Map).stretch(Table::DictionaryBytes, offset, count).unwrap().as_slice(), wanted);
        }
        assert!(tables.tables.iter().all(|table| table.get().is_none()), "all of a table is held");
        assert!(tables.stretch(Table::DictionaryBytes, len, 1).is_err());
        assert!(tables.stretch(Table::DictionaryBytes, u64::MAX, 2).is_err());

        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"?", tables.place(Table::DictionaryBytes).offset + 5 * SHARD_LEN).unwrap();
        let read = |shard: u64| tables.stretch(Table::DictionaryBytes, shard * SHARD_LEN, 9).map(drop);
        assert!(read(4).is_ok() && read(6).is_ok());
        assert!(matches!(read(5), Err(Error::Corrupt { .. })), "{:?}", read(5));
        for access in [Access::Read, Access::Map] {
            let again = open(access);
            assert!(again.stretch(Table::DictionaryBytes, 0, 9).is_err(), "its table's checksum is another");
            assert_eq!(again.damages().len(), 1);
        }
    }
}
