"""A store's segments are Arrow files that others open without transect, and they show the rows that `show` shows."""

import csv
import datetime
import io
import json

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
from engines import PyArrow


def through_pyarrow(path):
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def through_polars(path):
    return pl.read_ipc(path).to_arrow()


def through_duckdb(path):
    rows = through_pyarrow(path)  # DuckDB scans it by its name.
    with duckdb.connect() as connection:
        connection.sql("SET TimeZone = 'UTC'")
        return connection.sql("SELECT * FROM rows").to_arrow_table()


DOORS = [through_pyarrow, through_polars, through_duckdb]


def whole(store, door):
    """All rows of a store: its segments one after the other, dictionaries resolved."""
    tables = [door(path) for path in transect.segments(store)]
    tables = [pa.table({name: transect.plain(table[name]) for name in table.column_names}) for table in tables]
    return pa.concat_tables(tables)


def widened(table, like, date):
    """A segment's columns in the logical types of `like`; dates as date32 in both, whatever the input's spelling."""
    columns = {}
    for name in like.column_names:
        column = transect.plain(table[name])
        columns[name] = transect.days(column) if name == date else column.cast(transect.plain(like[name]).type)
    return pa.table(columns)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__.removeprefix("through_"))
def test_segments_hold_the_panel_by_date_then_code(panel, door):
    expected = PyArrow().panel(panel.files, panel.date)
    stored = whole(panel.store, door)
    assert set(expected.column_names) <= set(stored.column_names)
    stored = widened(stored, expected, panel.date)
    # Segments may come in any order, rows within one may not.
    for path in transect.segments(panel.store):
        segment = widened(through_pyarrow(path), expected, panel.date)
        transect.assert_same(transect.in_order(segment, panel.date), segment, path.name)
    transect.assert_same(
        transect.with_days(expected, panel.date), transect.in_order(stored, panel.date), door.__name__
    )


