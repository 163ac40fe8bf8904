//! What a run shows while it works, and how it learns that it should stop. Starts no thread.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::progress::Observer;
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::exit::Exit;
use super::output;

/// Watches one run: a progress bar where a person looks, and the signals that end it.
pub struct Watch {
    interrupted: Arc<AtomicBool>,
    is_quiet: bool,
    is_shown: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Watch {
    /// Takes over SIGINT and SIGTERM: the first one asks the run to stop, a second one ends the process at once.
    pub fn new(quiet: bool) -> anyhow::Result<Watch> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order, so that the first signal finds the flag still down.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                i32::from(Exit::Interrupted as u8),
                interrupted.clone(),
            )
            .and_then(|_| signal_hook::flag::register(signal, interrupted.clone()))
            .context("cannot watch for signals")?;
        }
        let is_shown = !quiet && std::io::stderr().is_terminal() && !output::is_dumb();
        Ok(Watch { interrupted, is_quiet: quiet, is_shown, bar: Mutex::new(None) })
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        // A worker that panicked while it moved the bar has done it no harm.
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clear(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
}

/// Errors are printed after the watch is over, on a line of their own.
impl Drop for Watch {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Observer for Watch {
    fn begin(&self, stage: &'static str, unit: &'static str, total: u64) {
        self.clear();
        if self.is_shown {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            bar.set_style(style(unit));
            bar.set_prefix(stage);
            *self.bar() = Some(bar);
        }
    }

    fn advance(&self, count: u64) {
        if let Some(bar) = self.bar().as_ref() {
            if self.cancelled() {
                bar.set_prefix("stopping");
            }
            bar.inc(count);
        }
    }

    fn end(&self) {
        self.clear();
    }

    fn waits(&self, why: &str) {
        if !self.is_quiet {
            output::say(format_args!("transect: {}; waiting for it", output::escape(why)));
        }
    }

    fn cancelled(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// Room for everything on the bar's line but the bar.
const WORDS: usize = 60;

/// The widest bar.
const WIDEST: usize = 30;

fn style(unit: &'static str) -> ProgressStyle {
    // A line that wraps would be drawn over and over instead of in place.
    let width = output::terminal_width(std::io::stderr()).saturating_sub(WORDS).min(WIDEST);
    let colour = if output::has_colour(&std::io::stderr()) { ".cyan/dim" } else { "" };
    let bar = if width > 0 { format!(" {{bar:{width}{colour}}}") } else { String::new() };
    ProgressStyle::with_template(&format!("{{prefix:>13}}{bar} {{done}} {{rate}}{{left}}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .with_key("done", move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let (at, of) = (output::count(state.pos()), output::count(state.len().unwrap_or(0)));
            let _ = write!(text, "{at}/{of} {unit}");
        })
        .with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{}/s", output::rounded(state.per_sec()));
        })
        .with_key("left", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let left = state.eta().as_secs();
            let _ = match state.pos() {
                0 => Ok(()),
                _ if left < 60 => write!(text, ", {left} s left"),
                _ => write!(text, ", {} left", output::seconds(left as f64)),
            };
        })
}
