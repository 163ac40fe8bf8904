//! A night's files and values beside those of the version before, as the guards see them.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::guard::{EXAMPLES, FEW, Guard, Guards, ONE, is_many, is_near};
use super::revise::changes::{Changes, Lost};
use super::settings::Settings;
use crate::error::Result;
use crate::format::FileStatus;
use crate::skipped::Skipped;
use crate::source::{Scan, Survey};
use crate::store::{FileEntry, Store};

/// Columns that are named.
const COLUMNS: usize = 5;

/// The files of the version before that were there and could be read, and all whose rows it has.
pub(super) struct Night<'a> {
    known: Vec<&'a FileEntry>,
    there: Vec<&'a FileEntry>,
    paths: HashSet<&'a str>,
}

impl<'a> Night<'a> {
    /// The night of the version with these files and settings.
    pub(super) fn new(files: &'a [FileEntry], settings: &Settings) -> Night<'a> {
        let known: Vec<&FileEntry> = files.iter().filter(|entry| entry.status != FileStatus::Skipped).collect();
        let is_there =
            |entry: &&FileEntry| !settings.missing.contains(&entry.path) && !settings.skipped.contains_key(&entry.path);
        let there: Vec<&FileEntry> = known.iter().copied().filter(is_there).collect();
        let paths = there.iter().map(|entry| entry.path.as_str()).collect();
        Night { known, there, paths }
    }

    /// Whether the file was there and could be read.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Notes where many files are gone; all of them, where none is left in the folder, however few there were.
    pub(super) fn guard_missing(&self, scan: &Scan, guards: &mut Guards) {
        let gone: Vec<&String> = scan.missing.iter().chain(&scan.pruned).filter(|path| self.has(path)).collect();
        let (count, all) = (gone.len() as u64, self.there.len() as u64);
        let few = if scan.found_nothing() { 0 } else { FEW };
        let examples = || gone.into_iter().take(EXAMPLES).cloned().collect();
        guards.weigh(Guard::MissingFiles, (count, all, few), || format!("{count} of {all} files are gone"), examples);
    }

    /// Notes where many files are skipped that could be read.
    pub(super) fn guard_skipped(&self, skipped: &[Skipped], guards: &mut Guards) {
        let fell: Vec<&Skipped> = skipped.iter().filter(|skipped| self.has(&skipped.path)).collect();
        let (count, all) = (fell.len() as u64, self.there.len() as u64);
        let examples = || fell.into_iter().take(EXAMPLES).map(|skipped| skipped.path.clone()).collect();
        let what = || format!("{count} of {all} files that were read last time would be skipped");
        guards.weigh(Guard::SkippedFiles, (count, all, ONE), what, examples);
    }

    /// Notes where another folder, which `scan` looked at, has few of the known codes.
    pub(super) fn guard_codes(&self, scan: &Scan, guards: &mut Guards) {
        let known: HashSet<&str> = self.known.iter().filter_map(|entry| entry.code.as_deref()).collect();
        let is_gone = |entry: &&&FileEntry| scan.missing.binary_search(&entry.path).is_ok();
        let stays = self.known.iter().filter(|entry| !is_gone(entry)).filter_map(|entry| entry.code.as_deref());
        let read = scan.changed.iter().map(|(code, _)| code.as_str());
        guard_few(&known, "the folder", &stays.chain(read).collect(), guards);
    }
}

/// Notes where a new source, in which these codes were found, has few of those of `whole`.
///
/// # Errors
/// When the store is damaged.
pub(super) fn guard_codes_of<'c>(
    whole: &'c Store,
    place: &str,
    found: impl Iterator<Item = &'c str>,
    guards: &mut Guards,
) -> Result<()> {
    guard_few(&whole.stocks()?.into_iter().collect(), place, &found.collect(), guards);
    Ok(())
}

