//! `transect report`

use serde::Serialize;

use crate::{Page, PageReport};

use super::args::ReportArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    out: String,
    #[serde(flatten)]
    report: &'a PageReport,
}

pub fn run(args: &ReportArgs, quiet: bool) -> anyhow::Result<Exit> {
    let store = args.at.open(&args.store, quiet)?;
    let report = {
        let watch = Watch::new(quiet)?;
        let mut page = Page::new(&store, &args.out).force(args.force).memory(args.memory).observer(&watch);
        if let Some(count) = args.running.workers() {
            page = page.workers(count);
        }
        page.run()?
    };
    let out = output::path(&args.out);
    if args.running.json {
        let json = Json { store: output::path(&args.store), out, report: &report };
        output::print_json("report", Exit::Done, &json)?;
    } else if !quiet {
        let mut lines = Lines::default();
        lines.add("page", format!("{out}, of version {}", report.version));
        lines.add("bytes", output::bytes(report.bytes));
        lines.add("time", output::pace(report.seconds, report.rows));
        output::print(&lines.to_string())?;
    }
    Ok(Exit::Done)
}
