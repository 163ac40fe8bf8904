//! `transect gc`

use crate::store::{Collect, CollectReport};
use serde::Serialize;

use super::args::GcArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    dry_run: bool,
    #[serde(flatten)]
    report: &'a CollectReport,
}

pub fn run(args: &GcArgs, quiet: bool) -> anyhow::Result<Exit> {
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
    let report = collect.run()?;
    let store = output::path(&args.store);
    if args.json {
        output::print_json("gc", Exit::Done, &Json { store, dry_run: args.dry_run, report: &report })?;
    } else if !quiet {
        output::print(&lines(&store, args.dry_run, &report).to_string())?;
    }
    Ok(Exit::Done)
}

fn lines(store: &str, dry_run: bool, report: &CollectReport) -> Lines {
    let mut lines = Lines::default();
    lines.add("store", store);
    lines.add(if dry_run { "would remove" } else { "removed" }, output::versions(&report.versions));
    if !report.held.is_empty() {
        lines.add(
            "held",
            format!("{}, open in a reader; the next gc removes what is no longer", output::versions(&report.held)),
        );
    }
    lines.add("kept", output::versions(&report.kept));
    let files = output::counted(report.files, "file", "files");
    lines.add(if dry_run { "would free" } else { "freed" }, format!("{} in {files}", output::bytes(report.bytes)));
    lines
}
