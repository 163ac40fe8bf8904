//! Frames of LZ4, in which pages of Parquet and buffers of Arrow may be packed: whether one is there to its end. The crate
//! that unpacks them takes the end of the bytes between two blocks for the end of the frame, and compares no checksum
//! then; other readers refuse such a file.

/// How a frame begins.
const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();

/// Whether `packed` begins with a frame, the mark of its end and the checksum after it included.
pub(in crate::source) fn is_whole(packed: &[u8]) -> bool {
    walk(packed).is_some()
}

fn walk(packed: &[u8]) -> Option<()> {
    let (&flags, rest) = packed.strip_prefix(&MAGIC)?.split_first()?;
    let has = |bit: u8| usize::from(flags >> bit & 1);
    // The size of blocks; those of the content and the number of a dictionary, where they are told; a checksum of these.
    let mut rest = rest.get(1 + 8 * has(3) + 4 * has(0) + 1..)?;
    loop {
        let (size, block) = rest.split_first_chunk()?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            return block.get(4 * has(2)..).map(drop);
        }
        // The highest bit says that the block lies there unpacked.
        rest = block.get((size & (u32::MAX >> 1)) as usize + 4 * has(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    #[test]
    fn a_frame_is_whole_with_its_last_byte_and_not_before() {
        let noise: Vec<u8> = (0..300_000u64).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        for content in [&b""[..], b"steel", &[7; 300_000], &noise] {
            for flags in 0..8 {
                let is = |bit: u8| flags >> bit & 1 == 1;
                let info =
                    FrameInfo::new().block_size(BlockSize::Max64KB).content_checksum(is(0)).block_checksums(is(1));
                let mut encoder =
                    FrameEncoder::with_frame_info(info.content_size(is(2).then_some(content.len() as u64)), Vec::new());
                encoder.write_all(content).unwrap();
                let frame = encoder.finish().unwrap();
                assert!(is_whole(&frame) && is_whole(&[&frame[..], b"more"].concat()));
                let step = 1 + frame.len() / 300;
                let ends = (0..frame.len()).step_by(step).chain(frame.len().saturating_sub(20)..frame.len());
                ends.for_each(|end| assert!(!is_whole(&frame[..end]), "{end} of {}", frame.len()));
            }
        }
        assert!(!is_whole(b"no frame at all"));
    }
}
