//! A directory held open. What lies in it is reached from there, one name after the other and never through a symbolic
//! link: whatever another program puts below it, nothing outside is read, replaced or removed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

use super::disk::{TO_READ, link, named, regular};
use super::{Disk, DiskFile, Operation};
use crate::error::{Error, Result};

/// How a directory below another is opened.
const BELOW: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory held open. Paths below it are relative, with `/` between names.
#[derive(Clone)]
pub(crate) struct Dir {
    disk: Disk,
    handle: Arc<OwnedFd>,
    path: PathBuf,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) kind: FileType,
    pub(crate) byte_len: u64,
    /// Modification time, nanoseconds since 1970.
    pub(crate) modified_ns: i64,
}

impl Found {
    fn of(stat: &Stat) -> Found {
        let modified_ns = stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec as i64);
        Found { kind: FileType::from_raw_mode(stat.st_mode), byte_len: stat.st_size as u64, modified_ns }
    }

    pub(crate) fn is_file(self) -> bool {
        self.kind == FileType::RegularFile
    }
}

impl Dir {
    /// Opens the directory at `path`. The path itself may lead through links: it is what the user named.
    ///
    /// # Errors
    /// When it is not there, is no directory, or the system refuses.
    pub(crate) fn open(disk: &Disk, path: &Path) -> Result<Dir> {
        let handle = open_named(path).map_err(failed("open", path))?;
        Ok(Dir { disk: disk.clone(), handle: Arc::new(handle), path: path.to_owned() })
    }

