"""Frames become stores and sources without a file, and go on night by night: beside a dict that does the same."""

import datetime
import random
import struct
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect

DAY = datetime.date(2024, 1, 1)
ODD = [0.5, -0.0, float("inf"), float("-inf"), struct.unpack("<d", bytes.fromhex("341200000000f87f"))[0], None]
ZONED = pa.timestamp("us", "Asia/Shanghai")
TYPES = {
    "float": pa.float64(), "half": pa.float32(), "count": pa.int64(), "small": pa.int8(), "huge": pa.uint64(),
    "flag": pa.bool_(), "text": pa.string(), "bytes": pa.binary(), "price": pa.decimal128(12, 4), "seen": ZONED,
    "day": pa.date32(), "clock": pa.time64("us"), "kind": pa.dictionary(pa.int32(), pa.string()),
}
ENGINES = ["pyarrow", "polars", "pandas", "duckdb", "frames"]


def value(random, name):
    if random.random() < 0.2:
        return None
    count = random.randrange(100)
    return {
        "float": random.choice(ODD), "half": count / 2, "count": 2**53 + count, "small": count, "huge": 2**63 + count,
        "flag": count % 2 == 0, "text": f"t{count}", "bytes": bytes([count]), "price": count, "seen": count,
        "day": DAY + datetime.timedelta(count), "clock": datetime.time(count % 24), "kind": f"k{count % 3}",
    }[name]


def rows(random, names, at, dates, share):
    """Some rows by date, code and the key."""
    keys = [(DAY + datetime.timedelta(date), f"{code:06}.SZ", minute) for date in dates for code in range(5) for minute in at]
    chosen = [key for key in keys if random.random() < share] or keys[:1]
    return {key: {name: value(random, name) for name in names} for key in chosen}


def table(random, rows, names, is_keyed):
    keys = list(rows)
    random.shuffle(keys)
    columns = {"ts_code": [key[1] for key in keys], "trade_date": pa.array([key[0] for key in keys], pa.date32())}
    if is_keyed:
        columns["minute"] = pa.array([key[2] for key in keys], pa.int16())
    return pa.table(columns | {name: pa.array([rows[key][name] for key in keys], TYPES[name]) for name in names})


def framed(random, table, engine):
    match engine:
        case "polars":
            return pl.DataFrame(table)
        case "pandas":
            frame = table.to_pandas(types_mapper=pd.ArrowDtype)
            # As an index, as users of pandas have it.
            return frame.set_index(["trade_date", "ts_code"]) if random.random() < 0.5 else frame
        case "duckdb":
            return duckdb.from_arrow(table)
        case "frames":
            cut = random.randrange(len(table) + 1)
            return (part for part in [table.slice(0, cut), table.slice(cut)])
    return table


def plain(value):
    """What tells values apart that compare equal or differ from themselves."""
    return struct.pack("<d", value) if isinstance(value, float) else value


def held(store, names, is_keyed):
    found = store.scan(columns=[*(["minute"] if is_keyed else []), *names]).to_arrow().cast(
        pa.schema([("ts_code", pa.string()), ("trade_date", pa.date32()), *([("minute", pa.int16())] if is_keyed else []),
                   *((name, TYPES[name]) for name in names)])
    )
    rows = {}
    for row in found.to_pylist():
        key = (row.pop("trade_date"), row.pop("ts_code"), row.pop("minute", 0))
        assert key not in rows
        rows[key] = {name: plain(value) for name, value in row.items()}
    return rows


def expected(tables, names, is_keyed):
    """The rows that any source has, with nulls where one has none."""
    keys = {key for rows in tables for key in rows}
    empty = dict.fromkeys(names)
    all_rows = {}
    for key in keys:
        row = dict(empty)
        for rows in tables:
            row |= rows.get(key, {})
        all_rows[key] = row
    # Values as Arrow spells them.
    spelt = {}
    for name in names:
        array = pa.array([row[name] for row in all_rows.values()], TYPES[name])
        spelt[name] = [plain(value) for value in array.to_pylist()]
    return {key: {name: spelt[name][at] for name in names} for at, key in enumerate(all_rows)}


