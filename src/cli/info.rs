//! `transect info`

use crate::hint::listed;
use crate::skipped::{Skipped, grouped};
use crate::source::{FilesBy, InputFormat, Pattern, SourceOptions};
use crate::store::{ColumnInfo, SourceInfo, StoreInfo};
use crate::{list, quantity};
use anyhow::Context;
use serde::Serialize;

use super::advice::Speaker;
use super::args::InfoArgs;
use super::exit::Exit;
use super::output::{self, Lines};
use super::skips;
use super::table::{Align, Table};

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    #[serde(flatten)]
    info: &'a StoreInfo,
}

pub fn run(args: &InfoArgs, quiet: bool) -> anyhow::Result<Exit> {
    let opened = args.at.open(&args.store, quiet)?;
    let info = opened.info()?;
    let (store, speaker) = (output::path(&args.store), Speaker::new("info", &args.store));
    if args.json {
        let json = Json { store, info: &info };
        print_sources("info", &json, &speaker)?;
    } else {
        let stale = opened
            .stale_current()?
            .map(|why| speaker.sentence(&why.what(|setting| speaker.option(setting)), &why.remedies()));
        output::print(&format!(
            "{}\n{}{}",
            lines(&store, &info, stale),
            columns(&info.columns),
            skipped(&info, &speaker)
        ))?;
    }
    Ok(Exit::Done)
}

/// Prints a report that has sources as one JSON object, the reasons of their skipped files with the ways out.
pub fn print_sources(command: &'static str, report: &impl Serialize, speaker: &Speaker) -> anyhow::Result<()> {
    let mut json = serde_json::to_value(report).context(UNWRITABLE)?;
    if let Some(sources) = json.get_mut("sources") {
        put_into_words(sources, speaker);
    }
    output::print_json(command, Exit::Done, &json)
}

/// Sources as JSON, the reasons of their skipped files with the ways out.
pub fn told_sources(sources: &[SourceInfo], speaker: &Speaker) -> anyhow::Result<serde_json::Value> {
    let mut json = serde_json::to_value(sources).context(UNWRITABLE)?;
    put_into_words(&mut json, speaker);
    Ok(json)
}

const UNWRITABLE: &str = "cannot write the report as JSON";

fn put_into_words(sources: &mut serde_json::Value, speaker: &Speaker) {
    let sources = sources.as_array_mut().into_iter().flatten();
    sources.for_each(|source| speaker.put_into_words(source, &["skipped"]));
}

/// `stale` says why nobody may write to the store.
fn lines(store: &str, info: &StoreInfo, stale: Option<String>) -> Lines {
    let mut lines = Lines::default();
    lines.add("store", store);
    let live =
        if info.version == info.live_version { String::new() } else { format!("; live is {}", info.live_version) };
    lines.add("version", format!("{}, made {}{live}", info.version, quantity::shown(info.created_ns)));
    let newest = output::counted(info.keep.into(), "version", "versions");
    let age = match info.keep_for_seconds / 3600 {
        0 => String::new(),
        hours if hours % 24 == 0 => {
            format!(", and those replaced in the last {}", output::counted(hours / 24, "day", "days"))
        }
        hours => format!(", and those replaced in the last {}", output::counted(hours, "hour", "hours")),
    };
    lines.add("kept", format!("{}; an update keeps {newest}{age}", output::versions(&info.kept_versions)));
    lines.add("rows", output::count(info.rows));
    lines.add("stocks", output::count(info.stocks));
    let range = match (&info.first_date, &info.last_date) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    lines.add("dates", format!("{}{range}", output::count(info.dates)));
    let segments = output::counted(info.segments, "segment", "segments");
    lines.add(
        "bytes",
        format!(
            "{} in {segments}, {} of catalog",
            output::bytes(info.segment_bytes),
            output::bytes(info.catalog_bytes)
        ),
    );
    lines.add_some("replaced", info.replaced_sections, |count| {
        format!("{count} sections in these segments; this version has newer ones of their dates")
    });
    if let Some(stale) = stale {
        lines.add("stale", stale);
    } else if info.unused_bytes > 0 {
        lines.add(
            "old",
            format!(
                "{} that only older versions use; `transect gc {} --keep 1` frees them",
                output::bytes(info.unused_bytes),
                output::quoted(store)
            ),
        );
    }
    for source in &info.sources {
        add_source(source, info.sources.len() > 1, &mut lines);
    }
    lines
}

