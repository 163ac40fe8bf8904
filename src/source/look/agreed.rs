//! What a survey found and agreed on, as plain data: for those who read parts of a source elsewhere, and who look only
//! at their own files again.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::inputs::{inputs, look};
use crate::error::{Error, Result};
use crate::panel::{Column, DateForm, PanelSchema, type_text};
use crate::progress::Observer;
use crate::reason::{Kind, Reason};
use crate::skipped::{self, Skipped};
use crate::source::agreement::exact::Small;
use crate::source::allowance::Allowance;
use crate::source::code_map::CodeMap;
use crate::source::content::{self, Stamp, WHOLE};
use crate::source::date::rules::DateRules;
use crate::source::date::trading::Trading;
use crate::source::input::fields::Fields;
use crate::source::input::interner::Interner;
use crate::source::input::schema::{FileSchema, Footer, Value};
use crate::source::options::SourceOptions;
use crate::source::survey::{Input, InputFile, Survey};
use crate::source::trouble::check_machine;

/// What the files of a source were agreed to be, and which they are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Agreed {
    root: String,
    /// With nothing left open.
    options: SourceOptions,
    code: Column,
    date_name: String,
    date_cast: Option<TypeText>,
    date_form: Option<DateForm>,
    columns: Vec<Column>,
    key: Vec<usize>,
    trading: Option<Trading>,
    /// What the columns of files of text are read as, by their names there.
    fields: BTreeMap<String, Fields>,
    /// The panel's columns that files have, each with its name there; many files share a list.
    schemas: Vec<Vec<[String; 2]>>,
    inputs: Vec<AgreedInput>,
    #[serde(with = "skipped::in_full")]
    skipped: Vec<Skipped>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AgreedInput {
    unit: String,
    row_count: u64,
    files: Vec<AgreedFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AgreedFile {
    path: String,
    byte_len: u64,
    modified_ns: i64,
    row_count: u64,
    /// Its place among the schemas.
    schema: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct TypeText(#[serde(with = "type_text")] DataType);

impl Agreed {
    /// What `survey` found.
    ///
    /// # Errors
    /// When a path is no text.
    pub(crate) fn of(survey: &Survey) -> Result<Agreed> {
        let mut schemas: Vec<Vec<[String; 2]>> = Vec::new();
        let mut fields = BTreeMap::new();
        let mut known: HashMap<*const FileSchema, usize> = HashMap::new();
        let mut schema = |of: &Arc<FileSchema>| {
            *known.entry(Arc::as_ptr(of)).or_insert_with(|| {
                let open = of.columns.iter().filter(|column| survey.options.cast(&column.name).is_none());
                fields.extend(open.filter_map(|column| Some((column.name.clone(), column.fields?))));
                schemas.push(of.values.iter().map(|value| [value.name.clone(), value.own_name.clone()]).collect());
                schemas.len() - 1
            })
        };
        let mut agreed = Vec::with_capacity(survey.inputs.len());
        for Input { unit, files, row_count, .. } in &survey.inputs {
            let file = |file: &InputFile| {
                Ok(AgreedFile {
                    path: text(&file.path)?,
                    byte_len: file.byte_len,
                    modified_ns: file.modified_ns,
                    row_count: file.row_count,
                    schema: schema(&file.layout.schema),
                })
            };
            let files = files.iter().map(file).collect::<Result<_>>()?;
            agreed.push(AgreedInput { unit: unit.clone(), row_count: *row_count, files });
        }
        Ok(Agreed {
            root: text(&std::path::absolute(&survey.root).unwrap_or_else(|_| survey.root.clone()))?,
            options: survey.options.clone(),
            code: survey.code.clone(),
            date_name: survey.date_name.clone(),
            date_cast: survey.date_cast.clone().map(TypeText),
            date_form: survey.date_form.clone(),
            columns: survey.columns.clone(),
            key: survey.key.clone(),
            trading: survey.trading.clone(),
            fields,
            schemas,
            inputs: agreed,
            skipped: survey.skipped.clone(),
            notes: survey.notes.clone(),
        })
    }

    /// That these files, each an input of its own, hold rows of `panel`, one date each; none of them is read.
    ///
    /// # Errors
    /// When a path is no text, or the machine fails.
    pub(crate) fn of_files(files: &[PathBuf], panel: &PanelSchema) -> Result<Agreed> {
        let mut inputs = Vec::with_capacity(files.len());
        for (at, path) in files.iter().enumerate() {
            let path = std::path::absolute(path).map_err(Error::io("find", path))?;
            let Stamp { byte_len, modified_ns } = stamp_of(&path)?;
            let file = AgreedFile { path: text(&path)?, byte_len, modified_ns, row_count: 0, schema: 0 };
            inputs.push(AgreedInput { unit: at.to_string(), row_count: 0, files: vec![file] });
        }
        Ok(Agreed {
            root: "/".to_owned(),
            options: SourceOptions::by_date(),
            code: panel.code.clone(),
            date_name: panel.date_name.clone(),
            date_cast: None,
            date_form: Some(panel.date_form.clone()),
            columns: panel.columns.clone(),
            key: panel.key.clone(),
            trading: None,
            fields: BTreeMap::new(),
            schemas: vec![Vec::new()],
            inputs,
            skipped: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// The files of these inputs, each of which is as it was found.
    ///
    /// # Errors
    /// Where one is another, or the machine fails.
    pub(crate) fn unchanged(&self, range: Range<usize>) -> Result<()> {
        for file in self.inputs[range].iter().flat_map(|input| &input.files) {
            let path = PathBuf::from(&self.root).join(&file.path);
            if stamp_of(&path)? != file.stamp() {
                let what = format!("{} is not the file that was planned with", path.display());
                return Err(Error::refused(what, "plan again").about(&path));
            }
        }
        Ok(())
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let root = PathBuf::from(&self.root);
        self.inputs.iter().flat_map(|input| &input.files).map(|file| root.join(&file.path)).collect()
    }

    /// Whether its numbers refer to what is there.
    pub(crate) fn is_whole(&self) -> bool {
        let mut files = self.inputs.iter().flat_map(|input| &input.files);
        self.key.iter().all(|&column| column < self.columns.len())
            && self.inputs.iter().all(|input| !input.files.is_empty())
            && files.all(|file| file.schema < self.schemas.len())
    }

    /// The code map, as it was read.
    pub(crate) fn code_map(&self) -> Option<&CodeMap> {
        self.options.code_map.as_ref()
    }

    /// The source directory.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// How many inputs there are.
    pub(crate) fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// The survey as it was, for who opens none of the files.
    ///
    /// # Errors
    /// When an option says nothing.
    pub(crate) fn survey(&self, memory: u64) -> Result<Survey> {
        let schemas: Vec<Arc<FileSchema>> = self.schemas.iter().map(|values| Arc::new(unread(values))).collect();
        let allowance = Allowance::new(memory, 1);
        self.survey_of(0..self.inputs.len(), &allowance, |file| Ok((Arc::clone(&schemas[file.schema]), 0)))
    }

    /// A survey of these inputs, for who reads them: looks at each file again. One that is not as it was found will be
    /// refused when it is opened.
    ///
    /// # Errors
    /// When the machine fails, or the observer cancels.
    pub(crate) fn look(&self, range: Range<usize>, memory: u64, observer: &dyn Observer) -> Result<Survey> {
        let allowance = Allowance::new(memory, 1);
        let interner = Interner::new(&self.options, &allowance);
        let nothing = Arc::new(unread(&[]));
        let file_count = self.inputs[range.clone()].iter().map(|input| input.files.len()).sum();
        let looked_at = Cell::new(0);
        self.survey_of(range, &allowance, |file| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            looked_at.set(looked_at.get() + 1);
            interner.check(looked_at.get(), file_count)?;
            let path = PathBuf::from(&self.root).join(&file.path);
            match look(&path, &interner) {
                Ok((stamp, footer)) if stamp == file.stamp() => Ok(self.as_agreed(footer, &interner)),
                _ => {
                    check_machine(&path)?;
                    Ok((Arc::clone(&nothing), 0))
                }
            }
        })
    }

    /// The schema of a file with this footer, its fields read as was agreed, and the bytes that its texts take.
    fn as_agreed(&self, footer: Footer, interner: &Interner) -> (Arc<FileSchema>, u64) {
        let FileSchema { columns, format, .. } = footer.schema.as_ref();
        let (Some(format), false) = (format, self.fields.is_empty()) else { return (footer.schema, footer.text_len) };
        let mut columns = columns.clone();
        for column in &mut columns {
            if column.fields.is_some()
                && let Some(fields) = self.fields.get(&column.name)
            {
                column.fields = Some(*fields);
            }
        }
        (interner.intern(Arc::clone(format), columns), footer.text_len)
    }

    fn survey_of(
        &self,
        range: Range<usize>,
        allowance: &Arc<Allowance>,
        schema: impl Fn(&AgreedFile) -> Result<(Arc<FileSchema>, u64)>,
    ) -> Result<Survey> {
        let mut candidates = Vec::new();
        for input in &self.inputs[range] {
            for file in &input.files {
                let (schema, text_len) = schema(file)?;
                let (row_count, has_attrs, odd) = (file.row_count, false, Vec::new());
                candidates.push(Candidate {
                    unit: input.unit.clone(),
                    path: PathBuf::from(&file.path),
                    stamp: file.stamp(),
                    footer: Footer { schema, row_count, text_len, has_attrs, odd },
                    small: Small::default(),
                });
            }
        }
        Ok(Survey {
            root: PathBuf::from(&self.root),
            code: self.code.clone(),
            date_name: self.date_name.clone(),
            columns: self.columns.clone(),
            key: self.key.clone(),
            inputs: inputs(candidates, &self.columns, &self.key, &self.options),
            unread: Vec::new(),
            skipped: self.skipped.clone(),
            notes: self.notes.clone(),
            options: self.options.clone(),
            dates: DateRules::new(&self.options)?,
            date_cast: self.date_cast.as_ref().map(|cast| cast.0.clone()),
            date_form: self.date_form.clone(),
            trading: self.trading.clone(),
            whole_len: WHOLE,
            allowance: Arc::clone(allowance),
        })
    }
}

impl AgreedFile {
    fn stamp(&self) -> Stamp {
        Stamp { byte_len: self.byte_len, modified_ns: self.modified_ns }
    }
}

/// A path as text.
fn text(path: &Path) -> Result<String> {
    let odd = || Error::refused(format!("the name of {} is not UTF-8", path.display()), "rename it");
    path.to_str().map(str::to_owned).ok_or_else(odd)
}

/// What the file at `path` is; nothing where it cannot be opened.
fn stamp_of(path: &Path) -> Result<Stamp> {
    match content::open(path) {
        Ok((_, stamp)) => Ok(stamp),
        Err(_) => check_machine(path).map(|()| Stamp { byte_len: 0, modified_ns: 0 }),
    }
}

/// The schema of files with these columns, each with its own name, that nobody can read by it.
fn unread(values: &[[String; 2]]) -> FileSchema {
    let value = |[name, own_name]: &[String; 2]| Value {
        name: name.clone(),
        own_name: own_name.clone(),
        leaf: 0,
        raw: DataType::Null,
        logical: DataType::Null,
    };
    FileSchema {
        columns: Vec::new(),
        date: Err(Reason::new(Kind::NoDateColumn, "was not looked at")),
        has_named_date: false,
        code: None,
        values: values.iter().map(value).collect(),
        drops_index: false,
        refusal: None,
        format: None,
    }
}