/// Notes where few of the codes that were read by date in another folder are among those of `before`. A date that was
/// restated has fewer than those known.
///
/// # Errors
/// When the store is damaged.
pub(super) fn guard_codes_read(before: &Store, read: &[Option<&str>], guards: &mut Guards) -> Result<()> {
    let known: HashSet<&str> = before.stocks()?.into_iter().collect();
    let read: HashSet<&str> = read.iter().flatten().copied().collect();
    let (count, all) = (known.intersection(&read).count() as u64, read.len() as u64);
    if count * 2 < all {
        let (some_read, some_known) = (some(&read, &known), some(&known, &read));
        let what =
            format!("{count} of {all} codes in the folder are known, and not {some_read}; known are {some_known}");
        guards.meet(Guard::FewCodes, (count, all), what, Vec::new());
    }
    Ok(())
}

fn guard_few(known: &HashSet<&str>, place: &str, found: &HashSet<&str>, guards: &mut Guards) {
    let (count, all) = (known.intersection(found).count() as u64, known.len() as u64);
    if count * 2 >= all {
        return;
    }
    let mut what = format!("{count} of {all} known codes are in {place}; known are {}", some(known, found));
    let news = some(found, known);
    if !news.is_empty() {
        what += &format!(", and there are {news}");
    }
    guards.meet(Guard::FewCodes, (count, all), what, Vec::new());
}

/// Some of `these` that are not among `others`.
fn some(these: &HashSet<&str>, others: &HashSet<&str>) -> String {
    let mut codes: Vec<&str> = these.difference(others).copied().collect();
    codes.sort_unstable();
    codes.truncate(EXAMPLES);
    codes.join(", ")
}

/// Notes where many files of `survey`, among `file_count` of the source, have lost a column that they had; of several
/// files of a unit, those that `changed`. `is_of` says whether something was lost of an input.
pub(super) fn guard_columns(
    (survey, changed): (&Survey, &HashSet<&str>),
    is_of: impl Fn(&Lost, usize) -> bool,
    changes: &Changes,
    file_count: u64,
    guards: &mut Guards,
) {
    let lost = |index: usize| {
        let lost = &changes.lost_values[index];
        let inputs = survey.inputs.iter().enumerate().filter(|(input, _)| is_of(lost, *input));
        let files = inputs.flat_map(|(_, input)| input.files.iter().map(|file| (file, input.files.len() > 1)));
        let files = files.filter(|(file, _)| !file.has_column(index));
        let paths = files.map(|(file, is_one_of_several)| (file.path.display().to_string(), is_one_of_several));
        let paths = paths.filter(|(path, is_one_of_several)| !is_one_of_several || changed.contains(path.as_str()));
        paths.map(|(path, _)| path).collect::<Vec<_>>()
    };
    let with_losses = (0..survey.columns.len()).filter(|&index| changes.lost_values[index].turned_null > 0);
    let gone = with_losses.map(|index| (survey.columns[index].name.as_str(), lost(index)));
    let mut gone: Vec<(&str, Vec<String>)> = gone.filter(|(_, files)| !files.is_empty()).collect();
    gone.sort_by_key(|(_, files)| Reverse(files.len()));
    let Some((_, files)) = gone.first() else { return };
    let count = files.len() as u64;
    let examples = || files.iter().take(EXAMPLES).cloned().collect();
    let what = || {
        let many: Vec<_> = worst(&gone, |(_, files)| is_many(files.len() as u64, file_count, ONE)).collect();
        let columns = many.iter().map(|(name, files)| format!("{name:?} is gone from {} files", files.len()));
        format!("{}, of {file_count}", listed(columns))
    };
    guards.weigh(Guard::ColumnsGone, (count, file_count, ONE), what, examples);
}

