//! The exit codes, in one place for the code and for the help.

use std::fmt::Write;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// What clap ends with.
    Usage = 2,
    Skipped = 3,
    /// 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

impl Exit {
    const ALL: [Exit; 5] = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Skipped, Exit::Interrupted];

    fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed, or damage found",
            Exit::Usage => "wrong usage",
            Exit::Skipped => "done, but some inputs were skipped",
            Exit::Interrupted => "interrupted; nothing half-written stands under a final name",
        }
    }
}

/// The exit codes, for the end of the help.
pub fn help() -> String {
    let mut text = "Exit codes:".to_owned();
    for exit in Exit::ALL {
        let _ = write!(text, "\n  {:>3}  {}", exit as u8, exit.meaning());
    }
    text
}
