"""Six recipes, each beside what it replaces, whose answer it must have."""

import datetime

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import transect

DAYS = [datetime.date(2024, 1, day) for day in (2, 3, 4, 5, 8)]
CODES = ["A", "B", "C", "D"]
NEXT = {"A": [1, 2, 3, 4, 5], "B": [2, 1, 4, 3, 6], "C": [5, 5, 1, 2, 2], "D": [4, 3, 2, 1, 9]}


@pytest.fixture
def daily(tmp_path, monkeypatch):
    """Prices and a factor of four stocks on five days, as files, a store and per-date files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "daily").mkdir()
    for at, code in enumerate(CODES):
        frame = pl.DataFrame(
            {
                "date": DAYS,
                "close": [10.0 * (at + 1) + day * (at - 1) for day in range(5)],
                "size": [float(at * day % 5) for day in range(5)],
                "next": [float(value) for value in NEXT[code]],
                "in_index": [day >= at for day in range(5)],
            }
        )
        frame.write_parquet(tmp_path / "daily" / f"{code}.parquet")
    transect.build("daily", "daily.store", code_column="code")
    transect.transpose("daily.store", "by_date")
    return transect.open("daily.store")


def files():
    return pl.concat(
        pl.read_parquet(f"daily/{code}.parquet").with_columns(code=pl.lit(code)) for code in CODES
    ).sort("date", "code")


def test_z_score_and_rank_ic_of_all_dates(daily):
    ranks = pl.corr(pl.col("size").rank(), pl.col("next").rank())
    z = (pl.col("size") - pl.col("size").mean()) / pl.col("size").std()
    scores = daily.lazy().select("date", "code", z.over("date").alias("z")).collect()
    ic = daily.lazy().group_by("date", maintain_order=True).agg(ranks.alias("ic")).collect()
    # Instead of reading all files.
    assert scores.equals(files().select("date", "code", z.over("date").alias("z")))
    assert ic.equals(files().group_by("date", maintain_order=True).agg(ranks.alias("ic")))


def test_a_matrix_of_returns_of_who_was_a_member_then(daily):
    close = daily.matrix("close")
    returns = np.full(close.shape, np.nan)
    returns[1:] = close.values[1:] / close.values[:-1] - 1
    returns[~daily.matrix("close", universe="in_index").present] = np.nan
    # Instead of a pivot.
    wide = files().to_pandas().pivot(index="date", columns="code", values="close").pct_change(fill_method=None)
    members = files().to_pandas().pivot(index="date", columns="code", values="in_index")
    assert np.allclose(returns, wide.where(members).to_numpy(), equal_nan=True)
    assert np.isnan(returns[2, 3]) and not np.isnan(returns[3, 3])


def test_a_factor_of_minute_bars_becomes_a_column_of_the_daily_store(daily, tmp_path):
    (tmp_path / "bars").mkdir()
    for at, code in enumerate(CODES):
        bars = [
            {"date": day, "time": time, "close": at + minute / 4, "volume": 100 * (minute + 1)}
            for day in DAYS
            for minute, time in enumerate(["09:31", "09:32", "14:57"])
        ]
        pl.DataFrame(bars).write_parquet(tmp_path / "bars" / f"{code}.parquet")
    transect.build("bars", "bars.store", key=["time"], code_column="code")
    vwap = (pl.col("close") * pl.col("volume")).sum() / pl.col("volume").sum()
    bars = transect.open("bars.store").lazy()
    factor = bars.group_by("date", "code").agg(vwap.alias("vwap")).sort("code", "date").collect()
    # Until a frame can be a source of the daily store, it has a store of its own, of a file for each stock.
    (tmp_path / "factors").mkdir()
    for (code,), rows in factor.group_by("code"):
        rows.drop("code").write_parquet(tmp_path / "factors" / f"{code}.parquet")
    transect.build("factors", "factors.store", code_column="code")
    factors = transect.open("factors.store")
    assert factors.matrix("vwap").values[0].tolist() == [pytest.approx(at + 2 / 6) for at in range(4)]
    both = daily.lazy().join(factors.lazy(), on=["date", "code"], how="left").collect()
    assert both.columns[-1] == "vwap" and both["vwap"].null_count() == 0 and both.height == len(daily)


def test_what_last_night_changed_is_a_frame(daily):
    later = pl.DataFrame({"date": DAYS[-1:] * 2, "code": ["A", "E"], "close": [9.5, 1.0], "size": [0.0, 1.0],
                          "next": [5.0, 0.0], "in_index": [True, False]})
    transect.append("daily.store", later)
    changed = daily.reload().diff(by="row").to_polars()
    assert changed.filter(change="restated").select("date", "stock", "column", "old", "new").rows() == [
        (DAYS[-1], "A", "close", "6.0", "9.5")
    ]
    assert changed.filter(change="added")["stock"].to_list() == ["E"]
    # Instead of comparing two copies of everything.
    before, after = daily.scan().to_polars(), daily.reload().scan().to_polars()
    assert after.join(before, on=after.columns, how="anti", nulls_equal=True)["code"].to_list() == ["A", "E"]


def test_reports_are_joined_as_they_were_announced(daily, tmp_path):
    (tmp_path / "reports").mkdir()
    reports = pl.DataFrame(
        {
            "ann_date": [datetime.date(2024, 1, 2), datetime.date(2024, 1, 4), datetime.date(2024, 1, 5)],
            "period": ["20230930", "20231231", "20230930"],
            "profit": [1.0, 2.0, 1.5],
        }
    )
    reports.write_parquet(tmp_path / "reports" / "A.parquet")
    transect.build("reports", "reports.store", date_column="ann_date", key=["period"], code_column="code")
    known = transect.open("reports.store").lazy().sort("ann_date")
    # An old period that is amended later is no news about the latest one.
    latest = known.filter(pl.col("period") == pl.col("period").cum_max().over("code"))
    prices = daily.lazy().filter(pl.col("code") == "A").sort("date")
    joined = prices.join_asof(latest, left_on="date", right_on="ann_date", by="code", check_sortedness=False).collect()
    assert joined["profit"].to_list() == [1.0, 1.0, 2.0, 2.0, 2.0]
    # Instead of a merge by period, which knows on the first day what came later.
    wrong = joined.select("date").join(reports.filter(period="20230930"), left_on="date", right_on="ann_date", how="left")
    assert wrong["profit"].to_list() == [1.0, None, None, 1.5, None]


def test_the_same_panel_in_sql(daily):
    scan = daily.scan(start=20240103, columns=["close", "in_index"])  # noqa: F841 - DuckDB finds it by its name
    query = "select date, avg(close) as mean from {} where in_index group by date order by date"
    found = duckdb.sql(query.format("scan")).df()
    # Instead of opening a file for each date.
    right = duckdb.sql(query.format("'by_date/*.parquet'")).df()
    pd.testing.assert_frame_equal(found, right[right["date"] >= pd.Timestamp("2024-01-03")].reset_index(drop=True),
                                  check_dtype=False)
