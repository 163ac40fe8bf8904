//! Decides, once all blocks are gathered, what depends on all of them: stock numbers, dictionaries, stored types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::before::stored_as;
use crate::codec::{Dictionary, DictionaryBuilder, natural_stored};
use crate::error::Result;
use crate::format::{NONE, Stored};
use crate::panel::{Column, PanelSchema};
use crate::segment::SegmentColumn;
use crate::shuffle::{Block, Sparse};
use crate::store::{
    ChunkFile, Ids, Keep, SegmentList, Snapshot, SnapshotColumn, SnapshotSegment, SnapshotSource, SnapshotTables,
    SourceContents, StockChanges, Store,
};

/// The store's code for each of a block's.
type Codes = Arc<[u32]>;

/// What was decided.
pub(in crate::ingest) struct Assembly {
    /// The version to be, without sections and history, and the source's tables still empty.
    pub(in crate::ingest) snapshot: Snapshot,
    /// Code, date and the source's columns, key columns among them, as new segments hold them.
    pub(in crate::ingest) columns: Arc<[SegmentColumn]>,
    /// For each input, the number of its stock.
    pub(in crate::ingest) stocks: Vec<u32>,
    /// For each block and column of texts, the store's code for each of the block's codes.
    pub(in crate::ingest) codes: Vec<Sparse<Arc<[u32]>>>,
}

/// The source whose rows are read.
#[derive(Debug, Clone, Copy)]
pub(in crate::ingest) struct Target<'a> {
    /// The version before; `None` where there is none, or nothing of it stays.
    pub(in crate::ingest) before: Option<&'a Store>,
    /// The source's place among those of the version; one more than there are for a new one.
    pub(in crate::ingest) place: usize,
    pub(in crate::ingest) name: &'a str,
}

/// Decides everything that depends on all blocks of a source: stock numbers, dictionaries, stored types. `panel` has the
/// source's columns, and `inputs` are the code of each input, `None` for one without rows. Numbers and codes of the
/// version before stay, and columns become no narrower.
pub(in crate::ingest) fn assemble(
    panel: PanelSchema,
    inputs: &[Option<&str>],
    blocks: &[Block],
    ids: Ids,
    keep: Keep,
    target: Target,
) -> Result<Assembly> {
    let mut snapshot = next_version(&panel, ids, keep, target)?;
    let stocks = number_stocks(inputs, &mut snapshot)?;
    let mut columns = code_and_date(&panel, &mut snapshot);
    let places = match target.before {
        Some(before) => before.of_source(target.place).column_places()?.to_vec(),
        None => Vec::new(),
    };
    let segments_before = segments_before(target)?;
    let mut stored_before: HashMap<u32, Vec<(Stored, &DataType)>> = HashMap::new();
    for (id, stored, logical) in segments_before.iter().flat_map(|segment| &segment.columns) {
        stored_before.entry(*id).or_default().push((*stored, logical));
    }
    let source = snapshot.sources[target.place].id;
    let mut block_codes: Vec<Sparse<Arc<[u32]>>> = blocks.iter().map(|_| Sparse::default()).collect();
    for (index, Column { name, data_type }) in panel.columns.iter().enumerate() {
        let key = panel.key.iter().position(|&key| key == index).map_or(0, |place| place as u8 + 1);
        let place = match places.get(index) {
            Some(place) => place + 2,
            None => {
                let source = if key > 0 { NONE } else { source };
                let (id, name, logical) = (snapshot.next_column, name.clone(), data_type.clone());
                snapshot.columns.push(SnapshotColumn { id, name, logical, dictionary: None, key, source });
                snapshot.next_column += 1;
                snapshot.columns.len() - 1
            }
        };
        let id = snapshot.columns[place].id;
        let (stored, dictionary) = if natural_stored(data_type) == Stored::Codes {
            let is_bytes = matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
            let dictionaries = blocks.iter().map(|block| block.columns.get(index)?.dictionary.as_ref());
            let (values, codes) = join_dictionaries(snapshot.texts_of(place), dictionaries, is_bytes)?;
            for (block, codes) in block_codes.iter_mut().zip(codes) {
                codes.into_iter().for_each(|codes| block.push(index, codes));
            }
            snapshot.put_texts(place, values.clone());
            (Stored::Codes, Some(values))
        } else {
            let before = stored_before.get(&id).into_iter().flatten().copied();
            let in_blocks = blocks.iter().filter_map(|block| block.columns.get(index)).map(|column| column.stored);
            (widest(data_type, in_blocks, before), None)
        };
        snapshot.columns[place].logical = data_type.clone();
        columns.push(SegmentColumn { column: id, name: name.clone(), logical: data_type.clone(), stored, dictionary });
    }
    Ok(Assembly { snapshot, columns: columns.into(), stocks, codes: block_codes })
}

/// The version to be, with all sources and what the version before knows of columns.
fn next_version(panel: &PanelSchema, ids: Ids, keep: Keep, target: Target) -> Result<Snapshot> {
    let Ids { store_id, version, commit, next_column, next_source } = ids;
    let mut snapshot = match target.before {
        Some(before) => Snapshot {
            keep,
            key_segments: SegmentList::default(),
            pieces: Vec::new(),
            ..before.snapshot(version, commit)?
        },
        None => Snapshot {
            version,
            commit,
            store_id,
            keep,
            settings: String::new(),
            columns: Vec::new(),
            date_spelling: panel.date_form.spelling.clone(),
            dictionaries: Vec::new(),
            key_segments: SegmentList::default(),
            pieces: Vec::new(),
            sources: Vec::new(),
            chunks: ChunkFile::new(commit),
            stock_changes: StockChanges::default(),
            history: Vec::new(),
            changes: None,
            next_column,
            next_source,
        },
    };
    snapshot.date_spelling = panel.date_form.spelling.clone();
    if target.place == snapshot.sources.len() {
        let tables = SnapshotTables::New(SourceContents::default());
        snapshot.sources.push(SnapshotSource { id: snapshot.next_source, name: target.name.to_owned(), tables });
        snapshot.next_source += 1;
    }
    Ok(snapshot)
}

