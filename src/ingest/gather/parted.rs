//! Rows that come as a stream of batches, in any order and more than the memory holds: apart for each date, in
//! intermediate files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader, UInt32Array};
use arrow_buffer::Buffer;
use arrow_cast::cast;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;

use super::sections::{Sections, gather};
use super::stages::Stages;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::{DateForm, PanelSchema};
use crate::shuffle::{Extent, Shelf, Spill, SpillMap};
use crate::source::{FrameSchema, Losses, check_decimals, odd_values, of_frame_on, take_frame, unreadable};
use crate::store::{Store, StoreWriter};

/// Rows in memory, or made while they are read: batches of one schema.
pub type Rows<'a> = Box<dyn RecordBatchReader + Send + 'a>;

/// The rows of a stream, apart for each date.
pub(in crate::ingest) struct Parted {
    /// What the batches have, dictionaries written out.
    schema: SchemaRef,
    /// The message that says so.
    head: Buffer,
    /// For each date, the batches of its rows, in the order in which they came.
    dates: Vec<(Date, Vec<Extent>)>,
    spill: SpillMap,
    /// How the dates are spelt, if in one way.
    pub(in crate::ingest) form: Option<DateForm>,
    /// Whether a date says more than a day.
    pub(in crate::ingest) says_more: bool,
    losses: Losses,
}

impl Parted {
    /// Reads `rows`, whose columns play the parts that `frame` says.
    ///
    /// # Errors
    /// When a batch cannot be had or has no date in a row, a file cannot be written, or the observer cancels.
    pub(in crate::ingest) fn read(
        stages: &Stages,
        writer: &StoreWriter,
        rows: Rows,
        frame: &FrameSchema,
    ) -> Result<Parted> {
        let schema = plain(&frame.chosen(&RecordBatch::new_empty(rows.schema()))?)?.schema();
        let mut dates = frame.dates(&schema)?;
        let mut parts = Parts {
            encoder: StreamWriter::try_new(Vec::new(), &schema).map_err(unreadable)?,
            spill: stages.spill(writer, 0)?,
            days: BTreeMap::new(),
        };
        let head = Buffer::from_vec(std::mem::take(parts.encoder.get_mut()));
        stages.observer.begin("take", "rows", 0);
        let (mut held, mut held_len) = (Vec::new(), 0);
        for batch in rows {
            let batch = frame.chosen(&batch.map_err(unreadable)?)?;
            for batch in cut(&batch, stages.share()) {
                if stages.observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let batch = plain(&batch)?;
                stages.observer.advance(batch.num_rows() as u64);
                held_len += byte_len(&batch);
                held.push(batch);
                if held_len >= stages.share() {
                    let joined = concat_batches(&schema, &std::mem::take(&mut held)).map_err(unreadable)?;
                    parts.put(&joined, &dates.read(&joined)?)?;
                    held_len = 0;
                }
            }
        }
        if !held.is_empty() {
            let joined = concat_batches(&schema, &held).map_err(unreadable)?;
            drop(held);
            parts.put(&joined, &dates.read(&joined)?)?;
        }
        stages.observer.end();
        let Parts { spill, days, .. } = parts;
        let date = |(day, extents)| Date::from_days(day).map(|date| (date, extents));
        let (form, says_more) = dates.finish();
        let form =
            form.filter(|form| days.keys().all(|&day| Date::from_days(day).is_some_and(|date| form.holds(date))));
        let dates = days.into_iter().filter_map(date).collect();
        Ok(Parted { schema, head, dates, spill: spill.map()?, form, says_more, losses: frame.losses() })
    }

