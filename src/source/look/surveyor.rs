//! Surveys a source, and again without the inputs that turn out to be unusable when they are read: a file that is left out
//! has no say in what the panel is.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::inputs::{LeftOut, look_at};
use super::ways::{Ground, Ways};
use crate::error::{Error, Result};
use crate::hint::counted;
use crate::progress::Observer;
use crate::reason::Reason;
use crate::skipped::Skipped;
use crate::source::agreement::prior::Prior;
use crate::source::folder::discover::{Found, discover};
use crate::source::folder::scan::Scan;
use crate::source::options::SourceOptions;
use crate::source::path::naming::shown;
use crate::source::read::series::BadFile;
use crate::source::survey::{Input, Survey};
use crate::source::trouble::check_machine;
use crate::workers::Workers;

/// Rounds in which files may come in that others kept out. After these the files that were refused stay so, as a folder
/// in which each bad file hides the next would be read once for every one of them.
const FREE_ROUNDS: usize = 8;

/// Finds the files below `root` and reads their footers, on all workers; then agrees on one schema. Reads some 32 KiB
/// of each file, and more only where integers meet floats and each value has to be looked at.
///
/// # Errors
/// [`Error::Io`] for a directory that cannot be read; [`Error::Cancelled`];
/// [`Error::Refused`] when nothing matches, an option names what is not there, two columns would
/// have one name, or `options.strict` and something is skipped.
pub fn survey(root: &Path, options: &SourceOptions, workers: &Workers, observer: &dyn Observer) -> Result<Survey> {
    let surveyor = Surveyor::new(root, options, workers, observer)?;
    let survey = surveyor.survey()?;
    let skipped = surveyor.ways_out(&survey)?;
    Ok(Survey { skipped, ..survey })
}

/// Surveys one source, as often as is needed.
pub(crate) struct Surveyor<'a> {
    root: &'a Path,
    found: Found,
    /// The files that are not read, since they are as they were.
    quiet: Found,
    prior: Option<&'a Prior<'a>>,
    options: SourceOptions,
    workers: &'a Workers,
    observer: &'a dyn Observer,
    /// By unit and path, why a file that has a footer cannot be used.
    left_out: LeftOut,
    /// The inputs that such files are of.
    unread: Vec<Input>,
    round: usize,
}

