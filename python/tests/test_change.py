"""What changes a store: reports, guards, frames without a file, Ctrl-C."""

import _thread
import datetime
import fcntl
import inspect
import multiprocessing
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect


def night(**columns):
    return {"ts_code": ["BRK.B", "600000.SH"], "trade_date": ["20240105"] * 2, **columns}


def values():
    return night(
        close=[1.5, 2.5], odd=[0.5, 0.5], holes=[None, 0.25], volume=[7, None], lots=[1, 2], halted=[True, False],
        price=[None, None], seen=[None, None], name=["a", "b"],
    )


def as_pyarrow():
    table = pa.table(values())
    types = {"lots": pa.int32(), "price": pa.decimal128(12, 4), "seen": pa.timestamp("us", "Asia/Shanghai")}
    for column, kind in types.items():
        at = table.schema.get_field_index(column)
        table = table.set_column(at, column, table[column].cast(kind))
    return table


@pytest.mark.parametrize("kind", ["pyarrow", "polars", "pandas"])
def test_a_frame_is_appended_as_a_file_of_it_would_be(own, kind):
    frame = {"pyarrow": as_pyarrow, "polars": lambda: pl.DataFrame(as_pyarrow()),
             "pandas": lambda: as_pyarrow().to_pandas(types_mapper=pd.ArrowDtype)}[kind]()
    report = transect.append(own, frame)
    assert (report.published, report.added, report.version) == (True, 2, 2)
    table = transect.open(own).section(20240105).to_arrow()
    assert table["close"].to_pylist() == [2.5, 1.5] and table["volume"].to_pylist() == [None, 7]
    assert table["holes"].to_pylist() == [0.25, None]


def test_a_frame_of_several_dates_is_appended_date_by_date(own):
    table = as_pyarrow()
    later = table.set_column(1, "trade_date", pa.array(["20240105", "20240108"]))
    assert transect.append(own, later).added == 2
    store = transect.open(own)
    assert [str(date) for date in store.dates[-2:]] == ["2024-01-05", "2024-01-08"]
    assert store.section(20240108).codes == ["600000.SH"]


def test_a_frame_that_cannot_be_used_is_refused_with_the_reason(own):
    with pytest.raises(transect.Refused, match="lacks the column"):
        transect.append(own, as_pyarrow().drop_columns(["close"]))
    with pytest.raises(TypeError, match="int has no rows; give a frame of Arrow, pandas, Polars or DuckDB"):
        transect.append(own, 5)
    assert transect.open(own).version == 1


def test_a_night_is_updated_guarded_and_told(source, tmp_path):
    folder, store = tmp_path / "features", tmp_path / "s"
    shutil.copytree(source, folder)
    assert transect.build(folder, store).rows == 9
    table = pq.read_table(folder / "BRK.B.parquet")
    nulls = pa.nulls(len(table), pa.float64())
    pq.write_table(table.set_column(1, "close", pa.array([5.0, 21.0])), folder / "BRK.B.parquet")
    dry = transect.update(store, dry_run=True)
    assert (dry.restated, dry.published) == (1, False)
    report = transect.update(store)
    assert (report.restated, report.first_dirty) == (1, datetime.date(2023, 12, 29))
    diff = transect.open(store).diff(by=None)
    assert (diff.older, diff.restated, diff.dates[0].date) == (1, 1, datetime.date(2023, 12, 29))
    assert [(move.stock, move.column, move.old, move.new, move.relative) for move in diff.moves] == [
        ("BRK.B", "close", "20.0", "5.0", -0.75)
    ]
    rows = transect.open(store).diff(by="row").to_polars()
    assert rows.rows() == [(datetime.date(2023, 12, 29), "BRK.B", "restated", "close", "20.0", "5.0")]
    assert transect.open(store).diff().to_polars().rows() == [(datetime.date(2023, 12, 29), 0, 1, 0, 0)]
    assert transect.open(store).diff(by="stock").to_polars().rows() == [("BRK.B", 0, 1, 0, 0)]
    columns = transect.open(store).diff(by="column").to_polars()
    assert columns.rows() == [("close", 1, 0, "Float64", "Float64")]
    assert len(transect.open(store).diff(transect.open(store), by="row")) == 0
    first = transect.open(store, version=1)
    assert len(first.diff()) == 0 and first.diff(by=None).older is None
    first.close()
    assert len(transect.open(store).diff(stocks=["600000.SH"])) == len(transect.open(store).diff(1, start=20240102)) == 0
    assert len(transect.open(store).diff(columns=["odd"], by="row")) == 0
    with pytest.raises(transect.NotFound, match="did you mean BRK.B"):
        transect.open(store).diff(stocks=["BRK.A"])
    assert [entry.command for entry in transect.open(store).log()] == ["build", "update"]
    assert [(of.stock, of.restated) for of in report.stocks] == [("BRK.B", 1)] and report.restated_stocks == 1
    newest = report.newest
    assert (newest.date, newest.stocks) == (datetime.date(2024, 1, 4), 1)
    assert (newest.date_before, newest.stocks_before) == (datetime.date(2024, 1, 3), 2)
    assert [(stale.stock, stale.last) for stale in newest.stale_stocks] == [
        ("600000.SH", datetime.date(2024, 1, 3)), ("BRK.B", datetime.date(2024, 1, 2))
    ]
    with pytest.raises(transect.Guarded, match="2 of 9 rows would be restated or removed; at most 0 may be") as caught:
        pq.write_table(table.set_column(1, "close", nulls), folder / "BRK.B.parquet")
        transect.update(store, max_restated=0)
    assert not caught.value.report.published
    assert transect.open(store, version=1).matrix("close").values[0, 2] == 20.0
    assert transect.open(store).verify() and transect.gc(store, keep=1).removed_versions == [1]


