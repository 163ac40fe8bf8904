//! Arrow IPC files.
//!
//! A file holds one dictionary of each column: a second one is no file's, and what adds to one is not read by all. So the
//! texts of all rows are found before the first of several batches is written.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, cast::AsArray};
use arrow_cast::cast;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, SchemaRef};

use super::OutputColumn;
use super::note::KEY;
use super::parquet::Put;
use super::slices::in_slices;
use crate::error::{Error, Result};

/// What failed, where an Arrow file could not be made.
const ARROW: &str = "encode an Arrow file";

/// One file being made.
pub(crate) struct ArrowFile<'e> {
    schema: &'e SchemaRef,
    writer: Box<FileWriter<Vec<u8>>>,
    batches: usize,
    /// By place of the column, of those that are dictionaries.
    texts: Vec<(usize, Texts)>,
    /// Whether the texts of all rows are known.
    is_known: bool,
}

/// The texts of a column, in the order in which its rows come to them.
#[derive(Default)]
struct Texts {
    codes: HashMap<String, i32>,
    /// All of them, once they are known.
    values: Option<ArrayRef>,
}

impl<'e> ArrowFile<'e> {
    /// Begins a file of `schema`.
    ///
    /// # Errors
    /// When the format cannot hold the schema.
    pub(super) fn new(schema: &'e SchemaRef) -> Result<ArrowFile<'e>> {
        let is_coded = |(_, data_type): &(usize, &DataType)| matches!(data_type, DataType::Dictionary(..));
        let types = schema.fields().iter().map(|field| field.data_type()).enumerate();
        let texts: Vec<_> = types.filter(is_coded).map(|(place, _)| (place, Texts::default())).collect();
        Ok(ArrowFile { schema, writer: writer(schema)?, batches: 0, is_known: texts.is_empty(), texts })
    }

    /// Adds rows, a slice of them as a batch; what came before goes to `put`.
    ///
    /// # Errors
    /// When the format cannot hold a value, or `put` fails.
    pub(super) fn write(&mut self, columns: &[OutputColumn], row_count: usize, put: &mut Put<'_>) -> Result<()> {
        in_slices(columns, row_count, &mut |columns, row_count| {
            self.batches += 1;
            if !self.is_known {
                for (place, texts) in &mut self.texts {
                    texts.add(&columns[*place].logical(row_count)?)?;
                }
                if self.batches > 1 {
                    return Ok(());
                }
            }
            let mut arrays: Vec<ArrayRef> =
                columns.iter().map(|column| column.logical(row_count)).collect::<Result<_>>()?;
            for (place, texts) in &self.texts {
                texts.recode(&mut arrays[*place])?;
            }
            let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(Error::failed(ARROW))?;
            // A file of one batch is put in one piece.
            if self.batches > 1 {
                put(self.writer.get_ref())?;
                self.writer.get_mut().clear();
            }
            self.writer.write(&batch).map_err(Error::failed(ARROW))
        })
    }

    /// Whether all rows must be written once more, because only now their texts are known. Nothing was put then.
    ///
    /// # Errors
    /// When the format cannot hold the texts.
    pub(super) fn begins_again(&mut self) -> Result<bool> {
        if self.is_known || self.batches <= 1 {
            return Ok(false);
        }
        for (place, texts) in &mut self.texts {
            texts.close(self.schema.field(*place).data_type())?;
        }
        (self.writer, self.batches, self.is_known) = (writer(self.schema)?, 0, true);
        Ok(true)
    }

    /// Gives the rest of the file to `put`.
    ///
    /// # Errors
    /// When `put` fails.
    pub(super) fn finish(self, put: &mut Put<'_>) -> Result<()> {
        put(&self.writer.into_inner().map_err(Error::failed(ARROW))?)
    }
}

/// A file of `schema` without rows that carries `text` in its metadata.
///
/// # Errors
/// When the format cannot hold them.
pub(super) fn encode_note(schema: &SchemaRef, text: String) -> Result<Vec<u8>> {
    let mut writer = writer(schema)?;
    writer.write_metadata(KEY, text);
    writer.into_inner().map_err(Error::failed(ARROW))
}

fn writer(schema: &SchemaRef) -> Result<Box<FileWriter<Vec<u8>>>> {
    FileWriter::try_new(Vec::new(), schema).map(Box::new).map_err(Error::failed(ARROW))
}

impl Texts {
    /// Adds those of a dictionary.
    fn add(&mut self, array: &ArrayRef) -> Result<()> {
        for text in texts_of(array).map_err(Error::failed(ARROW))?.iter().flatten() {
            if !self.codes.contains_key(text) {
                self.codes.insert(text.to_owned(), self.codes.len() as i32);
            }
        }
        Ok(())
    }

    /// There are no more; they are to be a dictionary of this type.
    fn close(&mut self, data_type: &DataType) -> Result<()> {
        let mut texts: Vec<(&str, i32)> = self.codes.iter().map(|(text, code)| (text.as_str(), *code)).collect();
        texts.sort_unstable_by_key(|&(_, code)| code);
        let all: ArrayRef = Arc::new(texts.into_iter().map(|(text, _)| Some(text)).collect::<StringArray>());
        let value_type = match data_type {
            DataType::Dictionary(_, value) => value.as_ref(),
            other => other,
        };
        self.values = Some(cast(&all, value_type).map_err(Error::failed(ARROW))?);
        Ok(())
    }

    /// Has a dictionary name the texts of all rows, where they are known.
    fn recode(&self, array: &mut ArrayRef) -> Result<()> {
        let Some(values) = &self.values else { return Ok(()) };
        let recoded = || {
            let own = texts_of(array)?;
            let code = |place: i32| self.codes.get(own.value(place as usize)).copied();
            let keys: Int32Array =
                array.as_dictionary::<Int32Type>().keys().iter().map(|key| key.and_then(code)).collect();
            DictionaryArray::try_new(keys, values.clone())
        };
        *array = Arc::new(recoded().map_err(Error::failed(ARROW))?);
        Ok(())
    }
}

/// The texts that a dictionary has.
fn texts_of(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let coded = array.as_dictionary_opt::<Int32Type>();
    let coded = coded.ok_or_else(|| ArrowError::SchemaError(format!("{} is no dictionary", array.data_type())))?;
    Ok(cast(coded.values(), &DataType::Utf8)?.as_string::<i32>().clone())
}