@pytest.mark.parametrize("seed", range(12))
def test_frames_become_a_store_and_its_sources_as_a_dict_has_them(tmp_path, seed):
    world = random.Random(seed)
    is_keyed, engine = seed % 3 == 0, ENGINES[seed % len(ENGINES)]
    at = range(2) if is_keyed else range(1)
    names = list(TYPES)
    world.shuffle(names)
    names, factors = names[:7], names[7:]
    path = tmp_path / "s"

    def given(rows, names):
        return framed(world, table(world, rows, names, is_keyed), engine)

    base = rows(world, names, at, range(4), 0.7)
    report = transect.write(path, given(base, names), key=["minute"] if is_keyed else (), memory="64MiB")
    assert (report.rows, report.published) == (len(base), True)
    assert held(transect.open(path), names, is_keyed) == expected([base], names, is_keyed)

    factor = rows(world, factors, at, range(1, 5), 0.5)
    transect.add_source(path, given(factor, factors), name="factor", allow=["few-codes"])
    for night in range(4, 7):
        tonight, values = rows(world, names, at, [night, night - 1], 0.6), rows(world, factors, at, [night], 0.6)
        if night == 5:
            # What the frame lacks goes from its dates.
            transect.append(path, given(tonight, names), source="frame", replace=True, allow=["pruned-rows", "turned-null"])
            dates = {key[0] for key in tonight}
            base = {key: row for key, row in base.items() if key[0] not in dates}
        else:
            transect.append(path, given(tonight, names), source="frame", allow=["turned-null"])
        base |= tonight
        transect.append(path, given(values, factors), source="factor")
        factor |= values
        assert not transect.update(path).published
        store = transect.open(path)
        assert held(store, [*names, *factors], is_keyed) == expected([base, factor], [*names, *factors], is_keyed)
        assert store.verify(all_versions=True)

    # Under its name, a factor that was computed anew takes the place of the old one.
    factor = rows(world, factors, at, range(2, 8), 0.5)
    transect.add_source(path, given(factor, factors), name="factor", allow=["pruned-rows", "turned-null"])
    store = transect.open(path)
    assert held(store, [*names, *factors], is_keyed) == expected([base, factor], [*names, *factors], is_keyed)
    assert [(source.name, source.folder, source.rows) for source in store.sources] == [
        ("frame", None, len(base)), ("factor", None, len(factor)),
    ]


def prices(**columns):
    return pl.DataFrame({"code": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, None], **columns})


def test_a_folder_and_a_frame_stand_beside_each_other_through_the_nights(source, own, tmp_path):
    store = transect.open(own)
    ranks = store.lazy().select("ts_code", "trade_date", rank=pl.col("close").rank().over("trade_date")).collect()
    report = transect.add_source(own, ranks, name="ranks")
    assert (report.filled, report.added, report.new_columns) == (9, 0, ["rank"])
    store = transect.open(own)
    assert [(one.name, one.folder) for one in store.sources] == [("features", str(source)), ("ranks", None)]
    verified = store.verify(inputs=True)
    assert verified and len(verified.inputs) == 1
    assert verified.notes == ["the source 'ranks' has no folder: its rows are those that were appended"]
    # A second source of the same folder is compared as itself.
    transect.add_source(own, source, name="again", prefix="w_", columns=["close"])
    assert [one["values"] == one["rows"] for one in transect.open(own).verify(inputs=True).inputs] == [False, True]
    transect.drop_source(own, "again")
    with pytest.raises(transect.Refused, match="neither name nor directory of the sources features, and ranks has no folder"):
        store.verify(inputs=tmp_path)
    told = transect.update(own, sources="ranks")
    assert not told.published
    assert told.notes == ["ranks: no folder to read: the rows are those that were appended"]
    with pytest.raises(transect.Refused, match="has a source \"features\" already, of a folder"):
        transect.add_source(own, ranks.rename({"rank": "other"}), name="features")
    with pytest.raises(transect.Refused, match=r'prefix="\{source\}_"'):
        transect.add_source(own, ranks, name="again")
    transect.add_source(own, ranks, name="again", rename={"rank": "place"})
    folder = tmp_path / "value"
    folder.mkdir()
    for code in store.stocks:
        own_rows = pq.read_table(source / f"{code}.parquet").select(["trade_date", "close"])
        pq.write_table(own_rows, folder / f"{code}.parquet")
    transect.add_source(own, folder, prefix="{source}_")
    # Further rows have the names that the first ones had, or those of the store.
    row = {"ts_code": ["BRK.B"], "trade_date": ["20240108"]}
    for name, value in (("rank", 1.0), ("place", 2.0)):
        transect.append(own, pl.DataFrame({**row, name: [value]}), source="again")
        assert transect.open(own).series("BRK.B", ["place"]).to_polars()["place"].to_list()[-1] == value
    assert transect.open(own).columns[-3:] == ["rank", "place", "value_close"]
    assert transect.open(own).verify(inputs=True)


