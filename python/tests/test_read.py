"""What comes out of each door is what pyarrow reads from the source, bit for bit, and numbers lie in the map."""

import concurrent.futures
import datetime
import gc
import os
import pathlib
import pickle
import re
import signal
import struct
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import DATES, rows

import transect

CODES = ["000001.SZ", "600000.SH", "BRK.B"]


def maps(path):
    """Where the store's files are mapped in this process."""
    lines = open("/proc/self/maps").read().splitlines()
    found = [line.split()[0].split("-") for line in lines if str(path) in line]
    return [(int(start, 16), int(end, 16)) for start, end in found]


def is_mapped(path, address):
    return any(start <= address < end for start, end in maps(path))


def bits(values):
    return [None if value is None else struct.pack("<d", value) for value in values]


def expected(date, column):
    """The values of a date, of those stocks that have a row."""
    found = []
    for at, code in enumerate(CODES):
        table = rows(code, at)
        found += [table[column][row].as_py() for row, day in enumerate(table["trade_date"].to_pylist()) if day == date]
    return found


@pytest.mark.parametrize("date", DATES)
def test_sections_are_what_the_source_has(store, date):
    section = store.section(date)
    table = section.to_arrow()
    assert section.codes == CODES[: len(section)]
    assert section.date == datetime.datetime.strptime(date, "%Y%m%d").date()
    for column in store.columns:
        found = table[column].to_pylist()
        right = expected(date, column)
        if column in ("close", "odd", "holes"):
            found, right = bits(found), bits(right)
        assert found == right, column
    source = rows("BRK.B", 2)
    assert table.schema.field("price").type == source.schema.field("price").type
    assert table.schema.field("seen").type == source.schema.field("seen").type
    assert pa.types.is_dictionary(table.schema.field("name").type)


def test_every_door_has_the_same_values(store):
    section = store.section(20240102)
    frame = section.to_polars()
    assert frame.schema["ts_code"] == pl.String and frame.schema["trade_date"] == pl.Date
    assert bits(frame["odd"].to_list()) == bits(expected("20240102", "odd"))
    assert frame["holes"].to_list() == [None, None, None]
    assert duckdb.sql("select sum(close), count(*) from section").fetchall() == [(33.0, 3)]
    frame = section.to_pandas()
    assert frame.index.tolist() == CODES
    assert bits(frame["odd"].tolist()) == bits(expected("20240102", "odd"))
    assert frame["volume"].tolist() == [2**40 + 1] * 3 and frame["holes"].isna().all()
    assert frame["trade_date"].dtype == "datetime64[us]"
    assert isinstance(section.to_polars(codes="categorical").schema["ts_code"], pl.Categorical)
    assert section.to_pandas(types="pyarrow")["close"].tolist() == [1.0, 11.0, 21.0]
    assert section.to_numpy(["close", "lots"]).tolist() == [[1.0, 2.0], [11.0, 2.0], [21.0, 2.0]]


def test_numbers_lie_in_the_map_and_cannot_be_written(store, path):
    section = store.section("2024-01-02", ["close"])
    values = np.asarray(section["close"])
    assert is_mapped(path, values.ctypes.data) and not values.flags.writeable
    assert is_mapped(path, section.to_arrow()["close"].chunk(0).buffers()[1].address)
    assert is_mapped(path, section.to_polars()["close"].to_numpy().ctypes.data)
    assert is_mapped(path, section.to_pandas()["close"].to_numpy().ctypes.data)
    with pytest.raises(ValueError):
        values[0] = 1.0


