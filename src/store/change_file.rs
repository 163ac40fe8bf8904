//! The bytes of a change file: what a version changed against the one before.

use arrow_schema::DataType;
use bytemuck::Zeroable;

use super::logical;
use super::strings::StringTable;
use crate::error::{Error, Result};
use crate::format::{
    CHANGES_MAGIC, CatalogBytes, ChangedColumnRecord, ChangedDateRecord, ChangedStocksRecord, Header, Table, TypeRecord,
};

/// In a record of a column: the version before has it, the version has it.
pub(super) const IN_OLDER: u32 = 1;
pub(super) const IN_NEWER: u32 = 2;

/// What a version changes, to be noted in its change file.
#[derive(Debug)]
pub(crate) struct VersionChanges {
    pub(super) dates: Vec<ChangedDateRecord>,
    pub(super) stocks: Vec<ChangedStocksRecord>,
    pub(super) columns: Vec<ChangedColumn>,
}

/// A column in which something changes.
#[derive(Debug)]
pub(super) struct ChangedColumn {
    pub(super) name: String,
    pub(super) older: Option<DataType>,
    pub(super) newer: Option<DataType>,
    pub(super) restated: u64,
    pub(super) filled: u64,
}

impl VersionChanges {
    /// How many stocks it changes rows of.
    pub(crate) fn stock_count(&self) -> u64 {
        self.stocks.iter().map(|run| u64::from(run.stock_count)).sum()
    }

    /// How many columns it changes values of.
    pub(crate) fn column_count(&self) -> u64 {
        self.columns.iter().filter(|column| column.restated + column.filled > 0).count() as u64
    }

    /// The bytes of the change file, whose header is `about`, and the checksum in that.
    ///
    /// # Errors
    /// When a limit of the format is passed.
    pub(super) fn encode(&self, about: Header) -> Result<(Vec<u8>, u64)> {
        let mut strings = StringTable::default();
        let mut tables = CatalogBytes::new(Header { magic: CHANGES_MAGIC, ..about });
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let mut type_record = |data_type: &Option<DataType>| {
                let unsupported =
                    || Error::refused_unless(format!("column {:?} has an unsupported type", column.name), []);
                let record = data_type.as_ref().map(|data_type| logical::encode(data_type, &mut strings));
                record.map_or(Ok(TypeRecord::zeroed()), |record| record.ok_or_else(unsupported))
            };
            let (older, newer) = (type_record(&column.older)?, type_record(&column.newer)?);
            let side = |data_type: &Option<DataType>, side| if data_type.is_some() { side } else { 0 };
            columns.push(ChangedColumnRecord {
                name: strings.add(&column.name),
                older,
                newer,
                restated_count: column.restated,
                filled_count: column.filled,
                versions: side(&column.older, IN_OLDER) + side(&column.newer, IN_NEWER),
                reserved: 0,
            });
        }
        tables.put(Table::ChangedDates, &self.dates);
        tables.put(Table::ChangedStocks, &self.stocks);
        tables.put(Table::ChangedColumns, &columns);
        strings.into_tables(tables)
    }
}
