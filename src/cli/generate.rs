//! `transect generate`: what packagers need, from the same types that parse the arguments.

use std::fs;

use anyhow::Context;

use super::args::{Generate, GenerateArgs};
use super::exit::Exit;
use super::output;

pub fn run(args: &GenerateArgs) -> anyhow::Result<Exit> {
    let mut command = super::command();
    match &args.what {
        Generate::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "transect", &mut script);
            output::print(&String::from_utf8_lossy(&script))?;
        }
        Generate::Man { dir } => {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
            clap_mangen::generate_to(command, dir)
                .with_context(|| format!("cannot write man pages to {}", dir.display()))?;
        }
    }
    Ok(Exit::Done)
}
