//! Settles what the options of a new panel leave open, by a look into the files: which column holds the codes, and
//! whether a date column that the key names says more than the date.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_cast::cast;
use arrow_schema::DataType;

use super::candidate::{Candidate, schemas};
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::remedy::{Remedy, Setting};
use crate::source::agreement::prior::{All, Prior};
use crate::source::allowance::Allowance;
use crate::source::code_column::{OWN_CODE_NAMES, usual_codes};
use crate::source::content::guarded;
use crate::source::date::column::DateReader;
use crate::source::date::rules::DateRules;
use crate::source::input::parts::cast_parts;
use crate::source::input::schema::FileSchema;
use crate::source::options::{CODE_NAME, SourceOptions};
use crate::source::path::files_by::FilesBy;
use crate::source::path::pattern::CODE;
use crate::source::trouble::check_machine;
use crate::workers::Workers;

/// Names for a date beside a date column that stays.
const DATE_NAMES: [&str; 2] = ["date", "trade_date"];

/// Columns that are looked at together; of many more, as many as leave so many looks: each reads a file of lines whole.
const LOOKED_AT: usize = 64;

/// Columns that may have the codes by one file's first rows and are looked at in all files.
const TRIED: usize = 16;

/// What looks into files.
pub(in crate::source) struct Look<'a> {
    pub(in crate::source) root: &'a Path,
    pub(in crate::source) rules: &'a DateRules,
    pub(in crate::source) allowance: &'a Arc<Allowance>,
    pub(in crate::source) workers: &'a Workers,
    pub(in crate::source) observer: &'a dyn Observer,
}

/// `options` with nothing left open, for a new panel of `candidates`, or for a new source of the panel `prior`; their
/// columns play their parts under them afterwards. What was chosen is noted.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::Io`] where the machine fails, and [`Error::Refused`] where no name is left for the
/// date, or the rows have another kind of key than those of the panel.
pub(in crate::source) fn settle(
    options: &SourceOptions,
    candidates: &mut [Candidate],
    (look, prior): (&Look, Option<&Prior>),
    notes: &mut Vec<String>,
) -> Result<SourceOptions> {
    let mut settled = options.clone();
    let usable: Vec<&Candidate> =
        candidates.iter().filter(|candidate| candidate.has_rows() && candidate.refusal().is_none()).collect();
    if options.code_column.is_none() {
        let has_usual = candidates.iter().any(|candidate| candidate.footer.schema.has(CODE_NAME));
        let own = match options.files_by {
            FilesBy::Date if options.pattern.has(CODE) => None,
            FilesBy::Date => Some(named_codes(options, &usable)?),
            FilesBy::Stock if has_usual => None,
            FilesBy::Stock => look.code_column(options, &usable)?,
        };
        let says = match options.files_by {
            FilesBy::Stock => "which has the code of each file",
            FilesBy::Date => "by its name",
        };
        let told = own.iter().filter(|name| *name != CODE_NAME);
        notes.extend(told.map(|name| format!("the code column is {name}, {says}")));
        settled.code_column = Some(own.unwrap_or_else(|| CODE_NAME.to_owned()));
    }
    let dates: HashSet<&str> =
        usable.iter().filter_map(|candidate| Some(candidate.footer.schema.date.as_ref().ok()?.name.as_str())).collect();
    let named: Vec<&String> =
        options.key.iter().filter(|key| dates.contains(options.file_name(key).as_str())).collect();
    if options.roll.is_some() {
        check_kept(options, &dates)?;
    }
    match prior {
        // The key is that of the panel, whatever the files of a further source are like.
        Some(prior) if !named.is_empty() => {
            look.check_kind(options, &usable, &named, prior)?;
            if let (None, Some(SourceOptions { roll: Some(roll), calendar, .. })) = (options.roll, prior.rolled) {
                notes.push(format!("rows are of trading dates from {roll} on, as those of the store are"));
                settled.roll = Some(*roll);
                settled.calendar = options.calendar.clone().or_else(|| calendar.clone());
            }
            settled.date_name = Some(prior.date_name.to_owned());
        }
        Some(_) => {}
        None => {
            let keeps_times = !named.is_empty() && (options.roll.is_some() || look.any_says_more(options, &usable)?);
            match keeps_times {
                true => settled.date_name = Some(date_name_beside(&settled, &schemas(&*candidates))?),
                false => settled.key.retain(|name| !named.contains(&name)),
            }
            // A list that also names code and date is understood, also by those words.
            let has = |name: &str| schemas(&*candidates).iter().any(|schema| schema.has(name));
            let is_word = |name: &String| ["code", "date"].contains(&name.as_str()) && !has(name);
            settled.key.retain(|name| Some(name) != settled.code_column.as_ref() && !is_word(name));
        }
    }
    if settled != *options {
        let mut known: HashMap<*const FileSchema, Arc<FileSchema>> = HashMap::new();
        for candidate in candidates {
            let before = &candidate.footer.schema;
            let now = known
                .entry(Arc::as_ptr(before))
                .or_insert_with(|| Arc::new(cast_parts(before.format.clone(), before.columns.clone(), &settled)));
            candidate.footer.schema = Arc::clone(now);
        }
    }
    Ok(settled)
}

