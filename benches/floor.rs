//! Two floors under a build.
//!
//! The decode floor: how long it takes to decode every column of every Parquet file of a directory on all cores and to
//! drop what comes out. The store floor: the same, while as many bytes as the store has are written beside it and
//! synced, without regard to what was decoded. No tool that reads its input once and leaves a store behind can be
//! faster.
//!
//!     cargo bench --bench floor -- DIR [RUNS [STORE]]
//!
//! The last line printed is a JSON object, for `tools/compare`. Without a directory nothing is measured, so that a
//! plain `cargo bench` passes by.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use transect::storage::list;
use transect::workers::Workers;

/// Rows per decoded batch. A daily series of one stock fits in one, so nothing is spent on putting batches together.
const BATCH_ROWS: usize = 65_536;

/// Bytes written at a time, as a build does.
const WRITE_LEN: usize = 32 << 10;

/// Files that the bytes of a store are spread over, about as many as a full-size one has segments.
const FILES: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    // cargo bench adds `--bench` to the arguments.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(dir) = words.next() else {
        println!("floor: no directory named, nothing measured; usage: cargo bench --bench floor -- DIR [RUNS [STORE]]");
        return Ok(());
    };
    let runs: usize = words.next().map_or(Ok(3), |word| word.parse())?;
    let store = words.next().map(PathBuf::from);

    let mut files = paths_in(Path::new(&dir))?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    files.sort();

    let workers = Workers::new(None)?;
    let (mut decoding, mut storing) = (Vec::with_capacity(runs), Vec::new());
    let mut rows = 0;
    for run in 1..=runs {
        let start = Instant::now();
        rows = decode_all(&workers, &files, |_| Ok(()))?;
        decoding.push(start.elapsed().as_secs_f64());
        eprintln!("decode floor, run {run}: {:.3} s", decoding[run - 1]);
    }
    if let Some(store) = store {
        let byte_len = bytes_below(&store)?;
        for run in 1..=runs {
            let beside = tempfile::tempdir_in(store.parent().unwrap_or(Path::new(".")))?;
            let start = Instant::now();
            store_all(&workers, &files, beside.path(), byte_len)?;
            storing.push(start.elapsed().as_secs_f64());
            eprintln!("store floor, run {run}: {:.3} s", storing[run - 1]);
        }
    }
    println!(
        r#"{{"files": {}, "rows": {rows}, "threads": {}, "seconds": {decoding:?}, "store_seconds": {storing:?}}}"#,
        files.len(),
        workers.count()
    );
    Ok(())
}

/// Decodes all files, and does `then` after each; the number of rows.
fn decode_all(
    workers: &Workers,
    files: &[PathBuf],
    then: impl Fn(usize) -> io::Result<()> + Send + Sync,
) -> Result<usize, Box<dyn Error>> {
    let decoded = workers.map(files.len(), |index| {
        let rows = decode(&files[index]).map_err(|error| format!("{}: {error}", files[index].display()))?;
        then(index).map(|()| rows).map_err(|error| error.to_string())
    });
    Ok(decoded.into_iter().sum::<Result<usize, String>>()?)
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

/// Decodes all inputs, and after each writes its share of `byte_len` bytes into `dir`. Each file there is synced while
/// the next ones are written.
fn store_all(workers: &Workers, inputs: &[PathBuf], dir: &Path, byte_len: u64) -> Result<(), Box<dyn Error>> {
    let share = byte_len as usize / inputs.len().max(1);
    let inputs_per_file = inputs.len().div_ceil(FILES).max(1);
    let outputs: Vec<(File, AtomicUsize)> = inputs
        .chunks(inputs_per_file)
        .enumerate()
        .map(|(n, inputs)| Ok((File::create_new(dir.join(n.to_string()))?, AtomicUsize::new(inputs.len()))))
        .collect::<io::Result<_>>()?;
    let bytes = vec![1; WRITE_LEN];
    let (complete, to_sync) = mpsc::channel::<&File>();
    thread::scope(|scope| {
        let synced = scope.spawn(move || to_sync.into_iter().try_for_each(File::sync_all));
        decode_all(workers, inputs, |index| {
            let (file, left) = &outputs[index / inputs_per_file];
            let start = index % inputs_per_file * share;
            for at in (start..start + share).step_by(WRITE_LEN) {
                file.write_all_at(&bytes[..WRITE_LEN.min(start + share - at)], at as u64)?;
            }
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                complete.send(file).map_err(|_| io::Error::other("a sync failed"))?;
            }
            Ok(())
        })?;
        drop(complete);
        synced.join().map_err(|_| "the syncs panicked")??;
        Ok(())
    })
}

/// What is in the directory `dir`.
fn paths_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    list(dir)?.map(|name| Ok(dir.join(name?))).collect()
}

/// Bytes of all files below `dir`.
fn bytes_below(dir: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for path in paths_in(dir)? {
        let metadata = path.symlink_metadata()?;
        sum += if metadata.is_dir() { bytes_below(&path)? } else { metadata.len() };
    }
    Ok(sum)
}
