//! A machine that can lose power. It is told each operation of a run, in the order in which they were asked for, and
//! says what its disk may hold afterwards: a file's bytes are safe once the file is synced, a directory's names once
//! the directory is. Whatever else was asked for may have happened, or not, or in part, in any order.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use transect::storage::{Disk, Operation};

use super::panels::paths_in;

/// What a disk writes at once: more may be torn, this is not.
const SECTOR_LEN: u64 = 512;

/// One operation, as it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    CreateDir(PathBuf),
    Create(PathBuf),
    Write(PathBuf, u64, Vec<u8>),
    Sync(PathBuf),
    /// Of a file or a directory. The kernel may have dropped a file's bytes, and say that all is well when asked again.
    FailedSync(PathBuf),
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    SyncDir(PathBuf),
    Remove(PathBuf),
    /// Anything else that failed.
    Failed,
}

impl Step {
    pub fn is_failure(&self) -> bool {
        matches!(self, Step::Failed | Step::FailedSync(_))
    }

    fn of(operation: Operation<'_>) -> Step {
        let owned = Path::to_owned;
        match operation {
            Operation::CreateDir(path) => Step::CreateDir(owned(path)),
            Operation::Create(path) => Step::Create(owned(path)),
            Operation::Write(path, offset, bytes) => Step::Write(owned(path), offset, bytes.to_vec()),
            Operation::Sync(path) => Step::Sync(owned(path)),
            Operation::Rename(from, to) => Step::Rename(owned(from), owned(to)),
            Operation::Link(from, to) => Step::Link(owned(from), owned(to)),
            Operation::SyncDir(path) => Step::SyncDir(owned(path)),
            Operation::Remove(path) => Step::Remove(owned(path)),
        }
    }
}

