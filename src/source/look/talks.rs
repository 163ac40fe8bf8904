//! Who has a say in the types of a panel, and the questions that are put to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::source::agreement::agree::{Agreement, Member, agree};
use crate::source::agreement::exact::{Small, answer};
use crate::source::agreement::prior::Prior;
use crate::source::agreement::question::Question;
use crate::source::allowance::Allowance;
use crate::source::content::Stamp;
use crate::source::input::schema::FileSchema;
use crate::source::options::SourceOptions;
use crate::source::trouble::check_machine;
use crate::workers::Workers;

/// A file that takes part in an agreement.
pub(super) struct Party<'a> {
    pub(in crate::source) path: &'a Path,
    pub(in crate::source) stamp: Stamp,
    pub(in crate::source) schema: Arc<FileSchema>,
    pub(in crate::source) row_count: u64,
    pub(in crate::source) small: &'a Small,
}

/// Who agrees, and where.
pub(super) struct Talks<'a> {
    pub(in crate::source) root: &'a Path,
    pub(in crate::source) options: &'a SourceOptions,
    pub(in crate::source) prior: Option<&'a Prior<'a>>,
    pub(in crate::source) allowance: &'a Arc<Allowance>,
    pub(in crate::source) workers: &'a Workers,
    pub(in crate::source) observer: &'a dyn Observer,
}

impl Talks<'_> {
    /// Where the types of `parties` meet.
    ///
    /// # Errors
    /// When the observer cancels, or the machine fails while a file is read.
    pub(in crate::source) fn agree<'p>(&self, parties: &[Party<'p>]) -> Result<Agreement> {
        let member = |party: &Party<'p>| Member {
            path: party.path,
            schema: Arc::clone(&party.schema),
            has_rows: party.row_count > 0,
        };
        let members: Vec<Member> = parties.iter().map(member).collect();
        let put = |(name, question): &(String, Question)| match question {
            Question::Readable(to) if self.options.key.contains(name) => (name.clone(), Question::Apart(to.clone())),
            other => (name.clone(), other.clone()),
        };
        agree(&members, self.prior, &|asked| {
            self.workers.try_map(asked.len(), |n| {
                if self.observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let (file, questions) = &asked[n];
                let Party { path, stamp, schema, row_count, small } = &parties[*file];
                let path: PathBuf = self.root.join(path);
                let questions = questions.iter().map(put).collect();
                let answers = answer(&path, *stamp, (schema, *row_count), small, &questions, self.allowance);
                if answers.iter().any(Result::is_err) {
                    check_machine(&path)?;
                }
                Ok(answers)
            })
        })
    }
}
