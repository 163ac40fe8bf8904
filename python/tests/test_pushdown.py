"""What a lazy frame and a dataset do not ask for is not read."""

import datetime
import math
import random

import numpy as np
import polars as pl
import pytest
import xarray as xr

import transect
from transect import _store

DATE, CODE = pl.col("trade_date"), pl.col("ts_code")
JAN2, JAN3 = datetime.date(2024, 1, 2), datetime.date(2024, 1, 3)


@pytest.fixture
def asked(store, monkeypatch):
    """What is asked of the store: columns, dates and stocks of each question that reads rows."""
    asked = []
    answer = _store.Store._answer

    def noted(self, columns=None, start=None, end=None, dates=None, stocks=None, *rest, **more):
        days = None if dates is None else [str(np.datetime64(date)) for date in dates]
        if days != []:
            asked.append((columns, days, stocks))
        return answer(self, columns, start, end, dates, stocks, *rest, **more)

    monkeypatch.setattr(_store.Store, "_answer", noted)
    return asked


def test_dates_of_a_conjunction_are_the_only_ones_read(store, asked):
    query = store.lazy().filter((DATE >= JAN2) & (DATE < JAN3) & (pl.col("close") > 5)).select("lots")
    assert query.collect()["lots"].to_list() == [2, 2]
    assert asked == [(["close", "lots"], ["2024-01-02"], None)]


def test_codes_beside_dates_are_pushed_down_too(store, asked):
    codes = ["BRK.B", "000001.SZ"]
    query = store.lazy().filter(CODE.is_in(codes), DATE == JAN2, pl.col("volume").is_not_null()).select(CODE, "close")
    assert query.collect().rows() == [("000001.SZ", 1.0), ("BRK.B", 21.0)]
    assert asked == [(["close", "volume"], ["2024-01-02"], ["000001.SZ", "BRK.B"])]


def test_one_stock_is_read_as_a_series(store, asked):
    query = store.lazy().filter(CODE == "BRK.B", DATE <= JAN2).select("close")
    assert query.collect()["close"].to_list() == [20.0, 21.0]
    assert asked == [(["close"], ["2023-12-29", "2024-01-02"], None)]


def test_codes_that_are_not_there_read_nothing(store, asked):
    assert store.lazy().filter(CODE == "nobody").collect().height == 0
    assert asked == []


def test_a_limit_reads_no_more_dates_than_it_needs(store, asked):
    assert store.lazy().head(3).select("close").collect().height == 3
    assert asked == [(["close"], ["2023-12-29"], None)]


def test_key_columns_rule_out_dates_before_the_others_are_read(tmp_path, monkeypatch):
    (tmp_path / "bars").mkdir()
    bars = {"date": ["20240102"] * 2 + ["20240103"], "time": ["09:31", "14:55", "09:31"], "close": [1.0, 2.0, 3.0]}
    pl.DataFrame(bars).write_parquet(tmp_path / "bars" / "A.parquet")
    transect.build(tmp_path / "bars", tmp_path / "s", key=["time"])
    store = transect.open(tmp_path / "s")
    asked = []
    answer = _store.Store._answer
    monkeypatch.setattr(_store.Store, "_answer", lambda self, columns=None, start=None, end=None, dates=None, **more: (
        asked.append((columns, [str(date) for date in dates])), answer(self, columns, start, end, dates, **more))[1])
    query = store.lazy().filter(pl.col("time") == "14:55", pl.col("date") >= JAN2)
    assert query.select("date", "close").collect().rows() == [(JAN2, 2.0)]
    assert (["time", "close"], ["2024-01-02"]) in asked
    assert not [columns for columns, dates in asked if "close" in (columns or []) and "2024-01-03" in dates]


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("close") == pl.col("close").max(),
        DATE == DATE.max(),
        CODE == CODE.min(),
        pl.col("close").rank() > 7,
        pl.col("close").shift(1) > 1.0,
        pl.col("close") > pl.col("close").mean().over("ts_code"),
        (DATE == JAN2) & (pl.col("lots").cum_sum() > 3),
        (DATE == JAN2) & pl.lit(True),
        (CODE == "BRK.B") | (DATE == JAN3),
        ~(DATE == JAN2) & ~(CODE == "BRK.B"),
        pl.lit(False),
        DATE.is_between(JAN2, JAN3) & CODE.str.contains("S[HZ]$"),
        (DATE.dt.weekday() == 5) & (pl.col("name") == "BRK.B 0"),
    ],
    ids=str,
)
def test_what_looks_at_other_rows_is_answered_as_of_the_whole(store, expression):
    assert store.lazy().filter(expression).collect().equals(store.scan().to_polars().filter(expression))


def test_a_limit_counts_rows_before_a_filter_that_follows_it(store, asked):
    query = store.lazy().head(4).filter(CODE == "000001.SZ").select("close")
    assert query.collect()["close"].to_list() == [0.0, 1.0]
    assert asked == [(["close"], ["2023-12-29"], None), (["close"], ["2024-01-02", "2024-01-03"], None)]
    assert store.lazy().head(2).filter(CODE == "BRK.B").collect().height == 0


