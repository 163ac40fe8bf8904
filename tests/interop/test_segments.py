"""A store's segments are Arrow files that others open without transect, and they show the rows that `show` shows."""

import csv
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


def test_show_follows_one_stock(panel):
    code, path = panel.files[7]
    shown = pq.read_table(io.BytesIO(transect.run("show", panel.store, "--stock", code, "--format", "parquet").stdout))
    transect.assert_same(PyArrow().panel([(code, path)], panel.date), shown, code)
