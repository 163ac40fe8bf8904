//! What an agreement on types may ask about values: of files, and of the panel that was there before.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow_schema::DataType;

use super::prior::Prior;
use crate::error::{Error, Result};

/// What may be asked about the values that a file has in a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::source) enum Question {
    /// Whether there is no value at all. pandas writes a column of nulls as doubles, whatever it is elsewhere.
    Empty,
    /// Whether each is exact in another type.
    Exact(DataType),
    /// Whether each can be read as another type by a user's decision.
    Readable(DataType),
    /// Whether each can, and values that differ still do: those of a key column must.
    Apart(DataType),
}

/// Columns of one file, by name, and what is asked about each.
pub(in crate::source) type Questions = Vec<(String, Question)>;

/// Answers the questions that are put to each of some files; an `Err` says why not.
pub(super) type Ask<'a> = dyn Fn(&[(usize, Questions)]) -> Result<Vec<Vec<Result<(), String>>>> + 'a;

/// Why a column is not settled.
pub(super) enum Unsettled {
    /// Something has to be asked first.
    Unknown,
    Failed(Error),
}

impl From<Error> for Unsettled {
    fn from(error: Error) -> Unsettled {
        Unsettled::Failed(error)
    }
}

/// What has been asked so far; a question is asked once, since its answer may take the reading of a whole column. Those of
/// all columns are gathered, and asked together: to open a file takes as long as it has columns, whichever is looked at.
pub(super) struct Answers<'a> {
    paths: &'a [&'a Path],
    pub(in crate::source) prior: Option<&'a Prior<'a>>,
    ask: &'a Ask<'a>,
    /// By file, or `None` for the panel that was there before.
    known: HashMap<(Option<usize>, String, Question), Result<(), String>>,
    /// What is to be asked, by file.
    wanted: BTreeMap<usize, Questions>,
}

impl<'a> Answers<'a> {
    /// Of files at `paths`.
    pub(super) fn new(paths: &'a [&'a Path], prior: Option<&'a Prior<'a>>, ask: &'a Ask<'a>) -> Answers<'a> {
        Answers { paths, prior, ask, known: HashMap::new(), wanted: BTreeMap::new() }
    }

    /// The path of a file.
    pub(super) fn path(&self, file: usize) -> &'a Path {
        self.paths[file]
    }

    /// Asks what is wanted; whether that was anything.
    pub(super) fn ask(&mut self) -> Result<bool> {
        let wanted: Vec<(usize, Questions)> = std::mem::take(&mut self.wanted).into_iter().collect();
        if wanted.is_empty() {
            return Ok(false);
        }
        let answers = (self.ask)(&wanted)?;
        for ((file, questions), answers) in wanted.into_iter().zip(answers) {
            let key = |(name, question)| (Some(file), name, question);
            self.known.extend(questions.into_iter().map(key).zip(answers));
        }
        Ok(true)
    }

    /// Those of `files` of whose column the answer is no, with the reason.
    pub(super) fn no(
        &mut self,
        files: &[usize],
        name: &str,
        question: &Question,
    ) -> Result<Vec<(usize, String)>, Unsettled> {
        let key = |file: usize| (Some(file), name.to_owned(), question.clone());
        let unknown: Vec<usize> = files.iter().copied().filter(|&file| !self.known.contains_key(&key(file))).collect();
        for &file in &unknown {
            self.wanted.entry(file).or_default().push((name.to_owned(), question.clone()));
        }
        if !unknown.is_empty() {
            return Err(Unsettled::Unknown);
        }
        Ok(files.iter().filter_map(|&file| Some((file, self.known.get(&key(file))?.as_ref().err()?.clone()))).collect())
    }

    /// Whether one of `files` has a value in its column. Asks more and more of them at a time: the first is likely to.
    pub(super) fn has_value(&mut self, files: &[usize], name: &str) -> Result<bool, Unsettled> {
        let (mut at, mut count) = (0, 1);
        while at < files.len() {
            let some = &files[at..(at + count).min(files.len())];
            if !self.no(some, name, &Question::Empty)?.is_empty() {
                return Ok(true);
            }
            (at, count) = (at + some.len(), count * 2);
        }
        Ok(false)
    }

    /// Whether the panel that was there before has a value in the column.
    pub(super) fn has_value_before(&mut self, name: &str) -> Result<bool> {
        let Some(prior) = self.prior else { return Ok(false) };
        let key = (None, name.to_owned(), Question::Empty);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.is_err());
        }
        let has_value = (prior.has_value)(name)?;
        self.known.insert(key, if has_value { Err(String::new()) } else { Ok(()) });
        Ok(has_value)
    }

    /// Whether the column of the panel that was there before is exact in `to`.
    pub(super) fn exact_before(&mut self, name: &str, to: &DataType) -> Result<Result<(), String>> {
        let Some(prior) = self.prior else { return Ok(Ok(())) };
        let key = (None, name.to_owned(), Question::Exact(to.clone()));
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let answer = (prior.exact)(name, to)?;
        self.known.insert(key, answer.clone());
        Ok(answer)
    }
}
