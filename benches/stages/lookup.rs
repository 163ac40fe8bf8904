//! Look-ups in a warm store: opening it, one section, one series.

use super::common::Panel;
use criterion::{Criterion, Throughput};
use transect::Store;

pub fn lookup(c: &mut Criterion) {
    let panel = Panel::new();
    let store = panel.store();
    let dates = store.dates().unwrap().to_vec();
    let last = dates[dates.len() - 1];
    let columns = store.schema().unwrap().columns.len();
    let mut group = c.benchmark_group("lookup");
    group.bench_function("open", |b| b.iter(|| Store::open(panel.store_path()).unwrap()));

    let section = store.section(last).unwrap();
    group.throughput(Throughput::Elements(section.row_count() as u64));
    group.bench_function("section, all columns as stored", |b| {
        b.iter(|| {
            let section = store.section(last).unwrap();
            (0..columns).map(|column| section.column_at(column).unwrap().stored().len()).sum::<usize>()
        });
    });
    group.bench_function("section, record batch", |b| b.iter(|| store.section(last).unwrap().batch().unwrap()));

    let code = store.stocks().unwrap()[0].to_owned();
    group.throughput(Throughput::Elements(dates.len() as u64));
    group.bench_function("series, record batch", |b| b.iter(|| store.series(&code).unwrap()));
    group.finish();
}
