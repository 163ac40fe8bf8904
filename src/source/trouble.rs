//! Failures of the machine while a file is opened or read: too many open files, a disk or a server that does not answer.
//! They are nothing that is wrong with the file, and leaving it out would lose its rows; so they fail the whole run.
//!
//! Reasons pass through decoders as text, so the failure itself is kept aside, for the thread that reads the file.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use crate::error::{Error, Result};

thread_local! {
    /// The last failure of the machine on this thread since it opened a file.
    static TROUBLE: RefCell<Option<io::Error>> = const { RefCell::new(None) };
    /// Whether the file that this thread opened last is to fail in a test.
    static IS_INJECTED: Cell<bool> = const { Cell::new(false) };
}

/// How long to wait before a file is opened again, in milliseconds: other workers close theirs meanwhile.
const WAITS: [u64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 400];

/// How often a signal may interrupt one reading.
const MOST_SIGNALS: usize = 1000;

/// Opens a file to read, and again where the system had too little of something for a moment.
pub(super) fn open(path: &Path) -> io::Result<File> {
    TROUBLE.set(None);
    IS_INJECTED.set(is_injected(path));
    // Without O_NONBLOCK opening a FIFO would wait for a writer, forever if none comes.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let once = || match injected("open") {
        Some(error) => Err(error),
        None => OpenOptions::new().read(true).custom_flags(nonblocking).open(path),
    };
    let mut opened = once();
    for wait in WAITS {
        match &opened {
            Err(error) if passes(error) => thread::sleep(Duration::from_millis(wait)),
            _ => break,
        }
        opened = once();
    }
    opened.map_err(note)
}

/// What the system says of an open file.
pub(super) fn metadata(file: &File) -> io::Result<Metadata> {
    injected("examine").map_or_else(|| file.metadata(), Err).map_err(note)
}

/// What the system says of the file at `path`, without opening it.
pub(super) fn look(path: &Path) -> io::Result<Metadata> {
    IS_INJECTED.set(is_injected(path));
    injected("look").map_or_else(|| fs::metadata(path), Err)
}

/// Bytes of `file` from `at` on, as many as come at once; none at its end.
pub(super) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    read(|| pread(file, &mut *buffer, at))
}

/// All of `buffer` from the bytes of `file` from `at` on.
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match read_at(file, &mut buffer[done..], at + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => done += count,
        }
    }
    Ok(())
}

/// The first `len` bytes of `file`; fewer where it ends before.
pub(super) fn read_first(file: &File, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = room(len)?;
    while bytes.len() < len {
        let at = bytes.len() as u64;
        if read(|| pread(file, spare_capacity(&mut bytes), at))? == 0 {
            break;
        }
    }
    Ok(bytes)
}

/// Room for so many bytes.
pub(super) fn room(len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|error| note(error.into()))?;
    Ok(bytes)
}

/// One reading, which a signal does not end; where each try is interrupted, something else is wrong.
fn read(mut once: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
    let mut once = || injected("read").map_or_else(|| once().map_err(io::Error::from), Err);
    let mut done = once();
    for _ in 0..MOST_SIGNALS {
        match &done {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => done = once(),
            _ => break,
        }
    }
    done.map_err(note)
}

/// Keeps `error` in mind if it is the machine's.
fn note(error: io::Error) -> io::Error {
    if !is_of_file(&error) {
        TROUBLE.set(Some(match error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => error.kind().into(),
        }));
    }
    error
}

/// Whether `error` says something about the file: that it is gone, closed to us, or damaged by its file system's account.
pub(super) fn is_of_file(error: &io::Error) -> bool {
    const OF_FILES: [Errno; 12] = [
        Errno::NOENT,
        Errno::ACCESS,
        Errno::PERM,
        Errno::LOOP,
        Errno::NAMETOOLONG,
        Errno::NOTDIR,
        Errno::ISDIR,
        Errno::NXIO,
        Errno::NODEV,
        Errno::INVAL,
        Errno::OVERFLOW,
        Errno::BADMSG,
    ];
    match Errno::from_io_error(error) {
        Some(errno) => OF_FILES.contains(&errno),
        None => error.kind() != io::ErrorKind::OutOfMemory,
    }
}

/// Whether `error` may be over in a moment.
fn passes(error: &io::Error) -> bool {
    let errnos = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR, Errno::AGAIN, Errno::STALE];
    Errno::from_io_error(error).is_some_and(|errno| errnos.contains(&errno))
}

/// Whether what this thread just failed to read at `path` is the file's own fault; to be asked where a file is about to
/// be left out.
///
/// # Errors
/// [`Error::Io`] where it was the machine's.
pub(crate) fn check_machine(path: &Path) -> Result<()> {
    TROUBLE.take().map_or(Ok(()), |error| Err(Error::io("read", path)(error)))
}

/// The failure that a test asks for at this `stage` of reading the file that was opened last.
///
/// Where `TRANSECT_READ_FAILS` is `STAGE:ERRNO:TIMES:NAME`, so many of what STAGE is (`look`, `open`, `examine`, `read`)
/// of files whose paths end in NAME fail with that error; with TIMES written `+N`, the one after N others.
#[cfg(feature = "failpoints")]
fn injected(stage: &str) -> Option<io::Error> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static FAILED: AtomicU64 = AtomicU64::new(0);
    let asked = std::env::var("TRANSECT_READ_FAILS").ok().filter(|_| IS_INJECTED.get())?;
    let [wanted, errno, times, _] = asked.splitn(4, ':').collect::<Vec<_>>()[..] else { return None };
    let number = (wanted == stage).then(|| FAILED.fetch_add(1, Ordering::SeqCst))?;
    let is_due = match times.strip_prefix('+') {
        Some(before) => number == before.parse::<u64>().ok()?,
        None => number < times.parse().ok()?,
    };
    is_due.then_some(io::Error::from_raw_os_error(errno.parse().ok()?))
}

#[cfg(not(feature = "failpoints"))]
fn injected(_stage: &str) -> Option<io::Error> {
    None
}

fn is_injected(path: &Path) -> bool {
    let name = |asked: String| Some(asked.splitn(4, ':').nth(3)?.to_owned());
    cfg!(feature = "failpoints")
        && std::env::var("TRANSECT_READ_FAILS").ok().and_then(name).is_some_and(|name| path.ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_there_is_no_fault_of_the_file() {
        assert_eq!(room(isize::MAX as usize).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        let Err(Error::Io { source, .. }) = check_machine(Path::new("f")) else { panic!("left out") };
        assert_eq!(source.kind(), io::ErrorKind::OutOfMemory);
        assert!(check_machine(Path::new("f")).is_ok(), "told once");
    }

    #[test]
    fn reading_goes_to_the_end_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, b"0123456789").unwrap();
        let file = open(&path).unwrap();
        for (len, bytes) in [(0, &b""[..]), (4, b"0123"), (10, b"0123456789"), (11, b"0123456789")] {
            let read = read_first(&file, len).unwrap();
            assert!(read.starts_with(bytes) && (read.len() == bytes.len() || len < 10), "{len}: {read:?}");
        }
        let mut buffer = [0; 4];
        read_exact_at(&file, &mut buffer, 6).unwrap();
        assert_eq!(&buffer, b"6789");
        assert_eq!(read_exact_at(&file, &mut buffer, 7).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(check_machine(&path).is_ok(), "a file that ends early is the file's");
    }
}
