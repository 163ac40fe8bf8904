"""One schema for the panel, from files that differ."""

import datetime
from decimal import Decimal

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import transect
from engines import DuckDB, Polars, PyArrow

DAYS = ["20240102", "20240103", "20240104"]


def table(**columns):
    return pa.table({"trade_date": pa.array(DAYS)} | columns)


def outputs(tmp_path, tables, *options, expect=transect.DONE):
    source = transect.write_panel(tmp_path / "source", tables)
    report = transect.build(source, tmp_path / "store", *options, expect=expect)
    transect.transpose(tmp_path / "store", tmp_path / "out")
    transect.verify(tmp_path / "store", "--source", source, "--output", tmp_path / "out", expect=expect)
    return report, transect.inputs(source), transect.sections(tmp_path / "out").values()


@pytest.mark.parametrize("engine", [PyArrow(), Polars(), DuckDB()], ids=lambda engine: engine.name)
def test_a_missing_column_is_null_in_that_stocks_rows(tmp_path, engine):
    tables = {
        "A": table(x=pa.array([1.0, None, 3.0]), y=pa.array(["a", "b", "c"])),
        "B": table(z=pa.array([7, 8, 9]), x=pa.array([4.0, 5.0, 6.0])),
    }
    _, files, found = outputs(tmp_path, tables)
    actual = engine.read(found)
    assert actual.column_names == ["ts_code", "trade_date", "x", "y", "z"]
    transect.assert_same(engine.panel(files, "trade_date"), actual, engine.name)


@pytest.mark.parametrize("engine", [PyArrow(), Polars(), DuckDB()], ids=lambda engine: engine.name)
def test_integers_join_doubles(tmp_path, engine):
    tables = {"A": table(x=pa.array([1.5, None, -0.0])), "B": table(x=pa.array([1, 2**53, -3]))}
    _, files, found = outputs(tmp_path, tables)
    transect.assert_same(engine.panel(files, "trade_date"), engine.read(found), engine.name)


def test_integers_that_no_double_holds_refuse_the_rarer_type(tmp_path):
    tables = {
        "A": table(x=pa.array([1.5, 2.5, 3.5])),
        "B": table(x=pa.array([0.5, 2.5, 3.5])),
        "C": table(x=pa.array([2**53 + 1, 2, 3])),
    }
    report, _, found = outputs(tmp_path, tables, expect=transect.SKIPPED)
    assert "x" in transect.skipped(report)["C.parquet"]
    assert PyArrow().read(found)["x"].type == pa.float64()


MEETINGS = {
    "int8 and int32": (pa.array([1, 2, None], pa.int8()), pa.array([2**31 - 1, 5, 6], pa.int32()), pa.int32()),
    "ms and us": (
        pa.array([datetime.datetime(2024, 1, 2, 9, 30)] * 3, pa.timestamp("ms")),
        pa.array([datetime.datetime(2024, 1, 2, 9, 30, 0, 7)] * 3, pa.timestamp("us")),
        pa.timestamp("us"),
    ),
    "null and double": (pa.nulls(3), pa.array([1.5, None, 2.5]), pa.float64()),
    "null and string": (pa.nulls(3), pa.array(["a", None, "c"]), pa.string()),
    "string and large string": (pa.array(["a", "b", None]), pa.array(["c", "d", "e"], pa.large_string()), pa.string()),
    "float and double": (pa.array([0.1, 0.2, None], pa.float32()), pa.array([0.1, 0.2, 0.3]), pa.float64()),
}


@pytest.mark.parametrize("name", MEETINGS)
def test_types_meet_at_the_smallest_that_holds_both(tmp_path, name):
    left, right, meeting = MEETINGS[name]
    _, _, found = outputs(tmp_path, {"A": table(x=left), "B": table(x=right)})
    actual = PyArrow().read(found)
    values = [value for pair in zip(left.cast(meeting).to_pylist(), right.cast(meeting).to_pylist()) for value in pair]
    transect.assert_same_array(pa.array(values, meeting), actual["x"], name)


def test_types_that_do_not_meet_refuse_the_rarer_files(tmp_path):
    tables = {code: table(x=pa.array([1.0, 2.0, 3.0])) for code in "ABC"}
    tables["D"] = table(x=pa.array(["1.0", "2.0", "n/a"]))
    report, _, found = outputs(tmp_path, tables, expect=transect.SKIPPED)
    assert set(transect.skipped(report)) == {"D.parquet"}
    assert "x" in transect.skipped(report)["D.parquet"]
    assert set(PyArrow().read(found)["ts_code"].to_pylist()) == {"A", "B", "C"}
    transect.run("build", tmp_path / "source", tmp_path / "strict", "--strict", expect=transect.FAILED)


