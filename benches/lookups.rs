//! Look-ups in a store of any size, files in the page cache: what the first one of a process costs, its page faults
//! included, and what each costs once a process has done a few. CPU time says more where a machine is shared.
//!
//!     cargo bench --bench lookups -- STORE [RUNS]
//!
//! The first double column is taken for the matrix. Without a store nothing is measured, so that a plain `cargo bench`
//! passes by.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use arrow_array::types::Float64Type;
use arrow_schema::DataType;
use rustix::time::{ClockId, clock_gettime};
use transect::progress::Silent;
use transect::store::Fill;
use transect::workers::Workers;
use transect::{Date, Request, Store};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Asks a fresh process for one look-up.
const ONCE: &str = "TRANSECT_BENCH_ONCE";

/// Each with its number of workers.
const LOOKUPS: [(&str, usize, Lookup); 6] = [
    ("open", 1, open),
    ("section, checksums included", 1, section),
    ("series, 1 worker", 1, series),
    ("series, 2 workers", 2, series),
    ("matrix, 1 worker", 1, matrix),
    ("matrix, 2 workers", 2, matrix),
];

/// Does one look-up and says how large its result is.
type Lookup = fn(&Place, Option<&Store>, &Workers) -> Result<usize>;

const NOT_OPEN: &str = "the store is not open";

/// What is looked up, chosen beforehand so that choosing touches no page.
struct Place {
    path: String,
    date: Date,
    code: String,
    column: String,
}

fn main() -> Result<()> {
    // cargo bench adds `--bench` to the arguments.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Ok(name) = std::env::var(ONCE) {
        return once(&name, &words);
    }
    let Some(path) = words.first() else {
        println!("lookups: no store named, nothing measured; usage: cargo bench --bench lookups -- STORE [RUNS]");
        return Ok(());
    };
    let runs: usize = words.get(1).map_or(Ok(15), |word| word.parse())?;
    let store = Store::open(path)?;
    let place = choose(path, &store)?;
    println!(
        "{} rows, {} on {}, series of {}",
        store.row_count(),
        store.section(place.date)?.row_count(),
        place.date,
        place.code
    );
    println!("{:<28}{:>10}{:>10}{:>10}{:>10}{:>10}", "ms", "first", "cpu", "then", "cpu", "least");
    for (name, workers, lookup) in LOOKUPS {
        let mut first = Vec::new();
        for _ in 0..runs.min(5) {
            let words = [&place.path, &place.date.to_string(), &place.code, &place.column];
            let output = Command::new(std::env::current_exe()?).args(words).env(ONCE, name).output()?;
            let text = String::from_utf8(output.stdout)?;
            let (wall, cpu) = text.trim().split_once(' ').ok_or("the fresh process failed")?;
            first.push((wall.parse()?, cpu.parse()?));
        }
        let workers = Workers::new(Some(workers))?;
        let mut then = Vec::new();
        for _ in 0..runs + 2 {
            then.push(time(lookup, &place, Some(&store), &workers)?);
        }
        let (first, then) = (sorted(first), sorted(then.split_off(2)));
        let figures = [median(&first.0), median(&first.1), median(&then.0), median(&then.1), then.0[0]];
        println!("{name:<28}{}", figures.map(|ms| format!("{ms:>10.3}")).concat());
    }
    Ok(())
}

/// The look-up `name` in this fresh process; prints its milliseconds, wall and CPU.
fn once(name: &str, words: &[String]) -> Result<()> {
    let [path, date, code, column] = words else { return Err("a place has four words".into()) };
    let place = Place { path: path.clone(), date: date.parse()?, code: code.clone(), column: column.clone() };
    let (_, workers, lookup) = LOOKUPS.iter().find(|(known, ..)| *known == name).ok_or("no such look-up")?;
    let workers = Workers::new(Some(*workers))?;
    // Opening is a look-up of its own, and no part of the others.
    let store = (name != LOOKUPS[0].0).then(|| Store::open(&place.path)).transpose()?;
    let (wall, cpu) = time(*lookup, &place, store.as_ref(), &workers)?;
    println!("{wall} {cpu}");
    Ok(())
}

/// Milliseconds, wall and CPU.
fn time(lookup: Lookup, place: &Place, store: Option<&Store>, workers: &Workers) -> Result<(f64, f64)> {
    let (start, cpu) = (Instant::now(), cpu_ms());
    black_box(lookup(place, store, workers)?);
    let times = (start.elapsed().as_secs_f64() * 1e3, cpu_ms() - cpu);
    Ok(times)
}

/// CPU time of this process so far.
fn cpu_ms() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 * 1e3 + spent.tv_nsec as f64 / 1e6
}

/// The largest section, a stock that is in the first and in the last, and the first column of doubles.
fn choose(path: &str, store: &Store) -> Result<Place> {
    let count = store.dates()?.len();
    let mut largest = store.section_at(0)?;
    for index in 1..count {
        let section = store.section_at(index)?;
        if section.row_count() > largest.row_count() {
            largest = section;
        }
    }
    let (first, last) = (store.section_at(0)?, store.section_at(count - 1)?);
    let (first, last) = (first.codes()?, last.codes()?);
    let code = first.iter().find(|code| last.contains(code)).unwrap_or(&first[0]);
    let doubles = store.schema()?.columns.iter().find(|column| column.data_type == DataType::Float64);
    let column = doubles.ok_or("the panel has no column of doubles")?.name.clone();
    Ok(Place { path: path.to_owned(), date: largest.date(), code: (*code).to_owned(), column })
}

fn open(place: &Place, _: Option<&Store>, _: &Workers) -> Result<usize> {
    Ok(Store::open(Path::new(&place.path))?.row_count() as usize)
}

fn section(place: &Place, store: Option<&Store>, _: &Workers) -> Result<usize> {
    let store = store.ok_or(NOT_OPEN)?;
    let section = store.section(place.date)?;
    let mut values = section.codes()?.len();
    for column in 0..store.schema()?.columns.len() {
        values += section.column_at(column)?.stored().len();
    }
    Ok(values)
}

fn series(place: &Place, store: Option<&Store>, workers: &Workers) -> Result<usize> {
    let store = store.ok_or(NOT_OPEN)?;
    Ok(store.answer(&Request::default())?.series(&place.code, workers, &Silent)?.num_rows())
}

fn matrix(place: &Place, store: Option<&Store>, workers: &Workers) -> Result<usize> {
    let store = store.ok_or(NOT_OPEN)?;
    let column = store.answer(&Request::of([&place.column]))?;
    Ok(column.matrix(&Fill::of::<Float64Type>(f64::NAN), workers, &Silent)?.cells().valid().len())
}

fn sorted(times: Vec<(f64, f64)>) -> (Vec<f64>, Vec<f64>) {
    let (mut wall, mut cpu): (Vec<f64>, Vec<f64>) = times.into_iter().unzip();
    wall.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    (wall, cpu)
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