HOLES = np.arange(4) == 1
# For each column of four rows, whether it lies in the map for numpy and pandas, and for pyarrow and Polars.
LIE_IN_THE_MAP = {
    "double": (pa.array([0.5, 1.0, 2.0, -0.0]), True, True),
    "float32": (pa.array([0.5, 1.0, 2.0, -0.0], pa.float32()), True, True),
    "double, null": (pa.array([0.5, 1.0, 2.0, -0.0], mask=HOLES), False, True),
    "int64 beyond 32 bits": (pa.array([1, 2, 3, 2**31]), True, True),
    "int64 beyond 32 bits, null": (pa.array([1, 2, 3, 2**31], mask=HOLES), False, True),
    "int64 within 32 bits": (pa.array([1, 2, 3, 2**31 - 1]), False, False),
    "int64 of 0 and 1": (pa.array([1, 0, 0, 1]), False, False),
    "int32 beyond 16 bits": (pa.array([1, 2, 3, 2**15], pa.int32()), True, True),
    "int32 within 16 bits": (pa.array([1, 2, 3, 2**15 - 1], pa.int32()), False, False),
    "bool": (pa.array([True, False, False, True]), False, True),
    "instant": (pa.array([10**15, 1, 2, 3], pa.timestamp("us", "UTC")), True, True),
    "date": (pa.array([1, 2, 3, 4], pa.int32()).cast(pa.date32()), False, True),
    "text": (pa.array(["a", "b", "c", "d"]), False, False),
}


@pytest.mark.parametrize("kind", LIE_IN_THE_MAP)
def test_what_lies_in_the_map_and_what_is_made_is_as_documented(tmp_path, kind):
    values, in_numpy, in_arrow = LIE_IN_THE_MAP[kind]
    keys = {"code": ["A", "B", "C", "D"], "date": pa.repeat("20240102", 4)}
    transect.write(tmp_path / "s", pa.table({**keys, "x": values}))
    section = transect.open(tmp_path / "s").section(20240102)
    seen = np.asarray(section["x"])
    assert is_mapped(tmp_path / "s", seen.ctypes.data) == in_numpy
    if in_numpy:
        assert np.asarray(section["x"], copy=False).ctypes.data == seen.ctypes.data
    else:
        with pytest.raises(ValueError, match="^column 'x' .*; let it copy$"):
            np.asarray(section["x"], copy=False)
    table, frame = section.to_arrow(), section.to_polars()
    assert is_mapped(tmp_path / "s", table["x"].chunk(0).buffers()[1].address) == in_arrow
    physical = frame["x"].to_physical().to_arrow()
    assert is_mapped(tmp_path / "s", physical.buffers()[1].address) == in_arrow
    if kind not in ("instant", "text"):
        assert is_mapped(tmp_path / "s", section.to_pandas()["x"].to_numpy().ctypes.data) == in_numpy


def test_what_lies_in_pieces_or_lacks_rows_is_put_together(tmp_path):
    count = 65_537
    keys = {"code": [f"{at:06}" for at in range(count)], "date": pa.repeat("20240102", count)}
    rows = pa.table({**keys, "x": np.arange(count) + 0.5})
    transect.write(tmp_path / "one", rows.slice(1))
    transect.write(tmp_path / "more", rows)
    transect.add_source(tmp_path / "one", rows.slice(2).rename_columns(["code", "date", "y"]), name="y")
    one, more = (transect.open(tmp_path / name).section(20240102) for name in ("one", "more"))
    for section, name, is_there in ((one, "x", True), (one, "y", False), (more, "x", False)):
        address = section.to_arrow()[name].chunk(0).buffers()[1].address
        assert any(is_mapped(tmp_path / store, address) for store in ("one", "more")) == is_there
        if is_there:
            assert np.asarray(section[name], copy=False).ctypes.data == address
        else:
            with pytest.raises(ValueError, match="let it copy$"):
                np.asarray(section[name], copy=False)
    assert np.asarray(more["x"])[-1] == count - 0.5


def test_null_is_never_zero(store):
    section = store.section(20240103)
    volume = np.asarray(section["volume"])
    assert section["volume"].null_count == 2 and np.isnan(volume).all()
    with pytest.raises(ValueError, match="2 nulls, which no view can tell; let it copy"):
        np.asarray(section["volume"], copy=False)
    assert np.isnan(np.asarray(store.section(20231229).to_pandas()["price"].astype(float))).all()


