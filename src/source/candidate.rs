//! A file whose footer has been read, while the survey decides on the panel.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::ArrayRef;
use parquet::file::metadata::ParquetStatisticsPolicy;

use super::allowance::Allowance;
use super::content::{Content, Stamp, guarded};
use super::exact::Small;
use super::parquet::decode::Parquet;
use super::parquet::footer::{FileSchema, Footer};
use crate::reason::Reason;

pub(super) struct Candidate {
    /// What it is of: see [`SourceOptions::units_of`](super::options::SourceOptions::units_of).
    pub(super) unit: String,
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
    pub(super) footer: Footer,
    /// The columns whose integers are small by the footer's statistics, once asked for.
    pub(super) small: Small,
}

impl Candidate {
    /// Why the file cannot take part, by its own schema.
    pub(super) fn refusal(&self) -> Option<&Reason> {
        self.footer.schema.refusal_of(self.has_rows())
    }

    /// Its unit and its path.
    pub(super) fn name(&self) -> (String, PathBuf) {
        (self.unit.clone(), self.path.clone())
    }

    pub(super) fn has_rows(&self) -> bool {
        self.footer.row_count > 0
    }

    /// Whether `holds` of each batch of the column at `leaf`; decodes no further than to the first that it does not hold
    /// of.
    ///
    /// # Errors
    /// A reason to skip the file.
    pub(super) fn all(
        &self,
        root: &Path,
        leaf: usize,
        allowance: &Arc<Allowance>,
        mut holds: impl FnMut(&ArrayRef) -> bool,
    ) -> Result<bool, Reason> {
        let content = Content::load(&root.join(&self.path), self.stamp, 0)?;
        guarded(|| {
            let parquet = Parquet::new(content, &self.footer.schema, ParquetStatisticsPolicy::SkipAll, allowance)?;
            for batch in parquet.batches(&[leaf])? {
                if !holds(&batch?[0]) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// The schemas among `candidates`, each once, in first-seen order.
pub(super) fn schemas(candidates: &[Candidate]) -> Vec<&FileSchema> {
    let mut known = HashSet::new();
    let schemas = candidates.iter().map(|candidate| candidate.footer.schema.as_ref());
    schemas.filter(|schema| known.insert(std::ptr::from_ref::<FileSchema>(schema))).collect()
}
