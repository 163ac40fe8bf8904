"""What stops a change says why, with examples and what helps, in the words of Python, as the command line does in its own."""

import datetime
import decimal
import math
import re
import shutil
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

import transect

ROWS = {"trade_date": ["20240102", "20240103"], "close": [1.0, 2.0]}


def filled(folder, count, names="P{:02}"):
    folder.mkdir(exist_ok=True)
    for at in range(count):
        pq.write_table(pa.table(ROWS), folder / f"{names.format(at)}.parquet")
    return folder


def commanded(*words):
    """What the command line says of the same."""
    code = "import sys; from transect._transect import main; sys.argv = ['transect', *sys.argv[1:]]; sys.exit(main())"
    run = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True)
    return run.stdout + run.stderr


def spoken(message):
    """A message without the spelling of its ways out."""
    return re.sub(r"--[\w-]+ \S+|\b\w+=(\[.*?\]|\{.*?\}|\"\S+\")", "WAY", message)


def test_a_guarded_build_says_why_inputs_would_be_left_out_and_what_helps(tmp_path):
    folder = filled(tmp_path / "src", 4)
    listed, odd = pa.table(ROWS | {"list": [[1], [2]]}), pa.table({"cal_date": ROWS["trade_date"], "close": ROWS["close"]})
    for at in range(3):
        pq.write_table(listed, folder / f"L{at}.parquet")
        pq.write_table(odd, folder / f"D{at}.parquet")
    (folder / "X.parquet").write_text("no Parquet")
    with pytest.raises(transect.Guarded) as caught:
        transect.build(folder, tmp_path / "s")
    told = str(caught.value)
    assert told.startswith("nothing was published: skipped-files: 7 of 11 files would be skipped; left out: 3 inputs, such as ")
    assert 'its column "list" is a list, which a panel cannot hold; exclude=["list"] leaves it out' in told
    assert 'D0.parquet: has no date column' in told and 'date_column=["trade_date", "cal_date"] reads it' in told
    assert "X.parquet: is not a Parquet file" in told and "--" not in told
    assert told.endswith("; if all this is right, build(..., allow=['skipped-files'])")
    # As the command line has it.
    words = spoken(commanded("build", folder, tmp_path / "t"))
    for reason in re.split("; (?=3 inputs|X)", told.split("; left out: ")[1].split("; if all")[0]):
        assert spoken(reason) in words
    # What helps does.
    with pytest.warns(transect.SkippedInputs, match="1 input was left out, X.parquet: is not a Parquet file"):
        ways = {"exclude": ["list"], "date_column": ["trade_date", "cal_date"]}
        assert transect.build(folder, tmp_path / "s", allow=["skipped-files"], **ways).rows == 20


def test_a_guarded_night_names_examples_and_reasons(tmp_path):
    folder, store = filled(tmp_path / "src", 40), tmp_path / "s"
    transect.build(folder, store)
    for at in range(9):
        (folder / f"P{at:02}.parquet").write_text("no Parquet")
    with pytest.raises(transect.Guarded, match="; left out: 9 inputs, such as P00.parquet: is not a Parquet file") as caught:
        transect.update(store)
    assert caught.value.words == ["skipped-files"] and len(caught.value.report.skipped) == 9
    shutil.rmtree(folder)
    filled(folder, 10)
    with pytest.raises(transect.Guarded) as caught:
        transect.update(store)
    told = "missing-files: 30 of 40 files are gone, such as P10.parquet, P11.parquet, P12.parquet"
    assert told in str(caught.value) and told in commanded("update", store)


def test_a_limit_that_is_passed_says_the_argument_that_lets_it_through(tmp_path):
    folder, store = filled(tmp_path / "src", 3), tmp_path / "s"
    transect.build(folder, store)
    pq.write_table(pa.table(ROWS | {"close": [5.0, 6.0]}), folder / "P00.parquet")
    with pytest.raises(transect.Guarded) as caught:
        transect.update(store, max_restated=1)
    assert caught.value.words == [] and caught.value.report.refused
    assert str(caught.value).endswith("at most 1 may be; if all this is right, update(..., max_restated=COUNT)")
    assert transect.update(store, max_restated=2).restated == 2


