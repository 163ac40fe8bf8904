"""No door rounds a value unasked: what its types cannot hold is refused, with the column and what holds it."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import transect

KEEPS = re.escape('; to_pandas(types="pyarrow"), to_arrow and to_polars of its frame keep them')


def section(folder, **columns):
    count = len(next(iter(columns.values())))
    keys = {"code": [f"{at}" for at in range(count)], "date": ["20240102"] * count}
    transect.write(folder / "s", pa.table({**keys, **columns}), mode="overwrite")
    return transect.open(folder / "s").section(20240102)


HUGE = {
    "int64": pa.array([2**60 + 1, None]), "int64, the greatest": pa.array([2**63 - 1, None]),
    "int64, the least but one": pa.array([1 - 2**63, None]), "uint64": pa.array([2**63 + 1, None], pa.uint64()),
    "uint64, the greatest": pa.array([2**64 - 1, None], pa.uint64()),
}


@pytest.mark.parametrize("kind", HUGE)
def test_integers_beside_nulls_that_no_double_holds_are_refused(tmp_path, kind):
    rows = section(tmp_path, x=HUGE[kind], y=[1.0, 2.0])
    why = "^column 'x' has nulls beside integers that no double holds" + KEEPS
    for take in (rows.to_pandas, rows.to_numpy, lambda: rows.to_numpy(["x"]), lambda: np.asarray(rows["x"])):
        with pytest.raises(transect.Refused, match=why):
            take()
    right = HUGE[kind].to_pylist()
    assert rows.to_pandas(types="pyarrow")["x"].tolist()[0] == right[0] and rows.to_polars()["x"].to_list() == right
    assert rows.to_arrow()["x"].to_pylist() == right


@pytest.mark.parametrize("values", [[2**60, None], [-(2**63), None], [None, None], [2**53, -(2**53)]])
def test_integers_that_doubles_hold_are_doubles(tmp_path, values):
    rows = section(tmp_path, x=pa.array(values, pa.int64()))
    frame = rows.to_pandas()["x"]
    assert [None if value != value else int(value) for value in frame] == values
    assert [None if value != value else int(value) for value in np.asarray(rows["x"], dtype="f8")] == values


@pytest.mark.parametrize("beside", [pa.array([0.5, 1.5]), pa.array([1, 2], pa.uint64())], ids=["double", "uint64"])
def test_columns_side_by_side_are_rounded_by_none_of_them(tmp_path, beside):
    rows = section(tmp_path, x=[2**60 + 1, 2**31], y=beside)
    with pytest.raises(transect.Refused, match="^column 'x' has doubles or other integers beside integers that no double"):
        rows.to_numpy()
    assert rows.to_numpy(["x"]).tolist() == [[2**60 + 1], [2**31]]
    whole = section(tmp_path, x=[2**60, 2**31], y=beside)
    assert whole.to_numpy().tolist() == [[2.0**60, beside[0].as_py()], [2.0**31, beside[1].as_py()]]


def test_columns_side_by_side_have_the_type_that_numpy_has_for_them(tmp_path):
    kinds = ["f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4"]
    rows = section(tmp_path, **{kind: np.arange(3, dtype=kind) for kind in kinds})
    for one in kinds:
        for other in kinds:
            both = rows.to_numpy([one, other])
            assert both.dtype == np.result_type(*(np.asarray(rows[name]) for name in (one, other)))
            assert both.tolist() == [[0, 0], [1, 1], [2, 2]]
    with pytest.raises(TypeError, match=r"^columns is a list of names; write \['f4'\]$"):
        rows.to_numpy("f4")


def test_instants_side_by_side_stay_what_they_are(tmp_path):
    far, near = pa.array([253_402_214_400, None], pa.timestamp("s")), pa.array([1, 2], pa.timestamp("ns"))
    with pytest.raises(transect.Refused, match=r"^column 'x' has instants that datetime64\[ns\] does not reach; take it"):
        section(tmp_path, x=far, y=near).to_numpy(["x", "y"])
    both = section(tmp_path, x=pa.array([1, None], pa.timestamp("s")), y=near).to_numpy(["x", "y"])
    assert both[0, 0] == np.datetime64(1, "s") and np.isnat(both[1, 0])


def test_nanoseconds_of_a_time_of_day_are_refused_with_their_column(tmp_path):
    clock = pa.array([53_700_000_001_001, None]).cast(pa.time64("ns"))
    rows = section(tmp_path, x=clock, y=[1.0, 2.0])
    with pytest.raises(transect.Refused, match="^column 'x' has times of day with nanoseconds, which datetime.time" + ".*" + KEEPS):
        rows.to_pandas()
    assert rows.to_pandas(types="pyarrow")["x"].tolist()[1] is pd.NA
    assert rows.to_polars()["x"].to_physical().to_list() == [53_700_000_001_001, None]
    # Without pyarrow, too.
    code = """
import sys
sys.modules["pyarrow"] = None
import transect
try:
    transect.open(sys.argv[1]).section(20240102).to_pandas()
except transect.Refused as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "s"], capture_output=True, text=True)
    assert run.stdout.startswith("column 'x' has times of day with nanoseconds"), run.stderr


def test_times_of_day_without_nanoseconds_are_those_of_python(tmp_path):
    clock = pa.array([53_700_000_001_000, None]).cast(pa.time64("ns"))
    rows = section(tmp_path, a=[1, 2], x=clock, y=[1.0, None])
    frame = rows.to_pandas()
    assert list(frame.columns) == ["date", "a", "x", "y"] and frame["x"].tolist() == [clock[0].as_py(), None]
    assert frame["a"].tolist() == [1, 2] and frame["y"].isna().tolist() == [False, True]
    assert pl.DataFrame(rows)["x"].null_count() == 1
