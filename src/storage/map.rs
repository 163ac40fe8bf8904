//! One file as an Arrow buffer: mapped, or read to the heap; and memory in large pages. The only unsafe code of the
//! crate is here.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_buffer::Buffer;
use memmap2::{Mmap, MmapMut};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use crate::error::{Error, Result};

/// What Arrow recommends for its buffers.
const ALIGNMENT: usize = 64;

/// How the bytes of a store's files reach memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Map files: pages are shared with the kernel's cache and with other processes, nothing is copied.
    ///
    /// This relies on the store's rule that published files are written once and never changed or truncated. A program
    /// that breaks the rule while the file is mapped can make this process read other bytes than it verified, or end
    /// it by SIGBUS.
    #[default]
    Map,
    /// Read what is asked for to the heap, each time: for file systems where that rule cannot be promised, such as
    /// network file systems. What was read is checked, and stays as it is; a file that was cut short meanwhile is an
    /// error.
    Read,
}

/// The bytes of `file` from first to last, immutable, aligned to 64 bytes at least.
///
/// # Errors
/// When the system refuses to map or to read.
pub(crate) fn load(file: &File, path: &Path, access: Access) -> Result<Buffer> {
    let len = file.metadata().map_err(Error::io("examine", path))?.len() as usize;
    match access {
        // A mapping of no bytes is an error to the system, an empty buffer to us.
        Access::Map if len > 0 => map(file, path),
        _ => read_at(file, path, 0, len),
    }
}

/// `len` bytes of `file` from `offset` on, on the heap, aligned to 64 bytes.
///
/// # Errors
/// When the system refuses to read, or the file ends before.
pub(crate) fn read_at(file: &File, path: &Path, offset: u64, len: usize) -> Result<Buffer> {
    let failed = |error: std::io::Error| Error::io("read", path)(error);
    let mut bytes: Vec<u8> = Vec::new();
    bytes.try_reserve_exact(len + ALIGNMENT - 1).map_err(|error| failed(error.into()))?;
    let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT - 1);
    bytes.resize(start, 0);
    while bytes.len() < start + len {
        let at = offset + (bytes.len() - start) as u64;
        match pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(failed(ErrorKind::UnexpectedEof.into())),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    Ok(Buffer::from_vec(bytes).slice_with_length(start, len))
}

#[allow(unsafe_code, reason = "mapping a file cannot be proved safe; see each site")]
fn map(file: &File, path: &Path) -> Result<Buffer> {
    // SAFETY: the map is only sound while nobody changes the file. Files of a store are written under a temporary name,
    // published by a rename and never opened for writing again; every command of ours keeps to that. The spill of a
    // build has no name and is complete when it is mapped; it is truncated by bands, but only those whose dates all
    // walks have passed (`SpillMap::release_before`). Another program can break the rule for a store's files: then
    // loads may see changing bytes (our readers validate what they interpret: offsets are bounds-checked and dictionary
    // codes are checked after the copy that uses them), and a truncated file raises SIGBUS. `Access::Read` is for those
    // who cannot exclude that.
    let map = unsafe { Mmap::map(file) }.map_err(Error::io("map", path))?;
    let len = map.len();
    let start = NonNull::new(map.as_ptr().cast_mut())
        .ok_or_else(|| Error::structure(path, "the system mapped it at address zero"))?;
    // SAFETY: `start` and `len` describe exactly the mapped bytes; the `Arc` that the buffer keeps owns the map, so the
    // bytes stay mapped as long as any slice of the buffer lives. The map is read-only and `Buffer` never writes.
    Ok(unsafe { Buffer::from_custom_allocation(start, len, Arc::new(map)) })
}

/// Bytes of a large page, where the system has them.
const LARGE_PAGE: usize = 2 << 20;

/// Memory in large pages, where the system has them: whoever fills hundreds of MiB once spends most of the time on page
/// faults otherwise.
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
    len: usize,
}

impl Memory {
    /// Zeroed memory of this length; `None` when the system refuses.
    pub fn zeroed(len: usize) -> Option<Memory> {
        // A mapping of no bytes is an error to the system, and only one of whole large pages begins where one may lie.
        let mapped_len = if len < LARGE_PAGE { len.max(1) } else { len.checked_next_multiple_of(LARGE_PAGE)? };
        let map = MmapMut::map_anon(mapped_len).ok()?;
        #[cfg(target_os = "linux")]
        {
            // A hint; a kernel without large pages does not know it.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Some(Memory { map, len })
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.map[..self.len]
    }
}

/// What the network file system that `path` lies on is called; `None` for a local one, and where nobody knows. On such
/// a file system another machine may change a file that is mapped here.
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    {
        let magic = magic_of(path)?;
        NETWORK_FILE_SYSTEMS.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

/// What statfs says of the file system that `path` lies on.
#[cfg(target_os = "linux")]
fn magic_of(path: &Path) -> Option<u32> {
    // For tests, which have no network: the number of a file system, as TRANSECT_FILE_SYSTEM=6969.
    #[cfg(feature = "failpoints")]
    if let Ok(number) = std::env::var("TRANSECT_FILE_SYSTEM") {
        return u32::from_str_radix(&number, 16).ok();
    }
    Some(rustix::fs::statfs(path).ok()?.f_type as u32)
}

/// Magic numbers of statfs, as Linux and those file systems define them. FUSE has local ones, too, but nobody can tell.
#[cfg(target_os = "linux")]
const NETWORK_FILE_SYSTEMS: [(u32, &str); 14] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "fuse"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x00c3_6400, "ceph"),
    (0x1983_0326, "beegfs"),
    (0x5346_414f, "afs"),
    (0x7461_636f, "ocfs2"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_from_the_middle_are_read_and_none_beyond_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        for (offset, len) in [(0, 300_000), (1, 5), (299_999, 1), (7, 0), (300_000, 0)] {
            let read = read_at(&file, &path, offset as u64, len).unwrap();
            assert_eq!(read.as_slice(), &bytes[offset..offset + len]);
            assert_eq!(read.as_ptr() as usize % 64, 0);
        }
        assert!(matches!(read_at(&file, &path, 299_999, 2), Err(Error::Io { .. })));
    }

    #[test]
    fn both_ways_give_the_same_bytes_and_outlive_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for len in [0usize, 1, 4096, 100_001] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let file = File::open(&path).unwrap();
            let mapped = load(&file, &path, Access::Map).unwrap();
            let read = load(&file, &path, Access::Read).unwrap();
            drop(file);
            std::fs::remove_file(&path).unwrap();
            assert_eq!(mapped.as_slice(), bytes);
            assert_eq!(read.as_slice(), bytes);
            assert_eq!(mapped.as_ptr() as usize % 64, 0);
        }
    }
}
