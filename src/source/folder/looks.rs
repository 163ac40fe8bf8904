//! What some of the files hold: their codes, and the dates of their rows.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::reason::{Kind, Reason};
use crate::source::allowance::Allowance;
use crate::source::code_column::usual_codes;
use crate::source::content::{Content, guarded};
use crate::source::date::column::DateReader;
use crate::source::date::rules::DateRules;
use crate::source::input::formats::survey_file;
use crate::source::input::interner::Interner;
use crate::source::input::schema::KeyColumn;
use crate::source::options::SourceOptions;
use crate::source::order::NO_DAY;
use crate::workers::DEFAULT_MEMORY;

/// Files that are looked into, whatever is tried on them.
const LOOKED_INTO: usize = 200;
/// Rows of each that are looked at.
const ROWS: usize = 1 << 20;

/// What a file holds.
pub(super) struct Look {
    pub(super) codes: Codes,
    /// `None`: they cannot be read as they are.
    pub(super) days: Option<Days>,
    pub(super) has_date_column: bool,
    /// The names of its other columns.
    pub(super) columns: BTreeSet<String>,
}

/// The codes in the column that is named after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Codes {
    /// There is no such column, or no row.
    None,
    One {
        column: String,
        code: String,
    },
    /// Two of them, and whether a date has several, so that they are no names of one stock.
    Several {
        column: String,
        codes: [String; 2],
        at_once: bool,
    },
}

impl Codes {
    /// Whether these are those of several stocks, where the column of codes is named `name`.
    pub(super) fn are_several(&self, name: &str) -> bool {
        matches!(self, Codes::Several { column, at_once, .. } if *at_once || column == name)
    }
}

/// The dates of a file's rows, ascending, each once.
pub(super) struct Days {
    pub(super) all: Vec<i32>,
    /// Whether rows have a time of day, or several have one date.
    pub(super) are_several: bool,
}

impl Days {
    /// Whether few of these dates are those of the other file as well; `None` where dates do not tell.
    pub(super) fn are_apart(&self, other: &Days) -> Option<bool> {
        let common = self.all.iter().filter(|day| other.all.binary_search(day).is_ok()).count();
        let are_apart = common * 10 <= self.all.len().min(other.all.len());
        (are_apart || !(self.are_several || other.are_several)).then_some(are_apart)
    }
}

/// The files below a directory, each looked into once.
pub(super) struct Looks<'a> {
    root: &'a Path,
    options: &'a SourceOptions,
    known: RefCell<HashMap<PathBuf, Option<Rc<Look>>>>,
    left: Cell<usize>,
}

impl<'a> Looks<'a> {
    pub(super) fn new(root: &'a Path, options: &'a SourceOptions) -> Looks<'a> {
        Looks { root, options, known: RefCell::default(), left: Cell::new(LOOKED_INTO) }
    }

    /// What the file at `path` holds; `None` where it cannot be read, or enough others were looked into.
    pub(super) fn at(&self, path: &Path) -> Option<Rc<Look>> {
        if let Some(known) = self.known.borrow().get(path) {
            return known.clone();
        }
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        let look = look(&self.root.join(path), self.options).ok().map(Rc::new);
        self.known.borrow_mut().insert(path.to_owned(), look.clone());
        look
    }

    /// Those of some of `files`, from the first to the last.
    pub(super) fn of_some<'f>(&self, files: &'f [PathBuf], count: usize) -> Vec<(&'f Path, Rc<Look>)> {
        let some = files.iter().step_by(files.len().div_ceil(count).max(1));
        some.filter_map(|path| Some((path.as_path(), self.at(path)?))).collect()
    }
}

fn look(path: &Path, options: &SourceOptions) -> Result<Look, Reason> {
    let allowance = Allowance::new(DEFAULT_MEMORY, 1);
    let schema_by = |options: &SourceOptions| {
        let (content, _) = Content::open(path)?;
        let footer = survey_file(&content, &Interner::new(options, &allowance))?;
        Ok::<_, Reason>((content, footer.schema))
    };
    let by = |column: &str| SourceOptions { code_column: Some(column.to_owned()), ..options.clone() };
    let (content, schema) = schema_by(&by(options.code_name()))?;
    let usual = match &schema.code {
        Some(_) => None,
        None => usual_codes(options, &schema.columns, "").ok(),
    };
    let (content, schema) = match usual {
        Some(usual) => schema_by(&by(&usual))?,
        None => (content, schema),
    };
    let has_date_column = schema.date.as_ref().err().is_none_or(|reason| reason.kind() != Kind::NoDateColumn);
    let (date, code) = (schema.date.as_ref().ok(), schema.code.as_ref());
    let columns = schema.values.iter().map(|value| value.name.clone()).collect();
    let rules = DateRules::new(options).map_err(Reason::undecodable)?.without_times();
    let mut reader = date.map(|date| DateReader::new(&date.name, &date.raw, &rules));
    let leaves: BTreeSet<usize> = [date, code].into_iter().flatten().map(|column| column.leaf).collect();
    let leaves: Vec<usize> = leaves.into_iter().collect();
    let place = |column: &KeyColumn| leaves.iter().position(|leaf| *leaf == column.leaf).unwrap_or_default();
    let mut texts: Vec<Option<String>> = Vec::new();
    let mut row_count = 0;
    if !leaves.is_empty() {
        guarded(|| {
            let file = schema.open(content, &allowance)?;
            for batch in file.batches(&leaves)? {
                let batch = batch?;
                row_count += batch[0].len();
                let days = date.map(|date| &batch[place(date)]);
                if days.is_some_and(|days| reader.as_mut().is_some_and(|reader| reader.push(days).is_err())) {
                    reader = None;
                }
                if let Some(code) = code {
                    let codes = cast(&batch[place(code)], &DataType::Utf8).map_err(Reason::undecodable)?;
                    texts.extend(codes.as_string::<i32>().iter().map(|code| code.map(str::to_owned)));
                }
                if row_count > ROWS {
                    break;
                }
            }
            Ok(())
        })?;
    }
    let row_days = reader.as_ref().map(|reader| &reader.days[..]);
    let codes = code.map_or(Codes::None, |code| codes_of(&code.name, &texts, row_days));
    let days = reader.as_ref().map(|reader| {
        let mut all: Vec<i32> = reader.days.iter().copied().filter(|day| *day != NO_DAY).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        Days { are_several: reader.has_time || all.len() < count, all }
    });
    Ok(Look { codes, days: days.filter(|days| !days.all.is_empty()), has_date_column, columns })
}

/// What `texts` say, which are of rows of these days.
fn codes_of(column: &str, texts: &[Option<String>], days: Option<&[i32]>) -> Codes {
    let mut known = texts.iter().flatten();
    let Some(first) = known.next() else { return Codes::None };
    let column = column.to_owned();
    let Some(other) = known.find(|code| *code != first) else { return Codes::One { column, code: first.clone() } };
    let at_once = days.is_none_or(|days| {
        let mut of_day: HashMap<i32, &String> = HashMap::new();
        let mut rows = days.iter().zip(texts).filter_map(|(day, code)| Some((*day, code.as_ref()?)));
        rows.any(|(day, code)| *of_day.entry(day).or_insert(code) != code)
    });
    Codes::Several { column, codes: [first.clone(), other.clone()], at_once }
}
