//! Long runs: the work is another thread's, while the caller's answers Ctrl-C and tells of progress.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use transect::progress::Observer;

use super::fault::{Call, raised_by};

/// How often the caller's thread looks up.
const LOOK: Duration = Duration::from_millis(50);

/// What the work says of itself.
#[derive(Default)]
struct Watch {
    /// Stage, unit and total.
    stage: Mutex<(&'static str, &'static str, u64)>,
    done: AtomicU64,
    is_cancelled: AtomicBool,
}

impl Observer for Watch {
    fn begin(&self, stage: &'static str, unit: &'static str, total: u64) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = (stage, unit, total);
        self.done.store(0, Ordering::Relaxed);
    }

    fn advance(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

impl Watch {
    /// Answers signals, and tells `progress` where the work is.
    fn look(&self, py: Python<'_>, progress: Option<&Py<PyAny>>) -> PyResult<()> {
        py.check_signals()?;
        let Some(progress) = progress else { return Ok(()) };
        let (stage, unit, total) = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if !stage.is_empty() {
            progress.call1(py, (stage, self.done.load(Ordering::Relaxed), total, unit))?;
        }
        Ok(())
    }
}

/// Runs `work` without the GIL. What a signal's handler or `progress` raises ends it, as it ends by itself: nothing
/// half-written stands under a final name.
pub fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&dyn Observer) -> transect::Result<T> + Send,
) -> PyResult<T> {
    watched_by(py, Call::Other, progress, work)
}

/// As [`watched`], for a function whose arguments have names of their own.
pub fn watched_by<T: Send>(
    py: Python<'_>,
    call: Call,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&dyn Observer) -> transect::Result<T> + Send,
) -> PyResult<T> {
    let watch = Watch::default();
    let (result, trouble) = py.detach(|| {
        std::thread::scope(|scope| {
            let (over, waits) = mpsc::channel::<()>();
            let watch = &watch;
            let job = scope.spawn(move || {
                let result = work(watch);
                // Nobody waits any more where the caller's thread is gone.
                let _ = over.send(());
                result
            });
            let mut trouble = None;
            while let Err(mpsc::RecvTimeoutError::Timeout) = waits.recv_timeout(LOOK) {
                if trouble.is_none() {
                    trouble = Python::attach(|py| watch.look(py, progress)).err();
                    watch.is_cancelled.store(trouble.is_some(), Ordering::Relaxed);
                }
            }
            (job.join(), trouble)
        })
    });
    let result = result.map_err(|_| PyRuntimeError::new_err("transect panicked; please report it"))?;
    match (result, trouble) {
        (Ok(done), None) => {
            watch.look(py, progress)?;
            Ok(done)
        }
        (_, Some(trouble)) => Err(trouble),
        (Err(error), None) => Err(raised_by(py, &error, call)),
    }
}

/// Raises what a signal's handler raises that was not called yet.
#[pyfunction]
pub fn look(py: Python<'_>) -> PyResult<()> {
    py.check_signals()
}
