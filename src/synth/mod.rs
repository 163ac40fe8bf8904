//! A seeded panel of per-stock Parquet files, to try and to measure with.
//!
//! What a stock's file holds is a function of the options and the stock's place alone, so neither the worker count nor
//! the other stocks change a byte of it.

mod barra;
mod bars;
mod calendar;
mod codes;
mod file;
mod life;
mod ohlcv;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::storage;
use crate::workers::Workers;

use self::life::Life;

/// What panel to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynthOptions {
    /// How many stocks, and so how many files.
    pub stocks: usize,
    /// How many trading dates. Every one of them has at least one row.
    pub dates: usize,
    /// Where the random numbers begin. Panels of different seeds share codes and dates, nothing else.
    pub seed: u64,
    /// Which columns.
    pub preset: Preset,
}

/// The columns of a synthetic panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// Ten style factors as doubles and thirty industry dummies as int64, as a Barra CNE5 pipeline has them.
    #[default]
    Barra,
    /// Daily prices as Tushare exports them, most files newest row first.
    Ohlcv,
    /// Minute bars, 240 a stock and date, with the time in a column of its own; every stock trades on every date.
    Bars,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Preset::Barra => "barra",
            Preset::Ohlcv => "ohlcv",
            Preset::Bars => "bars",
        })
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Preset, String> {
        match text {
            "barra" => Ok(Preset::Barra),
            "ohlcv" => Ok(Preset::Ohlcv),
            "bars" => Ok(Preset::Bars),
            _ => Err(format!("{text:?} is no preset; the presets are barra, ohlcv and bars")),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SynthReport {
    /// Files, one a stock.
    pub files: u64,
    /// Rows in all of them.
    pub rows: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// Writes a panel of `options` into `dir` as `{code}.parquet`, as pandas would: snappy, dictionaries, one row group.
///
/// `dir` is made if it is missing. Each worker holds one stock's columns at a time. The full-size Barra panel, 5,160
/// stocks by 6,552 dates, has about 17 million rows.
///
/// # Errors
/// [`Error::Refused`] when `dir` holds anything, or when there are no such many codes or dates; [`Error::Cancelled`]
/// when `observer` says so, in which case the files already whole stay.
pub fn synth(dir: &Path, options: &SynthOptions, workers: &Workers, observer: &dyn Observer) -> Result<SynthReport> {
    if options.stocks == 0 || options.dates == 0 {
        return Err(Error::refused("a panel needs at least one stock and one date", "ask for more"));
    }
    let codes = codes::codes(options.stocks)?;
    let days = calendar::trading_days(options.dates)?;
    prepare(dir)?;

    observer.begin("synth", "files", codes.len() as u64);
    let written = workers.try_map(codes.len(), |index| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(index as u64);
        let life = Life::new(index, days.len(), &mut rng);
        let batch = match options.preset {
            Preset::Barra => barra::batch(&days, &life, &mut rng),
            Preset::Ohlcv => ohlcv::batch(&days, &life, &mut rng),
            Preset::Bars => bars::batch(&days, &mut rng),
        }?;
        let bytes = file::write(dir, &codes[index], &batch)?;
        observer.advance(1);
        Ok((batch.num_rows() as u64, bytes))
    })?;
    observer.end();

    Ok(SynthReport {
        files: written.len() as u64,
        rows: written.iter().map(|&(rows, _)| rows).sum(),
        bytes: written.iter().map(|&(_, bytes)| bytes).sum(),
    })
}

/// Makes `dir`, or finds it empty.
fn prepare(dir: &Path) -> Result<()> {
    match storage::list(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                let what = format!("{} is not empty", dir.display());
                Err(Error::refused(what, "name a new directory, or empty this one first"))
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map_err(Error::io("create", dir))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(Error::refused(format!("{} is not a directory", dir.display()), "name a new one"))
        }
        Err(error) => Err(Error::io("read", dir)(error)),
    }
}
