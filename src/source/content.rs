//! The bytes of one input file: opens it without being held up or fooled, hands ranges to the decoder, and turns the
//! decoder's panics into reasons.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Once, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use twox_hash::XxHash3_128;

use super::trouble;
use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;

/// Files up to this size are read into memory whole; ordinary ones have 0.3 to 3 MB.
pub(super) const WHOLE: u64 = 64 << 20;

/// Bytes of a file that nothing may account for.
const UNUSED: u64 = 1 << 30;

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

/// A file's state as the system tells it, beyond what a store remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    stamp: Stamp,
    /// When its bytes, or what is known of it, last changed; nobody can set it.
    changed_ns: i64,
}

impl State {
    fn of(file: &File) -> Result<State, Reason> {
        let metadata = trouble::metadata(file).map_err(unreadable)?;
        let changed_ns = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
        Ok(State { stamp: Stamp::of(&metadata), changed_ns })
    }

    /// Whether the file was written to so short a time ago that its times do not tell whether it still is.
    fn is_fresh(self) -> bool {
        now_ns().saturating_sub(self.changed_ns) < FRESH_NS
    }

    /// Waits until nothing has written to the file for a while, or until that would show in its times.
    fn wait_for_quiet(self) {
        let left = self.changed_ns.saturating_add(QUIET_NS).saturating_sub(now_ns());
        thread::sleep(Duration::from_nanos(left.clamp(0, QUIET_NS) as u64));
    }
}

/// For how long nothing may have written to a file that is taken for whole. Times of files stand still for 10 ms between
/// two ticks of the system's clock; a writer in the midst of a file may have to wait for a core longer than that. This
/// module's own tests and libFuzzer write files by the thousand, each once and before it is read.
const QUIET_NS: i64 = if cfg!(any(test, fuzzing)) { 0 } else { 100_000_000 };
/// One long write keeps the time at which it began. After so long it is over.
const FRESH_NS: i64 = 2_000_000_000;
/// How often a file that changes is read again.
const TRIES: usize = 4;

fn now_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// Opens a regular file that is not empty. The error is a reason to skip it.
pub(super) fn open(path: &Path) -> Result<(File, Stamp), Reason> {
    let file = match trouble::open(path) {
        Ok(file) => file,
        // A socket cannot be opened at all.
        Err(error) => {
            return Err(match std::fs::metadata(path) {
                Ok(metadata) if !metadata.is_file() => kind(&metadata),
                _ => Reason::new(Kind::Unreadable, format!("cannot be opened: {error}")),
            });
        }
    };
    let unexamined = |error| Reason::new(Kind::Unreadable, format!("cannot be examined: {error}"));
    let metadata = trouble::metadata(&file).map_err(unexamined)?;
    if !metadata.is_file() {
        return Err(kind(&metadata));
    }
    if metadata.len() == 0 {
        return Err(Reason::new(Kind::ZeroBytes, "has zero bytes"));
    }
    let stamp = Stamp::of(&metadata);
    Ok((file, stamp))
}

fn kind(metadata: &Metadata) -> Reason {
    match metadata.is_dir() {
        true => Reason::new(Kind::Directory, "is a directory, not a file"),
        false => Reason::new(Kind::NotAFile, "is a pipe, a socket or a device, not a file"),
    }
}

/// The bytes of one file, in memory or on disk.
#[derive(Clone)]
pub(super) enum Content {
    Memory(Bytes),
    Disk(Arc<OnDisk>),
}

/// A file that is read piece by piece.
pub(super) struct OnDisk {
    file: File,
    state: State,
    /// The hash of its bytes, where the file was so fresh that it has to be compared afterwards.
    fresh_hash: OnceLock<u128>,
}

/// Why a file is skipped that is not as it was.
pub(super) fn changed() -> Reason {
    unsettled("changed since it was surveyed")
}

/// Why a file is skipped that is being written to.
fn changing() -> Reason {
    unsettled("changed while it was read")
}

fn unsettled(what: &str) -> Reason {
    Reason::new(Kind::Changed, what).or(Remedy::Do("run again when nothing writes to it".to_owned()))
}

