//! transect turns a panel the other way round: thousands of per-stock Parquet files become a memory-mapped store,
//! indexed by date and by stock, and from it one file per date, as often as one likes.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let (features, panel, by_date) = (dir.path().join("features"), dir.path().join("panel.store"), dir.path().join("by_date"));
//! # use transect::{progress::Silent, synth, workers::Workers};
//! # let options = synth::SynthOptions { stocks: 20, dates: 30, seed: 1, preset: synth::Preset::Barra };
//! # synth::synth(&features, &options, &Workers::new(Some(1))?, &Silent)?;
//! use transect::{Build, Request, Store, Transpose, store::Fill};
//!
//! // Once: features/000001.SZ.parquet and so on become a store.
//! let report = Build::new(&features, &panel).run()?;
//! assert!(report.skipped.is_empty());
//!
//! // Again and again: one file per date.
//! let store = Store::open(&panel)?;
//! Transpose::new(&store, &by_date).run()?;
//!
//! // Or without any file: a section's column is a slice of the map.
//! let date = store.dates()?[0];
//! let section = store.section(date)?;
//! let size = section.column("size")?;
//! let values: &[f64] = size.values::<arrow_array::types::Float64Type>().unwrap();
//! assert_eq!(values.len(), section.row_count());
//!
//! // One stock over time, as an Arrow record batch in the input's types.
//! let series = store.series("000001.SZ")?;
//! assert_eq!(series.schema().field(0).name(), "ts_code");
//!
//! // One column of all dates, dates x stocks, with NaN where it has no value.
//! let size = store.answer(&Request::of(["size"]))?;
//! let size = size.matrix(&Fill::of::<arrow_array::types::Float64Type>(f64::NAN), &Workers::new(None)?, &Silent)?;
//! assert_eq!(size.stocks().len(), store.stocks()?.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Shapes and types
//!
//! A *section* has one row for each stock that has one on that date, ordered by code (bytes of its UTF-8); a *series*
//! one row for each date, ascending. Where the panel's key has further columns, there are as many rows of a stock on a
//! date as there are keys, in their order. A missing row is not a row of nulls: neither is ever made up. Columns have two
//! types: the *logical* one, which the input has and every output restores, and the *stored* one, as narrow as the
//! values allow. [`Section::batch`](store::Section::batch) gives logical types;
//! [`Section::column`](store::Section::column) the stored bytes without a copy. A [`Matrix`](store::Matrix) is dense,
//! and says of each cell whether it has a row, and a value.
//!
//! # Memory
//!
//! [`Build`] keeps to [`memory`](Build::memory) bytes of anonymous memory whatever the panel's size; [`Transpose`]
//! holds one encoded section for each worker. Mapped pages belong to the kernel's cache: they make the resident size
//! look large and go when memory is wanted. The figure that matters is RssAnon in `/proc/PID/status`.
//!
//! # Trust and damage
//!
//! Files of a store are written once, published by a rename, and never changed; mapping relies on that (see
//! [`storage::Access`], also for the way without mapping). [`Store::open`] checks the catalog's header and costs the
//! same for any size. A chunk's checksum is compared each time it is handed out; by [`Store::series`], which takes
//! single rows of many chunks, the first time. [`Store::verify`] compares them all. Damage is an [`Error`], never a
//! panic and never an older version in silence.
//!
//! A panic of a decoder on a damaged input is caught and becomes the reason for skipping that file. For this
//! the library needs panics that unwind, and puts a hook before the process's own which keeps such panics quiet.
//!
//! Where the system limits the size of files (`ulimit -f`), a write beyond it ends the process by SIGXFSZ, unless the
//! process ignores that signal, as the binary does; then it is an [`Error`] as any other.
//!
//! # What it is not
//!
//! No server and no query language; one machine with a local file system, but for a build, which others may run the
//! [tasks](Tasks) of; 64-bit little-endian Linux and macOS.

mod as_text;
#[cfg(feature = "cli")]
pub mod cli;
mod codec;
mod compare;
pub mod coverage;
pub mod error;
pub mod format;
pub mod hint;
mod ingest;
pub mod key;
pub mod list;
mod page;
pub mod panel;
pub mod progress;
pub mod quantity;
pub mod reason;
pub mod remedy;
mod segment;
mod shuffle;
pub mod sink;
pub mod skipped;
pub mod source;
mod staging;
pub mod storage;
pub mod store;
#[cfg(feature = "synth")]
pub mod synth;
mod transpose;
pub mod workers;

pub use coverage::Coverage;
pub use error::{Damage, Error, Result};
pub use ingest::{
    AddSource, Append, Assignment, Build, BuildReport, ChangeSource, Differs, FilledColumn, Guard, GuardMet, Join,
    Kept, KeptRows, Limit, NearLimit, RestatedColumn, RestatedStock, Restore, RowChange, SourceDifference,
    SourceReport, TaskPlanReport, TaskSplit, Tasks, Update, UpdatePlanReport, UpdateReport, UpdateTasks, Write,
    verify_source,
};
pub use key::{Date, StockId};
pub use page::{Page, PageReport};
pub use staging::{PlanOf, TaskReport, clear_staging};
pub use store::{Request, Selection, Store};
pub use transpose::{
    OutputPlanReport, OutputReport, OutputSplit, OutputTasks, Shape, Transpose, TransposeReport, verify_output,
};
