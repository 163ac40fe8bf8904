//! `transect generate`: what packagers need, from the same types that parse the arguments.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::{Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::args::{Generate, GenerateArgs};
use super::exit::Exit;
use super::output;

pub fn run(args: &GenerateArgs) -> anyhow::Result<Exit> {
    let command = super::command();
    match &args.what {
        Generate::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut hinted(command), "transect", &mut script);
            output::print(&with_lists(*shell, &String::from_utf8_lossy(&script)))?;
        }
        Generate::Man { dir } => {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
            let mut command = without_help(command);
            command.build();
            write_pages(&command, dir)?;
        }
    }
    Ok(Exit::Done)
}

/// In place of what clap offers in bash: options where a word begins as one, as the other shells have it, and else
/// names of files, which is what bash does by default.
const BASH: &str = r#"
_transect_offered() {
    local word kept=()
    if [[ "$2" == @* ]]; then
        local IFS=$'\n'
        for word in $(compgen -f -- "${2#@}"); do
            if [[ -d "$word" ]]; then word+=/; fi
            kept+=("@$(printf %q "$word")")
        done
        # What bash before 4 does not know.
        [[ "${#kept[@]}" -eq 1 && "${kept[0]}" == */ ]] && compopt -o nospace 2>/dev/null
    else
        _transect "$@"
        for word in "${COMPREPLY[@]}"; do
            [[ "$word" == -* && "$2" != -* ]] || kept+=("$word")
        done
    fi
    COMPREPLY=("${kept[@]}")
}
"#;

/// What fish offers for a list: the names of files behind its `@`.
const FISH: &str = "-a '(string match -q \"@*\" -- (commandline -ct); and \
                    __fish_complete_path (commandline -ct | string sub -s 2) | string replace -r \"^\" @)'";

/// `script` of `shell`, by which the names of files with lists are completed, too.
fn with_lists(shell: Shell, script: &str) -> String {
    let in_fish = |line: &str| match line {
        line if line.contains("@FILE") => format!("{line} {FISH}\n"),
        line => format!("{line}\n"),
    };
    match shell {
        Shell::Bash => {
            format!("{}{BASH}", script.replace("complete -F _transect ", "complete -F _transect_offered "))
        }
        Shell::Zsh => script.replace(":LIST|@FILE:'", ":LIST|@FILE:{compset -P @ && _files}'"),
        Shell::Fish => script.lines().map(in_fish).collect(),
        _ => script.to_owned(),
    }
}

/// `command`, its options with names of files to choose from only where they take one.
fn hinted(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_action().takes_values() {
        true if arg.get_value_hint() == ValueHint::Unknown => arg.value_hint(ValueHint::Other),
        _ => arg,
    });
    command.mut_subcommands(hinted)
}

/// `command` without the sub-commands that print helps: they have no pages.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// Writes the page of `command`, which has been built, and those of its sub-commands.
fn write_pages(command: &Command, dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(format!("{}.1", command.get_display_name().unwrap_or(command.get_name())));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    command.get_subcommands().try_for_each(|inner| write_pages(inner, dir))
}

/// A page for `man`: the sections of `clap_mangen`, but a synopsis of one line, and the examples as they stand.
fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let notes = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
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
    for paragraph in notes.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
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
