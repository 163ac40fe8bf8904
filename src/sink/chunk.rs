//! One column chunk: its pages, compressed, with their headers, and what the footer says of it.
//!
//! A chunk has one data page, and before it a dictionary where values repeat: that takes less room than what snappy
//! finds in plain values, and a fifth of the time.

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, cast::AsArray};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::Compression;
use super::codec::{Codec, parquet_compression};
use super::distinct::Distinct;
use super::hybrid::{put_bits, put_numbers, put_repeated};
use super::plain;

/// Buffers that one worker uses for file after file.
#[derive(Default)]
pub(crate) struct Scratch {
    codec: Codec,
    /// The file being made.
    pub(super) file: Vec<u8>,
    /// The data page being made.
    page: Vec<u8>,
    /// The dictionary page being made.
    dictionary: Vec<u8>,
    distinct: Distinct,
}

/// Where chunks are written to.
pub(super) type Output = TrackedWrite<Vec<u8>>;

/// One column chunk being written.
pub(super) struct Chunk<'a> {
    pub(super) column: ColumnDescPtr,
    pub(super) compression: Compression,
    pub(super) row_count: usize,
    pub(super) scratch: &'a mut Scratch,
    pub(super) output: &'a mut Output,
}

type Written = Result<ColumnChunkMetaData, ParquetError>;

