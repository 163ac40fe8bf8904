"""The whole output directory, handed to each engine as a directory: neither the ledger in it nor the path of a file may
disturb anybody."""

import os
import shutil

import dask
import dask.dataframe
import duckdb
import fastparquet
import pandas
import polars
import pyarrow.dataset
import pyarrow.parquet
import pytest

import transect

DAYS = ["20240102", "20240103", "20240104"]
DASHED = pyarrow.array(["2024-01-02", "2024-01-03", "2024-01-04"])


def with_pandas(out):
    return pandas.read_parquet(out)


def with_pyarrow(out):
    return pyarrow.parquet.read_table(out).to_pandas()


def with_dataset(out):
    return pyarrow.dataset.dataset(out, partitioning="hive").to_table().to_pandas()


def with_polars(out):
    return polars.read_parquet(out).to_pandas()


def with_duckdb(out):
    ending = next(path.suffix for path in out.rglob("*") if path.is_file() and not path.name.startswith("."))
    return duckdb.sql(f"SELECT * FROM read_parquet('{out}/**/*{ending}')").df()


def with_dask(out):
    with dask.config.set(scheduler="synchronous"):
        return dask.dataframe.read_parquet(out).compute()


def with_fastparquet(out):
    return fastparquet.ParquetFile(str(out)).to_pandas()


READERS = [with_pandas, with_pyarrow, with_dataset, with_polars, with_duckdb, with_dask, with_fastparquet]

# For each kind of date column: its values, and how a path spells the first.
SPELLINGS = {
    "digits": (pyarrow.array(DAYS), "20240102"),
    "integers": (pyarrow.array([int(day) for day in DAYS]), "20240102"),
    "dashes": (DASHED, "2024-01-02"),
    "slashes": (pyarrow.array(["2024/01/02", "2024/01/03", "2024/01/04"]), "2024-01-02"),
    "dates": (DASHED.cast(pyarrow.date32()), "2024-01-02"),
    "timestamps": (DASHED.cast(pyarrow.timestamp("ns")), "2024-01-02"),
}


def store_of(tmp_path, dates):
    """A store of two stocks on three dates."""
    tables = {code: pyarrow.table({"trade_date": dates, "close": [start, start + 1, start + 2]})
              for code, start in (("AAPL", 1.0), ("MSFT", 4.0))}
    source = transect.write_panel(tmp_path / "in", tables)
    transect.build(source, tmp_path / "store")
    return tmp_path / "store"


def plain_days(column):
    """Dates as 20240102, whatever a reader takes them for."""
    return [str(value)[:10].replace("-", "").replace("/", "") for value in column.tolist()]


def assert_whole(frame, columns):
    assert sorted(map(str, frame.columns)) == sorted(columns)
    rows = sorted(zip(map(str, frame["ts_code"]), plain_days(frame["trade_date"]), map(float, frame["close"])))
    assert rows == [(code, day, start + place) for code, start in (("AAPL", 1.0), ("MSFT", 4.0))
                    for place, day in enumerate(DAYS)]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_hive_layout_is_one_table(tmp_path, spelling, reader):
    dates, spelt = SPELLINGS[spelling]
    out = tmp_path / "lake"
    transect.transpose(store_of(tmp_path, dates), out, "--name", "trade_date={date}/data.parquet")
    assert (out / f"trade_date={spelt}" / "data.parquet").exists()
    assert_whole(reader(out), ["ts_code", "trade_date", "close"])


# Pattern, further columns that readers find in the path, and who cannot read it for reasons of its own.
LAYOUTS = {
    "{date}.parquet": ([], []),
    "daily/{date}.parquet": ([], ["with_fastparquet"]),
    "year=2024/{date}.parquet": (["year"], []),
    "market=us/trade_date={date}/part-0.parquet": (["market"], []),
    "lake/v1/trade_date={date}/x.parquet": ([], []),
    "date={date}/data.parquet": (["date"], []),
    "trade_date={date}/inner/x.parquet": ([], []),
    "trade_date={date}.parquet": ([], []),
    # fastparquet makes columns of all directories.
    "{date}/data.parquet": ([], ["with_fastparquet"]),
    # fastparquet reads files called *.parquet alone.
    "{date}.pq": ([], ["with_fastparquet"]),
    "trade_date={date}/x.pq": ([], ["with_fastparquet"]),
}


