//! The Parquet decoder over one file: columns as the file has them, in the order of the file.
//!
//! Everything here may panic on damaged bytes and is to be called under [`guarded`](super::content::guarded).

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_select::concat::concat;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetStatisticsPolicy;

use super::constant::constant;
use super::content::{CHANGED, Content};
use super::footer::{FileSchema, Value, read_footer};
use super::pages::check_pages;

/// Rows decoded at a time, at most. Ordinary files fit in one batch, so nothing is joined afterwards; a footer that
/// claims more rows than the file has cannot ask for more memory than this many.
const BATCH_ROWS: usize = 65_536;

/// What the decoder calls a page that does not match its checksum.
const CHECKSUM: &str = "Page CRC checksum mismatch";

/// The decoder over one file, its footer parsed once.
pub(super) struct Parquet {
    content: Content,
    pub(super) metadata: ArrowReaderMetadata,
}

impl Parquet {
    pub(super) fn new(
        content: Content,
        schema: &FileSchema,
        statistics: ParquetStatisticsPolicy,
    ) -> Result<Parquet, String> {
        let metadata = read_footer(&content, statistics)?;
        let metadata =
            ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()).map_err(undecodable)?;
        let fields = metadata.schema().fields();
        let date = schema.date.iter().map(|date| (date.root, &date.name, &date.raw));
        let values = schema.values.iter().map(|value| (value.root, &value.name, &value.raw));
        let mut known = values.chain(date);
        // The decoder goes by this footer, everything else by the surveyed one.
        let same = fields.len() == schema.names.len()
            && known.all(|(root, name, raw)| fields[root].name() == name && fields[root].data_type() == raw);
        if !same {
            return Err(CHANGED.to_owned());
        }
        Ok(Parquet { content, metadata })
    }

    /// Whether all that was read so far is of one state of the file.
    ///
    /// # Errors
    /// A reason to skip the file.
    pub(super) fn check_unchanged(&self) -> Result<(), String> {
        self.content.check_unchanged()
    }

    pub(super) fn row_count(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Reads the columns at `roots` (ascending) batch by batch.
    pub(super) fn batches(
        &self,
        roots: &[usize],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, String>> + use<'_>, String> {
        let reader = self.reader(roots)?;
        let roots = roots.to_vec();
        Ok(reader.map(move |batch| batch.map_err(|error| self.blame(&roots, &error.to_string()))))
    }

    fn reader(&self, roots: &[usize]) -> Result<ParquetRecordBatchReader, String> {
        let rows = usize::try_from(self.row_count()).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS);
        let descriptor = self.metadata.parquet_schema();
        let wanted = |leaf| roots.contains(&descriptor.get_column_root_idx(leaf));
        check_pages(&self.content, self.metadata.metadata(), wanted)?;
        let mask = ProjectionMask::roots(descriptor, roots.iter().copied());
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.content.clone(), self.metadata.clone())
            .with_batch_size(rows)
            .with_projection(mask)
            .build()
            .map_err(undecodable)
    }

    /// What the decoder said of these columns, as a reason with the name of the one that it is about. The decoder takes
    /// them side by side and does not say which.
    fn blame(&self, roots: &[usize], error: &str) -> String {
        let fails = |root: &&usize| match self.reader(std::slice::from_ref(*root)) {
            Ok(mut reader) => reader.any(|batch| batch.is_err()),
            Err(_) => true,
        };
        let Some(&root) = roots.iter().find(fails) else { return undecodable(error) };
        let name = self.metadata.schema().field(root).name();
        if error.contains(CHECKSUM) {
            return format!("is damaged: its column {name:?} has a page whose checksum does not match");
        }
        undecodable(format_args!("its column {name:?}: {error}"))
    }

    /// The one value of `column` as an array of one row, if the pages show without decoding that all rows hold it.
    pub(super) fn constant(&self, column: &Value, row_count: usize) -> Option<ArrayRef> {
        constant(&self.content, self.metadata.metadata(), column.leaf, &column.raw, row_count)
    }

    /// The columns at `roots` (ascending) whole, each `row_count` long.
    pub(super) fn columns(&self, roots: &[usize], row_count: usize) -> Result<Vec<ArrayRef>, String> {
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut found = 0;
        for batch in self.batches(roots)? {
            let batch = batch?;
            found += batch.num_rows();
            if found > row_count || batch.num_columns() != roots.len() {
                break;
            }
            batches.push(batch);
        }
        let whole = batches.iter().all(|batch| batch.num_columns() == roots.len());
        if found != row_count || !whole {
            return Err(format!("is damaged: its columns have {found} and {row_count} rows"));
        }
        match &batches[..] {
            [batch] => Ok(batch.columns().to_vec()),
            batches => (0..roots.len())
                .map(|n| {
                    let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(n).as_ref()).collect();
                    concat(&parts).map_err(undecodable)
                })
                .collect(),
        }
    }
}

/// What the decoder said, as a reason.
pub(super) fn undecodable(error: impl std::fmt::Display) -> String {
    format!("is damaged or of a kind that cannot be decoded: {error}")
}
