"""Files as DuckDB and other writers make them: each column is read as it is, or named with a way out."""

import datetime

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
from engines import DuckDB

# A value that is easily lost, for each type.
READ = {
    "BOOLEAN": "true",
    "TINYINT": "-128",
    "UBIGINT": "18446744073709551615",
    "UINTEGER": "4294967295",
    "FLOAT": "'-inf'::FLOAT",
    "DECIMAL(4,2)": "-99.99",
    "DECIMAL(9,2)": "1234567.89",
    "DECIMAL(18,4)": "-12345678901234.5678",
    "DECIMAL(38,10)": "9999999999999999999999999999.9999999999",
    "DATE": "DATE '9999-12-31'",
    "TIME": "TIME '23:59:59.999999'",
    "TIMESTAMP": "TIMESTAMP '1600-01-01 00:00:00.000001'",
    "TIMESTAMP_S": "TIMESTAMP '9999-12-31 23:59:59'",
    "TIMESTAMP_MS": "TIMESTAMP '1600-02-29 23:59:59.999'",
    "TIMESTAMP_NS": "TIMESTAMP_NS '2262-04-11 00:00:00.000000001'",
    "TIMESTAMPTZ": "TIMESTAMPTZ '1969-12-31 23:59:59+00'",
    "ENUM('low', 'high')": "'high'",
    "VARCHAR": "''",
    "BLOB": "'\\xFF\\x00'::BLOB",
}


def written(path, kind, value):
    path.parent.mkdir(exist_ok=True)
    with duckdb.connect() as connection:
        rows = f"SELECT '20240102' AS trade_date, CAST({value} AS {kind}) AS x UNION ALL SELECT '20240103', NULL"
        connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")


@pytest.mark.parametrize("kind", READ)
def test_a_type_of_duckdb_comes_out_as_it_went_in(tmp_path, kind):
    written(tmp_path / "source" / "A.parquet", kind, READ[kind])
    transect.build(tmp_path / "source", tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    expected = DuckDB().panel(transect.inputs(tmp_path / "source"), "trade_date")
    actual = DuckDB().read(transect.sections(tmp_path / "out").values())
    transect.assert_same(expected, actual, kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UUID", "'00112233-4455-6677-8899-aabbccddeeff'"),
        ("INTERVAL", "INTERVAL 1 MONTH"),
        ("INTEGER[]", "[1, 2]"),
        ("STRUCT(a INTEGER)", "{'a': 1}"),
        ("MAP(VARCHAR, INTEGER)", "MAP {'a': 1}"),
    ],
)
def test_a_type_of_duckdb_without_a_place_is_named_and_excluded(tmp_path, kind, value):
    written(tmp_path / "source" / "A.parquet", kind, value)
    written(tmp_path / "source" / "B.parquet", "DOUBLE", "1.5")
    allowed, store = ("--allow", "skipped-files"), tmp_path / "store"
    report = transect.build(tmp_path / "source", store, *allowed, expect=transect.SKIPPED)
    reason = transect.skipped(report)["A.parquet"]
    assert "its column" in reason and "which a panel cannot hold" in reason
    assert f"`transect build SRC {store} --exclude x --force` leaves it out" in reason
    transect.build(tmp_path / "source", store, "--exclude", "x", "--force")
    assert [column["name"] for column in transect.info(store)["columns"]] == ["ts_code", "trade_date"]


def test_instants_of_96_bits_are_in_other_years_for_nobody(tmp_path):
    days = [datetime.datetime(1600, 1, 1), datetime.datetime(9999, 12, 31), datetime.datetime(1969, 12, 31, 23, 59, 59)]
    table = pa.table({"trade_date": ["20240102", "20240103", "20240104"], "x": pa.array(days, pa.timestamp("us"))})
    (tmp_path / "source").mkdir()
    pq.write_table(table, tmp_path / "source" / "A.parquet", use_deprecated_int96_timestamps=True, store_schema=False)
    transect.build(tmp_path / "source", tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    found = pa.concat_tables(pq.read_table(path) for path in transect.sections(tmp_path / "out").values())
    assert found["x"].to_pylist() == days


@pytest.mark.parametrize("compression", [None, "SNAPPY", "GZIP"])
@pytest.mark.parametrize("has_nulls", [True, False])
def test_instants_of_96_bits_by_fastparquet_which_leaves_bytes_behind_them(tmp_path, compression, has_nulls):
    fastparquet = pytest.importorskip("fastparquet")
    days = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"]).astype("M8[ns]")
    frame = pd.DataFrame({"date": days, "t": days + pd.Timedelta("1ns"), "x": [1.0, 2.0, 3.0]})
    (tmp_path / "source").mkdir()
    path = str(tmp_path / "source" / "A.parquet")
    fastparquet.write(path, frame, times="int96", has_nulls=has_nulls, compression=compression, stats=False)
    transect.build(tmp_path / "source", tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    found = pa.concat_tables(pq.read_table(path) for path in transect.sections(tmp_path / "out").values())
    assert found["t"].cast(pa.int64()).to_pylist() == list(frame["t"].astype("int64"))
    assert found["x"].to_pylist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_integers_of_128_bits_are_named_and_left_out_as_is_advised(tmp_path, kind):
    frame = pl.DataFrame({"date": ["20240102"], "wide": pl.Series([1], dtype=pl.Int128), "x": [1.5]})
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / f"A.{kind}"
    frame.write_parquet(path) if kind == "parquet" else frame.write_ipc(path)
    build = ["build", tmp_path / "source", tmp_path / "store", "--input", kind]
    told = 'its column "wide" is an integer of 128 bits, which a panel cannot hold; --exclude wide leaves it out'
    assert told in transect.run(*build, expect=1).stderr
    transect.run(*build, "--exclude", "wide")
    shown = transect.run("show", tmp_path / "store", "--date", "20240102", "--format", "csv").stdout
    assert shown == b"ts_code,date,x\nA,20240102,1.5\n"
