//! Keeps each schema once, since thousands of files share one.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use parquet::errors::ParquetError;

use super::parts::cast_parts;
use super::schema::{FileColumn, FileSchema, Format};
use crate::error::{Error, Result};
use crate::panel::column_len;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::allowance::{Allowance, shown, whole};
use crate::source::options::SourceOptions;
use crate::source::parquet::declared::Declared;
use crate::source::parquet::meaning::Leaves;

/// What a column of a schema takes: what the file says of it, which part it plays, and where it stands among the
/// panel's.
const COLUMN_LEN: u64 = 384;
/// The same of what a Parquet file declares.
const LEAF_LEN: u64 = 640;

/// Bytes of a note that is kept to be compared with that of the next file; pandas' own on 41 columns has 10 KiB.
const LONGEST_NOTE: usize = 64 << 10;

/// What the schemas of all files may take of the memory: half of it, before any row is there.
const HALF: u64 = 2;

/// The schemas of the files of one source under its options.
pub(in crate::source) struct Interner<'a> {
    pub(in crate::source) options: &'a SourceOptions,
    pub(in crate::source) allowance: Arc<Allowance>,
    /// How Parquet files are decoded, by what their footers declare.
    leaves: Mutex<HashMap<Fingerprint, Arc<Leaves>>>,
    /// How files of another format are decoded, all of them alike.
    format: OnceLock<Arc<dyn Format>>,
    schemas: Mutex<HashMap<Fingerprint, Arc<FileSchema>>>,
    /// What was made of the Parquet file that was looked at last. The next one is mostly like it, and to compare the two
    /// takes a small part of what it takes to make the same again.
    last: Mutex<Option<Arc<Last>>>,
    /// What tells schemas apart.
    hashers: [RandomState; 2],
    /// Bytes that they take.
    taken: AtomicU64,
}

/// The schema of a Parquet file, and all that it depends on.
struct Last {
    leaves: Arc<Leaves>,
    note: Option<String>,
    schema: Arc<FileSchema>,
}

/// Of a schema, in place of a copy of it: 128 bits, under keys that are drawn for each run, so that no file can be made
/// to have those of another.
type Fingerprint = [u64; 2];

impl<'a> Interner<'a> {
    pub(in crate::source) fn new(options: &'a SourceOptions, allowance: &Arc<Allowance>) -> Interner<'a> {
        Interner {
            options,
            allowance: Arc::clone(allowance),
            leaves: Mutex::default(),
            format: OnceLock::new(),
            schemas: Mutex::default(),
            last: Mutex::default(),
            hashers: [RandomState::new(), RandomState::new()],
            taken: AtomicU64::new(0),
        }
    }

    /// Refuses schemas that take more than half of the memory; to be asked whenever a file of so many was looked at.
    ///
    /// # Errors
    /// Where they do.
    pub(in crate::source) fn check(&self, looked_at: usize, files: usize) -> Result<()> {
        let (taken, memory) = (self.taken.load(Ordering::Relaxed), self.allowance.memory());
        if taken <= memory / HALF {
            return Ok(());
        }
        let what = format!(
            "what {looked_at} of {files} files say of their columns takes {} of the memory, which is {}: few of them have \
             the same ones",
            shown(taken),
            shown(memory),
        );
        let all = u128::from(taken) * files as u128 / looked_at.max(1) as u128;
        let enough = u64::try_from(all).unwrap_or(u64::MAX).saturating_mul(HALF);
        Err(Error::refused_unless(what, [Remedy::set(Setting::Memory(whole(enough)), "allows it")]))
    }

    /// Refuses a file of which more columns are wanted than a run can have: it must not end the run for the others.
    ///
    /// # Errors
    /// The reason to skip the file.
    pub(in crate::source) fn check_own<'n>(
        &self,
        names: impl Iterator<Item = &'n String> + Clone,
    ) -> std::result::Result<(), Reason> {
        let memory = self.allowance.memory();
        let too_many = |wanted: &dyn Fn(&String) -> bool| {
            let wanted = names.clone().filter(|name| wanted(name));
            let (count, len) = wanted.fold((0_u64, 0_u64), |(count, len), name| (count + 1, len + column_len(name)));
            (len.saturating_mul(HALF) > memory).then_some((count, len))
        };
        // Looking for each among those that are wanted takes long, and hardly any file has so many.
        let Some((count, len)) = too_many(&|_| true).and_then(|_| too_many(&|name| self.options.wants(name))) else {
            return Ok(());
        };
        let needed = len.saturating_mul(HALF);
        let (len, memory) = (shown(len), shown(memory));
        let what = format!("has {count} columns, which take {len}, more than half of the memory, which is {memory}");
        let more = Remedy::set(Setting::Memory(whole(needed)), "allows it");
        Err(Reason::new(Kind::TooLarge, what).or(more).or(Remedy::set(Setting::Columns(Vec::new()), "chooses some")))
    }

