//! The decode floor: how long it takes to decode every column of every Parquet file of a directory on all cores and to
//! drop what comes out. No tool that reads its input once can be faster.
//!
//!     cargo bench --bench floor -- DIR [RUNS]
//!
//! The last line printed is a JSON object, for `tools/compare`. Without a directory nothing is measured, so that a plain
//! `cargo bench` passes by.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use transect::workers::Workers;

/// Rows per decoded batch. A daily series of one stock fits in one, so nothing is spent on putting batches together.
const BATCH_ROWS: usize = 65_536;

fn main() -> Result<(), Box<dyn Error>> {
    // cargo bench adds `--bench` to the arguments.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(dir) = words.next() else {
        println!("floor: no directory named, nothing measured; usage: cargo bench --bench floor -- DIR [RUNS]");
        return Ok(());
    };
    let runs: usize = words.next().map_or(Ok(3), |word| word.parse())?;

    let mut files: Vec<PathBuf> = fs::read_dir(&dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|e| e == "parquet")))
        .collect::<Result<_, _>>()?;
    files.sort();

    let workers = Workers::new(None)?;
    let mut seconds = Vec::with_capacity(runs);
    let mut rows = 0;
    for run in 0..runs {
        let start = Instant::now();
        let decoded = workers.map(files.len(), |index| decode(&files[index]).map_err(|error| error.to_string()));
        rows = 0;
        for (file, decoded) in files.iter().zip(decoded) {
            rows += decoded.map_err(|error| format!("{}: {error}", file.display()))?;
        }
        seconds.push(start.elapsed().as_secs_f64());
        eprintln!("decode floor, run {}: {:.3} s", run + 1, seconds[run]);
    }
    println!(r#"{{"files": {}, "rows": {rows}, "threads": {}, "seconds": {seconds:?}}}"#, files.len(), workers.count());
    Ok(())
}

/// Decodes one file and returns its number of rows.
fn decode(path: &Path) -> Result<usize, Box<dyn Error>> {
    let bytes = Bytes::from(fs::read(path)?);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(BATCH_ROWS).build()?;
    let mut rows = 0;
    for batch in reader {
        rows += std::hint::black_box(batch?).num_rows();
    }
    Ok(rows)
}
