//! `transect synth`

use std::time::Instant;

use crate::synth::{SynthOptions, SynthReport, synth};
use crate::workers::Workers;
use serde::Serialize;

use super::args::SynthArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};

#[derive(Serialize)]
struct Json {
    dir: String,
    stocks: usize,
    dates: usize,
    seed: u64,
    preset: String,
    #[serde(flatten)]
    report: SynthReport,
    seconds: f64,
}

pub fn run(args: &SynthArgs, quiet: bool) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let options = SynthOptions { stocks: args.stocks, dates: args.dates, seed: args.seed, preset: args.preset };
    let report = {
        let watch = Watch::new(quiet)?;
        synth(&args.dir, &options, &Workers::new(args.running.workers())?, &watch)?
    };
    let seconds = started.elapsed().as_secs_f64();

    let dir = output::path(&args.dir);
    if args.running.json {
        let SynthOptions { stocks, dates, seed, preset } = options;
        let json = Json { dir, stocks, dates, seed, preset: preset.to_string(), report, seconds };
        output::print_json("synth", Exit::Done, &json)?;
    } else if !quiet {
        let mut lines = Lines::default();
        lines.add("panel", format!("{dir}, {} with seed {}", args.preset, args.seed));
        lines.add("files", output::count(report.files));
        lines.add("rows", output::count(report.rows));
        lines.add("bytes", output::bytes(report.bytes));
        lines.add("time", output::pace(seconds, report.rows));
        output::print(&lines.to_string())?;
    }
    Ok(Exit::Done)
}