fn add_source(source: &SourceInfo, is_one_of_many: bool, lines: &mut Lines) {
    let mut files = output::counted(source.read_files, "file", "files") + " read";
    let gone = source.settings.get("missing").and_then(|missing| missing.as_array()).map_or(0, Vec::len) as u64;
    if gone > 0 {
        files += &format!(", of which {} {} gone since", output::count(gone), if gone == 1 { "is" } else { "are" });
    }
    let name = if is_one_of_many { format!("{}: ", source.name) } else { String::new() };
    match source.settings.get("source").and_then(|source| source.as_str()) {
        Some(directory) => lines.add("source", format!("{name}{directory}, {files}")),
        None => lines.add("source", format!("{name}no folder, its rows were appended")),
    }
    if is_one_of_many {
        let (rows, columns) = (output::counted(source.rows, "row", "rows"), listed(&source.columns));
        lines.add("has", format!("{rows} of {columns}"));
    }
    if let Some(options) = source.settings.get("options") {
        let flags = match serde_json::from_value::<SourceOptions>(options.clone()) {
            Ok(options) => flags(&options),
            // A newer transect's options are still worth a look.
            Err(_) => options.to_string(),
        };
        // How many skipped files are usual is no option of a file, and remembered beside them.
        let usual = source.settings.get("max_skipped").and_then(|usual| usual.as_str().map(str::to_owned));
        let usual = usual.map(|usual| format!("--max-skipped {usual}"));
        let flags: Vec<String> = [flags].into_iter().filter(|flags| !flags.is_empty()).chain(usual).collect();
        lines.add("options", if flags.is_empty() { "defaults".to_owned() } else { flags.join(" ") });
    }
    lines.add_some("left out", source.merged_rows, |_| output::merged(source.merged_rows));
    lines.add_some("dropped", source.dropped_rows, |_| output::dateless(source.dropped_rows));
    let waiting = source.settings.pointer("/rolled/waiting").and_then(|waiting| waiting.as_object());
    let waiting: u64 = waiting.into_iter().flat_map(|files| files.values()).filter_map(serde_json::Value::as_u64).sum();
    lines.add_some("waiting", waiting, |_| output::waiting(waiting));
    lines.add_some("empty", source.empty_files.len() as u64, |_| super::build::empty_files(&source.empty_files));
    let skipped = source.skipped_files.len() as u64;
    lines.add_some("skipped", skipped, |_| format!("{}, named below", output::counted(skipped, "input", "inputs")));
}

/// The options of `build` that differ from the defaults, as they would be typed.
fn flags(options: &SourceOptions) -> String {
    let files_by = options.files_by;
    let (input, pattern) = (options.input, Pattern::usual(files_by, options.input));
    let defaults = SourceOptions { files_by, input, pattern, ..SourceOptions::default() };
    let mut flags: Vec<String> = Vec::new();
    let mut add = |flag: &str, value: &str, differs: bool| {
        if differs {
            flags.push(format!("--{flag} {}", output::quoted(value)));
        }
    };
    add("input", &input.to_string(), input != InputFormat::default());
    add("files-by", &files_by.to_string(), files_by != FilesBy::Stock);
    add("pattern", &options.pattern.to_string(), options.pattern != defaults.pattern);
    add("code-map", options.code_map.as_ref().map_or("", |map| map.path()), options.code_map.is_some());
    add("code-column", options.code_name(), options.code_name() != defaults.code_name());
    add("date-column", &list::written(&options.date_columns), !options.date_columns.is_empty());
    add("date-format", options.date_format.as_deref().unwrap_or_default(), options.date_format.is_some());
    add("date-name", options.date_name.as_deref().unwrap_or_default(), options.date_name.is_some());
    add("epoch", &options.epoch.map(|epoch| epoch.to_string()).unwrap_or_default(), options.epoch.is_some());
    add("zone", options.zone.as_deref().unwrap_or_default(), options.zone.is_some());
    add("naive-zone", options.naive_zone.as_deref().unwrap_or_default(), options.naive_zone.is_some());
    add("roll", &options.roll.map(|roll| roll.to_string()).unwrap_or_default(), options.roll.is_some());
    add("calendar", options.calendar.as_deref().unwrap_or_default(), options.calendar.is_some());
    add("duplicates", &options.duplicates.to_string(), options.duplicates != defaults.duplicates);
    add("bad-dates", &options.bad_dates.to_string(), options.bad_dates != defaults.bad_dates);
    add("key", &list::written(&options.key), !options.key.is_empty());
    add("columns", &list::written(options.columns.as_deref().unwrap_or_default()), options.columns.is_some());
    add("exclude", &list::written(&options.exclude), !options.exclude.is_empty());
    for cast in &options.casts {
        add("cast", &cast.to_string(), true);
    }
    for rename in &options.renames {
        add("rename", &rename.to_string(), true);
    }
    add("null", &list::written(&options.nulls), !options.nulls.is_empty());
    add("prefix", &options.prefix, !options.prefix.is_empty());
    if options.drop_time {
        flags.push("--drop-time".to_owned());
    }
    if options.strict {
        flags.push("--strict".to_owned());
    }
    flags.join(" ")
}

fn columns(columns: &[ColumnInfo]) -> String {
    let mut table =
        Table::new(&[("column", Align::Left), ("type", Align::Left), ("stored", Align::Left), ("nulls", Align::Right)]);
    for column in columns {
        table.push([column.name.clone(), column.logical.clone(), column.stored.clone(), share(column)]);
    }
    table.to_string()
}

/// A share of nulls that says 0 only where there is none, and 100 % only where all are.
fn share(column: &ColumnInfo) -> String {
    let percent = column.null_share * 100.0;
    match column.nulls {
        0 => "-".to_owned(),
        _ if column.null_share >= 1.0 => "100 %".to_owned(),
        _ if percent < 0.1 => "<0.1 %".to_owned(),
        _ if percent > 99.9 => ">99.9 %".to_owned(),
        _ => format!("{percent:.1} %"),
    }
}

fn skipped(info: &StoreInfo, speaker: &Speaker) -> String {
    let skipped: Vec<Skipped> = info.sources.iter().flat_map(|source| source.skipped_files.clone()).collect();
    if skipped.is_empty() {
        return String::new();
    }
    let groups = grouped(&skipped);
    let lines: String =
        groups.iter().map(|group| format!("  {}\n", output::escape(&skips::told(group, speaker)))).collect();
    format!("\nskipped\n{lines}")
}
