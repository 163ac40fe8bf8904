"""What was live at an instant is opened by any way of saying when, and what says none is refused in words."""

import datetime
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import transect
from transect import _dates

TIME = "2024-01-02T10:00"
DAY_END = datetime.datetime(2024, 1, 3)
SHANGHAI, WEST = (datetime.timezone(datetime.timedelta(hours=hours)) for hours in (8, -12))


def local(moment):
    """Nanoseconds since 1970 of a naive time on the clocks of this place."""
    return int(moment.timestamp()) * 10**9


TEN = local(datetime.datetime(2024, 1, 2, 10))
INSTANTS = {
    "text": (TIME, TEN),
    "datetime": (datetime.datetime(2024, 1, 2, 10), TEN),
    "Timestamp": (pd.Timestamp(TIME), TEN),
    "Timestamp with nanoseconds": (pd.Timestamp(f"{TIME}:00.000000001"), TEN + 1),
    "datetime64[h]": (np.datetime64("2024-01-02T10", "h"), TEN),
    "datetime64[m]": (np.datetime64(TIME), TEN),
    "datetime64[s]": (np.datetime64(TIME, "s"), TEN),
    "datetime64[us]": (np.datetime64(TIME, "us"), TEN),
    "datetime64[ns]": (np.datetime64(TIME, "ns") + np.timedelta64(1), TEN + 1),
    "aware datetime": (datetime.datetime(2024, 1, 2, 10, tzinfo=SHANGHAI), 1_704_160_800 * 10**9),
    "aware Timestamp": (pd.Timestamp(f"{TIME}:00.000000001", tz="Asia/Shanghai"), 1_704_160_800 * 10**9 + 1),
    "before 1970": (pd.Timestamp("1969-12-31 23:59:59.999999999", tz="UTC"), -1),
    "date": (datetime.date(2024, 1, 2), local(DAY_END) - 1),
    "date as text": ("2024-01-02", local(DAY_END) - 1),
    "date as digits": ("20240102", local(DAY_END) - 1),
    "date as a number": (20240102, local(DAY_END) - 1),
    "date as a number of numpy": (np.int64(20240102), local(DAY_END) - 1),
    "date with slashes": ("2024/01/02", local(DAY_END) - 1),
    "datetime64[D]": (np.datetime64("2024-01-02"), local(DAY_END) - 1),
    "array without dimensions": (np.array(TIME, "M8[ns]"), TEN),
    "array of a date": (np.array("2024-01-02", "M8[D]"), local(DAY_END) - 1),
    "array of a text": (np.array(TIME), TEN),
    "array of an object": (np.array(datetime.datetime(2024, 1, 2, 10), object), TEN),
    "array of xarray": (xr.DataArray(np.array(TIME, "M8[ns]")), TEN),
    "the least": (datetime.datetime.min, -(2**63)),
    "the greatest": (datetime.datetime.max, 2**63 - 1),
    "the least, aware": (datetime.datetime.min.replace(tzinfo=SHANGHAI), -(2**63)),
    "the greatest, aware": (datetime.datetime.max.replace(tzinfo=datetime.UTC), 2**63 - 1),
    "the greatest, far west": (datetime.datetime.max.replace(tzinfo=WEST), 2**63 - 1),
    "the greatest Timestamp": (pd.Timestamp.max.tz_localize("UTC"), 2**63 - 1),
    "the greatest of numpy": (np.datetime64(2**62, "s"), 2**63 - 1),
    "the least of numpy": (np.datetime64(-(2**62), "s"), -(2**63)),
    "a date after all": (np.datetime64("10000-01-01"), 2**63 - 1),
    "a late time": (datetime.datetime(2262, 1, 1, tzinfo=datetime.UTC), 9_214_646_400 * 10**9),
    "an early time": (datetime.datetime(1678, 1, 1, tzinfo=datetime.UTC), -9_214_560_000 * 10**9),
}


