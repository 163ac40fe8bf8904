//! One version, open: its catalog, what the small tables say, its sources, and the segments that were used so far. All
//! handles of it share this. It is seen whole, or as one of its sources sees it: that source's rows and columns, as if
//! there were no other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::{Array, ArrayRef, StringArray, StringViewArray, cast::AsArray};
use arrow_schema::DataType;

use super::catalog::Catalog;
use super::dictionary::{Dictionaries, Texts};
use super::entries::{ChangesPlace, VersionEntry};
use super::logical;
use super::open_segment::{OpenSegment, Segments};
use super::part::PRESENT_NAME;
use crate::error::{Error, Result, Wanted};
use crate::format::{
    CATALOG_DIR, ColumnRecord, HistoryRecord, NONE, PRESENT, PartRecord, PieceRecord, SOURCE_MAGIC,
    SegmentColumnRecord, SourceRecord, Stored, Table, TypeRecord, catalog_name, tables_name,
};
use crate::key::Date;
use crate::panel::{Column, DateForm, PanelSchema, can_be_key};
use crate::segment::SegmentColumn;
use crate::storage::Access;

/// The id of the code column, and that of the date column.
pub(super) const CODE: u32 = 0;
pub(super) const DAY: u32 = 1;

/// One version of the store at `root`, or what one source has of it.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) root: PathBuf,
    pub(super) access: Access,
    pub(super) catalog: Arc<Catalog>,
    shared: Arc<Shared>,
    /// Which source sees it; `None` sees all.
    source: Option<usize>,
    view: OnceLock<View>,
    dates: OnceLock<Vec<Date>>,
}

/// What all views of a version share.
#[derive(Debug)]
struct Shared {
    dictionaries: Arc<Dictionaries>,
    panel: OnceLock<Panel>,
    sources: OnceLock<Box<[SourceTables]>>,
    /// The codes in the order of stock numbers, as a string view.
    code_views: OnceLock<StringViewArray>,
    /// Those that hold keys alone.
    key_segments: Segments,
}

/// What the small tables say of the columns, taken apart once.
#[derive(Debug)]
struct Panel {
    code: Column,
    code_texts: Option<Texts>,
    date_name: String,
    date_form: DateForm,
    columns: Vec<PanelColumn>,
    /// By id.
    places: HashMap<u32, usize>,
}

/// One column of the panel.
#[derive(Debug)]
struct PanelColumn {
    column: Column,
    /// What its codes stand for.
    texts: Option<Texts>,
    id: u32,
    /// Its place in the key, from 1; 0 for a column that is no part of it.
    key: u8,
    /// The id of its source; `NONE` for a key column.
    source: u32,
}

/// What is seen.
#[derive(Debug)]
struct View {
    schema: PanelSchema,
    /// For each of its columns, the place in the panel.
    places: Vec<usize>,
    /// For each of its columns, its id and the place of its source among the version's; `None` for a key column.
    owners: Vec<(u32, Option<usize>)>,
}

/// One source, opened at its first use.
#[derive(Debug)]
pub(super) struct SourceTables {
    pub(super) record: SourceRecord,
    pub(super) name: String,
    open: OnceLock<(Catalog, Segments)>,
}

/// Which file of tables lists a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Home {
    /// The catalog: it holds keys alone.
    Keys,
    /// The tables of the source at this place.
    Source(usize),
}

impl Version {
    /// The version of the store at `root` that `commit` wrote, whose `catalog` this should be.
    ///
    /// # Errors
    /// When it is another's.
    pub(super) fn new(root: &Path, catalog: Catalog, commit: u64, access: Access) -> Result<Version> {
        if catalog.header().commit != commit {
            return Err(catalog.structure(format!("it says it is {}", catalog_name(catalog.header().commit))));
        }
        let catalog = Arc::new(catalog);
        let shared = Shared {
            dictionaries: Arc::new(Dictionaries::new(catalog.clone())),
            panel: OnceLock::new(),
            sources: OnceLock::new(),
            code_views: OnceLock::new(),
            key_segments: Segments::of(&catalog),
        };
        Ok(Version {
            root: root.to_owned(),
            access,
            catalog,
            shared: Arc::new(shared),
            source: None,
            view: OnceLock::new(),
            dates: OnceLock::new(),
        })
    }