def test_a_night_without_the_date_that_is_expected_is_stopped(source, tmp_path):
    folder, store = tmp_path / "features", tmp_path / "s"
    shutil.copytree(source, folder)
    transect.build(folder, store)
    with pytest.raises(transect.Guarded, match="expected-date: 20240105 is not there; 1 stock has 20240104") as caught:
        transect.update(store, expect="2024-01-05")
    assert caught.value.words == ["expected-date"] and not caught.value.report.published
    with pytest.raises(transect.Guarded, match="is not there"):
        transect.update(store, expect="today")
    assert not transect.update(store, expect=20240105, allow=["expected-date"]).published
    assert not transect.update(store, expect=datetime.date(2024, 1, 2)).published

    def tonight(code, date):
        table = pq.read_table(folder / f"{code}.parquet")
        row = table.slice(len(table) - 1).set_column(0, "trade_date", pa.array([date]))
        pq.write_table(pa.concat_tables([table, row]).unify_dictionaries(), folder / f"{code}.parquet")

    for code in ("000001.SZ", "600000.SH", "BRK.B"):
        tonight(code, "20240105")
    assert transect.update(store, expect=20240105).added == 3
    tonight("000001.SZ", "20240108")
    tonight("BRK.B", "20240108")
    what = "2 stocks have 20240108, and 3 stocks have 20240105; at least 90% should have it"
    with pytest.raises(transect.Guarded, match=what) as caught:
        transect.update(store, expect=20240108)
    assert caught.value.report.guards[0].examples == ["600000.SH"]
    with pytest.raises(transect.Guarded, match="at least 3 should"):
        transect.update(store, expect=20240108, min_codes=3)
    report = transect.update(store, expect=20240108, min_codes="60%", dry_run=True)
    assert report.guards == [] and report.newest.date == datetime.date(2024, 1, 5)
    report = transect.update(store, expect=20240108, min_codes=2)
    assert (report.published, report.newest.date, report.newest.stocks) == (True, datetime.date(2024, 1, 8), 2)
    assert [stale.stock for stale in report.newest.stale_stocks] == ["600000.SH"]


