"""Every kind of value comes out of every door as pyarrow reads it from the source's files, bit for bit."""

import concurrent.futures
import datetime
import decimal
import struct

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

import transect

CODES, DATES = ["000001.SZ", "600000.SH", "BRK.B"], ["20240102", "20240103", "20240104", "20240105", "20240108"]


def payload(bits, code="<d", of=8):
    return struct.unpack(code, bits.to_bytes(of, "little"))[0]


MICRO, DAY, DIGITS = 1_700_000_000_123_456, datetime.date(1969, 12, 31), decimal.Decimal("-12345678901234.5678")
# What a column holds on five dates, and its type; each stock begins at another of them.
KINDS = {
    "double": ([payload(0x7FF8_0000_0000_1234), -0.0, None, float("-inf"), 5e-324], pa.float64()),
    "whole": ([0.0, 1.0, -0.0, payload(0xFFF8_0000_0000_0001), 2.0**60], pa.float64()),
    "single": ([float("nan"), -0.0, None, float("inf"), 1e-45], pa.float32()),
    "byte": ([1, -128, 0, None, 127], pa.int8()),
    "int": ([2**53, -(2**31), None, 0, 1], pa.int64()),
    "huge": ([2**63 - 1, -(2**63), 2**53 + 1, 0, -1], pa.int64()),
    "unsigned": ([2**64 - 1, 2**63, 0, 1, 2], pa.uint64()),
    "flag": ([True, False, None, False, True], pa.bool_()),
    "text": (["", "平安", None, "a\0b", "x" * 99], pa.string()),
    "bytes": ([b"", b"\xff\x00", None, b"1", b"2"], pa.binary()),
    "decimal": ([DIGITS, decimal.Decimal("0.0001"), None, -DIGITS, decimal.Decimal(0)], pa.decimal128(20, 4)),
    "zoned": ([MICRO, -1, None, 0, 1], pa.timestamp("us", "Asia/Shanghai")),
    "naive": ([MICRO, -1, None, 0, 1], pa.timestamp("ns")),
    "elsewhere": ([MICRO // 1000, -1, None, 0, 1], pa.timestamp("ms", "America/New_York")),
    "day": ([DAY, datetime.date(9999, 12, 31), None, datetime.date(1, 1, 1), DAY], pa.date32()),
    "clock": ([datetime.time(9, 30), datetime.time(23, 59, 59, 999_999), None, datetime.time(), None], pa.time64("us")),
    "coded": (["Banks", "", None, "Banks", "白酒"], pa.dictionary(pa.int32(), pa.string())),
    "nothing": ([None] * 5, pa.float64()),
}


def column(kind, first):
    values, of = KINDS[kind]
    turned = values[first:] + values[:first]
    if pa.types.is_dictionary(of):
        return pa.array(turned).dictionary_encode().cast(of)
    return pa.array(turned, of)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The store, and all rows by date and code as pyarrow reads them from the files."""
    folder = tmp_path_factory.mktemp("doors") / "src"
    folder.mkdir()
    for at, code in enumerate(CODES):
        # One of the stocks lacks a date.
        rows = pa.table({"trade_date": DATES} | {kind: column(kind, at) for kind in KINDS}).slice(at % 2)
        pq.write_table(rows, folder / f"{code}.parquet")
    store = folder.parent / "panel.store"
    transect.build(folder, store)
    read = [pq.read_table(folder / f"{code}.parquet") for code in CODES]
    whole = pa.concat_tables([table.add_column(0, "ts_code", pa.repeat(code, len(table)).cast(pa.string()))
                              for code, table in zip(CODES, read)], promote_options="permissive")
    return transect.open(store), whole.sort_by([("trade_date", "ascending"), ("ts_code", "ascending")])


def told(value):
    """What tells values apart that compare equal, or differ from themselves."""
    match value:
        case float() | np.floating():
            return struct.pack("<d", value) if not isinstance(value, np.float32) else value.tobytes()
        case decimal.Decimal():
            return str(value)
    return value


def exactly(array, kind):
    """An array of Arrow: its values as `kind` has them, none of which a cast may change."""
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    of = KINDS[kind][1]
    if pa.types.is_timestamp(of):
        # Ticks, since a reader may have another unit.
        ticks = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[array.type.unit]
        return [None if tick is None else tick * ticks for tick in array.cast(pa.int64()).to_pylist()]
    if pa.types.is_floating(array.type):
        # A float of Python would be another NaN where it comes from 32 bits.
        valid = array.is_valid().to_pylist()
        values = array.fill_null(0).to_numpy(zero_copy_only=False)
        return [value.tobytes() if there else None for value, there in zip(values, valid)]
    return [told(value) for value in array.to_pylist()]


def test_the_files_have_all_that_is_odd(world):
    _, right = world
    bits = {bits for kind in ("double", "whole") for bits in exactly(right[kind], kind)}
    assert {b"\x34\x12\0\0\0\0\xf8\x7f", b"\1\0\0\0\0\0\xf8\xff", struct.pack("<d", -0.0), None} <= bits


ORDER = "order by trade_date, ts_code"
ARROW = {
    "to_arrow": lambda store, kind: store.scan(columns=[kind]).to_arrow()[kind],
    "pyarrow.table": lambda store, kind: pa.table(store.scan())[kind],
    "sections": lambda store, kind: pa.chunked_array([pa.table(part)[kind].combine_chunks() for _, part in store.scan()]),
    "sections, a column": lambda store, kind: pa.chunked_array([pa.array(store.section(date, [kind])[kind])
                                                                for date in store.dates]),
    "scan, a column": lambda store, kind: pa.array(store.scan()[kind]),
    "to_polars": lambda store, kind: store.scan().to_polars()[kind].to_arrow(),
    "lazy": lambda store, kind: store.lazy().select(kind).collect()[kind].to_arrow(),
    "lazy, streaming": lambda store, kind: store.lazy().select("ts_code", "trade_date", kind)
                       .collect(engine="streaming").sort("trade_date", "ts_code")[kind].to_arrow(),
    "pandas of Arrow": lambda store, kind: pa.chunked_array(pa.array(store.scan().to_pandas(types="pyarrow")[kind])),
}


@pytest.mark.parametrize("door", ARROW)
@pytest.mark.parametrize("kind", KINDS)
def test_doors_of_arrow_have_what_the_files_have(world, kind, door):
    store, right = world
    found = ARROW[door](store, kind)
    assert exactly(found, kind) == exactly(right[kind], kind)
    if door in ("to_arrow", "pyarrow.table", "sections", "scan, a column"):
        assert found.type == right[kind].type


@pytest.mark.parametrize("kind", KINDS)
def test_duckdb_has_what_the_files_have(world, kind):
    store, right = world
    scan, section = store.scan(), store.section(DATES[1])
    found = duckdb.sql(f'select "{kind}" from scan {ORDER}').to_arrow_table()[kind]
    one = duckdb.sql(f'select "{kind}" from section order by ts_code').to_arrow_table()[kind]
    date = right.filter(pa.compute.equal(right["trade_date"], DATES[1]))
    for found, right in ((found, right), (one, date)):
        assert exactly(found.cast(pa.date32()) if kind == "day" else found, kind) == exactly(right[kind], kind)
    assert len(scan) > len(section) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_series_of_each_stock_has_what_its_file_has(world, kind):
    store, right = world
    for code in CODES:
        own = right.filter(pa.compute.equal(right["ts_code"], code))
        for found in (store.series(code).to_arrow()[kind], pa.array(store.series(code, [kind])[kind])):
            assert exactly(found, kind) == exactly(own[kind], kind)


def in_numpy(array, kind):
    """What numpy and pandas have of it, by the table of README: NaN and NaT for null."""
    values = exactly(array, kind)
    if kind in ("byte", "int") and None in values:
        return [struct.pack("<d", float("nan") if value is None else value) for value in values]
    return values


def of_numpy(values, kind):
    """Values of numpy as `in_numpy` has them."""
    if values.dtype.kind == "f":
        return [value.tobytes() for value in values]
    if values.dtype.kind == "M" and kind != "day":
        ticks = values.astype("M8[ns]").astype("i8").tolist()
        return [None if missing else tick for tick, missing in zip(ticks, np.isnat(values))]
    return [None if value is None or value != value else told(value) for value in values.tolist()]


def same(found, right):
    """Beside a null of floats stands any NaN."""
    return len(found) == len(right) and all(
        np.isnan(np.frombuffer(a, f"<f{len(a)}")[0]) if b is None and isinstance(a, bytes) and len(a) in (4, 8) else a == b
        for a, b in zip(found, right)
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("bytes", "decimal", "clock", "flag")])
def test_numpy_has_what_the_files_have(world, kind):
    store, right = world
    right = in_numpy(right[kind], kind)
    parts = [np.asarray(section[kind]) for _, section in store.scan()]
    assert same(of_numpy(np.asarray(store.scan()[kind]), kind), right)
    if kind in ("byte", "int"):
        # A section without a null has integers.
        parts = [part.astype("f8") for part in parts]
    assert same([value for part in parts for value in of_numpy(part, kind)], right)
    if kind in ("double", "whole", "huge"):
        assert same(of_numpy(store.scan().to_numpy([kind])[:, 0], kind), right)


@pytest.mark.parametrize("kind", KINDS)
def test_pandas_has_what_the_files_have(world, kind):
    store, right = world
    right = in_numpy(right[kind], kind)
    found = store.scan(columns=[kind]).to_pandas()[kind]
    assert isinstance(found, pd.Series)
    if kind in ("zoned", "elsewhere"):
        assert str(found.dt.tz) == {"zoned": "Asia/Shanghai", "elsewhere": "America/New_York"}[kind]
        found = found.dt.tz_convert("UTC").dt.tz_localize(None)
    if found.dtype.kind in "fMiu":
        values = found.to_numpy()
        assert same(of_numpy(values.astype("M8[D]") if kind == "day" else values, kind), right)
    else:
        assert [None if value is None or value is pd.NA or value != value else told(value) for value in found] == right


@pytest.mark.parametrize("kind", ["double", "whole", "single", "nothing", "huge", "unsigned", "naive", "zoned"])
def test_a_matrix_has_what_the_files_have(world, kind):
    store, right = world
    fill = 77 if kind in ("huge", "unsigned") else None
    matrix = store.matrix(kind, fill=fill)
    place = {(date, code): at for at, (date, code) in enumerate(zip(right["trade_date"].to_pylist(), right["ts_code"].to_pylist()))}
    values = exactly(right[kind], kind)
    cells = [(at, stock, values[place[date, code]]) for at, date in enumerate(DATES) for stock, code in enumerate(CODES)
             if (date, code) in place]
    assert matrix.present.sum() == len(cells) < matrix.values.size
    found = [of_numpy(matrix.values[at : at + 1, stock], kind)[0] for at, stock, _ in cells]
    assert same(found, [value for *_, value in cells])
    assert [bool(matrix.valid[at, stock]) for at, stock, _ in cells] == [value is not None for *_, value in cells]
    if kind == "double":
        data = xr.open_dataset(store, engine="transect")[kind].values
        assert data.tobytes() == matrix.values.tobytes()


def test_several_threads_read_one_store_and_each_gets_all(world):
    """Each by another door, first and again, while others close stores of their own."""
    store, right = world
    doors = [(kind, door) for kind in KINDS for door in ARROW]
    whole = {kind: exactly(right[kind], kind) for kind in KINDS}

    def read(asked):
        kind, door = asked
        with transect.open(store.path) as own:
            return all(exactly(ARROW[door](one, kind), kind) == whole[kind] for one in (store, own))

    def look(code):
        return exactly(store.series(code).to_arrow()["double"], "double"), store.matrix("whole").values.tobytes()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        looked = list(pool.map(look, CODES * 20))
        assert all(pool.map(read, doors * 2))
    assert looked == [look(code) for code in CODES] * 20


def test_threads_read_while_another_one_writes(world, tmp_path):
    _, right = world
    path = tmp_path / "s"
    transect.write(path, right, code="ts_code", date="trade_date")
    store, sums = transect.open(path), []

    def write():
        for at in range(5):
            transect.append(path, right.set_column(3, "whole", pa.array([float(at)] * len(right))), allow=["turned-null"])
        return transect.open(path).version

    def read(_):
        live = transect.open(path)
        values = live.scan().to_polars()["whole"].to_list()
        return exactly(store.scan().to_arrow()["whole"], "whole"), live.version, len({*map(str, values)})

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        writing = pool.submit(write)
        sums = list(pool.map(read, range(60)))
        assert writing.result() == 6
    assert {tuple(values) for values, *_ in sums} == {tuple(exactly(right["whole"], "whole"))}
    # Each sees one version whole: of those that were written all values are one.
    assert all(kinds == 1 for _, version, kinds in sums if version > 1)
