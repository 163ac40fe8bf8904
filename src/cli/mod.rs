//! Parses the command line, runs one sub-command and turns its outcome into an exit code.

mod advice;
mod append;
mod args;
mod bar;
mod build;
mod cells;
mod coverage;
mod demo;
mod diff;
mod exit;
mod failure;
mod gc;
mod generate;
mod groups;
mod info;
mod log;
mod output;
mod report;
mod restore;
mod rows;
mod show;
mod skips;
mod source;
mod stop;
mod synth;
mod table;
mod task;
mod transpose;
mod universe;
mod update;
mod verify;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use advice::Speaker;
use args::{Cli, Command, SourceCommand, TaskCommand};

/// Runs the command that the arguments name, as the binary does; the first of them is the program's name. Gives the exit
/// code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    // A file beyond the limit of `ulimit -f` is an error to tell of, not a reason to die.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = command().try_get_matches_from(&arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return failure::not_understood(error, &arguments),
    };
    let quiet = cli.quiet;
    let (name, subject, json) = match &cli.command {
        Command::Build(args) => ("build", args.build.store.clone(), args.build.running.json),
        Command::Update(args) => ("update", args.store.clone(), args.running.json),
        Command::Append(args) => ("append", args.store.clone(), args.running.json),
        Command::Restore(args) => ("restore", args.store.clone(), args.running.json),
        Command::Source(args) => match &args.what {
            SourceCommand::Add(args) => ("source add", args.store.clone(), args.running.json),
            SourceCommand::Set(args) => ("source set", args.store.clone(), args.running.json),
            SourceCommand::List(args) => ("source list", args.store.clone(), args.json),
            SourceCommand::Rename(args) => ("source rename", args.store.clone(), args.changing.running.json),
            SourceCommand::Drop(args) => ("source drop", args.store.clone(), args.changing.running.json),
        },
        Command::Transpose(args) => ("transpose", args.store.clone(), args.running.json),
        Command::Show(args) => ("show", args.store.clone(), false),
        Command::Info(args) => ("info", args.store.clone(), args.json),
        Command::Coverage(args) => ("coverage", args.store.clone(), args.running.json),
        Command::Report(args) => ("report", args.store.clone(), args.running.json),
        Command::Log(args) => ("log", args.store.clone(), args.json),
        Command::Diff(args) => ("diff", args.store.clone(), args.running.json),
        Command::Gc(args) => ("gc", args.store.clone(), args.json),
        Command::Task(args) => match &args.what {
            TaskCommand::Plan(args) => ("task plan", args.build.store.clone(), args.build.running.json),
            TaskCommand::Update(args) => ("task update", args.update.store.clone(), args.update.running.json),
            TaskCommand::Add(args) => ("task add", args.add.store.clone(), args.add.running.json),
            TaskCommand::Append(args) => ("task append", args.append.store.clone(), args.append.running.json),
            TaskCommand::Gather(args) => ("task gather", args.planned.plan.clone(), args.planned.json),
            TaskCommand::Assemble(args) => ("task assemble", args.planned.plan.clone(), args.planned.json),
            TaskCommand::Compare(args) => ("task compare", args.planned.plan.clone(), args.planned.json),
            TaskCommand::Seal(args) => ("task seal", args.planned.plan.clone(), args.planned.json),
            TaskCommand::Transpose(args) => {
                ("task transpose", args.transpose.store.clone(), args.transpose.running.json)
            }
            TaskCommand::Write(args) => ("task write", args.planned.plan.clone(), args.planned.json),
            TaskCommand::Commit(args) => ("task commit", args.planned.plan.clone(), args.planned.json),
            TaskCommand::Run(args) => ("task run", args.planned.plan.clone(), args.planned.json),
        },
        Command::Verify(args) => ("verify", args.store.clone(), args.running.json),
        Command::Synth(args) => ("synth", args.dir.clone(), args.running.json),
        Command::Demo(args) => ("demo", args.dir.clone().unwrap_or_default(), args.json),
        Command::Generate(_) => ("generate", PathBuf::new(), false),
    };
    let result = match cli.command {
        Command::Build(args) => build::run(*args, quiet),
        Command::Update(args) => update::run(&args, quiet),
        Command::Append(args) => append::run(args, quiet),
        Command::Restore(args) => restore::run(&args, quiet),
        Command::Source(args) => source::run(args.what, quiet),
        Command::Transpose(args) => transpose::run(args, quiet),
        Command::Show(args) => show::run(args, quiet),
        Command::Info(args) => info::run(&args, quiet),
        Command::Coverage(args) => coverage::run(&args, quiet),
        Command::Report(args) => report::run(&args, quiet),
        Command::Log(args) => log::run(&args, quiet),
        Command::Diff(args) => diff::run(&args, quiet),
        Command::Gc(args) => gc::run(&args, quiet),
        Command::Task(args) => task::run(args.what, quiet),
        Command::Verify(args) => verify::run(&args, quiet),
        Command::Synth(args) => synth::run(&args, quiet),
        Command::Demo(args) => demo::run(args, quiet),
        Command::Generate(args) => generate::run(&args),
    };
    let fail = |error| failure::fail(&error, &output::path(&subject), json, &Speaker::new(name, &subject));
    result.unwrap_or_else(fail) as u8
}

/// What can be typed, with all of its help.
fn command() -> clap::Command {
    exit::explained(Cli::command())
}

/// What clap says of arguments of `command` that cannot be right.
fn usage(command: &str, message: impl std::fmt::Display) -> anyhow::Error {
    let mut cli = self::command();
    cli.build();
    cli.find_subcommand(command).cloned().unwrap_or(cli).error(ErrorKind::ValueValidation, message).into()
}
