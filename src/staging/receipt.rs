//! The receipt of a task: a header that says whose it is, then arrays. What it says is checked before anybody uses it.

use std::io;
use std::path::{Path, PathBuf};

use arrow_buffer::Buffer;
use bytemuck::{Pod, Zeroable};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Damage, Error, Result};
use crate::format::{self, RunningChecksum};
use crate::storage::{Access, Dir, load};

const MAGIC: [u8; 8] = *b"TRANTASK";
const VERSION: u32 = 1;

/// Which task's receipt it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Part = 1,
    Assembly = 2,
    Band = 3,
    Files = 4,
    Changes = 5,
}

/// Whose receipt it is: a kind of task, the checksum of the plan, and the task's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whose {
    pub(crate) kind: Kind,
    pub(crate) plan: u64,
    pub(crate) number: usize,
}

impl Whose {
    /// The task, as it is called by whoever runs it.
    fn task(self) -> String {
        match self.kind {
            Kind::Part => format!("gather {}", self.number),
            Kind::Assembly => "assemble".to_owned(),
            Kind::Band => format!("seal {}", self.number),
            Kind::Files => format!("write {}", self.number),
            Kind::Changes => format!("compare {}", self.number),
        }
    }
}

/// The first bytes of a receipt. Its arrays follow, after the length of each, at multiples of 64.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: u32,
    kind: u32,
    plan: u64,
    number: u64,
    byte_len: u64,
    array_count: u64,
    /// Of the whole file, with zero here.
    checksum: u64,
    reserved: u64,
}

const HEADER_LEN: usize = size_of::<Header>();
const ALIGNMENT: usize = format::ALIGNMENT as usize;

/// A receipt that was read.
pub(crate) struct Receipt {
    whose: Whose,
    path: PathBuf,
    bytes: Buffer,
    arrays: Vec<(usize, usize)>,
}

/// The bytes of a receipt of these arrays.
pub(crate) fn encode(whose: Whose, arrays: &[&[u8]]) -> Vec<u8> {
    let table_len = (HEADER_LEN + 8 * arrays.len()).next_multiple_of(ALIGNMENT);
    let padded = |array: &&[u8]| array.len().next_multiple_of(ALIGNMENT);
    let byte_len = table_len + arrays.iter().map(padded).sum::<usize>();
    let mut bytes = vec![0; byte_len];
    let mut header = Header {
        magic: MAGIC,
        version: VERSION,
        kind: whose.kind as u32,
        plan: whose.plan,
        number: whose.number as u64,
        byte_len: byte_len as u64,
        array_count: arrays.len() as u64,
        checksum: 0,
        reserved: 0,
    };
    let mut at = table_len;
    for (n, array) in arrays.iter().enumerate() {
        bytes[HEADER_LEN + 8 * n..][..8].copy_from_slice(&(array.len() as u64).to_le_bytes());
        bytes[at..at + array.len()].copy_from_slice(array);
        at += padded(array);
    }
    header.checksum = checksum(header, &bytes[HEADER_LEN..]);
    bytes[..HEADER_LEN].copy_from_slice(bytemuck::bytes_of(&header));
    bytes
}

/// A value of few bytes as JSON, for one of the arrays.
///
/// # Errors
/// When it is none that JSON has.
pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(Error::failed("write a receipt"))
}

fn checksum(header: Header, rest: &[u8]) -> u64 {
    let mut sum = RunningChecksum::default();
    sum.add(0, bytemuck::bytes_of(&Header { checksum: 0, ..header }));
    sum.add(HEADER_LEN as u64, rest);
    sum.finish()
}

/// That what a task left at `path` is not what it wrote, and how to go on.
pub(crate) fn damaged(path: &Path, what: impl Into<String>, way_out: impl Into<String>) -> Error {
    Error::Corrupt { path: path.to_owned(), damage: Damage::Task { what: what.into(), way_out: way_out.into() } }
}

fn damaged_receipt(path: &Path, whose: Whose, what: impl Into<String>) -> Error {
    damaged(path, what, format!("remove it, and run {} again", whose.task()))
}

/// Receipts of one kind, of which all together may have so many bytes.
pub(crate) struct Receipts<'d> {
    dir: &'d Dir,
    left: u64,
}

