//! Columns that lie in their pages nearly as they are wanted: numbers one after the other, and texts of eight bytes, which
//! dates mostly are, in a dictionary. They are taken from there without the decoder, which takes longer to be made than to
//! decode the rows of a year. Whatever lies otherwise is left to it, and so is every complaint.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::NullBufferBuilder;
use bytemuck::{Pod, Zeroable};
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::Page;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::chunks::{Chunks, extent};
use super::contents::{Leaf, present, split};
use super::runs::{Run, Runs, unpack};
use crate::source::input::schema::EightBytes;

/// Whether all chunks of a column say that they hold numbers one after the other.
pub(super) fn is_plain(metadata: &ParquetMetaData, leaf: usize) -> bool {
    let is_number = |physical| {
        matches!(physical, PhysicalType::INT32 | PhysicalType::INT64 | PhysicalType::FLOAT | PhysicalType::DOUBLE)
    };
    let is_plain = |chunk: &ColumnChunkMetaData| {
        // Levels are in runs.
        let is_known = |encoding| matches!(encoding, Encoding::PLAIN | Encoding::RLE);
        is_number(chunk.column_type()) && chunk.dictionary_page_offset().is_none() && chunk.encodings().all(is_known)
    };
    metadata.row_groups().iter().all(|group| is_plain(group.column(leaf)))
}

/// The numbers of such a column, `row_count` of them; `None` where they do not lie so.
pub(super) fn numbers(chunks: &Chunks, leaf: usize, row_count: usize) -> Option<ArrayRef> {
    match chunks.metadata.file_metadata().schema_descr().column(leaf).physical_type() {
        PhysicalType::INT32 => plain::<Int32Type>(chunks, leaf, row_count),
        PhysicalType::INT64 => plain::<Int64Type>(chunks, leaf, row_count),
        PhysicalType::FLOAT => plain::<Float32Type>(chunks, leaf, row_count),
        PhysicalType::DOUBLE => plain::<Float64Type>(chunks, leaf, row_count),
        _ => None,
    }
}

fn plain<T: ArrowPrimitiveType<Native: Pod>>(chunks: &Chunks, leaf: usize, row_count: usize) -> Option<ArrayRef> {
    let mut values: Vec<T::Native> = Vec::with_capacity(row_count);
    let mut nulls = NullBufferBuilder::new(row_count);
    for_each_page(chunks, leaf, |leaf, page| {
        let Rows { count, levels, encoding: Encoding::PLAIN, bytes } = Rows::of(leaf, &page)? else { return None };
        let mut next = bytes.chunks_exact(size_of::<T::Native>()).map(bytemuck::pod_read_unaligned::<T::Native>);
        if !leaf.is_optional {
            values.extend(next.take(count));
            nulls.append_n_non_nulls(count);
            return Some(());
        }
        Runs::of_levels(levels).cover(count as u64, |run| match run {
            Run::Equal(held, 0) => {
                values.resize(values.len() + held as usize, T::Native::zeroed());
                nulls.append_n_nulls(held as usize);
            }
            Run::Equal(held, _) => {
                values.extend(next.by_ref().take(held as usize));
                nulls.append_n_non_nulls(held as usize);
            }
            Run::Packed(held, bits) => unpack(bits, 1, held, |level| {
                let value = if level == 1 { next.next() } else { None };
                values.push(value.unwrap_or_else(T::Native::zeroed));
                nulls.append(level == 1);
            }),
        })
    })?;
    let is_whole = values.len() == row_count && nulls.len() == row_count;
    is_whole.then(|| Arc::new(PrimitiveArray::<T>::new(values.into(), nulls.finish())) as ArrayRef)
}