def test_a_cast_decides_by_hand(tmp_path):
    tables = {"A": table(x=pa.array([1.0, 2.0, 3.0])), "B": table(x=pa.array(["1.5", "2.5", None]))}
    _, _, found = outputs(tmp_path, tables, "--cast", "x=double")
    assert PyArrow().read(found)["x"].to_pylist() == [1.0, 1.5, 2.0, 2.5, 3.0, None]


def test_decimals_stay_decimals_in_every_engine(tmp_path):
    prices = pa.array([Decimal("10.0100"), None, Decimal("-0.0001")], pa.decimal128(20, 4))
    _, files, found = outputs(tmp_path, {"A": table(x=prices), "B": table(x=prices)})
    for engine in (PyArrow(), Polars(), DuckDB()):
        actual = engine.read(found)
        assert actual["x"].type == pa.decimal128(20, 4), engine.name
        transect.assert_same(engine.panel(files, "trade_date"), actual, engine.name)
    assert pl.concat([pl.read_parquet(path) for path in found])["x"].dtype == pl.Decimal(20, 4)
    assert duckdb.read_parquet([str(path) for path in found]).types[2] == "DECIMAL(20,4)"


def test_a_file_of_zero_rows_is_an_empty_series(tmp_path):
    empty = pa.table({"trade_date": pa.nulls(0), "x": pa.nulls(0), "only_here": pa.nulls(0)})
    report, _, found = outputs(tmp_path, {"A": table(x=pa.array([1.0, 2.0, None])), "B": empty})
    assert "B" in str(report)
    actual = PyArrow().read(found)
    assert set(actual["ts_code"].to_pylist()) == {"A"}
    assert actual["x"].type == pa.float64()


def test_a_code_column_must_agree_with_the_file_name(tmp_path):
    codes = {code: pa.array([code] * 3) for code in ("A", "B")}
    right = table(ts_code=codes["A"], x=pa.array([1.0, 2.0, 3.0]))
    wrong = table(ts_code=pa.array(["B", "B", "Z"]), x=pa.array([1.0, 2.0, 3.0]))
    report, _, found = outputs(tmp_path, {"A": right, "B": wrong}, expect=transect.SKIPPED)
    assert "Z" in transect.skipped(report)["B.parquet"]
    assert PyArrow().read(found).column_names == ["ts_code", "trade_date", "x"]


def test_the_code_column_has_the_name_one_gives_it(tmp_path):
    _, _, found = outputs(tmp_path, {"A": table(x=pa.array([1.0, 2.0, 3.0]))}, "--code-column", "symbol")
    assert PyArrow().read(found).column_names == ["symbol", "trade_date", "x"]


def test_columns_are_chosen_at_build(tmp_path):
    tables = {"A": table(x=pa.array([1.0, 2.0, 3.0]), y=pa.array([1, 2, 3]), z=pa.array(["a", "b", "c"]))}
    source = transect.write_panel(tmp_path / "source", tables)
    for options, names in ((("--columns", "z,x"), ["x", "z"]), (("--exclude", "y"), ["x", "z"])):
        home = tmp_path / options[0].strip("-")
        transect.build(source, home / "store", *options)
        transect.transpose(home / "store", home / "out")
        actual = PyArrow().read(transect.sections(home / "out").values())
        assert actual.column_names[:2] == ["ts_code", "trade_date"] and sorted(actual.column_names[2:]) == names


def test_an_unnamed_range_index_is_left_out(tmp_path):
    tables = {"A": table(x=pa.array([1.0, 2.0, 3.0]), __index_level_0__=pa.array([0, 1, 2]))}
    _, _, found = outputs(tmp_path, tables)
    assert PyArrow().read(found).column_names == ["ts_code", "trade_date", "x"]


def test_equal_rows_merge_and_others_refuse_the_file(tmp_path):
    days = pa.array(["20240102", "20240103", "20240103"])
    same = pa.table({"trade_date": days, "x": pa.array([1.0, float("nan"), float("nan")])})
    other = pa.table({"trade_date": days, "x": pa.array([1.0, 0.0, -0.0])})
    source = transect.write_panel(tmp_path / "source", {"A": same, "B": other})

    report = transect.build(source, tmp_path / "store", expect=transect.SKIPPED)
    assert set(transect.skipped(report)) == {"B.parquet"}
    reason = transect.skipped(report)["B.parquet"].replace("-", "").replace("/", "")
    assert "20240103" in reason

    for policy, sign in (("first", "0.0"), ("last", "-0.0")):
        transect.build(source, tmp_path / policy, "--duplicates", policy)
        transect.transpose(tmp_path / policy, tmp_path / f"out-{policy}")
        actual = PyArrow().read(transect.sections(tmp_path / f"out-{policy}").values())
        assert actual["ts_code"].to_pylist() == ["A", "B", "A", "B"]
        assert str(actual["x"][3].as_py()) == sign
