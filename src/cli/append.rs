//! `transect append`

use std::path::Path;

use crate::{Append, Error, UpdateReport};

use super::args::AppendArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output;
use super::update::tell;
use super::words::Names;

pub fn run(args: AppendArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        configured(&args, &watch, quiet).run()?
    };
    let report = usable(&args.store, report)?;
    tell("append", &args.store, &report, args.running.json, quiet)
}

/// The append that was asked for.
pub fn configured<'a>(args: &AppendArgs, watch: &'a Watch, quiet: bool) -> Append<'a> {
    let mut append = Append::new(&args.store, args.files.clone())
        .replace(args.replace)
        .allow(args.allowed.allow.clone())
        .dry_run(args.limits.dry_run)
        .wait(args.waiting.patience())
        .access(args.io.of(&args.store, quiet))
        .exclude(Names::all(&args.exclude))
        .memory(args.memory)
        .observer(watch);
    if let Some(name) = &args.source {
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
    append
}

/// What an append reports, unless no file can be used: as of a build, a script must not go on as after a night of which most
/// was read.
pub fn usable(store: &Path, report: UpdateReport) -> crate::Result<UpdateReport> {
    if report.read_files > 0 || report.published || report.skipped.is_empty() {
        return Ok(report);
    }
    let what = format!("no row can be appended to {}", output::path(store));
    Err(Error::Inputs { what, skipped: report.skipped, path: None })
}
