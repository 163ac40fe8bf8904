//! `transect demo`: the whole way once, on a made-up panel.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::storage;
use crate::synth::{Preset, SynthOptions, SynthReport, synth};
use crate::workers::Workers;
use crate::{Build, BuildReport, Store, Transpose, TransposeReport};
use anyhow::{Context, bail};
use serde::Serialize;

use super::advice::Speaker;
use super::args::DemoArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output;
use super::verify::{self, Verified};

const STOCKS: usize = 300;
const DATES: usize = 500;

/// Where everything goes.
#[derive(Serialize)]
struct Places {
    dir: PathBuf,
    folder: PathBuf,
    store: PathBuf,
    out: PathBuf,
}

#[derive(Serialize)]
struct Json<'a> {
    places: &'a Places,
    synth: SynthReport,
    synth_seconds: f64,
    build: BuildReport,
    transpose: TransposeReport,
    verify: Verified,
}

pub fn run(args: DemoArgs, quiet: bool) -> anyhow::Result<Exit> {
    let dir = match args.dir {
        Some(dir) => take(dir)?,
        None => fresh()?,
    };
    let places = Places { folder: dir.join("features"), store: dir.join("panel.store"), out: dir.join("by_date"), dir };
    let speaks = !quiet && !args.json;
    let tell = |what: &str, seconds: f64, done: String| {
        if speaks { output::print(&format!("{what:<10} {:>8}  {done}\n", output::seconds(seconds))) } else { Ok(()) }
    };
    if speaks {
        output::print(&format!("in {}\n\n", output::path(&places.dir)))?;
    }
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (folder, stored, out) = (name(&places.folder), name(&places.store), name(&places.out));

    let watch = Watch::new(quiet)?;
    let workers = Workers::new(None)?;
    let started = Instant::now();
    let options = SynthOptions { stocks: STOCKS, dates: DATES, seed: 0, preset: Preset::Barra };
    let made = synth(&places.folder, &options, &workers, &watch)?;
    let synth_seconds = started.elapsed().as_secs_f64();
    tell(
        "synth",
        synth_seconds,
        format!(
            "{} rows of {STOCKS} stocks on {DATES} dates, in {} files of {folder}/, {}",
            output::count(made.rows),
            output::count(made.files),
            output::bytes(made.bytes)
        ),
    )?;

    let built = Build::new(&places.folder, &places.store).observer(&watch).run()?;
    let rate = output::rounded(built.rows as f64 / built.seconds);
    tell("build", built.seconds, format!("{stored}, {}; {rate} rows/s", output::bytes(built.store_bytes)))?;

    let store = Store::open(&places.store)?;
    let turned = Transpose::new(&store, &places.out).observer(&watch).run()?;
    let rate = output::rounded(turned.rows as f64 / turned.seconds);
    tell(
        "transpose",
        turned.seconds,
        format!("{} files of {out}/, {}; {rate} rows/s", output::count(turned.written), output::bytes(turned.bytes)),
    )?;

    let verified = verify::verify(&store, false, Some(&places.folder), Some(&places.out), &workers, &watch)?;
    drop(watch);
    let speaker = Speaker::new("demo", &places.store);
    verify::say_damage(&verified, &places.store, Some(&places.folder), Some(&places.out), &speaker);
    let exit = if verified.ok { Exit::Done } else { Exit::Damaged };
    let verdict = if verified.ok { "every row is the same in input, store and output" } else { "differences found" };
    tell("verify", verified.seconds, verdict.to_owned())?;

    if args.json {
        let json =
            Json { places: &places, synth: made, synth_seconds, build: built, transpose: turned, verify: verified };
        output::print_json("demo", exit, &json)?;
    } else if !quiet {
        output::print(&next(&places, &store)?)?;
    }
    Ok(exit)
}

/// What to try next, as commands to copy.
fn next(places: &Places, store: &Store) -> anyhow::Result<String> {
    let word = |path: &Path| output::quoted(&path.to_string_lossy());
    let transect = std::env::args_os().next().map_or_else(|| "transect".to_owned(), |name| word(Path::new(&name)));
    let (panel, out) = (word(&places.store), word(&places.out));
    let &date = store.dates()?.last().context("the store has no dates")?;
    let stocks = store.stocks()?;
    let stock = stocks.first().context("the store has no stocks")?;
    let file = word(&places.out.join(format!("{date}.parquet")));
    let styles = word(&places.dir.join("styles"));
    Ok(format!(
        "
What to try next:
  {transect} show {panel} --date {date}
  {transect} show {panel} --stock {stock} --columns size,beta
  {transect} info {panel}
  {transect} transpose {panel} {styles} --columns size,beta --compression zstd
  {transect} transpose {panel} {out} --from {date}
  python3 -c 'import sys, pandas; print(pandas.read_parquet(sys.argv[1]))' {file}
  rm -r {}
",
        word(&places.dir)
    ))
}

/// The directory that was named, if nothing is in it.
fn take(dir: PathBuf) -> anyhow::Result<PathBuf> {
    match storage::list(&dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("{} is not empty; name a new directory", dir.display());
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    }
    Ok(dir)
}

/// A new directory among the temporary files.
fn fresh() -> anyhow::Result<PathBuf> {
    let temporary = std::env::temp_dir();
    for number in 1.. {
        let dir = temporary.join(format!("transect-demo-{number}"));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot create {}", dir.display())),
        }
    }
    bail!("{} has no room for one more demo", temporary.display())
}
