//! `transect coverage`

use anyhow::Context;
use serde::Serialize;

use crate::Coverage;
use crate::coverage::{ColumnCoverage, DateCoverage, JumpKind, StockCoverage, StockState, Untold, VersionCoverage};
use crate::hint::listed;
use crate::quantity;
use crate::skipped::{Skipped, grouped};
use crate::store::SourceInfo;
use crate::workers::Workers;

use super::advice::Speaker;
use super::args::CoverageArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::info;
use super::output::{self, Lines, count, counted};
use super::skips;
use super::table::{Align, Table};

/// Rows of a table, at most.
const ROWS: usize = 20;

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    #[serde(flatten)]
    coverage: &'a Coverage,
    /// In place of the coverage's own, with ways out as options.
    sources: serde_json::Value,
}

pub fn run(args: &CoverageArgs, quiet: bool) -> anyhow::Result<Exit> {
    let store = args.at.open(&args.store, quiet)?;
    let mut coverage = {
        let watch = Watch::new(quiet)?;
        Coverage::of(&store, &Workers::new(args.running.workers())?.within(args.memory), &watch)?
    };
    let (store, speaker) = (output::path(&args.store), Speaker::new("coverage", &args.store));
    if args.running.json {
        // By themselves: all the rest as a tree of JSON would take many times its size.
        let sources = info::told_sources(&std::mem::take(&mut coverage.sources), &speaker)?;
        output::print_json("coverage", Exit::Done, &Json { store, coverage: &coverage, sources })?;
    } else {
        output::print(&text(&store, &coverage, &speaker)).context("cannot print the tables")?;
    }
    Ok(Exit::Done)
}

fn text(store: &str, coverage: &Coverage, speaker: &Speaker) -> String {
    let parts = [
        lines(store, coverage).to_string(),
        years(coverage),
        unusual(&coverage.dates),
        holes(&coverage.stocks),
        stale(&coverage.stocks),
        columns(coverage),
        jumps(&coverage.columns),
        versions(&coverage.versions),
        sources(&coverage.sources, speaker),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn lines(store: &str, coverage: &Coverage) -> Lines {
    let mut lines = Lines::default();
    lines.add("store", format!("{store}, version {}", coverage.version));
    lines.add("rows", count(coverage.rows));
    if let (Some(first), Some(last)) = (coverage.dates.first(), coverage.dates.last()) {
        lines.add("dates", format!("{}, {} to {}", count(coverage.dates.len() as u64), first.date, last.date));
    }
    let of = |state| coverage.stocks.iter().filter(|stock| stock.state == state).count() as u64;
    let told = |state, one: &str, more: &str| match of(state) {
        1 => format!("1 {one}"),
        number => format!("{} {more}", count(number)),
    };
    let states = [
        told(StockState::Current, "has the last date", "have the last date"),
        told(StockState::Stale, "is stale", "are stale"),
        told(StockState::Left, "has left", "have left"),
    ];
    lines.add("stocks", format!("{}: {}", count(coverage.stocks.len() as u64), states.join(", ")));
    let holes: u64 = coverage.stocks.iter().map(|stock| u64::from(stock.holes)).sum();
    let with = coverage.stocks.iter().filter(|stock| stock.holes > 0).count() as u64;
    lines.add("holes", if holes == 0 { "none".to_owned() } else { format!("{} in {}", count(holes), stocks(with)) });
    lines
}

fn stocks(number: u64) -> String {
    counted(number, "stock", "stocks")
}

/// `heading`, or how many of `all` are shown under it.
fn heading(heading: &str, shown: usize, all: u64) -> String {
    if (shown as u64) < all {
        format!("{heading} ({} of {}; --json has more)", count(shown as u64), count(all))
    } else {
        heading.to_owned()
    }
}

/// The panel by year.
fn years(coverage: &Coverage) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[
        ("year", Align::Left),
        ("dates", right),
        ("stocks a date", right),
        ("new", right),
        ("last", right),
        ("absent", right),
        ("unusual dates", right),
    ]);
    let (first, last) = (coverage.dates.first(), coverage.dates.last());
    for dates in coverage.dates.chunk_by(|a, b| a.date.ymd().0 == b.date.ymd().0) {
        let sum = |of: fn(&DateCoverage) -> u32| dates.iter().map(|date| u64::from(of(date))).sum::<u64>();
        // Who is there on the first date was not new on it, nor has anybody gone whom the last date has.
        let edge = |edge: Option<&DateCoverage>, of: fn(&DateCoverage) -> u32| {
            edge.filter(|edge| dates.iter().any(|date| date.date == edge.date)).map_or(0, |edge| u64::from(of(edge)))
        };
        let least = dates.iter().map(|date| date.stocks).min().unwrap_or(0);
        let most = dates.iter().map(|date| date.stocks).max().unwrap_or(0);
        table.push([
            format!("{:04}", dates[0].date.ymd().0),
            count(dates.len() as u64),
            if least == most {
                count(least.into())
            } else {
                format!("{} to {}", count(least.into()), count(most.into()))
            },
            count(sum(|date| date.first) - edge(first, |date| date.first)),
            count(sum(|date| date.last) - edge(last, |date| date.last)),
            share(sum(|date| date.absent), sum(|date| date.absent + date.stocks)),
            count(dates.iter().filter(|date| date.unusual).count() as u64),
        ]);
    }
    table.under("years", 1)
}