    /// The disk it is on.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that holds the file at `path` below this one, and the file's name in it; `None` where there is no
    /// such directory.
    ///
    /// # Errors
    /// When a link stands on the way, or the system refuses.
    pub(crate) fn holder<'p>(&self, path: &'p str) -> Result<Option<(Dir, &'p str)>> {
        let (dirs, name) = split(path);
        let mut dir = self.clone();
        for part in dirs {
            match dir.enter(part)? {
                Some(below) => dir = below,
                None => return Ok(None),
            }
        }
        Ok(Some((dir, name)))
    }

    /// As [`holder`](Dir::holder), where missing directories are made.
    ///
    /// # Errors
    /// When a link or a file stands on the way, or the system refuses.
    pub(crate) fn make_holder<'p>(&self, path: &'p str) -> Result<(Dir, &'p str)> {
        let (dirs, name) = split(path);
        let mut dir = self.clone();
        for part in dirs {
            dir = match dir.enter(part)? {
                Some(below) => below,
                None => dir.make(part)?,
            };
        }
        Ok((dir, name))
    }

    /// The directory `name`; `None` where there is none.
    ///
    /// # Errors
    /// When it is a link, or the system refuses.
    pub(crate) fn enter(&self, name: &str) -> Result<Option<Dir>> {
        let path = self.path.join(name);
        match rustix::fs::openat(&self.handle, name, BELOW, Mode::empty()) {
            Ok(handle) => Ok(Some(Dir { disk: self.disk.clone(), handle: Arc::new(handle), path })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => match self.look(name)? {
                Some(found) if found.kind == FileType::Symlink => Err(is_link(&path)),
                Some(found) if found.kind != FileType::Directory => Ok(None),
                _ => Err(failed("open", &path)(errno)),
            },
        }
    }

    /// Makes the directory `name`, unless it is there.
    ///
    /// # Errors
    /// When a link or a file stands there, or the system refuses.
    pub(crate) fn make(&self, name: &str) -> Result<Dir> {
        let path = self.path.join(name);
        self.disk.before(Operation::CreateDir(&path)).map_err(Error::io("create directory", &path))?;
        match rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("create directory", &path)(errno)),
        }
        self.enter(name)?.ok_or_else(|| failed("create directory", &path)(Errno::NOTDIR))
    }

    /// What stands under `name`; `None` where nothing does. A link is not followed.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn look(&self, name: &str) -> Result<Option<Found>> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Found::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("examine", &self.path.join(name))(errno)),
        }
    }

    /// As [`look`](Dir::look), for a path below this directory.
    ///
    /// # Errors
    /// As [`holder`](Dir::holder).
    pub(crate) fn look_below(&self, path: &str) -> Result<Option<Found>> {
        self.holder(path)?.map_or(Ok(None), |(dir, name)| dir.look(name))
    }

    /// The names of what is in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let refused = || Error::io("read directory", &self.path);
        let dir = rustix::fs::Dir::read_from(&self.handle).map_err(failed("read directory", &self.path))?;
        names_of(dir).map(|name| Ok(name.map_err(refused())?.to_string_lossy().into_owned())).collect()
    }

    /// Opens the file at `path` below this directory to read it; `None` where nothing is.
    ///
    /// # Errors
    /// When it is no regular file, a link stands on the way, or the system refuses.
    pub(crate) fn open_file(&self, path: &str) -> Result<Option<File>> {
        let Some((dir, name)) = self.holder(path)? else { return Ok(None) };
        let at = dir.path.join(name);
        let no_file = || {
            let way_out = "move it away, and try again";
            Err(Error::refused(format!("{} is not a regular file", at.display()), way_out).about(&at))
        };
        let file = match rustix::fs::openat(&dir.handle, name, TO_READ, Mode::empty()) {
            Ok(handle) => File::from(handle),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(is_link(&at)),
            // A socket.
            Err(Errno::NXIO) => return no_file(),
            Err(errno) => return Err(failed("open", &at)(errno)),
        };
        if file.metadata().map_err(Error::io("examine", &at))?.is_file() { Ok(Some(file)) } else { no_file() }
    }

    /// Opens the file `name` to read and to write it, and makes it where there is none.
    ///
    /// # Errors
    /// When it is no regular file, or the system refuses.
    pub(crate) fn open_or_create(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.handle, name, flags, Mode::from_raw_mode(0o666));
        let opened = opened.map_err(|errno| named(errno.into())).map(File::from).and_then(regular);
        opened.map_err(Error::io("open", &path))
    }

    /// Whether `file` is the one under `name`.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn has(&self, name: &str, file: &File) -> Result<bool> {
        let path = self.path.join(name);
        let refused = || failed("examine", &path);
        let ours = rustix::fs::fstat(file).map_err(refused())?;
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok((there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(refused()(errno)),
        }
    }

    /// Makes the file `name`, which must not exist yet.
    ///
    /// # Errors
    /// When it exists, or the system refuses.
    pub(crate) fn create(&self, name: &str) -> Result<DiskFile> {
        let path = self.path.join(name);
        self.disk.before(Operation::Create(&path)).map_err(Error::io("create", &path))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, name, flags, Mode::from_raw_mode(0o666));
        let file = File::from(handle.map_err(failed("create", &path))?);
        Ok(DiskFile { disk: self.disk.clone(), file, path })
    }

    /// Gives `from` the name `to`, replacing what stands there; a link itself, not where it leads.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.take(self, from, to)
    }

    /// As [`rename`](Dir::rename), of a file in the directory `other`, which must be on the same file system.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn take(&self, other: &Dir, from: &str, to: &str) -> Result<()> {
        let (path, target) = (other.path.join(from), self.path.join(to));
        self.disk.before(Operation::Rename(&path, &target)).map_err(Error::io("rename to", &target))?;
        rustix::fs::renameat(&other.handle, from, &self.handle, to).map_err(failed("rename to", &target))
    }

    /// Gives a file in the directory `other`, which must be on the same file system, the further name `to`, replacing what
    /// stands there. Where files have one name each, it loses its own.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn link(&self, other: &Dir, from: &str, to: &str) -> Result<()> {
        if self.look(to)?.is_some() {
            self.remove(to)?;
        }
        let (path, target) = (other.path.join(from), self.path.join(to));
        let link = || Ok(rustix::fs::linkat(&other.handle, from, &self.handle, to, AtFlags::empty())?);
        match self.disk.before(Operation::Link(&path, &target)).and_then(|()| link()) {
            Err(error) if has_no_links(&error) => self.take(other, from, to),
            linked => linked.map_err(Error::io("link to", &target)),
        }
    }

    /// Removes the file `name`; that it is gone already is no error.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        self.disk.before(Operation::Remove(&path)).map_err(Error::io("remove", &path))?;
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed("remove", &path)(errno)),
        }
    }

    /// Writes one file so that it survives a crash: under the name `temporary`, then synced, renamed, and the directory
    /// synced. What stands under either name is replaced.
    ///
    /// # Errors
    /// When the system refuses; then `temporary` is gone.
    pub(crate) fn put(&self, temporary: &str, name: &str, bytes: &[u8]) -> Result<()> {
        self.put_parts(temporary, name, std::iter::once(bytes))
    }

    /// As [`put`](Dir::put), of bytes that lie in several places.
    pub(crate) fn put_parts<'b>(
        &self,
        temporary: &str,
        name: &str,
        parts: impl Iterator<Item = &'b [u8]>,
    ) -> Result<()> {
        self.remove(temporary)?;
        let file = self.create(temporary)?;
        let mut offset = 0;
        let mut write = |part: &[u8]| {
            let written = file.write_at(part, offset);
            offset += part.len() as u64;
            written
        };
        let written = parts.into_iter().try_for_each(&mut write);
        let written = written.and_then(|()| file.sync()).and_then(|()| self.rename(temporary, name));
        written.inspect_err(|_| {
            // The first error says more than one about the leftover.
            let _ = self.remove(temporary);
        })?;
        self.sync()
    }

    /// Makes the names of the directories on the way to `path` survive a crash.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn sync_dirs(&self, path: &str) -> Result<()> {
        let mut dir = self.clone();
        for part in split(path).0 {
            dir.sync()?;
            match dir.enter(part)? {
                Some(below) => dir = below,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Removes the directory `name` if nothing is in it; whether it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn remove_empty(&self, name: &str) -> Result<bool> {
        let path = self.path.join(name);
        self.disk.before(Operation::Remove(&path)).map_err(Error::io("remove", &path))?;
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(errno) => Err(failed("remove", &path)(errno)),
        }
    }

    /// Makes its names survive a crash.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn sync(&self) -> Result<()> {
        self.disk.before(Operation::SyncDir(&self.path)).map_err(Error::io("sync directory", &self.path))?;
        rustix::fs::fsync(&self.handle).map_err(failed("sync directory", &self.path))
    }
}