def test_frames_outlive_the_store_and_its_files(own):
    store = transect.open(own)
    section, matrix = store.section(20240103), store.matrix("close")
    values = np.asarray(section["close"])
    store.close()
    with pytest.raises(ValueError, match="is closed; open it again"):
        store.section(20240103)
    del store, section
    gc.collect()
    for file in own.rglob("*"):
        if file.is_file():
            file.unlink()
    assert values.tolist() == [2.0, 12.0] and matrix.values[0, 0] == 0.0


def test_frames_are_whole_after_the_store_is_closed(own):
    with transect.open(own) as store:
        section, scan, lazy = store.section(20240102), store.scan(columns=["close"]), store.lazy()
        query = lazy.filter(pl.col("ts_code") == "BRK.B").select("close")
        universe = store.scan(universe="halted")
        right = [section.to_polars(codes="categorical"), scan.to_pandas(), scan["close"].null_count, len(universe)]
    assert section.to_polars(codes="categorical").equals(right[0]) and scan.to_pandas().equals(right[1])
    assert scan["close"].null_count == right[2] and section.changed == 1
    assert [len(one.to_pandas(codes="categorical")) for _, one in scan] == [3, 3, 2, 1]
    assert lazy.collect().height == 9 and query.collect()["close"].to_list() == [20.0, 21.0]
    assert universe["halted"].null_count == 0 and universe.to_pandas().shape[0] == right[3]
    with pytest.raises(ValueError, match="is closed; open it again"):
        store.section(20240102)


