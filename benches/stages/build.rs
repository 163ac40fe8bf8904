//! Build: per-stock files to a published store, syncs included; and the two stages a caller can run apart.

use super::common::Panel;
use criterion::{Criterion, Throughput};
use transect::Build;
use transect::progress::Silent;
use transect::source::{SourceOptions, survey};
use transect::workers::Workers;

pub fn build(c: &mut Criterion) {
    let panel = Panel::new();
    let mut group = c.benchmark_group("build");
    group.sample_size(10);
    group.throughput(Throughput::Elements(panel.rows));
    for workers in [1, 2] {
        group.bench_function(format!("all, {workers} workers"), |b| {
            let store = panel.path().join("bench.store");
            b.iter(|| Build::new(panel.source(), &store).workers(workers).force(true).run().unwrap());
        });
    }
    group.throughput(Throughput::Bytes(panel.bytes));
    let one = Workers::new(Some(1)).unwrap();
    let options = SourceOptions::default();
    group.bench_function("survey", |b| b.iter(|| survey(&panel.source(), &options, &one, &Silent).unwrap()));
    let surveyed = survey(&panel.source(), &options, &one, &Silent).unwrap();
    group.bench_function("decode", |b| {
        b.iter(|| {
            for input in &surveyed.inputs {
                surveyed.open(input).unwrap().read(0..surveyed.columns.len()).unwrap();
            }
        });
    });
    group.finish();
}