/// A share that is 0 only where there is none, and 100 % only where all are.
fn share(part: u64, of: u64) -> String {
    let percent = 100.0 * part as f64 / of.max(1) as f64;
    match part {
        0 => "-".to_owned(),
        _ if part == of => "100 %".to_owned(),
        _ if percent < 0.1 => "<0.1 %".to_owned(),
        _ if percent > 99.9 => ">99.9 %".to_owned(),
        _ => format!("{percent:.1} %"),
    }
}

/// The newest dates on which an unusual share of stocks is absent.
fn unusual(dates: &[DateCoverage]) -> String {
    let unusual: Vec<&DateCoverage> = dates.iter().filter(|date| date.unusual).collect();
    if unusual.is_empty() {
        return String::new();
    }
    let right = Align::Right;
    let mut table = Table::new(&[("date", Align::Left), ("stocks", right), ("absent", right), ("share", right)]);
    let newest = &unusual[unusual.len().saturating_sub(ROWS)..];
    for date in newest {
        let (absent, of) = (u64::from(date.absent), u64::from(date.absent) + u64::from(date.stocks));
        table.push([date.date.to_string(), count(date.stocks.into()), count(absent), share(absent, of)]);
    }
    table.under(&heading("dates on which unusually many stocks are absent", newest.len(), unusual.len() as u64), 1)
}

/// The stocks with most holes.
fn holes(stocks: &[StockCoverage]) -> String {
    let mut holes: Vec<&StockCoverage> = stocks.iter().filter(|stock| stock.holes > 0).collect();
    if holes.is_empty() {
        return String::new();
    }
    holes.sort_by_key(|stock| std::cmp::Reverse(stock.holes));
    let all = holes.len();
    holes.truncate(ROWS / 2);
    let right = Align::Right;
    let mut table = Table::new(&[
        ("stock", Align::Left),
        ("first", Align::Left),
        ("last", Align::Left),
        ("dates", right),
        ("holes", right),
        ("share", right),
    ]);
    for stock in &holes {
        let (dates, holes) = (u64::from(stock.dates), u64::from(stock.holes));
        let (first, last) = (stock.first.to_string(), stock.last.to_string());
        table.push([stock.code.clone(), first, last, count(dates), count(holes), share(holes, dates + holes)]);
    }
    table.under(&heading("stocks with most holes", holes.len(), all as u64), 1)
}

/// The stale stocks.
fn stale(stocks: &[StockCoverage]) -> String {
    let stale: Vec<String> = stocks
        .iter()
        .filter(|stock| stock.state == StockState::Stale)
        .map(|stock| format!("{} ({})", stock.code, stock.last))
        .collect();
    if stale.is_empty() {
        return String::new();
    }
    format!("stale stocks, and their last dates\n  {}\n", output::escape(&listed(&stale)))
}

/// The columns: what they lack, and how they are distributed in the last year in which they have numbers.
fn columns(coverage: &Coverage) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[
        ("column", Align::Left),
        ("type", Align::Left),
        ("nulls", right),
        ("NaNs", right),
        ("year", right),
        ("zeros", right),
        ("1 %", right),
        ("median", right),
        ("99 %", right),
        ("jumps", right),
    ]);
    for column in &coverage.columns {
        let mut row = vec![
            column.name.clone(),
            column.data_type.clone(),
            share(column.nulls, coverage.rows),
            share(column.nans, coverage.rows),
        ];
        match column.years.iter().rev().find_map(|year| Some((year, year.quantiles?))) {
            Some((year, quantiles)) => {
                row.extend([format!("{:04}", year.year), share(year.zeros, year.values)]);
                row.extend([quantiles[0], quantiles[3], quantiles[6]].map(short));
            }
            None => row.extend([const { String::new() }; 5]),
        }
        row.push(if column.jump_count == 0 { "-".to_owned() } else { count(column.jump_count) });
        table.push(row);
    }
    table.under("columns, and their numbers in the last year that has some", 1)
}