impl<'a> Surveyor<'a> {
    /// A surveyor of a new panel.
    ///
    /// # Errors
    /// As [`survey`].
    pub(crate) fn new(
        root: &'a Path,
        options: &SourceOptions,
        workers: &'a Workers,
        observer: &'a dyn Observer,
    ) -> Result<Surveyor<'a>> {
        let mut options = options.clone();
        options.read_code_map(workers.memory())?;
        let found = discover(root, &options)?;
        if let Some(meeting) = &found.meeting {
            return Err(meeting.refusal().about(root));
        }
        Ok(Surveyor::of(root, found, None, options, (workers, observer)))
    }

    /// A surveyor of the changed files of a [`Scan`] only, which join the panel that was there before.
    pub(crate) fn again(
        root: &'a Path,
        scan: &mut Scan,
        prior: &'a Prior<'a>,
        options: &SourceOptions,
        workers: &'a Workers,
        observer: &'a dyn Observer,
    ) -> Surveyor<'a> {
        let found = Found {
            files: std::mem::take(&mut scan.changed),
            skipped: std::mem::take(&mut scan.skipped),
            notes: std::mem::take(&mut scan.notes),
            ..Found::default()
        };
        let quiet = Found { files: std::mem::take(&mut scan.quiet), ..Found::default() };
        Surveyor { quiet, ..Surveyor::of(root, found, Some(prior), options.clone(), (workers, observer)) }
    }

    fn of(
        root: &'a Path,
        found: Found,
        prior: Option<&'a Prior<'a>>,
        options: SourceOptions,
        (workers, observer): (&'a Workers, &'a dyn Observer),
    ) -> Surveyor<'a> {
        let (quiet, left_out, unread) = (Found::default(), LeftOut::new(), Vec::new());
        Surveyor { root, found, quiet, prior, options, workers, observer, left_out, unread, round: 0 }
    }

    /// What the files say that were not left out. The ways out are not tried.
    ///
    /// # Errors
    /// As [`survey`].
    pub(crate) fn survey(&self) -> Result<Survey> {
        let look = (&self.found, &self.left_out, false);
        let survey = look_at(self.root, look, self.prior, &self.options, self.workers, self.observer)
            .map_err(|error| error.about(self.root))?;
        if !self.options.strict || survey.skipped.is_empty() {
            return Ok(survey);
        }
        let skipped = self.ways_out(&survey)?;
        let count = counted(skipped.len(), "input", "inputs");
        let what = format!("{count} cannot be used, and the run is strict");
        Err(Error::Inputs { what, skipped, path: Some(self.root.into()) })
    }

    /// What the files would say with other options. Of those that were left out each is read, as a run would do: what is
    /// wrong with it may be another thing then.
    ///
    /// # Errors
    /// As [`survey`].
    fn survey_with(&self, options: &SourceOptions) -> Result<Survey> {
        let mut left_out = LeftOut::new();
        loop {
            let look = (&self.found, &left_out, true);
            let survey = look_at(self.root, look, self.prior, options, self.workers, &Unseen(self.observer))?;
            let is_suspect = |input: &&Input| {
                input.files.iter().any(|file| self.left_out.contains_key(&(input.unit.clone(), file.path.clone())))
            };
            let suspects: Vec<&Input> = survey.inputs.iter().filter(is_suspect).collect();
            let read = self.workers.try_map(suspects.len(), |n| {
                if self.observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let Err(bad) = survey.read_all(suspects[n]) else { return Ok(None) };
                let path = &suspects[n].files[bad.file].path;
                check_machine(&self.root.join(path))?;
                Ok(Some(((suspects[n].unit.clone(), path.clone()), bad.reason)))
            })?;
            let bad: LeftOut = read.into_iter().flatten().collect();
            if bad.is_empty() {
                return Ok(survey);
            }
            left_out.extend(bad);
        }
    }

    /// What the files that are as they were say with these options.
    fn survey_quiet(&self, options: &SourceOptions) -> Result<Survey> {
        let look = (&self.quiet, &LeftOut::new(), true);
        look_at(self.root, look, self.prior, options, self.workers, &Unseen(self.observer))
    }

    /// What `survey` leaves out, with the ways out that work.
    ///
    /// # Errors
    /// When the observer cancels, or the machine fails while a file is read.
    fn ways_out(&self, survey: &Survey) -> Result<Vec<Skipped>> {
        let Surveyor { prior, ref options, workers, observer, .. } = *self;
        let survey_with = |options: &SourceOptions| self.survey_with(options);
        let survey_quiet = |options: &SourceOptions| self.survey_quiet(options);
        let (survey_with, survey_quiet) = (&survey_with, &survey_quiet);
        let has_quiet = !self.quiet.files.is_empty();
        let ground = Ground { prior, options, workers, observer, survey_with, has_quiet, survey_quiet };
        Ways::new(ground, survey).that_work()
    }

    /// What `read` makes of the inputs of `survey`, but of those of which it says that they cannot be used; and what the
    /// survey says without these. Where they had a say in what the others are read as, all is read again.
    ///
    /// # Errors
    /// As [`survey`], and those of `read`.
    pub(crate) fn read<R>(
        mut self,
        mut survey: Survey,
        mut read: impl FnMut(&mut Survey) -> Result<(R, Vec<(usize, BadFile)>)>,
    ) -> Result<(Survey, R)> {
        loop {
            let (found, bad) = read(&mut survey)?;
            if self.leave_out(&mut survey, bad)? {
                let skipped = self.ways_out(&survey)?;
                return Ok((Survey { skipped, ..survey }, found));
            }
        }
    }

    /// What [`read`](Surveyor::read) says in the end where somebody else read the inputs of `planned`, and `bad` ones cannot be
    /// used. Where the others make another panel without these, only what is left out then; nothing where the files are
    /// others meanwhile.
    ///
    /// # Errors
    /// As [`survey`].
    pub(crate) fn after(
        mut self,
        planned: &Survey,
        bad: Vec<(usize, BadFile)>,
    ) -> Result<std::result::Result<Survey, Vec<Skipped>>> {
        let mut survey = self.survey()?;
        if !survey.is_read_as(planned, &HashSet::new()) {
            return Ok(Err(Vec::new()));
        }
        let are_read_as_planned = self.leave_out(&mut survey, bad)?;
        survey.unread.append(&mut self.unread);
        let skipped = self.ways_out(&survey)?;
        Ok(if are_read_as_planned { Ok(Survey { skipped, ..survey }) } else { Err(skipped) })
    }

    /// Leaves out inputs of `survey`, each for a file that cannot be used. Says whether the others are read as before; else
    /// `survey` is another one now.
    fn leave_out(&mut self, survey: &mut Survey, bad: Vec<(usize, BadFile)>) -> Result<bool> {
        if bad.is_empty() {
            survey.unread = std::mem::take(&mut self.unread);
            return Ok(true);
        }
        self.round += 1;
        if self.round > FREE_ROUNDS {
            self.keep_out_refused(survey);
        }
        // What is wrong with a file may be what others made of its column: it is tried again without those.
        let (others, own): (Vec<_>, Vec<_>) = bad.into_iter().partition(|(_, bad)| bad.reason.kind().is_of_types());
        let mut places = HashSet::new();
        for some in [own, others].into_iter().filter(|some| !some.is_empty()) {
            places.extend(some.iter().map(|(place, _)| *place));
            let again = self.without(survey, some)?;
            if !survey.is_read_as(&again, &places) {
                self.unread.extend(survey.take_out(&places));
                *survey = again;
                return Ok(false);
            }
            (survey.notes, survey.skipped) = (again.notes, again.skipped);
        }
        self.unread.extend(survey.take_out(&places));
        survey.unread = std::mem::take(&mut self.unread);
        Ok(true)
    }

    /// Another survey, without the inputs at these places of `survey`.
    ///
    /// # Errors
    /// As [`survey`].
    pub(crate) fn without(&mut self, survey: &Survey, bad: Vec<(usize, BadFile)>) -> Result<Survey> {
        for (place, bad) in bad {
            let Input { unit, files, .. } = &survey.inputs[place];
            self.left_out.insert((unit.clone(), files[bad.file].path.clone()), bad.reason);
        }
        self.survey()
    }

    /// Keeps out what `survey` refused.
    fn keep_out_refused(&mut self, survey: &Survey) {
        let reasons: HashMap<&str, &Reason> =
            survey.skipped.iter().map(|skipped| (skipped.path.as_str(), &skipped.reason)).collect();
        for (unit, path) in &self.found.files {
            if let Some(reason) = reasons.get(shown(path.as_os_str()).as_str()) {
                self.left_out.entry((unit.clone(), path.clone())).or_insert_with(|| (*reason).clone());
            }
        }
    }
}

/// Hears whether a run is to stop, and tells nothing of its stages.
struct Unseen<'a>(&'a dyn Observer);

impl Observer for Unseen<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
