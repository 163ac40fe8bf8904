//! `transect append`

use crate::{Append, Error};

use super::args::AppendArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output;
use super::update::tell;
use super::words::Names;

pub fn run(args: AppendArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        let mut append = Append::new(&args.store, args.files).replace(args.replace).allow(args.allowed.allow);
        append = append
            .dry_run(args.limits.dry_run)
            .wait(args.waiting.patience())
            .access(args.io.of(&args.store, quiet))
            .exclude(Names::all(&args.exclude))
            .memory(args.memory)
            .observer(&watch);
        if let Some(name) = args.source {
            append = append.source_name(name);
        }
        if let Some(most) = args.limits.max_restated() {
            append = append.max_restated(most);
        }
        if let Some(versions) = args.limits.keeping.keep {
            append = append.keep(versions);
        }
        if let Some(age) = args.limits.keeping.keep_for {
            append = append.keep_for(age);
        }
        if let Some(count) = args.running.workers() {
            append = append.workers(count);
        }
        append.run()?
    };
    // As of a build without a usable file: a script must not go on as after a night of which most was read.
    if report.read_files == 0 && !report.published && !report.skipped.is_empty() {
        let what = format!("no row can be appended to {}", output::path(&args.store));
        return Err(Error::Inputs { what, skipped: report.skipped, path: None }.into());
    }
    tell("append", &args.store, &report, args.running.json, quiet)
}
