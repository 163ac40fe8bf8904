//! The stages of the main job, each by itself: `cargo bench --bench stages -- transpose`.

mod build;
mod common;
mod lookup;
mod transpose;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, build::build, transpose::transpose, lookup::lookup);
criterion_main!(benches);
