//! The store: a directory of segments and catalogs, read here by date and by stock, published, verified.

mod absent;
mod answer;
mod at;
mod batch;
mod catalog;
mod change_file;
mod changes;
mod chunks;
mod collect;
mod column;
mod compare;
mod dictionary;
mod diff;
mod differences;
mod entries;
mod gather;
mod held;
mod info;
mod keep;
mod kept;
mod layout;
mod listing;
mod lock;
mod logical;
mod matrix;
mod moves;
mod narrowed;
mod newest;
mod noted;
mod open_segment;
mod part;
mod piece;
mod publish;
mod request;
mod section;
mod series;
mod shared_columns;
mod site;
mod snapshot;
mod stale;
mod strings;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod universe;
mod verify;
mod version;
mod view;
mod whole;

pub use answer::{Answer, StoredRows};
pub use collect::{Collect, CollectReport};
pub use column::StoredColumn;
pub use diff::{Diff, DiffColumn};
pub use differences::{ColumnChange, ColumnDiff, DateChange, DiffReport, SectionDiff, StockChange, ValueChange};
pub use entries::{FileEntry, VersionEntry};
pub use info::{ColumnInfo, SourceInfo, StoreInfo};
pub use matrix::{Cells, Fill, Matrix};
pub use moves::{Move, Turn};
pub(crate) use newest::STALE;
pub use newest::{Newest, NewestOf, StaleStock};
pub use request::{CodeType, DateType, Request, Selection, Types, ValueTypes};
pub use section::Section;
pub use text::{Texts, printable};
pub use universe::Universe;
pub use verify::VerifyReport;
pub use view::Store;

pub(crate) use change_file::VersionChanges;
pub(crate) use chunks::ChunkFile;
pub(crate) use compare::{differing_rows, first_difference};
pub(crate) use gather::{Gathered, Survey};
pub(crate) use keep::{Keep, KeepChange};
pub(crate) use matrix::one_value;
pub(crate) use part::present_column;
pub(crate) use piece::{Piece, RawColumn};
pub(crate) use publish::{Ids, Opening, StoreWriter, next_commit};
pub(crate) use site::Site;
pub(crate) use snapshot::{
    SegmentList, Snapshot, SnapshotColumn, SnapshotPiece, SnapshotSegment, SnapshotSource, SnapshotTables,
    SourceContents, StockChanges,
};
