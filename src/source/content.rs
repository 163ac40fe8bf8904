//! The bytes of one input file: opens it without being held up or fooled, hands ranges to the decoder, and turns the
//! decoder's panics into reasons.

use std::cell::Cell;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Once};

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use twox_hash::XxHash3_128;

/// Files up to this size are read into memory whole; ordinary ones have 0.3 to 3 MB.
pub(super) const WHOLE: u64 = 64 << 20;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) byte_len: u64,
    pub(super) modified_ns: i64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        let modified_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Stamp { byte_len: metadata.len(), modified_ns }
    }
}

/// Opens a regular file that is not empty. The error is a reason to skip it.
pub(super) fn open(path: &Path) -> Result<(File, Stamp), String> {
    // Without O_NONBLOCK opening a FIFO would wait for a writer, forever if none comes.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = match opened {
        Ok(file) => file,
        // A socket cannot be opened at all.
        Err(error) => {
            return Err(match std::fs::metadata(path) {
                Ok(metadata) if !metadata.is_file() => kind(&metadata),
                _ => format!("cannot be opened: {error}"),
            });
        }
    };
    let metadata = file.metadata().map_err(|error| format!("cannot be examined: {error}"))?;
    if !metadata.is_file() {
        return Err(kind(&metadata));
    }
    if metadata.len() == 0 {
        return Err("has zero bytes".to_owned());
    }
    let stamp = Stamp::of(&metadata);
    Ok((file, stamp))
}

fn kind(metadata: &Metadata) -> String {
    if metadata.is_dir() { "is a directory, not a file" } else { "is not a regular file" }.to_owned()
}

/// The bytes of one file, in memory or on disk.
#[derive(Clone)]
pub(super) enum Content {
    Memory(Bytes),
    Disk(Arc<File>, Stamp),
}

/// Why a file is skipped that is not as it was.
pub(super) const CHANGED: &str = "changed since it was surveyed; run again when nothing writes to it";

impl Content {
    /// Opens the file at `path` and takes its bytes, all at once if there are at most `whole`. `expected` is what the
    /// survey saw.
    pub(super) fn load(path: &Path, expected: Stamp, whole: u64) -> Result<Content, String> {
        let (file, stamp) = open(path)?;
        if stamp != expected {
            return Err(CHANGED.to_owned());
        }
        if stamp.byte_len > whole {
            return Ok(Content::Disk(Arc::new(file), stamp));
        }
        let mut bytes = Vec::with_capacity(stamp.byte_len as usize + 1);
        // One byte more than there should be, to see growth.
        (&file).take(stamp.byte_len + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let now = Stamp::of(&file.metadata().map_err(unreadable)?);
        if bytes.len() as u64 != stamp.byte_len || now != expected {
            return Err(CHANGED.to_owned());
        }
        Ok(Content::Memory(Bytes::from(bytes)))
    }

    /// Whether all that was read so far is of one state of the file. To be asked after reading: what lies on disk may
    /// be written to at any time.
    ///
    /// # Errors
    /// A reason to skip the file, when it has changed.
    pub(super) fn check_unchanged(&self) -> Result<(), String> {
        match self {
            Content::Memory(_) => Ok(()),
            Content::Disk(file, stamp) => {
                let now = Stamp::of(&file.metadata().map_err(unreadable)?);
                if now == *stamp { Ok(()) } else { Err(CHANGED.to_owned()) }
            }
        }
    }

    /// XXH3-128 of all bytes.
    pub(super) fn hash(&self) -> Result<u128, String> {
        match self {
            Content::Memory(bytes) => Ok(XxHash3_128::oneshot(bytes)),
            Content::Disk(file, Stamp { byte_len, .. }) => {
                let mut hasher = XxHash3_128::new();
                let mut buffer = vec![0; 1 << 20];
                let mut at = 0;
                while at < *byte_len {
                    let part = (*byte_len - at).min(buffer.len() as u64) as usize;
                    file.read_exact_at(&mut buffer[..part], at).map_err(unreadable)?;
                    hasher.write(&buffer[..part]);
                    at += part as u64;
                }
                Ok(hasher.finish_128())
            }
        }
    }

    /// The range `start..start + len`, checked against the length of the file.
    pub(super) fn range(&self, start: u64, len: usize) -> io::Result<Bytes> {
        let beyond = || io::Error::new(io::ErrorKind::UnexpectedEof, "a range reaches beyond the end of the file");
        let end = start.checked_add(len as u64).filter(|end| *end <= self.len()).ok_or_else(beyond)?;
        match self {
            Content::Memory(bytes) => Ok(bytes.slice(start as usize..end as usize)),
            Content::Disk(file, _) => {
                let mut buffer = vec![0; len];
                file.read_exact_at(&mut buffer, start)?;
                Ok(Bytes::from(buffer))
            }
        }
    }
}

fn unreadable(error: io::Error) -> String {
    format!("cannot be read: {error}")
}

impl Length for Content {
    fn len(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Disk(_, stamp) => stamp.byte_len,
        }
    }
}

impl ChunkReader for Content {
    type T = Cursor;

    fn get_read(&self, start: u64) -> Result<Cursor, ParquetError> {
        match self {
            Content::Memory(_) => {
                let len = self.len().saturating_sub(start) as usize;
                Ok(Cursor::Memory(self.range(start, len)?.reader()))
            }
            Content::Disk(file, _) => Ok(Cursor::Disk(io::BufReader::new(At { file: Arc::clone(file), at: start }))),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.range(start, length)?)
    }
}

/// Reads on from one place.
pub(super) enum Cursor {
    Memory(bytes::buf::Reader<Bytes>),
    Disk(io::BufReader<At>),
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Cursor::Memory(reader) => reader.read(buffer),
            Cursor::Disk(reader) => reader.read(buffer),
        }
    }
}

/// A place in a file. Positioned reads leave the file's own offset alone, which all readers share.
pub(super) struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode`, which hands bytes of a file to the Parquet or Arrow decoder; a panic in there becomes a reason.
///
/// The decoder checks much, but not everything: on damaged files it has indexed out of bounds, and every release of
/// it fixes some such place. One bad file must not end a run over thousands. What `decode` touches is dropped by
/// the unwinding or thrown away by the caller on `Err`, so nothing half-changed is seen afterwards.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // The standard hook would print each caught panic on stderr, where the library prints nothing. Panics
        // elsewhere go to whatever hook stood before.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(outer);
    result.unwrap_or_else(|payload| {
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(format!("is damaged: the decoder gave up ({message})"))
    })
}
