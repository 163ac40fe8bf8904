//! A file whose footer has been read, while the survey decides on the panel.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::ArrayRef;

use crate::reason::Reason;
use crate::source::agreement::exact::Small;
use crate::source::allowance::Allowance;
use crate::source::content::{Content, Stamp, guarded};
use crate::source::input::schema::{Decoder, FileSchema, Footer};

pub(in crate::source) struct Candidate {
    /// What it is of: see [`SourceOptions::units_of`](crate::source::options::SourceOptions::units_of).
    pub(in crate::source) unit: String,
    pub(in crate::source) path: PathBuf,
    pub(in crate::source) stamp: Stamp,
    pub(in crate::source) footer: Footer,
    /// The columns whose integers are small by the footer's statistics, once asked for.
    pub(in crate::source) small: Small,
}

impl Candidate {
    /// Why the file cannot take part, by its own schema.
    pub(in crate::source) fn refusal(&self) -> Option<&Reason> {
        self.footer.schema.refusal_of(self.has_rows())
    }

    /// Its unit and its path.
    pub(in crate::source) fn name(&self) -> (String, PathBuf) {
        (self.unit.clone(), self.path.clone())
    }

    pub(in crate::source) fn has_rows(&self) -> bool {
        self.footer.row_count > 0
    }

    /// A decoder over the file.
    ///
    /// # Errors
    /// A reason to skip the file.
    pub(in crate::source) fn open(&self, root: &Path, allowance: &Arc<Allowance>) -> Result<Box<dyn Decoder>, Reason> {
        let content = Content::load(&root.join(&self.path), self.stamp, 0)?;
        guarded(|| self.footer.schema.open(content, allowance))
    }

    /// Whether `holds` of each batch of the column at `leaf`; decodes no further than to the first that it does not hold
    /// of.
    ///
    /// # Errors
    /// A reason to skip the file.
    pub(in crate::source) fn all(
        &self,
        root: &Path,
        leaf: usize,
        allowance: &Arc<Allowance>,
        mut holds: impl FnMut(&ArrayRef) -> bool,
    ) -> Result<bool, Reason> {
        self.all_of(root, &[leaf], allowance, |columns| holds(&columns[0]))
    }

    /// As [`all`](Self::all), of several columns together.
    ///
    /// # Errors
    /// Likewise.
    pub(in crate::source) fn all_of(
        &self,
        root: &Path,
        leaves: &[usize],
        allowance: &Arc<Allowance>,
        mut holds: impl FnMut(&[ArrayRef]) -> bool,
    ) -> Result<bool, Reason> {
        let file = self.open(root, allowance)?;
        guarded(|| {
            for batch in file.batches(leaves)? {
                if !holds(&batch?) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// The schemas among `candidates`, each once, in first-seen order.
pub(in crate::source) fn schemas<'c>(candidates: impl IntoIterator<Item = &'c Candidate>) -> Vec<&'c FileSchema> {
    let mut known = HashSet::new();
    let schemas = candidates.into_iter().map(|candidate| candidate.footer.schema.as_ref());
    schemas.filter(|schema| known.insert(std::ptr::from_ref::<FileSchema>(schema))).collect()
}
