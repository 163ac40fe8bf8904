//! `transect transpose`

use std::collections::BTreeMap;

use crate::panel::PanelSchema;
use crate::sink::{Compression, Format, Partition};
use crate::{Selection, Shape, Store, Transpose, TransposeReport};
use anyhow::bail;
use serde::Serialize;

use super::args::TransposeArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};
use super::universe::universe;
use super::words::Names;

#[derive(Serialize)]
pub(super) struct Json<'a> {
    pub(super) store: String,
    pub(super) out: String,
    #[serde(flatten)]
    pub(super) report: &'a TransposeReport,
}

pub fn run(args: TransposeArgs, quiet: bool) -> anyhow::Result<Exit> {
    let store = open("transpose", &args, quiet)?;
    let report = {
        let watch = Watch::new(quiet)?;
        configured("transpose", &args, &store, &watch)?.run()?
    };
    let out = output::path(&args.out);
    if args.running.json {
        let json = Json { store: output::path(&args.store), out, report: &report };
        output::print_json("transpose", Exit::Done, &json)?;
    } else if !quiet {
        let by = if args.matrix.is_some() { Partition::Matrix } else { args.by };
        output::print(&lines(&out, nouns(by), &report).to_string())?;
    }
    Ok(Exit::Done)
}

/// The store that is written, once what was typed to `command` is known to make sense.
pub(super) fn open(command: &'static str, args: &TransposeArgs, quiet: bool) -> anyhow::Result<Store> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        return Err(super::usage(command, format_args!("--from {from} is later than --to {to}")));
    }
    if args.format != Format::Parquet && args.compression.is_some_and(|codec| codec != Compression::None) {
        return Err(super::usage(command, "--compression is for Parquet; other files are not compressed"));
    }
    Ok(args.at.open(&args.store, quiet)?)
}

/// The transpose that was asked for.
pub(super) fn configured<'a>(
    command: &'static str,
    args: &TransposeArgs,
    store: &'a Store,
    watch: &'a Watch,
) -> anyhow::Result<Transpose<'a>> {
    let shape = Shape { at: key_values(command, &args.key_values, store.schema()?)?, ..shape(args, store)? };
    let universe = args.universe.as_deref().map(|text| universe(text, store, args.memory)).transpose()?;
    let dates = args.dates.as_ref().map(|dates| dates.read("--dates", "date")).transpose()?;
    let ignore_unknown = args.ignore_unknown;
    let selection = Selection { from: args.from, to: args.to, dates, last: args.last, ignore_unknown };
    check_range(&selection, store)?;
    let mut transpose = Transpose::new(store, &args.out)
        .shape(shape)
        .selection(selection)
        .force(args.force)
        .check_content(args.check_content)
        .memory(args.memory)
        .wait(args.waiting.patience())
        .observer(watch);
    if let Some(universe) = universe {
        transpose = transpose.universe(universe);
    }
    if let Some(count) = args.running.workers() {
        transpose = transpose.workers(count);
    }
    Ok(transpose)
}

fn shape(args: &TransposeArgs, store: &Store) -> anyhow::Result<Shape> {
    let panel = store.schema()?;
    // Every file has the code and the date; to name them among the columns is no mistake.
    let is_key = |name: &String| *name == panel.code.name || *name == panel.date_name;
    let named = args.columns.as_deref().map(Names::all);
    let columns = named.map(|names| names.into_iter().filter(|name| !is_key(name)).collect());
    let stocks = args.stocks.as_ref().map(|stocks| stocks.read("--stocks", "code")).transpose()?;
    Ok(Shape {
        by: if args.matrix.is_some() { Partition::Matrix } else { args.by },
        format: args.format,
        compression: args.compression.unwrap_or_default(),
        name: args.name.clone(),
        columns: args.matrix.as_deref().map(Names::all).or(columns),
        exclude: Names::all(&args.exclude),
        date: if args.no_date { Some(false) } else { args.keep_date.then_some(true) },
        stocks,
        ignore_unknown: args.ignore_unknown,
        ..Shape::default()
    })
}