def test_warnings_name_each_reason_with_its_count(tmp_path):
    folder = filled(tmp_path / "src", 3)
    for at in range(2):
        pq.write_table(pa.table(ROWS | {"list": [[1], [2]]}), folder / f"L{at}.parquet")
    (folder / "X.parquet").write_text("no Parquet")
    with pytest.warns(transect.SkippedInputs) as warned:
        transect.build(folder, tmp_path / "s", allow=["skipped-files"])
    told = str(warned[0].message)
    assert told.startswith("3 inputs were left out: 2 inputs, such as L0.parquet: its column")
    assert "; X.parquet: is not a Parquet file" in told and warned[0].message.report.files == 6


DAY = {"code": ["A", "B"], "date": ["20240102"] * 2}


def test_a_frame_with_several_date_columns_is_told_how_to_name_the_one(tmp_path):
    frame = pa.table({**DAY, "trade_date": ["20240103"] * 2, "x": [1, 2]})
    with pytest.raises(transect.Refused) as caught:
        transect.write(tmp_path / "s", frame)
    assert str(caught.value).endswith('several date columns, "date" and "trade_date"; date=NAME says which one holds them')
    assert transect.write(tmp_path / "s", frame, date="date").rows == 2
    with pytest.raises(transect.Refused) as caught:
        transect.append(tmp_path / "s", frame.rename_columns(["code", "cal_date", "trade_date", "x"]))
    assert str(caught.value).endswith("; the store's name for it says which one holds them")


DATES_OF_NO_STORE = {
    "a time of day": [datetime.datetime(2024, 1, 6, 9)] * 2,
    "a fraction": [20240106.5, 20240106.0],
    "no date": ["today", "20240106"],
}


@pytest.mark.parametrize("kind", DATES_OF_NO_STORE)
def test_dates_that_cannot_be_appended_have_a_way_out(tmp_path, kind):
    transect.write(tmp_path / "s", pa.table({**DAY, "x": [1, 2]}))
    tonight = pa.table({**DAY, "date": DATES_OF_NO_STORE[kind], "x": [1, 2]})
    with pytest.raises(transect.Refused, match="; make the frame with its dates as the store has them$"):
        transect.append(tmp_path / "s", tonight)


def test_objects_of_python_are_no_bytes(tmp_path):
    frame = pl.DataFrame(DAY).with_columns(x=pl.Series([object(), None], dtype=pl.Object))
    transect.write(tmp_path / "s", frame.drop("x").with_columns(y=1))
    why = 'its column "x" is of objects of Python, which Arrow has not; give it another type, or leave it out$'
    for call in (
        lambda: transect.write(tmp_path / "t", frame, casts={"x": "binary"}),
        lambda: transect.append(tmp_path / "s", frame),
        lambda: transect.add_source(tmp_path / "s", frame, name="x"),
    ):
        with pytest.raises(transect.Refused, match=why):
            call()


@pytest.mark.parametrize(
    ("values", "way_out"),
    [
        (pa.array([2**53 + 1]), "exactly; Store.matrix with fill=0, say, is one of Int64, which does; "),
        (pa.array([2**63 + 1], pa.uint64()), "exactly; Store.matrix with fill=0, say, is one of UInt64, which does; "),
        (pa.array([decimal.Decimal("12345678901234567.891")]), "exactly; sections, series and scans have all values as"),
    ],
    ids=["int64", "uint64", "decimal"],
)
def test_a_matrix_that_would_round_names_what_python_has(tmp_path, values, way_out):
    transect.write(tmp_path / "s.store", pa.table({"code": ["A"], "date": ["20240102"], "x": values}))
    store = transect.open(tmp_path / "s.store")
    why = f"^column \"x\" has {values[0].as_py()} on 20240102, which a matrix of Float64 cannot hold {way_out}"
    with pytest.raises(transect.Refused, match=why):
        store.matrix("x", fill=math.nan)
    with pytest.raises(transect.Refused, match=why):
        xr.open_dataset(store, engine="transect")["x"].load()
    assert store.scan().to_arrow()["x"].to_pylist() == values.to_pylist()
    if pa.types.is_integer(values.type):
        assert store.matrix("x", fill=0).values.tolist() == [values.to_pylist()]
