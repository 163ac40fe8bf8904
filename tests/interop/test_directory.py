"""The whole output directory, handed to each engine as a directory: the ledger in it must disturb nobody."""

import duckdb
import pandas
import polars
import pyarrow.dataset

import transect


def test_every_engine_reads_the_directory_as_it_lies(tmp_path):
    transect.run("synth", tmp_path / "in", "--stocks", 12, "--dates", 30)
    transect.run("build", tmp_path / "in", tmp_path / "store")
    out = tmp_path / "out"
    rows = transect.transpose(tmp_path / "store", out)["rows"]
    assert rows > 0
    assert polars.scan_parquet(out).collect().height == rows
    assert pyarrow.dataset.dataset(out).count_rows() == rows
    assert len(pandas.read_parquet(out)) == rows
    assert len(duckdb.sql(f"SELECT ts_code FROM '{out}/*.parquet'").fetchall()) == rows


def test_every_engine_reads_partition_directories(tmp_path):
    transect.run("synth", tmp_path / "in", "--stocks", 12, "--dates", 30)
    transect.run("build", tmp_path / "in", tmp_path / "store")
    out = tmp_path / "out"
    name = "trade_date={date}/data.parquet"
    rows = transect.transpose(tmp_path / "store", out, "--no-date", "--name", name)["rows"]
    assert polars.scan_parquet(f"{out}/**/*.parquet", hive_partitioning=True).collect().height == rows
    assert pyarrow.dataset.dataset(out, partitioning="hive").count_rows() == rows
    assert len(pandas.read_parquet(out)) == rows
    counted = duckdb.sql(f"SELECT trade_date, count(*) FROM read_parquet('{out}/**/*.parquet') GROUP BY ALL").fetchall()
    assert len(counted) == 30 and sum(count for _, count in counted) == rows
