//! A version's coverage as one page that any browser opens: all that it needs is in the file, and nothing in it reaches
//! for a network.
//!
//! `page.html`, `page.css` and `page.js` are the page; `vendor/` holds uPlot, which draws its charts, as npm has it. To
//! renew that: `npm pack uplot`, then its `dist/uPlot.iife.min.js`, `dist/uPlot.min.css` and LICENSE.

mod facts;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::coverage::Coverage;
use crate::error::{Error, Result};
use crate::progress::{Observer, Silent};
use crate::remedy::{Remedy, Setting};
use crate::sink::NewFile;
use crate::storage::{Dir, Disk};
use crate::store::Store;
use crate::workers::{DEFAULT_MEMORY, Workers};

/// How a page begins, by which it is known again.
const MARK: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
                    <meta name=\"generator\" content=\"transect report\">\n";

/// How often what is told is held, at most: as it is, laid out in values of JSON, which take more, and as text that grows.
const TIMES: u64 = 6;

/// Nothing is loaded: scripts and styles are those of the page.
const HEAD: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; \
                    style-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

/// Writes a version's coverage as one HTML file.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let [features, panel, page] = ["features", "panel.store", "report.html"].map(|name| dir.path().join(name));
/// # use transect::{progress::Silent, synth, workers::Workers};
/// # let options = synth::SynthOptions { stocks: 20, dates: 30, seed: 1, preset: synth::Preset::Barra };
/// # synth::synth(&features, &options, &Workers::new(Some(1))?, &Silent)?;
/// # transect::Build::new(&features, &panel).run()?;
/// let store = transect::Store::open(&panel)?;
/// let report = transect::Page::new(&store, &page).run()?;
/// assert_eq!(report.bytes, std::fs::metadata(&page)?.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Page<'a> {
    store: Store,
    path: PathBuf,
    force: bool,
    workers: Option<usize>,
    memory: u64,
    disk: Disk,
    observer: &'a dyn Observer,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PageReport {
    /// The version that the page is about.
    pub version: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// Bytes of the page.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

impl<'a> Page<'a> {
    /// Will write the coverage of `store`'s version to the file at `path`.
    pub fn new(store: &Store, path: impl AsRef<Path>) -> Page<'a> {
        let path = path.as_ref().to_owned();
        let (workers, memory, disk) = (None, DEFAULT_MEMORY, Disk::default());
        Page { store: store.clone(), path, force: false, workers, memory, disk, observer: &Silent }
    }

    /// Whether to replace a file that is no such page.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// How many threads to use; all cores unless set.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// How many bytes to hold at most; 512 MiB unless set.
    pub fn memory(mut self, memory: u64) -> Self {
        self.memory = memory;
        self
    }

    /// The disk to write to.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// Who watches.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Writes the page, whole or not at all. Costs what [`Coverage::of`] does, and holds the page.
    ///
    /// # Errors
    /// [`Error::Refused`] where something stands at the path that is no such page, unless forced, and always where that
    /// is no regular file; else as [`Coverage::of`], and when the system refuses.
    pub fn run(self) -> Result<PageReport> {
        let began = Instant::now();
        let (dir, name) = self.place()?;
        self.check(&dir, &name)?;
        let workers = Workers::new(self.workers)?.within(self.memory);
        let coverage = Coverage::held(&self.store, &workers, self.observer, TIMES)?;
        let facts = facts::json(&self.store, &coverage)?;
        let mut file = NewFile::create(dir, &name)?;
        for part in [
            MARK,
            HEAD,
            "<style>\n",
            include_str!("vendor/uPlot.min.css"),
            "\n",
            include_str!("page.css"),
            "</style>\n",
            include_str!("page.html"),
            "<script type=\"application/json\" id=\"facts\">",
            &facts,
            "</script>\n<script>\n/*\n",
            include_str!("vendor/uPlot.LICENSE"),
            "*/\n",
            include_str!("vendor/uPlot.iife.min.js"),
            "</script>\n<script>\n",
            include_str!("page.js"),
            "</script>\n",
        ] {
            file.write(part.as_bytes())?;
        }
        let written = file.finish()?;
        Ok(PageReport {
            version: coverage.version,
            rows: coverage.rows,
            bytes: written.byte_len,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// The directory of the file, and its name there.
    fn place(&self) -> Result<(Dir, String)> {
        let name = self.path.file_name().and_then(|name| name.to_str()).filter(|_| !ends_in_slash(&self.path));
        let Some(name) = name else {
            let what = format!("{} is no name for a page", self.path.display());
            return Err(Error::refused(what, "name a file, such as report.html").about(&self.path));
        };
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok((Dir::open(&self.disk, parent)?, name.to_owned()))
    }

    /// Whether the page may stand there.
    fn check(&self, dir: &Dir, name: &str) -> Result<()> {
        let Some(found) = dir.look(name)? else { return Ok(()) };
        let shown = self.path.display();
        if !found.is_file() {
            return Err(Error::refused(format!("{shown} is no regular file"), "name another").about(&self.path));
        }
        if self.force {
            return Ok(());
        }
        let mut begin = Vec::new();
        if let Some(file) = dir.open_file(name)? {
            file.take(MARK.len() as u64).read_to_end(&mut begin).map_err(Error::io("read", &self.path))?;
        }
        match begin == MARK.as_bytes() {
            true => Ok(()),
            false => Err(Error::refused_unless(
                format!("{shown} is there, and transect did not write it"),
                [Remedy::set(Setting::Force, "replaces it"), Remedy::Do("name another file".to_owned())],
            )
            .about(&self.path)),
        }
    }
}

/// Whether a directory is meant; `Path` does not tell.
fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}