impl Chunk<'_> {
    /// A chunk of integers, without nulls, that are 0 or 1, given as bits.
    pub(super) fn bits(&mut self, bits: &Buffer, logical: &DataType) -> Written {
        let ones = bits.count_set_bits_offset(0, self.row_count);
        self.scratch.dictionary.clear();
        for value in [0, 1] {
            plain::put_integer(value, plain::byte_width(self.column.physical_type()), &mut self.scratch.dictionary);
        }
        let width = plain::byte_width(self.column.physical_type());
        let occurring = usize::from(ones == self.row_count) * width..width + usize::from(ones > 0) * width;
        let occurring = &self.scratch.dictionary[occurring];
        let statistics = plain::number_statistics(occurring, logical, self.column.physical_type(), 0);
        self.put_levels(None);
        self.scratch.page.push(1);
        put_bits(&mut self.scratch.page, bits, self.row_count);
        self.finish_with_dictionary(2, statistics)
    }

    /// A chunk in which every row holds the value of `one`, an array of one value; `None` for a type that is not done
    /// here.
    ///
    /// # Errors
    /// Those of the `parquet` crate.
    pub(super) fn constant(&mut self, one: &ArrayRef) -> Result<Option<ColumnChunkMetaData>, ParquetError> {
        let (logical, physical) = (one.data_type(), self.column.physical_type());
        let text = match logical {
            DataType::Utf8 => one.as_string::<i32>().iter().next(),
            DataType::LargeUtf8 => one.as_string::<i64>().iter().next(),
            _ => None,
        };
        self.scratch.dictionary.clear();
        let dictionary = &mut self.scratch.dictionary;
        let statistics = match text.flatten() {
            Some(text) => {
                plain::put_text(text.as_bytes(), dictionary);
                plain::text_statistics(std::iter::once(text.as_bytes()), 0)
            }
            None if plain::put_numbers(one, logical, physical, dictionary) => {
                plain::number_statistics(dictionary, logical, physical, 0)
            }
            None => return Ok(None),
        };
        self.put_levels(None);
        self.scratch.page.push(1);
        put_repeated(&mut self.scratch.page, 0, self.row_count, 1);
        self.finish_with_dictionary(1, statistics).map(Some)
    }

    /// A chunk of numbers of type `logical`, which may lie in a narrower one; `None` for a type that is not done here.
    ///
    /// # Errors
    /// Those of the `parquet` crate.
    pub(super) fn numbers(
        &mut self,
        array: &ArrayRef,
        logical: &DataType,
    ) -> Result<Option<ColumnChunkMetaData>, ParquetError> {
        let physical = self.column.physical_type();
        let (nulls, null_count) = (array.nulls(), array.null_count());
        let start = self.put_levels(nulls);
        if !plain::put_numbers(array, logical, physical, &mut self.scratch.page) {
            return Ok(None);
        }
        let Scratch { page, dictionary, distinct, .. } = &mut *self.scratch;
        let values = &page[start..];
        let statistics = plain::number_statistics(values, logical, physical, null_count as u64);
        if !distinct.find(self.row_count - null_count, plain::bits(values, physical)) {
            return self.finish(None, statistics).map(Some);
        }
        let width = plain::byte_width(physical);
        dictionary.clear();
        distinct.values.iter().for_each(|value| dictionary.extend_from_slice(&value.to_le_bytes()[..width]));
        self.put_indices(start);
        self.finish_with_dictionary(self.scratch.distinct.values.len(), statistics).map(Some)
    }

    /// A chunk of texts or byte strings; `None` where they are too long for one page. Those that are all different are
    /// known to be in the order of their rows, and are so in each chunk of their column, whatever file it is in. All others
    /// have a dictionary, also where it hardly pays: fastparquet loses the texts of a column that has one in some chunks and
    /// none in others.
    ///
    /// # Errors
    /// Those of the `parquet` crate.
    pub(super) fn texts(
        &mut self,
        coded: &DictionaryArray<Int32Type>,
        all_different: bool,
    ) -> Result<Option<ColumnChunkMetaData>, ParquetError> {
        let texts = coded.values();
        let text = |code: u64| match texts.as_string_opt::<i32>() {
            Some(texts) => texts.value(code as usize).as_bytes(),
            None => texts.as_binary::<i32>().value(code as usize),
        };
        let codes = coded.keys().values();
        let (nulls, null_count) = (coded.nulls(), coded.null_count());
        let valid = |row: &usize| nulls.is_none_or(|nulls| nulls.is_valid(*row));
        // Another program may have written over a map since codes were checked: its checksum, compared after use, tells.
        let last = texts.len().saturating_sub(1) as u64;
        let codes = (0..self.row_count).filter(valid).map(|row| (codes[row] as u64).min(last));
        let start = self.put_levels(nulls);
        let Scratch { page, dictionary, distinct, .. } = &mut *self.scratch;
        if !all_different {
            distinct.find_all_below(texts.len(), self.row_count - null_count, codes);
            dictionary.clear();
            if !plain::put_texts(distinct.values.iter().map(|&code| text(code)), dictionary) {
                return Ok(None);
            }
            let statistics = plain::text_statistics(distinct.values.iter().map(|&code| text(code)), null_count as u64);
            self.put_indices(start);
            return self.finish_with_dictionary(self.scratch.distinct.values.len(), statistics).map(Some);
        }
        if !plain::put_texts(codes.clone().map(text), page) {
            return Ok(None);
        }
        let ends = [codes.clone().next(), codes.clone().next_back()];
        let statistics = plain::text_statistics(ends.into_iter().flatten().map(text), null_count as u64);
        self.finish(None, statistics).map(Some)
    }

    /// Begins the data page with the definition levels of a nullable column, as a page of version 1 has them: the
    /// length, then runs. Where the values are to begin.
    fn put_levels(&mut self, nulls: Option<&NullBuffer>) -> usize {
        let page = &mut self.scratch.page;
        page.clear();
        page.extend_from_slice(&[0; 4]);
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => put_repeated(page, 1, self.row_count, 1),
            Some(nulls) => put_bits(page, &nulls.inner().sliced(), self.row_count),
        }
        let len = (page.len() - 4) as u32;
        page[..4].copy_from_slice(&len.to_le_bytes());
        page.len()
    }

    /// Has the data page hold, from `start` on, the places of values in the dictionary.
    fn put_indices(&mut self, start: usize) {
        let Scratch { page, distinct, .. } = &mut *self.scratch;
        page.truncate(start);
        page.push(distinct.width() as u8);
        put_numbers(page, &distinct.indices, distinct.width());
    }

    /// Writes a dictionary page of `count` values and the data page, and describes the chunk.
    fn finish_with_dictionary(&mut self, count: usize, statistics: Statistics) -> Written {
        let dictionary = std::mem::take(&mut self.scratch.dictionary);
        let start = self.output.bytes_written();
        let page =
            |buf| Page::DictionaryPage { buf, num_values: count as u32, encoding: Encoding::PLAIN, is_sorted: false };
        let byte_len = self.write_page(&dictionary, page)?;
        self.scratch.dictionary = dictionary;
        self.finish(Some((start, byte_len)), statistics)
    }

    /// Writes the data page and describes the chunk. `dictionary` is where one was written, and its length.
    fn finish(&mut self, dictionary: Option<(usize, usize)>, statistics: Statistics) -> Written {
        let data_offset = self.output.bytes_written();
        let num_values = self.row_count as u32;
        let encoding = if dictionary.is_some() { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
        let page = std::mem::take(&mut self.scratch.page);
        let data_len = self.write_page(&page, |buf| Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?;
        self.scratch.page = page;
        let encodings = match dictionary {
            Some(_) => vec![Encoding::PLAIN, Encoding::RLE, encoding],
            None => vec![encoding, Encoding::RLE],
        };
        let (start, dictionary_len) = dictionary.unwrap_or((data_offset, 0));
        ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(parquet_compression(self.compression)?)
            .set_encodings(encodings)
            .set_num_values(self.row_count as i64)
            .set_total_compressed_size((self.output.bytes_written() - start) as i64)
            .set_total_uncompressed_size((dictionary_len + data_len) as i64)
            .set_data_page_offset(data_offset as i64)
            .set_dictionary_page_offset(dictionary.map(|(start, _)| start as i64))
            .set_statistics(statistics)
            .build()
    }

    /// Compresses a page and writes it with its header; its length before compression, header included.
    fn write_page(&mut self, plain: &[u8], page: impl FnOnce(Bytes) -> Page) -> Result<usize, ParquetError> {
        let bytes = self.scratch.codec.compress(plain, self.compression)?;
        let page = CompressedPage::new(page(bytes), plain.len());
        let written = SerializedPageWriter::new(self.output).write_page(page)?;
        Ok(written.uncompressed_size)
    }
}
