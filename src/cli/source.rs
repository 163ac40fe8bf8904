//! `transect source`

use std::path::Path;

use serde::Serialize;

use super::advice::Speaker;
use super::args::{AddArgs, Changing, ListArgs, SetArgs, SourceCommand};
use super::bar::Watch;
use super::build::options;
use super::exit::Exit;
use super::info::print_sources;
use super::output;
use super::table::{Align, Table};
use super::update::tell;
use super::words::Assigned;
use crate::hint::listed;
use crate::store::SourceInfo;
use crate::{AddSource, ChangeSource, Update};

pub fn run(command: SourceCommand, quiet: bool) -> anyhow::Result<Exit> {
    match command {
        SourceCommand::Add(args) => add(&args, quiet),
        SourceCommand::List(args) => list(&args, quiet),
        SourceCommand::Set(args) => set(*args, quiet),
        SourceCommand::Rename(args) => {
            let change = ChangeSource::rename(&args.store, args.name, args.other);
            run_change("source rename", change, &args.store, &args.changing, quiet)
        }
        SourceCommand::Drop(args) => {
            run_change("source drop", ChangeSource::drop(&args.store, args.name), &args.store, &args.changing, quiet)
        }
    }
}

fn run_change(
    command: &'static str,
    change: ChangeSource,
    store: &Path,
    changing: &Changing,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        let mut change = change
            .dry_run(changing.dry_run)
            .wait(changing.waiting.patience())
            .access(changing.io.of(store, quiet))
            .observer(&watch);
        if let Some(count) = changing.running.workers() {
            change = change.workers(count);
        }
        change.run()?
    };
    tell(command, store, &report, changing.running.json, quiet)
}

fn add(args: &AddArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        configured(args, &watch, quiet).run()?
    };
    tell("source add", &args.store, &report, args.running.json, quiet)
}

/// The addition that was typed.
pub fn configured<'a>(args: &AddArgs, watch: &'a Watch, quiet: bool) -> AddSource<'a> {
    let mut add = AddSource::new(&args.store, &args.directories)
        .options(options(&args.reading))
        .prefix(&args.prefix)
        .join(args.join)
        .allow(args.allowed.allow.iter().copied())
        .dry_run(args.dry_run)
        .wait(args.waiting.patience())
        .access(args.io.of(&args.store, quiet))
        .memory(args.memory)
        .observer(watch);
    if let Some(name) = &args.name {
        add = add.source_name(name);
    }
    if let Some(most) = args.max_skipped {
        add = add.max_skipped(most);
    }
    if let Some(versions) = args.keeping.keep {
        add = add.keep(versions);
    }
    if let Some(age) = args.keeping.keep_for {
        add = add.keep_for(age);
    }
    if let Some(count) = args.running.workers() {
        add = add.workers(count);
    }
    add
}

fn set(args: SetArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        let mut update = Update::new(&args.store)
            .dry_run(args.limits.dry_run)
            .wait(args.waiting.patience())
            .access(args.io.of(&args.store, quiet))
            .allow(args.allowed.allow)
            .memory(args.memory)
            .observer(&watch);
        for Assigned { source, assignment } in args.assignments {
            update = update.set(source, assignment);
        }
        if let Some(most) = args.limits.max_restated() {
            update = update.max_restated(most);
        }
        if let Some(versions) = args.limits.keeping.keep {
            update = update.keep(versions);
        }
        if let Some(age) = args.limits.keeping.keep_for {
            update = update.keep_for(age);
        }
        if let Some(count) = args.running.workers() {
            update = update.workers(count);
        }
        update.run()?
    };
    tell("source set", &args.store, &report, args.running.json, quiet)
}

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    sources: &'a [SourceInfo],
}

fn list(args: &ListArgs, quiet: bool) -> anyhow::Result<Exit> {
    let info = args.io.open(&args.store, quiet)?.info()?;
    if args.json {
        let json = Json { store: output::path(&args.store), sources: &info.sources };
        print_sources("source list", &json, &Speaker::new("source list", &args.store))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("source", Align::Left),
        ("rows", Align::Right),
        ("files", Align::Right),
        ("columns", Align::Left),
        ("directory", Align::Left),
    ]);
    for source in &info.sources {
        let directory = source.settings.get("source").and_then(|directory| directory.as_str()).unwrap_or_default();
        table.push([
            source.name.clone(),
            output::count(source.rows),
            output::count(source.read_files),
            listed(&source.columns),
            directory.to_owned(),
        ]);
    }
    output::print(&table.to_string())?;
    Ok(Exit::Done)
}
