//! Writes one segment, and says where each batch lies and what its checksums are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use rustix::io::Errno;
use serde_json::json;

use super::{BatchBody, Segment, SegmentColumn, chunk_array};
use crate::codec::stored_type;
use crate::error::{Error, Result};
use crate::format::{ALIGNMENT, ChunkIdentity, ChunkLayout, ChunkRecord, PRESENT, TEMP_PREFIX, segment_name};
use crate::key::Date;
use crate::storage::{AlignedWriter, Dir, Syncs};

/// The key in the metadata of the Arrow footer under which a segment says what it holds.
const ABOUT: &str = "transect";

/// Which segment of which store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentId {
    pub(crate) store_id: [u8; 16],
    /// The commit that writes it.
    pub(crate) commit: u64,
    pub(crate) ordinal: u32,
    /// The id of the source whose values it has, or of whose rows it has bits; `None` where it has keys alone.
    pub(crate) source: Option<u32>,
}

/// A segment being written, under a temporary name.
pub(crate) struct SegmentWriter {
    id: SegmentId,
    dir: Dir,
    /// Its temporary name.
    name: String,
    path: PathBuf,
    columns: Arc<[SegmentColumn]>,
    schema: SchemaRef,
    writer: FileWriter<AlignedWriter>,
    batches: Vec<SealedBatch>,
    /// Date and piece of each of them.
    places: Vec<(String, u32)>,
    /// Those of all batches.
    chunks: Vec<ChunkRecord>,
}

/// One record batch of a finished segment.
#[derive(Debug, Clone)]
pub(crate) struct SealedBatch {
    pub(crate) row_count: u32,
    pub(crate) body_offset: u64,
    pub(crate) body_len: u64,
}

/// A finished segment that still has its temporary name, synced or about to be.
#[derive(Debug, Clone)]
pub(crate) struct SealedSegment {
    pub(crate) id: SegmentId,
    pub(crate) columns: Arc<[SegmentColumn]>,
    pub(crate) temporary: String,
    pub(crate) file_len: u64,
    pub(crate) frame_checksum: u64,
    pub(crate) batches: Vec<SealedBatch>,
    /// The chunks of each batch in turn, one a column.
    pub(crate) chunks: Vec<ChunkRecord>,
}

impl SealedSegment {
    /// Whether its chunks are as long as their rows make them and fill its batches, which lie in its file one after the
    /// other: what is told of a file that somebody else has written.
    pub(crate) fn is_possible(&self) -> bool {
        let mut chunks = self.chunks.chunks(self.columns.len());
        let mut end = 0;
        let mut fits = |batch: &SealedBatch| {
            let own = chunks.next()?;
            let layout = |column: &SegmentColumn, nulls| ChunkLayout::new(column.stored, batch.row_count, nulls);
            let mut body_len = 0;
            for (column, chunk) in self.columns.iter().zip(own) {
                let byte_len = layout(column, chunk.null_count).byte_len as u64;
                body_len += byte_len;
                (chunk.byte_len == byte_len && chunk.null_count <= batch.row_count).then_some(())?;
            }
            let is_after = batch.body_offset >= end && batch.body_offset.is_multiple_of(ALIGNMENT);
            end = batch.body_offset.checked_add(body_len)?;
            (own.len() == self.columns.len() && batch.body_len == body_len && is_after && end <= self.file_len)
                .then_some(())
        };
        self.batches.iter().all(|batch| fits(batch).is_some()) && chunks.next().is_none()
    }
}

