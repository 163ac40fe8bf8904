//! Finds columns of lists, maps and structs that are null in each row: without a value they have no say in what a panel is,
//! whatever they would hold.
//!
//! The pages alone decide, not the statistics: "definition levels specify how many optional fields in the path for the
//! column are defined", and where none is, the column itself is null.

use bytes::Bytes;
use parquet::file::metadata::ParquetMetaData;

use super::chunks::extent;
use super::constant::all_are;
use super::declared::Levels;
use super::pages::{Extent, LEVELS_RLE, Need, PageKind, Pages};
use crate::source::content::Content;

/// Bytes of a page, at most: levels of nulls are a few runs.
const PAGE: u64 = 64 << 10;

/// Whether the column whose leaves from `leaf` on have these levels has no value; not so where only a reader of its values
/// could tell.
pub(in crate::source) fn are_null(
    content: &Content,
    metadata: &ParquetMetaData,
    leaf: usize,
    levels: &[Levels],
) -> bool {
    let groups = || metadata.row_groups().iter().filter(|group| group.num_rows() > 0);
    let is_null = |leaf: usize, levels: Levels| {
        groups().all(|group| extent(group, leaf).is_some_and(|chunk| is_null(content, chunk, levels)))
    };
    !levels.is_empty() && levels.iter().enumerate().all(|(n, levels)| is_null(leaf + n, *levels))
}

fn is_null(content: &Content, chunk: Extent, levels: Levels) -> bool {
    let mut pages = Pages::new(content.clone(), chunk);
    loop {
        match pages.next_unpacked(Need::of_at_most(PAGE)) {
            Ok(None) => return true,
            Ok(Some((kind, body))) if has_no_value(&kind, &body, levels) => {}
            _ => return false,
        }
    }
}

/// Whether the levels of a page say that no row has a value.
fn has_no_value(kind: &PageKind, body: &Bytes, levels: Levels) -> bool {
    let are_zeros = |bytes: &[u8], highest: u8, count: u32| {
        all_are(bytes, (u8::BITS - highest.leading_zeros()) as u8, false, count as usize)
    };
    match *kind {
        PageKind::Dictionary { .. } => true,
        PageKind::Data { values, level_encoding: LEVELS_RLE, .. } => {
            let mut rest = &body[..];
            let mut next = || {
                let (len, after) = rest.split_first_chunk()?;
                let (found, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
                rest = after;
                Some(found)
            };
            let mut highest = [levels.repetition, levels.definition].into_iter().filter(|highest| *highest > 0);
            highest.all(|highest| next().is_some_and(|found| are_zeros(found, highest, values)))
        }
        PageKind::DataV2 { values, rows, levels_len: [definitions, repetitions], .. } => {
            let (definitions, repetitions) = (definitions as usize, repetitions as usize);
            let repeated = body.get(..repetitions);
            let defined = body.get(repetitions..repetitions + definitions);
            rows == values
                && (levels.repetition == 0 || repeated.is_some_and(|found| are_zeros(found, levels.repetition, values)))
                && defined.is_some_and(|found| are_zeros(found, levels.definition, values))
        }
        PageKind::Data { .. } | PageKind::Other => false,
    }
}
