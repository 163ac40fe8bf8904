//! Compression of pages, with buffers that are used again.

use bytes::Bytes;
use parquet::basic::{Compression as Codecs, ZstdLevel};
use parquet::errors::{ParquetError, Result};

use super::Compression;

/// The compressors of one worker.
pub(super) struct Codec {
    snappy: snap::raw::Encoder,
    zstd: Option<(i32, zstd::bulk::Compressor<'static>)>,
    buffer: Vec<u8>,
}

impl Default for Codec {
    fn default() -> Codec {
        Codec { snappy: snap::raw::Encoder::new(), zstd: None, buffer: Vec::new() }
    }
}

impl Codec {
    /// `page`, compressed.
    ///
    /// # Errors
    /// When the codec refuses, as snappy does beyond 4 GiB.
    pub(super) fn compress(&mut self, page: &[u8], compression: Compression) -> Result<Bytes> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| ParquetError::External(error);
        let len = match compression {
            Compression::None => return Ok(Bytes::copy_from_slice(page)),
            Compression::Snappy => {
                self.reserve(snap::raw::max_compress_len(page.len()));
                self.snappy.compress(page, &mut self.buffer).map_err(|error| failed(error.into()))?
            }
            Compression::Lz4 => {
                self.reserve(lz4_flex::block::get_maximum_output_size(page.len()));
                lz4_flex::block::compress_into(page, &mut self.buffer).map_err(|error| failed(error.into()))?
            }
            Compression::Zstd(level) => {
                self.reserve(zstd::zstd_safe::compress_bound(page.len()));
                let compressor = match &mut self.zstd {
                    Some((known, compressor)) if *known == level => compressor,
                    other => &mut other.insert((level, zstd::bulk::Compressor::new(level)?)).1,
                };
                compressor.compress_to_buffer(page, &mut self.buffer[..])?
            }
        };
        Ok(Bytes::copy_from_slice(&self.buffer[..len]))
    }

    fn reserve(&mut self, len: usize) {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
    }
}

/// The `parquet` crate's word for a compression.
///
/// # Errors
/// When a level is out of range.
pub(super) fn parquet_compression(compression: Compression) -> Result<Codecs> {
    Ok(match compression {
        Compression::Snappy => Codecs::SNAPPY,
        Compression::Zstd(level) => Codecs::ZSTD(ZstdLevel::try_new(level)?),
        Compression::Lz4 => Codecs::LZ4_RAW,
        Compression::None => Codecs::UNCOMPRESSED,
    })
}