def test_codes_that_are_expected_are_those_of_all_sources_and_no_rows(tmp_path):
    """A panel of bars of two sources, each of which brings some of the stocks."""
    frame = pl.DataFrame({"code": ["A", "B", "C", "D"]}).join(pl.DataFrame({"time": ["09:31", "09:32"]}), how="cross")

    def night(source, codes, dates, bars=("09:31", "09:32")):
        (tmp_path / source).mkdir(exist_ok=True)
        for code in codes:
            rows = frame.filter(pl.col("code") == code, pl.col("time").is_in(bars)).drop("code")
            days = pl.concat([rows.with_columns(date=pl.lit(date)) for date in dates])
            days.with_columns(pl.lit(1.0).alias(source)).write_parquet(tmp_path / source / f"{code}.parquet")

    store = tmp_path / "s"
    night("prices", "ABC", ["20240102"])
    night("flows", "BCD", ["20240102"])
    transect.build(tmp_path / "prices", store, key=["time"])
    transect.add_source(store, tmp_path / "flows")
    # Two bars of some of the stocks are more rows than one of all.
    night("prices", "ABC", ["20240102", "20240103"])
    with pytest.raises(transect.Guarded, match="3 stocks have 20240103, and 4 stocks have 20240102") as caught:
        transect.update(store, expect=20240103)
    assert caught.value.report.guards[0].examples == ["D"]
    assert transect.open(store).version == 2
    night("flows", "BCD", ["20240102", "20240103"], ["09:31"])
    assert transect.update(store, expect=20240103, min_codes="100%", dry_run=True).guards == []
    with pytest.raises(transect.Guarded, match="3 stocks have 20240103"):
        transect.update(store, sources="flows", expect=20240103)
    report = transect.update(store, expect=20240103, min_codes="100%")
    assert (report.published, report.newest.stocks, report.newest.stocks_before) == (True, 4, 4)
    # It is there now, whatever the next night brings.
    assert transect.update(store, expect=20240103, min_codes=4).guards == []


def test_a_source_of_frames_is_not_asked_for_the_date_that_is_expected(source, tmp_path):
    """Its rows are computed from those that the update brings, and appended after it."""
    folder, store = tmp_path / "features", tmp_path / "s"
    shutil.copytree(source, folder)
    transect.build(folder, store)
    close = transect.open(store).scan(columns=["close"]).to_polars()
    transect.add_source(store, close.rename({"close": "mom"}), name="mom")
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        row = table.slice(len(table) - 1).set_column(0, "trade_date", pa.array(["20240105"]))
        pq.write_table(pa.concat_tables([table, row]).unify_dictionaries(), path)
    report = transect.update(store, expect="2024-01-05")
    assert report.guards == [] and [of.stocks for of in report.newest.sources] == [3, 0]


def test_a_version_is_restored_and_stands_until_its_files_are_read_again(source, tmp_path):
    folder, store = tmp_path / "features", tmp_path / "s"
    shutil.copytree(source, folder)
    transect.build(folder, store)
    table = pq.read_table(folder / "BRK.B.parquet")
    pq.write_table(table.set_column(1, "close", pa.array([5.0, 21.0])), folder / "BRK.B.parquet")
    transect.update(store)
    report = transect.restore(store, 1)
    assert (report.restored, report.restated, report.version, report.written_bytes) == (1, 1, 3, 0)
    assert transect.open(store).matrix("close").values[0, 2] == 20.0
    assert [entry.command for entry in transect.open(store).log()] == ["build", "update", "restore 1"]
    assert not transect.update(store).published
    assert transect.update(store, reread=True, dry_run=True).restated == 1
    with pytest.raises(transect.NotFound, match="version 9 of .* not found; versions 3, 2 and 1 are kept"):
        transect.restore(store, 9)
    with pytest.raises(transect.Guarded, match="1 of 9 rows would be restated or removed; at most 0 may be"):
        transect.restore(store, 2, max_restated=0)


def test_what_changes_a_store_maps_none_of_its_files_where_it_reads_copies(source, tmp_path):
    folder, store, more = tmp_path / "features", tmp_path / "s", tmp_path / "more"
    shutil.copytree(source, folder)
    transect.build(folder, store)
    more.mkdir()
    pq.write_table(pa.table({"trade_date": ["20240102"], "extra": [1.0]}), more / "BRK.B.parquet")
    seen = []

    def look(*_):
        if sys.platform == "linux":
            with open("/proc/self/maps") as maps:
                seen.extend(line for line in maps if str(store) in line and "segment" in line)

    transect.update(store, reread=True, io="read", progress=look)
    transect.append(store, as_pyarrow(), io="read", progress=look)
    transect.add_source(store, more, allow=["few-codes"], io="read", progress=look)
    transect.set_source(store, "more", rename={"extra": "other"}, io="read", progress=look)
    transect.drop_source(store, "more", io="read", progress=look)
    transect.restore(store, 2, allow=["appended-rows"], io="read", progress=look)
    transect.gc(store, keep=1, io="read")
    assert seen == [] and len(transect.open(store)) == 11
    with pytest.raises(ValueError, match="io: is 'map' or 'read', not \"disk\""):
        transect.update(store, io="disk")