    /// The version as the source at `place` sees it.
    pub(super) fn of_source(&self, place: usize) -> Version {
        Version {
            root: self.root.clone(),
            access: self.access,
            catalog: self.catalog.clone(),
            shared: self.shared.clone(),
            source: Some(place),
            view: OnceLock::new(),
            dates: OnceLock::new(),
        }
    }

    /// The source that sees it; `None` sees all.
    pub(super) fn source(&self) -> Option<usize> {
        self.source
    }

    /// The columns that are seen, in their logical types.
    pub(super) fn schema(&self) -> Result<&PanelSchema> {
        Ok(&self.view()?.schema)
    }

    /// The dates that have a section, ascending.
    pub(super) fn dates(&self) -> Result<&[Date]> {
        if let Some(dates) = self.dates.get() {
            return Ok(dates);
        }
        let days: Vec<i32> = match self.source {
            None => self.catalog.table(Table::Dates)?.to_vec(),
            Some(place) => {
                let mut days: Vec<i32> = self.all_parts(place)?.iter().map(|part| part.date).collect();
                days.dedup();
                days
            }
        };
        let dates = days.iter().map(|&days| Date::from_days(days)).collect::<Option<Vec<Date>>>();
        let dates = dates.ok_or_else(|| self.catalog.structure("a date lies outside the years 0000 to 9999"))?;
        if !dates.is_sorted_by(|a, b| a < b) {
            return Err(self.catalog.structure("its dates are out of order"));
        }
        Ok(self.dates.get_or_init(|| dates))
    }

    /// Rows that are seen.
    pub(super) fn row_count(&self) -> Result<u64> {
        match self.source {
            None => Ok(self.catalog.header().row_count),
            Some(place) if self.is_new(place)? => Ok(0),
            Some(place) => Ok(self.tables(place)?.header().row_count),
        }
    }

    /// Whether the source at `place` is one that is yet to come: it has no rows, and no columns but those of the key.
    fn is_new(&self, place: usize) -> Result<bool> {
        Ok(place == self.sources()?.len())
    }

    /// For each column that is seen, its place among those of the whole store.
    pub(super) fn places(&self) -> Result<&[usize]> {
        Ok(&self.view()?.places)
    }

    /// All versions up to this one, oldest first, collected ones included.
    pub(super) fn history(&self) -> Result<Vec<VersionEntry>> {
        let decode = |record: &HistoryRecord| {
            Ok(VersionEntry {
                version: record.version,
                commit: record.commit,
                created_ns: record.created_ns,
                command: self.catalog.string(record.command)?.to_owned(),
                rows: record.row_count,
                dates: u64::from(record.date_count),
                added: record.added_count,
                restated: record.restated_count,
                filled: record.filled_count,
                removed: record.removed_count,
                dirty_dates: u64::from(record.dirty_count),
                dirty_stocks: u64::from(record.stock_count),
                dirty_columns: u64::from(record.column_count),
                changes: (record.changes_len > 0)
                    .then_some(ChangesPlace { byte_len: record.changes_len, header_checksum: record.changes_checksum }),
            })
        };
        self.catalog.table::<HistoryRecord>(Table::History)?.iter().map(decode).collect()
    }

    /// The codes in the order of stock numbers.
    pub(super) fn codes(&self) -> Result<&StringArray> {
        self.dictionary(0)?
            .and_then(|codes| codes.as_string_opt())
            .ok_or_else(|| self.catalog.structure("its codes are no text"))
    }

    /// As [`codes`](Version::codes), as a string view, made at its first use.
    pub(super) fn code_views(&self) -> Result<&StringViewArray> {
        let codes = self.codes()?;
        Ok(self.shared.code_views.get_or_init(|| codes.into()))
    }

    /// The codes of all stocks, in the order in which sections hold them.
    pub(super) fn stocks(&self) -> Result<Vec<&str>> {
        let codes = self.codes()?;
        let order: &[u32] = self.catalog.table(Table::StockOrder)?;
        order.iter().map(|&stock| self.code_of(codes, stock)).collect()
    }

