//! `transect gc`

use crate::store::{Collect, CollectReport};
use serde::Serialize;

use super::args::GcArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};
use crate::clear_staging;

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    staging: Option<String>,
    dry_run: bool,
    #[serde(flatten)]
    report: &'a CollectReport,
}

pub fn run(args: &GcArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = match (&args.staging, args.older_than) {
        (Some(staging), Some(age)) => clear_staging(staging, &args.store, age, args.dry_run)?,
        _ => collect(args, quiet)?,
    };
    let (store, staging) = (output::path(&args.store), args.staging.as_deref().map(output::path));
    if args.json {
        output::print_json("gc", Exit::Done, &Json { store, staging, dry_run: args.dry_run, report: &report })?;
    } else if !quiet {
        let mut lines = Lines::default();
        match staging {
            Some(staging) => lines.add("staging", staging),
            None => versions(&mut lines, store, args.dry_run, &report),
        }
        let files = output::counted(report.files, "file", "files");
        let freed = if args.dry_run { "would free" } else { "freed" };
        lines.add(freed, format!("{} in {files}", output::bytes(report.bytes)));
        output::print(&lines.to_string())?;
    }
    Ok(Exit::Done)
}

fn collect(args: &GcArgs, quiet: bool) -> anyhow::Result<CollectReport> {
    let watch = Watch::new(quiet)?;
    let mut collect = Collect::new(&args.store)
        .dry_run(args.dry_run)
        .wait(args.waiting.patience())
        .access(args.io.of(&args.store, quiet))
        .observer(&watch);
    if let Some(versions) = args.keep {
        collect = collect.keep(versions);
    }
    if let Some(age) = args.keep_for {
        collect = collect.keep_for(age);
    }
    if let Some(version) = args.live {
        collect = collect.live(version);
    }
    Ok(collect.run()?)
}

fn versions(lines: &mut Lines, store: String, dry_run: bool, report: &CollectReport) {
    lines.add("store", store);
    lines.add(if dry_run { "would remove" } else { "removed" }, output::versions(&report.versions));
    if !report.held.is_empty() {
        lines.add(
            "held",
            format!("{}, open in a reader; the next gc removes what is no longer", output::versions(&report.held)),
        );
    }
    lines.add("kept", output::versions(&report.kept));
}