def test_all_rows_of_a_frame_are_used_or_none(tmp_path):
    path = tmp_path / "s"
    bad = [
        (prices(code=["A", None]), 'the frame on 20240102: row 2 has no code'),
        (prices(code=["A", "A"]), 'the frame on 20240102: has two rows for "A"'),
        (prices(date=["2024-01-02", None]), 'the frame: row 2 of "date": null is no date'),
        (prices(list=[[1], [2]]), 'the frame: its column "list" is .*, which a panel cannot hold'),
        (prices().drop("date"), "the frame: has no date column"),
        (prices().drop("code"), "no column of the frame has a usual name of codes"),
        (prices().clear(), "the frame has no rows"),
        (prices(code=[1, 2]), 'the frame: its column "code" is Int64, but a code is text; make the frame with its codes as text'),
        (prices(date=[datetime.datetime(2024, 1, 2, 9)] * 2), 'the frame: row 1 of "date": .* has a time of day; .*drop_time=True'),
    ]
    for frame, why in bad:
        with pytest.raises(transect.Refused, match=why) as caught:
            transect.write(path, frame)
        assert "--" not in str(caught.value) and "the file" not in str(caught.value)
        assert not path.exists()
    transect.write(path, prices())
    two = pl.concat([prices(date=["2024-01-03"] * 2), prices(code=["A", "A"], date=["2024-01-04"] * 2)])
    with pytest.raises(transect.Refused, match="two rows"):
        transect.append(path, two)
    with pytest.raises(transect.Refused, match="lacks the column"):
        transect.append(path, prices().drop("close"))
    assert transect.open(path).version == 1
    with pytest.raises(transect.Refused, match=r"transect.append\("):
        transect.write(path, prices())
    assert transect.write(path, prices().head(1), mode="overwrite").rows == 1
    for nothing in (5, [], [1, 2], "frame", prices().lazy()):
        with pytest.raises((TypeError, ValueError)):
            transect.write(path, nothing, mode="overwrite")
    assert transect.open(path).row_count == 1


def test_what_a_generator_raises_is_raised_and_nothing_is_published(tmp_path):
    def frames(last):
        yield prices()
        yield last

    def failing():
        yield prices()
        raise KeyError("the source of the rows")

    with pytest.raises(KeyError, match="the source of the rows"):
        transect.write(tmp_path / "s", failing())
    with pytest.raises(transect.Refused, match='frame 2: lacks the column "close", which the first frame has'):
        transect.write(tmp_path / "s", frames(prices().drop("close")))
    with pytest.raises(transect.Refused, match='frame 2: has "close" as LargeUtf8, the first frame as Float64'):
        transect.write(tmp_path / "s", frames(prices(close=["a", "b"])))
    assert not (tmp_path / "s").exists()
    later = prices(date=["2024-01-03"] * 2, close=[None, None])
    assert transect.write(tmp_path / "s", frames(later)).rows == 4


def test_minute_bars_keep_their_times_as_the_key(tmp_path):
    minutes = pd.date_range("2024-01-02 09:31", periods=3, freq="min").append(
        pd.date_range("2024-01-03 09:31", periods=3, freq="min")
    )
    bars = pd.DataFrame({"symbol": "A", "datetime": minutes, "close": np.arange(6.0)})
    transect.write(tmp_path / "s", bars, key=["datetime"])
    store = transect.open(tmp_path / "s")
    assert (store.key, store.code_column, store.date_column) == (["datetime"], "symbol", "date")
    assert store.series("A").to_pandas()["datetime"].tolist() == list(minutes)
    next_day = bars.assign(datetime=minutes + pd.Timedelta(days=2))
    assert transect.append(store, next_day).added == 6
    daily = pd.DataFrame({"symbol": "A", "date": pd.to_datetime(["2024-01-02"]), "close": [1.0]}).set_index(["date", "symbol"])
    transect.write(tmp_path / "daily", daily, key=["date"])
    assert transect.open(tmp_path / "daily").key == []


def test_a_column_without_any_value_takes_the_type_of_the_first_that_has_one(tmp_path):
    path = tmp_path / "s"
    transect.write(path, prices(factor=pl.Series([None, None], dtype=pl.Null)))
    transect.append(path, prices(date=["2024-01-03"] * 2, factor=[None, 2.5]))
    store = transect.open(path)
    assert store.schema["factor"] == "Float64"
    assert store.scan(columns=["factor"]).to_polars()["factor"].to_list() == [None, None, None, 2.5]