    fn fingerprint(&self, of: &impl Hash) -> Fingerprint {
        self.hashers.each_ref().map(|hasher| hasher.hash_one(of))
    }

    /// Notes what `names`, each of a column, take with so many bytes beside.
    fn take<'n>(&self, names: impl Iterator<Item = &'n String>, each: u64) {
        let len = names.map(|name| each + 3 * name.len() as u64).sum();
        self.taken.fetch_add(len, Ordering::Relaxed);
    }

    /// How the files are decoded, where there is one way: the one that was given first.
    pub(in crate::source) fn format(&self, make: impl FnOnce() -> Arc<dyn Format>) -> Arc<dyn Format> {
        Arc::clone(self.format.get_or_init(make))
    }

    /// The leaves of a footer that declares these columns and so many leaves.
    ///
    /// # Errors
    /// The decoder's, for a schema that it does not take.
    pub(in crate::source) fn leaves(
        &self,
        declared: Vec<Declared>,
        count: usize,
    ) -> std::result::Result<Arc<Leaves>, ParquetError> {
        if let Some(last) = self.last().filter(|last| last.leaves.declared == declared) {
            return Ok(Arc::clone(&last.leaves));
        }
        let key = self.fingerprint(&declared);
        // A panic under the lock leaves the map as it was.
        let mut known = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaves) = known.get(&key) {
            return Ok(Arc::clone(leaves));
        }
        self.take(declared.iter().map(|column| &column.name), LEAF_LEN);
        let leaves = Arc::new(Leaves::new(declared, count)?);
        known.insert(key, Arc::clone(&leaves));
        Ok(leaves)
    }

    /// As [`intern`](Interner::intern), of a Parquet file; its `columns` depend on its leaves and on the Arrow schema
    /// that it has as a note.
    pub(in crate::source) fn intern_noted(
        &self,
        leaves: &Arc<Leaves>,
        note: Option<&str>,
        columns: impl FnOnce() -> std::result::Result<Vec<FileColumn>, Reason>,
    ) -> std::result::Result<Arc<FileSchema>, Reason> {
        let is_like = |last: &Arc<Last>| Arc::ptr_eq(&last.leaves, leaves) && last.note.as_deref() == note;
        if let Some(last) = self.last().filter(is_like) {
            return Ok(Arc::clone(&last.schema));
        }
        let schema = self.intern(Arc::clone(leaves) as Arc<dyn Format>, columns()?);
        if note.is_none_or(|note| note.len() <= LONGEST_NOTE) {
            let last = Last { leaves: Arc::clone(leaves), note: note.map(str::to_owned), schema: Arc::clone(&schema) };
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(last));
        }
        Ok(schema)
    }

    fn last(&self) -> Option<Arc<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The parts that the columns of a file play, which is decoded as `format` says.
    pub(in crate::source) fn intern(&self, format: Arc<dyn Format>, columns: Vec<FileColumn>) -> Arc<FileSchema> {
        // All that the parts depend on: how columns are decoded, by its address, since that is kept once itself, and
        // what they hold. Not the writer's notes beside them, since pandas puts the length of the index there and so
        // differs in every file.
        let key = self.fingerprint(&(Arc::as_ptr(&format).cast::<()>() as usize, &columns));
        let mut known = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.get(&key) {
            return Arc::clone(schema);
        }
        self.take(columns.iter().map(|column| &column.name), COLUMN_LEN);
        let schema = Arc::new(cast_parts(Some(format), columns, self.options));
        known.insert(key, Arc::clone(&schema));
        schema
    }
}
