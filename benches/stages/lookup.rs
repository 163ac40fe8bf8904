//! Look-ups in a warm store, in one process: opening it, a section, a series, a matrix.

use super::common::Panel;
use arrow_array::types::Float64Type;
use criterion::{Criterion, Throughput};
use transect::progress::Silent;
use transect::store::Fill;
use transect::workers::Workers;
use transect::{Request, Store};

pub fn lookup(c: &mut Criterion) {
    let panel = Panel::new();
    let store = panel.store();
    let dates = store.dates().unwrap().to_vec();
    let last = dates[dates.len() - 1];
    let columns: Vec<usize> = (0..store.schema().unwrap().columns.len()).collect();
    let mut group = c.benchmark_group("lookup");
    group.bench_function("open", |b| b.iter(|| Store::open(panel.store_path()).unwrap()));

    let section = store.section(last).unwrap();
    group.throughput(Throughput::Elements(section.row_count() as u64));
    group.bench_function("section, all columns as stored", |b| {
        b.iter(|| {
            let section = store.section(last).unwrap();
            let values = |&column: &usize| section.column_at(column).unwrap().stored().len();
            section.codes().unwrap().len() + columns.iter().map(values).sum::<usize>()
        });
    });
    group.bench_function("section, record batch", |b| b.iter(|| store.section(last).unwrap().batch().unwrap()));

    let code = store.stocks().unwrap()[0].to_owned();
    let cells = (dates.len() * store.stocks().unwrap().len()) as u64;
    let (all, size) = (store.answer(&Request::default()).unwrap(), store.answer(&Request::of(["size"])).unwrap());
    for count in [1, 2] {
        let workers = Workers::new(Some(count)).unwrap();
        group.throughput(Throughput::Elements(dates.len() as u64));
        group.bench_function(format!("series, {count} workers"), |b| {
            b.iter(|| all.series(&code, &workers, &Silent).unwrap());
        });
        group.throughput(Throughput::Bytes(cells * size_of::<f64>() as u64));
        group.bench_function(format!("matrix of doubles, {count} workers"), |b| {
            b.iter(|| size.matrix(&Fill::of::<Float64Type>(f64::NAN), &workers, &Silent).unwrap());
        });
    }
    group.finish();
}