/// The values of key columns, by their names, which need not be written where there is one.
fn key_values(
    command: &'static str,
    typed: &[String],
    panel: &PanelSchema,
) -> anyhow::Result<BTreeMap<String, String>> {
    let keys: Vec<&str> = panel.key_names().collect();
    let mut values = BTreeMap::new();
    for text in typed {
        let wrong = |what: String| super::usage(command, format_args!("--at {text}: {what}"));
        let named = text.split_once('=').filter(|(name, _)| keys.contains(name));
        let (name, value) = match (named, &keys[..]) {
            (Some(named), _) => named,
            (None, [only]) => (*only, text.as_str()),
            (None, []) => {
                return Err(wrong("the panel has one row a stock and date, and no further key column".to_owned()));
            }
            (None, _) => return Err(wrong(format!("write COL=VALUE; the key columns are {}", keys.join(", ")))),
        };
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(wrong(format!("a matrix is of one value of {name}")));
        }
    }
    Ok(values)
}

/// A range that holds no date of the store is a slip of the pen, and writing nothing would hide it.
pub(super) fn check_range(selection: &Selection, store: &Store) -> anyhow::Result<()> {
    let dates = store.dates()?;
    let is_in = |from: crate::Date, to: crate::Date| dates.iter().any(|&date| date >= from && date <= to);
    let (from, to) = (selection.from, selection.to);
    if is_in(from.unwrap_or(crate::Date::MIN), to.unwrap_or(crate::Date::MAX)) {
        return Ok(());
    }
    let range = match (from, to) {
        (Some(from), Some(to)) => format!("from {from} to {to}"),
        (Some(from), None) => format!("from {from} on"),
        (None, Some(to)) => format!("up to {to}"),
        (None, None) => return Ok(()),
    };
    let held = match dates {
        [first, .., last] => format!("its dates run from {first} to {last}"),
        [only] => format!("its only date is {only}"),
        [] => "it has none".to_owned(),
    };
    bail!("{} has no date {range}; {held}", store.path().display())
}

/// What was done to `out`, of files that are each of one of `of`.
pub(super) fn lines(out: &str, of: [&str; 2], report: &TransposeReport) -> Lines {
    let mut lines = Lines::default();
    lines.add("output", format!("{out}, of version {}", report.version));
    lines.add("files", files(report));
    if report.written > 0 {
        lines.add("rows", output::count(report.rows));
        lines.add("columns", output::count(report.columns));
        lines.add("bytes", output::bytes(report.bytes));
        lines.add("time", output::pace(report.seconds, report.rows));
    }
    lines.add_some("taken over", report.taken_over, |count| {
        format!("{count} files that no ledger listed, and that are what transect writes")
    });
    lines.add_some("removed", report.removed_files, |_| {
        format!("{} of earlier runs", output::counted(report.removed_files, "file", "files"))
    });
    lines.add_some("left", report.left, |count| {
        format!("{count} files that are out of date, but that somebody has changed since transect wrote them")
    });
    lines.add_some("no rows", report.without_rows, |count| {
        let [one, several] = of;
        match report.without_rows {
            1 => format!("1 {one} has none of what was chosen, and no file"),
            _ => format!("{count} {several} have none of what was chosen, and no file"),
        }
    });
    for note in &report.notes {
        lines.add("note", note);
    }
    lines
}

/// What files are of.
fn nouns(by: Partition) -> [&'static str; 2] {
    match by {
        Partition::Stock => ["stock", "stocks"],
        Partition::Date => ["date", "dates"],
        _ => ["file", "files"],
    }
}

fn files(report: &TransposeReport) -> String {
    let unchanged = |verb: [&str; 2]| {
        let verb = if report.unchanged_files == 1 { verb[0] } else { verb[1] };
        format!("{} {verb} current", output::counted(report.unchanged_files, "file", "files"))
    };
    match (report.written, report.unchanged_files) {
        (0, 0) => "none".to_owned(),
        (0, _) => format!("nothing to do: {}", unchanged(["is", "are"])),
        (written, 0) => format!("{} written", output::count(written)),
        (written, _) => format!("{} written; {}", output::count(written), unchanged(["was", "were"])),
    }
}