@pytest.mark.parametrize("kind", INSTANTS)
def test_an_instant_is_said_in_any_usual_way(own, kind):
    value, right = INSTANTS[kind]
    assert _dates.instant(value) == right
    if right > 1_800_000_000 * 10**9:
        assert transect.open(own, as_of=value).version == 1
        return
    # The store was made later.
    with pytest.raises(transect.NotFound) as caught:
        transect.open(own, as_of=value)
    assert caught.value.kind == "version"


def test_naive_times_are_on_the_clocks_of_the_place():
    code = f"""
import numpy as np, pandas as pd, datetime
from transect._dates import instant
print(*{{instant(one) for one in (pd.Timestamp("{TIME}"), np.datetime64("{TIME}"), datetime.datetime(2024, 1, 2, 10))}})
"""
    run = subprocess.run([sys.executable, "-c", code], env={"TZ": "Asia/Shanghai", "PYTHONPATH": ":".join(sys.path)},
                         capture_output=True, text=True)
    assert run.stdout.split() == ["1704160800000000000"], run.stderr


def test_of_an_hour_that_comes_twice_a_datetime_says_which_is_meant():
    code = """
import numpy as np, pandas as pd, datetime
from transect._dates import instant
twice = [datetime.datetime(2024, 11, 3, 1, 30, fold=fold) for fold in (0, 1)]
print(*[instant(one) // 10**9 for time in twice for one in (time, pd.Timestamp(time), time.astimezone())])
print(*[instant(one) // 10**9 for one in (twice[0].isoformat(), np.datetime64(twice[0]))])
print(instant(datetime.datetime(2024, 3, 10, 2, 30)) // 10**9, instant("2024-03-10T02:30") // 10**9)
"""
    run = subprocess.run([sys.executable, "-c", code], env={"TZ": "America/New_York", "PYTHONPATH": ":".join(sys.path)},
                         capture_output=True, text=True)
    first, left_out = 1_730_611_800, 1_710_055_800
    told = [[first] * 3 + [first + 3600] * 3, [first + 3600] * 2, [left_out] * 2]
    assert [[int(word) for word in line.split()] for line in run.stdout.splitlines()] == told, run.stderr


def test_dates_are_said_by_arrays_without_dimensions(own):
    store = transect.open(own)
    of_xarray = store.matrix("close").to_xarray()["date"][1]
    for date in (np.array("2024-01-02", "M8[ns]"), np.array("20240102"), np.array(20240102), of_xarray):
        assert str(store.section(date).date) == "2024-01-02"
    with pytest.raises(TypeError, match="is no date; give 20240102"):
        store.section(np.array(["2024-01-02"], "M8[ns]"))


def test_what_was_live_is_opened_by_a_naive_time(own):
    first = transect.open(own)
    time.sleep(0.01)
    between = pd.Timestamp.now()
    assert first.info().created < between.tz_localize(datetime.datetime.now().astimezone().tzinfo)
    transect.append(own, first.section(20240102).to_polars().with_columns(lots=pl.lit(9, pl.Int32)))
    for value in (between, between.to_pydatetime(), np.datetime64(between)):
        assert transect.open(own, as_of=value).version == 1
    assert transect.open(own, as_of=pd.Timestamp.now() + pd.Timedelta(days=1)).version == 2


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (pd.NaT, "^NaT is no time; leave it out$"),
        (np.datetime64("NaT"), "^NaT is no time; leave it out$"),
        (np.datetime64("NaT", "D"), "^NaT is no time; leave it out$"),
        (np.datetime64("2024-01"), "has no day; give a date$"),
        ("junk", "is no time; write it as "),
        (5, '"00000005" is no time|is no time; write it as '),
        (np.timedelta64(20240102, "ns"), "is no time; give "),
        (2.5, "^2.5 is no time; give '2024-01-02', "),
        (True, "^True is no time; give "),
        (b"20240102", "is no time; give "),
    ],
)
def test_what_says_no_instant_is_refused_in_words(own, value, why):
    with pytest.raises((ValueError, TypeError), match=why):
        transect.open(own, as_of=value)
