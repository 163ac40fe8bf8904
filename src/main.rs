//! The command line; all of it is in `cli`, which uses only what the library offers everyone.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
