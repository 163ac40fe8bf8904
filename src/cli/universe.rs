//! What `--universe` names: a file of dates and codes, or a column of a store.

use std::path::Path;

use crate::source::read_members;
use crate::store::Universe;
use crate::{Request, Store};
use anyhow::{Context, anyhow, bail};

/// Bytes that the members may take.
const MEMORY: u64 = 512 << 20;

/// The universe that `text` names for `store`.
pub fn universe(text: &str, store: &Store) -> anyhow::Result<Universe> {
    let panel = store.schema()?;
    let path = Path::new(text);
    if path.is_file() {
        let members = read_members(path, panel, MEMORY).map_err(|why| anyhow!("{}: {}", path.display(), why))?;
        return Ok(Universe::Rows(vec![members]));
    }
    if panel.index_of(text).is_some() {
        return Ok(Universe::Column(text.to_owned()));
    }
    // Names of stores and of columns may have dots.
    for (at, _) in text.rmatch_indices('.') {
        let (root, column) = (Path::new(&text[..at]), &text[at + 1..]);
        let Ok(other) = Store::open(root) else { continue };
        if other.schema()?.index_of(column).is_none() {
            continue;
        }
        if other.id() == store.id() && panel.index_of(column).is_some() {
            return Ok(Universe::Column(column.to_owned()));
        }
        let universe = Some(Universe::Column(column.to_owned()));
        let members = other.answer(&Request { columns: Some(Vec::new()), universe, ..Request::default() })?;
        let (date, code) = (&other.schema()?.date_name, &other.schema()?.code.name);
        let as_here = |batch: crate::Result<arrow_array::RecordBatch>| {
            let batch = batch?;
            let column = |name: &String| batch.column_by_name(name).cloned().context("a section lacks its key");
            let columns = [(panel.date_name.as_str(), column(date)?), (panel.code.name.as_str(), column(code)?)];
            Ok(arrow_array::RecordBatch::try_from_iter(columns)?)
        };
        return Ok(Universe::Rows(members.batches().map(as_here).collect::<anyhow::Result<_>>()?));
    }
    bail!("{text} is no file, no column of {}, and no STORE.COLUMN; name one of these", store.path().display())
}
