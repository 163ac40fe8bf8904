"""Every way out but the usual one, read back by each engine and compared with what that engine computes from the inputs:
files of a period, of everything, of a stock; comma-separated values; matrices."""

import csv
import io
from urllib.parse import quote

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import test_directory
import transect
from engines import CODE, ENGINES, PyArrow

WHOLE = PyArrow()


def files(out, suffix="parquet"):
    return sorted(path for path in out.rglob(f"*.{suffix}") if not path.name.startswith("."))


@pytest.mark.parametrize("by", ["month", "year", "all"])
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_periods_in_turn_are_the_panel_by_date_and_code(panel, tmp_path, by, engine):
    transect.transpose(panel.store, tmp_path / "out", "--by", by)
    found = files(tmp_path / "out")
    days = transect.days(WHOLE.panel(panel.files, panel.date)[panel.date]).to_pylist()
    names = {"month": {day.strftime("%Y%m") for day in days}, "year": {day.strftime("%Y") for day in days}, "all": {"all"}}
    assert [path.stem for path in found] == sorted(names[by])
    transect.assert_same(engine.panel(panel.files, panel.date), engine.read(found), engine.name)


@pytest.mark.parametrize("value", [pa.string(), pa.large_string()], ids=str)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_categories_that_begin_within_a_period_are_read_as_such(tmp_path, value, form):
    days = [f"202401{day:02}" for day in range(1, 11)]
    kinds = [None] * 5 + ["bank", "steel", None, "bank", "gas"]

    def write(columns):
        for code in ["A", "B"]:
            pq.write_table(pa.table({"trade_date": days, **columns}), tmp_path / "source" / f"{code}.parquet")

    (tmp_path / "source").mkdir()
    write({"x": range(10)})
    transect.build(tmp_path / "source", tmp_path / "store")
    write({"x": range(10), "kind": pa.array(kinds, value).dictionary_encode()})
    transect.run("update", tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out", "--by", "month", "--format", form)
    [file] = files(tmp_path / "out", form)
    read = pq.read_table(file) if form == "parquet" else pa.ipc.open_file(file).read_all()
    read.validate(full=True)
    expected = [kind for kind in kinds for _ in range(2)]
    assert pa.types.is_dictionary(read.schema.field("kind").type) and read["kind"].to_pylist() == expected
    assert all(len(set(texts)) == len(texts) for texts in (chunk.dictionary.to_pylist() for chunk in read["kind"].chunks))
    transect.run("verify", tmp_path / "store", "--output", tmp_path / "out")


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_file_a_stock_has_its_rows_by_date(panel, tmp_path, engine):
    transect.transpose(panel.store, tmp_path / "out", "--by", "stock")
    found = files(tmp_path / "out")
    assert [path.stem for path in found] == [code for code, _ in panel.files]
    expected = engine.panel(panel.files, panel.date)
    order = pc.sort_indices(pa.table({"code": transect.plain(expected[CODE]), "day": transect.days(expected[panel.date])}),
                            [("code", "ascending"), ("day", "ascending")])
    transect.assert_same(expected.take(order), engine.read(found), engine.name)


def test_by_stock_and_back_gives_the_same_store(panel, tmp_path):
    transect.transpose(panel.store, tmp_path / "stocks", "--by", "stock")
    transect.build(tmp_path / "stocks", tmp_path / "again")
    transect.transpose(tmp_path / "again", tmp_path / "dates")
    transect.assert_same(WHOLE.panel(panel.files, panel.date), WHOLE.read(transect.sections(tmp_path / "dates").values()))


# Codes are numbers, and look like what readers make of paths.
@pytest.mark.parametrize("pattern", ["year={year}/month={month}/{date}.parquet", "{date:%Y-%m-%d}.parquet",
                                     "y={year}/{date:%d %b %Y}.parquet"])
@pytest.mark.parametrize("reader", test_directory.READERS)
def test_layouts_of_parts_of_a_date_are_one_table(tmp_path, pattern, reader):
    store = test_directory.store_of(tmp_path, test_directory.SPELLINGS["dates"][0])
    transect.transpose(store, tmp_path / "lake", "--name", pattern)
    others = [part.split("=")[0] for part in pattern.split("/")[:-1]]
    test_directory.assert_whole(reader(tmp_path / "lake"), ["ts_code", "trade_date", "close", *others])


@pytest.mark.parametrize("by, pattern, others", [
    ("month", "{date}.parquet", []), ("year", "year={year}/all.parquet", ["year"]),
    ("month", "year={year}/month={month}/data.parquet", ["year", "month"]), ("all", "all.parquet", []),
    ("stock", "{code}.parquet", []), ("stock", "stock={code}/data.parquet", ["stock"]),
])
@pytest.mark.parametrize("reader", test_directory.READERS)
def test_a_directory_of_any_partition_is_one_table(tmp_path, by, pattern, others, reader):
    store = test_directory.store_of(tmp_path, test_directory.SPELLINGS["dates"][0])
    transect.transpose(store, tmp_path / "lake", "--by", by, "--name", pattern)
    test_directory.assert_whole(reader(tmp_path / "lake"), ["ts_code", "trade_date", "close", *others])


@pytest.mark.parametrize("reader", test_directory.READERS)
def test_the_code_of_a_path_is_the_column(tmp_path, reader):
    store = test_directory.store_of(tmp_path, test_directory.SPELLINGS["dates"][0])
    transect.transpose(store, tmp_path / "lake", "--by", "stock", "--name", "ts_code={code}/data.parquet")
    test_directory.assert_whole(reader(tmp_path / "lake"), ["ts_code", "trade_date", "close"])


@pytest.mark.parametrize("reader", test_directory.READERS)
def test_a_code_of_digits_stays_text_under_another_name(tmp_path, reader):
    day = pa.table({"trade_date": ["20240102"], "close": [1.0]})
    source = transect.write_panel(tmp_path / "in", {"000001": day, "600519": day})
    transect.build(source, tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "lake", "--by", "stock", "--name", "code={code}/data.parquet")
    assert sorted(reader(tmp_path / "lake")["ts_code"]) == ["000001", "600519"]


# All that Hive encodes in the value of a directory, and what nobody does.
HIVE = ["GC=F", "B/C", "a%b", "a?b*c", "x:y", 'q"q\'q#q', "b\\{[x]^", "plain }平_$"]


@pytest.mark.parametrize("name", ["ts_code", "code"])
@pytest.mark.parametrize("reader", test_directory.READERS)
def test_codes_that_hive_encodes_are_one_table(tmp_path, name, reader):
    if reader is test_directory.with_fastparquet and name == "ts_code":
        pytest.skip("fastparquet does not decode what paths have")
    source = tmp_path / "in"
    for place, code in enumerate(HIVE):
        directory = source / f"symbol={quote(code, safe=' ')}"
        directory.mkdir(parents=True)
        pq.write_table(pa.table({"trade_date": ["20240102"], "close": [float(place)]}), directory / "x.parquet")
    transect.build(source, tmp_path / "store", "--pattern", "symbol={code}/x.parquet")
    lake, pattern = tmp_path / "lake", f"{name}={{code}}/data.parquet"
    transect.transpose(tmp_path / "store", lake, "--by", "stock", "--name", pattern)
    frame = reader(lake)
    assert sorted(frame.columns) == sorted({"ts_code", name, "trade_date", "close"})
    assert dict(zip(map(str, frame["ts_code"]), frame["close"])) == {code: place for place, code in enumerate(HIVE)}
    transect.build(lake, tmp_path / "again", "--pattern", pattern)
    transect.transpose(tmp_path / "again", tmp_path / "dates")
    [found] = transect.sections(tmp_path / "dates").values()
    assert sorted(pq.read_table(found)["ts_code"].to_pylist()) == sorted(HIVE)


@pytest.mark.parametrize("name", ["{code}/d.parquet", "x/{code}/{code}.parquet", "a{code}/d.parquet"])
@pytest.mark.parametrize("reader", test_directory.READERS)
def test_an_equals_sign_in_a_code_makes_no_column_of_a_directory(tmp_path, name, reader):
    codes = ["AA", "GC=F", "=", "SI=F"]
    day = pa.table({"trade_date": ["20240102"], "close": [1.0]})
    transect.build(transect.write_panel(tmp_path / "in", {code: day for code in codes}), tmp_path / "store")
    lake = tmp_path / "lake"
    transect.transpose(tmp_path / "store", lake, "--by", "stock", "--name", name)
    frame = reader(lake)
    # To fastparquet each directory is a column, whatever it is called.
    assert sorted(c for c in frame.columns if not c.startswith("dir")) == ["close", "trade_date", "ts_code"]
    assert sorted(map(str, frame["ts_code"])) == sorted(codes)
    transect.build(lake, tmp_path / "again", "--pattern", name)
    transect.transpose(tmp_path / "again", tmp_path / "dates")
    [found] = transect.sections(tmp_path / "dates").values()
    assert sorted(pq.read_table(found)["ts_code"].to_pylist()) == sorted(codes)


AWKWARD = [0.1, -0.0, 1e-320, 1.7976931348623157e308, 123456789.123456789, float("inf"), float("-inf"), float("nan"), None, 5e-324]
TEXTS = ["plain", 'with "quotes"', "a,b", "line\nbreak", "平安", " spaced ", "", None, "NaN", "\r"]


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    home = tmp_path_factory.mktemp("awkward")
    days = [f"2024-01-{day:02}" for day in range(1, 11)]
    table = pa.table({"date": days, "x": pa.array(AWKWARD, pa.float64()), "f": pa.array(AWKWARD, pa.float64()).cast(pa.float32()),
                      "t": TEXTS, "n": pa.array([2**63 - 1, None] * 5), "b": pa.array([True, None] * 5)})
    transect.build(transect.write_panel(home / "in", {"A, B": table, "C": table}), home / "store")
    report = transect.transpose(home / "store", home / "csv", "--format", "csv", "--by", "all")
    return table, home / "csv" / "all.csv", report


def same_doubles(expected, found):
    expected, found = np.asarray(expected, dtype="f8"), np.asarray(found, dtype="f8")
    assert expected.tobytes() == np.where(np.isnan(found), np.nan, found).tobytes()


def test_csv_is_read_back_exactly(awkward):
    table, path, report = awkward
    assert report["notes"] == ["in csv an empty text looks like a null: there are some in t"]
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["ts_code", "date", "x", "f", "t", "n", "b"]
    assert [row[0] for row in rows[1:]] == ["A, B", "C"] * 10
    assert [row[1] for row in rows[1::2]] == table["date"].to_pylist()
    assert [row[4] for row in rows[1::2]] == [text or "" for text in TEXTS]
    assert [row[5] for row in rows[1::2]] == ["9223372036854775807", ""] * 5
    assert [row[6] for row in rows[1::2]] == ["true", ""] * 5
    # Python reads the shortest digits as the double that they were.
    same_doubles([np.nan if x is None else x for x in AWKWARD], [float(row[2]) if row[2] else np.nan for row in rows[1::2]])
    assert [rows[1 + 2 * at][2] for at in (1, 7, 8)] == ["-0.0", "NaN", ""]


def test_engines_read_csv(awkward):
    table, path, _ = awkward
    expected = [np.nan if x is None else x for x in AWKWARD]
    same_doubles(expected, pd.read_csv(path, float_precision="round_trip")["x"][::2])
    same_doubles(expected, pl.read_csv(path)["x"].fill_null(np.nan)[::2])
    newlines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    same_doubles(expected, pyarrow.csv.read_csv(path, parse_options=newlines)["x"].to_pandas()[::2])
    found = duckdb.sql(f"SELECT x FROM read_csv('{path}', columns={{'ts_code': 'VARCHAR', 'date': 'DATE', 'x': 'DOUBLE', 'f': 'FLOAT', 't': 'VARCHAR', 'n': 'BIGINT', 'b': 'BOOLEAN'}})")
    same_doubles(expected, [np.nan if x is None else x for (x,) in found.fetchall()][::2])


def matrix_of(panel, column):
    table = WHOLE.panel(panel.files, panel.date)
    frame = table.select([panel.date, CODE, column]).to_pandas()
    return frame.pivot(index=panel.date, columns=CODE, values=column)


READ = {
    "pandas": lambda path, date: pd.read_parquet(path).set_index(date),
    "pyarrow": lambda path, date: pq.read_table(path).to_pandas().set_index(date),
    "polars": lambda path, date: pl.read_parquet(path).to_pandas().set_index(date),
    "duckdb": lambda path, date: duckdb.sql(f"SELECT * FROM '{path}'").df().set_index(date),
}


@pytest.mark.parametrize("engine", READ)
def test_a_matrix_has_a_row_a_date_and_a_column_a_stock(panel, tmp_path, engine):
    names = WHOLE.panel(panel.files, panel.date).column_names[2:4]
    report = transect.transpose(panel.store, tmp_path / "out", "--matrix", ",".join(names))
    assert report["written"] == 2
    for name in names:
        expected = matrix_of(panel, name)
        found = READ[engine](tmp_path / "out" / f"{name}.parquet", panel.date)
        assert list(found.columns) == list(expected.columns) and list(map(str, found.index)) == list(map(str, expected.index))
        same_doubles(expected.to_numpy(float), found.to_numpy(float, na_value=np.nan))
    transect.verify(panel.store, "--output", tmp_path / "out")


def test_a_matrix_keeps_the_type_and_tells_nulls(tmp_path):
    days = ["20240102", "20240103"]
    tables = {"A": pa.table({"trade_date": days, "n": pa.array([1, 2]), "t": ["x", None]}),
              "B": pa.table({"trade_date": days[1:], "n": pa.array([None], pa.int64()), "t": [""]})}
    transect.build(transect.write_panel(tmp_path / "in", tables), tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out", "--matrix", "n,t")
    assert pq.read_table(tmp_path / "out" / "n.parquet").to_pydict() == {"trade_date": days, "A": [1, 2], "B": [None, None]}
    assert pq.read_table(tmp_path / "out" / "t.parquet").to_pydict() == {"trade_date": days, "A": ["x", None], "B": [None, ""]}


def test_a_universe_is_point_in_time(panel, tmp_path):
    whole = WHOLE.panel(panel.files, panel.date)
    days = transect.days(whole[panel.date])
    # Every third row belongs.
    belongs = pa.array([row % 3 == 0 for row in range(len(whole))])
    members = pa.table({"date": days, "code": whole[CODE]}).filter(belongs)
    pq.write_table(members, tmp_path / "members.parquet")
    for options in ([], ["--by", "month"]):
        out = tmp_path / "-".join(["out", *options])
        transect.transpose(panel.store, out, "--universe", tmp_path / "members.parquet", *options)
        transect.assert_same(whole.filter(belongs), WHOLE.read(files(out)))
        again = transect.transpose(panel.store, out, "--universe", tmp_path / "members.parquet", *options)
        assert again["written"] == 0
        transect.verify(panel.store, "--output", out)
    # Another membership on one date makes its file, and no other, out of date.
    pq.write_table(members.slice(0, len(members) - 1), tmp_path / "members.parquet")
    out = tmp_path / "out"
    report = transect.transpose(panel.store, out, "--universe", tmp_path / "members.parquet")
    assert (report["written"], report["notes"]) == (1, again["notes"])
    # Codes that the store lacks may be slips, or of another market.
    strangers = pa.table({"date": pa.array(days)[:2], "code": pa.array(["@none", "@other"], members["code"].type)})
    pq.write_table(pa.concat_tables([members.slice(0, len(members) - 1), strangers.cast(members.schema)]),
                   tmp_path / "members.parquet")
    report = transect.transpose(panel.store, out, "--universe", tmp_path / "members.parquet")
    told = "the universe names 2 codes that the store lacks: @none and @other"
    assert (report["written"], report["notes"]) == (0, [*again["notes"], told])


def test_a_universe_may_be_a_column_of_this_store_or_of_another(panel, tmp_path):
    whole = WHOLE.panel(panel.files, panel.date)
    days, codes = transect.days(whole[panel.date]), transect.plain(whole[CODE])
    # Null, false and no row at all mean the same.
    belongs = [[True, False, None, True][row % 4] for row in range(len(whole))]
    there = pa.array([row % 7 > 0 for row in range(len(whole))])
    members = pa.table({"date": days, "code": codes, "belongs": belongs}).filter(there)
    (tmp_path / "in").mkdir()
    for code in set(members["code"].to_pylist()):
        of_stock = members.filter(pc.equal(members["code"], code)).drop_columns(["code"])
        pq.write_table(of_stock, tmp_path / "in" / f"{code}.parquet")
    store = tmp_path / "members.store"
    transect.build(tmp_path / "in", store)
    transect.transpose(panel.store, tmp_path / "out", "--universe", f"{store}.belongs")
    kept = pa.array([row % 7 > 0 and belongs[row] is True for row in range(len(whole))])
    transect.assert_same(whole.filter(kept), WHOLE.read(files(tmp_path / "out")))
    transect.transpose(store, tmp_path / "own", "--universe", "belongs", "--columns", "belongs")
    own = pa.concat_tables(pq.read_table(path) for path in files(tmp_path / "own"))
    assert own["belongs"].to_pylist() == [True] * pc.sum(kept).as_py()
    transect.run("transpose", panel.store, tmp_path / "none", "--universe", f"{store}.nothing", expect=2)


def test_show_chooses_dates_and_stocks(panel):
    whole = WHOLE.panel(panel.files, panel.date)
    days = sorted({day.strftime("%Y%m%d") for day in transect.days(whole[panel.date]).to_pylist()})
    codes = [code for code, _ in panel.files][:2]
    shown = transect.run("show", panel.store, "--stock", ",".join(codes), "--last", 5, "--format", "parquet").stdout
    found = pq.read_table(io.BytesIO(shown))
    wanted = [day.strftime("%Y%m%d") in days[-5:] for day in transect.days(whole[panel.date]).to_pylist()]
    expected = whole.filter(pc.and_(pa.array(wanted), pc.is_in(transect.plain(whole[CODE]), pa.array(codes))))
    transect.assert_same(expected, found)
    shown = transect.run("show", panel.store, "--from", days[3], "--to", days[4], "--format", "parquet").stdout
    wanted = [day.strftime("%Y%m%d") in days[3:5] for day in transect.days(whole[panel.date]).to_pylist()]
    transect.assert_same(whole.filter(pa.array(wanted)), pq.read_table(io.BytesIO(shown)))