impl Look<'_> {
    /// The column of text that in each of `files` has its code in every row; the likeliest by its name, else the first.
    fn code_column(&self, options: &SourceOptions, files: &[&Candidate]) -> Result<Option<String>> {
        let Some(first) = files.first() else { return Ok(None) };
        let date = first.footer.schema.date.as_ref().ok();
        let mut names: Vec<&str> = Vec::new();
        for column in &first.footer.schema.columns {
            let is_date = date.is_some_and(|date| date.name == column.name);
            if column.may_be_codes() && !is_date && !options.excludes(&column.name) {
                names.push(&column.name);
            }
        }
        let rank = |name: &&str| OWN_CODE_NAMES.iter().position(|usual| usual.eq_ignore_ascii_case(name));
        names.sort_by_key(|name| rank(name).unwrap_or(OWN_CODE_NAMES.len()));
        // No file is opened for what another does not have.
        for schema in schemas(files.iter().copied()) {
            let columns = schema.columns.iter().filter(|column| column.may_be_codes());
            let has: HashSet<&str> = columns.map(|column| column.name.as_str()).collect();
            names.retain(|name| has.contains(name));
        }
        for name in self.not_ruled_out(options, first, names)?.into_iter().take(TRIED) {
            let has_code = |file: &Candidate| self.has_code(options, file, name);
            if has_code(first)? && self.each(files, has_code)? {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }

    /// Those of `names` whose first rows in `file` may have its code: one file rules most columns out. A csv file is read
    /// whole for however few columns.
    fn not_ruled_out<'n>(
        &self,
        options: &SourceOptions,
        file: &'n Candidate,
        mut names: Vec<&'n str>,
    ) -> Result<Vec<&'n str>> {
        if names.is_empty() {
            return Ok(names);
        }
        let check_machine = || check_machine(&self.root.join(&file.path));
        let Ok(decoder) = file.open(self.root, self.allowance) else {
            check_machine()?;
            return Ok(Vec::new());
        };
        // The names of `columns` that may have codes by their first rows; `None` where they cannot be read.
        let may_be_codes = |columns: &[(usize, &'n str)]| {
            let leaves: Vec<usize> = columns.iter().map(|(leaf, _)| *leaf).collect();
            let Ok(first) = guarded(|| decoder.batches(&leaves)?.next().transpose()) else {
                check_machine()?;
                return Ok::<_, Error>(None);
            };
            let columns = columns.iter().zip(first.unwrap_or_default());
            let codes = columns.filter(|(_, texts)| are_codes(options, file, texts)).map(|((_, name), _)| *name);
            Ok(Some(codes.collect::<Vec<&str>>()))
        };
        let wanted: HashSet<&str> = names.iter().copied().collect();
        let columns = file.footer.schema.columns.iter().filter(|column| wanted.contains(column.name.as_str()));
        let mut columns: Vec<(usize, &str)> = columns.map(|column| (column.leaf, column.name.as_str())).collect();
        columns.sort_unstable();
        let (mut codes, mut apart): (HashSet<&str>, Vec<(usize, &str)>) = Default::default();
        for columns in columns.chunks(columns.len().div_ceil(LOOKED_AT).max(LOOKED_AT)) {
            match may_be_codes(columns)? {
                Some(found) => codes.extend(found),
                None => apart.extend(columns),
            }
        }
        // What cannot be read together is looked at by itself, the likeliest first.
        let place: HashMap<&str, usize> = names.iter().enumerate().map(|(n, name)| (*name, n)).collect();
        apart.sort_by_key(|(_, name)| place.get(name));
        for column in apart.iter().take(LOOKED_AT) {
            codes.extend(may_be_codes(&[*column])?.into_iter().flatten());
        }
        names.retain(|name| codes.contains(name));
        Ok(names)
    }

    /// Whether each row of the column `name` has the code of `file`.
    fn has_code(&self, options: &SourceOptions, file: &Candidate, name: &str) -> Result<bool> {
        let column = file.footer.schema.columns.iter().find(|column| column.name == name);
        let Some(column) = column.filter(|column| column.may_be_codes()) else { return Ok(false) };
        Ok(self.all(file, column.leaf, |texts| are_codes(options, file, texts))?.unwrap_or(false))
    }

    /// Refuses rows of days in a panel whose key, in the columns `named`, says a time of day: none of them would meet one
    /// of the panel's.
    fn check_kind(
        &self,
        options: &SourceOptions,
        files: &[&Candidate],
        named: &[&String],
        prior: &Prior,
    ) -> Result<()> {
        if self.any_says_more(options, files)? {
            return Ok(());
        }
        named.iter().try_for_each(|name| check_days((&options.file_name(name), name), self.rules, prior.all))
    }

    /// Whether a date column that is part of the key says more than a day in one of `files`.
    fn any_says_more(&self, options: &SourceOptions, files: &[&Candidate]) -> Result<bool> {
        let rules = self.rules.without_times();
        let is_plain = |file: &Candidate| {
            let Ok(date) = &file.footer.schema.date else { return Ok(true) };
            if options.key_of(&date.name).is_none() {
                return Ok(true);
            }
            let mut reader = DateReader::new(&date.name, &date.raw, &rules);
            let plain = |array: &ArrayRef| reader.push(array).is_err() || reader.is_plain();
            // What cannot be read is refused when the file is.
            Ok(self.all(file, date.leaf, plain)?.unwrap_or(true))
        };
        // The first often tells.
        Ok(!self.each(&files[..files.len().min(1)], is_plain)? || !self.each(files, is_plain)?)
    }

    /// Whether `holds` of each batch of a column of `file`; `None` where it cannot be read.
    fn all(&self, file: &Candidate, leaf: usize, holds: impl FnMut(&ArrayRef) -> bool) -> Result<Option<bool>> {
        let answer = file.all(self.root, leaf, self.allowance, holds);
        if answer.is_err() {
            check_machine(&self.root.join(&file.path))?;
        }
        Ok(answer.ok())
    }

    /// Whether `holds` of each of `files`.
    fn each(&self, files: &[&Candidate], holds: impl Fn(&Candidate) -> Result<bool> + Sync) -> Result<bool> {
        let answers = self.workers.try_map(files.len(), |n| match self.observer.cancelled() {
            true => Err(Error::Cancelled),
            false => holds(files[n]),
        })?;
        Ok(answers.into_iter().all(|holds| holds))
    }
}

