//! Files that survive a crash whole: written under a temporary name, synced, renamed, directory synced.
//!
//! Every change to a store's or an output's directory goes through a [`Disk`], which is the seam where tests make the
//! n-th operation fail, and see what is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// One operation about to happen; what a test's hook sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Make a directory.
    CreateDir(&'a Path),
    /// Make a file that does not exist.
    Create(&'a Path),
    /// Write bytes to a file, at an offset.
    Write(&'a Path, u64, &'a [u8]),
    /// Sync a file's bytes.
    Sync(&'a Path),
    /// Give a file its final name.
    Rename(&'a Path, &'a Path),
    /// Give a file a further name.
    Link(&'a Path, &'a Path),
    /// Sync a directory's names.
    SyncDir(&'a Path),
    /// Remove a file, or an empty directory.
    Remove(&'a Path),
}

type Hook = dyn Fn(Operation<'_>) -> io::Result<()> + Send + Sync;

/// The file system, with a seam before each operation.
#[derive(Clone)]
#[cfg_attr(not(feature = "failpoints"), derive(Default))]
pub struct Disk {
    hook: Option<Arc<Hook>>,
    /// The last number drawn, where they are counted.
    drawn: Option<Arc<AtomicU64>>,
}

/// For tests of the binary: where `TRANSECT_KILL_AT` counts to one of the process's operations, from 0, the process
/// kills itself before it.
#[cfg(feature = "failpoints")]
impl Default for Disk {
    fn default() -> Disk {
        static DONE: AtomicU64 = AtomicU64::new(0);
        let kill_at = std::env::var("TRANSECT_KILL_AT").ok().and_then(|at| at.parse::<u64>().ok());
        let Some(kill_at) = kill_at else { return Disk { hook: None, drawn: None } };
        Disk::with_hook(move |_| match DONE.fetch_add(1, Ordering::SeqCst) == kill_at {
            true => Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?),
            false => Ok(()),
        })
    }
}

impl Disk {
    /// A disk that asks `hook` before each operation and fails it with the hook's error. For tests.
    pub fn with_hook(hook: impl Fn(Operation<'_>) -> io::Result<()> + Send + Sync + 'static) -> Disk {
        Disk { hook: Some(Arc::new(hook)), drawn: None }
    }

    /// This disk, with 1, 2, 3 and so on for random numbers. For tests that compare bytes.
    pub fn counting(mut self) -> Disk {
        self.drawn = Some(Arc::default());
        self
    }

    /// A random number that is not 0.
    pub(crate) fn draw(&self) -> Result<u64> {
        if let Some(drawn) = &self.drawn {
            return Ok(drawn.fetch_add(1, Ordering::SeqCst) + 1);
        }
        let drawn = getrandom::u64().map_err(Error::failed("draw a random number"))?;
        Ok(drawn.max(1))
    }

    pub(super) fn before(&self, operation: Operation<'_>) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(operation))
    }

    /// As [`create_dir`](Disk::create_dir), and syncs the names of what it makes; that of `path` in any case, since whoever
    /// made it may have died before that.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn create_dir_to_stay(&self, path: &Path) -> Result<()> {
        let parent = |dir: &Path| match dir.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Some(PathBuf::from(".")),
            parent => parent.map(Path::to_owned),
        };
        let missing_parents = path.ancestors().skip(1).take_while(|dir| !dir.exists());
        let to_sync: Vec<PathBuf> = std::iter::once(path).chain(missing_parents).filter_map(parent).collect();
        self.create_dir(path)?;
        to_sync.iter().try_for_each(|dir| self.sync_dir(dir))
    }

    /// Makes `path` and its missing parents.
    pub(crate) fn create_dir(&self, path: &Path) -> Result<()> {
        self.before(Operation::CreateDir(path))
            .and_then(|()| fs::create_dir_all(path))
            .map_err(Error::io("create directory", path))
    }

    /// Writes over what `file`, which is at `path`, has from its start, and syncs it: for few bytes, and as many as
    /// before.
    pub(crate) fn rewrite(&self, file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
        self.before(Operation::Write(path, 0, bytes))
            .and_then(|()| file.write_all_at(bytes, 0))
            .map_err(Error::io("write", path))?;
        self.before(Operation::Sync(path)).and_then(|()| file.sync_all()).map_err(Error::io("sync", path))
    }

    /// Makes the names in `path` survive a crash.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<()> {
        self.before(Operation::SyncDir(path))
            .and_then(|()| File::open(path)?.sync_all())
            .map_err(Error::io("sync directory", path))
    }

    /// Removes a directory if nothing is in it; whether it is gone.
    pub(crate) fn remove_empty_dir(&self, path: &Path) -> Result<bool> {
        match self.before(Operation::Remove(path)).and_then(|()| gone(fs::remove_dir(path))) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            removed => removed.map(|()| true).map_err(Error::io("remove", path)),
        }
    }
}

/// How a file is opened to read. Under the name of one there may be something else: a link to a file that is not ours,
/// or a FIFO, whose writer would be waited for.
pub(super) const TO_READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a file to read.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(TO_READ.bits() as i32).open(path).map_err(named).and_then(regular)
}