/// Writes down what a run does to one store.
pub struct Recorder {
    /// The one file that is made without asking the disk first, because all writers make it at once.
    lock: PathBuf,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl Recorder {
    pub fn new(store: &Path) -> Recorder {
        Recorder { lock: store.join("LOCK"), steps: Arc::default() }
    }

    /// A disk that writes everything down.
    pub fn disk(&self) -> Disk {
        self.failing_disk(|_, _| Ok(()))
    }

    /// A disk that writes down what happened. `fails` is asked about each operation, with its number from 0.
    pub fn failing_disk(&self, fails: impl Fn(usize, Operation<'_>) -> io::Result<()> + Send + Sync + 'static) -> Disk {
        let (steps, lock) = (Arc::clone(&self.steps), self.lock.clone());
        let state = Mutex::new((0, lock.exists()));
        Disk::with_hook(move |operation| {
            let mut state = state.lock().unwrap();
            let (number, lock_is_known) = &mut *state;
            let mut steps = steps.lock().unwrap();
            if !*lock_is_known && lock.exists() {
                *lock_is_known = true;
                steps.push(Step::Create(lock.clone()));
            }
            *number += 1;
            let result = fails(*number - 1, operation);
            steps.push(match (&result, operation) {
                (Ok(()), operation) => Step::of(operation),
                (Err(_), Operation::Sync(path) | Operation::SyncDir(path)) => Step::FailedSync(path.to_owned()),
                (Err(_), _) => Step::Failed,
            });
            result
        })
    }

    /// What happened since the last time.
    pub fn take(&self) -> Vec<Step> {
        std::mem::take(&mut self.steps.lock().unwrap())
    }
}

/// What is on the disk below one directory, and what is on its way there.
#[derive(Debug, Clone)]
pub struct Machine {
    base: PathBuf,
    nodes: Vec<Node>,
    /// The files, by their first names, which they are written by.
    open: HashMap<PathBuf, usize>,
    /// Directories to which files were moved that may have their old names in others until these are synced.
    moved: Vec<(usize, usize, OsString)>,
}

#[derive(Debug, Clone)]
enum Node {
    File { safe: Vec<u8>, pending: Vec<Pending> },
    Dir { safe: BTreeMap<OsString, usize>, pending: Vec<Change> },
}

/// A write that is not safe.
#[derive(Debug, Clone)]
struct Pending {
    offset: u64,
    bytes: Arc<[u8]>,
    /// A sync failed, and none that follows will bring it to the disk.
    dropped: bool,
}

/// A change of a directory's names that is not safe.
#[derive(Debug, Clone)]
enum Change {
    Add(OsString, usize),
    Move(OsString, OsString, usize),
    Remove(OsString),
}

impl Machine {
    /// A machine that has been idle: all that stands below `base` is safe.
    pub fn of(base: &Path) -> Machine {
        let root = Node::Dir { safe: BTreeMap::new(), pending: Vec::new() };
        let mut machine = Machine { base: base.to_owned(), nodes: vec![root], open: HashMap::new(), moved: Vec::new() };
        machine.load(0, base);
        machine
    }

    fn load(&mut self, dir: usize, path: &Path) {
        for path in paths_in(path) {
            let name = path.file_name().unwrap().to_owned();
            let node = self.nodes.len();
            if path.is_dir() {
                self.nodes.push(Node::Dir { safe: BTreeMap::new(), pending: Vec::new() });
                self.load(node, &path);
            } else {
                self.nodes.push(Node::File { safe: fs::read(&path).unwrap(), pending: Vec::new() });
                self.open.insert(path.clone(), node);
            }
            let Node::Dir { safe, .. } = &mut self.nodes[dir] else { unreachable!() };
            safe.insert(name, node);
        }
    }

    /// Does what the program asked for, as programs see it: everything at once.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::CreateDir(path) => {
                self.dir(path);
            }
            Step::Create(path) => {
                let file = Node::File { safe: Vec::new(), pending: Vec::new() };
                let node = self.add(path, file);
                self.open.insert(path.clone(), node);
            }
            Step::Write(path, offset, bytes) => {
                let write = Pending { offset: *offset, bytes: bytes.as_slice().into(), dropped: false };
                self.file(path).1.push(write);
            }
            Step::Sync(path) => {
                let (safe, pending) = self.file(path);
                pending.iter().filter(|write| !write.dropped).for_each(|write| write.put(safe, 0..u64::MAX, true));
                pending.retain(|write| write.dropped);
            }
            Step::FailedSync(path) if self.open.contains_key(path) => {
                self.file(path).1.iter_mut().for_each(|write| write.dropped = true);
            }
            Step::FailedSync(_) | Step::Failed => {}
            Step::Rename(from, to) => {
                let ((dir, from), (other, to)) = (self.place(from), self.place(to));
                let node = self.names(dir)[&from];
                if dir == other {
                    return self.change(dir, Change::Move(from, to, node));
                }
                // It has one name or the other, or both; no file system that has a journal loses both.
                self.change(other, Change::Add(to, node));
                self.moved.push((other, dir, from));
            }
            Step::Link(from, to) => {
                let ((dir, from), (other, to)) = (self.place(from), self.place(to));
                let node = self.names(dir)[&from];
                self.change(other, Change::Add(to, node));
            }
            Step::SyncDir(path) => {
                let dir = self.dir(path);
                let names = self.names(dir);
                self.nodes[dir] = Node::Dir { safe: names, pending: Vec::new() };
                for (_, other, name) in self.moved.extract_if(.., |(to, ..)| *to == dir).collect::<Vec<_>>() {
                    self.change(other, Change::Remove(name));
                }
            }
            Step::Remove(path) => {
                let (dir, name) = self.place(path);
                if self.names(dir).contains_key(&name) {
                    self.change(dir, Change::Remove(name));
                }
            }
        }
    }

    /// What may be on the disk if the machine stopped now.
    pub fn crash(&self, mut loss: Loss) -> Tree {
        let mut tree = Tree::default();
        self.survey(0, Path::new(""), &mut loss, &mut tree);
        tree
    }

    fn survey(&self, dir: usize, path: &Path, loss: &mut Loss, tree: &mut Tree) {
        let Node::Dir { safe, pending } = &self.nodes[dir] else { unreachable!() };
        let mut names = safe.clone();
        for (at, change) in pending.iter().enumerate() {
            if loss.keeps_change(at + 1 == pending.len()) {
                change.make(&mut names);
            }
        }
        for (name, &node) in &names {
            let path = path.join(name);
            match &self.nodes[node] {
                Node::Dir { .. } => {
                    tree.0.insert(path.clone(), None);
                    self.survey(node, &path, loss, tree);
                }
                Node::File { safe, pending } => {
                    let mut bytes = safe.clone();
                    pending.iter().for_each(|write| loss.keep(write, &mut bytes));
                    tree.0.insert(path, Some(bytes));
                }
            }
        }
    }

    /// The directory at `path`, made with its parents where it is missing.
    fn dir(&mut self, path: &Path) -> usize {
        let below = path.strip_prefix(&self.base).expect("nothing is done outside of the base").to_owned();
        let (mut dir, mut at) = (0, self.base.clone());
        for part in below.components() {
            let Component::Normal(name) = part else { panic!("{} is a strange path", path.display()) };
            at.push(name);
            dir = match self.names(dir).get(name) {
                Some(&node) => node,
                None => {
                    let node = self.nodes.len();
                    self.nodes.push(Node::Dir { safe: BTreeMap::new(), pending: Vec::new() });
                    self.change(dir, Change::Add(name.to_owned(), node));
                    node
                }
            };
        }
        dir
    }

    /// The directory of `path`, and its name there.
    fn place(&mut self, path: &Path) -> (usize, OsString) {
        (self.dir(path.parent().unwrap()), path.file_name().unwrap().to_owned())
    }

    fn add(&mut self, path: &Path, node: Node) -> usize {
        let (dir, name) = self.place(path);
        let number = self.nodes.len();
        self.nodes.push(node);
        self.change(dir, Change::Add(name, number));
        number
    }

    fn change(&mut self, dir: usize, change: Change) {
        let Node::Dir { pending, .. } = &mut self.nodes[dir] else { unreachable!() };
        pending.push(change);
    }

    /// The names in a directory, as programs see them.
    fn names(&self, dir: usize) -> BTreeMap<OsString, usize> {
        let Node::Dir { safe, pending } = &self.nodes[dir] else { panic!("a file stands for a directory") };
        let mut names = safe.clone();
        pending.iter().for_each(|change| change.make(&mut names));
        names
    }

    fn file(&mut self, path: &Path) -> (&mut Vec<u8>, &mut Vec<Pending>) {
        let Node::File { safe, pending } = &mut self.nodes[self.open[path]] else { unreachable!() };
        (safe, pending)
    }
}