/// Whether each of `texts` is the code of `file`.
fn are_codes(options: &SourceOptions, file: &Candidate, texts: &ArrayRef) -> bool {
    let of_path = options.named_by(&file.path).unwrap_or_default();
    let is_code = |text: Option<&str>| text.is_some_and(|text| options.is_code(text, &of_path, &file.unit));
    cast(texts, &DataType::LargeUtf8).is_ok_and(|texts| texts.as_string::<i64>().iter().all(is_code))
}

/// The column that holds the codes of files by date, by its name; the likeliest, where several have such a name.
fn named_codes(options: &SourceOptions, files: &[&Candidate]) -> Result<String> {
    match files.first() {
        Some(first) => usual_codes(options, &first.footer.schema.columns, &first.path.display().to_string()),
        None => Ok(CODE_NAME.to_owned()),
    }
}

/// Refuses date columns of which nothing would be left where rows are of other dates than they say.
fn check_kept(options: &SourceOptions, dates: &HashSet<&str>) -> Result<()> {
    let is_kept = |name: &&&str| options.key_of(name).is_some();
    let Some(name) = dates.iter().filter(|name| !is_kept(name)).min() else { return Ok(()) };
    let key = [(*name).to_owned()].into_iter().chain(options.key.iter().cloned()).collect();
    let roll = options.roll.map(|roll| roll.to_string()).unwrap_or_default();
    let why = format!("{roll}: the dates in {name:?} would be lost, as trading dates take their place");
    Err(Error::invalid(Setting::Roll, why, [Remedy::set(Setting::Key(key), "keeps them")]))
}

