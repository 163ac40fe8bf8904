"""What is asked for is asked again by each door: what can be read once is kept when it is given."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

import transect
import transect.tasks

DATES = ["2024-01-02", "2024-01-03"]


@pytest.fixture
def store(tmp_path):
    rows = {"code": ["A", "B"] * 2, "date": [DATES[0]] * 2 + [DATES[1]] * 2, "x": [1.0, 2.0, 3.0, 4.0], "y": [5, 6, 7, 8]}
    transect.write(tmp_path / "s", pa.table(rows))
    return transect.open(tmp_path / "s")


def members(date, code):
    return pa.table({"date": pa.array(date), "code": pa.array(code)})


@pytest.mark.parametrize(
    "asked",
    [
        {"stocks": (code for code in ["A"])},
        {"stocks": ["A"], "columns": (name for name in ["x", "y"])},
        {"universe": pa.RecordBatchReader.from_batches(
            members(DATES, ["A", "A"]).schema, members(DATES, ["A", "A"]).to_batches())},
        {"universe": pl.from_arrow(members(DATES, ["A", "A"])).lazy().collect_batches()},
    ],
    ids=["stocks", "columns", "universe", "stream"],
)
def test_a_scan_gives_the_same_rows_at_each_look(store, asked):
    scan = store.scan(**asked)
    for _ in range(2):
        assert len(scan) == 2
        assert scan.to_polars()["x"].to_list() == [1.0, 3.0]
        assert scan.to_polars(codes="categorical")["y"].to_list() == [5, 7]
        assert scan.to_numpy(["x", "y"]).tolist() == [[1.0, 5.0], [3.0, 7.0]]
        assert np.asarray(scan["x"]).tolist() == [1.0, 3.0]


def test_a_section_has_the_columns_that_a_generator_named_at_each_look(store):
    section = store.section(20240102, (name for name in ["x"]))
    for codes in ("text", "categorical", "categorical"):
        assert section.to_polars(codes=codes)["x"].to_list() == [1.0, 2.0]


def test_one_date_is_no_list_of_dates(store):
    for date in (np.datetime64("2024-01-02"), "2024-01-02"):
        with pytest.raises(TypeError, match="dates is a list of dates"):
            store.scan(dates=date)


def test_a_build_by_tasks_that_is_stopped_names_what_was_left_out(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for code in "ABCD":
        table = pa.table({"date": ["20240102"], "x": [1.0]})
        pa.parquet.write_table(table, source / f"{code}.parquet")
    for code in "EFGH":
        (source / f"{code}.parquet").write_bytes(b"PAR1 and no more")
    plan = transect.tasks.plan(source, tmp_path / "s", staging=tmp_path / "staging", parts=2, bands=2)
    with pytest.raises(transect.Guarded, match="left out: ") as caught:
        transect.tasks.run(plan)
    assert len(caught.value.report.skipped) == 4