/// As [`open`], a file in a directory of ours, which is no link either; its parents may be.
pub(crate) fn open_below(path: &Path) -> io::Result<File> {
    below(path, TO_READ)
}

/// As [`open_below`], and also for writing where this process may, which nobody does: a file that is open to read alone
/// NFS locks for several, and not for one.
pub(crate) fn open_to_lock(path: &Path) -> io::Result<File> {
    below(path, TO_READ.union(OFlags::RDWR)).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => below(path, TO_READ),
        _ => Err(error),
    })
}

fn below(path: &Path, how: OFlags) -> io::Result<File> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return open(path) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::open(dir, flags, Mode::empty()).map_err(|errno| match fs::symlink_metadata(dir) {
        Ok(metadata) if metadata.is_symlink() => not_followed("its directory"),
        _ => errno.into(),
    })?;
    let file = rustix::fs::openat(&handle, name, how, Mode::empty());
    file.map(File::from).map_err(|errno| named(errno.into())).and_then(regular)
}

/// The file, if it is one.
pub(super) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

/// The error of opening what is no file, in words: a link, which is not followed, a socket, or a directory to write to.
pub(super) fn named(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => link(),
        Some(Errno::NXIO | Errno::ISDIR) => no_file(),
        _ => error,
    }
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file; move it away, or put one in its place")
}

/// What is wrong with a link that leads out of a directory of ours.
pub(super) fn link() -> io::Error {
    not_followed("it")
}