/// The texts of a column of `row_count` rows, where each chunk has a dictionary of ASCII texts of eight bytes, and no row
/// is null.
pub(super) fn eight_bytes(chunks: &Chunks, leaf: usize, row_count: usize) -> Option<EightBytes> {
    let mut texts = EightBytes { entries: Vec::new(), rows: Vec::with_capacity(row_count) };
    // Where the entries of the chunk begin.
    let mut first = 0;
    for_each_page(chunks, leaf, |leaf, page| {
        if let Page::DictionaryPage { buf, num_values, .. } = &page {
            if leaf.physical != PhysicalType::BYTE_ARRAY {
                return None;
            }
            first = texts.entries.len() as u32;
            let mut rest = &buf[..];
            for _ in 0..*num_values {
                let (entry, others) = rest.split_first_chunk::<12>()?;
                let (len, text) = entry.split_first_chunk()?;
                let is_text = u32::from_le_bytes(*len) == 8 && text.is_ascii();
                texts.entries.push(text.try_into().ok().filter(|_| is_text)?);
                rest = others;
            }
            return Some(());
        }
        let Rows { count, levels, encoding, bytes } = Rows::of(leaf, &page)?;
        let is_indexed = matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY);
        let has_all = present(leaf, levels, count as u64) == Some(count as u64);
        let (&width, indices) = bytes.split_first().filter(|_| is_indexed && has_all)?;
        let rows = &mut texts.rows;
        Runs::of_indices(indices, width)?.cover(count as u64, |run| match run {
            Run::Equal(held, index) => rows.resize(rows.len() + held as usize, first + index),
            Run::Packed(held, bits) => unpack(bits, width, held, |index| rows.push(first + index)),
        })
    })?;
    (texts.rows.len() == row_count).then_some(texts)
}

/// The rows of a page.
struct Rows<'p> {
    count: usize,
    levels: &'p [u8],
    encoding: Encoding,
    bytes: &'p [u8],
}

impl Rows<'_> {
    fn of(leaf: Leaf, page: &Page) -> Option<Rows<'_>> {
        let (count, encoding, (levels, bytes)) = match page {
            Page::DataPage { buf, num_values, encoding, .. } => (num_values, encoding, split(leaf, buf)?),
            Page::DataPageV2 { buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = buf.get(*rep_levels_byte_len as usize..)?;
                (num_values, encoding, levels.split_at_checked(*def_levels_byte_len as usize)?)
            }
            Page::DictionaryPage { .. } => return None,
        };
        Some(Rows { count: *count as usize, levels, encoding: *encoding, bytes })
    }
}

