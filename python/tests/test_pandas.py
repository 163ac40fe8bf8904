"""Frames of pandas in the types that it has of numpy, and in its own, are written, added and appended as they are."""

import datetime
import decimal
import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import transect

TEXT = np.array(["a", None, "c", "a"], dtype=object)
# Columns of four rows.
KINDS = {
    "float64": np.array([0.5, -0.0, np.inf, 5e-324]),
    "float32": np.array([0.5, -0.0, np.nan, 3.5], "f4"),
    "int64": np.array([2**63 - 1, -(2**63), 0, 2**53 + 1]),
    "int8": np.array([1, -128, 127, 0], "i1"),
    "uint64": np.array([2**64 - 1, 0, 1, 2], "u8"),
    "bool": np.array([True, False, True, True]),
    "datetime64[s]": np.array(["2024-01-02", "NaT", "1969-12-31T23:59:59", "2024-01-03"], "M8[s]"),
    "datetime64[us]": np.array(["2024-01-02T09:30:00.000001", "NaT", "1970-01-01", "2024-01-03"], "M8[us]"),
    "datetime64[ns]": np.array(["2024-01-02T09:30:00.000000001", "NaT", "1970-01-01", "2024-01-03"], "M8[ns]"),
    "zoned": pd.DatetimeIndex(["2024-01-02T09:30", None, "2024-01-03T00:00", "2024-01-04T00:00"]).tz_localize("Asia/Shanghai"),
    "texts, objects": TEXT,
    "category": pd.Categorical(TEXT),
    "dates, objects": np.array([datetime.date(2024, 1, 2), None, datetime.date(1969, 1, 1), datetime.date(1, 1, 1)], object),
    "decimals, objects": np.array([decimal.Decimal("1.25"), None, decimal.Decimal("-0.01"), decimal.Decimal(3)], object),
    "bytes, objects": np.array([b"\xff", None, b"", b"1"], object),
    "times, objects": np.array([datetime.time(9, 30), None, datetime.time(0), datetime.time(1)], object),
    "Int64": pd.array([2**63 - 1, None, 0, 1], dtype="Int64"),
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "string": pd.array(["a", None, "", "a"], dtype="string"),
    "Float64": pd.array([0.5, None, -0.0, 1.0], dtype="Float64"),
}
KEYS = {"code": ["B", "A", "B", "A"], "date": ["20240102", "20240102", "20240103", "20240103"]}


def framed(values, how):
    """A frame with the values, and codes and dates in the ways that users have them."""
    frame = pd.DataFrame({**KEYS, "x": values})
    if how == "text":
        return frame
    frame["date"] = pd.to_datetime(frame["date"]).astype("M8[ns]" if how == "index" else "M8[s]")
    return frame.set_index(["date", "code"]) if how == "index" else frame


def right(values):
    """By code and date, as pyarrow takes them from pandas."""
    table = pa.Table.from_pandas(pd.DataFrame({**KEYS, "x": values}), preserve_index=False)
    return told(table.sort_by([("date", "ascending"), ("code", "ascending")])["x"])


def told(column):
    column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        return [column.type, *column.cast(pa.int64()).to_pylist()]
    exact = (struct.pack("<d", value) if isinstance(value, float) else value for value in column.to_pylist())
    return [pa.string() if pa.types.is_large_string(column.type) else column.type, *exact]


def held(path, column="x"):
    return told(transect.open(path).scan(columns=[column]).to_arrow()[column])


@pytest.mark.parametrize(("kind", "how"), list(zip(KINDS, ["text", "column", "index"] * len(KINDS))))
def test_a_frame_of_pandas_is_written_added_and_appended_as_it_is(tmp_path, kind, how):
    values = KINDS[kind]
    frame, expected = framed(values, how), right(values)
    transect.write(tmp_path / "s", frame)
    assert held(tmp_path / "s") == expected

    transect.write(tmp_path / "added", pd.DataFrame({**KEYS, "close": 1.0}))
    report = transect.add_source(tmp_path / "added", frame, name="factor")
    assert report.new_columns == ["x"] and held(tmp_path / "added") == expected

    # Each date as a night of its own.
    first, second = frame.iloc[:2], frame.iloc[2:]
    transect.write(tmp_path / "nights", first)
    assert transect.append(tmp_path / "nights", second, allow=["turned-null"]).added == 2
    assert held(tmp_path / "nights") == expected
    transect.write(tmp_path / "factors", pd.DataFrame({**KEYS, "close": 1.0}))
    transect.add_source(tmp_path / "factors", first, name="factor", allow=["few-codes"])
    transect.append(tmp_path / "factors", second, source="factor", allow=["turned-null"])
    assert held(tmp_path / "factors") == expected
    assert transect.open(tmp_path / "factors").verify(all_versions=True)


def test_integers_that_a_null_made_doubles_are_appended_as_integers(tmp_path):
    """As pandas has them after a join."""
    transect.write(tmp_path / "s", pd.DataFrame({**KEYS, "x": [1, 2, 3, 4]}))
    tonight = pd.DataFrame({"code": ["A", "B"], "date": ["20240104"] * 2, "x": [5.0, np.nan]})
    transect.append(tmp_path / "s", tonight)
    assert held(tmp_path / "s") == [pa.int64(), 2, 1, 4, 3, 5, None]