def test_each_record_batch_is_one_section(panel):
    expected = transect.by_date(PyArrow().panel(panel.files, panel.date), panel.date)
    seen = []
    for path in transect.segments(panel.store):
        with pa.memory_map(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for place in range(reader.num_record_batches):
                batch = reader.get_batch(place)
                dates = set(transect.days(batch.column(batch.schema.names.index(panel.date))).to_pylist())
                assert len(dates) == 1, f"{path.name}, batch {place}: {dates}"
                seen.append(dates.pop().strftime("%Y%m%d"))
    assert sorted(seen) == list(expected)


def test_dummies_and_text_are_stored_narrow(barra):
    table = through_pyarrow(transect.segments(barra.store)[0])
    for field in table.schema:
        if field.name.startswith("ind_"):
            assert field.type in (pa.bool_(), pa.int8()), field
        if field.name == "ts_code":
            assert pa.types.is_dictionary(field.type), field
        if field.name == barra.date:
            assert field.type == pa.date32(), field


def some_dates(panel):
    rows = transect.by_date(PyArrow().panel(panel.files, panel.date), panel.date)
    names = list(rows)
    return [(name, rows[name]) for name in (names[0], names[137], names[-1])]


def test_show_as_parquet_and_arrow_gives_the_section(panel):
    for name, expected in some_dates(panel):
        shown = pq.read_table(io.BytesIO(transect.show(panel.store, name, "parquet")))
        transect.assert_same(expected, shown, f"parquet, {name}")
        bytes_ = transect.show(panel.store, name, "arrow")
        open_ = pa.ipc.open_file if bytes_.startswith(b"ARROW1") else pa.ipc.open_stream
        transect.assert_same(expected, open_(pa.py_buffer(bytes_)).read_all(), f"arrow, {name}")


def test_show_as_json_gives_the_section(panel):
    for name, expected in some_dates(panel):
        text = transect.show(panel.store, name, "json").decode()
        rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
        assert len(rows) == len(expected)
        for row, right in zip(rows, expected.to_pylist()):
            # A null may be left out or written; a finite double reads back to its bits.
            assert {key: value for key, value in row.items() if value is not None} == {
                key: value for key, value in right.items() if value is not None
            }


def test_show_as_csv_gives_the_section(panel):
    for name, expected in some_dates(panel):
        header, *rows = csv.reader(io.StringIO(transect.show(panel.store, name, "csv").decode()))
        assert header == expected.column_names
        columns = {}
        for place, field in enumerate(expected.schema):
            read = str if transect.plain(expected[field.name]).type == pa.string() else float
            values = [None if row[place] == "" else read(row[place]) for row in rows]
            columns[field.name] = pa.array(values).cast(field.type) if any(v is not None for v in values) else pa.nulls(len(rows), field.type)
        transect.assert_same(expected, pa.table(columns), name)


def test_pyarrow_alone_puts_a_section_of_two_sources_together(tmp_path):
    def put(source, names, rows):
        for code in {row[1] for row in rows}:
            own = [row for row in rows if row[1] == code]
            columns = {name: [row[at] for row in own] for at, name in enumerate(names) if name != "code"}
            (tmp_path / source).mkdir(exist_ok=True)
            pq.write_table(pa.table(columns), tmp_path / source / f"{code}.parquet")

    days = [datetime.date(2024, 1, day) for day in (2, 3, 4)]
    prices = [(day, code, key, n * 0.5, f"t{n % 3}") for n, (day, code, key) in enumerate(
        (day, code, key) for day in days for code in ("A", "B", "C") for key in (930, 931) if (day, code) != (days[1], "B"))]
    factors = [(day, code, key, n) for n, (day, code, key, *_) in enumerate(prices) if code != "A" and n % 3]
    put("prices", ["date", "code", "key", "close", "note"], prices)
    put("factors", ["date", "code", "key", "value"], factors)
    store = tmp_path / "panel.store"
    transect.build(tmp_path / "prices", store, "--key", "key")
    transect.run("source", "add", store, tmp_path / "factors")
    # One that has no row: no other source has its dates.
    put("strange", ["date", "code", "key", "odd"], [(datetime.date(2030, 1, 2), code, 930, 1) for code in "ABC"])
    transect.run("source", "add", store, tmp_path / "strange", "--join", "left")
    # A version in which some batches of a segment are live, and others not; and rows that one source alone has.
    factors = [(day, code, key, value + 100 * (day == days[0])) for day, code, key, value in factors]
    factors.append((days[1], "B", 930, 7))
    put("factors", ["date", "code", "key", "value"], factors)
    transect.run("update", store)

    section = transect.program_of_the_readme()
    rows = {row[:3]: [*row[3:], None] for row in prices}
    for day, code, key, value in factors:
        rows.setdefault((day, code, key), [None, None, None])[2] = value
    for day in days:
        expected = [(key[1], key[0], key[2], *row) for key, row in sorted(rows.items()) if key[0] == day]
        found = section(store, day)
        assert set(found.column_names) == {"ts_code", "date", "key", "close", "note", "value"}
        columns = [transect.plain(found[name]).to_pylist() for name in ("ts_code", "date", "key", "close", "note", "value")]
        assert list(zip(*columns)) == expected, day


def test_pyarrow_alone_gives_the_rows_of_the_panel(panel):
    section = transect.program_of_the_readme()
    for name, expected in some_dates(panel):
        day = datetime.datetime.strptime(name, "%Y%m%d").date()
        found = widened(section(panel.store, day), expected, panel.date)
        transect.assert_same(transect.with_days(expected, panel.date), found, name)


def test_show_follows_one_stock(panel):
    code, path = panel.files[7]
    shown = pq.read_table(io.BytesIO(transect.run("show", panel.store, "--stock", code, "--format", "parquet").stdout))
    transect.assert_same(PyArrow().panel([(code, path)], panel.date), shown, code)
