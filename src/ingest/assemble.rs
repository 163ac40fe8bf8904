//! Decides, once all blocks are gathered, what depends on all of them: stock numbers, dictionaries, stored types.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::before::stored_as;
use crate::codec::{DictionaryBuilder, natural_stored};
use crate::error::Result;
use crate::format::Stored;
use crate::panel::{Column, PanelSchema};
use crate::segment::SegmentColumn;
use crate::shuffle::Block;
use crate::store::{ChunkFile, Snapshot, SnapshotColumn, Store, StoreWriter};

/// What was decided.
pub(super) struct Assembly {
    /// The version to be, without segments, sections, sources and history.
    pub(super) snapshot: Snapshot,
    /// The columns of new segments.
    pub(super) columns: Arc<[SegmentColumn]>,
    /// For each input, the number of its stock.
    pub(super) stocks: Vec<u32>,
    /// For each block and panel column, the store's code for each of the block's codes.
    pub(super) codes: Vec<Vec<Arc<[u32]>>>,
}

/// Decides everything that depends on all blocks of `panel`: stock numbers, dictionaries, stored types. `inputs` are
/// the code of each input, `None` for one without rows. Where the panel goes on from one that was there before, its
/// numbers and codes stay, and columns become no narrower.
pub(super) fn assemble(
    panel: PanelSchema,
    inputs: &[Option<&str>],
    blocks: &[Block],
    writer: &StoreWriter,
    keep: u32,
    before: Option<&Store>,
) -> Result<Assembly> {
    let mut stocks = vec![0; inputs.len()];
    let mut codes = DictionaryBuilder::of(before.map(|before| before.dictionary(0)).transpose()?.flatten());
    let segments_before = before.map(Store::snapshot_segments).transpose()?.unwrap_or_default();
    let mut with_rows: Vec<(&str, usize)> =
        inputs.iter().enumerate().filter_map(|(input, code)| Some(((*code)?, input))).collect();
    // New stocks are numbered in the order of their codes, whichever was read first.
    with_rows.sort_unstable();
    for (code, input) in with_rows {
        stocks[input] = codes.add(code.as_bytes());
    }

    let mut dictionaries: Vec<ArrayRef> = vec![codes.finish(false)?];
    let mut columns = vec![
        SnapshotColumn { name: panel.code.name.clone(), logical: panel.code.data_type, dictionary: Some(0), key: 0 },
        SnapshotColumn { name: panel.date_name.clone(), logical: panel.date_form.data_type, dictionary: None, key: 0 },
    ];
    let mut segment_columns = vec![
        SegmentColumn {
            column: 0,
            name: panel.code.name,
            logical: DataType::Utf8,
            stored: Stored::Codes,
            dictionary: Some(dictionaries[0].clone()),
        },
        SegmentColumn {
            column: 1,
            name: panel.date_name,
            logical: DataType::Date32,
            stored: Stored::Bytes4,
            dictionary: None,
        },
    ];
    let mut block_codes: Vec<Vec<Arc<[u32]>>> = blocks.iter().map(|_| Vec::new()).collect();
    for (index, Column { name, data_type }) in panel.columns.iter().enumerate() {
        let in_blocks = || blocks.iter().map(move |block| block.columns[index].as_ref());
        let logical = data_type.clone();
        let mut dictionary = None;
        let stored = if natural_stored(data_type) == Stored::Codes {
            let known = before.map(|before| before.dictionary(index + 2)).transpose()?.flatten();
            let mut builder = DictionaryBuilder::of(known);
            let mut codes: Arc<[u32]> = Arc::default();
            let mut known: Option<&Arc<[Box<[u8]>]>> = None;
            for (block, column) in block_codes.iter_mut().zip(in_blocks()) {
                let dictionary = column.map(|column| &column.dictionary);
                // Blocks of the same stocks share their dictionary and come one after the other.
                if !known.zip(dictionary).is_some_and(|(known, dictionary)| Arc::ptr_eq(known, dictionary)) {
                    codes = dictionary
                        .into_iter()
                        .flat_map(|values| values.iter())
                        .map(|value| builder.add(value))
                        .collect();
                }
                known = dictionary;
                block.push(Arc::clone(&codes));
            }
            let is_bytes = matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
            let values = builder.finish(is_bytes)?;
            dictionary = Some(values);
            Stored::Codes
        } else {
            block_codes.iter_mut().for_each(|block| block.push(Arc::default()));
            let widest_before = segments_before.iter().flat_map(|segment| &segment.columns).filter_map(|column| {
                let (number, stored, logical) = column;
                (*number as usize == index + 2).then(|| stored_as(logical, *stored, data_type)).flatten()
            });
            let widest = in_blocks().flatten().map(|column| column.stored).chain(widest_before).max();
            // Without any value, the narrowest that the type allows.
            let narrowest = if data_type.is_integer() { Stored::Bits } else { natural_stored(data_type) };
            widest.unwrap_or(narrowest)
        };
        columns.push(SnapshotColumn {
            name: name.clone(),
            logical: logical.clone(),
            dictionary: dictionary.as_ref().map(|_| dictionaries.len() as u32),
            key: panel.key.iter().position(|&key| key == index).map_or(0, |place| place as u8 + 1),
        });
        dictionaries.extend(dictionary.clone());
        segment_columns.push(SegmentColumn {
            column: index as u32 + 2,
            name: name.clone(),
            logical,
            stored,
            dictionary,
        });
    }
    let snapshot = Snapshot {
        version: writer.version(),
        store_id: writer.store_id(),
        keep,
        settings: String::new(),
        columns,
        date_spelling: panel.date_form.spelling,
        dictionaries,
        segments: Vec::new(),
        pieces: Vec::new(),
        chunks: ChunkFile::new(),
        sources: Vec::new(),
        history: Vec::new(),
    };
    Ok(Assembly { snapshot, columns: segment_columns.into(), stocks, codes: block_codes })
}
