//! What a file says of itself, whatever its format: its columns, and how they are read.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use arrow_select::concat::concat;

use super::fields::Fields;
use crate::reason::{Kind, Reason};
use crate::source::allowance::Allowance;
use crate::source::content::Content;
use crate::source::types::is_text;

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::source) struct FileColumn {
    pub(in crate::source) name: String,
    /// The leaf that holds it, or the first of them.
    pub(in crate::source) leaf: usize,
    /// The type of its values; `Err` says what it is if they cannot be read.
    pub(in crate::source) raw: Result<DataType, String>,
    /// What its fields look like, where the file has but text: it decides on `raw`.
    pub(in crate::source) fields: Option<Fields>,
    /// Whether it holds instants of 96 bits, whose unit is not in the footer.
    pub(in crate::source) is_instant: bool,
    /// Whether a user decided its type in the panel, so that it may lose precision.
    pub(in crate::source) may_round: bool,
    /// What the writer said of it that a panel does not keep.
    pub(in crate::source) loss: Option<String>,
}

impl FileColumn {
    /// Whether its values are texts, or fields that may be read as such.
    pub(in crate::source) fn may_be_codes(&self) -> bool {
        self.fields.is_some_and(Fields::may_be_codes) || self.raw.as_ref().is_ok_and(is_text)
    }
}

/// A column that takes part in the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Value {
    pub(in crate::source) name: String,
    /// What the file calls it, as settings do.
    pub(in crate::source) own_name: String,
    /// The leaf that holds it.
    pub(in crate::source) leaf: usize,
    pub(in crate::source) raw: DataType,
    /// Its type before files are compared: the logical type of `raw`, or the type of a cast.
    pub(in crate::source) logical: DataType,
}

/// The date column of a file, or the one of its codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct KeyColumn {
    pub(in crate::source) name: String,
    /// The leaf that holds it.
    pub(in crate::source) leaf: usize,
    pub(in crate::source) raw: DataType,
}

/// What many files have in common: their columns, and the parts these play under the options.
#[derive(Debug)]
pub(in crate::source) struct FileSchema {
    /// All columns, excluded ones too.
    pub(in crate::source) columns: Vec<FileColumn>,
    /// `Err` says why files with rows cannot do with this schema.
    pub(in crate::source) date: Result<KeyColumn, Reason>,
    /// Whether a file without a date column has the date that its name gives.
    pub(in crate::source) has_named_date: bool,
    pub(in crate::source) code: Option<KeyColumn>,
    pub(in crate::source) values: Vec<Value>,
    /// Whether an index of integers is left out.
    pub(in crate::source) drops_index: bool,
    /// Why every file of this schema is refused, if it is.
    pub(in crate::source) refusal: Option<Reason>,
    /// How the files are decoded; `None` for rows in memory.
    pub(in crate::source) format: Option<Arc<dyn Format>>,
}

impl FileSchema {
    /// A decoder over `content`, a file of this schema.
    ///
    /// # Errors
    /// A reason to skip the file.
    pub(in crate::source) fn open(
        self: &Arc<FileSchema>,
        content: Content,
        allowance: &Arc<Allowance>,
    ) -> Result<Box<dyn Decoder>, Reason> {
        let format = self.format.as_ref().ok_or_else(|| Reason::damaged("its rows are not in a file"))?;
        Arc::clone(format).open(content, self, allowance)
    }

    /// Why files of this schema cannot take part, those with rows or those without.
    pub(in crate::source) fn refusal_of(&self, has_rows: bool) -> Option<&Reason> {
        let is_line = !has_rows && self.format.as_ref().is_some_and(|format| format.takes_any_line());
        let no_date = self.date.as_ref().err().filter(|_| has_rows || is_line);
        let has_named_date = self.has_named_date && (self.code.is_some() || !is_line);
        let is_named = |reason: &&Reason| has_named_date && reason.kind() == Kind::NoDateColumn;
        self.refusal.as_ref().or(no_date.filter(|reason| !is_named(reason)))
    }

