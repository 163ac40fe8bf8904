//! The crate as others see it: one test binary, and a module for each hazard or subject, which it tells first.

mod add_tasks;
mod advice;
mod alike;
mod append_tasks;
mod appends;
mod changes;
mod code_maps;
mod compared;
mod counted;
mod coverage;
mod crash;
mod crates;
mod cut;
mod damage;
mod dates;
mod diff;
mod doors;
mod expected;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod failing;
mod faults;
mod frames;
mod golden;
mod joins;
mod keys;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod kill;
mod kinds;
mod left_out;
mod links;
#[cfg(feature = "cli")]
mod live;
mod lookups;
mod machine;
mod memory;
mod model;
mod nights;
mod operations;
mod output_tasks;
mod outputs;
mod panels;
mod partitions;
mod pieces;
mod power;
mod readers;
mod real;
mod receipts;
mod reruns;
mod restored;
#[cfg(feature = "cli")]
mod rolls;
mod room;
mod scene;
mod sealed_files;
mod seeded;
mod settings;
mod several_tasks;
mod sources;
mod spec;
mod stale;
mod targets;
mod tasks;
#[cfg(feature = "cli")]
mod trouble;
mod units;
mod update_tasks;
mod updates;
mod versions;
mod wide;
mod words;