impl Content {
    /// Opens the file at `path` to read it piece by piece, whatever it is.
    pub(super) fn open(path: &Path) -> Result<(Content, Stamp), Reason> {
        let (file, stamp) = open(path)?;
        let state = State::of(&file)?;
        Ok((Content::Disk(Arc::new(OnDisk { file, state, fresh_hash: OnceLock::new() })), stamp))
    }

    /// Opens the file at `path` and takes its bytes, all at once if there are at most `whole`. `expected` is what the
    /// survey saw.
    pub(super) fn load(path: &Path, expected: Stamp, whole: u64) -> Result<Content, Reason> {
        let (file, stamp) = open(path)?;
        if stamp != expected {
            return Err(changed());
        }
        Content::take(file, stamp, whole)
    }

    /// Opens the file at `path`, which no survey has seen, and takes its bytes, all at once if there are at most `free`.
    pub(super) fn named(path: &Path, free: u64) -> Result<Content, Reason> {
        let (file, stamp) = open(path)?;
        Content::take(file, stamp, free.min(WHOLE))
    }

    fn take(file: File, stamp: Stamp, whole: u64) -> Result<Content, Reason> {
        let state = State::of(&file)?;
        if stamp.byte_len > whole {
            return Ok(Content::Disk(Arc::new(OnDisk { file, state, fresh_hash: OnceLock::new() })));
        }
        let mut bytes = read_whole(&file, stamp.byte_len)?;
        if state.is_fresh() {
            // Its times may be those of a write that is not over: only what is read twice alike is whole.
            let mut is_same = false;
            for _ in 0..TRIES {
                state.wait_for_quiet();
                is_same = holds(&file, &bytes)?;
                if is_same {
                    break;
                }
                bytes = read_whole(&file, stamp.byte_len)?;
            }
            if !is_same {
                return Err(changing());
            }
        }
        if bytes.len() as u64 != stamp.byte_len || State::of(&file)? != state || stamp != state.stamp {
            return Err(changed());
        }
        Ok(Content::Memory(Bytes::from(bytes)))
    }

    /// Refuses a file that is far longer than the `used` bytes that it says it has: to read a hole of a terabyte takes
    /// hours, whatever lies behind it. What formats let lie between is indexes, padding and older footers.
    ///
    /// # Errors
    /// The reason to skip the file.
    pub(super) fn check_used(&self, used: u64) -> Result<(), Reason> {
        let len = self.len();
        if len <= used.saturating_mul(4).saturating_add(UNUSED) {
            return Ok(());
        }
        let what = format!("its footer accounts for {} MiB of its {} GiB", used.div_ceil(1 << 20), len >> 30);
        Err(Reason::damaged(what).or(Remedy::Do("write the file anew".to_owned())))
    }

    /// Whether all that was read so far is of one state of the file. To be asked after reading: what lies on disk may
    /// be written to at any time.
    ///
    /// # Errors
    /// A reason to skip the file, when it has changed.
    pub(super) fn check_unchanged(&self) -> Result<(), Reason> {
        let Content::Disk(disk) = self else { return Ok(()) };
        if let Some(&before) = disk.fresh_hash.get() {
            disk.state.wait_for_quiet();
            if disk.hash()? != before {
                return Err(changing());
            }
        }
        if State::of(&disk.file)? == disk.state { Ok(()) } else { Err(changed()) }
    }

    /// XXH3-128 of all bytes.
    pub(super) fn hash(&self) -> Result<u128, Reason> {
        match self {
            Content::Memory(bytes) => Ok(XxHash3_128::oneshot(bytes)),
            Content::Disk(disk) => {
                let is_fresh = disk.state.is_fresh();
                let hash = disk.hash()?;
                if is_fresh {
                    disk.fresh_hash.get_or_init(|| hash);
                }
                Ok(hash)
            }
        }
    }

    /// The range `start..start + len`, checked against the length of the file.
    pub(super) fn range(&self, start: u64, len: usize) -> io::Result<Bytes> {
        let beyond = || io::Error::new(io::ErrorKind::UnexpectedEof, "a range reaches beyond the end of the file");
        let end = start.checked_add(len as u64).filter(|end| *end <= self.len()).ok_or_else(beyond)?;
        match self {
            Content::Memory(bytes) => Ok(bytes.slice(start as usize..end as usize)),
            Content::Disk(disk) => {
                let mut buffer = trouble::room(len)?;
                buffer.resize(len, 0);
                trouble::read_exact_at(&disk.file, &mut buffer, start)?;
                Ok(Bytes::from(buffer))
            }
        }
    }
}