@pytest.mark.parametrize("pattern", LAYOUTS)
def test_no_layout_has_anything_in_a_readers_way(tmp_path, pattern):
    others, unable = LAYOUTS[pattern]
    out = tmp_path / "lake"
    transect.transpose(store_of(tmp_path, SPELLINGS["digits"][0]), out, "--name", pattern)
    for reader in READERS:
        if reader.__name__ not in unable:
            assert_whole(reader(out), ["ts_code", "trade_date", "close", *others])


def test_an_arrow_layout_is_one_table(tmp_path):
    store = store_of(tmp_path, SPELLINGS["dates"][0])
    for name in ("{date}.arrow", "trade_date={date}/data.arrow"):
        out = tmp_path / name.replace("/", " ")
        transect.transpose(store, out, "--format", "arrow", "--name", name)
        dataset = pyarrow.dataset.dataset(out, format="ipc", partitioning="hive").to_table().to_pandas()
        assert_whole(dataset, ["ts_code", "trade_date", "close"])
        assert_whole(polars.scan_ipc(out, hive_partitioning="/" in name).collect().to_pandas(),
                     ["ts_code", "trade_date", "close"])


def test_no_category_is_left_over_from_the_ledger_where_readers_look_at_rows(tmp_path):
    out = tmp_path / "lake"
    transect.transpose(store_of(tmp_path, SPELLINGS["digits"][0]), out, "--name", "trade_date={date}/data.parquet")
    for reader in (with_pandas, with_pyarrow, with_fastparquet):
        assert sorted(plain_days(reader(out)["trade_date"].cat.categories)) == DAYS, reader.__name__


def test_spark_reads_the_directory(tmp_path):
    pyspark = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("there is no Java")
    spark = pyspark.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        store = store_of(tmp_path, SPELLINGS["dates"][0])
        # Spark takes braces in a path for a pattern.
        for out, name in ((tmp_path / "flat", "{date}.parquet"), (tmp_path / "hive", "trade_date={date}/data.parquet")):
            transect.transpose(store, out, "--name", name)
            rows = spark.read.parquet(str(out)).select("ts_code", "trade_date", "close").collect()
            found = sorted((row.ts_code, row.trade_date.strftime("%Y%m%d"), row.close) for row in rows)
            assert found[0] == ("AAPL", "20240102", 1.0) and len(found) == 6
    finally:
        spark.stop()


def test_every_engine_reads_a_panel_as_it_lies(tmp_path):
    transect.run("synth", tmp_path / "in", "--stocks", 12, "--dates", 30)
    transect.run("build", tmp_path / "in", tmp_path / "store")
    for name in ("{date}.parquet", "trade_date={date}/data.parquet"):
        out = tmp_path / name.replace("/", " ")
        rows = transect.transpose(tmp_path / "store", out, "--name", name)["rows"]
        assert rows > 0
        for reader in READERS:
            assert len(reader(out)) == rows, reader.__name__


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("options", [(), ("--by", "all"), ("--by", "month"), ("--by", "year")])
def test_texts_that_repeat_in_one_file_and_in_another_do_not(tmp_path, read, options):
    """fastparquet loses texts of a column that has a dictionary in some pages and none in others, whatever file they are
    in: the last month has one date, on which no code is there twice."""
    codes = [f"S{n:03}" for n in range(300)]
    texts = {day: [["all alike", f"{n % 3}", f"{n}", None if n % 2 else f"{n}"][which] for n in range(300)]
             for which, day in enumerate(["20240102", "20240103", "20240104", "20240105"])}
    texts["20240201"] = [None] * 300
    tables = {code: pyarrow.table({"trade_date": list(texts), "t": [texts[day][n] for day in texts]})
              for n, code in enumerate(codes)}
    transect.build(transect.write_panel(tmp_path / "in", tables), tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out", *options)
    found = read(tmp_path / "out").sort_values(["trade_date", "ts_code"])
    assert found["ts_code"].astype(str).tolist() == codes * len(texts)
    found = [None if pandas.isna(text) else str(text) for text in found["t"]]
    assert found == [text for day in texts for text in texts[day]]
