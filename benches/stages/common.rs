//! The seeded panel that all benches run on: 400 stocks on 600 dates, 40 factors.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use transect::progress::Silent;
use transect::synth::{Preset, SynthOptions, synth};
use transect::workers::Workers;
use transect::{Build, Store};

/// A directory with the panel's files and a store built from them.
pub struct Panel {
    dir: TempDir,
    /// Rows of the panel.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

impl Panel {
    /// Makes the panel and its store; not timed.
    pub fn new() -> Panel {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options = SynthOptions { stocks: 400, dates: 600, seed: 1, preset: Preset::Barra };
        let workers = Workers::new(None).expect("threads");
        let report = synth(&dir.path().join("features"), &options, &workers, &Silent).expect("a panel");
        let panel = Panel { dir, rows: report.rows, bytes: report.bytes };
        Build::new(panel.source(), panel.store_path()).run().expect("a store");
        panel
    }

    /// Where the per-stock files are.
    pub fn source(&self) -> PathBuf {
        self.path().join("features")
    }

    /// Where the store is.
    pub fn store_path(&self) -> PathBuf {
        self.path().join("panel.store")
    }

    /// The store, opened.
    pub fn store(&self) -> Store {
        Store::open(self.store_path()).expect("the store just built")
    }

    /// The temporary directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}