/// Refuses dates in the column `own_name`, which say no time of day, for a key of which the column `name` does; `all` is
/// of the panel that has that key.
pub(in crate::source) fn check_days((own_name, name): (&str, &str), rules: &DateRules, all: &All) -> Result<()> {
    let rules = rules.without_times();
    let is_plain = |array: &ArrayRef| {
        let mut reader = DateReader::new(name, array.data_type(), &rules);
        reader.push(array).is_ok() && reader.is_plain()
    };
    if all(name, &is_plain)? {
        return Ok(());
    }
    let what = format!("the dates in {own_name:?} say no time of day, and {name:?} in the key of the store does");
    let times = Setting::Key(vec![format!("{name}=NAME")]);
    let apart = Remedy::Do("make a store of its own of rows with another key".to_owned());
    Err(Error::refused_unless(what, [Remedy::set(times, "says which column has the times"), apart]))
}

/// Whether one of `values`, which may be dates, has a time of day.
pub(crate) fn says_times(values: &ArrayRef) -> bool {
    let Ok(rules) = DateRules::new(&SourceOptions::default()) else { return false };
    let rules = rules.without_times();
    let mut reader = DateReader::new("", values.data_type(), &rules);
    reader.push(values).is_ok() && reader.has_time
}

/// Whether there is a name for the date beside any date column that stays.
pub(super) fn has_free_date_name(options: &SourceOptions, schemas: &[&FileSchema]) -> bool {
    let has = |schema: &&FileSchema, name: &str| schema.columns.iter().any(|column| column.name == name);
    options.date_name.is_some() || DATE_NAMES.iter().any(|name| !schemas.iter().any(|schema| has(schema, name)))
}

/// The name of the date beside a date column that stays: the user's, else one that no column has.
pub(in crate::source) fn date_name_beside(options: &SourceOptions, schemas: &[&FileSchema]) -> Result<String> {
    if let Some(name) = &options.date_name {
        return Ok(name.clone());
    }
    let is_free = |name: &&str| {
        options.code_column.as_deref() != Some(*name) && schemas.iter().all(|schema| !schema.has_value(name))
    };
    let free = DATE_NAMES.into_iter().find(is_free);
    free.map(str::to_owned).ok_or_else(|| {
        Error::refused_unless(
            "the date needs a column of its own, and the files have a date and a trade_date".to_owned(),
            [Remedy::set(Setting::DateName, "gives it another name")],
        )
    })
}
