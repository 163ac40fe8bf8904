//! Parses the command line, runs one sub-command and turns its outcome into an exit code.

mod append;
mod args;
mod bar;
mod build;
mod cells;
mod demo;
mod diff;
mod exit;
mod gc;
mod generate;
mod groups;
mod info;
mod log;
mod output;
mod rows;
mod show;
mod synth;
mod table;
mod transpose;
mod update;
mod verify;
mod words;

use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use args::{Cli, Command};
use exit::Exit;

/// Runs the command that the arguments name.
pub fn main() -> std::process::ExitCode {
    // A file beyond the limit of `ulimit -f` is an error to tell of, not a reason to die.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let cli = Cli::parse();
    let quiet = cli.quiet;
    let json = match &cli.command {
        Command::Build(args) => args.running.json,
        Command::Update(args) => args.running.json,
        Command::Append(args) => args.running.json,
        Command::Transpose(args) => args.running.json,
        Command::Info(args) => args.json,
        Command::Log(args) => args.json,
        Command::Diff(args) => args.running.json,
        Command::Gc(args) => args.json,
        Command::Verify(args) => args.running.json,
        Command::Synth(args) => args.running.json,
        Command::Demo(args) => args.json,
        Command::Show(_) | Command::Generate(_) => false,
    };
    let result = match cli.command {
        Command::Build(args) => build::run(args, quiet),
        Command::Update(args) => update::run(&args, quiet),
        Command::Append(args) => append::run(args, quiet),
        Command::Transpose(args) => transpose::run(args, quiet),
        Command::Show(args) => show::run(args, quiet),
        Command::Info(args) => info::run(&args, quiet),
        Command::Log(args) => log::run(&args),
        Command::Diff(args) => diff::run(&args, quiet),
        Command::Gc(args) => gc::run(&args, quiet),
        Command::Verify(args) => verify::run(&args, quiet),
        Command::Synth(args) => synth::run(&args, quiet),
        Command::Demo(args) => demo::run(args, quiet),
        Command::Generate(args) => generate::run(&args),
    };
    result.unwrap_or_else(|error| output::fail(&error, json)).into()
}

/// Ends the process as clap does for arguments of `command` that cannot be right.
fn usage(command: &str, message: impl std::fmt::Display) -> ! {
    let mut cli = Cli::command();
    cli.build();
    cli.find_subcommand(command).cloned().unwrap_or(cli).error(ErrorKind::ValueValidation, message).exit()
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        std::process::ExitCode::from(exit as u8)
    }
}