def test_rows_of_a_stream_are_held_in_part_and_come_out_whole(tmp_path):
    """In the order of stocks, each batch has all dates: more rows than fit the memory are put apart in files."""
    stocks, dates = 400, 500
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + dates)

    def frames():
        for stock in range(stocks):
            values = np.arange(dates, dtype="f8") + 1000 * stock
            yield pa.table({"code": pa.repeat(f"{stock:04}", dates), "date": days} | {f"c{n}": values for n in range(8)})

    report = transect.write(tmp_path / "s", frames(), memory="64MiB", threads=1)
    assert (report.rows, report.dates) == (stocks * dates, dates)
    store = transect.open(tmp_path / "s")
    matrix = store.matrix("c7").values
    assert np.array_equal(matrix, np.arange(dates)[:, None] + 1000.0 * np.arange(stocks)[None, :])
    assert store.verify()


def test_types_of_a_frame_meet_those_of_the_store_exactly_or_not_at_all(tmp_path):
    path = tmp_path / "s"
    transect.write(path, prices(count=[1, 2]))
    assert transect.append(path, prices(date=["2024-01-03"] * 2, count=[3.0, 4.0])).added == 2
    with pytest.raises(transect.Refused, match='on 20240104: its column "count" is Float64, Int64 in the store'):
        transect.append(path, prices(date=["2024-01-04"] * 2, count=[3.5, 4.0]))
    assert transect.open(path).scan(columns=["count"]).to_polars()["count"].to_list() == [1, 2, 3, 4]


def test_texts_of_views_are_kept_as_kernels_take_them(tmp_path):
    rows = {"code": ["B", "A"], "date": ["2024-01-02"] * 2, "text": ["y", None], "bytes": [b"2", b"1"]}
    transect.write(tmp_path / "s", pl.DataFrame(rows))
    schema = transect.open(tmp_path / "s").schema.to_arrow()
    assert [str(schema.field(name).type) for name in rows] == ["large_string"] * 3 + ["large_binary"]
    transect.transpose(tmp_path / "s", tmp_path / "out")
    file, chosen = tmp_path / "out" / "20240102.parquet", [("code", "==", "A")]
    read = pd.read_parquet(file, filters=chosen, dtype_backend="pyarrow")
    assert read["bytes"].tolist() == [b"1"] and read.sort_values("code")["text"].isna().all()


def test_views_of_a_file_stay_and_are_handed_out_as_kernels_take_them(tmp_path):
    (tmp_path / "src").mkdir()
    views = {"text": pa.array(["y", "x"], pa.string_view()), "bytes": pa.array([b"2", None], pa.binary_view())}
    pq.write_table(pa.table({"date": ["20240102", "20240103"], **views}), tmp_path / "src" / "A.parquet")
    transect.build(tmp_path / "src", tmp_path / "s")
    store = transect.open(tmp_path / "s")
    assert pa.table(store.scan()).schema.types[2:] == [pa.string_view(), pa.binary_view()]
    found = store.scan().to_arrow().sort_by("text")
    assert found.schema.types == [pa.string(), pa.date32(), pa.large_string(), pa.large_binary()]
    assert found["bytes"].to_pylist() == [None, b"2"] and found["text"].to_pylist() == ["x", "y"]
    assert store.scan().to_pandas(types="pyarrow")["text"].isin(["x"]).tolist() == [False, True]
    more = pl.DataFrame({"ts_code": ["A"], "date": ["20240104"], "text": ["z"], "bytes": [b"3"]})
    assert transect.append(tmp_path / "s", more).added == 1
    later = transect.open(tmp_path / "s").series("A").to_polars()
    assert later["text"].to_list() == ["y", "x", "z"] and later["bytes"].to_list() == [b"2", None, b"3"]


@pytest.mark.parametrize("column", [pd.Series(["A"]), pl.Series(["A"]), pa.chunked_array([["A"]])], ids=ENGINES[:3])
def test_one_column_is_no_frame(tmp_path, own, column):
    kind = type(column).__name__
    for call in (
        lambda: transect.write(tmp_path / "s", column),
        lambda: transect.write(tmp_path / "s", iter([column])),
        lambda: transect.append(own, column),
        lambda: transect.add_source(own, column, name="one"),
        lambda: transect.open(own).scan(universe=column),
    ):
        why = f"^{kind} is one column; give a frame, with columns of codes and of dates$"
        with pytest.raises(TypeError, match=why):
            call()


