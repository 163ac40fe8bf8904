//! Transpose: a store to one file per date, by format and compression.

use super::common::Panel;
use criterion::{BatchSize, Criterion, Throughput};
use std::fs;
use transect::sink::{Compression, Format};
use transect::{Shape, Transpose};

pub fn transpose(c: &mut Criterion) {
    let panel = Panel::new();
    let store = panel.store();
    let mut group = c.benchmark_group("transpose");
    group.sample_size(10);
    group.throughput(Throughput::Elements(panel.rows));
    let parquet = |compression| Shape { compression, ..Shape::default() };
    let shapes = [
        ("snappy", parquet(Compression::Snappy)),
        ("zstd", parquet(Compression::Zstd(1))),
        ("lz4", parquet(Compression::Lz4)),
        ("none", parquet(Compression::None)),
        ("arrow", Shape { format: Format::Arrow, ..Shape::default() }),
    ];
    for (name, shape) in shapes {
        group.bench_function(name, |b| {
            let out = panel.path().join(name);
            // Removing what was written is not timed; over current files nothing would be.
            let clear = || drop(fs::remove_dir_all(&out));
            let run = |()| Transpose::new(&store, &out).shape(shape.clone()).workers(1).run().unwrap();
            b.iter_batched(clear, run, BatchSize::PerIteration);
        });
    }
    let out = panel.path().join("current");
    Transpose::new(&store, &out).workers(1).run().unwrap();
    group.bench_function("nothing changed", |b| b.iter(|| Transpose::new(&store, &out).workers(1).run().unwrap()));
    group.finish();
}