def test_a_series_is_one_stock_over_time(store):
    series = store.series("600000.SH", ["close", "volume"], start=20240102, end="2024-01-03")
    assert series.columns == ["ts_code", "trade_date", "close", "volume"]
    frame = series.to_pandas()
    assert frame.index.tolist() == [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-03")]
    assert frame["close"].tolist() == [11.0, 12.0]


def test_a_matrix_is_owned_and_tells_missing_rows_from_nulls(store):
    matrix = store.matrix("holes")
    assert matrix.shape == (4, 3) and matrix.stocks == CODES
    assert matrix.dates.tolist() == store.dates.tolist()
    assert matrix.present.sum() == 9 and matrix.valid.sum() == 6
    assert np.isnan(matrix.values[1]).all() and not matrix.present[3, 1] and matrix.present[1, 0]
    matrix.values[0, 0] = 7.0
    assert store.matrix("holes").values[0, 0] == 0.0
    assert store.matrix("close", stocks=["BRK.B", "000001.SZ"]).to_pandas().columns.tolist() == ["BRK.B", "000001.SZ"]
    lots = store.matrix("lots", fill=-1)
    assert lots.values.dtype == "int32" and lots.values[3].tolist() == [4, -1, -1]
    with pytest.raises(ValueError, match="give fill=-1"):
        store.matrix("lots")
    with pytest.raises(transect.Refused, match="cannot be a matrix"):
        store.matrix("name")


def test_scans_are_streams_of_sections(store):
    scan = store.scan(start=20240102, columns=["close"])
    assert [(date.isoformat(), len(section)) for date, section in scan] == [
        ("2024-01-02", 3),
        ("2024-01-03", 2),
        ("2024-01-04", 1),
    ]
    assert len(scan) == 6 and len(scan.to_arrow()) == 6 and len(scan.to_pandas()) == 6
    assert scan.to_polars()["close"].sum() == 1 + 11 + 21 + 2 + 12 + 3
    assert isinstance(scan, transect.Frame) and np.asarray(scan["close"]).tolist() == [1.0, 11.0, 21.0, 2.0, 12.0, 3.0]
    assert scan.to_numpy().shape == (6, 1) and scan.to_pandas().loc[("2024-01-03", "600000.SH"), "close"] == 12.0
    assert scan.to_pandas(types="pyarrow", codes="categorical").index.names == ["trade_date", "ts_code"]
    assert isinstance(scan.to_polars(codes="categorical").schema["ts_code"], pl.Categorical)
    assert len(store.scan(stocks=["BRK.B"])) == 2
    some = store.scan(stocks=["BRK.B"], dates=["20231229", np.datetime64("2024-01-02")])
    assert some.to_polars()["close"].to_list() == [20.0, 21.0]
    assert len(store.scan(dates=[])) == 0


def test_lazy_frames_push_down_and_agree_with_the_whole(store):
    lazy, whole = store.lazy(), store.scan().to_polars()
    assert lazy.collect().equals(whole)
    date, code = pl.col("trade_date"), pl.col("ts_code")
    for predicate in [
        date == datetime.date(2024, 1, 2),
        code == "BRK.B",
        (date >= datetime.date(2024, 1, 2)) & (pl.col("close") > 5),
        (date == datetime.date(2024, 1, 2)) | (pl.col("close") > 15),
        date.is_in([datetime.date(2024, 1, 3)]) & code.str.ends_with("SH"),
        pl.col("volume").is_null(),
    ]:
        assert lazy.filter(predicate).collect().equals(whole.filter(predicate)), str(predicate)
        few = lazy.filter(predicate).select("close").collect()
        assert few.equals(whole.filter(predicate).select("close")), str(predicate)
    assert lazy.head(4).collect().equals(whole.head(4))


def test_what_is_not_there_is_answered_with_what_is_nearest(store):
    with pytest.raises(transect.NotFound, match="the nearest are 20231229 and 20240102") as caught:
        store.section(20240101)
    assert caught.value.kind == "date" and isinstance(caught.value, LookupError)
    with pytest.raises(transect.NotFound, match=r"did you mean 600000\.SH\?") as caught:
        store.series("600000.SZ")
    assert caught.value.kind == "stock"
    with pytest.raises(transect.NotFound, match="did you mean close") as caught:
        store.section(20240102, ["clsoe"])
    assert caught.value.kind == "column"
    with pytest.raises(KeyError, match="there are ts_code"):
        store.section(20240102)["clsoe"]
    with pytest.raises(TypeError, match=re.escape("columns is a list of names; write ['close']")):
        store.section(20240102, "close")


@pytest.mark.parametrize(
    "date",
    [20240102, "2024-01-02", "20240102", datetime.date(2024, 1, 2), np.datetime64("2024-01-02"), np.int64(20240102),
     pd.Timestamp("2024-01-02")],
)
def test_dates_come_in_every_usual_way(store, date):
    assert store.section(date).date == datetime.date(2024, 1, 2)


@pytest.mark.parametrize(
    "date",
    ["20240230", "today", 5, 3.5, None, pd.Timestamp("2024-01-02 09:30"), True, "202-401-02", "2024-1-002",
     "2024-01/02", "2024０1０2", "-0240102", pd.Timestamp(1, unit="ns"), -20240102, np.bool_(True), b"20240102"],
)
def test_what_is_no_date_is_refused(store, date):
    with pytest.raises((ValueError, TypeError), match="is no date; |has a time of day; give a date"):
        store.section(date)
    with pytest.raises((ValueError, TypeError), match="is no date; |has a time of day; give a date"):
        store.scan(dates=[20240102, date])


@pytest.mark.parametrize("date", [np.datetime64("NaT"), pd.NaT, np.datetime64("NaT", "D"), np.datetime64("NaT", "ns")])
def test_no_time_is_refused_in_words(store, date):
    days = np.array(["2024-01-02", date if isinstance(date, np.datetime64) else "NaT"], "M8[D]")
    several = ({"dates": days}, {"dates": [date]}, {"dates": pd.DatetimeIndex(days)})
    for asked in (*several, {"start": date}, {"end": date}):
        with pytest.raises(ValueError, match="^NaT is no date; leave it out$"):
            store.scan(**asked)


@pytest.mark.parametrize("unit", ["Y", "M", "W"])
def test_months_and_years_have_no_day(store, unit):
    month = np.datetime64("2024-01-04", unit)
    for asked in ({"start": month}, {"end": month}, {"dates": [month]}, {"dates": np.array([month])}):
        with pytest.raises(ValueError, match=r"^np.datetime64\(.* has no day; give a date$"):
            store.scan(**asked)


@pytest.mark.parametrize("days", [-(2**40), -719163, 2932897, 2**40])
def test_dates_before_and_after_all_years_are_refused(store, days):
    date = np.datetime64(days, "D")
    for asked in ({"start": date}, {"dates": [date]}, {"dates": np.array([date, "2024-01-02"], "M8[D]")}):
        with pytest.raises(ValueError, match="lies outside the years 1 to 9999$"):
            store.scan(**asked)


def test_a_store_is_pickled_as_its_path_and_version(store, tmp_path, monkeypatch):
    other = pickle.loads(pickle.dumps(store))
    assert (other.path, other.version, len(other)) == (store.path, store.version, 9)
    monkeypatch.chdir(pathlib.Path(store.path).parent)
    copies = pickle.dumps(transect.open("panel.store", io="read"))
    monkeypatch.chdir(tmp_path)
    other = pickle.loads(copies)
    assert len(other.section(20240102)) == 3 and len(other.reload().section(20240102)) == 3
    assert len(other.diff(other.version).to_polars()) == 0
    with pytest.raises(transect.NotFound) as caught:
        transect.open(store.path + ".gone")
    assert caught.value.kind == "store"


def test_copies_are_read_also_by_what_is_made_of_a_store(own):
    code = """
import pathlib, pickle, sys, transect
store = transect.open(sys.argv[1], io="read")
transect.append(store, store.section(20240102).to_polars().with_columns(lots=1))
other = pickle.loads(pickle.dumps(store))
for one in (other, other.reload()):
    one.section(20240102).to_polars()
    one.diff(1, by="row").to_polars()
    one.diff(sys.argv[1], by="row").to_polars()
print(sys.argv[1] in pathlib.Path("/proc/self/maps").read_text())
"""
    run = subprocess.run([sys.executable, "-c", code, own], capture_output=True, text=True)
    assert run.stdout == "False\n", run.stderr


def test_a_panel_with_a_further_key_is_a_matrix_at_one_value_of_it(tmp_path):
    (tmp_path / "bars").mkdir()
    bars = pa.table({"date": ["20240102"] * 2, "time": ["09:31", "14:55"], "close": [1.0, 2.0]})
    pa.parquet.write_table(bars, tmp_path / "bars" / "A.parquet")
    transect.build(tmp_path / "bars", tmp_path / "s", key=["time"])
    store = transect.open(tmp_path / "s")
    assert store.key == ["time"] and len(store.section(20240102)) == 2
    assert store.matrix("close", at={"time": "14:55"}).values.tolist() == [[2.0]]
    with pytest.raises(transect.Refused):
        store.matrix("close")
    why = '^value "15:00" of the key column "time" not found; the values of 20240102 are 09:31 and 14:55$'
    with pytest.raises(transect.NotFound, match=why):
        store.matrix("close", at={"time": "15:00"})


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_a_key_are_asked_for_as_they_are_written(tmp_path, unit):
    kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    clocks = pa.array([datetime.time(9, 31), datetime.time(14, 55)] * 2).cast(kind)
    dates = ["20240102"] * 2 + ["20240103"] * 2
    rows = {"code": ["A"] * 4, "date": dates, "time": clocks, "close": [1.0, 2.0, 3.0, 4.0]}
    transect.write(tmp_path / "s", pa.table(rows), key="time")
    store = transect.open(tmp_path / "s")
    for at in ("14:55:00", "14:55", "145500", "1455", datetime.time(14, 55)):
        assert store.matrix("close", at={"time": at}).values.tolist() == [[2.0], [4.0]], at
    for at in ("145501", "000000", "14:55:01"):
        with pytest.raises(transect.NotFound, match='of the key column "time" not found; ') as caught:
            store.matrix("close", at={"time": at}, end=20240102)
        assert caught.value.kind == "value"
    for at in (53700, "53700000000", "256000", "1", "", "late"):
        with pytest.raises(transect.Refused, match='is no value of the key column "time"'):
            store.matrix("close", at={"time": at})
    for at in (None, float("nan"), pd.NaT):
        with pytest.raises(ValueError, match="give a value that rows have in 'time'"):
            store.matrix("close", at={"time": at})


def test_no_row_of_the_stocks_is_no_reason_to_refuse_a_value(tmp_path):
    rows = {"code": ["A", "B"], "date": ["20240102"] * 2, "minute": [931, 932], "close": [1.0, 2.0]}
    transect.write(tmp_path / "s", pa.table(rows), key="minute")
    store = transect.open(tmp_path / "s")
    assert np.isnan(store.matrix("close", at={"minute": 932}, stocks=["A"]).values).all()
    why = 'value "933" of the key column "minute" not found; did you mean 931 or 932'
    with pytest.raises(transect.NotFound, match=why):
        store.matrix("close", at={"minute": 933})


def test_scans_have_the_values_of_their_sections_bit_for_bit(store):
    whole = store.scan()
    for name in store.columns:
        parts = [section[name]._raw for _, section in store.scan()]
        assert sum(part.null_count for part in parts) == whole[name].null_count, name
    odd = np.asarray(whole["odd"])
    assert bits(odd.tolist()) == [bit for date in DATES for bit in bits(expected(date, "odd"))]
    assert pa.array(whole["price"]).to_pylist() == [value for date in DATES for value in expected(date, "price")]
    assert pl.Series("name", whole["name"]).to_list() == [value for date in DATES for value in expected(date, "name")]


def test_the_schema_is_what_the_input_has(store):
    source = rows("BRK.B", 0).schema
    schema = store.schema.to_arrow()
    assert schema.names == ["ts_code", *source.names] and list(store.schema) == schema.names
    for name in ("close", "volume", "price", "seen", "trade_date"):
        assert schema.field(name).type == source.field(name).type
    assert store.schema["close"] == "Float64" and pl.Schema(store.schema)["lots"] == pl.Int32


@pytest.mark.parametrize("kind", ["int8", "int64", "uint8", "uint32", "uint64", "bool_"])
def test_a_fill_is_a_value_of_the_matrix(tmp_path, kind):
    value = getattr(pa, kind)()
    rows = {"code": ["A", "B"], "date": ["20240102"] * 2, "x": pa.array([1, None]).cast(value)}
    transect.write(tmp_path / "s", pa.table(rows))
    store = transect.open(tmp_path / "s")
    with pytest.raises(ValueError, match=r"has no NaN .*; give fill=(-?\d+), say, or fill=math.nan") as caught:
        store.matrix("x")
    said = int(re.search(r"fill=(-?\d+)", str(caught.value))[1])
    assert store.matrix("x", fill=said).values.tolist() == [[1, said]]
    for fill in (2**70, -(2**70), 1.5, "a", float("inf")):
        why = rf"cannot have fill={fill!r}; give an integer from -?\d+ to \d+, or fill=math.nan"
        with pytest.raises(ValueError, match=why):
            store.matrix("x", fill=fill)
    assert np.isnan(store.matrix("x", fill=float("nan")).values).tolist() == [[False, True]]


def test_a_fill_of_doubles_is_a_number_and_times_have_none(store):
    with pytest.raises(ValueError, match="^fill='a' is no number; give one$"):
        store.matrix("close", fill="a")
    assert np.isnat(store.matrix("seen", fill=float("nan")).values).sum() == 3
    with pytest.raises(ValueError, match="has NaT for cells without a value, and cannot have fill=0; leave it out$"):
        store.matrix("seen", fill=0)


def test_what_doubles_cannot_hold_is_said_with_what_does(tmp_path):
    rows = {"code": ["A"], "date": ["20240102"], "x": [2**53 + 1]}
    transect.write(tmp_path / "s", pa.table(rows))
    with pytest.raises(transect.Refused, match="exactly; Store.matrix with fill=0, say, is one of Int64, which does; sections, series and scans"):
        transect.open(tmp_path / "s").matrix("x", fill=float("nan"))


def test_ctrl_c_is_a_keyboard_interrupt_wherever_a_frame_is_being_read(store, interruptible):
    scan = store.scan()
    lost = 0
    for after in range(1, 60, 3):
        for take in (scan.to_polars, scan.to_arrow, scan.to_pandas):
            pressed = []

            def press(*_):
                pressed.append(1)
                raise KeyboardInterrupt

            before = signal.signal(signal.SIGALRM, press)
            signal.setitimer(signal.ITIMER_REAL, after / 1000)
            try:
                while not pressed:
                    take()
                lost += 1
            except KeyboardInterrupt:
                pass
            except pa.ArrowInvalid as other:
                assert pressed and "interrupted" not in str(other), other
                lost += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
    # pyarrow and pandas let go of one in a thousand, where they ask Python for a time zone, say.
    assert lost < 6


def test_ctrl_c_ends_what_other_threads_read_for_the_one_that_runs_python(store, interruptible):
    """DuckDB waits for its threads, which would read all that there is."""
    def press():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                pass

    def read(of):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(of.read_next_batch).result()

    def opened():
        return pa.RecordBatchReader.from_stream(store.scan())

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(opened).result()
    for _ in range(2):
        ours = opened()
        assert read(ours).num_rows == 3
        press()
        with pytest.raises(Exception, match="interrupted"):
            read(ours)
        # Python puts its own handler in the place of others.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert read(theirs).num_rows == read(opened()).num_rows == 3
    # Who answers otherwise may go on.
    before, pressed = signal.signal(signal.SIGINT, lambda *_: pressed.append(1)), []
    ours = opened()
    os.kill(os.getpid(), signal.SIGINT)
    while not pressed:
        pass
    assert read(ours).num_rows == 3
    signal.signal(signal.SIGINT, before)


def test_a_matrix_of_integers_becomes_doubles_on_request(store):
    volume = store.matrix("volume", fill=float("nan"))
    assert volume.values.dtype == "f8" and np.isnan(volume.values[2, 0]) and volume.values[0, 0] == 2.0**40
    assert store.matrix("halted", fill=float("nan")).values[0].tolist() == [1.0, 0.0, 0.0]
    assert store.matrix("halted", fill=0).values.dtype == "u1"


def test_messages_name_functions_and_no_commands(own, source, tmp_path):
    with pytest.raises(transect.Refused, match=r'transect\.update\(".*own.store"\) brings it up to date, or force=True'):
        transect.build(source, own)
    for wrong in (tmp_path / "nothing", source, source / "BRK.B.parquet"):
        with pytest.raises(transect.NotFound) as caught:
            transect.open(wrong)
        assert "transect.build(" in str(caught.value) and "`" not in str(caught.value)


@pytest.mark.parametrize("engine", ["numpy", "pandas", "polars", "pyarrow", "duckdb", "xarray"])
def test_each_engine_is_enough_by_itself(own, engine):
    alone = pathlib.Path(__file__).with_name("alone.py")
    clock, seen = pa.array([53_700_000_001, None]), pa.array([10**15, None])
    odd = {
        "code": ["A", "B"], "date": ["20240102"] * 2, "bytes": [b"1", None], "nothing": pa.nulls(2),
        "us": clock.cast(pa.time64("us")), "ns": pa.array([53_700_000_001_000, None]).cast(pa.time64("ns")),
        "ms": pa.array([53_700_000, None], pa.int32()).cast(pa.time32("ms")),
        "east": seen.cast(pa.timestamp("us", "+08:00")), "west": seen.cast(pa.timestamp("us", "-03:30")),
    }
    transect.write(f"{own}.odd", pa.table(odd))
    run = subprocess.run([sys.executable, alone, engine, own], capture_output=True, text=True)
    assert run.stdout == "done\n", run.stderr


def test_coverage_is_a_frame_of_each_kind_of_facts(store):
    """Beside the same facts by Polars."""
    frame = store.scan().to_polars().rename({"ts_code": "stock", "trade_date": "date"})
    days = frame["date"].unique().sort()
    dates = store.coverage().to_polars()
    assert dates.columns == ["date", "rows", "stocks", "first", "last", "absent", "unusual"]
    assert dates.select("date", "rows").rows() == frame.group_by("date").len().sort("date").rows()
    assert dates["last"].to_list() == [0, 1, 1, 1] and dates["first"].to_list() == [3, 0, 0, 0]
    stocks = store.coverage(by="stock").to_polars()
    lives = frame.group_by("stock").agg(pl.col("date").min().alias("first"), pl.col("date").max().alias("last"), pl.len())
    assert stocks.select("stock", "first", "last", "rows").rows() == lives.sort("stock").rows()
    assert stocks["state"].to_list() == ["current", "stale", "stale"] and stocks["holes"].sum() == 0
    columns = store.coverage(by="column").to_polars()
    assert columns["column"].to_list() == store.columns
    assert dict(columns.select("column", "nulls").rows()) == {name: frame[name].null_count() for name in store.columns}
    assert columns.filter(column="odd")["nans"].item() == 3 and columns["source"].unique().to_list() == ["features"]
    months = store.coverage(by="month").to_polars()
    assert months.height == 2 * len(store.columns)
    assert months.filter(column="volume").rows() == [("volume", 202312, 3, 0, 0), ("volume", 202401, 6, 2, 0)]
    years = store.coverage(by="year").to_polars().filter(column="close")
    assert years.select("year", "rows", "values", "least", "greatest").rows() == [
        (2023, 3, 3, 0.0, 20.0), (2024, 6, 6, 1.0, 21.0)
    ]
    assert years["50%"].to_list() == pytest.approx([10.0, 7.0], rel=0.008)
    jumps = store.coverage(by="jump").to_polars()
    assert jumps.columns == ["column", "date", "kind", "before", "after"] and jumps.height == 0
    whole = store.coverage(by=None)
    assert (whole.version, whole.rows, len(whole.dates), len(whole.columns)) == (1, 9, len(days), 9)
    assert whole.versions[0].command == "build" and whole.sources[0].name == "features"
    with pytest.raises(ValueError, match="'jump' or None, not 'nothing'"):
        store.coverage(by="nothing")


def test_a_broken_feed_is_a_jump(tmp_path):
    days = [datetime.date(2024, 1, day) for day in range(1, 11)]
    frame = pl.DataFrame({"code": [f"{code:03}" for code in range(30)]}).join(pl.DataFrame({"date": days}), how="cross")
    price = pl.when(pl.col("date") < days[5]).then(10.0).otherwise(1000.0)
    transect.write(tmp_path / "s", frame.with_columns(price=price))
    jumps = transect.open(tmp_path / "s").coverage(by="jump").to_polars()
    assert jumps.select("column", "date", "kind").rows() == [("price", days[5], "scale")]
    assert jumps.select("before", "after").row(0) == pytest.approx((10.0, 1000.0), rel=0.02)
