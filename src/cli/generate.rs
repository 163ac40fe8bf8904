//! `transect generate`: what packagers need, from the same types that parse the arguments.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::{Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::args::{Generate, GenerateArgs};
use super::exit::Exit;
use super::output;

pub fn run(args: &GenerateArgs) -> anyhow::Result<Exit> {
    let mut command = super::command();
    match &args.what {
        Generate::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut hinted(command), "transect", &mut script);
            output::print(&String::from_utf8_lossy(&script))?;
        }
        Generate::Man { dir } => {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
            command.build();
            write_pages(&command, dir)?;
        }
    }
    Ok(Exit::Done)
}

/// `command`, its options with names of files to choose from only where they take one.
fn hinted(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_action().takes_values() {
        true if arg.get_value_hint() == ValueHint::Unknown => arg.value_hint(ValueHint::Other),
        _ => arg,
    });
    command.mut_subcommands(hinted)
}

/// Writes the page of `command`, which has been built, and those of its sub-commands.
fn write_pages(command: &Command, dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(format!("{}.1", command.get_display_name().unwrap_or(command.get_name())));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    command.get_subcommands().filter(|inner| inner.get_name() != "help").try_for_each(|inner| write_pages(inner, dir))
}

/// A page for `man`: the sections of `clap_mangen`, but a synopsis of one line, and the examples as they stand.
fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let notes = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let source = concat!("transect ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone().override_usage(usage)).source(source).manual("transect");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    roff_of(&notes).to_writer(&mut page)?;
    Ok(page)
}

/// What stands at the end of a help: lines below a heading such as `Examples:` keep their breaks and spaces.
fn roff_of(notes: &str) -> Roff {
    let mut roff = Roff::new();
    for paragraph in notes.split("\n\n") {
        match paragraph.split_once(":\n") {
            Some((heading, lines)) if lines.starts_with(' ') => {
                roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
                lines.lines().for_each(|line| _ = roff.text([roman(line)]));
                roff.control("fi", []);
            }
            _ => _ = roff.control("SH", ["NOTES"]).text([roman(paragraph)]),
        }
    }
    roff
}
