"""A column of rows is a column of other packages' frames, and never one object in each row."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import transect

DAY = datetime.date(2024, 1, 2)
# For each kind, what Arrow has, and pandas.
KINDS = {
    "double": (pa.array([0.5, None, -0.0]), [0.5, np.nan, -0.0]),
    "int64": (pa.array([1, 2, 2**31]), [1, 2, 2**31]),
    "int64, null": (pa.array([1, None, 3]), [1.0, np.nan, 3.0]),
    "bool": (pa.array([True, False, True]), [True, False, True]),
    "text": (pa.array(["a", None, "c"]), ["a", None, "c"]),
    "category": (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
    "date": (pa.array([DAY, None, DAY]), [pd.Timestamp(DAY), pd.NaT, pd.Timestamp(DAY)]),
    "instant": (pa.array([1, None, 3], pa.timestamp("us")), [pd.Timestamp(1, unit="us"), pd.NaT, pd.Timestamp(3, unit="us")]),
}


@pytest.fixture(params=KINDS)
def column(request, tmp_path):
    values, right = KINDS[request.param]
    transect.write(tmp_path / "s", pa.table({"code": ["A", "B", "C"], "date": ["20240102"] * 3, "x": values}))
    return transect.open(tmp_path / "s").section(20240102)["x"], values, right


def same(found, right):
    return len(found) == len(right) and all(
        (a is None or a != a) if b is None or b != b else a == b and np.signbit(a) == np.signbit(b)
        if isinstance(b, float) else a == b for a, b in zip(found, right, strict=True)
    )


def test_pandas_takes_a_column_as_its_values(column):
    found, _, right = column
    frame = pd.DataFrame({"y": [1, 2, 3]})
    frame["x"] = found
    for taken in (frame["x"], pd.Series(found), pd.DataFrame({"x": found})["x"], frame.assign(z=found)["z"]):
        assert same(taken.tolist(), right), taken
    short = pd.DataFrame({"y": [1, 2]})
    with pytest.raises(ValueError, match="[Ll]ength"):
        short["x"] = found


def test_a_column_is_iterated_and_indexed_as_numpy_has_it(column):
    found, _, _ = column
    values = np.asarray(found)
    for other in (list(found), [found[row] for row in range(3)], found[::-1][::-1], found[values == values]):
        kept = values[values == values] if len(other) < 3 else values
        assert np.array_equal(np.array(other, dtype=values.dtype), kept, equal_nan=values.dtype.kind in "fM")
    with pytest.raises(IndexError):
        found[3]


def test_polars_and_pyarrow_take_a_column_without_numpy(column):
    found, values, _ = column
    plain = values.to_pylist()
    assert pl.Series(found).to_list() == plain and pl.DataFrame({"x": found})["x"].to_list() == plain
    assert pl.DataFrame({"y": [1, 2, 3]}).with_columns(x=pl.Series(found))["x"].to_list() == plain
    assert pa.array(found).to_pylist() == plain and pa.table({"x": pa.array(found)}).num_rows == 3


def test_a_frame_says_which_columns_it_has(store):
    for frame in (store.section(20240102), store.series("BRK.B"), store.scan()):
        assert "close" in frame and "clsoe" not in frame and 0 not in frame