impl SegmentWriter {
    /// Starts a segment in `dir`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn create(dir: Dir, id: SegmentId, columns: Arc<[SegmentColumn]>) -> Result<SegmentWriter> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| {
                let data_type = stored_type(&column.logical, column.stored).ok_or_else(|| {
                    let what = format!("column {:?} of type {} cannot be stored", column.name, column.logical);
                    Error::refused_unless(what, [])
                })?;
                Ok(Field::new(&column.name, data_type, true))
            })
            .collect::<Result<_>>()?;
        let schema = Arc::new(Schema::new(fields));
        let name = format!("{TEMP_PREFIX}{}", segment_name(id.commit, id.ordinal));
        let file = dir.create(&name)?;
        let path = file.path().to_owned();
        let writer = FileWriter::try_new(AlignedWriter::new(file), &schema).map_err(failed(&path))?;
        let (batches, places, chunks) = (Vec::new(), Vec::new(), Vec::new());
        Ok(SegmentWriter { id, dir, name, path, columns, schema, writer, batches, places, chunks })
    }

    /// Appends a batch of so many rows of a piece of `date`. Dates must come in ascending order.
    ///
    /// # Errors
    /// When writing fails.
    pub(crate) fn write(&mut self, date: Date, piece: u32, row_count: u32, body: BatchBody) -> Result<()> {
        let chunks = body.into_chunks();
        let mut arrays = Vec::with_capacity(chunks.len());
        let mut body_len = 0;
        for (column, (chunk, null_count)) in self.columns.iter().zip(&chunks) {
            let identity = ChunkIdentity {
                store_id: self.id.store_id,
                commit: self.id.commit,
                ordinal: self.id.ordinal,
                date: date.days(),
                row_count,
                column: column.column,
                null_count: *null_count,
                stored: column.stored as u32,
                chunk: self.chunks.len() as u64,
            };
            self.chunks.push(ChunkRecord {
                checksum: identity.checksum(chunk),
                byte_len: chunk.len() as u64,
                null_count: *null_count,
                reserved: 0,
            });
            body_len += chunk.len() as u64;
            arrays.push(
                chunk_array(column, column.dictionary.as_ref(), row_count, *null_count, chunk)
                    .map_err(|damage| Error::Corrupt { path: self.path.clone(), damage })?,
            );
        }
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(Error::failed("make a record batch"))?;
        self.writer.write(&batch).map_err(failed(&self.path))?;
        // The offset is known once the footer is written.
        self.batches.push(SealedBatch { row_count, body_offset: 0, body_len });
        self.places.push((date.to_string(), piece));
        Ok(())
    }

    /// Completes the file and hands it over to `syncs`.
    ///
    /// # Errors
    /// When writing fails, or a sync has.
    pub(crate) fn finish(mut self, syncs: &Syncs) -> Result<SealedSegment> {
        let about = self.about().to_string();
        self.writer.write_metadata(ABOUT, about);
        let path = self.path;
        let file = self.writer.into_inner().map_err(failed(&path))?.finish()?;
        syncs.sync(file)?;

        let gone = || Error::io("open", &path)(Errno::NOENT.into());
        let segment = Segment::of_file(self.dir.open_file(&self.name)?.ok_or_else(gone)?, &path)?;
        let mut batches = self.batches;
        let bodies = segment.footer_bodies()?;
        if bodies.len() != batches.len() {
            return Err(Error::structure(&path, "its footer lists other batches than were written"));
        }
        for (batch, (offset, len)) in batches.iter_mut().zip(&bodies) {
            if *len != batch.body_len {
                return Err(Error::structure(&path, "its footer gives a batch another length than was written"));
            }
            batch.body_offset = *offset;
        }
        Ok(SealedSegment {
            id: self.id,
            columns: self.columns,
            file_len: segment.byte_len(),
            frame_checksum: segment.frame_checksum(&bodies)?,
            temporary: self.name,
            batches,
            chunks: self.chunks,
        })
    }
}

impl SegmentWriter {
    /// What the file says of itself to those who read it by Arrow alone.
    fn about(&self) -> serde_json::Value {
        let ids: Vec<u32> = self.columns.iter().map(|column| column.column).collect();
        let holds = match (self.id.source, &ids[..]) {
            (None, _) => "keys",
            (Some(_), [PRESENT]) => "present",
            (Some(_), _) => "values",
        };
        let has_keys = ids.starts_with(&[0, 1]);
        json!({
            "holds": holds,
            "source": self.id.source,
            "keys": if has_keys { "here" } else { "apart" },
            "columns": ids,
            "batches": self.places,
        })
    }
}

/// What went wrong with writing `path`: most often what the system said, which Arrow wraps.
fn failed(path: &Path) -> impl FnOnce(ArrowError) -> Error {
    move |error| match error {
        ArrowError::IoError(_, source) => Error::io("write", path)(source),
        other => Error::failed(format!("write {}", path.display()))(other),
    }
}