impl Change {
    fn make(&self, names: &mut BTreeMap<OsString, usize>) {
        match self {
            Change::Add(name, node) => {
                names.insert(name.clone(), *node);
            }
            Change::Move(from, to, node) => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
            Change::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Pending {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Writes the part of the bytes that lies in `range` of the file, or as many zeros.
    fn put(&self, file: &mut Vec<u8>, range: std::ops::Range<u64>, right: bool) {
        let (start, end) = (range.start.max(self.offset), range.end.min(self.end()));
        if start >= end {
            return;
        }
        if (file.len() as u64) < end {
            file.resize(end as usize, 0);
        }
        let to = &mut file[start as usize..end as usize];
        if right {
            to.copy_from_slice(&self.bytes[(start - self.offset) as usize..(end - self.offset) as usize]);
        } else {
            to.fill(0);
        }
    }
}

/// What of the pending operations is lost.
pub enum Loss {
    /// Nothing: the process was killed, and the machine goes on.
    Nothing,
    /// All that was not synced.
    All,
    /// Bytes; files have their names and are shorter.
    Bytes,
    /// Bytes; files have their names and lengths, and zeros.
    Zeroed,
    /// Names.
    Names,
    /// Names but the last of each directory: they need not be made in the order in which they were asked for.
    EarlierNames,
    /// Some of everything: a write may be torn between sectors, its sectors may be lost, or zeros.
    Random(Box<ChaCha8Rng>),
}

impl Loss {
    /// The losses that are always tried, and `random` ones.
    pub fn all(seed: u64, random: usize) -> impl Iterator<Item = Loss> {
        let mut seeds = ChaCha8Rng::seed_from_u64(seed);
        let random = (0..random).map(move |_| Loss::random(seeds.next_u64()));
        [Loss::Nothing, Loss::All, Loss::Bytes, Loss::Zeroed, Loss::Names, Loss::EarlierNames].into_iter().chain(random)
    }

    pub fn random(seed: u64) -> Loss {
        Loss::Random(Box::new(ChaCha8Rng::seed_from_u64(seed)))
    }

    fn keeps_change(&mut self, is_last: bool) -> bool {
        match self {
            Loss::Nothing | Loss::Bytes | Loss::Zeroed => true,
            Loss::All | Loss::Names => false,
            Loss::EarlierNames => is_last,
            Loss::Random(rng) => rng.next_u32() % 2 == 0,
        }
    }

    fn keep(&mut self, write: &Pending, file: &mut Vec<u8>) {
        let all = 0..u64::MAX;
        match self {
            Loss::Nothing | Loss::Names | Loss::EarlierNames => write.put(file, all, true),
            Loss::Zeroed => write.put(file, all, false),
            Loss::All | Loss::Bytes => {}
            Loss::Random(rng) => {
                let first_sector = write.offset / SECTOR_LEN;
                let sectors = first_sector..write.end().div_ceil(SECTOR_LEN);
                let tear = (first_sector + u64::from(rng.next_u32()) % (sectors.end - first_sector + 1)) * SECTOR_LEN;
                match rng.next_u32() % 6 {
                    0 => {}
                    1 => write.put(file, all, true),
                    2 => write.put(file, all, false),
                    3 => write.put(file, 0..tear, true),
                    4 => write.put(file, tear..u64::MAX, true),
                    _ => {
                        for start in sectors.map(|sector| sector * SECTOR_LEN) {
                            match rng.next_u32() % 3 {
                                0 => {}
                                kind => write.put(file, start..start + SECTOR_LEN, kind == 1),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Files with their bytes, and directories.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Tree(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Tree {
    /// Makes it all below `base`, which must not exist.
    pub fn write(&self, base: &Path) {
        fs::create_dir(base).unwrap();
        for (path, bytes) in &self.0 {
            match bytes {
                None => fs::create_dir(base.join(path)).unwrap(),
                Some(bytes) => fs::write(base.join(path), bytes).unwrap(),
            }
        }
    }

    /// Tells trees apart.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// Paths and lengths.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(path, bytes)| match bytes {
            None => writeln!(f, "  {}/", path.display()),
            Some(bytes) => writeln!(f, "  {} {} bytes", path.display(), bytes.len()),
        })
    }
}
