"""The whole job of transect as others do it; tools/compare runs each in a process of its own and measures that.

    rivals.py duckdb SRC OUT
    rivals.py polars SRC OUT
    rivals.py reread SRC OUT DATE...

Each reads the per-stock files of a panel under SRC and writes OUT/{date}.parquet, snappy, rows by code, and by time where
there is such a column. Of the ways
to do so that were tried on the full-size panel these were the fastest that write one file per date in order:

- DuckDB: a sorted table, then one COPY per date from as many cursors as there are cores. (COPY with PARTITION_BY took half
  as long again and did not keep the rows of a date in order.)
- Polars: collect, one stable sort by date (files are scanned by code, so codes and times are in order already), slices. (A sort by
  both keys, and partition_by, took longer; sink_parquet with PartitionBy took ten times as long.)
- reread: what the pipeline did before: for each date, every stock's file again.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def files_of(source):
    return [str(path) for path in sorted(source.glob("*.parquet"))]


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def duckdb(source, out):
    import duckdb

    connection = duckdb.connect()
    files = files_of(source)
    columns = [row[0] for row in connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", files[:1]).fetchall()]
    time = ", time" if "time" in columns else ""
    connection.execute(
        f"""CREATE TABLE panel AS
           SELECT parse_filename(filename, true) AS ts_code, * EXCLUDE (filename)
           FROM read_parquet(?, filename = true) ORDER BY trade_date, ts_code{time}""",
        [files],
    )
    dates = [row[0] for row in connection.execute("SELECT DISTINCT trade_date FROM panel").fetchall()]

    def write(date):
        connection.cursor().execute(
            f"""COPY (SELECT * FROM panel WHERE trade_date = '{date}')
                TO '{out}/{date}.parquet' (FORMAT parquet, COMPRESSION snappy)"""
        )

    # One thread a query, one query a core: a section is too small to be worth dividing.
    connection.execute("SET threads = 1")
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(write, dates))


def polars(source, out):
    import polars as pl

    panel = (
        pl.scan_parquet(files_of(source), include_file_paths="path", glob=False)
        .select(pl.col("path").str.extract(r"([^/]+)\.parquet$").alias("ts_code"), pl.all().exclude("path"))
        .collect()
        .sort("trade_date", maintain_order=True)
    )
    sections = panel.group_by("trade_date", maintain_order=True).len()
    starts = sections["len"].cum_sum().shift(1, fill_value=0)

    def write(section):
        date, start, rows = section
        panel.slice(start, rows).write_parquet(f"{out}/{date}.parquet", compression="snappy")

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(write, zip(sections["trade_date"], starts, sections["len"])))


def reread(source, out, *dates):
    import pandas as pd

    files = files_of(source)
    for date in dates:
        parts = []
        for file in files:
            frame = pd.read_parquet(file)
            frame = frame[frame["trade_date"] == date]
            if len(frame):
                frame.insert(0, "ts_code", Path(file).stem)
                parts.append(frame)
        pd.concat(parts, ignore_index=True).to_parquet(out / f"{date}.parquet", index=False)


if __name__ == "__main__":
    name, source, out, *rest = sys.argv[1:]
    Path(out).mkdir(parents=True)
    {"duckdb": duckdb, "polars": polars, "reread": reread}[name](Path(source), Path(out), *rest)
