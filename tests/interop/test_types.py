"""Every supported type comes out as it went in, type and bits."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
import values
from engines import ENGINES, PyArrow


def seconds_as_milliseconds(table):
    """Parquet knows no seconds: files hold milliseconds, which some readers turn back and some leave."""
    columns = {}
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_time32(field.type):
            column = column.cast(pa.time32("ms"))
        if pa.types.is_timestamp(field.type) and (field.type.unit == "s" or field.name.startswith("timestamp_s")):
            column = column.cast(pa.timestamp("ms", field.type.tz and "UTC"))
        columns[field.name] = column
    return pa.table(columns)


def sections_of(tmp_path, tables, *options, dictionary=True):
    source = tmp_path / "source"
    source.mkdir()
    for code, table in tables.items():
        pq.write_table(table, source / f"{code}.parquet", use_dictionary=dictionary)
    transect.build(source, tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out", *options)
    transect.verify(tmp_path / "store", "--source", source, "--output", tmp_path / "out")
    return source


@pytest.mark.parametrize("name", values.COLUMNS)
def test_a_type_survives(tmp_path, name):
    # pyarrow's dictionaries take all NaNs for one value, so plain pages are what carries their payloads.
    source = sections_of(tmp_path, values.panel({name: values.COLUMNS[name]}), dictionary=False)
    expected = PyArrow().panel(transect.inputs(source), "trade_date")
    actual = PyArrow().read(transect.sections(tmp_path / "out").values())
    transect.assert_same(seconds_as_milliseconds(expected), seconds_as_milliseconds(actual), name)
    if name == "f64":
        written = pa.concat_arrays([table["f64"].combine_chunks() for table in values.panel(values.COLUMNS).values()])
        found = transect.raw_bits(actual["f64"].combine_chunks())
        assert sorted(transect.raw_bits(written)) == sorted(found)


@pytest.mark.parametrize("name", values.COLUMNS)
def test_a_type_survives_in_arrow_files(tmp_path, name):
    source = sections_of(tmp_path, values.panel({name: values.COLUMNS[name]}), "--format", "arrow")
    expected = PyArrow().panel(transect.inputs(source), "trade_date")
    found = transect.sections(tmp_path / "out", "arrow").values()
    # One table a file: their dictionaries need not agree.
    tables = [pa.ipc.open_file(path).read_all() for path in found]
    tables = [pa.table({column: transect.plain(table[column]) for column in table.column_names}) for table in tables]
    expected = pa.table({column: transect.plain(expected[column]) for column in expected.column_names})
    transect.assert_same(
        seconds_as_milliseconds(expected), seconds_as_milliseconds(pa.concat_tables(tables)), name
    )


# What an engine cannot read, or turns into something else by itself, whoever wrote the file.
BEYOND = {
    "polars": ("date64",),  # a date or a timestamp, by the writer's word
    "pandas": ("string_view",),  # which it cannot sort along
    "pandas-numpy": ("string_view", "time64_ns"),  # whose times end at microseconds
}


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_all_types_at_once_as_an_engine_sees_them(tmp_path, engine):
    columns = {
        name: column
        for name, column in values.COLUMNS.items()
        if name not in BEYOND.get(engine.name, ()) and not name.startswith(("timestamp_s", "time32_s"))
    }
    source = sections_of(tmp_path, values.panel(columns))
    expected = engine.panel(transect.inputs(source), "trade_date")
    actual = engine.read(transect.sections(tmp_path / "out").values())
    transect.assert_same(expected, actual, engine.name)


def test_unsupported_types_refuse_the_file_unless_excluded(tmp_path):
    tables = values.panel({"f64": values.COLUMNS["f64"]})
    tables["600000.SH"] = tables["600000.SH"].append_column("tags", pa.array([[1, 2], [], None, [3]]))
    source = transect.write_panel(tmp_path / "source", tables)
    report = transect.build(source, tmp_path / "store", expect=transect.SKIPPED)
    assert "tags" in transect.skipped(report)["600000.SH.parquet"]
    transect.build(source, tmp_path / "whole", "--exclude", "tags")
