"""Folders of every usual layout: what the refusal of a build advises is followed to the letter, and reads every row as
one of the right stock. Where nothing reads a folder, the words do not send anybody round in circles."""

import datetime
import io
import re
import shlex

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
import pytest

import transect

DATES = [datetime.date(2023, 1, 3), datetime.date(2023, 2, 2), datetime.date(2024, 1, 2), datetime.date(2024, 2, 5)]
CODES = ["AAPL", "MSFT", "X"]
ROWS = [(code, date, float(10 * n + m)) for n, code in enumerate(CODES) for m, date in enumerate(DATES)]

# Files of one stock and one date each, by the path of each; without a column of codes.
BY_STOCK = [
    "{c}/{d:%Y%m}.parquet",
    "{c}/{d:%Y-%m}.parquet",
    "{c}/{d:%Y}/{d:%Y%m}.parquet",
    "{c}/{d:%Y}/{d:%Y-%m}.parquet",
    "{c}/{d:%Y}/{d:%m}.parquet",
    "{c}/{d:%Y}/{d:%m}/{d:%d}.parquet",
    "{c}/{d:%Y}/{d:%m}/data.parquet",
    "{c}/{d:%Y}/Q{d.month}.parquet",
    "{c}/{d:%Y}/{d:%Y%m%d}.parquet",
    "{c}/{d:%Y%m%d}.parquet",
    "{c}/{d:%Y}_{d:%m}.parquet",
    "{c}/{c}_{d:%Y}_{d:%m}.parquet",
    "{c}/data_{n}.parquet",
    "{c}/part{n}.parquet",
    "{c}/{n}.parquet",
    "{c}/daily/{d:%Y%m}.parquet",
    "{c}/H{d.month}/{d:%Y}.parquet",
    "us/{c}/{d:%Y%m}.parquet",
    "{d:%Y}/{d:%m}/{c}.parquet",
    "{d:%Y}/{d.month}/{c}.parquet",
    "{d:%Y}/{c}/{d:%m}.parquet",
    "{d:%Y}/{c}_{d:%m}.parquet",
    "{d:%Y%m}/{c}.parquet",
    "{d:%Y-%m}/{c}.parquet",
    "{d:%Y%m%d}/{c}.parquet",
    "{d:%Y}/{d:%m}/{d:%d}/{c}.parquet",
    "symbol={c}/year={d:%Y}/month={d.month}/p.parquet",
    "year={d:%Y}/month={d.month}/symbol={c}/p.parquet",
    "year={d:%Y}/month={d.month}/day={d.day}/{c}.parquet",
    "symbol={c}/date={d:%Y-%m-%d}/p.parquet",
    "old{n}/{c}.parquet",
    "{c}/{d:%m-%Y}.parquet",
    "{c}/Q{d.month}-{d:%Y}.parquet",
    "{c}/H{d.month}-{d:%Y}.parquet",
    "{c}/{d:%b-%Y}.parquet",
    "{c}/{d:%B%Y}.parquet",
    "{c}/{d:%Y}/{d:%b}.parquet",
    "{c}/{d:%d-%b-%Y}.parquet",
    "{c}/{d:%G-W%V}.parquet",
    "{c}/{d:%GW%V}.parquet",
    "{c}/{d:%G}/week_{d:%V}.parquet",
    "{c}/{d:%y}Q{d.month}.parquet",
    "{c}/{d.month}Q{d:%y}.parquet",
    "{c}/FY{d:%Y}.parquet",
    "{c}/week_{n}.parquet",
    "{c}/part-000{n}.parquet",
    "{c}/{c}-1d-{d:%Y-%m}.parquet",
    "binance/{c}/{d:%Y-%m}.parquet",
    "{d:%Y}/{d:%b}_{c}.parquet",
    "{d:%b-%Y}/{c}.parquet",
    "{d:%G-W%V}/{c}.parquet",
    "{d:%Y}/daily/{c}.parquet",
    "symbol={c}/{d:%b-%Y}.parquet",
    "symbol={c}/part-000{n}.parquet",
]

