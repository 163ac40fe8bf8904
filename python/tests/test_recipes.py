"""Six recipes, each beside what it replaces, whose answer it must have."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import recipes

import transect

DAYS = [datetime.date(2024, 1, day) for day in (2, 3, 4, 5, 8)]
CODES = ["A", "B", "C", "D"]
NEXT = {"A": [1, 2, 3, 4, 5], "B": [2, 1, 4, 3, 6], "C": [5, 5, 1, 2, 2], "D": [4, 3, 2, 1, 9]}
REPORTS = {
    "ann_date": [datetime.date(2024, 1, 2), datetime.date(2024, 1, 4), datetime.date(2024, 1, 5)],
    "period": ["20230930", "20231231", "20230930"],
    "profit": [1.0, 2.0, 1.5],
}


@pytest.fixture
def world(tmp_path):
    """Four stocks on five days, three bars each day, and reports of one of them."""
    daily, bars = [], []
    for at, code in enumerate(CODES):
        for day, date in enumerate(DAYS):
            daily.append(
                {"date": date, "code": code, "close": 10.0 * (at + 1) + day * (at - 1), "size": float(at * day % 5),
                 "next": float(NEXT[code][day]), "in_index": day >= at}
            )
            bars += [
                {"date": date, "code": code, "time": time, "close": at + minute / 4, "volume": 100 * (minute + 1)}
                for minute, time in enumerate(["09:31", "09:32", "14:57"])
            ]
    reports = pl.DataFrame({**REPORTS, "code": ["A"] * 3})
    return recipes.World(tmp_path, pl.DataFrame(daily), pl.DataFrame(bars), reports)


def test_z_score_and_rank_ic_of_all_dates(world):
    ours, theirs = recipes.scores(world), recipes.scores_from_files(world)
    assert ours[0].equals(theirs[0]) and ours[1].equals(theirs[1])
    assert ours[1]["ic"].to_list()[1] == pytest.approx(0.6)


def test_stocks_without_a_factor_or_a_next_return_have_no_say_in_the_others():
    rows = {"size": [3.0, None, 1.0, float("nan"), 2.0, 9.0, 7.0], "next": [1.0, 5.0, 3.0, 4.0, 2.5, None, float("nan")]}
    frame = pl.DataFrame(rows)
    both = frame.filter(pl.all_horizontal(pl.all().is_not_null(), pl.all().is_not_nan()))
    assert both.height == 3
    right = both.select(pl.corr("size", "next", method="spearman")).item()
    assert frame.select(recipes.IC).item() == pytest.approx(right)
    scores = frame.select(recipes.Z).to_series()
    assert scores.null_count() == 2 and scores.is_nan().sum() == 0 and scores.mean() == pytest.approx(0)


def test_a_matrix_of_returns_of_who_was_a_member_then(world):
    returns = recipes.returns(world)
    assert np.allclose(returns, recipes.returns_from_files(world), equal_nan=True)
    assert np.isnan(returns[2, 3]) and not np.isnan(returns[3, 3])


def test_a_factor_of_minute_bars_becomes_a_column_of_the_daily_store(world):
    ours, theirs = recipes.factor(world), recipes.factor_from_files(world)
    assert ours["vwap"].to_list() == pytest.approx(theirs["vwap"].to_list())
    daily = world.store("daily")
    assert daily.matrix("vwap").values[0].tolist() == [pytest.approx(at + 2 / 6) for at in range(4)]
    assert daily.columns[-1] == "vwap" and daily.scan()["vwap"].null_count == 0
    # And the next night again.
    tonight = pl.DataFrame({"code": ["A"], "date": DAYS[-1:], "vwap": [7.0]})
    assert transect.append(world.path("daily.store"), tonight, source="vwap").restated == 1
    assert world.store("daily").matrix("vwap").values[-1, 0] == 7.0


def test_what_last_night_changed_is_a_frame(world):
    world.night(
        pl.DataFrame({"date": DAYS[-1:] * 2, "code": ["A", "E"], "close": [9.5, 1.0], "size": [0.0, 1.0],
                      "next": [5.0, 0.0], "in_index": [True, False]})
    )
    changed = recipes.changes(world)
    assert changed.filter(change="restated").select("date", "stock", "column", "old", "new").rows() == [
        (DAYS[-1], "A", "close", "6.0", "9.5")
    ]
    assert changed.filter(change="added")["stock"].to_list() == ["E"]
    assert sorted(recipes.changes_from_files(world)["code"]) == ["A", "E"]


def test_reports_are_joined_as_they_were_announced(world):
    joined = recipes.announced(world)
    assert joined.equals(recipes.announced_from_files(world))
    # What is published on a date is known on the next one.
    assert joined.filter(code="A")["profit"].to_list() == [None, 1.0, 1.0, 2.0, 2.0]
    assert joined.filter(pl.col("code") != "A")["profit"].null_count() == 15
    # A merge by period knows on the first day what came later.
    reports = pl.DataFrame(REPORTS).filter(period="20230930")
    wrong = joined.filter(code="A").select("date").join(reports, left_on="date", right_on="ann_date", how="left")
    assert wrong["profit"].to_list() == [1.0, None, None, 1.5, None]


def test_the_same_panel_in_sql(world):
    found = recipes.sql(world)
    pd.testing.assert_frame_equal(found, recipes.sql_from_files(world), check_dtype=False)
    assert found["mean"].tolist()[:2] == [10.0, 14.5]


def test_every_recipe_is_timed():
    assert len(recipes.RECIPES) == 6