/// The columns that come first, as new segments hold them; `snapshot` has them as well from now on.
fn code_and_date(panel: &PanelSchema, snapshot: &mut Snapshot) -> Vec<SegmentColumn> {
    let first = [
        SnapshotColumn {
            id: 0,
            // Files of another source may call it otherwise.
            name: snapshot.columns.first().map_or_else(|| panel.code.name.clone(), |code| code.name.clone()),
            logical: panel.code.data_type.clone(),
            dictionary: Some(0),
            key: 0,
            source: NONE,
        },
        SnapshotColumn {
            id: 1,
            name: panel.date_name.clone(),
            logical: panel.date_form.data_type.clone(),
            dictionary: None,
            key: 0,
            source: NONE,
        },
    ];
    snapshot.columns.splice(..snapshot.columns.len().min(2), first);
    vec![
        SegmentColumn {
            column: 0,
            name: panel.code.name.clone(),
            logical: DataType::Utf8,
            stored: Stored::Codes,
            dictionary: Some(snapshot.dictionaries[0].clone()),
        },
        SegmentColumn {
            column: 1,
            name: panel.date_name.clone(),
            logical: DataType::Date32,
            stored: Stored::Bytes4,
            dictionary: None,
        },
    ]
}

/// The segments of the version before that have columns of the source, or those of the key, which the first source and
/// segments of their own have.
fn segments_before(target: Target) -> Result<Vec<SnapshotSegment>> {
    let mut segments = Vec::new();
    if let Some(before) = target.before {
        let of_source = (target.place < before.source_names()?.len()).then_some(target.place);
        for home in [None, Some(0)].into_iter().chain((of_source != Some(0)).then_some(of_source)) {
            segments.extend(before.snapshot_segments(home)?);
        }
    }
    Ok(segments)
}

/// How wide the values of a column are stored that is of no texts: as in blocks and in segments `before`, whichever is
/// wider.
fn widest<'t>(
    data_type: &DataType,
    in_blocks: impl Iterator<Item = Stored>,
    before: impl Iterator<Item = (Stored, &'t DataType)>,
) -> Stored {
    // A column that lost its values may come back in a narrower type: none is where it was stored wider.
    let before = before
        .filter_map(|(stored, logical)| stored_as(logical, stored, data_type))
        .filter(|stored| *stored <= natural_stored(data_type));
    // Without any value, the narrowest that the type allows.
    let narrowest = if data_type.is_integer() { Stored::Bits } else { natural_stored(data_type) };
    in_blocks.chain(before).max().unwrap_or(narrowest)
}

/// The texts that are `known`, and those that the dictionaries of blocks add to them; for each block the code of each of
/// its own texts, `None` for one without any.
fn join_dictionaries<'d>(
    known: Option<&ArrayRef>,
    dictionaries: impl Iterator<Item = Option<&'d Arc<Dictionary>>>,
    is_bytes: bool,
) -> Result<(ArrayRef, Vec<Option<Codes>>)> {
    let dictionaries: Vec<Option<&Arc<Dictionary>>> = dictionaries.collect();
    // Blocks of the same stocks share their dictionary and come one after the other.
    let mut own: Vec<&Arc<Dictionary>> = dictionaries.iter().copied().flatten().collect();
    own.dedup_by(|a, b| Arc::ptr_eq(a, b));
    if let (true, Some(known)) = (own.is_empty(), known) {
        return Ok((known.clone(), vec![None; dictionaries.len()]));
    }
    let mut builder = DictionaryBuilder::of(known)?;
    builder.reserve(own.iter().copied().map(Arc::as_ref));
    let mut last: Option<(&Arc<Dictionary>, Arc<[u32]>)> = None;
    let mut all_codes = Vec::with_capacity(dictionaries.len());
    for dictionary in dictionaries {
        let codes = match (dictionary, last) {
            (None, _) => None,
            (Some(dictionary), Some((last, codes))) if Arc::ptr_eq(dictionary, last) => Some(codes),
            (Some(dictionary), _) => Some(Arc::from(builder.add_all(dictionary)?)),
        };
        last = dictionary.zip(codes.clone());
        all_codes.push(codes);
    }
    Ok((builder.finish(is_bytes)?, all_codes))
}

/// For each input the number of its stock, which `snapshot` knows from now on.
pub(in crate::ingest) fn number_stocks(inputs: &[Option<&str>], snapshot: &mut Snapshot) -> Result<Vec<u32>> {
    let mut stocks = vec![0; inputs.len()];
    let mut codes = DictionaryBuilder::of(snapshot.dictionaries.first())?;
    let mut with_rows: Vec<(&str, usize)> =
        inputs.iter().enumerate().filter_map(|(input, code)| Some(((*code)?, input))).collect();
    // New stocks are numbered in the order of their codes, whichever was read first.
    with_rows.sort_unstable();
    for (code, input) in with_rows {
        stocks[input] = codes.add(code.as_bytes())?;
    }
    let codes = codes.finish(false)?;
    match snapshot.dictionaries.first_mut() {
        Some(first) => *first = codes,
        None => snapshot.dictionaries.push(codes),
    }
    Ok(stocks)
}