# Files of all stocks on the dates that have one path.
BY_DATE = [
    "{d:%Y%m%d}.parquet",
    "{d:%Y-%m-%d}.parquet",
    "{d:%d.%m.%Y}.parquet",
    "bars_{d:%Y%m%d}.parquet",
    "{d:%Y%m%d}_bars.parquet",
    "bars_{d:%Y}-{d:%m}.parquet",
    "{d:%Y}.parquet",
    "{d:%Y-%m}.parquet",
    "{d:%Y}Q1.parquet",
    "{d:%Y}/{d:%m}.parquet",
    "{d:%Y}/{d:%m}/{d:%d}.parquet",
    "{d:%Y}/{d:%m}/{d:%Y%m%d}.parquet",
    "{d:%Y}/{d:%Y%m%d}.parquet",
    "{d:%Y%m}/data.parquet",
    "{d:%Y%m}/{d:%Y%m%d}.parquet",
    "{d:%Y%m%d}/x.parquet",
    "{d:%Y-%m-%d}/x.parquet",
    "ym={d:%Y%m}/d.parquet",
    "month={d:%Y-%m}/part-0.parquet",
    "year={d:%Y}/part-0.parquet",
    "year={d:%Y}/month={d.month}/part-0.parquet",
    "year={d:%Y}/month={d:%m}/{d:%Y%m%d}.parquet",
    "year={d:%Y}/month={d.month}/day={d.day}/x.parquet",
    "market=CN/year={d:%Y}/month={d.month}/x.parquet",
    "trade_date={d:%Y%m%d}/part-0.parquet",
    "daily/{d:%Y%m%d}.parquet",
    "{d:%b-%Y}.parquet",
    "{d:%Y}/{d:%b}.parquet",
    "{d:%y}Q1.parquet",
    "bars-{d:%B-%Y}.parquet",
]

# Codes that look like times, and like nothing else: of Shenzhen and Hong Kong.
TIMES = [["200002", "200012", "202301"], ["1999", "2015", "2023"], ["2023"], ["202301"]]


def write(folder, layout, dates, columns, rows=ROWS):
    """Writes the rows of `dates` to the files that `layout` makes of them, with `columns` beside x."""
    files = {}
    for code, date, x in rows:
        if date in dates:
            path = layout.format(c=code, d=date, n=DATES.index(date) + 1)
            files.setdefault(path, []).append({"code": code, "trade_date": date.strftime("%Y%m%d"), "x": x})
    for path, some in files.items():
        put(folder / path, pa.Table.from_pylist(some).select([*columns, "x"]))
    return sorted((code, date.strftime("%Y%m%d"), x) for code, date, x in rows if date in dates)


