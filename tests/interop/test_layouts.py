"""Folders of every usual layout: what the refusal of a build advises is followed to the letter, and reads every row as
one of the right stock. Where nothing reads a folder, the words do not send anybody round in circles."""

import datetime
import io
import re
import shlex

import pyarrow as pa
import pyarrow.parquet as pq
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
]


def write(folder, layout, dates, columns):
    """Writes the rows of `dates` to the files that `layout` makes of them, with `columns` beside x."""
    files = {}
    for code, date, x in ROWS:
        if date in dates:
            path = layout.format(c=code, d=date, n=DATES.index(date) + 1)
            files.setdefault(path, []).append({"code": code, "trade_date": date.strftime("%Y%m%d"), "x": x})
    for path, rows in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows).select([*columns, "x"]), folder / path)
    return sorted((code, date.strftime("%Y%m%d"), x) for code, date, x in ROWS if date in dates)


def advised(words):
    """The options of the first way out that names any."""
    for way in re.split(r"; |, or ", words):
        options = re.findall(r"--[a-z-]+ (?:'[^']*'|[^ ,;]+)", way)
        if options:
            return shlex.split(" ".join(options))
    return []


def follow(source, store):
    """Builds `source`, and again as the words of each refusal have it."""
    told = []
    for _ in range(3):
        run = transect.run("build", source, store, *told, expect=(transect.DONE, transect.FAILED))
        if run.code == transect.DONE:
            return told
        told = advised(run.stderr)
        assert told, f"no way out: {run.stderr}"
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


@pytest.mark.parametrize("layout", ["{d:%Y}_{c}", "{d:%Y%m}_{c}", "{c}_{d:%Y}", "{c}_{d:%Y%m}"])
def test_stocks_that_are_times_of_fewer_are_noted_with_the_pattern_that_reads_them(layout, tmp_path):
    right = write(tmp_path / "src", f"{layout}.parquet", DATES, ["trade_date"])
    run = transect.run("build", tmp_path / "src", tmp_path / "s")
    pattern = re.search(r"a pattern such as (\S+) reads together", run.stdout.decode() + run.stderr)
    assert pattern, run.stderr
    transect.run("build", tmp_path / "src", tmp_path / "t", "--pattern", f"{pattern[1]}.parquet")
    assert rows_of(tmp_path / "t") == right
