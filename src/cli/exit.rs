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

    /// Whether the sub-command of this name can end so; one of `source` is named with it.
    fn is_of(self, command: &str) -> bool {
        let skips = ["build", "update", "append", "verify", "source add", "source set", "task commit", "task run"];
        let changes = ["build", "update", "append", "restore", "source add", "source set", "task commit", "task run"];
        let writes = ["transpose", "gc", "source rename", "source drop", "task update", "task add", "task append"];
        match self {
            Exit::Done | Exit::Failed | Exit::Usage => true,
            Exit::Interrupted => command != "generate",
            Exit::Skipped => skips.contains(&command),
            Exit::Stopped => changes.contains(&command) || command == "task assemble",
            Exit::Busy => changes.contains(&command) || writes.contains(&command),
            Exit::Damaged => !["synth", "generate"].contains(&command),
        }
    }

    /// What it says of a run of the sub-command of this name; of no name, of all of them.
    fn meaning(self, command: &str) -> &'static str {
        match self {
            Exit::Skipped if command == "verify" => {
                "the source lacks rows that the store keeps, or more was skipped than is usual"
            }
            Exit::Failed if is_task(command) => "failed; it may be tried again",
            Exit::Usage if is_task(command) => "wrong usage, or refused; to try again does not help",
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

/// Whether the sub-command of this name is one of those that a scheduler runs, and may run again.
pub fn is_task(command: &str) -> bool {
    command.starts_with("task ")
}

/// These exit codes of the sub-command of this name, for the end of the help.
pub fn help(exits: &[Exit], command: &str) -> String {
    let mut text = "Exit codes:".to_owned();
    for &exit in exits {
        let _ = write!(text, "\n  {:>3}  {}", exit as u8, exit.meaning(command));
    }
    text
}

/// `command` with the exit codes of each of its sub-commands at the end of that one's help.
pub fn explained(command: Command) -> Command {
    command.mut_subcommands(|sub| match sub.has_subcommands() {
        true => {
            let name = sub.get_name().to_owned();
            sub.mut_subcommands(|own| {
                let name = format!("{name} {}", own.get_name());
                with_exits(own, &name)
            })
        }
        false => {
            let name = sub.get_name().to_owned();
            with_exits(sub, &name)
        }
    })
}

/// The sub-command of this name with its exit codes.
fn with_exits(command: Command, name: &str) -> Command {
    let exits: Vec<Exit> = Exit::ALL.into_iter().filter(|exit| exit.is_of(name)).collect();
    let before = command.get_after_long_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
    command.after_long_help(before + &help(&exits, name))
}
