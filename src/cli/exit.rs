//! The exit codes, in one place for the code and for the help.

use std::fmt::Write;

use clap::Command;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// What clap ends with.
    Usage = 2,
    Skipped = 3,
    Stopped = 4,
    Busy = 5,
    Damaged = 6,
    /// 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

impl Exit {
    /// All of them.
    pub const ALL: [Exit; 8] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Skipped,
        Exit::Stopped,
        Exit::Busy,
        Exit::Damaged,
        Exit::Interrupted,
    ];

    /// Whether the sub-command of this name can end so.
    fn is_of(self, command: &str) -> bool {
        match self {
            Exit::Done | Exit::Failed | Exit::Usage => true,
            Exit::Interrupted => command != "generate",
            Exit::Skipped => ["build", "update", "append", "verify"].contains(&command),
            Exit::Stopped => ["build", "update", "append"].contains(&command),
            Exit::Busy => ["build", "update", "append", "transpose", "gc"].contains(&command),
            Exit::Damaged => !["synth", "generate"].contains(&command),
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed",
            Exit::Usage => "wrong usage",
            Exit::Skipped => "done, but more inputs were skipped than is usual",
            Exit::Stopped => "stopped by a guard or a limit; nothing was published",
            Exit::Busy => "somebody else is writing",
            Exit::Damaged => "damage or a difference found",
            Exit::Interrupted => "interrupted; nothing half-written stands under a final name",
        }
    }
}

/// These exit codes, for the end of the help.
pub fn help(exits: &[Exit]) -> String {
    let mut text = "Exit codes:".to_owned();
    for &exit in exits {
        let _ = write!(text, "\n  {:>3}  {}", exit as u8, exit.meaning());
    }
    text
}

/// `command` with the exit codes of each of its sub-commands at the end of that one's help.
pub fn explained(command: Command) -> Command {
    command.mut_subcommands(|sub| {
        let exits: Vec<Exit> = Exit::ALL.into_iter().filter(|exit| exit.is_of(sub.get_name())).collect();
        let before = sub.get_after_long_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
        sub.after_long_help(before + &help(&exits))
    })
}
