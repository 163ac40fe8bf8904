//! Failures of the machine while a file is opened or read: too many open files, a disk or a server that does not answer.
//! They are nothing that is wrong with the file, and leaving it out would lose its rows; so they fail the whole run.
//!
//! Reasons pass through decoders as text, so the failure itself is kept aside, for the thread that reads the file.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use crate::error::{Error, Result};

thread_local! {
    /// The last failure of the machine on this thread since it opened a file.
    static TROUBLE: RefCell<Option<io::Error>> = const { RefCell::new(None) };
    /// Whether the file that this thread opened last is to fail in a test.
    static IS_INJECTED: Cell<bool> = const { Cell::new(false) };
}

/// How long to wait before a file is opened again, in milliseconds: other workers close theirs meanwhile.
const WAITS: [u64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 400];

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

/// Keeps `error` in mind if it is the machine's.
pub(super) fn note(error: io::Error) -> io::Error {
    if let Some(number) = error.raw_os_error().filter(|_| !is_of_file(&error)) {
        TROUBLE.set(Some(io::Error::from_raw_os_error(number)));
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
    Errno::from_io_error(error).is_none_or(|errno| OF_FILES.contains(&errno))
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
    let Some(error) = TROUBLE.take() else { return Ok(()) };
    let hint = match Errno::from_io_error(&error) {
        Some(Errno::MFILE) => "; raise `ulimit -n`, or take fewer threads with -j",
        Some(Errno::IO) => "; try again, and move the file away if it is the only one",
        _ => "; try again",
    };
    Err(Error::io("read", path)(io::Error::new(error.kind(), format!("{error}{hint}"))))
}

/// The failure that a test asks for at this `stage` of reading the file that was opened last.
///
/// Where `TRANSECT_READ_FAILS` is `STAGE:ERRNO:TIMES:NAME`, so many openings or readings of files whose paths end in
/// NAME fail with that error.
#[cfg(feature = "failpoints")]
pub(super) fn injected(stage: &str) -> Option<io::Error> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static FAILED: AtomicU64 = AtomicU64::new(0);
    let asked = std::env::var("TRANSECT_READ_FAILS").ok().filter(|_| IS_INJECTED.get())?;
    let [wanted, errno, times, _] = asked.splitn(4, ':').collect::<Vec<_>>()[..] else { return None };
    let is_due = wanted == stage && FAILED.fetch_add(1, Ordering::SeqCst) < times.parse().ok()?;
    is_due.then_some(io::Error::from_raw_os_error(errno.parse().ok()?))
}

#[cfg(not(feature = "failpoints"))]
pub(super) fn injected(_stage: &str) -> Option<io::Error> {
    None
}

fn is_injected(path: &Path) -> bool {
    let name = |asked: String| Some(asked.splitn(4, ':').nth(3)?.to_owned());
    cfg!(feature = "failpoints")
        && std::env::var("TRANSECT_READ_FAILS").ok().and_then(name).is_some_and(|name| path.ends_with(name))
}