def test_a_store_keeps_versions_by_age_from_the_update_on_that_says_so(source, tmp_path):
    folder, store = tmp_path / "features", tmp_path / "s"
    shutil.copytree(source, folder)
    table = pq.read_table(folder / "BRK.B.parquet")

    def night(close, **options):
        pq.write_table(table.set_column(1, "close", pa.array([close, close])), folder / "BRK.B.parquet")
        transect.update(store, **options)
        return transect.open(store).info()

    transect.build(folder, store, keep=1)
    assert night(1.0).kept_versions == [2]
    info = night(2.0, keep_for=datetime.timedelta(days=30))
    assert (info.keep, info.keep_for_seconds, info.kept_versions) == (1, 30 * 24 * 3600, [2, 3])
    assert night(3.0).kept_versions == [2, 3, 4]
    assert night(4.0, keep_for="0h").kept_versions == [5]
    with pytest.raises(ValueError, match='keep_for: "soon" is no age'):
        transect.update(store, keep_for="soon")


def test_a_source_joins_left_until_it_is_set_to_join_outer(tmp_path):
    for name, days in (("prices", ["20240102", "20240103"]), ("value", ["20240103", "20240104"])):
        (tmp_path / name).mkdir()
        frame = pl.DataFrame({"trade_date": days, name: [1.5, 2.5]})
        frame.write_parquet(tmp_path / name / "A.parquet")
    store = tmp_path / "s"
    transect.build(tmp_path / "prices", store)
    report = transect.add_source(store, tmp_path / "value", join="left")
    assert (report.added, report.filled, report.left_out) == (0, 1, 1)
    assert not transect.update(store, reread=True).published
    report = transect.set_source(store, "value", join="outer")
    assert (report.added, transect.open(store).series("A").to_polars()["value"].to_list()) == (1, [None, 1.5, 2.5])
    assert transect.set_source(store, "value", join="left", allow=["pruned-rows"]).removed == 1
    with pytest.raises(transect.Refused, match="no source would join outer"):
        transect.set_source(store, "prices", join="left")
    with pytest.raises(ValueError, match='"inner" is neither outer nor left'):
        transect.set_source(store, "value", join="inner")


def test_options_of_a_source_are_set_and_a_source_goes(source, tmp_path):
    folders = [tmp_path / name for name in ("features", "value")]
    for folder in folders:
        shutil.copytree(source, folder)
    store = tmp_path / "s"
    transect.build(folders[0], store, exclude=["odd"])
    command = [sys.executable, "-c", "import transect._transect as t; t.main()"]
    adding = ["source", "add", store, folders[1], "--prefix", "v_"]
    subprocess.run([*command, *adding], check=True, capture_output=True)
    report = transect.set_source(
        store, "features", rename={"close": "last,close"}, add={"exclude": "halted"}, casts={"lots": "int64"}
    )
    assert (report.renamed_columns, report.lost_columns) == (["close -> last,close"], ["halted"])
    assert report.widened_columns == ["lots: Int32 -> Int64"]
    assert {"odd", "halted", "close"}.isdisjoint(transect.open(store).columns)
    report = transect.set_source(store, "features", exclude=[], rename={}, dry_run=True)
    assert (report.new_columns, report.renamed_columns) == (["odd", "halted"], ["last,close -> close"])
    moved = folders[1].rename(tmp_path / "moved")
    report = transect.set_source(store, "value", path=moved, prefix="w_", max_skipped=3)
    assert (report.read_files, report.lost_columns, len(report.renamed_columns)) == (0, [], 9)
    with pytest.raises(ValueError, match='"key" is no list'):
        transect.set_source(store, "value", add={"key": ["x"]})
    with pytest.raises(transect.Refused, match=r'transect.set_source\(".*", "value", add=\{"exclude": \["close"\]\}\) does'):
        transect.update(store, sources="value", exclude=["close"])
    report = transect.drop_source(store, "features")
    assert (report.removed, "price" in report.lost_columns) == (0, True)
    opened = transect.open(store)
    assert all(name.startswith("w_") for name in opened.columns if name not in ("ts_code", "trade_date"))
    assert opened.matrix("w_close").values[0, 2] == 20.0
    assert [entry.command for entry in opened.log()][-1] == "source drop"