    /// Whether a file has a column of this name.
    pub(in crate::source) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// Whether a column of this name becomes one of the panel's.
    pub(in crate::source) fn has_value(&self, name: &str) -> bool {
        self.values.iter().any(|value| value.name == name)
    }

    /// The leaves of columns that take part and hold instants of 96 bits, ascending.
    pub(in crate::source) fn instants(&self) -> impl Iterator<Item = usize> + use<'_> {
        // Hardly any file has some, and of thousands with hundreds of columns each a set would take long.
        let has_some = self.columns.iter().any(|column| column.is_instant);
        let values = self.values.iter().filter(|_| has_some).map(|value| value.leaf);
        let taken: HashSet<usize> = values.chain(self.date.iter().map(|date| date.leaf)).collect();
        let instants = self.columns.iter().filter(|column| column.is_instant).map(|column| column.leaf);
        instants.filter(move |leaf| self.refusal.is_none() && taken.contains(leaf))
    }

    /// Whether its columns are fields of text.
    pub(in crate::source) fn is_of_fields(&self) -> bool {
        self.columns.iter().any(|column| column.fields.is_some())
    }
}

/// What a file says of itself as a whole: its footer, or what stands for one.
pub(in crate::source) struct Footer {
    pub(in crate::source) schema: Arc<FileSchema>,
    pub(in crate::source) row_count: u64,
    /// Upper estimate of the bytes that the texts and binaries take once decoded.
    pub(in crate::source) text_len: u64,
    /// Whether pandas' own attributes of the whole table stand among the notes.
    pub(in crate::source) has_attrs: bool,
    /// What makes columns text, those first that have numbers as well.
    pub(in crate::source) odd: Vec<Odd>,
}

/// The first field that makes a column text.
#[derive(Clone)]
pub(in crate::source) struct Odd {
    pub(in crate::source) leaf: usize,
    /// The row of the file, from 1 on.
    pub(in crate::source) row: u64,
    /// As a message has it.
    pub(in crate::source) text: String,
    /// Whether it is a number itself, or true or false, but no type holds it with what is above it.
    pub(in crate::source) is_value: bool,
    /// Whether there are numbers, or true and false, beside it.
    pub(in crate::source) has_values: bool,
}

/// A format of input files: how those of one schema are decoded.
pub(in crate::source) trait Format: fmt::Debug + Send + Sync {
    /// Whether a line of any text can seem to be a file without rows. Then a message of a server that stands where a
    /// stock's rows were would take them away, if its date column did not tell a file.
    fn takes_any_line(&self) -> bool {
        false
    }

    /// A decoder over `content`, which was surveyed as `schema`.
    ///
    /// # Errors
    /// A reason to skip the file.
    fn open(
        self: Arc<Self>,
        content: Content,
        schema: &Arc<FileSchema>,
        allowance: &Arc<Allowance>,
    ) -> Result<Box<dyn Decoder>, Reason>;
}

/// Columns of a file batch by batch, each in its own type.
pub(in crate::source) type Batches<'a> = Box<dyn Iterator<Item = Result<Vec<ArrayRef>, Reason>> + 'a>;

/// Texts of eight bytes: a dictionary of such, and for each row which of them it has.
pub(in crate::source) struct EightBytes {
    pub(in crate::source) entries: Vec<[u8; 8]>,
    pub(in crate::source) rows: Vec<u32>,
}

/// The columns of one file as it has them, in the order of the file. What is here may panic on damaged bytes and is to be
/// called under [`guarded`](crate::source::content::guarded).
pub(in crate::source) trait Decoder {
    /// Rows by the file's own account, if it has one.
    fn row_count(&self) -> Option<u64>;