    /// Spills its rows as the sections of `panel`, in the panel's types; `before` is what the source has.
    ///
    /// # Errors
    /// When the rows of a date cannot be used, with the reason; or a file cannot be written, or the observer cancels.
    pub(in crate::ingest) fn sections(
        &self,
        stages: &Stages,
        frame: &FrameSchema,
        (panel, before): (&PanelSchema, Option<&Store>),
        spill: &Spill,
    ) -> Result<Sections> {
        let read_by = (frame.options(), !frame.joins());
        let read = |(_, extents): &(Date, Vec<Extent>), allowance: &Arc<_>| {
            Ok(take_frame(&self.batches(extents)?, &self.schema, read_by, panel, allowance))
        };
        let (sections, codes) = gather(stages, (&self.dates, "dates"), (panel, before), spill, read)?;
        let of_date = |(section, (date, _)): (std::result::Result<_, _>, &(Date, _))| {
            section.map_err(|reason| of_frame_on(*date, &reason))
        };
        let sections = sections.into_iter().zip(&self.dates).map(of_date).collect::<Result<_>>()?;
        let mut sections = Sections::new(sections, codes.into_all());
        sections.losses.join(self.losses.clone());
        Ok(sections)
    }

    /// The rows in these extents, where they lie.
    fn batches(&self, extents: &[Extent]) -> Result<Vec<RecordBatch>> {
        let mut decoder = StreamDecoder::new();
        let mut batches = Vec::with_capacity(extents.len());
        let parts = extents.iter().map(|extent| self.spill.buffer(*extent));
        for mut part in std::iter::once(self.head.clone()).chain(parts) {
            while !part.is_empty() {
                batches.extend(decoder.decode(&mut part).map_err(unreadable)?);
            }
        }
        Ok(batches)
    }
}

/// What was read so far.
struct Parts {
    encoder: StreamWriter<Vec<u8>>,
    spill: Spill,
    days: BTreeMap<i32, Vec<Extent>>,
}

impl Parts {
    /// Spills the rows of `batch`, each of its day.
    fn put(&mut self, batch: &RecordBatch, days: &[i32]) -> Result<()> {
        let mut rows: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        for (row, &day) in days.iter().enumerate() {
            rows.entry(day).or_default().push(row as u32);
        }
        for (day, rows) in rows {
            let part = take_record_batch(batch, &UInt32Array::from(rows)).map_err(unreadable)?;
            self.encoder.write(&compact(&part)?).map_err(unreadable)?;
            let extent = self.spill.put(Shelf::Kept, self.encoder.get_ref())?;
            self.encoder.get_mut().clear();
            self.days.entry(day).or_default().push(extent);
        }
        Ok(())
    }
}

/// `batch` with its dictionaries written out: parts of a stream may have different ones.
fn plain(batch: &RecordBatch) -> Result<RecordBatch> {
    let column = |(field, array): (&Arc<Field>, &ArrayRef)| {
        let odd = |what: String| odd_values(field.name(), &what);
        let array = match array.data_type() {
            DataType::Dictionary(_, value) => {
                // Its keys may be those of no entry.
                array.to_data().validate_values().map_err(|error| odd(error.to_string()))?;
                cast(array, value).map_err(unreadable)?
            }
            _ => array.clone(),
        };
        check_decimals(&array).map_err(odd)?;
        Ok((Field::new(field.name(), array.data_type().clone(), true), array))
    };
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(column);
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(unreadable)
}

/// `batch` without the texts of rows that it does not have.
fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let column = |array: &ArrayRef| -> ArrayRef {
        match array.data_type() {
            DataType::Utf8View => Arc::new(array.as_string_view().gc()),
            DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
            _ => array.clone(),
        }
    };
    RecordBatch::try_new(batch.schema(), batch.columns().iter().map(column).collect()).map_err(unreadable)
}

/// Bytes that the rows of `batch` take.
fn byte_len(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|array| array.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

/// `batch` in pieces of about so many bytes.
fn cut(batch: &RecordBatch, share: usize) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    let piece = (rows / (byte_len(batch) / share.max(1) + 1)).max(1);
    (0..rows).step_by(piece).map(move |start| batch.slice(start, piece.min(rows - start)))
}