    /// The code of the stock with this number, of a table of the catalog.
    pub(super) fn code_of<'a>(&self, codes: &'a StringArray, stock: u32) -> Result<&'a str> {
        let is_known = (stock as usize) < codes.len();
        let unknown = || self.catalog.structure("its stock order names unknown stocks");
        is_known.then(|| codes.value(stock as usize)).ok_or_else(unknown)
    }

    /// Place of each stock in code order, by stock number.
    pub(super) fn ranks(&self) -> Result<&[u32]> {
        self.catalog.table(Table::StockRanks)
    }

    /// What the texts of all dictionaries take.
    pub(super) fn texts_len(&self) -> u64 {
        let tables = [Table::DictionaryOffsets, Table::DictionaryBytes];
        tables.map(|table| self.catalog.place(table).byte_len).iter().sum()
    }

    /// What the texts of column `column` take; column 0 is the code, column 1 the date. None of them is read for that.
    pub(super) fn texts_len_of(&self, column: usize) -> Result<u64> {
        self.texts(column)?.map_or(Ok(0), Texts::byte_len)
    }

    /// Bytes of a piece of a section, the largest or more: the largest that the key and each source have.
    pub(super) fn largest_piece(&self) -> Result<u64> {
        let keys = self.catalog.table::<PieceRecord>(Table::Pieces)?.iter().map(|piece| piece.keys.body_len).max();
        let mut largest = keys.unwrap_or(0);
        for place in 0..self.sources()?.len() {
            let len = |part: &PartRecord| part.values.body_len.saturating_add(part.present.body_len);
            largest = largest.saturating_add(self.all_parts(place)?.iter().map(len).max().unwrap_or(0));
        }
        Ok(largest)
    }

    /// The dictionaries of all columns, and of those that were given up.
    pub(super) fn dictionaries(&self) -> &Dictionaries {
        &self.shared.dictionaries
    }

    /// The values of column `column`'s dictionary, read at their first use; column 0 is the code, column 1 the date.
    pub(super) fn dictionary(&self, column: usize) -> Result<Option<&ArrayRef>> {
        self.texts(column)?.map(Texts::get).transpose()
    }

    fn texts(&self, column: usize) -> Result<Option<&Texts>> {
        let panel = self.panel()?;
        Ok(match column {
            0 => panel.code_texts.as_ref(),
            1 => None,
            other => self.view()?.places.get(other - 2).and_then(|&place| panel.columns[place].texts.as_ref()),
        })
    }

    /// Logical type of the `index`-th of the columns, code and date not counted.
    pub(super) fn panel_type(&self, index: usize) -> Result<&DataType> {
        let columns = &self.schema()?.columns;
        columns.get(index).map(|column| &column.data_type).ok_or_else(|| {
            let hint = format!("the panel has {} besides code and date, counted from 0", columns.len());
            Error::not_found(Wanted::Column, format!("column {index}"), hint)
        })
    }

    /// The id of the `index`-th of the columns and the place of its source, `None` for a key column; `None` where there
    /// are not so many.
    pub(super) fn column_place(&self, index: usize) -> Result<Option<(u32, Option<usize>)>> {
        Ok(self.view()?.owners.get(index).copied())
    }

    /// The sources.
    pub(super) fn sources(&self) -> Result<&[SourceTables]> {
        if let Some(sources) = self.shared.sources.get() {
            return Ok(sources);
        }
        let records: &[SourceRecord] = self.catalog.table(Table::Sources)?;
        let source = |&record: &SourceRecord| {
            let name = self.catalog.string(record.name)?.to_owned();
            Ok(SourceTables { record, name, open: OnceLock::new() })
        };
        let sources = records.iter().map(source).collect::<Result<_>>()?;
        Ok(self.shared.sources.get_or_init(|| sources))
    }

    /// The tables of the source at `place`.
    ///
    /// # Errors
    /// When there is none, or they are damaged.
    pub(super) fn tables(&self, place: usize) -> Result<&Catalog> {
        Ok(&self.opened(place)?.0)
    }

    fn opened(&self, place: usize) -> Result<&(Catalog, Segments)> {
        let unknown = || self.catalog.structure(format!("it has no source {place}"));
        let source = self.sources()?.get(place).ok_or_else(unknown)?;
        if let Some(open) = source.open.get() {
            return Ok(open);
        }
        let SourceRecord { commit, ordinal, header_checksum, .. } = source.record;
        let path = self.root.join(CATALOG_DIR).join(tables_name(commit, ordinal));
        let tables = Catalog::open_named(&path, SOURCE_MAGIC, header_checksum, self.access)?;
        let segments = Segments::of(&tables);
        Ok(source.open.get_or_init(|| (tables, segments)))
    }

    /// By stock number, the version in which rows of the stock last changed; a source may have fewer, and 0 for stocks of
    /// which it never had a row.
    pub(super) fn stock_changes(&self) -> Result<&[u64]> {
        match self.source {
            None => self.catalog.table(Table::StockChanges),
            Some(place) if self.is_new(place)? => Ok(&[]),
            Some(place) => self.tables(place)?.table(Table::StockChanges),
        }
    }

    /// The parts of the source at `place`, by date and piece.
    pub(super) fn all_parts(&self, place: usize) -> Result<&[PartRecord]> {
        if self.is_new(place)? { Ok(&[]) } else { self.tables(place)?.table(Table::Parts) }
    }

    /// The parts that the source at `place` has of a date.
    pub(super) fn parts(&self, place: usize, date: Date) -> Result<&[PartRecord]> {
        let all = self.all_parts(place)?;
        let start = all.partition_point(|part| part.date < date.days());
        let len = all[start..].iter().take_while(|part| part.date == date.days()).count();
        Ok(&all[start..start + len])
    }

    /// What the source at `place` has of a piece; `None` where it has no row of it.
    pub(super) fn part(&self, place: usize, date: Date, piece: u32) -> Result<Option<PartRecord>> {
        let all = self.all_parts(place)?;
        let found = all.binary_search_by_key(&(date.days(), piece), |part| (part.date, part.piece));
        Ok(found.ok().map(|at| all[at]))
    }

    /// All files of tables with their segments' homes: the catalog, then the sources.
    pub(super) fn homes(&self) -> Result<Vec<Home>> {
        Ok(std::iter::once(Home::Keys).chain((0..self.sources()?.len()).map(Home::Source)).collect())
    }

    /// The file of tables that lists the segments of `home`.
    pub(super) fn home(&self, home: Home) -> Result<&Catalog> {
        match home {
            Home::Keys => Ok(&self.catalog),
            Home::Source(place) => self.tables(place),
        }
    }

    /// How many segments are listed there.
    pub(super) fn segment_count(&self, home: Home) -> Result<usize> {
        match home {
            Home::Keys => Ok(self.shared.key_segments.len()),
            Home::Source(place) => Ok(self.opened(place)?.1.len()),
        }
    }

    /// Segment `index` of those listed there, opened at its first use.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub(super) fn segment(&self, home: Home, index: u32) -> Result<&Arc<OpenSegment>> {
        let (tables, segments) = match home {
            Home::Keys => (&*self.catalog, &self.shared.key_segments),
            Home::Source(place) => self.opened(place).map(|(tables, segments)| (tables, segments))?,
        };
        let store = (&*self.root, self.access, self.catalog.header().store_id);
        segments.get(index, store, tables, |record| self.segment_column(tables, record))
    }

    /// A column of a segment that `tables` lists, and what its codes stand for.
    fn segment_column(&self, tables: &Catalog, record: &SegmentColumnRecord) -> Result<(SegmentColumn, Option<Texts>)> {
        let stored = Stored::from_number(record.stored)
            .ok_or_else(|| tables.structure(format!("stored type {} is unknown", record.stored)))?;
        let panel = self.panel()?;
        let (name, texts) = match record.column {
            CODE => (panel.code.name.as_str(), panel.code_texts.as_ref()),
            DAY => (panel.date_name.as_str(), None),
            PRESENT => (PRESENT_NAME, None),
            // One that the version lacks was given up since the segment was written, and nobody asks for it.
            id => panel.places.get(&id).map_or(("", None), |&place| {
                let column = &panel.columns[place];
                (column.column.name.as_str(), column.texts.as_ref())
            }),
        };
        let column = SegmentColumn {
            column: record.column,
            name: name.to_owned(),
            logical: logical_type(tables, &record.logical, name)?,
            stored,
            dictionary: None,
        };
        Ok((column, texts.filter(|_| stored == Stored::Codes).cloned()))
    }

    fn view(&self) -> Result<&View> {
        if let Some(view) = self.view.get() {
            return Ok(view);
        }
        let (panel, sources) = (self.panel()?, self.sources()?);
        let seen = |column: &PanelColumn| match self.source {
            None => true,
            Some(place) => column.key > 0 || sources.get(place).is_some_and(|source| source.record.id == column.source),
        };
        let places: Vec<usize> = (0..panel.columns.len()).filter(|&place| seen(&panel.columns[place])).collect();
        let owner = |&place: &usize| match panel.columns[place] {
            PanelColumn { id, source: NONE, .. } => Ok((id, None)),
            PanelColumn { id, source, .. } => {
                let found = sources.iter().position(|known| known.record.id == source);
                let unknown = || self.catalog.structure(format!("a column is of unknown source {source}"));
                found.map(|place| (id, Some(place))).ok_or_else(unknown)
            }
        };
        let owners = places.iter().map(owner).collect::<Result<_>>()?;
        let columns: Vec<&PanelColumn> = places.iter().map(|&place| &panel.columns[place]).collect();
        let mut key: Vec<(u8, usize)> =
            columns.iter().enumerate().filter(|(_, c)| c.key > 0).map(|(index, c)| (c.key, index)).collect();
        key.sort_unstable();
        let schema = PanelSchema {
            code: panel.code.clone(),
            date_name: panel.date_name.clone(),
            date_form: panel.date_form.clone(),
            columns: columns.iter().map(|column| column.column.clone()).collect(),
            key: key.into_iter().map(|(_, index)| index).collect(),
        };
        Ok(self.view.get_or_init(|| View { schema, places, owners }))
    }

    fn panel(&self) -> Result<&Panel> {
        if let Some(panel) = self.shared.panel.get() {
            return Ok(panel);
        }
        let panel = self.read_panel()?;
        Ok(self.shared.panel.get_or_init(|| panel))
    }

    fn read_panel(&self) -> Result<Panel> {
        let records: &[ColumnRecord] = self.catalog.table(Table::Columns)?;
        let [code, date, rest @ ..] = records else {
            return Err(self.catalog.structure("it lacks the code or the date column"));
        };
        let column = |record: &ColumnRecord| {
            let name = self.catalog.string(record.name)?.to_owned();
            let data_type = logical_type(&self.catalog, &record.logical, &name)?;
            Ok(Column { name, data_type })
        };
        let texts = |record: &ColumnRecord| {
            let all = &self.shared.dictionaries;
            (record.dictionary != NONE).then(|| Texts { all: all.clone(), number: record.dictionary })
        };
        let rest: &[ColumnRecord] = rest;
        let columns = rest.iter().map(|record| {
            let (id, key, source) = (record.id, record.key, record.source);
            Ok(PanelColumn { column: column(record)?, texts: texts(record), id, key, source })
        });
        let columns = columns.collect::<Result<Vec<PanelColumn>>>()?;
        let format = self.catalog.string(date.spelling_format)?;
        let spelling = logical::decode_spelling(date.spelling, format)
            .ok_or_else(|| self.catalog.structure("its dates have an unknown spelling"))?;
        if !is_key([code, date], &columns) {
            return Err(self.catalog.structure("its key columns make no key"));
        }
        let mut ids: Vec<u32> = records.iter().map(|record| record.id).collect();
        ids.sort_unstable();
        if (code.id, date.id) != (CODE, DAY) || !ids.is_sorted_by(|a, b| a < b) || ids.last() == Some(&PRESENT) {
            return Err(self.catalog.structure("the ids of its columns are none"));
        }
        let Column { name: date_name, data_type } = column(date)?;
        Ok(Panel {
            code: column(code)?,
            code_texts: texts(code),
            date_name,
            date_form: DateForm { data_type, spelling },
            places: columns.iter().enumerate().map(|(place, column)| (column.id, place)).collect(),
            columns,
        })
    }
}

/// The logical type in a record of the column `name`, of a file of tables.
pub(super) fn logical_type(tables: &Catalog, record: &TypeRecord, name: &str) -> Result<DataType> {
    let zone = tables.string(record.zone)?;
    logical::decode(record, zone).ok_or_else(|| tables.structure(format!("column {name:?} has an unknown type")))
}

/// Whether the key columns among `columns`, whose records follow those of code and date, have numbers and types of a key.
fn is_key(first: [&ColumnRecord; 2], columns: &[PanelColumn]) -> bool {
    let mut numbers: Vec<u8> = columns.iter().map(|column| column.key).filter(|&key| key > 0).collect();
    numbers.sort_unstable();
    let is_whole = numbers.iter().enumerate().all(|(n, &number)| usize::from(number) == n + 1);
    let fits = |column: &PanelColumn| {
        (column.key > 0) == (column.source == NONE) && (column.key == 0 || can_be_key(&column.column.data_type))
    };
    first.iter().all(|record| record.key == 0) && is_whole && columns.iter().all(fits)
}