impl<'d> Receipts<'d> {
    pub(crate) fn new(dir: &'d Dir, most: u64) -> Receipts<'d> {
        Receipts { dir, left: most }
    }

    /// The receipt `name`, which must be there.
    ///
    /// # Errors
    /// As [`Receipt::read`], and where it is more than those before have left.
    pub(crate) fn read(&mut self, name: &str, whose: Whose) -> Result<Receipt> {
        let receipt = Receipt::read(self.dir, name, whose, self.left)?;
        self.left -= receipt.bytes.len() as u64;
        Ok(receipt)
    }
}

impl Receipt {
    /// The receipt `name` in `dir`, of at most `most` bytes; `None` where there is none.
    ///
    /// # Errors
    /// When it is another's, or damaged, or the system refuses.
    pub(crate) fn open(dir: &Dir, name: &str, whose: Whose, most: u64) -> Result<Option<Receipt>> {
        let path = dir.path().join(name);
        let Some(file) = dir.open_file(name)? else { return Ok(None) };
        let byte_len = file.metadata().map_err(Error::io("examine", &path))?.len();
        if byte_len > most {
            let what = format!(
                "{} has {byte_len} bytes, more than the {most} that half of the memory has left",
                path.display()
            );
            return Err(Error::refused(what, "plan with more memory, or leave out columns"));
        }
        let bytes = load(&file, &path, Access::Read)?;
        let arrays = arrays(&bytes, whose).map_err(|what| damaged_receipt(&path, whose, what))?;
        Ok(Some(Receipt { whose, path, bytes, arrays }))
    }

    /// As [`open`](Receipt::open), of one that must be there.
    ///
    /// # Errors
    /// As there, and where it is not there.
    pub(crate) fn read(dir: &Dir, name: &str, whose: Whose, most: u64) -> Result<Receipt> {
        let missing = || {
            let not_yet = format!("{} is not done yet; run it first", whose.task());
            Error::io("read", &dir.path().join(name))(io::Error::new(io::ErrorKind::InvalidInput, not_yet))
        };
        Receipt::open(dir, name, whose, most)?.ok_or_else(missing)
    }

    /// The bytes of array `number`.
    ///
    /// # Errors
    /// When there are not so many.
    pub(crate) fn bytes(&self, number: usize) -> Result<Buffer> {
        let &(start, len) = self.arrays.get(number).ok_or_else(|| self.damaged("it has too few arrays"))?;
        Ok(self.bytes.slice_with_length(start, len))
    }

    /// Array `number`.
    ///
    /// # Errors
    /// When there are not so many, or it is none of these.
    pub(crate) fn array<T: Pod>(&self, number: usize) -> Result<&[T]> {
        let &(start, len) = self.arrays.get(number).ok_or_else(|| self.damaged("it has too few arrays"))?;
        bytemuck::try_cast_slice(&self.bytes[start..start + len])
            .map_err(|_| self.damaged(format!("array {number} has an odd length")))
    }

    /// The value that array `number` has as JSON.
    ///
    /// # Errors
    /// When it is no such value.
    pub(crate) fn json<T: DeserializeOwned>(&self, number: usize) -> Result<T> {
        serde_json::from_slice(self.array::<u8>(number)?).map_err(|error| self.damaged(error.to_string()))
    }

    /// That it says what cannot be.
    pub(crate) fn damaged(&self, what: impl Into<String>) -> Error {
        damaged_receipt(&self.path, self.whose, what)
    }
}

/// Where the arrays of a receipt lie, which should be this one.
fn arrays(bytes: &[u8], whose: Whose) -> Result<Vec<(usize, usize)>, String> {
    let header = bytes.get(..HEADER_LEN).ok_or("it is cut off")?;
    let header: Header = bytemuck::pod_read_unaligned(header);
    if header.magic != MAGIC || header.version != VERSION {
        return Err("it is no receipt of this transect".to_owned());
    }
    if header.byte_len != bytes.len() as u64 {
        return Err(format!("{} bytes long, should be {}", bytes.len(), header.byte_len));
    }
    if header.checksum != checksum(header, &bytes[HEADER_LEN..]) {
        return Err("its checksum does not match".to_owned());
    }
    if header.plan != whose.plan {
        return Err("it is of another plan".to_owned());
    }
    if (header.kind, header.number) != (whose.kind as u32, whose.number as u64) {
        return Err("it is that of another task".to_owned());
    }
    let count = usize::try_from(header.array_count).ok().filter(|count| *count <= bytes.len() / 8);
    let table_len = |count: usize| (HEADER_LEN + 8 * count).next_multiple_of(ALIGNMENT);
    let count = count.filter(|count| table_len(*count) <= bytes.len()).ok_or("it has too many arrays")?;
    let mut at = table_len(count);
    let mut arrays = Vec::with_capacity(count);
    for len in bytes[HEADER_LEN..HEADER_LEN + 8 * count].chunks_exact(8) {
        let len: u64 = bytemuck::pod_read_unaligned(len);
        let fits = usize::try_from(len).ok().filter(|len| *len <= bytes.len() - at);
        let len = fits.ok_or("an array reaches beyond its end")?;
        arrays.push((at, len));
        at = (at + len).next_multiple_of(ALIGNMENT).min(bytes.len());
    }
    Ok(arrays)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Disk;

    const WHOSE: Whose = Whose { kind: Kind::Part, plan: 7, number: 3 };

    fn read(bytes: &[u8], whose: Whose) -> Result<Receipt, String> {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("r"), bytes).unwrap();
        let dir = Dir::open(&Disk::default(), place.path()).unwrap();
        Receipt::read(&dir, "r", whose, 1 << 20).map_err(|error| error.to_string())
    }