/// A number to four digits.
fn short(number: f64) -> String {
    let magnitude = number.abs();
    if number == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e7).contains(&magnitude) {
        let digits = (3 - magnitude.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{number:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{number:.3e}")
    }
}

/// The newest jumps of all columns.
fn jumps(columns: &[ColumnCoverage]) -> String {
    let mut jumps: Vec<_> =
        columns.iter().flat_map(|column| column.jumps.iter().map(move |jump| (column, jump))).collect();
    if jumps.is_empty() {
        return String::new();
    }
    jumps.sort_by_key(|(_, jump)| jump.date);
    let newest = &jumps[jumps.len().saturating_sub(ROWS)..];
    let mut table = Table::new(&[
        ("date", Align::Left),
        ("column", Align::Left),
        ("what", Align::Left),
        ("before", Align::Right),
        ("after", Align::Right),
    ]);
    for (column, jump) in newest {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let (what, [before, after]) = match jump.kind {
            JumpKind::Scale => ("median size", [jump.before, jump.after].map(short)),
            JumpKind::Zeros => ("zeros", [jump.before, jump.after].map(percent)),
            JumpKind::Missing => ("rows without a number", [jump.before, jump.after].map(percent)),
        };
        table.push([jump.date.to_string(), column.name.clone(), what.to_owned(), before, after]);
    }
    let all = columns.iter().map(|column| column.jump_count).sum();
    table.under(&heading("jumps from one date to the next", newest.len(), all), 2)
}

/// The newest versions, and what each changed.
fn versions(versions: &[VersionCoverage]) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[
        ("version", right),
        ("made", Align::Left),
        ("command", Align::Left),
        ("added", right),
        ("restated", right),
        ("removed", right),
        ("filled", right),
        ("dirty dates", right),
        ("most restated or filled", Align::Left),
    ]);
    let newest = &versions[versions.len().saturating_sub(ROWS)..];
    for version in newest {
        let entry = &version.entry;
        table.push([
            entry.version.to_string(),
            quantity::shown(entry.created_ns),
            entry.command.clone(),
            count(entry.added),
            count(entry.restated),
            count(entry.removed),
            count(entry.filled),
            dirty(version),
            most(version),
        ]);
    }
    table.under(&heading("versions", newest.len(), versions.len() as u64), 2)
}

/// How many dates a version dirtied, and from when to when.
fn dirty(version: &VersionCoverage) -> String {
    let number = count(version.entry.dirty_dates);
    match version.dirty.as_deref() {
        Some([first, .., last]) => format!("{number}, {first} to {last}"),
        Some([only]) => format!("{number}, {only}"),
        _ => number,
    }
}

/// The column and the stock that a version restated most, or filled where it restated nothing; or why that is not told.
fn most(version: &VersionCoverage) -> String {
    let Some(change) = &version.change else {
        return match version.untold {
            Some(Untold::Gone) => "no longer known",
            _ => "",
        }
        .to_owned();
    };
    let told = |name: &str, restated, filled| match (restated, filled) {
        (0, 0) => None,
        (0, filled) => Some(format!("{name} ({} filled)", count(filled))),
        (restated, _) => Some(format!("{name} ({})", count(restated))),
    };
    let column = change.columns.first().and_then(|column| told(&column.column, column.restated, column.filled));
    let stock = change.stocks.first().and_then(|stock| told(&stock.stock, stock.restated, stock.filled));
    column.into_iter().chain(stock).collect::<Vec<_>>().join(", ")
}

/// The sources, and their skipped files with reasons.
fn sources(sources: &[SourceInfo], speaker: &Speaker) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[
        ("source", Align::Left),
        ("rows", right),
        ("columns", right),
        ("files read", right),
        ("empty", right),
        ("skipped", right),
    ]);
    for source in sources {
        table.push([
            source.name.clone(),
            count(source.rows),
            count(source.columns.len() as u64),
            count(source.read_files),
            count(source.empty_files.len() as u64),
            count(source.skipped_files.len() as u64),
        ]);
    }
    let skipped: Vec<Skipped> = sources.iter().flat_map(|source| source.skipped_files.clone()).collect();
    let groups = grouped(&skipped);
    let lines: String =
        groups.iter().map(|group| format!("  {}\n", output::escape(&skips::told(group, speaker)))).collect();
    let heading = if lines.is_empty() { "" } else { "skipped\n" };
    table.under("sources", 1) + heading + &lines
}