/// XXH3-128 of all bytes of the file at `path`, which looks like `expected`.
pub(super) fn hash_of(path: &Path, expected: Stamp) -> Result<u128, Reason> {
    let content = Content::load(path, expected, 0)?;
    let hash = content.hash()?;
    content.check_unchanged()?;
    Ok(hash)
}

impl OnDisk {
    fn hash(&self) -> Result<u128, Reason> {
        let mut hasher = XxHash3_128::new();
        for_each_part(&self.file, self.state.stamp.byte_len, |part, _| {
            hasher.write(part);
            true
        })?;
        Ok(hasher.finish_128())
    }
}

/// All bytes of a file of this length, and one more if it has grown.
fn read_whole(file: &File, byte_len: u64) -> Result<Vec<u8>, Reason> {
    trouble::read_first(file, byte_len as usize + 1).map_err(unreadable)
}

/// Whether the file still begins with `bytes`.
fn holds(file: &File, bytes: &[u8]) -> Result<bool, Reason> {
    for_each_part(file, bytes.len() as u64, |part, at| part == &bytes[at as usize..][..part.len()])
}

/// Calls `each` with the bytes of a file part by part and where each begins, until it says no; what it said last.
fn for_each_part(file: &File, byte_len: u64, mut each: impl FnMut(&[u8], u64) -> bool) -> Result<bool, Reason> {
    let mut buffer = vec![0; byte_len.min(1 << 20) as usize];
    let mut at = 0;
    while at < byte_len {
        let part = (byte_len - at).min(buffer.len() as u64) as usize;
        match trouble::read_exact_at(file, &mut buffer[..part], at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read.map_err(unreadable)?,
        }
        if !each(&buffer[..part], at) {
            return Ok(false);
        }
        at += part as u64;
    }
    Ok(true)
}

pub(super) fn unreadable(error: io::Error) -> Reason {
    Reason::new(Kind::Unreadable, format!("cannot be read: {error}"))
}

impl Length for Content {
    fn len(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Disk(disk) => disk.state.stamp.byte_len,
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
            Content::Disk(disk) => Ok(Cursor::Disk(io::BufReader::new(At { disk: Arc::clone(disk), at: start }))),
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
    disk: Arc<OnDisk>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = trouble::read_at(&self.disk.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// The first of `items` that fails by itself; `fails` is asked of halves, since it may take as long for one as for all.
pub(super) fn first_failing<T>(items: &[T], fails: impl Fn(&[T]) -> bool) -> Option<&T> {
    let mut some = items;
    while some.len() > 1 {
        let (first, rest) = some.split_at(some.len() / 2);
        some = if fails(first) { first } else { rest };
    }
    some.first().filter(|_| fails(some))
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode`, which hands bytes of a file to the Parquet or Arrow decoder; a panic in there becomes a reason.
///
/// The decoder checks much, but not everything: on damaged files it has indexed out of bounds, and every release of
/// it fixes some such place. One bad file must not end a run over thousands. What `decode` touches is dropped by
/// the unwinding or thrown away by the caller on `Err`, so nothing half-changed is seen afterwards.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
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
        Err(Reason::damaged(format_args!("the decoder gave up ({message})")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fails_is_found_in_few_steps() {
        for (count, bad) in
            [(1, vec![0]), (1, vec![]), (7, vec![6]), (1000, vec![999, 500]), (1000, vec![0]), (9, vec![])]
        {
            let items: Vec<usize> = (0..count).collect();
            let asked = Cell::new(0);
            let found = first_failing(&items, |some| {
                asked.set(asked.get() + 1);
                some.iter().any(|item| bad.contains(item))
            });
            assert_eq!(found, bad.iter().min());
            assert!(asked.get() <= 11, "{} of {count}", asked.get());
        }
        assert_eq!(first_failing(&[0; 0], |_| true), None);
    }
}
