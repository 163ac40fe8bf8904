//! A source whose options change: what becomes of its columns before any file is read.

use std::collections::{BTreeSet, HashSet};

use super::revise::changes::Numbers;
use super::update_report::UpdateReport;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::source::{Becomes, OptionChanges, SourceOptions};
use crate::store::{Store, StoreWriter};

/// What other options make of a store, seen before it is written.
pub(super) struct Reshaped {
    /// The store with these columns; `None` where all are as they were.
    store: Option<Store>,
    /// Whether files must be read again for it.
    pub(super) rereads: bool,
    renamed: Vec<String>,
    lost: Vec<String>,
    /// The dates on which the source has rows, where columns go.
    dates: BTreeSet<Date>,
    /// Likewise the stocks of which it ever had one.
    pub(super) stocks: Numbers,
}

impl Reshaped {
    /// What `whole` is where the source at `place` is read by the second of these options, and no longer by the first.
    ///
    /// # Errors
    /// When a column would have the name of another, or none were left; when the store is damaged.
    pub(super) fn new(
        whole: &Store,
        place: usize,
        options: (&SourceOptions, &SourceOptions),
        writer: &StoreWriter,
    ) -> Result<Reshaped> {
        Reshaped::of(whole, place, options, true, writer)
    }

    /// As [`new`](Self::new), of a source without files: what its columns were called does not matter any more.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn of_rows(
        whole: &Store,
        place: usize,
        options: (&SourceOptions, &SourceOptions),
        writer: &StoreWriter,
    ) -> Result<Reshaped> {
        Reshaped::of(whole, place, options, false, writer)
    }

    fn of(
        whole: &Store,
        place: usize,
        (then, now): (&SourceOptions, &SourceOptions),
        has_files: bool,
        writer: &StoreWriter,
    ) -> Result<Reshaped> {
        let mut reshaped = Reshaped {
            store: None,
            rereads: !then.reads_as(now),
            renamed: Vec::new(),
            lost: Vec::new(),
            dates: BTreeSet::new(),
            stocks: Numbers::default(),
        };
        if then == now {
            return Ok(reshaped);
        }
        let panel = whole.schema()?;
        let check = |name: &str| {
            let what = match name {
                name if name == panel.date_name => "date",
                name if name == panel.code.name => "code",
                _ => return Ok(()),
            };
            Err(Error::refused(format!("{name} is the store's column of the {what}"), "choose another name"))
        };
        let renamed: HashSet<(&str, &str)> = then.renames.iter().map(|rename| (&*rename.from, &*rename.to)).collect();
        let renames = now.renames.iter().filter(|rename| !renamed.contains(&(&*rename.from, &*rename.to)));
        renames.into_iter().try_for_each(|rename| check(&rename.to))?;
        let mut snapshot = whole.snapshot(writer.version(), writer.commit())?;
        let id = snapshot.sources[place].id;
        let of_others = snapshot.columns.iter().filter(|column| column.source != id);
        let taken: HashSet<String> = of_others.map(|column| column.name.clone()).collect();
        let own: BTreeSet<String> =
            snapshot.columns.iter().filter(|column| column.source == id).map(|column| column.name.clone()).collect();
        let mut goes = HashSet::new();
        for column in snapshot.columns.iter_mut().filter(|column| column.source == id) {
            let (becomes, is_torn) = then.column_under(now, &column.name);
            reshaped.rereads |= is_torn && has_files;
            match becomes {
                Becomes::Named(name) if name == column.name => {}
                Becomes::Named(name) if name == panel.date_name || name == panel.code.name => check(&name)?,
                Becomes::Named(name) if taken.contains(&name) => {
                    let what = format!("{name} is a column of the store already, and not of this source");
                    return Err(Error::refused(what, "choose another name"));
                }
                // Files that have either are to give one column: they are read again.
                Becomes::Named(name) if has_files && own.contains(&name) => {
                    reshaped.rereads = true;
                    goes.insert(column.id);
                }
                Becomes::Named(name) => {
                    reshaped.renamed.push(format!("{} -> {name}", column.name));
                    column.name = name;
                }
                Becomes::Gone => _ = goes.insert(column.id),
            }
        }
        if reshaped.renamed.is_empty() && goes.is_empty() {
            return Ok(reshaped);
        }
        let lost = snapshot.columns.iter().filter(|column| goes.contains(&column.id));
        reshaped.lost = lost.map(|column| column.name.clone()).collect();
        snapshot.columns.retain(|column| !goes.contains(&column.id));
        let mut names = HashSet::new();
        if let Some(twice) = snapshot.columns.iter().find(|column| !names.insert(&*column.name)) {
            let what = format!("two columns of the source would be called {}", twice.name);
            return Err(Error::refused(what, "choose another name"));
        }
        if !reshaped.rereads && snapshot.columns.iter().all(|column| column.source != id) {
            return Err(without_columns(&snapshot.sources[place].name));
        }
        if !goes.is_empty() {
            let own = whole.of_source(place);
            reshaped.dates = own.dates()?.iter().copied().collect();
            own.stock_changes()?.stocks().for_each(|stock| reshaped.stocks.add(stock));
            for piece in snapshot.pieces.iter_mut().filter(|piece| reshaped.dates.contains(&piece.date)) {
                piece.changed = snapshot.version;
            }
        }
        reshaped.store = Some(whole.seen_as(&snapshot)?);
        Ok(reshaped)
    }

    /// The store with these columns, which is `whole` where all are as they were.
    pub(super) fn store<'s>(&'s self, whole: &'s Store) -> &'s Store {
        self.store.as_ref().unwrap_or(whole)
    }

    /// Adds it to the report of what follows.
    pub(super) fn describe(&self, report: &mut UpdateReport) {
        report.describe_reshaped(self.renamed.clone(), self.lost.clone(), &self.dates);
    }
}

/// The refusal to leave the source `name` no column.
pub(super) fn without_columns(name: &str) -> Error {
    let what = format!("the source {name:?} would have no column left");
    Error::refused(what, "leave it one, or drop the source")
}

/// What the second of these options decides anew: columns to leave out, and types.
pub(super) fn decided(then: &SourceOptions, now: &SourceOptions) -> OptionChanges {
    OptionChanges {
        exclude: now.exclude.iter().filter(|name| !then.exclude.contains(name)).cloned().collect(),
        casts: now.casts.iter().filter(|cast| !then.casts.contains(cast)).cloned().collect(),
        ..OptionChanges::default()
    }
}
