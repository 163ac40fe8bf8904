//! Unpacks one page into exactly as many bytes as its header says.
//!
//! The decoder's own codecs write on beyond that size: a page of gzip or brotli could fill any memory.

use std::io::Read;

use parquet::basic::CompressionCodec;

use crate::source::lz4_frame::is_whole;

/// The codecs of one column chunk.
#[derive(Default)]
pub(in crate::source) struct Inflater {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Inflater {
    /// Appends the `len` bytes that `packed` holds. `None` where it holds another number, or cannot be read.
    pub(in crate::source) fn inflate(
        &mut self,
        codec: CompressionCodec,
        packed: &[u8],
        len: usize,
        to: &mut Vec<u8>,
    ) -> Option<()> {
        let start = to.len();
        match codec {
            CompressionCodec::UNCOMPRESSED => to.extend_from_slice(packed),
            CompressionCodec::SNAPPY => {
                if snap::raw::decompress_len(packed).ok()? != len {
                    return None;
                }
                to.resize(start + len, 0);
                snap::raw::Decoder::new().decompress(packed, &mut to[start..]).ok()?;
            }
            CompressionCodec::GZIP => read(flate2::read::MultiGzDecoder::new(packed), len, to)?,
            CompressionCodec::BROTLI => read(brotli_decompressor::Decompressor::new(packed, 4096), len, to)?,
            CompressionCodec::ZSTD => {
                if self.zstd.is_none() {
                    self.zstd = Some(zstd::bulk::Decompressor::new().ok()?);
                }
                to.resize(start + len, 0);
                let found = self.zstd.as_mut()?.decompress_to_buffer(packed, &mut to[start..]).ok()?;
                to.truncate(start + found);
            }
            CompressionCodec::LZ4_RAW => lz4_block(packed, len, to)?,
            // Three formats bear this name: Hadoop's frames, those of LZ4 itself, and a bare block.
            CompressionCodec::LZ4 => [hadoop, lz4_frame, lz4_block as Way].into_iter().find_map(|way| {
                to.truncate(start);
                way(packed, len, to).filter(|()| to.len() == start + len)
            })?,
            CompressionCodec::LZO => return None,
        }
        (to.len() == start + len).then_some(())
    }
}

/// Appends what bytes hold, if they hold about so many.
type Way = fn(&[u8], usize, &mut Vec<u8>) -> Option<()>;

/// Reads one byte more than there should be, at most.
fn read(from: impl Read, len: usize, to: &mut Vec<u8>) -> Option<()> {
    to.reserve(len + 1);
    from.take(len as u64 + 1).read_to_end(to).ok().map(drop)
}

fn lz4_frame(packed: &[u8], len: usize, to: &mut Vec<u8>) -> Option<()> {
    if !is_whole(packed) {
        return None;
    }
    read(lz4_flex::frame::FrameDecoder::new(packed), len, to)
}

fn lz4_block(packed: &[u8], len: usize, to: &mut Vec<u8>) -> Option<()> {
    let start = to.len();
    to.resize(start + len, 0);
    let found = lz4_flex::block::decompress_into(packed, &mut to[start..]).ok()?;
    to.truncate(start + found);
    Some(())
}

/// Blocks, each after its size unpacked and packed, as big-endian numbers of 32 bits.
fn hadoop(mut packed: &[u8], len: usize, to: &mut Vec<u8>) -> Option<()> {
    let end = to.len() + len;
    while !packed.is_empty() {
        let (sizes, rest) = packed.split_first_chunk::<8>()?;
        let [unpacked, size] =
            [&sizes[..4], &sizes[4..]].map(|size| size.iter().fold(0, |n, &b| n << 8 | usize::from(b)));
        let (block, rest) = rest.split_at_checked(size)?;
        let start = to.len();
        if unpacked > end - start {
            return None;
        }
        lz4_block(block, unpacked, to).filter(|()| to.len() == start + unpacked)?;
        packed = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What a page holds, packed by each codec.
    fn packed(content: &[u8]) -> Vec<(CompressionCodec, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(content).unwrap();
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        frame.write_all(content).unwrap();
        let block = lz4_flex::block::compress(content);
        let sizes = [content.len(), block.len()].map(|len| (len as u32).to_be_bytes()).concat();
        vec![
            (CompressionCodec::SNAPPY, snap::raw::Encoder::new().compress_vec(content).unwrap()),
            (CompressionCodec::GZIP, gzip.finish().unwrap()),
            (CompressionCodec::ZSTD, zstd::bulk::compress(content, 3).unwrap()),
            (CompressionCodec::LZ4, frame.finish().unwrap()),
            (CompressionCodec::LZ4, [sizes, block.clone()].concat()),
            (CompressionCodec::LZ4, block.clone()),
            (CompressionCodec::LZ4_RAW, block),
        ]
    }

    #[test]
    fn what_ends_early_is_not_unpacked() {
        let content: Vec<u8> = (0..5000u32).flat_map(|n| (n % 700).to_le_bytes()).collect();
        for (codec, packed) in packed(&content) {
            let inflated = |packed: &[u8]| {
                let mut to = Vec::new();
                Inflater::default().inflate(codec, packed, content.len(), &mut to).map(|()| to)
            };
            assert_eq!(inflated(&packed).as_ref(), Some(&content), "{codec}");
            let ends = (0..packed.len()).filter(|end| end % 97 == 0 || end + 40 > packed.len());
            ends.for_each(|end| assert_eq!(inflated(&packed[..end]), None, "{codec}, {end} of {}", packed.len()));
        }
    }
}
