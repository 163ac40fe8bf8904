//! Transpose: a store to one file per date, by format and compression.

use super::common::Panel;
use criterion::{Criterion, Throughput};
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
            b.iter(|| Transpose::new(&store, &out).shape(shape.clone()).workers(1).run().unwrap());
        });
    }
    group.finish();
}