    /// Reads the columns at `leaves` (ascending) batch by batch, each in its own type.
    ///
    /// # Errors
    /// A reason to skip the file.
    fn batches(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason>;

    /// As [`batches`](Decoder::batches), but texts may come as a dictionary of such, where they lie like that in the file.
    ///
    /// # Errors
    /// A reason to skip the file.
    fn coded(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason> {
        self.batches(leaves)
    }

    /// The column at `leaf`, where it has ASCII texts of eight bytes that lie in a dictionary of such, and none is null.
    fn eight_bytes(&self, _leaf: usize) -> Option<EightBytes> {
        None
    }

    /// How many columns are best read together: more take memory for their decoders, whatever their rows, where fewer
    /// cost another look at the file each time.
    fn columns_at_once(&self) -> usize {
        usize::MAX
    }

    /// Notes that columns that were read before take so many bytes.
    fn keep(&self, _bytes: u64) {}

    /// Whether all that was read so far is of one state of the file.
    ///
    /// # Errors
    /// A reason to skip the file.
    fn check_unchanged(&self) -> Result<(), Reason>;

    /// Whether something that was read took more memory than the file may.
    fn was_too_large(&self) -> bool;

    /// The one value of `column` as an array of one row, if the file shows without decoding that all rows hold it.
    fn constant(&self, _column: &Value, _row_count: usize) -> Option<ArrayRef> {
        None
    }

    /// Whether a column of a type that no panel holds has no value.
    ///
    /// # Errors
    /// A reason to skip the file.
    fn is_null(&self, _column: &FileColumn) -> Result<bool, Reason> {
        Ok(false)
    }

    /// The nulls of `column`, if the file has it as lists or the like of which none is there, and nothing to be decoded.
    fn nulls(&self, _column: &Value, _row_count: usize) -> Option<ArrayRef> {
        None
    }

    /// The leaves whose signed integers all lie within 53 bits, by the file's statistics.
    fn small_leaves(&self) -> Vec<usize> {
        Vec::new()
    }
}

impl dyn Decoder + '_ {
    /// The columns at `leaves` (ascending) whole, each `row_count` long, if that is known.
    pub(in crate::source) fn columns(
        &self,
        leaves: &[usize],
        row_count: Option<usize>,
    ) -> Result<Vec<ArrayRef>, Reason> {
        let some = |leaves: &[usize]| whole(self.batches(leaves)?, leaves.len(), row_count);
        self.in_parts(leaves, some)
    }

    /// As `columns`, but texts may come as a dictionary of such, where they lie like that in the file.
    pub(in crate::source) fn coded_columns(&self, leaves: &[usize], row_count: usize) -> Result<Vec<ArrayRef>, Reason> {
        self.in_parts(leaves, |leaves| whole(self.coded(leaves)?, leaves.len(), Some(row_count)))
    }

    /// What `read` gives of so many of `leaves` as are read together, one after the other.
    fn in_parts(
        &self,
        leaves: &[usize],
        read: impl Fn(&[usize]) -> Result<Vec<ArrayRef>, Reason>,
    ) -> Result<Vec<ArrayRef>, Reason> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(leaves.len());
        let mut kept = 0;
        for part in leaves.chunks(self.columns_at_once()) {
            self.keep(kept);
            let found = read(part)?;
            kept += found.iter().map(|array| array.get_array_memory_size() as u64).sum::<u64>();
            columns.extend(found);
        }
        self.keep(0);
        Ok(columns)
    }
}

/// All of `batches`, which have so many columns, one after the other.
fn whole(read: Batches<'_>, column_count: usize, row_count: Option<usize>) -> Result<Vec<ArrayRef>, Reason> {
    let mut batches: Vec<Vec<ArrayRef>> = Vec::new();
    let mut found = 0;
    for batch in read {
        let batch = batch?;
        found += batch[0].len();
        if row_count.is_some_and(|row_count| found > row_count) {
            break;
        }
        batches.push(batch);
    }
    if let Some(row_count) = row_count.filter(|row_count| *row_count != found) {
        return Err(Reason::damaged(format_args!("its columns have {found} and {row_count} rows")));
    }
    if let [batch] = &mut batches[..] {
        return Ok(std::mem::take(batch));
    }
    let column = |n: usize| {
        let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch[n].as_ref()).collect();
        concat(&parts).map_err(Reason::undecodable)
    };
    (0..column_count).map(column).collect()
}
