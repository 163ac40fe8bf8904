//! Finds columns that are encrypted in a file whose footer is not: the crate does not say.

use super::footer::footer_bytes;
use super::thrift::Thrift;
use crate::source::content::Content;

/// The first of `leaves` (ascending) whose pages are encrypted in some row group, where the footer is not.
pub(in crate::source) fn encrypted_leaf(content: &Content, leaves: &[usize]) -> Option<usize> {
    let footer = footer_bytes(content, 8, |_| Ok(())).ok()?;
    let mut thrift = Thrift { bytes: &footer };
    let mut encrypted = None;
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match field {
            (4, 9) => {
                for _ in 0..thrift.list()?.0 {
                    let found = encrypted_chunk(&mut thrift, leaves)?;
                    encrypted = encrypted.into_iter().chain(found).min();
                }
            }
            (_, kind) => thrift.skip(kind, 0)?,
        }
    }
    encrypted
}

/// As [`encrypted_leaf`], of one RowGroup; `None` where it cannot be read.
fn encrypted_chunk(thrift: &mut Thrift, leaves: &[usize]) -> Option<Option<usize>> {
    let mut encrypted = None;
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match field {
            (1, 9) => {
                let count = thrift.list()?.0;
                for leaf in 0..usize::try_from(count).ok()? {
                    let mut last = 0;
                    while let Some((id, kind)) = thrift.field(&mut last)? {
                        // How the chunk is encrypted, and its metadata if they are.
                        if matches!(id, 8 | 9) && leaves.binary_search(&leaf).is_ok() {
                            encrypted = encrypted.or(Some(leaf));
                        }
                        thrift.skip(kind, 0)?;
                    }
                }
            }
            (_, kind) => thrift.skip(kind, 0)?,
        }
    }
    Some(encrypted)
}