def test_of_several_sources_those_that_are_named_change(source, tmp_path):
    folders = [tmp_path / name for name in ("features", "value")]
    for folder in folders:
        shutil.copytree(source, folder)
    store = tmp_path / "s"
    transect.build(folders[0], store)
    command = [sys.executable, "-c", "import transect._transect as t; t.main()"]
    adding = ["source", "add", store, folders[1], "--prefix", "v_"]
    subprocess.run([*command, *adding], check=True, capture_output=True)
    table = pq.read_table(source / "BRK.B.parquet")
    for folder in folders:
        pq.write_table(table.set_column(1, "close", pa.array([7.0, 8.0])), folder / "BRK.B.parquet")

    def values():
        opened = transect.open(store)
        return [opened.matrix(name, stocks=["BRK.B"]).values[:2, 0].tolist() for name in ("close", "v_close")]

    assert transect.update(store, sources="value").restated == 2
    assert values() == [[20.0, 21.0], [7.0, 8.0]]
    assert transect.update(store).restated == 2
    assert values() == [[7.0, 8.0], [7.0, 8.0]]
    rows = table.slice(0, 1).set_column(1, "close", pa.array([9.0])).append_column("ts_code", pa.array(["BRK.B"]))
    with pytest.raises(transect.Refused):
        transect.append(store, rows)
    transect.append(store, rows, source="features")
    assert values() == [[9.0, 8.0], [7.0, 8.0]]


def test_files_by_date_make_a_store_and_say_what_they_are(tmp_path):
    (tmp_path / "days").mkdir()
    for day, values in [("20240102", [1.5, 2.5]), ("20240103", [3.5, None])]:
        table = pa.table({"date": [day] * 2, "symbol": ["B", "A"], "x": values})
        pq.write_table(table, tmp_path / "days" / f"{day}.parquet")
    with pytest.raises(transect.Refused, match='files_by="date" reads them as what they are'):
        transect.build(tmp_path / "days", tmp_path / "store")
    report = transect.build(tmp_path / "days", tmp_path / "store", files_by="date")
    assert (report.rows, report.stocks, report.dates) == (4, 2, 2)
    assert transect.open(tmp_path / "store").section(20240103).to_arrow().to_pydict() == {
        "symbol": ["A", "B"], "date": [datetime.date(2024, 1, 3)] * 2, "x": [None, 3.5],
    }
    pq.write_table(pa.table({"symbol": ["A"], "x": [4.5]}), tmp_path / "days" / "20240104.parquet")
    assert transect.update(tmp_path / "store").added == 1


def test_night_sessions_wait_for_their_trading_date(tmp_path):
    (tmp_path / "bars").mkdir()
    (tmp_path / "calendar.csv").write_text("20240105\n")
    rows = {"date": ["20240105"] * 2, "time": ["09:00", "21:00"], "x": [1, 2]}
    pq.write_table(pa.table(rows), tmp_path / "bars" / "A.parquet")
    given = {"key": ["date", "time"], "roll": "20:30", "calendar": tmp_path / "calendar.csv"}
    assert transect.build(tmp_path / "bars", tmp_path / "store", **given).waiting_rows == 1
    (tmp_path / "calendar.csv").write_text("20240105\n20240108\n")
    report = transect.update(tmp_path / "store")
    assert (report.added, report.waiting_rows) == (1, 0)
    assert [str(date) for date in transect.open(tmp_path / "store").dates] == ["2024-01-05", "2024-01-08"]
    assert transect.set_source(tmp_path / "store", "bars", roll="21:30").removed == 1
    assert [str(date) for date in transect.open(tmp_path / "store").dates] == ["2024-01-05"]


def test_a_code_map_gives_stocks_other_codes(tmp_path):
    (tmp_path / "prices").mkdir()
    for code in ("000001.XSHE", "FB"):
        rows = {"date": ["20240105"], "x": [1]}
        pq.write_table(pa.table(rows), tmp_path / "prices" / f"{code}.parquet")
    mapped = tmp_path / "map.csv"
    mapped.write_text("from,to\n000001.XSHE,000001.SZ\n")
    transect.build(tmp_path / "prices", tmp_path / "store", code_map=mapped)
    assert transect.open(tmp_path / "store").stocks == ["000001.SZ", "FB"]
    other = tmp_path / "other.csv"
    other.write_text("from,to\n000001.XSHE,000001.SZ\nFB,META\n")
    report = transect.set_source(tmp_path / "store", "prices", code_map=other, allow=["pruned-rows"])
    assert (report.added, report.removed, report.read_files) == (1, 1, 1)
    with pytest.raises(transect.Refused, match="has no columns from and to"):
        other.write_text("a,b\n1,2\n")
        transect.update(tmp_path / "store")