/// Notes where many values of a column, of those that `before` has, become null, or NaN, as pandas writes a null.
///
/// # Errors
/// When the version before is damaged.
pub(super) fn guard_nulls(before: &Store, changes: &Changes, guards: &mut Guards) -> Result<()> {
    let count = |lost: &Lost| lost.turned_null + lost.turned_nan;
    // Of however many.
    let may_be = |lost: &Lost| is_many(count(lost), 0, FEW) || is_near(count(lost), 0, FEW);
    if !changes.lost_values.iter().any(may_be) {
        return Ok(());
    }
    let values = before.value_counts()?;
    let mut found: Vec<Turning> = Vec::new();
    for (place, (column, lost)) in before.schema()?.columns.iter().zip(&changes.lost_values).enumerate() {
        let (name, all) = (column.name.as_str(), values[place + 2]);
        let mut of = Turning { name, noun: "values", count: count(lost), all, lost };
        let numbers = lost.null_of_numbers + lost.turned_nan;
        // Of a factor that is NaN for most of its days all numbers may go, and be few of its values.
        if !is_many(of.count, all, FEW) && numbers > FEW {
            let all = all - before.count_nan(place)?;
            if is_many(numbers, all, FEW) {
                of = Turning { noun: "numbers", count: numbers, all, ..of };
            }
        }
        found.extend((of.meets(is_many) || of.meets(is_near)).then_some(of));
    }
    // Those that meet the guard come first.
    found.sort_by_key(|of| (!of.meets(is_many), Reverse(of.count)));
    let Some(&Turning { count, all, .. }) = found.first() else { return Ok(()) };
    let what = || {
        let many: Vec<_> = worst(&found, |of| of.meets(is_many)).collect();
        let columns = many.iter().map(|of| format!("{} of {} {} of {:?}", of.count, of.all, of.noun, of.name));
        let has = |turned: fn(&Lost) -> u64| many.iter().any(|of| turned(of.lost) > 0);
        let turned = match (has(|lost| lost.turned_null), has(|lost| lost.turned_nan)) {
            (true, true) => "null or NaN",
            (false, true) => "NaN",
            _ => "null",
        };
        format!("{} would become {turned}", listed(columns))
    };
    guards.weigh(Guard::TurnedNull, (count, all, FEW), what, Vec::new);
    Ok(())
}

/// What is lost of a column, as values or as numbers.
struct Turning<'a> {
    name: &'a str,
    noun: &'static str,
    count: u64,
    all: u64,
    lost: &'a Lost,
}

impl Turning<'_> {
    fn meets(&self, is: fn(u64, u64, u64) -> bool) -> bool {
        is(self.count, self.all, FEW)
    }
}

/// Those of `found` that meet a guard; where none does, the first one, which is nearest to it.
fn worst<T>(found: &[T], meets: impl Fn(&T) -> bool) -> impl Iterator<Item = &T> {
    let count = found.iter().take_while(|of| meets(of)).count().max(1);
    found.iter().take(count)
}

/// Notes where many of `all` rows of a source are to go: with their file, out of it, or because others take the place of
/// their date's; also where the panel keeps them, since other sources have them.
pub(super) fn guard_pruned(changes: &Changes, all: u64, guards: &mut Guards) {
    let count = changes.dirty.iter().map(|dirty| dirty.removed).sum::<u64>() + changes.parted;
    let removed = changes.examples.iter().filter(|change| change.change == "removed").take(EXAMPLES);
    let examples = || removed.map(|change| format!("{} {}", change.date, change.code)).collect();
    guards.weigh(Guard::PrunedRows, (count, all, FEW), || format!("{count} of {all} rows would be removed"), examples);
}

/// Notes rows that are to go from dates on which rows were appended: who appended them may have meant these, too. Those
/// that were appended stay, but where their key goes from all sources, or a restore gives back what was before them.
pub(super) fn guard_appended(changes: &Changes, all: u64, guards: &mut Guards) {
    let count = changes.lost.count;
    if count > 0 {
        let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
        let those = match changes.lost_appended {
            0 => String::new(),
            appended => format!(", {appended} of them appended"),
        };
        let what = format!("{rows} would be removed from dates on which rows were appended since{those}");
        let examples = changes.lost.examples.iter().take(EXAMPLES).cloned().collect();
        guards.meet(Guard::AppendedRows, (count, all), what, examples);
    }
}

/// The first of these, and how many more there are.
fn listed(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(COLUMNS);
    let mut text = all.take(COLUMNS).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text += &format!(" and {more} more columns");
    }
    text
}