STEPS = [
    lambda frame, draw: frame.head(draw.randrange(12)),
    lambda frame, draw: frame.tail(draw.randrange(12)),
    lambda frame, draw: frame.slice(draw.randrange(-9, 9), draw.choice([None, 0, 1, 5])),
    lambda frame, draw: frame.filter(draw.choice([CODE == "BRK.B", CODE.is_in(["BRK.B", "600000.SH"]), CODE > "1"])),
    lambda frame, draw: frame.filter(draw.choice([DATE == JAN2, DATE > JAN2, DATE.is_between(JAN2, JAN3)])),
    lambda frame, draw: frame.filter(draw.choice([pl.col("close") > 1, pl.col("volume").is_null(), pl.col("halted")])),
    lambda frame, draw: frame.filter((DATE != JAN3) & (CODE != "BRK.B") | (pl.col("close") > 20)),
    lambda frame, draw: frame.select(pl.col("volume", "halted", "close"), CODE, DATE),
    lambda frame, draw: frame.with_columns(close=pl.col("close") * 2, day=DATE),
    lambda frame, draw: frame.with_row_index(f"at {draw.random()}"),
    lambda frame, draw: frame.sort(CODE, DATE, descending=draw.random() < 0.5),
    lambda frame, draw: frame.reverse(),
    lambda frame, draw: frame.unique([CODE], keep="first", maintain_order=True),
    lambda frame, draw: frame.group_by(CODE, maintain_order=True).agg(pl.all().last()).select(
        CODE, DATE, "close", "volume", "halted"),
]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_steps_in_any_order_answer_as_over_memory(store, engine):
    for seed in range(400):
        draw = random.Random(seed)
        steps = [draw.choice(STEPS) for _ in range(draw.randrange(1, 5))]
        answers = []
        for frame in store.lazy(), store.scan().to_polars().lazy():
            again = random.Random(seed)
            for step in steps:
                frame = step(frame, again)
            answers.append(frame)
        lazy = answers[0].collect(engine=engine)
        # As each step says, whatever the order in which Polars would like to do them.
        whole = answers[1].collect(optimizations=pl.QueryOptFlags.none())
        assert lazy.equals(whole), answers[0].explain()


def test_a_dataset_reads_only_what_is_asked_for(store, path, asked):
    data = xr.open_dataset(path, engine="transect")
    assert dict(data.sizes) == {"date": 4, "code": 3} and data.attrs["version"] == 1
    assert "name" not in data and data["close"].dtype == "f8" and data["seen"].dtype.kind == "M"
    assert asked == []
    day = data["close"].sel(date="2024-01-02", code=["BRK.B", "000001.SZ"])
    assert day.values.tolist() == [21.0, 1.0]
    assert asked == [(["close"], ["2024-01-02"], ["000001.SZ", "BRK.B"])]


def test_a_dataset_has_what_the_matrices_have(store, path):
    data = xr.open_dataset(path)
    for name in data.data_vars:
        right = store.matrix(name, fill=math.nan).values
        assert np.array_equal(data[name].values, right.astype(data[name].dtype), equal_nan=True), name
    close = store.matrix("close").values
    for places in [(0, 0), (slice(None, None, -1), 1), ([3, 0, 0], slice(1, 3)), (np.array([1]), np.array([2, 2, 0]))]:
        right = close[np.ix_(*(np.atleast_1d(np.arange(size)[at]) for size, at in zip(close.shape, places)))]
        assert np.array_equal(np.squeeze(data["close"][places].values), np.squeeze(right), equal_nan=True), places
    assert np.isnan(data["volume"].sel(date="2024-01-03", code="000001.SZ"))
    assert data["halted"].sel(date="2024-01-02", code="600000.SH") == 1.0
    assert "close" not in xr.open_dataset(path, engine="transect", drop_variables=["close"])


def test_xarray_opens_a_store_with_the_arguments_that_it_has_for_all(path, store):
    whole = xr.open_dataset(path, engine="transect")
    nothing = {"decode_times": False, "mask_and_scale": False, "decode_timedelta": False, "decode_coords": False}
    for given in ({"decode_cf": False}, {"use_cftime": False, "concat_characters": False, **nothing}):
        assert whole.identical(xr.open_dataset(path, engine="transect", **given))
    # Of a store that is open, which stays so.
    with xr.open_dataset(store) as data:
        assert data["close"].identical(whole["close"]) and data.encoding["source"] == str(path)
    assert len(store.section(20240102)) == 3
    with xr.open_dataset(path) as data:
        assert data.attrs["version"] == 1
    with pytest.raises(ValueError, match="is closed; open it again"):
        data["close"].load()
    assert xr.open_dataset(store, engine="transect", version=1).attrs["id"] == store.id
    guess = xr.backends.list_engines()["transect"].guess_can_open
    assert [guess(one) for one in (path, str(path), store, path.parent, f"{path}.gone", 5)] == [True] * 3 + [False] * 3


def test_dask_reads_a_dataset_chunk_by_chunk(path):
    whole, lazy = (xr.open_dataset(path, engine="transect", **given) for given in ({}, {"chunks": {"date": 2}}))
    assert lazy["close"].chunks == ((2, 2), (3,))
    assert lazy["close"].mean("code").compute().identical(whole["close"].mean("code"))