def test_lists_of_options_are_handed_over_whatever_their_names(tmp_path):
    (tmp_path / "prices").mkdir()
    names = ["a,b", "c\\", "d(e", "f"]
    rows = {"date": ["20240105"], **{name: [1] for name in names}, "g": [1]}
    pq.write_table(pa.table(rows), tmp_path / "prices" / "A.parquet")
    transect.build(tmp_path / "prices", tmp_path / "store")
    report = transect.set_source(tmp_path / "store", "prices", exclude=names, rename={"g": "h,i\\"})
    assert (report.lost_columns, report.renamed_columns) == (names, ["g -> h,i\\"])
    assert transect.set_source(tmp_path / "store", "prices", exclude=[]).new_columns == names


def test_skipped_inputs_are_a_warning_and_many_of_them_a_guard(source, tmp_path):
    folder = tmp_path / "features"
    shutil.copytree(source, folder)
    for name in ["C", "D"]:
        (folder / f"{name}.parquet").write_text("no parquet")
    with pytest.raises(transect.Guarded, match=r"build\(\.\.\., allow=\['skipped-files'\]\)") as caught:
        transect.build(folder, tmp_path / "s")
    assert caught.value.words == ["skipped-files"]
    with pytest.warns(transect.SkippedInputs, match="2 inputs were left out, such as C.parquet: is not a Parquet file") as warned:
        transect.build(folder, tmp_path / "s", allow=["skipped-files"])
    assert warned[0].message.report.skipped[0].path == "C.parquet"