    #[test]
    fn a_receipt_has_the_arrays_that_it_was_made_of() {
        let arrays: [&[u8]; 3] = [b"", &[1; 65], bytemuck::cast_slice(&[5u64, 6])];
        let receipt = read(&encode(WHOSE, &arrays), WHOSE).unwrap();
        assert_eq!(receipt.array::<u8>(0).unwrap(), b"");
        assert_eq!(receipt.array::<u8>(1).unwrap(), [1; 65]);
        assert_eq!(receipt.array::<u64>(2).unwrap(), [5, 6]);
        assert!(receipt.array::<u64>(1).is_err() && receipt.array::<u8>(3).is_err());
    }

    #[test]
    fn receipts_have_together_what_one_may_have() {
        let place = tempfile::tempdir().unwrap();
        let dir = Dir::open(&Disk::default(), place.path()).unwrap();
        let bytes = encode(WHOSE, &[&[1; 640]]);
        let len = bytes.len() as u64;
        for (most, count) in [(len - 1, 0), (2 * len - 1, 1), (2 * len, 2)] {
            let mut receipts = Receipts::new(&dir, most);
            let fits = |n: &usize| {
                std::fs::write(place.path().join(format!("{n}")), &bytes).unwrap();
                receipts.read(&format!("{n}"), WHOSE).is_ok()
            };
            assert_eq!((0..3).take_while(fits).count(), count);
        }
    }

    #[test]
    fn the_page_has_the_header() {
        let page = include_str!("../../formats/tasks.md");
        let mut rows = page.lines().skip_while(|line| !line.starts_with("`ReceiptHeader`, 64 bytes")).skip(4);
        let of_page = || {
            let cells: Vec<&str> = rows.next()?.split('|').map(str::trim).collect();
            Some((cells.get(1)?.parse().ok()?, (*cells.get(3)?).to_owned()))
        };
        let of_page: Vec<(usize, String)> = std::iter::from_fn(of_page).collect();
        let field = |name: &str, offset| (offset, name.to_owned());
        let ours = [
            field("magic", std::mem::offset_of!(Header, magic)),
            field("version", std::mem::offset_of!(Header, version)),
            field("kind", std::mem::offset_of!(Header, kind)),
            field("plan", std::mem::offset_of!(Header, plan)),
            field("number", std::mem::offset_of!(Header, number)),
            field("byte_len", std::mem::offset_of!(Header, byte_len)),
            field("array_count", std::mem::offset_of!(Header, array_count)),
            field("checksum", std::mem::offset_of!(Header, checksum)),
            field("reserved", std::mem::offset_of!(Header, reserved)),
        ];
        assert_eq!(of_page, ours);
    }

    #[test]
    fn any_other_bytes_are_refused() {
        let bytes = encode(WHOSE, &[b"abc", &[9; 100]]);
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len], WHOSE).is_err(), "{len}");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x10;
            assert!(read(&other, WHOSE).is_err(), "{at}");
        }
        for whose in [Whose { kind: Kind::Band, ..WHOSE }, Whose { plan: 8, ..WHOSE }, Whose { number: 4, ..WHOSE }] {
            assert!(read(&bytes, whose).is_err(), "{whose:?}");
        }
    }

    #[test]
    fn lengths_that_a_right_checksum_vouches_for_are_checked_all_the_same() {
        let whole = encode(WHOSE, &[b"abc", &[9; 100]]);
        for (at, value) in [(40, u64::MAX), (40, 1 << 61), (40, 50), (64, u64::MAX), (64, 1 << 40), (72, 129)] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_LEN]);
            let sum = checksum(header, &bytes[HEADER_LEN..]);
            bytes[48..56].copy_from_slice(&sum.to_le_bytes());
            let told = read(&bytes, WHOSE).err();
            assert!(told.is_some_and(|told| told.contains("array")), "{at} {value}");
        }
    }
}