fn not_followed(what: &str) -> io::Error {
    let what = format!("{what} is a link, which is not followed; put what it points to in its place");
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A file being written.
pub struct DiskFile {
    pub(super) disk: Disk,
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl DiskFile {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Writes all of `bytes` at `offset`.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_bytes(bytes, offset).map_err(Error::io("write", &self.path))
    }

    fn write_bytes(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk
            .before(Operation::Write(&self.path, offset, bytes))
            .and_then(|()| self.file.write_all_at(bytes, offset))
    }

    /// Gives its bytes back, for a file without a name: nothing of it is left by a crash, so no test need see this, and
    /// what cannot be given back now goes when it is closed.
    pub(crate) fn give_back(&self) {
        let _ = self.file.set_len(0);
    }

    /// Makes its bytes survive a crash. A failed sync is final: the kernel may have dropped the pages, so trying again
    /// could report success for bytes that are lost.
    pub(crate) fn sync(&self) -> Result<()> {
        self.disk
            .before(Operation::Sync(&self.path))
            .and_then(|()| self.file.sync_all())
            .map_err(Error::io("sync", &self.path))
    }
}

/// Files handed over to be synced while the next ones are being made: a disk that is waited for after each file stands
/// still while the next is computed.
pub(crate) struct Syncs {
    /// `None` where files are synced at once.
    beside: Option<mpsc::SyncSender<DiskFile>>,
}

impl Syncs {
    /// Runs `work` with syncs beside it: by a thread of their own, which `waiting` files may wait for. Where that is 0, or
    /// the system has no thread left, they are synced by whoever hands the file over. When it returns, all are synced.
    ///
    /// # Errors
    /// The first sync that failed, after which no other is begun; else the error of `work`.
    pub(crate) fn run<R>(waiting: usize, work: impl FnOnce(&Syncs) -> Result<R>) -> Result<R> {
        if waiting == 0 {
            return work(&Syncs { beside: None });
        }
        let (sender, files) = mpsc::sync_channel::<DiskFile>(waiting);
        thread::scope(|scope| {
            let sync = move || files.into_iter().try_for_each(|file| file.sync());
            let Ok(synced) = thread::Builder::new().spawn_scoped(scope, sync) else {
                return work(&Syncs { beside: None });
            };
            let syncs = Syncs { beside: Some(sender) };
            let result = work(&syncs);
            drop(syncs);
            synced.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            result
        })
    }

    /// Hands over a file that is complete.
    ///
    /// # Errors
    /// When it is synced at once and that fails, or an earlier sync has failed, which [`run`](Syncs::run) then tells.
    pub(crate) fn sync(&self, file: DiskFile) -> Result<()> {
        match &self.beside {
            Some(files) => files.send(file).map_err(|_| Error::Cancelled),
            None => file.sync(),
        }
    }
}

/// Bytes of one write of an [`AlignedWriter`], which is the longest piece of memory that Linux keeps at hand for each
/// core. Longer ones would be mapped by fewer page faults (256 KiB: a third of them), but must be looked for among
/// memory that a virtual machine has given back to its host, and getting it back made a build take half as long again.
const WRITE_LEN: usize = 32 << 10;

/// Writes a file from first to last, each time at a multiple of what one write brings: no page is written twice.
pub(crate) struct AlignedWriter {
    file: DiskFile,
    /// What the next write will bring.
    buffer: Vec<u8>,
    /// Where it will bring it.
    offset: u64,
}

impl AlignedWriter {
    /// Writes `file`, which is empty.
    pub(crate) fn new(file: DiskFile) -> AlignedWriter {
        AlignedWriter { file, buffer: Vec::with_capacity(WRITE_LEN), offset: 0 }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When writing fails.
    pub(crate) fn finish(self) -> Result<DiskFile> {
        self.file.write_at(&self.buffer, self.offset)?;
        Ok(self.file)
    }
}

impl Write for AlignedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == WRITE_LEN {
            self.file.write_bytes(&self.buffer, self.offset)?;
            self.offset += WRITE_LEN as u64;
            self.buffer.clear();
        }
        if let (true, Some(whole)) = (self.buffer.is_empty(), bytes.get(..WRITE_LEN)) {
            self.file.write_bytes(whole, self.offset)?;
            self.offset += WRITE_LEN as u64;
            return Ok(WRITE_LEN);
        }
        let taken = bytes.len().min(WRITE_LEN - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Writes nothing: what is left waits for [`finish`](AlignedWriter::finish).
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A disk that notes what it syncs, and fails to sync a file named `bad`.
    fn disk(synced: &Arc<Mutex<Vec<PathBuf>>>) -> Disk {
        let synced = Arc::clone(synced);
        Disk::with_hook(move |operation| {
            if let Operation::Sync(path) = operation {
                synced.lock().unwrap().push(path.to_owned());
                if path.ends_with("bad") {
                    return Err(io::Error::other("the disk is full of holes"));
                }
            }
            Ok(())
        })
    }

    fn create(disk: &Disk, path: &Path) -> Result<DiskFile> {
        let file = File::create_new(path).map_err(Error::io("create", path))?;
        Ok(DiskFile { disk: disk.clone(), file, path: path.to_owned() })
    }

    #[test]
    fn every_file_handed_over_is_synced_when_the_work_is_done() {
        for waiting in [0, 1, 3] {
            let dir = tempfile::tempdir().unwrap();
            let synced = Arc::default();
            let disk = disk(&synced);
            let paths: Vec<PathBuf> = (0..10).map(|n| dir.path().join(n.to_string())).collect();
            let done = Syncs::run(waiting, |syncs| {
                paths.iter().try_for_each(|path| syncs.sync(create(&disk, path)?))?;
                Ok("done")
            });
            assert_eq!(done.unwrap(), "done");
            assert_eq!(*synced.lock().unwrap(), paths, "{waiting} waiting");
        }
    }

    #[test]
    fn a_failed_sync_is_told_and_ends_the_syncs() {
        for waiting in [0, 1, 3] {
            let dir = tempfile::tempdir().unwrap();
            let synced = Arc::default();
            let disk = disk(&synced);
            let mut handed = 0;
            let done = Syncs::run(waiting, |syncs| {
                for name in ["a", "bad"].into_iter().map(str::to_owned).chain((0..).map(|n| n.to_string())) {
                    syncs.sync(create(&disk, &dir.path().join(name))?)?;
                    handed += 1;
                }
                Ok(())
            });
            assert!(matches!(done, Err(Error::Io { .. })), "{waiting} waiting: {done:?}");
            assert!(handed <= 3 + waiting, "{handed} files went on being made");
            assert_eq!(synced.lock().unwrap().len(), 2, "{waiting} waiting");
        }
    }

    #[test]
    fn work_that_fails_is_told_when_every_sync_succeeds() {
        for waiting in [0, 2] {
            let done: Result<()> = Syncs::run(waiting, |_| Err(Error::refused_unless("no", [])));
            assert!(matches!(done, Err(Error::Refused { .. })));
        }
    }

    #[test]
    fn whatever_comes_is_written_once_in_order_and_aligned() {
        let dir = tempfile::tempdir().unwrap();
        let written: Arc<Mutex<Vec<(u64, usize)>>> = Arc::default();
        let noted = Arc::clone(&written);
        let disk = Disk::with_hook(move |operation| {
            if let Operation::Write(_, offset, bytes) = operation {
                noted.lock().unwrap().push((offset, bytes.len()));
            }
            Ok(())
        });
        for (number, lens) in
            [vec![], vec![5, 0, WRITE_LEN, 7], vec![WRITE_LEN; 2], vec![3 * WRITE_LEN + 1]].iter().enumerate()
        {
            let path = dir.path().join(number.to_string());
            let bytes: Vec<u8> = (0..lens.iter().sum()).map(|n: usize| (n % 251) as u8).collect();
            let mut writer = AlignedWriter::new(create(&disk, &path).unwrap());
            let mut rest = &bytes[..];
            for &len in lens {
                let (next, after) = rest.split_at(len);
                writer.write_all(next).unwrap();
                writer.flush().unwrap();
                rest = after;
            }
            writer.finish().unwrap();
            assert_eq!(fs::read(path).unwrap(), bytes);
            let mut end = 0;
            for (offset, len) in written.lock().unwrap().drain(..) {
                assert_eq!((offset, offset % WRITE_LEN as u64), (end, 0), "{lens:?}");
                end += len as u64;
            }
            assert_eq!(end, bytes.len() as u64, "{lens:?}");
        }
    }

    /// A device to which nothing can be synced says so, which nothing but the call itself can find out.
    #[test]
    #[cfg(target_os = "linux")]
    fn syncs_reach_the_kernel() {
        let path = PathBuf::from("/dev/null");
        assert!(Disk::default().sync_dir(&path).is_err());
        let file = DiskFile { disk: Disk::default(), file: File::open(&path).unwrap(), path };
        assert!(file.sync().is_err());
    }
}
