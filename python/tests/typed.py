"""Uses whose types pyright checks; nothing of it runs. `reveal_type` in an editor shows the same."""

import datetime
from typing import Any, assert_type

import numpy as np
import polars as pl

import transect

store = transect.open("panel.store", version=1)
transect.open("panel.store", as_of=datetime.date(2024, 1, 2), io="read")
assert_type(store, transect.Store)
assert_type(store.dates, np.ndarray)
assert_type(store.stocks, list[str])
assert_type(store.schema, transect.Schema)
assert_type(store.schema["close"], str)

section = store.section("2024-01-02", ["close"])
for date in (20240102, "20240102", datetime.date(2024, 1, 2), np.datetime64("2024-01-02")):
    store.section(date)
assert_type(section, transect.Section)
assert_type(section.codes, list[str])
assert_type(section.date, datetime.date)
assert_type(section["close"], transect.Column)
assert_type(section.to_polars(codes="categorical"), pl.DataFrame)
assert_type(np.asarray(section["close"]), np.ndarray[tuple[Any, ...], np.dtype[Any]])

assert_type(store.series("600519.SH", start=20240101), transect.StockSeries)
for day, rows in store.scan(start="2024-01-02", stocks=["600519.SH"], universe="is_member"):
    assert_type(day, datetime.date)
    assert_type(rows, transect.Section)
matrix = store.matrix("close", universe=pl.DataFrame(), at={"time": "14:55"}, fill=0)
assert_type(matrix.shape, tuple[int, int])
assert_type(matrix.values, np.ndarray)
assert_type(store.lazy(), pl.LazyFrame)

assert_type(store.coverage(), transect.Frame)
assert_type(store.coverage(by="year"), transect.Frame)
assert_type(store.coverage(by=None), transect.CoverageReport)
assert_type(store.diff(), transect.Frame)
assert_type(store.diff(by=None), transect.DiffReport)
assert_type(store.diff(1, by="row"), transect.Frame)
assert_type(store.diff(store, by=None).added, int)
assert_type(store.log()[0].created, datetime.datetime)
assert_type(store.verify(inputs=True, output="by_date").damages, list[str])


def told(stage: str, done: int, total: int, unit: str) -> None:
    """What a run may call."""


built = transect.build("features", "panel.store", casts={"volume": "float64"}, memory="1GiB", progress=told)
assert_type(built, transect.BuildReport)
assert_type(built.rows, int)
assert_type(built.first_date, datetime.date | None)
assert_type(transect.restore(store, 1, dry_run=True), transect.UpdateReport)
assert_type(transect.set_source(store, "a", exclude=["x"], add={"rename": {"a": "b"}}), transect.UpdateReport)
assert_type(transect.drop_source(store, "a"), transect.UpdateReport)
assert_type(transect.update(store, max_restated="5%", allow=["missing-files"], progress=True), transect.UpdateReport)
assert_type(transect.append(store, pl.DataFrame()), transect.UpdateReport)
assert_type(transect.append("panel.store", ["20240105.parquet"], dry_run=True).added, int)
assert_type(transect.transpose(store, "by_date", dates=[20240102], format="arrow").written, int)
assert_type(transect.gc(store, older_than=datetime.timedelta(days=30)).removed_versions, list[int])

try:
    store.series("600519.SZ")
except transect.NotFound as error:
    assert_type(error.nearest, str)
except transect.Guarded as error:
    assert_type(error.words, list[str])
except transect.Locked as error:
    assert_type(error.holder, int | None)
assert_type(transect.write("s", pl.DataFrame(), key=["minute"], mode="overwrite"), transect.BuildReport)
assert_type(transect.add_source(store, pl.DataFrame(), name="value", join="left"), transect.UpdateReport)
assert_type(transect.add_source("panel.store", "value", prefix="{source}_").filled, int)
assert_type([source.folder for source in store.sources], list[str | None])