def test_a_type_that_only_its_engine_has_is_named_with_its_column(tmp_path):
    wide = pl.DataFrame({"code": ["A"], "date": ["2024-01-02"], "wide": pl.Series([1], dtype=pl.Int128)})
    with pytest.raises(transect.Refused, match='its column "wide" has a type that Arrow has not .*; give it another'):
        transect.write(tmp_path / "s", wide)


def test_columns_of_a_source_of_frames_get_other_names_or_go(own):
    days = pl.DataFrame({"ts_code": ["BRK.B"], "trade_date": ["20240102"]})
    transect.add_source(own, days.with_columns(old=1.0, more=2.0), name="factor", allow=["few-codes"])
    report = transect.set_source(own, "factor", rename={"old": "new"})
    assert (report.renamed_columns, report.written_bytes) == (["old -> new"], 0)
    # By its name in the frame, and by that in the store.
    assert transect.set_source(own, "factor", add={"rename": {"new": "newer"}}).renamed_columns == ["new -> newer"]
    assert transect.set_source(own, "factor", prefix="f_").renamed_columns == ["more -> f_more"]
    assert transect.set_source(own, "factor", add={"exclude": ["f_more"]}).lost_columns == ["f_more"]
    transect.rename_source(own, "factor", "signals")
    store = transect.open(own)
    assert (store.columns[-1], store.sources[-1].name, store.log()[-1].command) == ("newer", "signals", "source rename")
    assert store.section(20240102, ["newer"]).to_polars()["newer"].to_list() == [None, None, 1.0]
    # Further frames have the columns as before, or as the store has them.
    assert transect.append(own, days.with_columns(old=3.0, more=4.0), source="signals").restated == 1
    assert transect.append(own, days.with_columns(newer=5.0), source="signals").restated == 1
    assert transect.open(own).matrix("newer", stocks=["BRK.B"]).values[:2, 0].tolist()[1] == 5.0
    with pytest.raises(transect.Refused, match='the source "signals" has no folder: what was left out of its rows is gone'):
        transect.set_source(own, "signals", exclude=[])
    with pytest.raises(transect.Refused, match="no folder to read otherwise: .*; give it the path of one, or drop it and add"):
        transect.set_source(own, "signals", zone="UTC")
    with pytest.raises(transect.NotFound, match='source "signal" in .* not found; did you mean signals') as caught:
        transect.rename_source(own, "signal", "other")
    assert caught.value.kind == "source"
    with pytest.raises(transect.Refused, match='has a source "features" already; choose another name'):
        transect.rename_source(own, "signals", "features")
    with pytest.raises(ValueError, match="a source has a name; give it one"):
        transect.rename_source(own, "signals", "")


def test_the_command_line_renames_what_frames_brought(own):
    days = pl.DataFrame({"ts_code": ["BRK.B"], "trade_date": ["20240102"], "old": [1.0], "more": [2.0]})
    transect.add_source(own, days, name="factor", allow=["few-codes"])
    command = [sys.executable, "-c", "import sys, transect._transect as t; sys.exit(t.main())", "source"]
    for words in (["set", own, "factor.rename+=old:new", "factor.exclude+=more"], ["rename", own, "factor", "signals"]):
        subprocess.run([*command, *words], check=True, capture_output=True)
    store = transect.open(own)
    assert (store.columns[-1], store.sources[-1].name) == ("new", "signals")
    run = subprocess.run([*command, "set", own, "signals.zone=UTC"], capture_output=True, text=True)
    assert run.returncode == 1 and "give it the path of one, or drop it and add its rows anew" in run.stderr