/// The names of what is in the directory at `path`. As `std::fs::read_dir`, which panics where the system fails to
/// close a directory.
///
/// # Errors
/// When it is no directory, or the system refuses.
pub fn list(path: &Path) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
    Ok(names_of(rustix::fs::Dir::new(open_named(path)?)?))
}

fn open_named(path: &Path) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()))
}

fn names_of(dir: rustix::fs::Dir) -> impl Iterator<Item = io::Result<OsString>> {
    let name_of = |entry: rustix::io::Result<rustix::fs::DirEntry>| match entry {
        Ok(entry) if entry.file_name() == c"." || entry.file_name() == c".." => None,
        entry => {
            Some(entry.map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()).map_err(Into::into))
        }
    };
    dir.filter_map(name_of)
}

/// The directories of a relative path, and its last name.
fn split(path: &str) -> (impl Iterator<Item = &str>, &str) {
    let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
    (dirs.split('/').filter(|part| !part.is_empty()), name)
}

/// Whether a file cannot have a further name where it is.
fn has_no_links(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::io(action, path)(errno.into())
}

fn is_link(path: &Path) -> Error {
    Error::io("open", path)(link())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory, and a link in it that leads out.
    fn linked() -> (tempfile::TempDir, Dir) {
        let place = tempfile::tempdir().unwrap();
        for name in ["out", "elsewhere"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        fs::write(place.path().join("elsewhere/x"), "mine").unwrap();
        symlink("../elsewhere", place.path().join("out/link")).unwrap();
        symlink("../elsewhere/x", place.path().join("out/file")).unwrap();
        let dir = Dir::open(&Disk::default(), &place.path().join("out")).unwrap();
        (place, dir)
    }

    #[test]
    fn a_list_has_each_name_once_and_neither_the_directory_nor_the_one_above() {
        let place = tempfile::tempdir().unwrap();
        // More than one reading brings, and one that is no text.
        let mut made: Vec<OsString> = (0..3000).map(|at| format!("{at}-{}", "x".repeat(at % 200)).into()).collect();
        made.push(OsStr::from_bytes(b".\xff").to_owned());
        made.iter().for_each(|name| drop(File::create(place.path().join(name)).unwrap()));
        let mut found: Vec<OsString> = list(place.path()).unwrap().map(Result::unwrap).collect();
        made.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, made);
        let refused = |path: &Path| list(path).map(drop).unwrap_err().kind();
        assert_eq!(refused(&place.path().join("0-")), io::ErrorKind::NotADirectory);
        assert_eq!(refused(&place.path().join("none")), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_link_below_is_followed() {
        let (place, dir) = linked();
        for refused in [
            dir.holder("link/x").map(drop),
            dir.make_holder("link/new/x").map(drop),
            dir.look_below("link/x").map(drop),
            dir.open_file("link/x").map(drop),
            dir.open_file("file").map(drop),
        ] {
            let Err(Error::Io { source, .. }) = refused else { panic!("{refused:?}") };
            assert!(source.to_string().contains("it is a link, which is not followed"), "{source}");
        }
        dir.put("t", "file", b"new").unwrap();
        assert_eq!(fs::read(place.path().join("out/file")).unwrap(), b"new");
        dir.remove("link").unwrap();
        assert_eq!(fs::read(place.path().join("elsewhere/x")).unwrap(), b"mine");
    }

    /// Names in /proc are made up, and cannot be synced, which nothing but the call itself can find out.
    #[test]
    #[cfg(target_os = "linux")]
    fn syncs_reach_the_kernel() {
        let dir = Dir::open(&Disk::default(), Path::new("/proc/self")).unwrap();
        assert!(matches!(dir.sync(), Err(Error::Io { action: "sync directory", .. })));
    }

    #[test]
    fn a_directory_that_is_named_by_a_link_is_opened() {
        let (place, _) = linked();
        let dir = Dir::open(&Disk::default(), &place.path().join("out/link")).unwrap();
        assert_eq!(dir.names().unwrap(), ["x"]);
    }

    #[test]
    fn missing_directories_are_made_and_files_in_their_place_are_told() {
        let (place, dir) = linked();
        assert!(dir.holder("a/b/x").unwrap().is_none());
        let (made, name) = dir.make_holder("a/b/x").unwrap();
        assert_eq!((made.path(), name), (&*place.path().join("out/a/b"), "x"));
        fs::write(place.path().join("out/flat"), "mine").unwrap();
        assert!(dir.holder("flat/x").unwrap().is_none());
        assert!(matches!(dir.make_holder("flat/x"), Err(Error::Io { .. })));
    }
}
