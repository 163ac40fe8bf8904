//! Answers, for the agreement on types, whether all integers of a file's column are exact in a float.

use std::path::Path;
use std::sync::OnceLock;

use arrow_schema::DataType;
use parquet::file::metadata::{ParquetMetaData, ParquetStatisticsPolicy};
use parquet::file::statistics::Statistics;

use super::content::{Content, Stamp, guarded};
use super::convert::widen;
use super::decode::Parquet;
use super::footer::{FileSchema, Value};

/// The leaves of one file whose signed integers all lie within 53 bits by the footer's statistics. Kept, since the
/// question often comes for many columns of a file.
pub(super) type Small = OnceLock<Vec<usize>>;

/// Whether every value of a file's column is exact in `to`: by the statistics in the footer if they tell, else by
/// decoding the column. Statistics may be wrong; the reader looks at each value again.
pub(super) fn check_exact(
    path: &Path,
    stamp: Stamp,
    schema: &FileSchema,
    small: &Small,
    name: &str,
    to: &DataType,
) -> Result<(), String> {
    let Some(value) = schema.values.iter().find(|value| value.name == name) else { return Ok(()) };
    let by_statistics = |value: &Value| value.raw == DataType::Int64 && *to == DataType::Float64;
    if by_statistics(value) && small.get().is_some_and(|small| small.contains(&value.leaf)) {
        return Ok(());
    }
    // Not read whole: the footer and one column are little of a file.
    let content = Content::load(path, stamp, 0)?;
    guarded(|| {
        let parquet = Parquet::new(content, schema, ParquetStatisticsPolicy::KeepAll)?;
        let small = small.get_or_init(|| small_leaves(parquet.metadata.metadata()));
        if by_statistics(value) && small.contains(&value.leaf) {
            return Ok(());
        }
        let mut row_count = 0;
        for batch in parquet.batches(&[value.root])? {
            let batch = batch?;
            widen(batch.column(0), to, row_count)?;
            row_count += batch.num_rows();
        }
        Ok(())
    })
}

fn small_leaves(metadata: &ParquetMetaData) -> Vec<usize> {
    const LIMIT: u64 = 1 << 53;
    let within = |number: Option<&i64>| number.is_some_and(|number| number.unsigned_abs() <= LIMIT);
    let is_small = |leaf: &usize| {
        metadata.row_groups().iter().all(|group| {
            match group.columns().get(*leaf).and_then(|chunk| chunk.statistics()) {
                Some(Statistics::Int64(statistics)) => within(statistics.min_opt()) && within(statistics.max_opt()),
                _ => false,
            }
        })
    };
    (0..metadata.file_metadata().schema_descr().num_columns()).filter(is_small).collect()
}
