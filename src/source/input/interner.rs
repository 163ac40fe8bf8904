//! Keeps each schema once, since thousands of files share one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use parquet::errors::ParquetError;

use super::parts::cast_parts;
use super::schema::{FileColumn, FileSchema, Format};
use crate::source::allowance::Allowance;
use crate::source::options::SourceOptions;
use crate::source::parquet::declared::Declared;
use crate::source::parquet::meaning::Leaves;

/// The schemas of the files of one source under its options.
pub(in crate::source) struct Interner<'a> {
    pub(in crate::source) options: &'a SourceOptions,
    pub(in crate::source) allowance: Arc<Allowance>,
    /// How Parquet files are decoded, by what their footers declare.
    leaves: Mutex<HashMap<Vec<Declared>, Arc<Leaves>>>,
    /// How files of another format are decoded, all of them alike.
    format: OnceLock<Arc<dyn Format>>,
    schemas: Mutex<HashMap<Columns, Arc<FileSchema>>>,
}

/// All that the parts of columns depend on: how they are decoded, by its address, since that is kept once itself, and what
/// the columns hold. Not the writer's notes beside them, since pandas puts the length of the index there and so differs
/// in every file.
type Columns = (usize, Vec<FileColumn>);

impl<'a> Interner<'a> {
    pub(in crate::source) fn new(options: &'a SourceOptions, allowance: &Arc<Allowance>) -> Interner<'a> {
        let (leaves, format, schemas) = (Mutex::default(), OnceLock::new(), Mutex::default());
        Interner { options, allowance: Arc::clone(allowance), leaves, format, schemas }
    }

    /// How the files are decoded, where there is one way: the one that was given first.
    pub(in crate::source) fn format(&self, make: impl FnOnce() -> Arc<dyn Format>) -> Arc<dyn Format> {
        Arc::clone(self.format.get_or_init(make))
    }

    /// The leaves of a footer that declares these columns and so many leaves.
    ///
    /// # Errors
    /// The decoder's, for a schema that it does not take.
    pub(in crate::source) fn leaves(&self, declared: Vec<Declared>, count: usize) -> Result<Arc<Leaves>, ParquetError> {
        // A panic under the lock leaves the map as it was.
        let mut known = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaves) = known.get(&declared) {
            return Ok(Arc::clone(leaves));
        }
        let leaves = Arc::new(Leaves::new(declared.clone(), count)?);
        known.insert(declared, Arc::clone(&leaves));
        Ok(leaves)
    }

    /// The parts that the columns of a file play, which is decoded as `format` says.
    pub(in crate::source) fn intern(&self, format: Arc<dyn Format>, columns: Vec<FileColumn>) -> Arc<FileSchema> {
        let key = (Arc::as_ptr(&format).cast::<()>() as usize, columns);
        let mut known = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.get(&key) {
            return Arc::clone(schema);
        }
        let schema = Arc::new(cast_parts(Some(format), key.1.clone(), self.options));
        known.insert(key, Arc::clone(&schema));
        schema
    }
}
