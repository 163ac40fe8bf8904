//! How long-running work tells what it does and learns that it should stop. The library itself never prints.

/// Watches one run. All methods may be called from several workers at once.
pub trait Observer: Sync {
    /// A stage begins; `total` of its `unit`s lie ahead.
    fn begin(&self, stage: &'static str, unit: &'static str, total: u64) {
        let _ = (stage, unit, total);
    }

    /// `count` more units of the current stage are done.
    fn advance(&self, count: u64) {
        let _ = count;
    }

    /// The current stage is over.
    fn end(&self) {}

    /// The run waits for somebody else; `why` says for whom.
    fn waits(&self, why: &str) {
        let _ = why;
    }

    /// Whether the run should stop. Asked between items; the run then ends with [`Error::Cancelled`](crate::Error).
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Hears whether a run is to stop, and tells nothing of what one task of many does.
pub(crate) struct Quiet<'a>(pub(crate) &'a dyn Observer);

impl Observer for Quiet<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