def test_a_million_rows_of_one_date_need_no_more_than_the_default_memory(tmp_path):
    """In any order, whether they are of as many stocks or tell their minutes apart."""
    order = np.random.default_rng(1).permutation(1_000_000)
    for name, codes, more in (
        ("stocks", [f"{code:06}" for code in order], {}),
        ("bars", [f"{code:03}" for code in order // 1000], {"minute": order % 1000}),
    ):
        rows = pa.table({"code": codes, "date": pa.repeat("20240102", len(order)), **more, "value": order.astype("f8")})
        key = list(more)
        assert transect.write(tmp_path / name, rows, key=key).rows == len(order)
        store = transect.open(tmp_path / name)
        assert np.array_equal(np.asarray(store.section(20240102)["value"]), np.arange(1e6))
        later = rows.set_column(1, "date", pa.repeat("20240103", len(order)))
        assert transect.append(tmp_path / name, later).added == len(order)


HALF = pa.array(np.array([1, 2], "f2"))
WAYS_OUT = {
    "type": ({"code": ["A", "B"], "date": ["20240102"] * 2, "v": HALF}, 'casts={"v": "float32"} keeps its values'),
    "code": ({"who": ["A", "B"], "date": ["20240102"] * 2, "v": [1, 2]}, 'code="who" reads it, if that column holds '),
    "codes": ({"who": ["A", "B"], "date": ["20240102"] * 2, "v": ["x", "y"]}, "code=NAME says which one holds them"),
    "date": ({"code": ["A", "B"], "day": ["20240102"] * 2, "v": [1, 2]}, "date=NAME says which one holds them"),
}


@pytest.mark.parametrize("kind", WAYS_OUT)
def test_ways_out_of_a_frame_are_arguments_that_its_function_has(tmp_path, kind):
    rows, way_out = WAYS_OUT[kind]
    with pytest.raises(transect.Refused) as caught:
        transect.write(tmp_path / "s", pa.table(rows))
    assert way_out in str(caught.value) and "_column" not in str(caught.value)
    given = {"type": {"casts": {"v": "float32"}}, "date": {"date": "day"}}.get(kind, {"code": "who"})
    assert transect.write(tmp_path / "s", pa.table(rows), **given).rows == 2
    why = r'; transect.append\(".*/s", frame\) brings it up to date, or mode="overwrite" replaces it'
    with pytest.raises(transect.Refused, match=why):
        transect.write(tmp_path / "s", pa.table(rows), **given)
    again = transect.write(tmp_path / "s", pa.table(rows), **given, mode="overwrite")
    assert again.rows == 2


def test_ways_out_of_an_append_are_what_its_frame_can_be_given(own):
    day = {"ts_code": ["A", "B"], "trade_date": ["20240105"] * 2}
    why = '; giving "v" as float32 keeps its values, or exclude=\\["v"\\] leaves it out$'
    with pytest.raises(transect.Refused, match=why):
        transect.append(own, pa.table(day | {"v": HALF}))
    with pytest.raises(transect.Refused) as caught:
        transect.append(own, pa.table({"who": day["ts_code"], "trade_date": day["trade_date"], "close": [1.0, 2.0]}))
    assert "=" not in str(caught.value) and 'in a column "ts_code"' in str(caught.value)
    why = "has no date column .*; the store's name for it says which one holds them$"
    with pytest.raises(transect.Refused, match=why):
        transect.append(own, pa.table({"ts_code": day["ts_code"], "when": day["trade_date"], "close": [1.0, 2.0]}))


def test_what_a_generator_raises_before_its_first_frame_is_its_own(tmp_path):
    def failing():
        raise TypeError("mine")
        yield

    with pytest.raises(TypeError, match="^mine$"):
        transect.write(tmp_path / "s", failing())


def test_files_that_are_all_missing_are_an_error_and_some_a_warning(own, tmp_path):
    missing = tmp_path / "typo.parquet"
    for rows in (missing, str(missing), [missing, tmp_path / "other.parquet"]):
        with pytest.raises(FileNotFoundError) as caught:
            transect.append(own, rows)
        assert caught.value.filename == str(missing)
    transect.transpose(own, tmp_path / "out")
    with pytest.warns(transect.SkippedInputs):
        report = transect.append(own, [missing, tmp_path / "out" / "20240102.parquet"], allow=["skipped-files"])
    assert report.skipped[0].path == str(missing) and report.added == 0


def test_values_that_their_types_do_not_have_are_refused_by_their_column(tmp_path):
    long = (10**30).to_bytes(16, "little") + (150).to_bytes(16, "little")
    odd = {
        "beyond Decimal128(20, 2)": pa.Array.from_buffers(pa.decimal128(20, 2), 2, [None, pa.py_buffer(long)]),
        "should be in [0, 1]": pa.DictionaryArray.from_buffers(
            pa.dictionary(pa.int32(), pa.string()), 2, [None, pa.py_buffer(struct.pack("<2i", 7, 0))], pa.array(["a", "b"])
        ),
    }
    for what, array in odd.items():
        frame = pa.table({"ts_code": ["A", "A"], "trade_date": ["20240102", "20240103"], "p": array})
        with pytest.raises(transect.Refused) as refused:
            transect.write(tmp_path / "store", frame)
        assert 'the frame: its column "p": ' in str(refused.value) and what in str(refused.value)
    assert not (tmp_path / "store").exists()
