//! The command line; all of it is in the library's `cli`, which uses only what the library offers everyone.

fn main() -> std::process::ExitCode {
    transect::cli::main(std::env::args_os()).into()
}
