//! What `--universe` names: a file of dates and codes, or a column of a store.

use std::path::Path;

use crate::hint::nearest;
use crate::panel::PanelSchema;
use crate::remedy::{Remedy, Setting};
use crate::source::read_members;
use crate::store::{CodeType, DateType, Types, Universe};
use crate::{Error, Request, Store};
use anyhow::Context;

/// Bytes that a row of another store takes until it is known which stocks are members: its date, its code, and its place
/// among the members.
const ROW_LEN: u64 = 16;

/// That the members which `text` names take too many bytes.
fn too_many(text: &str, byte_len: u64, memory: u64) -> Error {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let why = format!(
        "{text}: its members would take {} MiB, more than the memory, which is {} MiB",
        mib(byte_len),
        mib(memory)
    );
    let enough = Setting::Memory(mib(byte_len) << 20);
    let remedies = vec![Remedy::Set { settings: vec![enough], effect: "allows it".to_owned() }];
    Error::Invalid { setting: Setting::Universe, why, remedies, path: None }
}

/// The universe that `text` names for `store`, which takes no more than `memory` bytes.
pub fn universe(text: &str, store: &Store, memory: u64) -> anyhow::Result<Universe> {
    let panel = store.schema()?;
    let path = Path::new(text);
    if path.is_file() {
        let universe = Universe::Rows(vec![read_members(path, panel, memory)?]);
        // What the store has against it is told here, where it is known of which file.
        let members = Request { columns: Some(Vec::new()), universe: Some(universe.clone()), ..Request::default() };
        store.answer(&members).map_err(|error| of_file(error, path))?;
        return Ok(universe);
    }
    if panel.index_of(text).is_some() {
        return Ok(Universe::Column(text.to_owned()));
    }
    let mut meant = near(text, panel);
    // Names of stores and of columns may have dots.
    for (at, _) in text.rmatch_indices('.') {
        let (root, column) = (Path::new(&text[..at]), &text[at + 1..]);
        let Ok(other) = Store::open(root) else { continue };
        if other.schema()?.index_of(column).is_none() {
            let names = near(column, other.schema()?);
            meant.extend(names.iter().map(|name| format!("{}.{name}", root.display())));
            continue;
        }
        if other.id() == store.id() && panel.index_of(column).is_some() {
            return Ok(Universe::Column(column.to_owned()));
        }
        let request = Request {
            columns: Some(Vec::new()),
            universe: Some(Universe::Column(column.to_owned())),
            types: Types { code: CodeType::Dictionary, date: DateType::Day, ..Types::default() },
            ..Request::default()
        };
        let members = other.answer(&request)?;
        let byte_len = members.row_count()? as u64 * ROW_LEN;
        if byte_len > memory {
            return Err(too_many(text, byte_len, memory).into());
        }
        let (date, code) = (&other.schema()?.date_name, &other.schema()?.code.name);
        let as_here = |batch: crate::Result<arrow_array::RecordBatch>| {
            let batch = batch?;
            let column = |name: &String| batch.column_by_name(name).cloned().context("a section lacks its key");
            let columns = [(panel.date_name.as_str(), column(date)?), (panel.code.name.as_str(), column(code)?)];
            Ok(arrow_array::RecordBatch::try_from_iter(columns)?)
        };
        return Ok(Universe::Rows(members.batches().map(as_here).collect::<anyhow::Result<_>>()?));
    }
    let why = match path.exists() {
        true => format!("{text} is no regular file"),
        false => format!("{text} is no file, no column of {}, and no STORE.COLUMN", store.path().display()),
    };
    let remedies = vec![Remedy::Do(match &meant[..] {
        [] => "name a file of dates and codes, a column, or a column of another store behind its path and a dot"
            .to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    })];
    Err(Error::Invalid { setting: Setting::Universe, why, remedies, path: Some(path.into()) }.into())
}

/// A refusal of the rows in the file at `path`, as one of what `--universe` names.
fn of_file(error: Error, path: &Path) -> Error {
    match error {
        Error::Refused { what, remedies, .. } => {
            let why = format!("{}: {what}", path.display());
            Error::Invalid { setting: Setting::Universe, why, remedies, path: Some(path.into()) }
        }
        other => other,
    }
}

/// The columns of `panel` that `name` is likeliest a slip of.
fn near(name: &str, panel: &PanelSchema) -> Vec<String> {
    nearest(name, panel.columns.iter().map(|column| column.name.as_str())).into_iter().map(str::to_owned).collect()
}
