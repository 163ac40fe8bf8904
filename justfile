# `just` lists what can be done; each recipe is one line to type by hand where just is not installed.

python := env("TRANSECT_VENV", ".venv") / "bin/python"

# What is here.
default:
    @just --list

# Everything that must hold before a change goes in; what continuous integration runs.
check:
    tools/check

# The criterion benches, one a stage.
bench *arguments:
    cargo bench --locked {{ arguments }}

# transect against DuckDB, Polars and per-date re-reading, on the full-size panel unless told otherwise.
compare *arguments:
    cargo build --release --locked
    {{ python }} tools/compare {{ arguments }}

# A small panel made, built, transposed and verified.
demo *arguments:
    cargo run --release --locked -- demo {{ arguments }}
