//! `transect restore`

use super::args::RestoreArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::update::tell;
use crate::Restore;

pub fn run(args: &RestoreArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        let mut restore = Restore::new(&args.store, args.version)
            .dry_run(args.limits.dry_run)
            .wait(args.waiting.patience())
            .access(args.io.of(&args.store, quiet))
            .allow(args.allowed.allow.iter().copied())
            .observer(&watch);
        if let Some(most) = args.limits.max_restated() {
            restore = restore.max_restated(most);
        }
        if let Some(versions) = args.limits.keeping.keep {
            restore = restore.keep(versions);
        }
        if let Some(age) = args.limits.keeping.keep_for {
            restore = restore.keep_for(age);
        }
        if let Some(count) = args.running.workers() {
            restore = restore.workers(count);
        }
        restore.run()?
    };
    tell("restore", &args.store, &report, args.running.json, quiet)
}