/// Calls `take` with each page of a flat column; `None` as soon as it gives that, or a page is not there or damaged.
fn for_each_page(chunks: &Chunks, leaf: usize, mut take: impl FnMut(Leaf, Page) -> Option<()>) -> Option<()> {
    let group = chunks.metadata.row_groups().first()?;
    let flat = extent(group, leaf)?.leaf;
    for pages in chunks.column_chunks(leaf).ok()? {
        let mut pages = pages.ok()?;
        while let Some(page) = pages.get_next_page().ok()? {
            take(flat, page)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
    use arrow_cast::cast;
    use arrow_schema::{DataType, Field, Schema};
    use arrow_select::concat::concat;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Compression;
    use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};

    use super::super::decode::Parquet;
    use super::super::footer::survey_footer;
    use super::*;
    use crate::reason::Reason;
    use crate::source::allowance::Allowance;
    use crate::source::content::{Content, guarded};
    use crate::source::input::interner::Interner;
    use crate::source::options::SourceOptions;

    const ROWS: usize = 500;

    /// A file of one column, whose levels are written where it is optional.
    fn file(array: &ArrayRef, is_optional: bool, properties: WriterPropertiesBuilder) -> Vec<u8> {
        let field = Field::new("x", array.data_type().clone(), is_optional);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array.clone()]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    /// All ways in which pages lie: packed or not, in one or many of them, in one group or many, of either version.
    fn layouts(properties: &WriterPropertiesBuilder) -> Vec<WriterPropertiesBuilder> {
        let mut all = Vec::new();
        for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let whole = properties.clone().set_compression(codec).set_writer_version(version);
                let groups = whole.clone().set_max_row_group_row_count(Some(170));
                all.extend([whole, groups.set_data_page_row_count_limit(30).set_write_batch_size(7)]);
            }
        }
        all
    }

    /// What `direct` takes from the pages, and what the decoder makes of them.
    fn both<T>(
        bytes: Vec<u8>,
        direct: impl Fn(&Chunks, usize) -> Option<T>,
    ) -> Result<(Option<T>, Result<ArrayRef, Reason>), Reason> {
        let (content, allowance) = (Content::Memory(bytes.into()), Allowance::new(512 << 20, 1));
        let options = SourceOptions { date_columns: vec!["none".to_owned()], ..SourceOptions::default() };
        let (footer, leaves) = survey_footer(&content, &Interner::new(&options, &allowance))?;
        let parquet = guarded(|| Parquet::new(content, &footer.schema, &leaves, &allowance))?;
        let found = guarded(|| Ok(direct(&parquet.chunks(&[0]), footer.row_count as usize)))?;
        let decoded = guarded(|| {
            let batches = parquet.stored(&[0])?.collect::<Result<Vec<_>, _>>()?;
            let parts: Vec<_> = batches.iter().map(|batch| batch.column(0).as_ref()).collect();
            concat(&parts).map_err(Reason::undecodable)
        });
        Ok((found, decoded))
    }

    fn plain_numbers(chunks: &Chunks, row_count: usize) -> Option<ArrayRef> {
        is_plain(&chunks.metadata, 0).then(|| numbers(chunks, 0, row_count)).flatten()
    }

    fn plain() -> WriterPropertiesBuilder {
        WriterProperties::builder().set_dictionary_enabled(false).set_encoding(Encoding::PLAIN)
    }

    fn columns() -> [ArrayRef; 8] {
        let nan = f64::from_bits(0x7ff8_0000_0000_1234);
        let some = |row: usize| (row % 7 > 2 && row % 100 > 9).then_some(row as i64 - 250);
        [
            Arc::new(Int32Array::from_iter_values((0..ROWS as i32).map(|row| row * row - 9))),
            Arc::new(Int64Array::from_iter((0..ROWS).map(some))),
            Arc::new(Float32Array::from_iter((0..ROWS).map(|row| some(row).map(|n| n as f32 / 3.0)))),
            Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| if row % 2 == 0 { nan } else { -0.0 }))),
            Arc::new(Int32Array::new_null(ROWS)),
            Arc::new(Float64Array::from_iter((0..ROWS).map(|row| (row > 0).then_some(0.5)))),
            Arc::new(Float64Array::from_iter((0..ROWS).map(|row| (row < ROWS - 1).then_some(0.5)))),
            Arc::new(Int64Array::from(vec![i64::MIN])),
        ]
    }

    #[test]
    fn plain_numbers_are_what_the_decoder_finds() {
        for array in columns() {
            for is_optional in [true, false].into_iter().filter(|optional| *optional || array.null_count() == 0) {
                for properties in layouts(&plain()) {
                    let (found, decoded) = both(file(&array, is_optional, properties), plain_numbers).unwrap();
                    assert_eq!(found, decoded.ok(), "{}", array.data_type());
                    assert_eq!(found.unwrap().as_ref(), array.as_ref());
                }
            }
        }
    }

    #[test]
    fn numbers_that_lie_otherwise_are_left_to_the_decoder() {
        let [ints, ..] = columns();
        let bits: ArrayRef = Arc::new(BooleanArray::from(vec![true; ROWS]));
        let delta = plain().set_encoding(Encoding::DELTA_BINARY_PACKED);
        for (array, properties) in [(&ints, WriterProperties::builder()), (&ints, delta), (&bits, plain())] {
            let (found, decoded) = both(file(array, true, properties), plain_numbers).unwrap();
            assert_eq!((found, &decoded.unwrap()), (None, array));
        }
    }

    /// The texts of a column, put together.
    fn texts(chunks: &Chunks, row_count: usize) -> Option<ArrayRef> {
        let EightBytes { entries, rows } = eight_bytes(chunks, 0, row_count)?;
        let text = |row: &u32| String::from_utf8(entries[*row as usize].to_vec()).unwrap();
        Some(Arc::new(StringArray::from_iter_values(rows.iter().map(text))))
    }

    fn dates() -> StringArray {
        StringArray::from_iter_values((0..ROWS).map(|row| format!("2024{:02}{:02}", 1 + row % 12, 10 + row / 12 % 9)))
    }

    #[test]
    fn texts_of_eight_bytes_in_a_dictionary_are_what_the_decoder_finds() {
        let array: ArrayRef = Arc::new(dates());
        for is_optional in [true, false] {
            for properties in layouts(&WriterProperties::builder()) {
                let (found, decoded) = both(file(&array, is_optional, properties), texts).unwrap();
                assert_eq!((&found.unwrap(), &decoded.unwrap()), (&array, &array));
            }
        }
    }

    #[test]
    fn texts_that_lie_otherwise_are_left_to_the_decoder() {
        let with = |at: usize, other: Option<&'static str>| -> ArrayRef {
            let dates = dates();
            Arc::new(StringArray::from_iter(
                (0..ROWS).map(|row| if row == at { other } else { Some(dates.value(row)) }),
            ))
        };
        let coded = WriterProperties::builder;
        for (array, properties) in [
            (with(ROWS - 1, None), coded()),
            (with(7, Some("2024-01-02")), coded()),
            (with(7, Some("2024010\u{e9}")), coded()),
            (with(0, Some("20240101")), plain()),
            // The first page has codes, those that follow have texts.
            (
                Arc::new(dates()),
                coded().set_dictionary_page_size_limit(300).set_data_page_row_count_limit(30).set_write_batch_size(7),
            ),
        ] {
            let (found, decoded) = both(file(&array, true, properties), texts).unwrap();
            assert_eq!((found, &cast(&decoded.unwrap(), &DataType::Utf8).unwrap()), (None, &array));
        }
    }

    /// The pages are read by two programs, ours and the decoder: damage must not make them differ. The decoder also
    /// looks at bytes behind the last value, and seldom complains of those.
    #[test]
    fn in_a_damaged_file_what_is_taken_is_what_the_decoder_finds() {
        let [_, nullable, floats, ..] = columns();
        let texts_of: ArrayRef = Arc::new(dates());
        type Direct = fn(&Chunks, usize) -> Option<ArrayRef>;
        let second = WriterVersion::PARQUET_2_0;
        let cases: [(&ArrayRef, WriterPropertiesBuilder, Direct); 6] = [
            (&nullable, plain(), plain_numbers),
            (&nullable, plain().set_writer_version(second), plain_numbers),
            (&floats, plain().set_compression(Compression::SNAPPY), plain_numbers),
            (&floats, plain().set_compression(Compression::SNAPPY).set_writer_version(second), plain_numbers),
            (&texts_of, WriterProperties::builder(), texts),
            (&texts_of, WriterProperties::builder().set_writer_version(second), texts),
        ];
        for (array, properties, direct) in cases {
            let bytes = file(array, true, properties);
            let (mut agreed, mut left, mut complaints) = (0, 0, 0);
            for at in 0..bytes.len() {
                for flip in [0x01, 0x10, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    let Ok((Some(found), decoded)) = both(damaged, direct) else {
                        left += 1;
                        continue;
                    };
                    let Ok(decoded) = decoded else {
                        complaints += 1;
                        continue;
                    };
                    let decoded = cast(&decoded, found.data_type()).unwrap();
                    assert_eq!(found.as_ref(), decoded.as_ref(), "{} {at} {flip}", array.data_type());
                    agreed += 1;
                }
            }
            assert!(agreed > 100 && left > 100, "{agreed} as the decoder, {left} left to it");
            assert!(complaints < 10, "{complaints} that the decoder complained of");
        }
    }
}
