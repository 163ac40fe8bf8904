"""Dates come out as they were spelt, or as date32 where files do not agree."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
from engines import PyArrow

DAYS = [datetime.date(2023, 12, 29), datetime.date(2024, 1, 2), datetime.date(2024, 2, 29)]
MIDNIGHT = [datetime.datetime(day.year, day.month, day.day) for day in DAYS]


def text(form, kind=pa.string()):
    return pa.array([day.strftime(form) for day in DAYS], kind)


FORMS = {
    "text": text("%Y%m%d"),
    "text_dashes": text("%Y-%m-%d"),
    "text_slashes": text("%Y/%m/%d"),
    "large_text": text("%Y%m%d", pa.large_string()),
    "dictionary": text("%Y-%m-%d").dictionary_encode(),
    "int64": pa.array([int(day.strftime("%Y%m%d")) for day in DAYS], pa.int64()),
    "int32": pa.array([int(day.strftime("%Y%m%d")) for day in DAYS], pa.int32()),
    "date32": pa.array(DAYS, pa.date32()),
    "timestamp_ms": pa.array(MIDNIGHT, pa.timestamp("ms")),
    "timestamp_us": pa.array(MIDNIGHT, pa.timestamp("us")),
    "timestamp_ns": pa.array(MIDNIGHT, pa.timestamp("ns")),
}


def tables(dates, *others, name="trade_date"):
    """One stock a list of dates, with one value a row."""
    return {
        f"S{place}": pa.table({name: array, "close": pa.array(np.arange(len(array)) + place / 8)})
        for place, array in enumerate((dates, *others))
    }


def transposed(tmp_path, source, *options, expect=transect.DONE):
    report = transect.build(source, tmp_path / "store", *options, expect=expect)
    transect.transpose(tmp_path / "store", tmp_path / "out")
    transect.verify(tmp_path / "store", "--source", source, "--output", tmp_path / "out", expect=expect)
    return report, PyArrow().read(transect.sections(tmp_path / "out").values())


@pytest.mark.parametrize("form", FORMS)
def test_one_spelling_is_restored(tmp_path, form):
    source = transect.write_panel(tmp_path / "source", tables(FORMS[form], FORMS[form]))
    _, actual = transposed(tmp_path, source)
    expected = PyArrow().panel(transect.inputs(source), "trade_date")
    transect.assert_same(expected, actual, form)
    assert list(transect.sections(tmp_path / "out")) == ["20231229", "20240102", "20240229"]


@pytest.mark.parametrize("other", [form for form in FORMS if form not in ("text", "large_text")])
def test_two_spellings_meet_at_date32(tmp_path, other):
    source = transect.write_panel(tmp_path / "source", tables(FORMS["text"], FORMS[other]))
    _, actual = transposed(tmp_path, source)
    assert actual["trade_date"].type == pa.date32()
    expected = {code: transect.with_days(table, "trade_date") for code, table in tables(FORMS["text"], FORMS[other]).items()}
    whole = pa.concat_tables(
        [table.add_column(0, "ts_code", pa.array([code] * len(table))) for code, table in expected.items()]
    )
    transect.assert_same(transect.in_order(whole, "trade_date"), actual, other)


def test_two_spellings_within_one_file_meet_at_date32(tmp_path):
    mixed = pa.array(["20231229", "2024-01-02", "2024/02/29"])
    source = transect.write_panel(tmp_path / "source", tables(mixed))
    _, actual = transposed(tmp_path, source)
    assert actual["trade_date"].to_pylist() == DAYS


def test_any_other_text_is_read_by_a_format(tmp_path):
    source = transect.write_panel(tmp_path / "source", tables(text("%d-%b-%Y")))
    _, actual = transposed(tmp_path, source, "--date-format", "%d-%b-%Y")
    assert actual["trade_date"].to_pylist() == [day.strftime("%d-%b-%Y") for day in DAYS]


def test_the_first_alternative_names_the_column(tmp_path):
    source = tmp_path / "source"
    transect.write_panel(source, {"A": tables(FORMS["text"], name="day")["S0"]})
    transect.write_panel(source, {"B": tables(FORMS["text"], name="cal_date")["S0"]})
    _, actual = transposed(tmp_path, source, "--date-column", "cal_date,day")
    assert actual.column_names == ["ts_code", "cal_date", "close"]
    assert actual["ts_code"].to_pylist() == ["A", "B"] * 3


def test_a_date_in_any_case_is_found(tmp_path):
    source = transect.write_panel(tmp_path / "source", tables(FORMS["text"], name="Date"))
    _, actual = transposed(tmp_path, source)
    assert actual.column_names == ["ts_code", "Date", "close"]


def test_a_pandas_index_without_a_name_is_the_date(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for place, code in enumerate(["A", "B"]):
        frame = pd.DataFrame({"close": np.arange(3.0) + place}, index=pd.DatetimeIndex(DAYS))
        frame.to_parquet(source / f"{code}.parquet")
    assert "__index_level_0__" in pq.read_schema(source / "A.parquet").names
    _, actual = transposed(tmp_path, source)
    assert actual.num_columns == 3
    assert transect.days(actual[actual.column_names[1]]).to_pylist() == [day for day in DAYS for _ in "AB"]
    assert actual["close"].to_pylist() == [0.0, 1.0, 1.0, 2.0, 2.0, 3.0]


def test_a_named_pandas_index_is_the_date(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    frame = pd.DataFrame({"close": np.arange(3.0)}, index=pd.DatetimeIndex(DAYS, name="date"))
    frame.to_parquet(source / "A.parquet")
    _, actual = transposed(tmp_path, source)
    assert actual.column_names == ["ts_code", "date", "close"]


def test_a_time_of_day_refuses_the_file(tmp_path):
    intraday = pa.array([moment + datetime.timedelta(hours=9) for moment in MIDNIGHT], pa.timestamp("us"))
    source = transect.write_panel(tmp_path / "source", tables(FORMS["timestamp_us"], intraday))
    report, actual = transposed(tmp_path, source, expect=transect.SKIPPED)
    assert set(transect.skipped(report)) == {"S1.parquet"}
    assert set(actual["ts_code"].to_pylist()) == {"S0"}


def test_null_and_unreadable_dates_refuse_the_file_or_are_dropped(tmp_path):
    bad = pa.array(["20231229", None, "20240230"])
    source = transect.write_panel(tmp_path / "source", tables(FORMS["text"], bad))
    report, _ = transposed(tmp_path, source, expect=transect.SKIPPED)
    assert set(transect.skipped(report)) == {"S1.parquet"}
    transect.build(source, tmp_path / "dropped", "--bad-dates", "drop")
    transect.transpose(tmp_path / "dropped", tmp_path / "rest")
    rest = PyArrow().read(transect.sections(tmp_path / "rest").values())
    assert rest["ts_code"].to_pylist() == ["S0", "S1", "S0", "S0"]