def test_what_helps_is_told_once_and_in_python(tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    for code in ("A", "B"):
        pq.write_table(pa.table({"date": ["20240102"], "x": [[1, 2]]}), folder / f"{code}.parquet")
    pq.write_table(pa.table({"date": ["20240102"] * 2, "x": [1, 2]}), folder / "C.parquet")
    with pytest.raises(transect.Refused) as caught:
        transect.build(folder, tmp_path / "s")
    assert str(caught.value) == (
        f"no row in {folder} can be stored: 2 inputs, such as A.parquet: its column \"x\" is a list, which a panel cannot"
        ' hold; exclude=["x"] leaves it out; C.parquet: has differing rows for 20240102: "x" is 1 in row 1 and 2 in row 2;'
        ' duplicates="first" keeps the one, or duplicates="last" the other'
    )


def test_messages_speak_python(source, own, tmp_path):
    with pytest.raises(transect.Refused, match=r"force=True replaces it") as caught:
        transect.build(source, own)
    assert "--" not in str(caught.value)
    with pytest.raises(ValueError, match="allow: "):
        transect.update(own, allow=["everything"])
    with pytest.raises(ValueError, match="memory: "):
        transect.update(own, memory="much")
    with pytest.raises(transect.Refused):
        transect.build(tmp_path, tmp_path / "s")


def test_outputs_are_written_and_left_alone(own, tmp_path):
    assert transect.transpose(own, tmp_path / "out", stocks=["BRK.B"], end=20240102).written == 2
    report = transect.transpose(own, tmp_path / "out", stocks=["BRK.B"], end=20240102)
    assert (report.written, report.unchanged_files) == (0, 2)
    assert pl.read_parquet(tmp_path / "out" / "20240102.parquet")["close"].to_list() == [21.0]


def test_outputs_are_of_stocks_periods_and_matrices(own, tmp_path):
    store = transect.open(own)
    stocks = tmp_path / "stocks"
    assert transect.transpose(own, stocks, by="stock").written == len(store.stocks)
    for stock in store.stocks:
        series = store.series(stock, ["close"]).to_polars()
        assert pl.read_parquet(stocks / f"{stock}.parquet")["close"].equals(series["close"])
    transect.transpose(own, tmp_path / "year", by="year", universe="halted", columns=["close"])
    halted = store.scan(columns=["close", "halted"]).to_polars().filter(pl.col("halted"))
    years = pl.concat([pl.read_parquet(path) for path in sorted((tmp_path / "year").glob("2*.parquet"))])
    assert halted.height > 0
    assert years["close"].equals(halted["close"])
    transect.transpose(own, tmp_path / "wide", matrix=["close"], last=2)
    wide = pl.read_parquet(tmp_path / "wide" / "close.parquet")
    matrix = store.matrix("close", start=store.dates[-2])
    assert wide.columns[1:] == list(store.stocks)
    for place, stock in enumerate(store.stocks):
        expected = [value if valid else None for value, valid in zip(matrix.values[:, place], matrix.valid[:, place])]
        assert wide[stock].to_list() == expected
    with pytest.raises(ValueError, match="week"):
        transect.transpose(own, tmp_path / "week", by="week")


def test_a_raising_callback_and_ctrl_c_leave_nothing_half_written(tmp_path, interruptible):
    transect.synth(tmp_path / "f", stocks=150, dates=400)

    def stop(stage, done, total, unit):
        raise RuntimeError(stage)

    with pytest.raises(RuntimeError):
        transect.build(tmp_path / "f", tmp_path / "s", progress=stop)
    threading.Timer(0.05, _thread.interrupt_main, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        while True:  # One build may be done before the signal comes.
            transect.build(tmp_path / "f", tmp_path / "s", force=True)
    seen = []
    report = transect.build(tmp_path / "f", tmp_path / "s", force=True, progress=lambda *told: seen.append(told))
    assert report.published and transect.open(tmp_path / "s").verify()
    assert all(len(told) == 4 for told in seen)


def test_ctrl_c_is_answered_while_another_process_writes(source, own, interruptible):
    with (own / "LOCK").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        threading.Timer(0.05, _thread.interrupt_main, [signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            transect.build(source, own, force=True, wait="10m")


def _mean(path):
    return float(transect.open(path).matrix("close").values[0].mean())


def _read(store):
    return store.section(20240103).to_polars()["close"].sum()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_read_what_the_parent_opened(path, method):
    store = transect.open(path)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_read, [store]) == 14.0
        assert pool.apply(_mean, [path]) == 10.0


def test_importing_loads_no_other_package_and_little_of_pythons_own():
    code = (
        "import sys; before = set(sys.modules); import transect;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert loaded - sys.stdlib_module_names == {"transect"}
    # Each of these takes as long as all of the package, or brings others that do.
    assert not loaded & {"typing", "re", "json", "enum", "functools", "contextlib", "inspect", "warnings", "dataclasses"}


def test_the_command_line_comes_with_it(own):
    code = "import sys; from transect._transect import main; sys.argv = ['transect', *sys.argv[1:]]; sys.exit(main())"
    run = [sys.executable, "-c", code]
    done = subprocess.run([*run, "info", str(own), "--json"], capture_output=True, text=True)
    assert done.returncode == 0 and '"rows":9' in done.stdout
    assert subprocess.run([*run, "info"], capture_output=True).returncode == 2


# What arguments are called otherwise, or is said by what is given: a store that is open has a version, and dates are
# chosen by `start` and `end`.
CALLED = {"cast": "casts", "parallel": "threads", "keep-for": "keep_for", "refuse-restatement": "max_restated"}
BY_COMMAND = {
    "build": (transect.build, {"source": "name"}),
    "source add": (transect.add_source, {"source": "name"}),
    "source set": (transect.set_source, {}),
    "source rename": (transect.rename_source, {}),
    "source drop": (transect.drop_source, {}),
    "update": (transect.update, {"source": "sources"}),
    "append": (transect.append, {}),
    "restore": (transect.restore, {"version": "version"}),
    "gc": (transect.gc, {"keep-for": "older_than"}),
    "transpose": (transect.transpose, {"from": "start", "to": "end", "no-date": "date", "keep-date": "date"}),
    "report": (transect.report, {}),
    "verify": (transect.Store.verify, {"source": "inputs"}),
    "diff": (transect.Store.diff, {"from": "start", "to": "end", "stock": "stocks", "column": "columns"}),
}
OF_ALL = {"help", "quiet", "json", "version", "as-of", "io", "format"}


@pytest.mark.parametrize("command", BY_COMMAND)
def test_every_option_of_the_command_line_is_an_argument(command):
    function, called = BY_COMMAND[command]
    code = "import sys; from transect._transect import main; sys.argv = ['transect', *sys.argv[1:]]; sys.exit(main())"
    run = subprocess.run([sys.executable, "-c", code, *command.split(), "--help"], capture_output=True, text=True, check=True)
    options = set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", run.stdout, re.MULTILINE)) - OF_ALL
    assert options
    arguments = inspect.signature(function).parameters
    named = {option: {**CALLED, **called}.get(option, option.replace("-", "_")) for option in options}
    lacking = {option for option, name in named.items() if name not in arguments}
    # It has as many threads as there are cores; and tasks, which leave a staging directory, are the command line's.
    assert lacking <= {"diff": {"parallel"}, "gc": {"staging"}}.get(command, set()), lacking


def test_a_source_calls_the_key_otherwise_and_has_files_of_another_kind(tmp_path):
    for name, time in (("prices", "time"), ("flows", "bar_time")):
        (tmp_path / name).mkdir()
        frame = pl.DataFrame({"date": ["20240102"] * 2, time: ["09:31", "09:32"], name: [1, 2]})
        frame.write_csv(tmp_path / name / "A.csv")
        frame.write_parquet(tmp_path / name / "A.parquet")
    store = tmp_path / "s"
    transect.build(tmp_path / "prices", store, key="time")
    with pytest.raises(transect.Refused, match=r'key=\{"time": NAME\} says what the files call it'):
        transect.add_source(store, tmp_path / "flows")
    assert transect.add_source(store, tmp_path / "flows", key={"time": "bar_time"}).filled == 2
    assert transect.set_source(store, "flows", input="csv", allow=["missing-files"]).read_files == 1
    assert transect.open(store).verify(inputs=True, memory="128MiB", threads=1)
    with pytest.raises(transect.Refused, match='memory is too little|1 MiB is too little'):
        transect.open(store).verify(inputs=True, memory="1MiB")
    assert transect.restore(store, 1, keep=2).published and transect.open(store).info().keep == 2


def test_a_store_is_compared_with_what_it_came_from_and_what_was_made_of_it(source, own, tmp_path):
    transect.transpose(own, tmp_path / "out")
    store = transect.open(own)
    assert store.verify(inputs=True, output=tmp_path / "out", all_versions=True)
    folder = tmp_path / "other"
    shutil.copytree(source, folder)
    table = pq.read_table(folder / "BRK.B.parquet")
    pq.write_table(table.set_column(1, "close", pa.array([5.0, 21.0])), folder / "BRK.B.parquet")
    (tmp_path / "out" / "20240102.parquet").write_bytes(b"")
    report = store.verify(inputs=folder, output=tmp_path / "out")
    assert not report and not report.damages and report.inputs[0].difference_count == 1
    assert report.inputs[0].differences[0].stock == "BRK.B" and len(report.output.differences) == 1


def test_what_is_left_out_is_told_with_the_argument_that_helps(source, tmp_path):
    folder = tmp_path / "features"
    shutil.copytree(source, folder)
    for name in ("C", "D", "E", "F"):
        table = pq.read_table(folder / "000001.SZ.parquet")
        pq.write_table(table.append_column("list", pa.array([[1]] * 4)), folder / f"{name}.parquet")
    with pytest.warns(transect.SkippedInputs, match=r'exclude=\["list"\]') as warned:
        transect.build(folder, tmp_path / "s", allow=["skipped-files"])
    assert "--" not in str(warned[0].message)
    assert transect.build(folder, tmp_path / "s", force=True, exclude=["list"]).skipped == []


def test_csv_and_arrow_files_are_read_by_name(tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "000001.csv").write_text("date,close,memo\n20240102,1,000001\n20240103,1.5,\n")
    with pytest.raises(transect.Refused, match='input="csv" reads the csv files there'):
        transect.build(folder, tmp_path / "store")
    transect.build(folder, tmp_path / "store", input="csv")
    assert transect.open(tmp_path / "store").series("000001").to_pandas()["memo"].tolist()[0] == "000001"
    (folder / "000002.csv").write_text("date,close,memo\n20240102,NA,000002\n20240103,2.5,\n")
    transect.build(folder, tmp_path / "words", input="csv", null="NA")
    assert transect.open(tmp_path / "words").section("2024-01-02", ["close"]).to_arrow()["close"].to_pylist() == [1.0, None]
    transect.set_source(tmp_path / "words", "src", add={"null": ["-", "N/A"]})
    with pytest.raises(ValueError, match="input: \"xml\" is none of parquet, arrow, csv"):
        transect.build(folder, tmp_path / "other", input="xml")