def put(path, table):
    """Writes a table in the format that the path ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        pq.write_table(table, path)


def advised(words):
    """The options of the first way out that names any."""
    for way in re.split(r"; |, or ", words):
        options = re.findall(r"--[a-z-]+ (?:'[^']*'|[^ ,;]+)", way)
        if options:
            return shlex.split(" ".join(options))
    return []


def follow(source, store, ending="parquet"):
    """Builds `source`, and again as the words of each refusal have it."""
    always = [] if ending == "parquet" else ["--input", ending]
    told = []
    for _ in range(3):
        run = transect.run("build", source, store, *told, expect=(transect.DONE, transect.FAILED))
        if run.code == transect.DONE:
            return told
        told = advised(run.stderr)
        assert told, f"no way out: {run.stderr}"
        told = told if "--input" in told else [*always, *told]
    raise AssertionError(f"it goes round in circles: {run.stderr}")


def rows_of(store):
    shown = transect.run("show", store, "--format", "parquet", "--from", "0001-01-01").stdout
    table = pq.read_table(io.BytesIO(shown))
    date = [str(value).replace("-", "") for value in table.column(1).to_pylist()]
    return sorted(zip(table.column(0).to_pylist(), date, table.column("x").to_pylist(), strict=True))


@pytest.mark.parametrize("dates", [DATES, DATES[:2], DATES[:1]], ids=["years", "months", "one"])
@pytest.mark.parametrize("layout", BY_STOCK)
def test_files_of_a_stock_are_read_as_one(layout, dates, tmp_path):
    if len(dates) == 1 and "{n}" in layout:
        pytest.skip("one number says nothing")
    right = write(tmp_path / "src", layout, dates, ["trade_date"])
    told = follow(tmp_path / "src", tmp_path / "s")
    assert rows_of(tmp_path / "s") == right, told


@pytest.mark.parametrize("columns", [["code", "trade_date"], ["code"]], ids=["dates", "no dates"])
@pytest.mark.parametrize("dates", [DATES, DATES[:1]], ids=["years", "one"])
@pytest.mark.parametrize("layout", BY_DATE)
def test_files_of_several_stocks_are_read_by_date(layout, dates, columns, tmp_path):
    if "trade_date" not in columns and not re.search(r"%d|d\.day", layout):
        pytest.skip("nothing says which dates its rows are of")
    right = write(tmp_path / "src", layout, dates, columns)
    told = follow(tmp_path / "src", tmp_path / "s")
    assert "--files-by" in told
    assert rows_of(tmp_path / "s") == right, told


@pytest.mark.parametrize("layout", [layout for layout in BY_STOCK + BY_DATE if "%Y" in layout])
def test_a_pattern_that_is_advised_finds_the_files_of_the_next_year(layout, tmp_path):
    columns = ["trade_date"] if "{c}" in layout else ["code", "trade_date"]
    write(tmp_path / "src", layout, DATES[:2], columns)
    told = follow(tmp_path / "src", tmp_path / "s")
    right = write(tmp_path / "src", layout, DATES, columns)
    transect.run("build", tmp_path / "src", tmp_path / "again", *told)
    assert rows_of(tmp_path / "again") == right, told


# What `transpose` writes, by its options.
OUTPUTS = [
    "",
    "--by month",
    "--by year",
    "--name trade_date={date}/data.parquet",
    "--name year={year}/month={month}/{date}.parquet",
    "--name {year}/{month}/{day}.parquet",
    "--name {year}/{date}.parquet",
    "--name bars_{date}.parquet",
    "--name {date:%d.%m.%Y}.parquet",
    "--by month --name year={year}/month={month}/data.parquet",
    "--by month --name {year}/{month}.parquet",
    "--by month --name bars_{year}-{month}.parquet",
    "--by month --name ym={year}{month}/d.parquet",
    "--by year --name year={year}/d.parquet",
    "--by stock --name ts_code={code}/d.parquet",
    "--by stock --name {code}/d.parquet",
]


@pytest.mark.parametrize("out", OUTPUTS)
def test_what_transpose_wrote_is_read_back(out, tmp_path):
    right = write(tmp_path / "src", "{c}.parquet", DATES, ["trade_date"])
    transect.build(tmp_path / "src", tmp_path / "s")
    transect.transpose(tmp_path / "s", tmp_path / "out", *out.split())
    told = follow(tmp_path / "out", tmp_path / "t")
    assert rows_of(tmp_path / "t") == right, told


@pytest.mark.parametrize("layout", ["{c}/{kind}.parquet", "{kind}/{c}.parquet", "kind={kind}/code={c}/p.parquet"])
def test_files_with_other_columns_of_the_same_stocks_are_two_sources(layout, tmp_path):
    for code in CODES:
        for kind in ("price", "flow"):
            path = tmp_path / "src" / layout.format(c=code, kind=kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"trade_date": ["20240102", "20240103"], kind: [1.0, 2.0]}), path)
    run = transect.run("build", tmp_path / "src", tmp_path / "s", expect=transect.FAILED)
    assert "a second source" in run.stderr
    one = advised(run.stderr)
    report = transect.build(tmp_path / "src", tmp_path / "s", *one)
    assert report["stocks"] == len(CODES)
    kind = "flow" if "flow" in one[-1] else "price"
    other = one[-1].replace(kind, "price" if kind == "flow" else "flow")
    transect.run("source", "add", tmp_path / "s", tmp_path / "src", "--source", "other", "--pattern", other)
    shown = transect.run("show", tmp_path / "s", "--stock", CODES[0], "--format", "parquet").stdout
    table = pq.read_table(io.BytesIO(shown))
    assert table.num_rows == 2
    assert [table.column(kind).null_count for kind in ("price", "flow")] == [0, 0]


def test_codes_that_are_bytes_are_texts(tmp_path):
    def put(path, codes):
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"ts_code": codes, "x": [1.0, 2.0]}), path)

    for date in ("20240102", "20240103"):
        put(tmp_path / "src" / f"{date}.parquet", pa.array([b"A", b"B"]))
    assert follow(tmp_path / "src", tmp_path / "s") == ["--files-by", "date"]
    put(tmp_path / "20240104.parquet", pa.array([b"A", b"B"]))
    transect.run("append", tmp_path / "s", tmp_path / "20240104.parquet")
    dates = ["20240102", "20240103", "20240104"]
    assert rows_of(tmp_path / "s") == sorted((code, date, x) for date in dates for code, x in (("A", 1.0), ("B", 2.0)))


FLAT = [
    "{d:%Y}_{c}",
    "{d:%Y%m}_{c}",
    "{c}_{d:%Y}",
    "{c}_{d:%Y%m}",
    "{c}-{d:%Y-%m-%d}",
    "{c}-{d:%Y%m%d}",
    "{c}-{d:%b-%Y}",
]


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv"])
@pytest.mark.parametrize("codes", [CODES, CODES[:1], *TIMES], ids="-".join)
@pytest.mark.parametrize("layout", FLAT)
def test_files_of_the_times_of_fewer_stocks_are_no_stocks(layout, codes, ending, tmp_path):
    right = write(tmp_path / "src", f"{layout}.{ending}", DATES, ["trade_date"], rows_with(codes))
    transect.run("build", tmp_path / "src", tmp_path / "s", "--input", ending, expect=transect.FAILED)
    told = follow(tmp_path / "src", tmp_path / "s", ending)
    assert rows_of(tmp_path / "s") == right, told


def rows_with(codes):
    """Rows of these codes on all dates."""
    return [(code, date, float(10 * n + m)) for n, code in enumerate(codes) for m, date in enumerate(DATES)]


@pytest.mark.parametrize("dates", [DATES, DATES[:2]], ids=["years", "months"])
@pytest.mark.parametrize("codes", TIMES[:2], ids="-".join)
@pytest.mark.parametrize("layout", [layout for layout in BY_STOCK if "{n}" not in layout])
def test_codes_that_look_like_times_are_right(layout, codes, dates, tmp_path):
    right = write(tmp_path / "src", layout, dates, ["trade_date"], rows_with(codes))
    told = follow(tmp_path / "src", tmp_path / "s")
    assert rows_of(tmp_path / "s") == right, told


@pytest.mark.parametrize("codes", [*TIMES[:2], ["202301"]], ids="-".join)
@pytest.mark.parametrize("columns", [["trade_date"], ["code", "trade_date"]], ids=["no codes", "codes"])
def test_stocks_that_look_like_times_are_stocks_by_their_rows(columns, codes, tmp_path):
    right = write(tmp_path / "src", "{c}.parquet", DATES, columns, rows_with(codes))
    transect.run("build", tmp_path / "src", tmp_path / "s")
    assert rows_of(tmp_path / "s") == right


def test_a_stock_that_looks_like_the_time_of_its_rows_is_one_by_its_column(tmp_path):
    right = write(tmp_path / "src", "{c}.parquet", DATES[:2], ["code", "trade_date"], rows_with(["2023"]))
    transect.run("build", tmp_path / "src", tmp_path / "s")
    assert rows_of(tmp_path / "s") == right


@pytest.mark.parametrize("layout", ["{d:%Y}", "{d:%Y%m}", "{d:%Y-%m}", "{d:%b-%Y}", "{d:%Y}Q1", "week_{n}", "part{n}"])
def test_times_of_one_stock_without_a_name_are_no_stocks(layout, tmp_path):
    right = write(tmp_path / "AAPL", f"{layout}.parquet", DATES, ["trade_date"], rows_with(["AAPL"]))
    run = transect.run("build", tmp_path / "AAPL", tmp_path / "s", expect=transect.FAILED)
    above = re.search(r"give the directory above with the pattern (\S+),", run.stderr)
    transect.run("build", tmp_path, tmp_path / "s", "--pattern", above[1])
    assert rows_of(tmp_path / "s") == right
    transect.run("build", tmp_path / "AAPL", tmp_path / "t", *advised(run.stderr))
    assert len({code for code, *_ in rows_of(tmp_path / "t")}) > 1, "they are stocks by the user's word"


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv"])
@pytest.mark.parametrize("codes", [CODES[:1], CODES, [f"S{n}" for n in range(200)]], ids=["one", "three", "many"])
@pytest.mark.parametrize("layout", ["{d:%Y}", "{d:%Y%m}", "{d:%b-%Y}", "bars_{d:%Y}", "{d:%Y%m%d}"])
def test_flat_times_are_read_by_date_where_a_column_has_codes(layout, codes, ending, tmp_path):
    right = write(tmp_path / "src", f"{layout}.{ending}", DATES, ["code", "trade_date"], rows_with(codes))
    told = follow(tmp_path / "src", tmp_path / "s", ending)
    assert rows_of(tmp_path / "s") == right, told


@pytest.mark.parametrize("codes", [["AAPL", "7203.T"], ["AAPL", "MSFT", "7203.T"]], ids=["one each", "several"])
@pytest.mark.parametrize("layout", ["{d:%Y%m%d}/{m}", "{d:%Y-%m-%d}/{m}", "{d:%Y}/{m}", "{m}/{d:%Y%m%d}", "{m}/{d:%Y}"])
def test_markets_are_no_stocks(layout, codes, tmp_path):
    files = {}
    rows = rows_with(codes)
    for code, date, x in rows:
        path = layout.format(d=date, m="JP" if code.endswith(".T") else "US")
        files.setdefault(path, []).append({"code": code, "trade_date": date.strftime("%Y%m%d"), "x": x})
    for path, some in files.items():
        put(tmp_path / "src" / f"{path}.parquet", pa.Table.from_pylist(some))
    told = follow(tmp_path / "src", tmp_path / "s")
    assert rows_of(tmp_path / "s") == sorted((code, date.strftime("%Y%m%d"), x) for code, date, x in rows), told
